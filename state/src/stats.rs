//! The metrics of a store.

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
    /// Scans that were started.
    pub scans: u64,
    /// Rows and deletions that commits wrote to the backend.
    pub rows_committed: u64,
    /// The memory that uncommitted writes use, in bytes.
    pub overlay_bytes: u64,
    /// The memory and disk space that the backend uses, approximately, in bytes.
    pub size_bytes: u64,
}

/// A counter that counts through `&self`. A store belongs to one thread at a time.
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
