//! The options of loads with a model.

use clap::{Parser, ValueEnum};
use tidemill_model_server::{Latency, Rates, Schedule};

/// The parts of the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Many windows that close in the same moment
    Burst,
    /// Two minutes without the model
    Outage,
    /// One tenant with many streams beside 99 with one each
    Noisy,
    /// All of them
    All,
}

/// A load on the applications' server whose windows go to a stand-in for a model
#[derive(Debug, Clone, Parser)]
pub(crate) struct Options {
    /// Which load
    #[arg(value_enum, default_value_t = Part::All)]
    pub(crate) part: Part,
    /// Number of windows of each stream; without it, 5 of a burst, 27 of an outage, 4 of each noisy run
    #[arg(long)]
    pub(crate) windows: Option<i64>,
    /// Length of the windows, in seconds
    #[arg(long, default_value_t = 10)]
    pub(crate) window: i64,
    /// Number of streams; without it, 1000 of a burst, 200 of an outage, 400 of the noisy tenant
    #[arg(long)]
    pub(crate) streams: Option<usize>,
    /// Values of `analyst.in_flight` that the burst tries
    #[arg(long, value_delimiter = ',', default_values_t = [256, 512, 1000])]
    pub(crate) in_flight: Vec<usize>,
    /// Half of the model's answers take at least so many milliseconds
    #[arg(long, default_value_t = 300)]
    pub(crate) latency_ms: u64,
    /// How far the times of answers spread: the deviation of their logarithm
    #[arg(long, default_value_t = 0.3)]
    pub(crate) spread: f64,
    /// Share of failed attempts: a third each of status 429 (with a time to come back), 500 and 503
    #[arg(long, default_value_t = 0.05)]
    pub(crate) errors: f64,
    /// What a refusal with status 429 asks for, in milliseconds: least and most
    #[arg(long, value_delimiter = ',', default_values_t = [200, 600])]
    pub(crate) retry_after_ms: Vec<u64>,
    /// Duration of the outage, in seconds
    #[arg(long, default_value_t = 120)]
    pub(crate) outage: i64,
    /// Another setting of the server, such as run.threads=2; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

impl Options {
    pub(crate) fn read(args: impl Iterator<Item = String>) -> Self {
        Self::parse_from(args)
    }

    pub(crate) fn runs(&self, part: Part) -> bool {
        self.part == part || self.part == Part::All
    }

    pub(crate) fn window_ms(&self) -> i64 {
        self.window * 1000
    }

    /// What the stand-in does.
    pub(crate) fn schedule(&self) -> Schedule {
        let each = self.errors / 3.0;
        let rates = Rates { rate_limited: each, internal_error: each, unavailable: each, ..Rates::default() };
        let bound = |at: usize| self.retry_after_ms.get(at).or(self.retry_after_ms.last()).copied().unwrap_or(0);
        Schedule {
            seed: 7,
            latency: Latency { median_ms: self.latency_ms, spread: self.spread },
            rates,
            retry_after_ms: (bound(0), bound(1)),
            ..Schedule::default()
        }
    }
}
