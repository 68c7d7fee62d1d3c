//! Loads: many sources with chat alone, and some that are listened to.

mod audio;
mod chats;
mod page;

use std::{path::Path, process::Command, time::Duration};

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::instance::{Instance, Usage};

/// The length of windows, and how long they wait for late events.
pub(crate) const WINDOW_MS: i64 = 5_000;
pub(crate) const GRACE_MS: i64 = 1_000;

/// How loads run.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Sources with chat alone; 0 leaves this part out.
    #[arg(long, default_value_t = 200)]
    pub(crate) chats: usize,
    /// Sources that are listened to; 0 leaves this part out.
    #[arg(long, default_value_t = 8)]
    pub(crate) audio: usize,
    /// How many seconds each part is measured.
    #[arg(long, default_value_t = 60)]
    pub(crate) seconds: u64,
    /// Messages a second of each chat.
    #[arg(long, default_value_t = 2.0)]
    pub(crate) per_second: f64,
    /// What turns speech into words.
    #[arg(long, value_enum, default_value_t = Recogniser::Pocketsphinx)]
    pub(crate) recogniser: Recogniser,
}

/// A recogniser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Recogniser {
    /// The program on this machine.
    Pocketsphinx,
    /// A stand-in that knows what is said: what remains is the server's own work.
    Scripted,
}

impl Options {
    /// Small loads, for tests.
    pub(crate) fn small() -> Self {
        Self { chats: 10, audio: 2, seconds: 8, per_second: 4.0, recogniser: Recogniser::Scripted }
    }

    fn length(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

pub(crate) async fn run(options: Options) -> Result<()> {
    if options.chats > 0 {
        chats::run(&options).await?;
    }
    if options.audio > 0 {
        audio::run(&options).await?;
    }
    Ok(())
}

/// The binary, with short windows.
async fn server(folder: &Path, settings: &[String]) -> Result<Instance> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.args(["live-insight", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.join("data"));
    let window = format!("live.window={WINDOW_MS}ms");
    for set in [&window, "live.grace=1s", "live.idle_after=5s", "sources.allow_private=true"] {
        command.args(["--set", set]);
    }
    for set in settings {
        command.args(["--set", set]);
    }
    Instance::start(command).await
}

/// CPU time between two moments as a part of one core, for each of so many sources.
fn per_source(began: Usage, ended: Usage, wall: Duration, sources: usize) -> [f64; 2] {
    let share = |seconds: f64| seconds / wall.as_secs_f64() * 100.0 / sources as f64;
    [share(ended.server_s - began.server_s), share(ended.programs_s - began.programs_s)]
}
