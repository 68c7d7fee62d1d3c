//! When something is due, in order.

use std::collections::BTreeSet;

use super::CallId;

/// What happens at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// An answer is no longer useful. It comes first: an attempt that ends with its call says nothing about its route.
    Deadline(CallId),
    /// A call comes back to the queue.
    Resume(CallId),
    /// An attempt has taken too long.
    Timeout(CallId, u32),
    /// A second attempt starts beside a slow one.
    Hedge(CallId, u32),
    /// An attempt that was given up has still not told what it consumed.
    GivenUp(CallId, u32),
}

/// Timers of calls. Those of calls that ended do no harm: they find nothing to do. The long ones are cleared, so that
/// they take no memory.
#[derive(Debug, Default)]
pub(super) struct Timers {
    due: BTreeSet<(i64, Timer)>,
}

impl Timers {
    pub(super) fn set(&mut self, at_ms: i64, timer: Timer) {
        self.due.insert((at_ms, timer));
    }

    pub(super) fn clear(&mut self, at_ms: i64, timer: Timer) {
        self.due.remove(&(at_ms, timer));
    }

    /// The next timer that is due.
    pub(super) fn next(&mut self, now_ms: i64) -> Option<Timer> {
        let (at_ms, _) = self.due.first()?;
        if *at_ms > now_ms {
            return None;
        }
        self.due.pop_first().map(|(_, timer)| timer)
    }

    /// When the next timer is due.
    pub(super) fn next_ms(&self) -> Option<i64> {
        self.due.first().map(|(at_ms, _)| *at_ms)
    }

    #[cfg(test)]
    pub(super) const fn all(&self) -> &BTreeSet<(i64, Timer)> {
        &self.due
    }
}
