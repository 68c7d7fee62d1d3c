//! Live sources on stand-ins of platforms: a soak with faults, and loads of many sources.
//!
//! `make soak-live` and `make sources-load` run them. `cargo test` runs a short soak and small loads.
#![allow(clippy::print_stdout, reason = "measurements are printed")]

mod figures;
mod instance;
mod load;
#[path = "../load/process.rs"]
#[allow(dead_code, reason = "the load of the applications uses its part")]
mod process;
mod serve;
mod soak;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The memory of the server's process, as in the binary.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What the user typed.
#[derive(Debug, Parser)]
#[command(name = "sources", about = "Live sources on stand-ins of platforms")]
struct Flags {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Faults by seed for some minutes; fails if something was lost or came twice.
    Soak(soak::Options),
    /// CPU, memory and delay of many sources.
    Load(load::Options),
    /// The server of a soak. The soak starts it.
    #[command(hide = true)]
    Serve,
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (bench, mut args): (Vec<_>, Vec<_>) = std::env::args().partition(|arg| arg == "--bench");
    let is_test = bench.is_empty() && args.get(1).is_none_or(|arg| arg != "serve");
    if is_test {
        return runtime.block_on(async {
            soak::run(soak::Options::short()).await?;
            load::run(load::Options::small()).await
        });
    }
    if args.len() == 1 {
        // All benchmarks run without arguments.
        args.extend(["load", "--seconds", "10"].map(str::to_owned));
    }
    match Flags::parse_from(args).part {
        Part::Soak(options) => runtime.block_on(soak::run(options)),
        Part::Load(options) => runtime.block_on(load::run(options)),
        Part::Serve => runtime.block_on(serve::run()),
    }
}
