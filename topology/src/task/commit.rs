//! What a commit consists of, as one value.

use crate::transport::{CommittedOffset, Offset, ProducerRecord, TopicPartition};

/// Input offsets and changelog records that belong in one transaction.
#[derive(Debug, Default)]
pub(crate) struct CommitWork {
    pub(crate) offsets: Vec<(TopicPartition, CommittedOffset)>,
    pub(crate) changelog: Vec<ProducerRecord>,
}

/// An input offset with the partition's time beside it, so that time does not fall back after a restart (KIP-549).
pub(super) fn committed_offset(offset: Offset, partition_time: i64) -> CommittedOffset {
    CommittedOffset { offset, metadata: partition_time.to_string() }
}

/// The partition's time out of what was committed; -1 if it is not there.
pub(crate) fn partition_time(committed: &CommittedOffset) -> i64 {
    committed.metadata.parse().unwrap_or(-1)
}
