//! What the owner of a source did with it: the position, and the state of the chat.

use serde::{Deserialize, Serialize};
use tidemill_chat::{Position, State};

use super::heard::SpeechProgress;

/// The progress of a source, as its topic stores it. It is written in one transaction with the chat that it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The [`run`](super::LiveSource::run) that this is about.
    pub run: i64,
    /// Counts the writes, so that a writer can find out whether a write without an answer arrived.
    pub turn: u64,
    /// The [`place`](super::LiveSource::place) that the position belongs to.
    pub place: String,
    /// Where the connection goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// The state of the chat.
    pub chat: ChatState,
    /// Since when, in epoch milliseconds.
    pub since_ms: i64,
    /// Chat messages written so far.
    #[serde(default)]
    pub messages: u64,
    /// Messages that live insight cannot take, such as messages without a text.
    #[serde(default)]
    pub left_out: u64,
    /// How far the speech is written, if it was ever listened to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speech: Option<SpeechProgress>,
}

/// The state of a source's chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ChatState {
    /// The platform is asked for the chat.
    Resolving,
    /// The chat is read.
    Connected,
    /// The chat cannot be read now; another attempt follows.
    Waiting {
        /// When the next attempt is made, in epoch milliseconds.
        until_ms: i64,
        /// Why.
        reason: String,
    },
    /// Only a person can help.
    Refused {
        /// What happened.
        reason: String,
        /// What the person should do.
        remedy: String,
    },
    /// The stream is over.
    Ended,
    /// The streamer paused the source.
    Paused,
    /// The streamer stopped the source.
    Stopped,
}

impl From<State> for ChatState {
    fn from(state: State) -> Self {
        match state {
            State::Resolving => Self::Resolving,
            State::Connected => Self::Connected,
            State::Waiting { until_ms, reason } => Self::Waiting { until_ms, reason },
            State::Refused { reason, remedy } => Self::Refused { reason, remedy },
            State::Ended => Self::Ended,
        }
    }
}
