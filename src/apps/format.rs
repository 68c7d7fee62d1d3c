//! The format of values on the applications' topics: JSON, or Avro with a schema registry.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use tidemill::state::{Codec, CodecError, Json};
use tidemill_schemas::avro::{Avro, AvroEvent, Registry};

/// The format of every topic that other programs read or write. State, changelogs and requests to analysts have their
/// own formats, because only the application reads them.
#[derive(Debug, Clone, Default)]
pub enum Format {
    /// JSON text.
    #[default]
    Json,
    /// JSON text, on a log that no other program can read. Large raw values may use a smaller encoding.
    Private,
    /// Avro in Confluent's wire format. The subjects of the topics are already prepared.
    Avro(Arc<Registry>),
}

impl Format {
    /// The codec of a topic's values, with plain JSON as the JSON format.
    pub fn codec<T: AvroEvent>(&self, topic: &str) -> Wire<T> {
        self.codec_or(topic, Json::default())
    }

    /// The codec of a topic's values, with the given JSON codec.
    pub fn codec_or<T: AvroEvent, J>(&self, topic: &str, json: J) -> Wire<T, J> {
        match self {
            Self::Json | Self::Private => Wire::Json(json),
            Self::Avro(registry) => Wire::Avro(registry.codec(topic), json),
        }
    }
}

/// The codec of a topic's values, as the settings choose it.
#[expect(clippy::large_enum_variant, reason = "there is one for each topic, made at the start")]
pub enum Wire<T, J = Json<T>> {
    /// JSON text.
    Json(J),
    /// Avro. A value that begins with a brace was written before the topic used Avro, and is read as JSON.
    Avro(Avro<T>, J),
}

impl<T: AvroEvent, J: Codec<T>> Codec<T> for Wire<T, J> {
    fn encode_into(&self, event: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
        match self {
            Self::Json(json) => json.encode_into(event, out),
            Self::Avro(avro, _) => avro.encode_into(event, out),
        }
    }

    fn size_hint(&self, event: &T) -> usize {
        match self {
            Self::Json(json) => json.size_hint(event),
            Self::Avro(avro, _) => avro.size_hint(event),
        }
    }

    fn decode(&self, bytes: Bytes) -> Result<T, CodecError> {
        match (self, bytes.first()) {
            (Self::Json(_), Some(0)) => Err(CodecError::Malformed {
                expected: "JSON",
                reason: "the value is Avro with a schema id: set schema.format to avro".to_owned(),
            }),
            (Self::Avro(avro, _), first) if first != Some(&b'{') => avro.decode(bytes),
            (Self::Json(json) | Self::Avro(_, json), _) => json.decode(bytes),
        }
    }
}

impl<T, J> fmt::Debug for Wire<T, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json(_) => "Json",
            Self::Avro(..) => "Avro",
        })
    }
}

#[cfg(test)]
mod tests {
    use tidemill_schemas::{UserProfile, avro::RegistrySettings};

    use super::*;

    #[test]
    fn avro_reads_what_was_json_and_json_says_what_avro_is() {
        let registry = Registry::new(RegistrySettings::new("http://127.0.0.1:1")).expect("a client");
        let avro = Format::Avro(registry).codec::<UserProfile>("topic");
        let json = Format::Json.codec::<UserProfile>("topic");
        let profile = UserProfile { height_cm: Some(178.0), ..UserProfile::default() };
        let bytes = json.encode(&profile).expect("encoded").expect("no null");
        assert_eq!(avro.decode(bytes), Ok(profile.clone()));
        let error = json.decode(Bytes::from_static(&[0, 0, 0, 0, 1, 0])).expect_err("no JSON");
        assert!(error.to_string().contains("schema.format"), "{error}");
        let error = avro.encode(&profile).expect_err("nothing is registered");
        assert!(error.to_string().contains("not registered"), "{error}");
    }
}
