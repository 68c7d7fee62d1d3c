//! What a chat tells: messages, withdrawals, and where to go on after a restart.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_schemas::{Amount, Membership};

/// Where a chat goes on after a restart: a page token, an offset. Opaque, and small enough for a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub Value);

/// Events that came together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// The events, in the platform's order. A batch may be empty.
    pub events: Vec<ChatEvent>,
    /// Where to go on after these events; absent if the platform keeps no history.
    pub position: Option<Position>,
    /// Whether the chat is over.
    pub ended: bool,
}

/// One event of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatEvent {
    /// A viewer wrote, paid or joined.
    Message(Message),
    /// A message was withdrawn by its author or a moderator.
    Deleted {
        /// Id of the withdrawn message.
        message_id: String,
    },
    /// A viewer was banned, or silenced for a time. The platform hides all messages of this viewer.
    Banned {
        /// Id of the viewer.
        user_id: String,
        /// When the ban was told, in epoch milliseconds.
        timestamp_ms: i64,
        /// When the viewer may write again, in epoch milliseconds; absent if never.
        until_ms: Option<i64>,
    },
}

/// A message of a viewer. The fields are those of [`tidemill_schemas::ChatMessage`], without the stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// The platform's id. A platform without ids gets ids from the content, so that each message has one.
    pub id: String,
    /// The author's id, which stays the same when the author changes the name.
    pub user_id: String,
    /// The author's name in the chat.
    pub user_name: Option<String>,
    /// The text. It is empty only if the message carries an amount or a membership.
    pub text: String,
    /// The money that the message carries.
    pub amount: Option<Amount>,
    /// The membership that the message is about.
    pub membership: Option<Membership>,
    /// Event time in epoch milliseconds.
    pub timestamp_ms: i64,
    /// Id of the message that this one answers.
    pub reply_to: Option<String>,
    /// Whether a program wrote the message.
    pub is_bot: bool,
}
