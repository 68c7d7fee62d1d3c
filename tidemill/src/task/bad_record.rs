//! The treatment of records that cannot be processed: fail, skip, or dead-letter.

use crate::{
    config::RecordHandler,
    partitioner::{partition_for, partition_of_origin},
    transport::{ConsumedRecord, Headers, ProducerRecord, TopicPartition},
};

/// The unchanged record for the dead-letter topic, with headers named as in KIP-1034.
pub(super) fn dead_letter(
    handler: &RecordHandler,
    partitions: impl Fn(&str) -> i32,
    from: &TopicPartition,
    raw: ConsumedRecord,
    reason: &str,
) -> Option<ProducerRecord> {
    let RecordHandler::DeadLetter(topic) = handler else { return None };
    let mut headers: Headers = raw.headers;
    headers.push("__streams.errors.message", reason.to_owned());
    headers.push("__streams.errors.topic", from.topic.to_string());
    headers.push("__streams.errors.partition", from.partition.to_string());
    headers.push("__streams.errors.offset", raw.offset.to_string());
    let partitions = partitions(topic);
    let partition = match raw.key.as_deref() {
        Some(key) => partition_for(Some(key), partitions),
        None => partition_of_origin(from.partition, 0, raw.offset, partitions),
    };
    Some(ProducerRecord {
        topic: topic.as_str().into(),
        partition,
        timestamp: raw.timestamp.max(0),
        key: raw.key,
        value: raw.value,
        headers,
    })
}
