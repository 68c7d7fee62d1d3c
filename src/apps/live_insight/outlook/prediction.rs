//! A prediction as it is shown.

use serde::{Deserialize, Serialize};

use super::{churn::Churn, claim::Claim};

/// What is expected of a stream in the next minutes, and the one thing to do about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The stream.
    pub stream_id: String,
    /// The end of the newest window that the prediction knows, in epoch milliseconds.
    pub at_ms: i64,
    /// Until when the prediction reaches, in epoch milliseconds.
    pub until_ms: i64,
    /// The chat that is expected.
    pub engagement: Engagement,
    /// Who stopped chatting; absent if the stream is too short or too quiet to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub churn: Option<Churn>,
    /// The time for a promotion.
    pub promotion: Promotion,
    /// What to do.
    pub advice: Advice,
}

/// The chat that is expected. All rates are messages per second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Engagement {
    /// The rate now, without moments that pass at once.
    pub now: f64,
    /// The median rate of the stream's windows so far.
    pub usual: f64,
    /// The rate that is expected until the prediction's end.
    pub expected: f64,
    /// The rate is above this in nine of ten cases.
    pub least: f64,
    /// The rate is below this in nine of ten cases.
    pub most: f64,
    /// Where the chat goes.
    pub momentum: Momentum,
    /// The change of the rate in a minute, as a share: 0.05 is five percent more each minute.
    pub change_per_minute: f64,
}

/// Where the chat goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Momentum {
    /// More and more chat.
    Rising,
    /// About as much as now.
    Steady,
    /// Less and less chat.
    Falling,
}

/// The time for a promotion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Promotion {
    /// Whether the time is now.
    pub now: bool,
    /// How probable it is that the chat stays above the usual until the prediction's end, 0.02 to 0.98.
    pub probability: f64,
    /// The end of the window in which it would have been best so far, in epoch milliseconds.
    pub best_ms: i64,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Advice {
    /// The kind of advice.
    pub action: Action,
    /// What to do, in a sentence.
    pub instruction: String,
    /// Why, in a sentence.
    pub reason: String,
    /// How probable it is that the claim comes true, 0.02 to 0.98.
    pub confidence: f64,
    /// What is claimed to happen. It can be checked afterwards. A streamer who heeds a warning may prove it wrong.
    pub claim: Claim,
}

/// Kinds of advice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Promote something, or start a poll.
    Promote,
    /// Answer questions.
    Questions,
    /// Win back those who stopped chatting.
    WinBack,
    /// End the stream.
    End,
    /// Go on.
    KeepGoing,
}
