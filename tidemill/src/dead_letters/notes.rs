//! The notes on which dead letters were replayed. A note and its replay are written in one transaction.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{DeadLetter, DeadLetterId};
use crate::{
    names::replayed_topic,
    transport::{
        CleanupPolicy, Headers, ProducerRecord, Topic, TopicPartition, TopicSpec, Transport, TransportError,
        read_to_end,
    },
};

/// The topic of the notes. It has one partition.
pub(super) struct Notes(Topic);

impl Notes {
    pub(super) fn of(application_id: &str) -> Self {
        Self(replayed_topic(application_id))
    }

    /// Creates the topic if it does not exist.
    pub(super) fn create(&self, transport: &dyn Transport) -> Result<(), TransportError> {
        let spec = TopicSpec { name: self.0.clone(), partitions: 1, cleanup: CleanupPolicy::Compact, retention: None };
        match transport.admin()?.create_topic(&spec) {
            Ok(()) | Err(TransportError::TopicExists(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The letters that were replayed.
    pub(super) fn read(&self, transport: &dyn Transport) -> Result<Replayed, TransportError> {
        let mut noted = Replayed::default();
        if transport.admin()?.describe_topic(&self.0)?.is_none() {
            return Ok(noted);
        }
        let (mut reader, partition) = (transport.reader()?, TopicPartition::new(self.0.clone(), 0));
        let (low, end) = (reader.watermarks(&partition)?.low, reader.end(&partition)?);
        read_to_end(&mut *reader, &partition, low, end, |note| {
            let id = note.key.as_deref().and_then(|key| std::str::from_utf8(key).ok()?.parse().ok());
            noted.0.extend(id.zip(note.value));
            true
        })?;
        Ok(noted)
    }

    pub(super) fn note(&self, letter: &DeadLetter) -> ProducerRecord {
        let (key, value) = (Some(letter.id.to_string().into()), Some(record_of(letter)));
        let (topic, timestamp) = (self.0.clone(), letter.timestamp);
        ProducerRecord { topic, partition: 0, timestamp, key, value, headers: Headers::new() }
    }
}

/// The letters that were replayed, each with the record that it was about.
#[derive(Debug, Default)]
pub(super) struct Replayed(BTreeMap<DeadLetterId, Bytes>);

impl Replayed {
    /// Whether this very letter was replayed. In a topic that was deleted and created again, another letter may have the
    /// place of one that was replayed.
    pub(super) fn has(&self, letter: &DeadLetter) -> bool {
        self.0.get(&letter.id).is_some_and(|record| *record == record_of(letter))
    }

    /// Adds a letter. `false` if it was there.
    pub(super) fn add(&mut self, letter: &DeadLetter) -> bool {
        let is_new = !self.has(letter);
        self.0.insert(letter.id.clone(), record_of(letter));
        is_new
    }
}

/// The place and the time of the record that a letter is about.
fn record_of(letter: &DeadLetter) -> Bytes {
    let from = letter.from.as_ref().map(ToString::to_string).unwrap_or_default();
    format!("{from}, time {}", letter.timestamp).into()
}
