//! What comes in: kinds of events, each with its application and topic, checked field by field.

use std::sync::Arc;

use serde::Serialize;
use tidemill_schemas::{FieldError, parse_chat, parse_pose, parse_transcript};
use tidemill_topology::{
    partition_for,
    transport::{Headers, ProducerRecord},
};

use super::App;
use crate::apps::{form_coach, live_insight};

/// A kind of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    /// Messages in the chat of a live stream.
    Chat,
    /// What is said in a live stream.
    Transcript,
    /// Frames of a body that exercises.
    Pose,
}

impl Input {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Chat, Self::Transcript, Self::Pose];

    /// The address that takes it.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat",
            Self::Transcript => "/v1/transcript",
            Self::Pose => "/v1/pose",
        }
    }

    /// The application that it belongs to.
    pub const fn app(self) -> App {
        match self {
            Self::Chat | Self::Transcript => App::Live,
            Self::Pose => App::Coach,
        }
    }

    pub(super) const fn topic(self) -> &'static str {
        match self {
            Self::Chat => live_insight::CHAT,
            Self::Transcript => live_insight::TRANSCRIPT,
            Self::Pose => form_coach::POSE,
        }
    }

    pub(super) fn parse(self, bytes: &[u8], now_ms: i64) -> Result<Parsed, Vec<FieldError>> {
        match self {
            Self::Chat => {
                parse_chat(bytes, now_ms).and_then(|chat| Parsed::new(&chat.stream_id, &chat, chat.timestamp))
            }
            Self::Transcript => {
                parse_transcript(bytes, now_ms).and_then(|said| Parsed::new(&said.stream_id, &said, said.timestamp))
            }
            Self::Pose => parse_pose(bytes, now_ms)
                .and_then(|frame| Parsed::new(&frame.user_id, &form_coach::Compact::from(&frame), frame.timestamp)),
        }
    }
}

/// A record ready for its topic.
pub(super) struct Parsed {
    pub(super) key: String,
    value: Vec<u8>,
    timestamp: i64,
}

impl Parsed {
    pub(super) fn new(key: &str, value: &impl Serialize, timestamp: i64) -> Result<Self, Vec<FieldError>> {
        // What is written is what was read, and nothing that came along with it.
        let value = serde_json::to_vec(value)
            .map_err(|error| vec![FieldError::new("", error.to_string(), "send values that JSON can hold")])?;
        Ok(Self { key: key.to_owned(), value, timestamp })
    }

    pub(super) fn to(self, topic: &Arc<str>, partitions: i32) -> ProducerRecord {
        let Self { key, value, timestamp } = self;
        let partition = partition_for(Some(key.as_bytes()), partitions);
        let (topic, key, value) = (topic.clone(), Some(key.into()), Some(value.into()));
        ProducerRecord { topic, partition, timestamp, key, value, headers: Headers::new() }
    }
}
