//! What comes out: results, each a topic whose records pages get as events.

use bytes::Bytes;
use tidemill::state::{Codec as _, CodecError};
use tidemill_schemas::avro::{AvroEvent, Subject};

use crate::apps::{Format, Wire};

/// Turns a result into the JSON that pages get.
pub type ToJson = Box<dyn Fn(Bytes) -> Result<Bytes, CodecError> + Send + Sync>;

/// A kind of results.
pub struct Results {
    /// Their topic, keyed by owner and window.
    pub topic: &'static str,
    /// The name of their events.
    pub event: &'static str,
    /// The topic's schema; `None` where it is JSON in every format.
    pub subject: Option<fn(&str) -> Subject>,
    /// Turns values of the topic in a format into JSON.
    pub to_json: fn(&Format, &str) -> ToJson,
}

impl Results {
    /// Results that are written in the format of the settings.
    pub const fn of<T: AvroEvent>(topic: &'static str, event: &'static str) -> Self {
        Self { topic, event, subject: Some(Subject::of::<T>), to_json: to_json::<T> }
    }

    /// Results that are JSON in every format.
    pub const fn json(topic: &'static str, event: &'static str) -> Self {
        Self { topic, event, subject: None, to_json: |_, _| Box::new(Ok) }
    }
}

fn to_json<T: AvroEvent>(format: &Format, topic: &str) -> ToJson {
    match format.codec::<T>(topic) {
        Wire::Json(_) => Box::new(Ok),
        avro @ Wire::Avro(..) => Box::new(move |bytes| {
            let json = serde_json::to_vec(&avro.decode(bytes)?);
            json.map(Bytes::from).map_err(|error| CodecError::Malformed { expected: "JSON", reason: error.to_string() })
        }),
    }
}
