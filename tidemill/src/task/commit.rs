//! A task's part of a commit, before and after the log's answer.

use super::sealed::SealedStores;
use crate::transport::{CommittedOffset, Offset, ProducerRecord, TopicPartition};

/// Input offsets and changelog records that belong in one transaction.
#[derive(Debug, Default)]
pub(crate) struct CommitWork {
    pub(crate) offsets: Vec<(TopicPartition, CommittedOffset)>,
    pub(crate) changelog: Vec<ProducerRecord>,
}

/// A task's part of a commit on its way: the processed positions of its inputs, and the sealed changes of its stores.
#[must_use = "the task must take this up once the log has committed"]
pub(crate) struct TaskCommit {
    pub(super) positions: Vec<Option<Offset>>,
    pub(super) stores: SealedStores,
}

/// An input offset with the partition's time beside it, so that time does not fall back after a restart (KIP-549).
///
/// The partition's silence stands after the time, for the same reason.
pub(super) fn committed_offset(offset: Offset, partition_time_ms: i64, silence: Option<&str>) -> CommittedOffset {
    let mut metadata = partition_time_ms.to_string();
    if let Some(silence) = silence {
        metadata.push(' ');
        metadata.push_str(silence);
    }
    CommittedOffset { offset, metadata }
}

/// The partition's time from the committed metadata; -1 if it is missing.
pub(crate) fn partition_time_ms(committed: &CommittedOffset) -> i64 {
    let (time, _) = committed.metadata.split_once(' ').unwrap_or((&committed.metadata, ""));
    time.parse().unwrap_or(-1)
}

/// The partition's silence from the committed metadata.
pub(super) fn kept_silence(committed: &CommittedOffset) -> Option<&str> {
    committed.metadata.split_once(' ').map(|(_, silence)| silence)
}
