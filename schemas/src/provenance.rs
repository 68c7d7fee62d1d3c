//! Where a result comes from: what was read, which model was asked, what it cost, and why there is no better answer.

use serde::{Deserialize, Serialize};

use crate::count;

/// How a result came about. Results that were written before this field existed have none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Provenance {
    /// Whose answer the result shows, or why it shows the draft of the offline analysis.
    pub outcome: CallOutcome,
    /// Why the result shows the draft or the answer of a fallback, in a sentence; empty otherwise.
    pub reason: String,
    /// The model that answered, or the last one that was asked; empty if none is known.
    pub model: String,
    /// The prompt with its version and fingerprint, such as `live-insight@3 a1b2c3`; empty if no model answered.
    pub prompt: String,
    /// The route of the call policy that answered, or the last one that was tried; empty if none was.
    pub route: String,
    /// Tokens of the requests to models.
    #[serde(with = "count")]
    pub input_tokens: u64,
    /// Tokens of the models' answers.
    #[serde(with = "count")]
    pub output_tokens: u64,
    /// What all attempts together cost, in millionths of a unit of `currency`.
    #[serde(with = "count")]
    pub cost_micros: u64,
    /// The currency of the costs, such as `EUR`; empty if the settings name none.
    pub currency: String,
    /// Attempts on all routes together.
    pub attempts: u32,
    /// Wall time from the request to its answer, in milliseconds.
    #[serde(with = "count")]
    pub latency_ms: u64,
    /// Whether a program that is gone had begun the call, so that it may have been paid twice.
    pub repeated: bool,
    /// Attempts that had not told what they consumed when the result was written. The budgets count them; the tokens and
    /// the cost here do not.
    pub untold: u32,
    /// Up to which record of each input the task had read.
    pub inputs: Vec<InputRead>,
}

/// Whose answer a result shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// The first choice of the routes answered.
    Answered,
    /// An earlier answer to the same content.
    Cached,
    /// The answer to another request with the same content, which ran at that time.
    Joined,
    /// A later route answered, because an earlier one did not.
    Fallback,
    /// The draft: a newer request took this one's place.
    Superseded,
    /// The draft: the answer would have come too late.
    Expired,
    /// The draft: a limit or a budget was exhausted.
    Exhausted,
    /// The draft: the call failed.
    Failed,
    /// The offline analysis. No model was asked.
    #[default]
    Offline,
}

/// The last record that a task had read from an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputRead {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
}
