//! Where to begin in a partition that a group has never read.

use std::{fmt, time::Duration};

/// Where a source begins in a partition for which the application has no committed offset (`AutoOffsetReset` in Kafka
/// Streams, KIP-1106). See the example of [`Consumed::with_offset_reset`](crate::Consumed::with_offset_reset).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutoOffsetReset {
    /// With the first record.
    Earliest,
    /// With the first record that is written after the application has started to read the partition.
    Latest,
    /// With the first record whose timestamp is at most this long ago, by the wall clock at the start. If there is no
    /// such record, as [`Latest`](Self::Latest).
    ByDuration(Duration),
    /// Nowhere: the task fails with an error.
    None,
}

impl fmt::Display for AutoOffsetReset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Earliest => f.write_str("earliest"),
            Self::Latest => f.write_str("latest"),
            Self::ByDuration(duration) => write!(f, "by duration {duration:?}"),
            Self::None => f.write_str("none"),
        }
    }
}
