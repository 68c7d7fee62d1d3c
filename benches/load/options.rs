//! The options of a load: events per second, duration, server.

use std::time::Duration;

use clap::Parser;

/// A load on the applications' server
#[derive(Debug, Clone, Parser)]
pub(crate) struct Options {
    /// Duration of the load, in seconds
    #[arg(long, default_value_t = 300)]
    pub(crate) seconds: u64,
    /// Number of athletes, each with a page that sends frames
    #[arg(long, default_value_t = 1000)]
    pub(crate) users: usize,
    /// Frames per second of each athlete, each in its own request
    #[arg(long, default_value_t = 5)]
    pub(crate) frames: u32,
    /// Number of live streams
    #[arg(long, default_value_t = 50)]
    pub(crate) streams: usize,
    /// Chat messages per second, of all streams together
    #[arg(long, default_value_t = 500)]
    pub(crate) chats: u32,
    /// Transcript segments per second, of all streams together
    #[arg(long, default_value_t = 550)]
    pub(crate) segments: u32,
    /// How long a stream's chat or speech is collected into one request, in milliseconds
    #[arg(long, default_value_t = 200)]
    pub(crate) gather_ms: i64,
    /// Number of athletes whose results are followed; the results of all streams are followed
    #[arg(long, default_value_t = 1000)]
    pub(crate) followed: usize,
    /// Length of live insight's windows, such as 60s; default: a fifth of the run, at most a minute
    #[arg(long, value_parser = seconds)]
    pub(crate) live_window: Option<u64>,
    /// Length of form coach's windows, such as 3s
    #[arg(long, default_value = "3s", value_parser = seconds)]
    pub(crate) coach_window: u64,
    /// How late frames may arrive, in milliseconds
    #[arg(long, default_value_t = 500)]
    pub(crate) coach_grace_ms: i64,
    /// How late chat and speech may arrive, in milliseconds
    #[arg(long, default_value_t = 2000)]
    pub(crate) live_grace_ms: i64,
    /// URL of a running server; its process is not measured, and its window settings must equal these options
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// Another setting of the server, such as run.threads=2; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

impl Options {
    /// The options of a small test.
    pub(crate) fn small() -> Self {
        let small = ["load", "--seconds=4", "--users=40", "--followed=40", "--streams=6", "--chats=120"];
        let small = small.into_iter().chain(["--segments=120", "--live-window=1s", "--coach-window=1s"]);
        // The grace is long enough that no event is late, even on a slow machine.
        let small = small.chain(["--coach-grace-ms=3000", "--live-grace-ms=3000"]);
        Self::parse_from(small)
    }

    /// The server's settings.
    pub(crate) fn settings(&self) -> Vec<String> {
        let (live, coach) = (self.live_window().as_millis(), self.coach_window().as_millis());
        let own = [
            format!("live.window={live}ms"),
            format!("live.grace={}ms", self.live_grace_ms),
            format!("coach.window={coach}ms"),
            format!("coach.grace={}ms", self.coach_grace_ms),
        ];
        own.into_iter().chain(self.set.iter().cloned()).collect()
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
    seconds.ok().filter(|seconds| *seconds > 0).ok_or_else(|| "write whole seconds, such as 60s".to_owned())
}
