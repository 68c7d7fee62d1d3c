//! Reads input for each topic, in the format of the settings.

use std::{collections::HashMap, sync::Arc};

use serde::de::IgnoredAny;
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
    /// For each topic, the inputs of its application that have more marks: an event with all of their marks is theirs.
    richer: HashMap<&'static str, Vec<&'static Input>>,
    properties: HashMap<&'static str, ReadProperty>,
}

impl Readers {
    pub(super) fn new(engine: &Engine) -> Self {
        let (format, apps) = (engine.format(), &engine.settings().apps);
        let events = apps.iter().flat_map(|app| app.inputs).map(|input| (input.topic, (input.reader)(format)));
        let properties = apps.iter().flat_map(|app| app.properties);
        let properties = properties.map(|property| (property.topic, (property.reader)(format)));
        let richer = apps.iter().flat_map(|app| {
            let is_richer = |other: &Input, input: &Input| other.marks.len() > input.marks.len();
            let of = move |input: &Input| app.inputs.iter().filter(|other| is_richer(other, input)).collect();
            app.inputs.iter().map(move |input| (input.topic, of(input)))
        });
        Self { events: events.collect(), richer: richer.collect(), properties: properties.collect() }
    }

    /// Reads an event.
    pub(super) fn event(&self, input: &Input, bytes: &[u8], arrival: Arrival) -> Result<Incoming, Vec<FieldError>> {
        let read = self.events.get(input.topic).ok_or_else(not_running)?;
        self.check_kind(input, bytes)?;
        read(bytes, arrival)
    }

    /// Refuses an event that has the marks of a richer kind: its other fields would be dropped, and it would count as
    /// something that it is not.
    fn check_kind(&self, input: &Input, bytes: &[u8]) -> Result<(), Vec<FieldError>> {
        let richer = self.richer.get(input.topic).filter(|richer| !richer.is_empty());
        let Some(richer) = richer else { return Ok(()) };
        // What is no object is refused by the reader.
        let fields: HashMap<String, Option<IgnoredAny>> = serde_json::from_slice(bytes).unwrap_or_default();
        let has = |mark: &&str| fields.get(*mark).is_some_and(Option::is_some);
        let Some(other) = richer.iter().find(|other| other.marks.iter().all(has)) else { return Ok(()) };
        let mark = other.marks.iter().find(|mark| !input.marks.contains(mark)).copied().unwrap_or_default();
        let fix = format!("send it to {}, or leave {mark} out", other.path);
        Err(vec![FieldError::new(mark, format!("is a field of {0}, so this looks like {0}", other.name), fix)])
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
