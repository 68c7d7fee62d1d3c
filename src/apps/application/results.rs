//! An application's results. Each kind has a topic, and pages get its records as events.

use bytes::Bytes;
use tidemill::state::{Codec as _, CodecError};
use tidemill_schemas::avro::{AvroEvent, Subject};

use crate::apps::{Format, Wire};

/// Converts an encoded result to the JSON for pages.
pub type ToJson = Box<dyn Fn(Bytes) -> Result<Bytes, CodecError> + Send + Sync>;

/// A kind of result.
pub struct Results {
    /// The topic of these results, keyed by owner and window.
    pub topic: &'static str,
    /// The name of the server-sent events.
    pub event: &'static str,
    /// The topic's schema; `None` if the topic is JSON in every format.
    pub subject: Option<fn(&str) -> Subject>,
    /// Makes a converter to JSON, for a format of the topic and the topic's name.
    pub to_json: fn(&Format, &str) -> ToJson,
    /// Whether these are reports of late events ([`LateEvents`](crate::apps::LateEvents)), which senders get as well.
    pub is_late: bool,
}

impl Results {
    /// Results that are written in the format of the settings.
    pub const fn of<T: AvroEvent>(topic: &'static str, event: &'static str) -> Self {
        Self { topic, event, subject: Some(Subject::of::<T>), to_json: to_json::<T>, is_late: false }
    }

    /// Results that are JSON in every format.
    pub const fn json(topic: &'static str, event: &'static str) -> Self {
        Self { topic, event, subject: None, to_json: |_, _| Box::new(Ok), is_late: false }
    }

    /// The reports of [`report_late`](crate::apps::report_late). Pages get them as `late`, and senders get them in the
    /// answers to their requests.
    pub const fn late(topic: &'static str) -> Self {
        Self { is_late: true, ..Self::json(topic, "late") }
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
