//! Dead letters of global stores. Every instance meets the same bad record, also again after a restart. The letter is
//! written once all the same: a transaction writes it together with the offset up to which letters are written, and all
//! instances use the same transactional id. So a newer writer fences an older one, and finds what that one has written.

use std::collections::BTreeMap;

use super::super::Prepared;
use crate::{
    error::{Position, TaskError},
    names::global_letters,
    transport::{
        CommittedOffset, Consumed, ConsumerConfig, ProducerConfig, ProducerRecord, TopicPartition, TransportError,
    },
};

/// Writes the letters that no instance has written.
pub(super) fn write_letters(
    app: &Prepared,
    store: &str,
    letters: &[(Position, ProducerRecord)],
) -> Result<(), TaskError> {
    if letters.is_empty() {
        return Ok(());
    }
    let name = global_letters(&app.config.application_id, store);
    let written = write(app, &name, letters);
    // Another instance writes at this moment, or the outcome is unknown. The next attempt sees what was written.
    Ok(written.map_err(|error| match error {
        TransportError::Fenced(reason) | TransportError::Abort(reason) => TransportError::Retriable(reason),
        lasting => lasting,
    })?)
}

fn write(app: &Prepared, name: &str, letters: &[(Position, ProducerRecord)]) -> Result<(), TransportError> {
    let mut producer = app.transport.producer(&ProducerConfig { transactional_id: Some(name.to_owned()) })?;
    // An open transaction of another writer ends here.
    producer.init_transactions()?;
    let mut consumer = app.transport.consumer(&ConsumerConfig {
        group: name.to_owned(),
        client_id: format!("{}-{name}", app.client_id),
        instance_id: None,
        session_timeout: app.config.session_timeout,
        max_poll_records: 1,
    })?;
    let mut ends = BTreeMap::new();
    for (Position { partition, offset }, _) in letters {
        ends.insert(partition.clone(), offset + 1);
    }
    let partitions: Vec<TopicPartition> = ends.keys().cloned().collect();
    let mut written = BTreeMap::new();
    for (partition, committed) in partitions.iter().zip(consumer.committed(&partitions)?) {
        written.insert(partition.clone(), committed.map_or(0, |committed| committed.offset));
    }
    let new: Vec<_> = letters.iter().filter(|(at, _)| at.offset >= written[&at.partition]).collect();
    if new.is_empty() {
        return Ok(());
    }
    producer.begin_transaction()?;
    for (_, letter) in new {
        producer.send(letter.clone())?;
    }
    let offset = |(partition, end): (TopicPartition, i64)| {
        let offset = end.max(written[&partition]);
        (partition, CommittedOffset { offset, metadata: String::new() })
    };
    let offsets: Vec<_> = ends.into_iter().map(offset).collect();
    let member = consumer.group_metadata();
    producer.begin_commit(Some(Consumed { offsets: &offsets, member: &member }))?.wait()?;
    Ok(())
}
