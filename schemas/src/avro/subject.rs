//! The subject of a topic: the name under which the registry keeps the versions of a schema.

use apache_avro::Schema;

use super::AvroEvent;

/// The schema of a topic's values. The subject's name is the topic's name with the suffix `-value`.
#[derive(Debug, Clone)]
pub struct Subject {
    pub(super) name: String,
    pub(super) schema: &'static Schema,
    /// The registered text: the schema without line breaks.
    pub(super) text: String,
}

impl Subject {
    /// The subject of a topic whose values are events of this type.
    pub fn of<T: AvroEvent>(topic: &str) -> Self {
        let text = serde_json::from_str::<serde_json::Value>(T::SCHEMA)
            .map_or_else(|_| T::SCHEMA.to_owned(), |schema| schema.to_string());
        Self { name: name(topic), schema: T::schema(), text }
    }

    /// The schema's full name, for errors.
    pub(super) fn schema_name(&self) -> String {
        self.schema.name().map_or_else(|| "without a name".to_owned(), ToString::to_string)
    }
}

pub(super) fn name(topic: &str) -> String {
    format!("{topic}-value")
}
