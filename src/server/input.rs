//! What comes in: kinds of events, each with its application and topic, checked field by field.

use std::sync::Arc;

use tidemill_schemas::{
    ChatMessage, FieldError, PoseFrame, TranscriptSegment, UserProfile, parse_chat, parse_pose, parse_transcript,
};
use tidemill_topology::{
    partition_for,
    state::Codec,
    transport::{Headers, ProducerRecord},
};

use super::App;
use crate::apps::{Format, Wire, form_coach, live_insight};

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

    /// Reads an event of a body, and writes it as its topic's.
    pub(super) fn parse(self, bytes: &[u8], codecs: &Codecs, now_ms: i64) -> Result<Parsed, Vec<FieldError>> {
        match self {
            Self::Chat => {
                let chat = parse_chat(bytes, now_ms)?;
                Parsed::new(&codecs.chat, &chat.stream_id, &chat, chat.timestamp)
            }
            Self::Transcript => {
                let said = parse_transcript(bytes, now_ms)?;
                Parsed::new(&codecs.transcript, &said.stream_id, &said, said.timestamp)
            }
            Self::Pose => {
                let frame = parse_pose(bytes, now_ms)?;
                Parsed::new(&codecs.pose, &frame.user_id, &frame, frame.timestamp)
            }
        }
    }
}

/// The codecs of the topics that events come in on.
pub(super) struct Codecs {
    chat: Wire<ChatMessage>,
    transcript: Wire<TranscriptSegment>,
    pose: Wire<PoseFrame, form_coach::Frames>,
    pub(super) profiles: Wire<UserProfile>,
}

impl Codecs {
    pub(super) fn new(format: &Format) -> Self {
        Self {
            chat: format.codec(live_insight::CHAT),
            transcript: format.codec(live_insight::TRANSCRIPT),
            pose: form_coach::Frames::raw(format),
            profiles: format.codec(form_coach::PROFILES),
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
    pub(super) fn new<T>(codec: &impl Codec<T>, key: &str, event: &T, timestamp: i64) -> Result<Self, Vec<FieldError>> {
        // What is written is what was read, and nothing that came along with it.
        let mut value = Vec::with_capacity(codec.size_hint(event));
        codec.encode_into(event, &mut value).map_err(|error| {
            vec![FieldError::new("", error.to_string(), "send values that the topic's format can hold")]
        })?;
        Ok(Self { key: key.to_owned(), value, timestamp })
    }

    pub(super) fn to(self, topic: &Arc<str>, partitions: i32) -> ProducerRecord {
        let Self { key, value, timestamp } = self;
        let partition = partition_for(Some(key.as_bytes()), partitions);
        let (topic, key, value) = (topic.clone(), Some(key.into()), Some(value.into()));
        ProducerRecord { topic, partition, timestamp, key, value, headers: Headers::new() }
    }
}
