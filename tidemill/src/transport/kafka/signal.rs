//! Wakes a poll when one of many queues has an entry.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

/// Counts events, so an event between a check and the wait after it is not missed.
#[derive(Default)]
pub(super) struct Signal {
    arrivals: Mutex<u64>,
    woken: Condvar,
}

impl Signal {
    /// Counts an event and wakes the waiting poll.
    pub(super) fn tell(&self) {
        *self.arrivals.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.woken.notify_all();
    }

    /// The number of events so far.
    pub(super) fn seen(&self) -> u64 {
        *self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there were more than `seen` events, at most for `timeout`.
    pub(super) fn wait(&self, seen: u64, timeout: Duration) {
        let arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.woken.wait_timeout_while(arrivals, timeout, |arrivals| *arrivals == seen));
    }
}
