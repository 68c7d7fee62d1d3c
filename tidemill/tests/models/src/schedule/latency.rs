//! How long answers take.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::draw::Draw;

/// How long answers take: log-normal around a median. The time of an answer is a function of the seed, the id and how
/// often this id was asked.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Latency {
    /// Half of the answers take longer than this.
    pub median_ms: u64,
    /// How far times spread: the deviation of their logarithm. With 0 all take the median, with 0.5 two thirds are
    /// within a factor of 1.65. No time is beyond three deviations.
    pub spread: f64,
}

impl Latency {
    /// Always the same time.
    pub fn steady(median_ms: u64) -> Self {
        Self { median_ms, spread: 0.0 }
    }

    pub(crate) fn time(&self, draw: &mut Draw) -> Duration {
        Duration::from_secs_f64(self.median_ms as f64 / 1_000.0 * (self.spread * draw.normal()).exp())
    }
}
