//! A windowed operator's time: which windows are open, which just closed. Persisted with the operator's store.

use std::cell::RefCell;

use tidemill_state::{StoreError, WindowStore};

use super::stream_time::{StreamTime, saved_time};
use crate::dsl::{EmitStrategy, TimeWindows, Window};

/// Stream time of one windowed operator, and which of its windows are closed.
#[derive(Debug, Clone)]
pub(crate) struct WindowClock {
    windows: TimeWindows,
    time: StreamTime,
    /// Windows that start below this are closed and dealt with.
    closed_below: i64,
}

impl WindowClock {
    /// Takes up where the store left off.
    pub(crate) fn open(windows: TimeWindows, emit: EmitStrategy, store: &WindowStore) -> Result<Self, StoreError> {
        let (stream_time, closed_below) = saved_time(store)?.unwrap_or((-1, 0));
        Ok(Self { windows, time: StreamTime::new(stream_time, emit.idle_ms()), closed_below })
    }

    /// Keeps the time in each store, to be committed with what was done at it.
    pub(crate) fn save<const N: usize>(&mut self, stores: [&RefCell<WindowStore>; N]) {
        self.time.save(stores.map(|store| (store, self.closed_below)));
    }

    /// A record came; its timestamp counts before it is judged late or not.
    #[inline]
    pub(crate) fn observe(&mut self, timestamp: i64, idle_ms: i64) {
        self.time.observe(timestamp, idle_ms);
    }

    /// The task's idle clock went on; see [`StreamTime::tick`].
    pub(crate) fn tick(&mut self, idle_ms: i64) {
        self.time.tick(idle_ms);
    }

    /// The windows of a timestamp.
    pub(crate) fn windows_for(&self, timestamp: i64) -> impl Iterator<Item = Window> + use<> {
        self.windows.windows_for(timestamp)
    }

    /// Whether a window still takes records: until stream time is at its end plus grace.
    #[inline]
    pub(crate) fn is_open(&self, window: Window) -> bool {
        window.end > self.time.now - self.windows.grace_ms && window.start >= self.closed_below
    }

    /// The windows that closed since the last call, as a range of starts, the upper one exclusive.
    #[inline]
    pub(crate) fn newly_closed(&mut self) -> Option<(i64, i64)> {
        let TimeWindows { size_ms, advance_ms, grace_ms } = self.windows;
        let last_start = self.time.now - grace_ms - size_ms;
        if last_start < self.closed_below {
            return None;
        }
        let from = self.closed_below;
        self.closed_below = last_start / advance_ms * advance_ms + advance_ms;
        self.time.changed = true;
        Some((from, self.closed_below))
    }

    /// The window that starts there.
    pub(crate) fn window_at(&self, start: i64) -> Window {
        Window { start, end: start + self.windows.size_ms }
    }

    /// Windows that start below this are past their retention.
    pub(crate) fn expired_below(&self, retention_ms: i64) -> i64 {
        expired_below(self.time.now, self.closed_below, retention_ms)
    }

    /// The same for whoever has no clock, but a store in which one was saved.
    pub(crate) fn expired_below_in(store: &WindowStore) -> Result<Option<i64>, StoreError> {
        let saved = saved_time(store)?;
        Ok(saved.map(|(stream_time, closed_below)| expired_below(stream_time, closed_below, store.retention_ms())))
    }

    pub(crate) fn stream_time(&self) -> i64 {
        self.time.now
    }
}

fn expired_below(stream_time: i64, closed_below: i64, retention_ms: i64) -> i64 {
    (stream_time - retention_ms + 1).min(closed_below).max(0)
}
