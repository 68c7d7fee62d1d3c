//! What a log asks of its storage: atomic changes, and reading back what memory no longer holds.

#[cfg(feature = "rocksdb")]
pub(super) mod durable;
#[cfg(feature = "rocksdb")]
mod format;

use crate::transport::{CommittedOffset, ConsumedRecord, Offset, TopicPartition, TopicSpec, TransportError};

/// A record and when the log took it in, which retention counts from.
#[derive(Debug, Clone)]
pub(in crate::transport::embedded) struct Stored {
    pub(in crate::transport::embedded) record: ConsumedRecord,
    pub(in crate::transport::embedded) appended_at: i64,
}

impl Stored {
    /// About how much memory it takes.
    pub(in crate::transport::embedded) fn weight(&self) -> usize {
        let bytes = |value: &Option<bytes::Bytes>| value.as_ref().map_or(0, bytes::Bytes::len);
        let record = &self.record;
        let headers: usize = record.headers.iter().map(|header| header.key.len() + bytes(&header.value) + 56).sum();
        size_of::<Self>() + bytes(&record.key) + bytes(&record.value) + headers
    }
}

/// A partition's number in the storage. Topic numbers are never used twice, so a new topic cannot find records of
/// a deleted one that had its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::transport::embedded) struct PartitionId {
    pub(in crate::transport::embedded) topic: u32,
    pub(in crate::transport::embedded) partition: u32,
}

/// Where a partition begins, and what compaction has been through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::transport::embedded) struct Bounds {
    /// First offset that may exist.
    pub(in crate::transport::embedded) low: Offset,
    /// Compaction has seen everything below.
    pub(in crate::transport::embedded) clean_until: Offset,
    /// How many records it left there.
    pub(in crate::transport::embedded) clean_records: i64,
}

/// One change of the log. Those written together happen together or not at all.
#[cfg_attr(not(feature = "rocksdb"), expect(dead_code, reason = "memory has nothing to write"))]
pub(in crate::transport::embedded) enum Change<'a> {
    /// A topic exists from now on.
    CreateTopic { id: u32, spec: &'a TopicSpec },
    /// A topic has other settings; its partitions stay.
    AlterTopic { id: u32, spec: &'a TopicSpec },
    /// A topic and its records are gone.
    DeleteTopic { id: u32, spec: &'a TopicSpec },
    /// Records follow, their offsets already given.
    Append { partition: PartitionId, records: &'a [Stored] },
    /// Nobody reads below `bounds.low` any more.
    DropBelow { partition: PartitionId, bounds: Bounds },
    /// What lies below `to`, and was dropped, need not take space any more. All below `from` was trimmed before.
    Trim { partition: PartitionId, from: Offset, to: Offset },
    /// Compaction removed these.
    Remove { partition: PartitionId, offsets: &'a [Offset], bounds: Bounds },
    /// A group's position.
    Commit { group: &'a str, partition: &'a TopicPartition, offset: &'a CommittedOffset },
    /// A group's position is gone, with its topic or its group.
    Forget { group: &'a str, partition: &'a TopicPartition },
    /// The producers of this id before this epoch are fenced.
    Epoch { transactional_id: &'a str, epoch: i32 },
}

/// Keeps a log. Every call may come from any thread.
pub(in crate::transport::embedded) trait LogStorage: Send + Sync {
    /// Writes changes, all or none.
    fn write(&self, changes: &[Change<'_>]) -> Result<(), TransportError>;

    /// Visits at most `max` records with offsets from `from` and below `to`, in order; tells how many there were.
    fn read(
        &self,
        partition: PartitionId,
        from: Offset,
        to: Offset,
        max: usize,
        visit: &mut dyn FnMut(&Stored),
    ) -> Result<usize, TransportError>;

    /// How many bytes of the newest records memory should hold; `None` if memory is all there is.
    fn tail_bytes(&self) -> Option<usize>;
}

/// Keeps nothing: the partitions' tails in memory are the whole log.
pub(in crate::transport::embedded) struct MemoryStorage;

impl LogStorage for MemoryStorage {
    fn write(&self, _: &[Change<'_>]) -> Result<(), TransportError> {
        Ok(())
    }

    fn read(
        &self,
        _: PartitionId,
        _: Offset,
        _: Offset,
        _: usize,
        _: &mut dyn FnMut(&Stored),
    ) -> Result<usize, TransportError> {
        Ok(0)
    }

    fn tail_bytes(&self) -> Option<usize> {
        None
    }
}

/// What a storage held when it was opened.
#[derive(Default)]
pub(in crate::transport::embedded) struct Restored {
    pub(in crate::transport::embedded) next_topic_id: u32,
    pub(in crate::transport::embedded) topics: Vec<RestoredTopic>,
    pub(in crate::transport::embedded) offsets: Vec<(String, TopicPartition, CommittedOffset)>,
    pub(in crate::transport::embedded) epochs: Vec<(String, i32)>,
}

/// One topic of it.
pub(in crate::transport::embedded) struct RestoredTopic {
    pub(in crate::transport::embedded) id: u32,
    pub(in crate::transport::embedded) spec: TopicSpec,
    /// Each partition's bounds and next offset.
    pub(in crate::transport::embedded) partitions: Vec<(Bounds, Offset)>,
}
