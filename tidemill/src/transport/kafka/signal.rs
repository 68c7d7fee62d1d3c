//! Wakes a poll when one of many queues has something.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

/// Counts what arrived, so that nothing that comes between looking and waiting is slept over.
#[derive(Default)]
pub(super) struct Signal {
    arrivals: Mutex<u64>,
    woken: Condvar,
}

impl Signal {
    /// Something arrived.
    pub(super) fn tell(&self) {
        *self.arrivals.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.woken.notify_all();
    }

    /// How much arrived so far.
    pub(super) fn seen(&self) -> u64 {
        *self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until more than `seen` arrived, at most for `timeout`.
    pub(super) fn wait(&self, seen: u64, timeout: Duration) {
        let arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.woken.wait_timeout_while(arrivals, timeout, |arrivals| *arrivals == seen));
    }
}
