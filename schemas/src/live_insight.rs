//! Inputs of live insight: chat messages and transcript segments of a stream.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::{
    Arrival,
    common::{FieldError, check_id, check_length, check_text, check_text_length, is_visible, outcome},
    strict,
    support::{self, Amount, Membership},
};

/// One message in the chat of a live stream.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ChatMessage {
    /// The platform's id of the message. A message that is sent again with the same id and time counts once, and a
    /// message with an id can be withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The stream of the message; the key of the topic.
    pub stream_id: String,
    /// The author's id, which stays the same when the author changes the name.
    pub user_id: String,
    /// The author's name in the chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
    /// The text of the message. It may be empty only if the message carries an amount or a membership.
    #[serde(default, deserialize_with = "text_or_nothing")]
    pub text: String,
    /// The money that the message carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// The membership that the message is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub membership: Option<Membership>,
    /// Event time in epoch milliseconds.
    pub timestamp: i64,
}

/// In JSON, a text that is null is an absent text.
fn text_or_nothing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    if deserializer.is_human_readable() {
        return Ok(Option::deserialize(deserializer)?.unwrap_or_default());
    }
    String::deserialize(deserializer)
}

impl ChatMessage {
    /// Whether a reader sees a text.
    pub fn has_text(&self) -> bool {
        is_visible(&self.text)
    }

    /// Whether the message supports the stream with an amount or a membership.
    pub fn supports(&self) -> bool {
        self.amount.is_some() || self.membership.is_some()
    }

    /// The name to show: the author's name, or the id if no name is known.
    pub fn author(&self) -> &str {
        self.user_name.as_deref().filter(|name| is_visible(name)).unwrap_or(&self.user_id)
    }

    /// Checks ids, text, amount, membership and time. `arrival` is the receiver's clock.
    pub fn validate(&self, arrival: Arrival) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        if let Some(id) = &self.id {
            check_id(&mut errors, "id", id);
        }
        check_id(&mut errors, "stream_id", &self.stream_id);
        check_id(&mut errors, "user_id", &self.user_id);
        check_length(&mut errors, "user_name", self.user_name.as_deref().unwrap_or_default());
        if self.supports() {
            check_text_length(&mut errors, "text", &self.text);
        } else {
            check_text(&mut errors, "text", &self.text);
        }
        if let Some(amount) = &self.amount {
            amount.check(&mut errors);
        }
        if let Some(membership) = &self.membership {
            membership.check(&mut errors);
        }
        arrival.check(&mut errors, self.timestamp);
        outcome(errors)
    }
}

/// One segment of the streamer's speech.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscriptSegment {
    /// The stream of the speech; the key of the topic.
    pub stream_id: String,
    /// The spoken text.
    pub text: String,
    /// When the segment began, in epoch milliseconds.
    pub timestamp: i64,
    /// Duration of the segment in milliseconds, if the speech recogniser knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
}

impl TranscriptSegment {
    /// When the segment ended, in epoch milliseconds; its beginning if the duration is unknown.
    pub fn end_ms(&self) -> i64 {
        self.timestamp.saturating_add(self.duration_ms.unwrap_or(0))
    }

    /// Checks id, text, time and duration. `arrival` is the receiver's clock.
    pub fn validate(&self, arrival: Arrival) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        check_id(&mut errors, "stream_id", &self.stream_id);
        check_text(&mut errors, "text", &self.text);
        arrival.check(&mut errors, self.timestamp);
        if let Some(duration @ (i64::MIN..0 | 600_001..)) = self.duration_ms {
            let problem = format!("is {duration}");
            errors.push(FieldError::new("duration_ms", problem, "send milliseconds between 0 and 600000"));
        }
        outcome(errors)
    }
}

const ID: strict::Field = strict::Field { name: "id", aliases: &["message_id", "msg_id"] };
const TEXT: strict::Field =
    strict::Field { name: "text", aliases: &["message", "msg", "message_text", "body", "content", "comment"] };
const USER_NAME: strict::Field = strict::Field {
    name: "user_name",
    aliases: &["name", "nick", "nickname", "display_name", "author", "author_name"],
};
const DURATION: strict::Field = strict::Field {
    name: "duration_ms",
    aliases: &["duration", "duration_s", "duration_seconds", "duration_millis", "length_ms", "end_ms"],
};

/// Parses one chat message, or returns an error for each wrong field that says how to fix it.
pub fn parse_chat(bytes: &[u8], arrival: impl Into<Arrival>) -> Result<ChatMessage, Vec<FieldError>> {
    let message: ChatMessage = strict::parse(bytes, |object, errors| {
        strict::optional_string(object, "id", errors);
        strict::string(object, "stream_id", errors);
        strict::string(object, "user_id", errors);
        strict::optional_string(object, "user_name", errors);
        if lacks_text(object) {
            errors.push(missing_text(object));
        } else {
            strict::optional_string(object, "text", errors);
        }
        support::diagnose(object, errors);
        strict::timestamp(object, errors);
    })?;
    let missing = [(&USER_NAME, message.user_name.is_none()), (&ID, message.id.is_none())];
    strict::spelling(bytes, &strict::those(missing))?;
    message.validate(arrival.into()).map_err(|errors| tell_missing_text(bytes, errors))?;
    Ok(message)
}

/// Whether a message has neither a text nor something that makes up for it.
fn lacks_text(message: &Map<String, Value>) -> bool {
    !["text", "amount", "membership"].iter().any(|field| support::has(message, field))
}

fn missing_text(message: &Map<String, Value>) -> FieldError {
    strict::missing_named(message, &TEXT, "send a text, or an amount or a membership")
}

/// In a parsed message a missing text is an empty one. Its sender is told that it is missing.
fn tell_missing_text(bytes: &[u8], mut errors: Vec<FieldError>) -> Vec<FieldError> {
    if let Some(told) = errors.iter_mut().find(|error| error.field == "text")
        && let Ok(message) = strict::object(bytes)
        && lacks_text(&message)
    {
        *told = missing_text(&message);
    }
    errors
}

/// Parses one transcript segment, or returns an error for each wrong field that says how to fix it.
pub fn parse_transcript(bytes: &[u8], arrival: impl Into<Arrival>) -> Result<TranscriptSegment, Vec<FieldError>> {
    let segment: TranscriptSegment = strict::parse(bytes, |object, errors| {
        strict::string(object, "stream_id", errors);
        strict::string(object, "text", errors);
        strict::timestamp(object, errors);
        strict::optional_number(object, "duration_ms", "duration_ms", errors);
    })?;
    strict::spelling(bytes, if segment.duration_ms.is_none() { &[&DURATION] } else { &[] })?;
    segment.validate(arrival.into())?;
    Ok(segment)
}
