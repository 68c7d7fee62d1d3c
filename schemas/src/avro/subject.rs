//! What the registry keeps the versions of a topic's schema under.

use apache_avro::Schema;

use super::AvroEvent;

/// A topic's values and their schema. Its name is the topic's with `-value` behind it, as everywhere.
#[derive(Debug, Clone)]
pub struct Subject {
    pub(super) name: String,
    pub(super) schema: &'static Schema,
    /// What is registered: the schema without the line breaks that people read it with.
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
