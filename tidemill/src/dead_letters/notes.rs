//! The notes on which dead letters were replayed. A note and its replay are written in one transaction.

use std::collections::BTreeSet;

use super::DeadLetterId;
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
    pub(super) fn read(&self, transport: &dyn Transport) -> Result<BTreeSet<DeadLetterId>, TransportError> {
        let mut noted = BTreeSet::new();
        if transport.admin()?.describe_topic(&self.0)?.is_none() {
            return Ok(noted);
        }
        let (mut reader, partition) = (transport.reader()?, TopicPartition::new(self.0.clone(), 0));
        let (low, end) = (reader.watermarks(&partition)?.low, reader.end(&partition)?);
        read_to_end(&mut *reader, &partition, low, end, |note| {
            let id = note.key.as_deref().and_then(|key| std::str::from_utf8(key).ok()?.parse().ok());
            noted.extend(id.filter(|_| note.value.is_some()));
            true
        })?;
        Ok(noted)
    }

    pub(super) fn note(&self, id: &DeadLetterId, timestamp: i64) -> ProducerRecord {
        let (key, value) = (Some(id.to_string().into()), Some("replayed".into()));
        ProducerRecord { topic: self.0.clone(), partition: 0, timestamp, key, value, headers: Headers::new() }
    }
}
