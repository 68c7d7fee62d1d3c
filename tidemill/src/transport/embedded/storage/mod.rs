//! The interface between a log and its storage: atomic changes, and reads of records that are no longer in memory.

#[cfg(feature = "rocksdb")]
pub(super) mod durable;
#[cfg(feature = "rocksdb")]
mod format;

use crate::transport::{CommittedOffset, ConsumedRecord, Offset, TopicPartition, TopicSpec, TransportError};

/// A record and the wall time of its append, which retention uses.
#[derive(Debug, Clone)]
pub(in crate::transport::embedded) struct Stored {
    pub(in crate::transport::embedded) record: ConsumedRecord,
    pub(in crate::transport::embedded) appended_at_ms: i64,
}

impl Stored {
    /// The approximate memory size, in bytes.
    pub(in crate::transport::embedded) fn weight(&self) -> usize {
        let bytes = |value: &Option<bytes::Bytes>| value.as_ref().map_or(0, bytes::Bytes::len);
        let record = &self.record;
        let headers: usize = record.headers.iter().map(|header| header.key.len() + bytes(&header.value) + 56).sum();
        size_of::<Self>() + bytes(&record.key) + bytes(&record.value) + headers
    }
}

/// A partition's id in the storage. Topic ids are never used twice. A new topic therefore cannot find records of a
/// deleted topic with the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::transport::embedded) struct PartitionId {
    pub(in crate::transport::embedded) topic: u32,
    pub(in crate::transport::embedded) partition: u32,
}

/// The beginning of a partition, and the state of its compaction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::transport::embedded) struct Bounds {
    /// The first offset that may exist.
    pub(in crate::transport::embedded) low: Offset,
    /// Compaction has processed all records below this offset.
    pub(in crate::transport::embedded) clean_until: Offset,
    /// The number of records that compaction left there.
    pub(in crate::transport::embedded) clean_records: i64,
}

/// One change of the log. Changes that are written together are atomic.
#[cfg_attr(not(feature = "rocksdb"), expect(dead_code, reason = "memory has nothing to write"))]
pub(in crate::transport::embedded) enum Change<'a> {
    /// Creates a topic.
    CreateTopic { id: u32, spec: &'a TopicSpec },
    /// Changes a topic's settings. Its partitions stay.
    AlterTopic { id: u32, spec: &'a TopicSpec },
    /// Deletes a topic and its records.
    DeleteTopic { id: u32, spec: &'a TopicSpec },
    /// Appends records, which already have their offsets.
    Append { partition: PartitionId, records: &'a [Stored] },
    /// Moves the beginning of a partition to `bounds.low`.
    DropBelow { partition: PartitionId, bounds: Bounds },
    /// Frees the disk space of the dropped records below `to`. Space below `from` was freed before.
    Trim { partition: PartitionId, from: Offset, to: Offset },
    /// Removes records that compaction found.
    Remove { partition: PartitionId, offsets: &'a [Offset], bounds: Bounds },
    /// Stores a group's committed offset.
    Commit { group: &'a str, partition: &'a TopicPartition, offset: &'a CommittedOffset },
    /// Deletes a group's committed offset, because its topic or its group was deleted.
    Forget { group: &'a str, partition: &'a TopicPartition },
    /// Fences producers with this transactional id and an older epoch.
    Epoch { transactional_id: &'a str, epoch: i32 },
}

/// Stores a log. All methods may be called from any thread.
pub(in crate::transport::embedded) trait LogStorage: Send + Sync {
    /// Writes changes atomically.
    fn write(&self, changes: &[Change<'_>]) -> Result<(), TransportError>;

    /// Visits at most `max` records with offsets from `from` to below `to`, in order. Returns the number of visited
    /// records.
    fn read(
        &self,
        partition: PartitionId,
        from: Offset,
        to: Offset,
        max: usize,
        visit: &mut dyn FnMut(&Stored),
    ) -> Result<usize, TransportError>;

    /// How many bytes of the newest records should stay in memory. `None` if all records are in memory only.
    fn tail_bytes(&self) -> Option<usize>;

    /// Moves written changes from the write-ahead log to files that are merged.
    fn flush(&self) -> Result<(), TransportError>;

    /// Removes everything from the disk that was deleted. Blocks while all files are rewritten.
    fn scrub(&self) -> Result<(), TransportError>;
}

/// Stores nothing: the in-memory tails of the partitions are the whole log.
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

    fn flush(&self) -> Result<(), TransportError> {
        Ok(())
    }

    fn scrub(&self) -> Result<(), TransportError> {
        Ok(())
    }
}

/// The contents of the storage when it was opened.
#[derive(Default)]
pub(in crate::transport::embedded) struct Restored {
    pub(in crate::transport::embedded) next_topic_id: u32,
    pub(in crate::transport::embedded) topics: Vec<RestoredTopic>,
    pub(in crate::transport::embedded) offsets: Vec<(String, TopicPartition, CommittedOffset)>,
    pub(in crate::transport::embedded) epochs: Vec<(String, i32)>,
}

/// One restored topic.
pub(in crate::transport::embedded) struct RestoredTopic {
    pub(in crate::transport::embedded) id: u32,
    pub(in crate::transport::embedded) spec: TopicSpec,
    /// The bounds and the next offset of each partition.
    pub(in crate::transport::embedded) partitions: Vec<(Bounds, Offset)>,
}
