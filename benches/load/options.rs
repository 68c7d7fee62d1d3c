//! How much is sent, for how long, and where to.

use std::time::Duration;

use clap::Parser;

/// A load on the applications' server.
#[derive(Debug, Clone, Parser)]
pub(crate) struct Options {
    /// How long events are sent
    #[arg(long, default_value_t = 300)]
    pub(crate) seconds: u64,
    /// Athletes, each with a page that sends frames
    #[arg(long, default_value_t = 1000)]
    pub(crate) users: usize,
    /// Frames a second of each athlete, a request each, as the page does
    #[arg(long, default_value_t = 5)]
    pub(crate) frames: u32,
    /// Live streams
    #[arg(long, default_value_t = 50)]
    pub(crate) streams: usize,
    /// Chat messages a second, of all streams
    #[arg(long, default_value_t = 500)]
    pub(crate) chats: u32,
    /// Transcript segments a second, of all streams
    #[arg(long, default_value_t = 550)]
    pub(crate) segments: u32,
    /// How long a stream's chat and speech are gathered into one request, in milliseconds
    #[arg(long, default_value_t = 200)]
    pub(crate) gather_ms: i64,
    /// Athletes whose results are followed; the streams all are
    #[arg(long, default_value_t = 1000)]
    pub(crate) followed: usize,
    /// Length of live insight's windows, such as 60s; by default a fifth of the run, at most a minute
    #[arg(long, value_parser = seconds)]
    pub(crate) live_window: Option<u64>,
    /// Length of form coach's windows
    #[arg(long, default_value = "3s", value_parser = seconds)]
    pub(crate) coach_window: u64,
    /// How late frames may come, in milliseconds
    #[arg(long, default_value_t = 500)]
    pub(crate) coach_grace_ms: i64,
    /// How late chat and speech may come, in milliseconds
    #[arg(long, default_value_t = 2000)]
    pub(crate) live_grace_ms: i64,
    /// A server that runs already: its process is not measured, and its windows must be as told here
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// Further settings of the server, such as run.threads=2
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

impl Options {
    /// Those of the command line. Without `--bench` it is a test.
    pub(crate) fn read() -> Self {
        let (bench, args): (Vec<_>, Vec<_>) = std::env::args().partition(|arg| arg == "--bench");
        if !bench.is_empty() {
            return Self::parse_from(args);
        }
        let small = ["load", "--seconds=4", "--users=40", "--followed=40", "--streams=6", "--chats=120"];
        let small = small.into_iter().chain(["--segments=120", "--live-window=1s", "--coach-window=1s"]);
        // However slow the machine is, nothing comes too late.
        let small = small.chain(["--coach-grace-ms=3000", "--live-grace-ms=3000"]);
        Self::parse_from(small)
    }

    pub(crate) fn live_window(&self) -> Duration {
        Duration::from_secs(self.live_window.unwrap_or_else(|| (self.seconds / 5).clamp(1, 60)))
    }

    pub(crate) fn coach_window(&self) -> Duration {
        Duration::from_secs(self.coach_window)
    }
}

fn seconds(text: &str) -> Result<u64, String> {
    let seconds = text.strip_suffix('s').unwrap_or(text).parse::<u64>();
    seconds.ok().filter(|seconds| *seconds > 0).ok_or_else(|| "whole seconds, such as 60s".to_owned())
}
