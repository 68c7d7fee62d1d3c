//! The row that a store keeps for a key.

use bytes::Bytes;

/// A value and the event time that it belongs to.
///
/// See the example of [`ByteStore`](crate::ByteStore).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Event time, in milliseconds since the epoch.
    pub timestamp: i64,
    /// The encoded value.
    pub value: Bytes,
}
