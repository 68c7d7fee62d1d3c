//! Converts partitions and offsets between librdkafka's lists and ours.

use std::{
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    Offset as Position, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
};

use super::{context::Context, error};
use crate::transport::{CommittedOffset, Offset, TopicPartition, TransportError, Watermarks};

/// How long one request to the brokers may take. After a timeout the caller repeats the request.
pub(super) const ANSWER: Duration = Duration::from_secs(30);
/// A partition counts as unknown only after this time: a broker that starts or stops may not know existing partitions.
const PROPAGATION: Duration = Duration::from_secs(5);
/// The pause between a failed request to the brokers and the next one.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// The partitions of a list.
pub(super) fn partitions(list: &TopicPartitionList) -> Vec<TopicPartition> {
    list.elements().iter().map(|element| TopicPartition::new(element.topic(), element.partition())).collect()
}

/// A list of partitions without positions.
pub(super) fn list<'a>(partitions: impl IntoIterator<Item = &'a TopicPartition>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for TopicPartition { topic, partition } in partitions {
        list.add_partition(topic, *partition);
    }
    list
}

/// A list of partitions with their start positions.
pub(super) fn positions<'a>(
    partitions: impl IntoIterator<Item = (&'a TopicPartition, Position)>,
) -> Result<TopicPartitionList, TransportError> {
    let mut list = TopicPartitionList::new();
    for (TopicPartition { topic, partition }, position) in partitions {
        list.add_partition_offset(topic, *partition, position).map_err(error::of)?;
    }
    Ok(list)
}

/// A list of offsets to commit.
pub(super) fn commits(offsets: &[(TopicPartition, CommittedOffset)]) -> Result<TopicPartitionList, TransportError> {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for (TopicPartition { topic, partition }, CommittedOffset { offset, metadata }) in offsets {
        let mut element = list.add_partition(topic, *partition);
        element.set_offset(Position::Offset(*offset)).map_err(error::of)?;
        if !metadata.is_empty() {
            element.set_metadata(metadata);
        }
    }
    Ok(list)
}

/// The group's committed offsets, in the order requested. Waits for transactions that are about to change them.
pub(super) fn committed(
    consumer: &BaseConsumer<Context>,
    partitions: &[TopicPartition],
    patience: Duration,
) -> Result<Vec<Option<CommittedOffset>>, TransportError> {
    let found = consumer.committed_offsets(list(partitions), patience).map_err(error::of)?;
    let find = |partition: &TopicPartition| {
        let Some(element) = found.find_partition(&partition.topic, partition.partition) else { return Ok(None) };
        element.error().map_err(error::of)?;
        let Position::Offset(offset) = element.offset() else { return Ok(None) };
        Ok(Some(CommittedOffset { offset, metadata: element.metadata().to_owned() }))
    };
    partitions.iter().map(find).collect()
}

/// The first offset whose record has this timestamp or a later one.
pub(super) fn at_time(
    consumer: &BaseConsumer<Context>,
    partition: &TopicPartition,
    timestamp: i64,
) -> Result<Option<Offset>, TransportError> {
    let asked = positions([(partition, Position::Offset(timestamp.max(0)))])?;
    let found = consumer.offsets_for_times(asked, ANSWER).map_err(|failed| error::of_partition(failed, partition))?;
    let Some(element) = found.find_partition(&partition.topic, partition.partition) else { return Ok(None) };
    element.error().map_err(|failed| error::of_partition(failed, partition))?;
    match element.offset() {
        Position::Offset(offset) => Ok(Some(offset)),
        // The end: all records are older.
        _ => Ok(None),
    }
}

/// A partition's bounds, as a committed read sees them.
pub(super) fn watermarks(
    consumer: &BaseConsumer<Context>,
    partition: &TopicPartition,
) -> Result<Watermarks, TransportError> {
    let started = Instant::now();
    loop {
        match consumer.fetch_watermarks(&partition.topic, partition.partition, ANSWER) {
            Ok((low, high)) => return Ok(Watermarks { low, high }),
            Err(failed) if error::is_unknown(&failed) => {
                if !exists(consumer, partition)? && started.elapsed() > PROPAGATION {
                    return Err(error::of_partition(failed, partition));
                }
                thread::sleep(PAUSE);
            }
            Err(failed) => return Err(error::of_partition(failed, partition)),
        }
    }
}

/// Asks a broker, because librdkafka also reports a partition as unknown when no broker is reachable.
fn exists(consumer: &BaseConsumer<Context>, partition: &TopicPartition) -> Result<bool, TransportError> {
    let found = consumer.fetch_metadata(Some(&partition.topic), ANSWER).map_err(error::of)?;
    let mut partitions = found.topics().iter().flat_map(rdkafka::metadata::MetadataTopic::partitions);
    match partitions.find(|one| one.id() == partition.partition) {
        Some(one) if one.leader() < 0 => Err(TransportError::Retriable(format!("{partition} has no leader").into())),
        found => Ok(found.is_some()),
    }
}
