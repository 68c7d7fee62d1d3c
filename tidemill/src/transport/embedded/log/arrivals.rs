//! Wakes clients that wait for records or for a change of their group.

use std::{
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Counts arrivals. Without waiting clients, telling costs only one addition.
#[derive(Default)]
pub(in crate::transport::embedded) struct Arrivals {
    count: AtomicU64,
    waiting: AtomicUsize,
    gate: Mutex<()>,
    bell: Condvar,
}

impl Arrivals {
    /// The number of arrivals so far. Read it before looking for work.
    pub(in crate::transport::embedded) fn seen(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// Counts an arrival and wakes the waiting clients.
    pub(in crate::transport::embedded) fn tell(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        // A waiting client registers before it compares the counts. Either it sees this count, or this thread sees that
        // it waits.
        if self.waiting.load(Ordering::SeqCst) > 0 {
            drop(self.gate.lock().unwrap_or_else(PoisonError::into_inner));
            self.bell.notify_all();
        }
    }

    /// Waits until an arrival after `seen`, at most for `timeout`.
    pub(in crate::transport::embedded) fn wait(&self, seen: u64, timeout: Duration) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.bell.wait_timeout_while(gate, timeout, |()| self.seen() == seen);
        drop(waited);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
