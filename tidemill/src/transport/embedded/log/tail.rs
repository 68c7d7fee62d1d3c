//! The newest records of a partition, in memory.

use std::collections::VecDeque;

use crate::transport::Offset;
use crate::transport::embedded::storage::{Bounds, Stored};

/// A chunk is closed at this size, in bytes. This limits the cost of growing, and the oldest chunk can be dropped as a
/// whole.
const CHUNK_BYTES: usize = 128 * 1024;

/// Records in offset order, with gaps. The tail holds every existing record from `start` on.
pub(in crate::transport::embedded) struct Tail {
    chunks: VecDeque<Chunk>,
    start: Offset,
    bytes: usize,
    /// The partition's bounds. The tail's lock guards them.
    pub(in crate::transport::embedded) bounds: Bounds,
    /// How the storage was last trimmed.
    pub(in crate::transport::embedded) trimmed: Trim,
}

/// A removal of dropped records from the storage.
#[derive(Clone, Copy)]
pub(in crate::transport::embedded) struct Trim {
    /// The offset up to which records were removed.
    pub(in crate::transport::embedded) to: Offset,
    pub(in crate::transport::embedded) at_ms: i64,
}

/// A chunk is never empty.
struct Chunk {
    records: Vec<Stored>,
    bytes: usize,
}

impl Chunk {
    fn last(&self) -> Offset {
        self.records.last().map_or(Offset::MIN, |stored| stored.record.offset)
    }
}

impl Tail {
    /// An empty tail of a partition whose next offset is `high`.
    pub(in crate::transport::embedded) fn new(bounds: Bounds, high: Offset) -> Self {
        Self { chunks: VecDeque::new(), start: high, bytes: 0, bounds, trimmed: Trim { to: 0, at_ms: i64::MIN } }
    }

    /// The offset from which on the tail is complete.
    pub(in crate::transport::embedded) fn start(&self) -> Offset {
        self.start
    }

    /// Appends records and drops the oldest chunks above `limit` bytes.
    pub(in crate::transport::embedded) fn append(&mut self, records: &mut Vec<Stored>, limit: Option<usize>) {
        let mut left = records.len();
        for stored in records.drain(..) {
            self.push(stored, left);
            left -= 1;
        }
        while limit.is_some_and(|limit| self.bytes > limit) && self.chunks.len() > 1 {
            if let Some(chunk) = self.chunks.pop_front() {
                self.bytes -= chunk.bytes;
                self.start = chunk.last() + 1;
            }
        }
    }

    /// Visits at most `max` records from offset `from` on. Returns the number of visited records.
    pub(in crate::transport::embedded) fn visit(
        &self,
        from: Offset,
        max: usize,
        visit: &mut dyn FnMut(&Stored),
    ) -> usize {
        let first = self.chunks.partition_point(|chunk| chunk.last() < from);
        let mut visited = 0;
        for chunk in self.chunks.range(first..) {
            let skip = chunk.records.partition_point(|stored| stored.record.offset < from);
            for stored in chunk.records[skip..].iter().take(max - visited) {
                visit(stored);
                visited += 1;
            }
            if visited == max {
                break;
            }
        }
        visited
    }

    /// Drops all records below an offset.
    pub(in crate::transport::embedded) fn drop_below(&mut self, low: Offset) {
        while self.chunks.front().is_some_and(|chunk| chunk.last() < low) {
            if let Some(chunk) = self.chunks.pop_front() {
                self.bytes -= chunk.bytes;
            }
        }
        self.start = self.start.max(low);
        self.retain_in_front(low);
    }

    /// Removes the records at these offsets, which must be sorted.
    pub(in crate::transport::embedded) fn remove(&mut self, offsets: &[Offset]) {
        self.bytes = 0;
        for chunk in std::mem::take(&mut self.chunks) {
            for stored in chunk.records {
                if offsets.binary_search(&stored.record.offset).is_err() {
                    self.push(stored, 1);
                }
            }
        }
    }

    /// Adds one record. The caller will add at least `expected` records, including this one.
    fn push(&mut self, stored: Stored, expected: usize) {
        let weight = stored.weight();
        self.bytes += weight;
        match self.chunks.back_mut() {
            Some(chunk) if chunk.bytes < CHUNK_BYTES => {
                chunk.bytes += weight;
                chunk.records.push(stored);
            }
            _ => {
                let mut records = Vec::with_capacity(expected.min(CHUNK_BYTES / weight + 1));
                records.push(stored);
                self.chunks.push_back(Chunk { records, bytes: weight });
            }
        }
    }

    fn retain_in_front(&mut self, low: Offset) {
        if let Some(chunk) = self.chunks.front_mut() {
            let gone = chunk.records.partition_point(|stored| stored.record.offset < low);
            let weight: usize = chunk.records.drain(..gone).map(|stored| stored.weight()).sum();
            chunk.bytes -= weight;
            self.bytes -= weight;
        }
    }
}
