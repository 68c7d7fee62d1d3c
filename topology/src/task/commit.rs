//! What a commit consists of, as one value.

use crate::transport::{CommittedOffset, Offset, ProducerRecord, TopicPartition};

/// Input offsets and changelog records that belong in one transaction.
#[derive(Debug, Default)]
pub(crate) struct CommitWork {
    pub(crate) offsets: Vec<(TopicPartition, CommittedOffset)>,
    pub(crate) changelog: Vec<ProducerRecord>,
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
