//! Reads input for each topic, in the format of the settings.

use std::{collections::HashMap, sync::Arc};

use tidemill::{
    partition_for,
    transport::{Headers, ProducerRecord},
};
use tidemill_schemas::{Arrival, FieldError};

use crate::{
    apps::{Incoming, Input, Property, ReadEvent, ReadProperty},
    server::engine::Engine,
};

/// Readers of the input of applications that run here, by topic.
pub(super) struct Readers {
    events: HashMap<&'static str, ReadEvent>,
    properties: HashMap<&'static str, ReadProperty>,
}

impl Readers {
    pub(super) fn new(engine: &Engine) -> Self {
        let (format, apps) = (engine.format(), &engine.settings().apps);
        let events = apps.iter().flat_map(|app| app.inputs).map(|input| (input.topic, (input.reader)(format)));
        let properties = apps.iter().flat_map(|app| app.properties);
        let properties = properties.map(|property| (property.topic, (property.reader)(format)));
        Self { events: events.collect(), properties: properties.collect() }
    }

    /// Reads an event.
    pub(super) fn event(&self, input: &Input, bytes: &[u8], arrival: Arrival) -> Result<Incoming, Vec<FieldError>> {
        let read = self.events.get(input.topic).ok_or_else(not_running)?;
        read(bytes, arrival)
    }

    /// Reads a property of an owner.
    pub(super) fn property(
        &self,
        property: &Property,
        owner: &str,
        bytes: &[u8],
        now_ms: i64,
    ) -> Result<Incoming, Vec<FieldError>> {
        let read = self.properties.get(property.topic).ok_or_else(not_running)?;
        read(owner, bytes, now_ms)
    }
}

fn not_running() -> Vec<FieldError> {
    vec![FieldError::new("", "its application does not run here", "start the application")]
}

/// Turns input into a record, in the partition of its owner.
pub(super) fn record(incoming: Incoming, topic: &Arc<str>, partitions: i32) -> ProducerRecord {
    let Incoming { key, value, timestamp } = incoming;
    let partition = partition_for(Some(key.as_bytes()), partitions);
    let (topic, key, value) = (topic.clone(), Some(key.into()), Some(value.into()));
    ProducerRecord { topic, partition, timestamp, key, value, headers: Headers::new() }
}
