//! The command line: commands and options.

mod command;
mod dlq;
mod prompts;
#[cfg(test)]
mod tests;
mod values;

use std::ffi::OsString;

use clap::{Args as _, CommandFactory as _, FromArgMatches as _, Parser};
use tidemill_apps::apps::APPLICATIONS;

pub(crate) use command::{Command, DemoOptions, DescribeOptions, ReplayOptions, ResetOptions};
pub(crate) use dlq::{DlqAction, DlqOptions, DlqRecords, DlqServer};
pub(crate) use prompts::{Against, EvalOptions, PromptsAction, PromptsOptions};

use crate::config::{LOG, Options, SET, help};

/// Stream processing with model calls, in one program: live insight for streamers, form coach for athletes.
///
/// Begin with `tidemill demo`. It runs both applications, plays recorded events into them, and prints the addresses of
/// their pages. Everything is in memory unless you name a folder.
#[derive(Debug, Parser)]
#[command(name = "tidemill", version, max_term_width = 110, after_long_help = help())]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) options: Options,
}

impl Cli {
    /// Reads the program's arguments, or ends it with help.
    pub(crate) fn read() -> Self {
        Self::try_read(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// Keeps the values of `--set` before the command and after it. For a global argument, clap would keep only the
    /// values after the command.
    fn try_read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let command = with_applications(Self::command());
        let set = command.get_arguments().find(|argument| argument.get_id() == SET).cloned();
        let command = command.mut_subcommands(|command| command.args(&set));
        let command = command.mut_subcommand(PROMPTS, |prompts| prompts.mut_subcommands(|command| command.args(&set)));
        let command =
            command.mut_subcommand(REPLAY, |replay| without_server(replay).mut_arg(SET, |set| set.hide(true)));
        let command = command.mut_subcommand(DLQ, |dlq| {
            without_server(dlq).mut_arg(SET, |set| set.hide(true)).mut_subcommands(without_server)
        });
        let matches = command.try_get_matches_from(arguments)?;
        let run = APPLICATIONS.into_iter().find(|app| matches.subcommand_name() == Some(app.id));
        let mut cli = match run {
            Some(app) => Self { command: Command::Run(app), options: Options::from_arg_matches(&matches)? },
            None => Self::from_arg_matches(&matches)?,
        };
        let mut behind = matches.subcommand();
        while let Some((_, matches)) = behind {
            cli.options.set.extend(matches.try_get_many::<String>(SET).ok().flatten().into_iter().flatten().cloned());
            behind = matches.subcommand();
        }
        Ok(cli)
    }
}

const REPLAY: &str = "replay";
const PROMPTS: &str = "prompts";
const DLQ: &str = "dlq";

/// Hides the server's options from a command that runs without a server.
fn without_server(command: clap::Command) -> clap::Command {
    let options = Options::augment_args(clap::Command::new("options"));
    let hidden = options.get_arguments().filter(|option| !["config", LOG, SET].contains(&option.get_id().as_str()));
    let hidden: Vec<_> = hidden.map(|option| option.clone().hide(true)).collect();
    command.args(hidden)
}

/// Adds a command for each application, before all others.
fn with_applications(command: clap::Command) -> clap::Command {
    let mut place = APPLICATIONS.len();
    let command = command.mut_subcommands(|command| {
        place += 1;
        command.display_order(place)
    });
    let ids = APPLICATIONS.map(|app| app.id).join(" or ");
    let command = command.mut_subcommand("describe", |describe| {
        describe.mut_arg("application", |name| name.help(format!("{ids}; without an id, both")))
    });
    APPLICATIONS.into_iter().enumerate().fold(command, |command, (place, app)| {
        let run = clap::Command::new(app.id).about(app.about).display_order(place);
        let is_short = app.help.is_empty();
        command.subcommand(if is_short { run } else { run.long_about(format!("{}\n\n{}", app.about, app.help)) })
    })
}
