//! An application's input: events, and properties of their owners.

use tidemill::state::Codec;
use tidemill_schemas::{Arrival, FieldError, avro::Subject};

use crate::apps::Format;

/// Reads one event from the bytes and its arrival. Returns exactly the record for the topic; unknown fields of the input
/// are dropped.
pub type ReadEvent = Box<dyn Fn(&[u8], Arrival) -> Result<Incoming, Vec<FieldError>> + Send + Sync>;

/// Reads a property of an owner from the owner's id, the bytes and the time of arrival in epoch milliseconds.
pub type ReadProperty = Box<dyn Fn(&str, &[u8], i64) -> Result<Incoming, Vec<FieldError>> + Send + Sync>;

/// A kind of event.
pub struct Input {
    /// The name of the kind, such as `chat`.
    pub name: &'static str,
    /// The HTTP path that accepts these events.
    pub path: &'static str,
    /// The topic of these events.
    pub topic: &'static str,
    /// Fields that all events of this kind have, the most telling one first. If an event has the fields of several kinds,
    /// the kind with the most fields counts.
    pub marks: &'static [&'static str],
    /// The topic's schema; `None` if the topic is JSON in every format.
    pub subject: Option<fn(&str) -> Subject>,
    /// Makes a reader of these events for a format of the topic.
    pub reader: fn(&Format) -> ReadEvent,
}

/// A property of an owner: one value, set at `/v1/<owners>/<id>/<name>` and kept until the owner is erased.
pub struct Property {
    /// The last part of the property's address, such as `profile`.
    pub name: &'static str,
    /// The compacted topic of the values.
    pub topic: &'static str,
    /// The topic's schema; `None` if the topic is JSON in every format.
    pub subject: Option<fn(&str) -> Subject>,
    /// Makes a reader of the values for a format of the topic.
    pub reader: fn(&Format) -> ReadProperty,
}

/// A record to be written to its topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The owner's id.
    pub key: String,
    /// The value, encoded.
    pub value: Vec<u8>,
    /// Event time in epoch milliseconds.
    pub timestamp: i64,
}

impl Incoming {
    /// Encodes an event of an owner.
    ///
    /// # Errors
    /// If the topic's format cannot hold the event.
    pub fn new<T>(codec: &impl Codec<T>, key: &str, event: &T, timestamp: i64) -> Result<Self, Vec<FieldError>> {
        let mut value = Vec::with_capacity(codec.size_hint(event));
        codec.encode_into(event, &mut value).map_err(|error| {
            vec![FieldError::new("", error.to_string(), "send values that the topic's format can hold")]
        })?;
        Ok(Self { key: key.to_owned(), value, timestamp })
    }
}

/// Two inputs are equal if their topics are equal.
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
