//! A claim about the next minutes, and whether it came true.

use serde::{Deserialize, Serialize};
use tidemill_schemas::Insight;

/// The chat rate until a time is claimed to be above or below a rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// From when the rate is measured, in epoch milliseconds.
    pub from_ms: i64,
    /// Until when, in epoch milliseconds.
    pub until_ms: i64,
    /// Whether the rate is claimed to be above or below.
    pub side: Side,
    /// The rate, in messages per second.
    pub chats_per_second: f64,
}

/// Which side of a rate is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// At the rate or above it.
    Above,
    /// Below the rate.
    Below,
}

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// The claim came true.
    CameTrue {
        /// The rate that was seen, in messages per second.
        chats_per_second: f64,
    },
    /// The claim did not come true.
    DidNot {
        /// The rate that was seen, in messages per second.
        chats_per_second: f64,
    },
    /// The time is not over, or there are windows for less than half of it.
    Open,
}

impl Claim {
    /// Whether a rate fulfils the claim.
    pub fn holds(&self, chats_per_second: f64) -> bool {
        match self.side {
            Side::Above => chats_per_second >= self.chats_per_second,
            Side::Below => chats_per_second < self.chats_per_second,
        }
    }

    /// What became of the claim, by the windows of its time. Other windows do not matter.
    pub fn outcome<'a>(&self, insights: impl IntoIterator<Item = &'a Insight>) -> Outcome {
        let (mut chats, mut covered_ms, mut is_over) = (0, 0, false);
        for insight in insights {
            is_over |= insight.window_end_ms >= self.until_ms;
            if insight.window_start_ms >= self.from_ms && insight.window_end_ms <= self.until_ms {
                chats += insight.chats;
                covered_ms += insight.window_end_ms - insight.window_start_ms;
            }
        }
        if !is_over || covered_ms * 2 < self.until_ms - self.from_ms || covered_ms <= 0 {
            return Outcome::Open;
        }
        let chats_per_second = chats as f64 * 1000.0 / covered_ms as f64;
        if self.holds(chats_per_second) {
            Outcome::CameTrue { chats_per_second }
        } else {
            Outcome::DidNot { chats_per_second }
        }
    }
}
