//! An idle note: an idle task sends it through a repartition topic to the tasks below that topic.

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::transport::{ConsumedRecord, Headers, ProducerRecord, TopicPartition};

/// The header that marks a record without key and value as an idle note.
const HEADER: &str = "tidemill.idle";

/// How long one of the tasks that write a repartition topic has been idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IdleNote {
    /// The partition of the task.
    pub(crate) writer: i32,
    /// How long the task had no records to process since the last record that it sent to this topic.
    pub(crate) idle_ms: i64,
}

impl IdleNote {
    /// Whether a record of a repartition topic is an idle note. Such a record is not part of the user's stream.
    #[inline]
    pub(crate) fn is(raw: &ConsumedRecord) -> bool {
        raw.key.is_none() && raw.value.is_none() && raw.headers.last(HEADER).is_some()
    }

    /// Reads the idle note from a record.
    pub(crate) fn read(raw: &ConsumedRecord) -> Option<Self> {
        let (writer, idle_ms) = raw.headers.last(HEADER)?.split_first_chunk()?;
        Some(Self { writer: i32::from_be_bytes(*writer), idle_ms: i64::from_be_bytes(idle_ms.try_into().ok()?) })
    }

    /// The record that carries the note.
    pub(crate) fn record(self, to: TopicPartition, wall_ms: i64) -> ProducerRecord {
        let mut text = BytesMut::with_capacity(12);
        text.put_i32(self.writer);
        text.put_i64(self.idle_ms);
        let mut headers = Headers::new();
        headers.push(HEADER, Bytes::from(text));
        let TopicPartition { topic, partition } = to;
        ProducerRecord { topic, partition, timestamp: wall_ms, key: None, value: None, headers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consumed(sent: ProducerRecord) -> ConsumedRecord {
        let ProducerRecord { timestamp, key, value, headers, .. } = sent;
        ConsumedRecord { offset: 0, timestamp, key, value, headers }
    }

    #[test]
    fn a_note_is_read_as_it_was_written() {
        let note = IdleNote { writer: 7, idle_ms: 123_456 };
        let raw = consumed(note.record(TopicPartition::new("again", 3), 9));
        assert!(IdleNote::is(&raw));
        assert_eq!(IdleNote::read(&raw), Some(note));
    }

    #[test]
    fn a_record_with_a_value_is_no_note_whatever_its_headers_say() {
        let note = IdleNote { writer: 0, idle_ms: 1 };
        let raw = consumed(note.record(TopicPartition::new("again", 0), 0));
        assert!(!IdleNote::is(&ConsumedRecord { value: Some(Bytes::from_static(b"v")), ..raw.clone() }));
        assert!(!IdleNote::is(&ConsumedRecord { headers: Headers::new(), ..raw }));
    }
}
