//! When something is due, in order.

use std::collections::BTreeSet;

use super::CallId;

/// What happens at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A call comes back to the queue.
    Resume(CallId),
    /// An attempt has taken too long.
    Timeout(CallId, u32),
    /// A second attempt starts beside a slow one.
    Hedge(CallId, u32),
    /// An answer is no longer useful.
    Deadline(CallId),
    /// An attempt that was given up has still not told what it consumed.
    GivenUp(CallId, u32),
}

/// Timers of calls. Those of calls that ended do no harm: they find nothing to do.
#[derive(Debug, Default)]
pub(super) struct Timers {
    due: BTreeSet<(i64, Timer)>,
}

impl Timers {
    pub(super) fn set(&mut self, at_ms: i64, timer: Timer) {
        self.due.insert((at_ms, timer));
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
}
