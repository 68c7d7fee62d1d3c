//! The commands, and the options of those that need few words.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tidemill_apps::apps::{APPLICATIONS, App};

use super::{
    DlqOptions, PromptsOptions,
    values::{positive, speed, url},
};
use crate::config::{LOG, Options};

/// The program's commands.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Run one application: the command has the application's id
    #[command(skip)]
    Run(App),
    /// Run both applications
    Serve,
    /// Run both applications and play recordings into them
    ///
    /// With --data-dir FOLDER, a demo that was killed continues where it stopped, and its results are the same as
    /// without the kill. The folder must hold nothing else. After the last recording, or with other recordings or
    /// windows, the demo empties the folder and starts from the beginning. A server that runs on the folder takes it
    /// over: a later demo refuses it. A demo keeps windows open for at least five seconds of silence.
    Demo(DemoOptions),
    /// Play recordings into a running server
    Replay(ReplayOptions),
    /// List calls without an answer and records that could not be processed; ask or process them again
    ///
    /// A call whose model never answered is kept as a dead letter (dead letter queue, DLQ), as long as raw events are
    /// (`data.raw_retention`). Each can be asked again, once.
    Dlq(DlqOptions),
    /// List the prompts of this program, show one, or compare one with another by recorded requests
    Prompts(PromptsOptions),
    /// Print an application's plan: subtopologies, stores, topics
    Describe(DescribeOptions),
    /// Delete the applications' data: log and state in the data folder; on Kafka, internal topics, offsets and state
    Reset(ResetOptions),
}

impl Command {
    /// The applications that the command runs.
    pub(crate) fn apps(&self) -> Vec<App> {
        match self {
            Self::Run(app) => vec![*app],
            _ => APPLICATIONS.to_vec(),
        }
    }

    /// What the command cannot do anything with: `replay` and `dlq` talk to a server and have none of their own.
    pub(crate) fn useless(&self, options: &Options) -> Vec<String> {
        let server = match self {
            Self::Replay(_) => "the server that gets the events",
            Self::Dlq(_) => "the server that has the calls",
            _ => return Vec::new(),
        };
        let given = options.given().into_iter().filter(|(setting, _)| *setting != LOG);
        given.map(|(_, text)| format!("{text} is for {server}: give it there")).collect()
    }

    /// Whether the command runs the server.
    pub(crate) fn serves(&self) -> bool {
        !matches!(self, Self::Replay(_) | Self::Dlq(_) | Self::Prompts(_) | Self::Describe(_) | Self::Reset(_))
    }
}

/// Options of `demo`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DemoOptions {
    /// Recordings (.ndjson) to play; without a file, the built-in recordings are played
    #[arg(value_name = "FILE")]
    pub(crate) recordings: Vec<PathBuf>,
    /// Speed factor: 2 plays twice as fast as the events happened
    #[arg(long, default_value_t = 1.0, value_parser = positive)]
    pub(crate) speed: f64,
    /// Exit when all recordings are played and all their windows are analysed; without this, the server keeps running
    #[arg(long)]
    pub(crate) once: bool,
}

/// Options of `replay`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReplayOptions {
    /// Recordings: JSON lines of chat messages, transcript segments or pose frames
    #[arg(value_name = "FILE", required = true)]
    pub(crate) recordings: Vec<PathBuf>,
    /// Address of the server
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL", value_parser = url)]
    pub(crate) url: String,
    /// Token that the server asks for
    #[arg(long, env = "TIDEMILL_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Speed factor: 2 plays twice as fast as the events happened, 0 as fast as the server accepts them
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    pub(crate) speed: f64,
    /// Keep the recorded times; without this, the times are shifted to now
    #[arg(long)]
    pub(crate) keep_times: bool,
}

/// Options of `describe`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DescribeOptions {
    /// The application's id
    pub(crate) application: Option<String>,
}

/// Options of `reset`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ResetOptions {
    /// Confirm the deletion; without this, only list what would be deleted
    #[arg(long)]
    pub(crate) yes: bool,
}
