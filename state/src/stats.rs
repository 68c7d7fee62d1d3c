//! What a store counts, for metrics.

use std::cell::Cell;

/// Counters of a store since it was opened, and its sizes now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Rows looked up.
    pub gets: u64,
    /// Rows written.
    pub puts: u64,
    /// Rows deleted.
    pub deletes: u64,
    /// Scans begun.
    pub scans: u64,
    /// Rows and deletions that reached the backend through commits.
    pub rows_committed: u64,
    /// Memory that uncommitted writes hold.
    pub overlay_bytes: u64,
    /// Memory and disk that the backend holds, roughly.
    pub size_bytes: u64,
}

/// Counts behind `&self`: a store belongs to one thread at a time.
#[derive(Debug, Default)]
pub(crate) struct Counter(Cell<u64>);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.set(self.0.get() + count);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.get()
    }
}
