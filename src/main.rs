//! Parses, runs one command, maps errors to exit codes.

mod cli;
mod commands;
mod config;
mod files;
mod telemetry;
mod usage;

use std::process::ExitCode;

use cli::{Cli, Command};

/// A dozen threads allocate rows of many sizes and other threads free them, for weeks. glibc's allocator would keep the
/// freed memory. `RocksDB` uses this allocator, too.
#[global_allocator]
static MEMORY: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::read();
    let useless = cli.command.useless(&cli.options);
    let mut config = match config::load(&cli.options, cli.command.apps(), cli.command.serves()) {
        Ok(config) if useless.is_empty() => config,
        loaded => {
            let problems = [useless, loaded.err().unwrap_or_default()].concat();
            eprintln!("the configuration has {} problem(s):", problems.len());
            for problem in &problems {
                eprintln!("  - {problem}");
            }
            return ExitCode::from(usage::EXIT);
        }
    };
    let telemetry = telemetry::start(&config.log_filter);
    if cli.command.serves() {
        config.warnings.extend(files::make_room(&mut config.settings.limits));
    }
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let ended = match cli.command {
        Command::Run(_) | Command::Serve => commands::serve(config.settings),
        Command::Demo(options) => commands::demo(config, &options),
        Command::Prompts(options) => commands::prompts(config, &options),
        Command::Replay(options) => commands::replay(&options),
        Command::Dlq(options) => commands::dlq(&options),
        Command::Describe(options) => commands::describe(&config.settings, &options),
        Command::Reset(options) => commands::reset(&config.settings, &options),
    };
    telemetry.end();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of the output has seen enough, such as `head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tidemill: {error:#}");
            if usage::is_usage(&error) { ExitCode::from(usage::EXIT) } else { ExitCode::FAILURE }
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    causes.any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}
