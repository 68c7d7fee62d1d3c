//! The format of a log on disk: keys and values as bytes.
//!
//! Numbers are big-endian, so records sort by topic, partition and offset. Every other field is stored with its length.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, TryGetError};
use thiserror::Error;

use super::{Bounds, PartitionId, Stored};
use crate::transport::{
    CleanupPolicy, CommittedOffset, ConsumedRecord, Header, Headers, Offset, TopicPartition, TopicSpec,
};

/// Data that this version did not write.
#[derive(Debug, Error)]
pub(in crate::transport::embedded) enum FormatError {
    #[error("the data ends too early")]
    Short(#[from] TryGetError),
    #[error("the text is not UTF-8")]
    Text(#[from] std::string::FromUtf8Error),
    #[error("this version does not know the code {0}")]
    Unknown(u8),
}

/// The meaning of a key outside the records.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::transport::embedded) enum Meta {
    NextTopic,
    Topic(String),
    Partition(u32, u32),
    Offset(String, TopicPartition),
    Epoch(String),
}

impl Meta {
    pub(in crate::transport::embedded) fn encode(&self) -> Vec<u8> {
        let mut key = Vec::new();
        match self {
            Self::NextTopic => key.put_u8(b'n'),
            Self::Topic(name) => {
                key.put_u8(b't');
                put_text(&mut key, name);
            }
            Self::Partition(topic, partition) => {
                key.put_u8(b'p');
                key.put_u32(*topic);
                key.put_u32(*partition);
            }
            Self::Offset(group, name) => {
                key.put_u8(b'o');
                put_text(&mut key, group);
                put_text(&mut key, &name.topic);
                key.put_i32(name.partition);
            }
            Self::Epoch(id) => {
                key.put_u8(b'e');
                put_text(&mut key, id);
            }
        }
        key
    }

    pub(in crate::transport::embedded) fn decode(mut key: &[u8]) -> Result<Self, FormatError> {
        let key = &mut key;
        Ok(match key.try_get_u8()? {
            b'n' => Self::NextTopic,
            b't' => Self::Topic(get_text(key)?),
            b'p' => Self::Partition(key.try_get_u32()?, key.try_get_u32()?),
            b'o' => Self::Offset(get_text(key)?, TopicPartition::new(get_text(key)?, key.try_get_i32()?)),
            b'e' => Self::Epoch(get_text(key)?),
            other => return Err(FormatError::Unknown(other)),
        })
    }
}

pub(in crate::transport::embedded) fn record_key(partition: PartitionId, offset: Offset) -> [u8; 16] {
    let mut key = [0; 16];
    key[..4].copy_from_slice(&partition.topic.to_be_bytes());
    key[4..8].copy_from_slice(&partition.partition.to_be_bytes());
    key[8..].copy_from_slice(&offset.to_be_bytes());
    key
}

pub(in crate::transport::embedded) fn record_offset(mut key: &[u8]) -> Result<Offset, FormatError> {
    key.try_get_u64()?;
    Ok(key.try_get_i64()?)
}

pub(in crate::transport::embedded) fn put_record(row: &mut Vec<u8>, stored: &Stored) {
    let record = &stored.record;
    row.put_i64(stored.appended_at_ms);
    row.put_i64(record.timestamp);
    put_bytes(row, record.key.as_deref());
    put_bytes(row, record.value.as_deref());
    row.put_u32(record.headers.iter().count() as u32);
    for header in record.headers.iter() {
        put_text(row, &header.key);
        put_bytes(row, header.value.as_deref());
    }
}

/// The key, the value and the headers share one copy of the row.
pub(in crate::transport::embedded) fn get_record(offset: Offset, row: &[u8]) -> Result<Stored, FormatError> {
    let mut row = Bytes::copy_from_slice(row);
    let appended_at_ms = row.try_get_i64()?;
    let timestamp = row.try_get_i64()?;
    let key = get_bytes(&mut row)?;
    let value = get_bytes(&mut row)?;
    let headers: Headers = (0..row.try_get_u32()?)
        .map(|_| Ok(Header { key: get_text(&mut row)?, value: get_bytes(&mut row)? }))
        .collect::<Result<_, FormatError>>()?;
    Ok(Stored { record: ConsumedRecord { offset, timestamp, key, value, headers }, appended_at_ms })
}

pub(in crate::transport::embedded) fn put_topic(id: u32, spec: &TopicSpec) -> Vec<u8> {
    let mut row = Vec::new();
    row.put_u32(id);
    row.put_i32(spec.partitions);
    row.put_u8(match spec.cleanup {
        CleanupPolicy::Delete => 0,
        CleanupPolicy::Compact => 1,
        CleanupPolicy::CompactDelete => 2,
        CleanupPolicy::CompactAfter(_) => 3,
    });
    row.put_i64(spec.retention.map_or(-1, |kept| i64::try_from(kept.as_millis()).unwrap_or(i64::MAX)));
    if let CleanupPolicy::CompactAfter(lag) = spec.cleanup {
        row.put_u64(u64::try_from(lag.as_millis()).unwrap_or(u64::MAX));
    }
    row
}

pub(in crate::transport::embedded) fn get_topic(name: String, mut row: &[u8]) -> Result<(u32, TopicSpec), FormatError> {
    let row = &mut row;
    let id = row.try_get_u32()?;
    let partitions = row.try_get_i32()?;
    let cleanup = match row.try_get_u8()? {
        0 => CleanupPolicy::Delete,
        1 => CleanupPolicy::Compact,
        2 => CleanupPolicy::CompactDelete,
        3 => CleanupPolicy::CompactAfter(Duration::ZERO),
        other => return Err(FormatError::Unknown(other)),
    };
    let retention = u64::try_from(row.try_get_i64()?).ok().map(Duration::from_millis);
    let cleanup = match cleanup {
        CleanupPolicy::CompactAfter(_) => CleanupPolicy::CompactAfter(Duration::from_millis(row.try_get_u64()?)),
        other => other,
    };
    Ok((id, TopicSpec { name: name.into(), partitions, cleanup, retention }))
}

pub(in crate::transport::embedded) fn put_bounds(bounds: Bounds) -> Vec<u8> {
    let mut row = Vec::new();
    row.put_i64(bounds.low);
    row.put_i64(bounds.clean_until);
    row.put_i64(bounds.clean_records);
    row
}

pub(in crate::transport::embedded) fn get_bounds(mut row: &[u8]) -> Result<Bounds, FormatError> {
    let low = row.try_get_i64()?;
    Ok(Bounds { low, clean_until: row.try_get_i64()?, clean_records: row.try_get_i64()? })
}

pub(in crate::transport::embedded) fn put_offset(committed: &CommittedOffset) -> Vec<u8> {
    let mut row = Vec::new();
    row.put_i64(committed.offset);
    put_text(&mut row, &committed.metadata);
    row
}

pub(in crate::transport::embedded) fn get_offset(mut row: &[u8]) -> Result<CommittedOffset, FormatError> {
    Ok(CommittedOffset { offset: row.try_get_i64()?, metadata: get_text(&mut row)? })
}

fn put_bytes(row: &mut Vec<u8>, bytes: Option<&[u8]>) {
    row.put_i32(bytes.map_or(-1, |bytes| bytes.len() as i32));
    row.extend_from_slice(bytes.unwrap_or_default());
}

fn get_bytes(row: &mut impl Buf) -> Result<Option<Bytes>, FormatError> {
    let Ok(length) = usize::try_from(row.try_get_i32()?) else {
        return Ok(None);
    };
    if length > row.remaining() {
        return Err(FormatError::Short(TryGetError { requested: length, available: row.remaining() }));
    }
    Ok(Some(row.copy_to_bytes(length)))
}

fn put_text(row: &mut Vec<u8>, text: &str) {
    put_bytes(row, Some(text.as_bytes()));
}

fn get_text(row: &mut impl Buf) -> Result<String, FormatError> {
    Ok(String::from_utf8(get_bytes(row)?.unwrap_or_default().to_vec())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_and_cut_rows_are_errors() {
        let mut headers = Headers::new();
        headers.push("a", "1");
        headers.push("", "");
        for (key, value) in [(None, Some("v")), (Some("k"), None), (Some(""), Some(""))] {
            let [key, value] = [key, value].map(|text| text.map(Bytes::from));
            let record = ConsumedRecord { offset: 7, timestamp: -1, key, value, headers: headers.clone() };
            let mut row = Vec::new();
            put_record(&mut row, &Stored { record: record.clone(), appended_at_ms: 9 });
            let back = get_record(7, &row).expect("it was just written");
            assert_eq!((back.record, back.appended_at_ms), (record, 9));
            for cut in 0..row.len() {
                assert!(get_record(7, &row[..cut]).is_err());
            }
        }
    }

    #[test]
    fn meta_keys_come_back() {
        let offset = Meta::Offset("group".to_owned(), TopicPartition::new("topic", 3));
        for meta in [
            Meta::NextTopic,
            Meta::Topic("t".to_owned()),
            Meta::Partition(1, u32::MAX),
            offset,
            Meta::Epoch(String::new()),
        ] {
            assert_eq!(Meta::decode(&meta.encode()).expect("it was just written"), meta);
        }
    }
}
