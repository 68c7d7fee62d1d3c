//! Retention and compaction of a log.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use hashbrown::HashMap;

use super::{broker::Broker, partition::Partition, tail::Trim, topics::TopicLog};
use crate::transport::embedded::storage::{Bounds, Change};
use crate::{
    clock::millis,
    transport::{CleanupPolicy, Offset, TransportError},
};

/// How long a tombstone is kept. Readers that follow the topic learn of the deletion meanwhile.
const TOMBSTONE: Duration = Duration::from_hours(24);
/// The number of records that are read under one lock.
const PAGE: usize = 1024;
/// Maintenance is due after this many records, but at most once each second. It is also due every 30 seconds.
const RECORDS: usize = 10_000;
const SHORTEST_MS: i64 = 1000;
const LONGEST_MS: i64 = 30_000;
/// How long a small number of dropped records may still use disk space.
const TRIM_MS: i64 = 60_000;
/// How long changes may be in the write-ahead log alone. What was deleted cannot leave it before.
const FLUSH_MS: i64 = 60 * 60 * 1000;

/// How much work a clean-up may cost.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effort {
    /// As much as is worth it.
    Worth,
    /// Any: nothing that was deleted may stay.
    Whole,
}

/// Which records may go: those that were appended before these times.
#[derive(Clone, Copy)]
struct Before {
    /// Records with a later record of the same key.
    replaced_before_ms: i64,
    tombstones_before_ms: i64,
}

/// The last record of a key so far.
struct Last {
    offset: Offset,
    /// Whether it is a tombstone that may go.
    expired: bool,
    /// Whether it may go when a later record has its key.
    replaceable: bool,
}

/// When the log was last maintained.
pub(in crate::transport::embedded) struct Upkeep {
    appended: AtomicUsize,
    last_ms: AtomicI64,
    flushed_ms: AtomicI64,
    running: Mutex<()>,
}

impl Upkeep {
    pub(in crate::transport::embedded) fn new(now_ms: i64) -> Self {
        let (last_ms, flushed_ms) = (AtomicI64::new(now_ms), AtomicI64::new(now_ms));
        Self { appended: AtomicUsize::new(0), last_ms, flushed_ms, running: Mutex::new(()) }
    }

    /// Counts appended records.
    pub(in crate::transport::embedded) fn count(&self, records: usize) {
        self.appended.fetch_add(records, Ordering::Relaxed);
    }
}

impl Broker {
    /// Maintains the log if that is due. A failure is only logged, because the caller did not cause it.
    pub(in crate::transport::embedded) fn maintain_if_due(&self) {
        let now_ms = self.clock.monotonic_ms();
        let idle_ms = now_ms.saturating_sub(self.upkeep.last_ms.load(Ordering::Relaxed));
        let busy = self.upkeep.appended.load(Ordering::Relaxed) >= RECORDS && idle_ms >= SHORTEST_MS;
        if !busy && idle_ms < LONGEST_MS {
            return;
        }
        // If another thread already maintains the log, this call does nothing.
        let Ok(_running) = self.upkeep.running.try_lock() else {
            return;
        };
        if let Err(error) = self.sweep(Effort::Worth) {
            tracing::warn!(%error, "retention and compaction failed; the log tries again later");
        }
    }

    /// Applies every topic's cleanup policy now.
    pub(in crate::transport::embedded) fn maintain(&self) -> Result<(), TransportError> {
        let _running = self.upkeep.running.lock().unwrap_or_else(PoisonError::into_inner);
        self.sweep(Effort::Worth)
    }

    /// Applies every topic's cleanup policy, whatever it costs, and removes deleted records from the disk.
    pub(in crate::transport::embedded) fn scrub(&self) -> Result<(), TransportError> {
        let running = self.upkeep.running.lock().unwrap_or_else(PoisonError::into_inner);
        self.sweep(Effort::Whole)?;
        // Rewriting the files may take long. Nobody needs to wait for it.
        drop(running);
        self.storage.scrub()
    }

    fn sweep(&self, effort: Effort) -> Result<(), TransportError> {
        // Retention uses wall time, because records outlive the process.
        let (passed, now_ms) = (self.clock.monotonic_ms(), self.clock.now_ms());
        self.upkeep.last_ms.store(passed, Ordering::Relaxed);
        self.upkeep.appended.store(0, Ordering::Relaxed);
        let topics: Vec<Arc<TopicLog>> = self.lock().topics.iter().cloned().collect();
        for topic in topics {
            let retention = topic.spec.retention.filter(|_| topic.spec.cleanup != CleanupPolicy::Compact);
            for partition in &topic.partitions {
                if let Some(retention) = retention {
                    self.retain(partition, now_ms.saturating_sub(millis(retention)))?;
                }
                if topic.spec.cleanup != CleanupPolicy::Delete {
                    let replaced_before_ms = match topic.spec.cleanup {
                        CleanupPolicy::CompactAfter(lag) => now_ms.saturating_sub(millis(lag)),
                        _ => i64::MAX,
                    };
                    let tombstones_before_ms = now_ms.saturating_sub(millis(TOMBSTONE)).min(replaced_before_ms);
                    self.compact(partition, Before { replaced_before_ms, tombstones_before_ms }, effort)?;
                }
                self.trim(partition, passed, effort)?;
            }
        }
        if passed.saturating_sub(self.upkeep.flushed_ms.load(Ordering::Relaxed)) >= FLUSH_MS {
            self.upkeep.flushed_ms.store(passed, Ordering::Relaxed);
            self.storage.flush()?;
        }
        Ok(())
    }

    /// Drops the records below an offset.
    pub(in crate::transport::embedded) fn drop_below(
        &self,
        partition: &Partition,
        low: Offset,
    ) -> Result<(), TransportError> {
        let mut tail = partition.lock();
        if low <= tail.bounds.low || partition.is_deleted() {
            return Ok(());
        }
        let mut bounds = tail.bounds;
        bounds.low = low;
        bounds.clean_until = bounds.clean_until.max(low);
        self.storage.write(&[Change::DropBelow { partition: partition.id, bounds }])?;
        partition.begin_at(&mut tail, bounds);
        Ok(())
    }

    /// Frees the disk space of dropped records. Each call leaves a range deletion, which slows reads until the storage
    /// has merged it. Small drops are therefore trimmed together.
    fn trim(&self, partition: &Partition, now_ms: i64, effort: Effort) -> Result<(), TransportError> {
        let mut tail = partition.lock();
        let (Trim { to: from, at_ms }, to) = (tail.trimmed, tail.bounds.low);
        let worth = to - from >= RECORDS as i64 || now_ms.saturating_sub(at_ms) >= TRIM_MS || effort == Effort::Whole;
        if to > from && worth && !partition.is_deleted() {
            self.storage.write(&[Change::Trim { partition: partition.id, from, to }])?;
            tail.trimmed = Trim { to, at_ms: now_ms };
        }
        Ok(())
    }

    /// Drops the oldest records that were appended before `cutoff_ms`.
    fn retain(&self, partition: &Partition, cutoff_ms: i64) -> Result<(), TransportError> {
        let (mut low, mut next, mut page) = (partition.low(), partition.low(), 1);
        let mut kept = false;
        while !kept && next < partition.high() {
            next = partition.read(&*self.storage, next, page, &mut |stored| {
                kept |= stored.appended_at_ms >= cutoff_ms;
                if !kept {
                    low = stored.record.offset + 1;
                }
            })?;
            page = PAGE;
        }
        self.drop_below(partition, low)
    }

    /// Keeps the last record of each key. Is worth it only if there are more new records than the last compaction left.
    fn compact(&self, partition: &Partition, before: Before, effort: Effort) -> Result<(), TransportError> {
        let (bounds, high) = {
            let tail = partition.lock();
            (tail.bounds, partition.high())
        };
        let unclean = high - bounds.clean_until.max(bounds.low);
        if (unclean <= bounds.clean_records && effort == Effort::Worth) || partition.is_deleted() {
            return Ok(());
        }
        let mut removed = Vec::new();
        let mut seen = 0;
        let mut last: HashMap<Bytes, Last> = HashMap::new();
        let mut next = bounds.low;
        while next < high {
            next = partition.read(&*self.storage, next, PAGE, &mut |stored| {
                let record = &stored.record;
                let Some(key) = record.key.as_ref().filter(|_| record.offset < high) else {
                    return;
                };
                seen += 1;
                let at_ms = stored.appended_at_ms;
                let expired = record.value.is_none() && at_ms < before.tombstones_before_ms;
                let this = Last { offset: record.offset, expired, replaceable: at_ms < before.replaced_before_ms };
                match last.get_mut(key) {
                    Some(earlier) => {
                        let earlier = std::mem::replace(earlier, this);
                        removed.extend(earlier.replaceable.then_some(earlier.offset));
                    }
                    // The key is copied, because it may be a slice that keeps a whole record in memory.
                    None => drop(last.insert(Bytes::copy_from_slice(key), this)),
                }
            })?;
        }
        // The partition's last record is kept, because it determines the next offset.
        removed.extend(last.values().filter(|last| last.expired && last.offset + 1 < high).map(|last| last.offset));
        removed.sort_unstable();
        let clean_records = seen - removed.len() as i64;
        let mut tail = partition.lock();
        if partition.is_deleted() {
            return Ok(());
        }
        let bounds = Bounds { low: tail.bounds.low, clean_until: high, clean_records };
        self.storage.write(&[Change::Remove { partition: partition.id, offsets: &removed, bounds }])?;
        // Without duplicate keys, as in changelogs of closed windows, the tail stays as it is.
        if !removed.is_empty() {
            tail.remove(&removed);
        }
        tail.bounds = bounds;
        Ok(())
    }
}
