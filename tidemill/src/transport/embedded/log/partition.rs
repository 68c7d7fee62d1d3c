//! One partition: its bounds, its newest records, and access to older records in the storage.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use super::tail::Tail;
use crate::transport::embedded::storage::{Bounds, LogStorage, PartitionId, Stored};
use crate::transport::{CleanupPolicy, Offset, TopicPartition, TransportError};

/// A partition. Its bounds can be read without a lock. They change only under the tail's lock.
pub(in crate::transport::embedded) struct Partition {
    pub(in crate::transport::embedded) id: PartitionId,
    pub(in crate::transport::embedded) name: TopicPartition,
    pub(in crate::transport::embedded) cleanup: CleanupPolicy,
    low: AtomicI64,
    high: AtomicI64,
    deleted: AtomicBool,
    tail: Mutex<Tail>,
}

impl Partition {
    pub(in crate::transport::embedded) fn new(
        id: PartitionId,
        name: TopicPartition,
        cleanup: CleanupPolicy,
        bounds: Bounds,
        high: Offset,
    ) -> Self {
        Self {
            id,
            name,
            cleanup,
            low: AtomicI64::new(bounds.low),
            high: AtomicI64::new(high),
            deleted: AtomicBool::new(false),
            tail: Mutex::new(Tail::new(bounds, high)),
        }
    }

    /// The first offset that may exist.
    pub(in crate::transport::embedded) fn low(&self) -> Offset {
        self.low.load(Ordering::Acquire)
    }

    /// The next offset to be written.
    pub(in crate::transport::embedded) fn high(&self) -> Offset {
        self.high.load(Ordering::Acquire)
    }

    /// Whether its topic was deleted.
    pub(in crate::transport::embedded) fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    /// Locks the tail for a change. Lock several partitions in the order of their ids.
    pub(in crate::transport::embedded) fn lock(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds records that the storage has written. `tail` must be this partition's tail.
    pub(in crate::transport::embedded) fn publish(
        &self,
        tail: &mut Tail,
        records: &mut Vec<Stored>,
        limit: Option<usize>,
    ) {
        let high = records.last().map_or_else(|| self.high(), |stored| stored.record.offset + 1);
        tail.append(records, limit);
        self.high.store(high, Ordering::Release);
    }

    /// Moves the beginning to a higher offset. `tail` must be this partition's tail.
    pub(in crate::transport::embedded) fn begin_at(&self, tail: &mut Tail, bounds: Bounds) {
        tail.bounds = bounds;
        tail.drop_below(bounds.low);
        self.low.store(bounds.low, Ordering::Release);
    }

    /// Marks the partition as deleted and drops its records from memory. `tail` must be this partition's tail.
    pub(in crate::transport::embedded) fn delete(&self, tail: &mut Tail) {
        self.deleted.store(true, Ordering::Release);
        tail.drop_below(Offset::MAX);
    }

    /// Visits at most `max` records from offset `from` on, and returns the next position to read. It may visit fewer
    /// than `max` although more records exist. The returned position is then where they continue.
    pub(in crate::transport::embedded) fn read(
        &self,
        storage: &dyn LogStorage,
        from: Offset,
        max: usize,
        visit: &mut dyn FnMut(&Stored),
    ) -> Result<Offset, TransportError> {
        let mut next = from;
        let mut visit = |stored: &Stored| {
            next = stored.record.offset + 1;
            visit(stored);
        };
        let tail = self.lock();
        let (visited, end) = if from >= tail.start() {
            (tail.visit(from, max, &mut visit), self.high())
        } else {
            let start = tail.start();
            drop(tail);
            (storage.read(self.id, from, start, max, &mut visit)?, start)
        };
        Ok(if visited < max { end.max(from) } else { next })
    }

    /// The error for a position outside the bounds.
    pub(in crate::transport::embedded) fn out_of_range(&self, offset: Offset) -> TransportError {
        TransportError::OffsetOutOfRange { partition: self.name.clone(), offset, low: self.low(), high: self.high() }
    }
}
