//! Inputs of live insight: chat messages and transcript segments of a stream.

use serde::{Deserialize, Serialize};

use crate::common::{FieldError, check_id, check_text, check_timestamp, outcome};
use crate::strict;

/// One message in the chat of a live stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    /// The stream it was written to; the key of its topic.
    pub stream_id: String,
    /// Who wrote it, stable over renames.
    pub user_id: String,
    /// What the author is called in chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
    /// What was written.
    pub text: String,
    /// Event time in epoch milliseconds.
    pub timestamp: i64,
}

impl ChatMessage {
    /// The name to show: the author's name, or the id where no name is known.
    pub fn author(&self) -> &str {
        self.user_name.as_deref().filter(|name| !name.trim().is_empty()).unwrap_or(&self.user_id)
    }

    /// Checks ids, text and time against the receiver's clock.
    pub fn validate(&self, now_ms: i64) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        check_id(&mut errors, "stream_id", &self.stream_id);
        check_id(&mut errors, "user_id", &self.user_id);
        check_text(&mut errors, "text", &self.text);
        check_timestamp(&mut errors, self.timestamp, now_ms);
        outcome(errors)
    }
}

/// One piece of what the streamer said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscriptSegment {
    /// The stream it was spoken in; the key of its topic.
    pub stream_id: String,
    /// What was said.
    pub text: String,
    /// When it began, in epoch milliseconds.
    pub timestamp: i64,
    /// How long it took to say, where the recogniser knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
}

impl TranscriptSegment {
    /// When the words were over; their beginning if the duration is unknown.
    pub fn end_ms(&self) -> i64 {
        self.timestamp.saturating_add(self.duration_ms.unwrap_or(0))
    }

    /// Checks id, text, time and duration against the receiver's clock.
    pub fn validate(&self, now_ms: i64) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        check_id(&mut errors, "stream_id", &self.stream_id);
        check_text(&mut errors, "text", &self.text);
        check_timestamp(&mut errors, self.timestamp, now_ms);
        if let Some(duration @ (i64::MIN..0 | 600_001..)) = self.duration_ms {
            let problem = format!("is {duration}");
            errors.push(FieldError::new("duration_ms", problem, "send milliseconds between 0 and 600000"));
        }
        outcome(errors)
    }
}

/// Reads one chat message, or says which fields are wrong and how to repair them.
pub fn parse_chat(bytes: &[u8], now_ms: i64) -> Result<ChatMessage, Vec<FieldError>> {
    let message: ChatMessage = strict::parse(bytes, |object, errors| {
        strict::string(object, "stream_id", errors);
        strict::string(object, "user_id", errors);
        strict::optional_string(object, "user_name", errors);
        strict::string(object, "text", errors);
        strict::timestamp(object, errors);
    })?;
    message.validate(now_ms)?;
    Ok(message)
}

/// Reads one transcript segment, or says which fields are wrong and how to repair them.
pub fn parse_transcript(bytes: &[u8], now_ms: i64) -> Result<TranscriptSegment, Vec<FieldError>> {
    let segment: TranscriptSegment = strict::parse(bytes, |object, errors| {
        strict::string(object, "stream_id", errors);
        strict::string(object, "text", errors);
        strict::timestamp(object, errors);
        strict::optional_number(object, "duration_ms", "duration_ms", errors);
    })?;
    segment.validate(now_ms)?;
    Ok(segment)
}
