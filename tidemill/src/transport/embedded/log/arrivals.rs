//! Wakes those who wait for records or for a change of their group.

use std::{
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Counts arrivals. Telling costs one addition while nobody waits.
#[derive(Default)]
pub(in crate::transport::embedded) struct Arrivals {
    count: AtomicU64,
    waiting: AtomicUsize,
    gate: Mutex<()>,
    bell: Condvar,
}

impl Arrivals {
    /// What has arrived so far; to be read before looking for something to do.
    pub(in crate::transport::embedded) fn seen(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// Something arrived.
    pub(in crate::transport::embedded) fn tell(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        // A waiter registers before it compares counts, so either it sees this count or we see it waiting.
        if self.waiting.load(Ordering::SeqCst) > 0 {
            drop(self.gate.lock().unwrap_or_else(PoisonError::into_inner));
            self.bell.notify_all();
        }
    }

    /// Waits until something arrived after `seen`, at most `timeout`.
    pub(in crate::transport::embedded) fn wait(&self, seen: u64, timeout: Duration) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.bell.wait_timeout_while(gate, timeout, |()| self.seen() == seen);
        drop(waited);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
