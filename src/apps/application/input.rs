//! What comes in: events, and properties of their owners.

use tidemill::state::Codec;
use tidemill_schemas::{FieldError, avro::Subject};

use crate::apps::Format;

/// Reads one event, received at a moment. What it returns is what the topic gets, and nothing that came along with it.
pub type ReadEvent = Box<dyn Fn(&[u8], i64) -> Result<Incoming, Vec<FieldError>> + Send + Sync>;

/// Reads a property of an owner, received at a moment.
pub type ReadProperty = Box<dyn Fn(&str, &[u8], i64) -> Result<Incoming, Vec<FieldError>> + Send + Sync>;

/// A kind of events.
pub struct Input {
    /// What people call it, such as `chat`.
    pub name: &'static str,
    /// The address that takes it.
    pub path: &'static str,
    /// Its topic.
    pub topic: &'static str,
    /// Fields that tell a recorded event of this kind from others. The kind with most of them is the event's.
    pub marks: &'static [&'static str],
    /// The topic's schema; `None` where it is JSON in every format.
    pub subject: Option<fn(&str) -> Subject>,
    /// Reads its events, for a topic in a format.
    pub reader: fn(&Format) -> ReadEvent,
}

/// What an owner is: one value, set under `/v1/<owners>/<id>/<name>` and kept until the owner is forgotten.
pub struct Property {
    /// The last part of its address, such as `profile`.
    pub name: &'static str,
    /// Its compacted topic.
    pub topic: &'static str,
    /// The topic's schema; `None` where it is JSON in every format.
    pub subject: Option<fn(&str) -> Subject>,
    /// Reads its values, for a topic in a format.
    pub reader: fn(&Format) -> ReadProperty,
}

/// A record on its way to its topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The owner.
    pub key: String,
    /// The value, encoded.
    pub value: Vec<u8>,
    /// When it happened, epoch milliseconds.
    pub timestamp: i64,
}

impl Incoming {
    /// Encodes an event of an owner.
    ///
    /// # Errors
    /// If the topic's format cannot hold it.
    pub fn new<T>(codec: &impl Codec<T>, key: &str, event: &T, timestamp: i64) -> Result<Self, Vec<FieldError>> {
        let mut value = Vec::with_capacity(codec.size_hint(event));
        codec.encode_into(event, &mut value).map_err(|error| {
            vec![FieldError::new("", error.to_string(), "send values that the topic's format can hold")]
        })?;
        Ok(Self { key: key.to_owned(), value, timestamp })
    }
}

/// Two kinds are the same if their topics are.
impl PartialEq for Input {
    fn eq(&self, other: &Self) -> bool {
        self.topic == other.topic
    }
}

impl Eq for Input {}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}
