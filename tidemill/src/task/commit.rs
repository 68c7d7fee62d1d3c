//! What a task gives to a commit, and what it gets back when the log has it.

use super::sealed::SealedStores;
use crate::transport::{CommittedOffset, Offset, ProducerRecord, TopicPartition};

/// Input offsets and changelog records that belong in one transaction.
#[derive(Debug, Default)]
pub(crate) struct CommitWork {
    pub(crate) offsets: Vec<(TopicPartition, CommittedOffset)>,
    pub(crate) changelog: Vec<ProducerRecord>,
}

/// What is a task's of a commit on its way: how far its inputs were processed, and what its stores set apart.
#[must_use = "state follows once the log has committed"]
pub(crate) struct TaskCommit {
    pub(super) positions: Vec<Option<Offset>>,
    pub(super) stores: SealedStores,
}

/// An input offset with the partition's time beside it, so that time does not fall back after a restart (KIP-549).
///
/// What a task must know of silence stands behind that, for the same reason.
pub(super) fn committed_offset(offset: Offset, partition_time: i64, silence: Option<&str>) -> CommittedOffset {
    let mut metadata = partition_time.to_string();
    if let Some(silence) = silence {
        metadata.push(' ');
        metadata.push_str(silence);
    }
    CommittedOffset { offset, metadata }
}

/// The partition's time out of what was committed; -1 if it is not there.
pub(crate) fn partition_time(committed: &CommittedOffset) -> i64 {
    let (time, _) = committed.metadata.split_once(' ').unwrap_or((&committed.metadata, ""));
    time.parse().unwrap_or(-1)
}

/// What was committed of the partition's silence.
pub(super) fn kept_silence(committed: &CommittedOffset) -> Option<&str> {
    committed.metadata.split_once(' ').map(|(_, silence)| silence)
}
