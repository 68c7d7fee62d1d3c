//! One call, as the log has it.

use serde::{Deserialize, Serialize};

use crate::schedule::Fault;

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It has no answer yet.
    Waiting,
    /// It got an answer.
    Answered,
    /// The model asked for tools.
    AskedForTools,
    /// An outage struck it.
    Outage,
    /// Its key had used up its quota.
    OverQuota,
    /// The request was not one that can be answered: no key, a wrong one, no such model, not what the protocol allows.
    Refused,
    /// A fault struck it.
    #[serde(untagged)]
    Fault(Fault),
}

/// A call, as the log has it. A call that waits is in the log, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// When it came, in milliseconds since the start.
    pub at_ms: u64,
    /// Its id.
    pub id: String,
    /// How often this id was asked until now: 1 is the first time.
    pub asking: u64,
    /// The last four characters of its key. Empty without a key.
    pub key: String,
    /// The model.
    pub model: String,
    /// Whether it wanted a stream.
    pub stream: bool,
    /// The tokens of its prompt, whether or not they were billed.
    pub prompt_tokens: u64,
    /// Billed tokens of the prompt.
    pub input_tokens: u64,
    /// Billed tokens of the answer and its thoughts.
    pub output_tokens: u64,
    /// What it cost, in micros.
    pub cost_micros: u64,
    /// Whether an answer was billed.
    pub billed: bool,
    /// What became of it.
    pub outcome: Outcome,
    /// The status that it got; 0 if it got none.
    pub status: u16,
    /// The time until its answer was sent, or until the client left.
    pub latency_ms: u64,
    /// Whether the client left before the end of the answer.
    pub client_left: bool,
}
