//! Problems of a record that are found before any operator sees it.

use std::fmt;

use tidemill_state::CodecError;

use super::InvalidTime;
use crate::times::ImplausibleTime;

/// The problem of the record at the head of a queue.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadRecord {
    /// The key or the value does not decode.
    #[error(transparent)]
    Undecodable(#[from] Undecodable),
    /// The timestamp is negative or too large for windows.
    #[error("its {0}")]
    InvalidTimestamp(#[from] InvalidTime),
    /// The timestamp is outside of the times that the source takes for plausible.
    #[error("its {0}")]
    ImplausibleTimestamp(#[from] ImplausibleTime),
}

/// A part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordPart {
    Key,
    Value,
}

/// A part of a record that its codec rejects: the bytes, or a null.
#[derive(Debug)]
pub(crate) struct Undecodable {
    pub(crate) part: RecordPart,
    pub(crate) error: CodecError,
}

impl std::error::Error for Undecodable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.part, &self.error) {
            (RecordPart::Key, CodecError::Null) => f.write_str(
                "its key is null. If keys do not matter, read the topic with `stream_values`. If keys matter, read the \
                 topic as a stream of Option<K> and drop records without a key with `drop_null_keys`. Or let \
                 `deserialization_handler` skip such records",
            ),
            (RecordPart::Value, CodecError::Null) => f.write_str(
                "its value is null. Read the topic as a stream of Option<V>, or as a table, where a null deletes the \
                 key. Or let `deserialization_handler` skip such records",
            ),
            (RecordPart::Key, error) => write!(f, "its key does not decode: {error}"),
            (RecordPart::Value, error) => write!(f, "its value does not decode: {error}"),
        }
    }
}
