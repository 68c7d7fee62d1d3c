//! How an answer came about. It comes with each answer.

use serde::{Deserialize, Serialize};

use super::Usage;

/// How an answer, or its absence, came about. See the example of [`Answered`](crate::Answered).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CallReport {
    /// The name of the route that answered, or of the last one that was tried. Empty if none was tried.
    pub route: String,
    /// How many routes were passed over or failed before this one. Zero means that the first choice answered.
    pub fallback: u32,
    /// The number of attempts made, on all routes together. It starts anew after a crash.
    pub attempts: u32,
    /// What all attempts together consumed, as far as they had told. Zero for an answer that was cached or joined.
    pub usage: Usage,
    /// Attempts that had not told what they consumed when the call ended: a slow one beside its hedge, or one that took
    /// too long. What they consume is in the budgets, but not in `usage`.
    pub untold: u32,
    /// Wall time from the request to its answer, in milliseconds.
    pub latency_ms: u64,
    /// Where the answer came from.
    pub source: AnswerSource,
    /// Whether an executor that is gone had begun this call, so that it may have been paid twice. Also set when a dead
    /// letter was asked again: its first try may have been paid.
    pub repeated: bool,
    /// Whether the answer came from a second attempt that ran beside a slow one.
    pub hedged: bool,
    /// The inputs of the task at the time of the request: each topic and partition with the offset of its last record.
    pub inputs: Vec<InputOffset>,
    /// What the caller tells about its answer ([`Reply::with_details`](crate::Reply::with_details)).
    pub details: String,
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerSource {
    /// From a call for this request.
    #[default]
    Called,
    /// From an earlier answer to the same content.
    Cached,
    /// From a call for another request with the same content, which ran at that time.
    Joined,
    /// From the caller, which needed no call for it.
    Known,
}

/// The last record that a task had taken from an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputOffset {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
}
