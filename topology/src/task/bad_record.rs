//! What becomes of records that cannot be processed: fail, skip, or dead-letter.

use crate::{
    config::RecordHandler,
    operators::BadRecord,
    partitioner::partition_for,
    transport::{ConsumedRecord, Headers, ProducerRecord, TopicPartition},
};

/// Why a record cannot be processed, in words.
pub(super) fn reason(bad: &BadRecord) -> String {
    match bad {
        BadRecord::Undecodable(error) => format!("its bytes do not decode: {error}"),
        BadRecord::InvalidTimestamp(timestamp) => {
            format!("its timestamp {timestamp} is no time; it must be milliseconds since the epoch")
        }
    }
}

/// The record as it came, for the dead-letter topic, with headers named as in KIP-1034.
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
    Some(ProducerRecord {
        topic: topic.as_str().into(),
        partition: partition_for(raw.key.as_deref(), partitions(topic)),
        timestamp: raw.timestamp.max(0),
        key: raw.key,
        value: raw.value,
        headers,
    })
}
