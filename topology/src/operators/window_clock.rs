//! A windowed operator's time: which windows are open, which just closed. Persisted with the operator's store.

use bytes::Bytes;
use tidemill_state::{StoreError, WindowStore};

use crate::dsl::{EmitStrategy, TimeWindows, Window};

const META: &str = "time";

/// Stream time of one operator: the highest timestamp *it* has seen, moved on by idleness if so configured.
#[derive(Debug, Clone)]
pub(crate) struct WindowClock {
    windows: TimeWindows,
    idle_ms: Option<i64>,
    /// -1 before the first record.
    stream_time: i64,
    /// Windows that start below this are closed and dealt with.
    closed_below: i64,
    /// Stream time when the last record came: where idleness counts from.
    record_time: i64,
    /// Wall time when the last record came or the task was last behind.
    busy_wall_ms: i64,
    changed: bool,
}

impl WindowClock {
    /// Takes up where the store left off.
    pub(crate) fn open(
        windows: TimeWindows,
        emit: EmitStrategy,
        store: &WindowStore,
        wall_ms: i64,
    ) -> Result<Self, StoreError> {
        let (stream_time, closed_below) = saved_time(store)?.unwrap_or((-1, 0));
        Ok(Self {
            windows,
            idle_ms: emit.idle_ms(),
            stream_time,
            closed_below,
            record_time: stream_time,
            busy_wall_ms: wall_ms,
            changed: false,
        })
    }

    /// Keeps the time in the store, to be committed with what was done at it.
    pub(crate) fn save(&mut self, store: &mut WindowStore) {
        if std::mem::take(&mut self.changed) {
            let mut raw = Vec::with_capacity(16);
            raw.extend_from_slice(&self.stream_time.to_be_bytes());
            raw.extend_from_slice(&self.closed_below.to_be_bytes());
            store.store_mut().set_meta(META, Bytes::from(raw));
        }
    }

    /// A record came; its timestamp counts before it is judged late or not.
    #[inline]
    pub(crate) fn observe(&mut self, timestamp: i64, wall_ms: i64) {
        if timestamp > self.stream_time {
            self.stream_time = timestamp;
            self.changed = true;
        }
        self.record_time = self.stream_time;
        self.busy_wall_ms = wall_ms;
    }

    /// The wall clock ticked. Time moves on if everything is read and nothing came for the idle time.
    pub(crate) fn tick(&mut self, wall_ms: i64, caught_up: bool) {
        if !caught_up {
            self.record_time = self.stream_time;
            self.busy_wall_ms = wall_ms;
        }
        let silent_ms = wall_ms - self.busy_wall_ms;
        if self.record_time >= 0 && self.idle_ms.is_some_and(|idle| silent_ms >= idle) {
            let time = self.record_time + silent_ms;
            if time > self.stream_time {
                self.stream_time = time;
                self.changed = true;
            }
        }
    }

    /// The windows of a timestamp.
    pub(crate) fn windows_for(&self, timestamp: i64) -> impl Iterator<Item = Window> + use<> {
        self.windows.windows_for(timestamp)
    }

    /// Whether a window still takes records: until stream time is at its end plus grace.
    #[inline]
    pub(crate) fn is_open(&self, window: Window) -> bool {
        window.end > self.stream_time - self.windows.grace_ms && window.start >= self.closed_below
    }

    /// The windows that closed since the last call, as a range of starts, the upper one exclusive.
    #[inline]
    pub(crate) fn newly_closed(&mut self) -> Option<(i64, i64)> {
        let TimeWindows { size_ms, advance_ms, grace_ms } = self.windows;
        let last_start = self.stream_time - grace_ms - size_ms;
        if last_start < self.closed_below {
            return None;
        }
        let from = self.closed_below;
        self.closed_below = last_start / advance_ms * advance_ms + advance_ms;
        self.changed = true;
        Some((from, self.closed_below))
    }

    /// The window that starts there.
    pub(crate) fn window_at(&self, start: i64) -> Window {
        Window { start, end: start + self.windows.size_ms }
    }

    /// Windows that start below this are past their retention.
    pub(crate) fn expired_below(&self, retention_ms: i64) -> i64 {
        expired_below(self.stream_time, self.closed_below, retention_ms)
    }

    /// The same for whoever has no clock, but a store in which one was saved.
    pub(crate) fn expired_below_in(store: &WindowStore) -> Result<Option<i64>, StoreError> {
        let saved = saved_time(store)?;
        Ok(saved.map(|(stream_time, closed_below)| expired_below(stream_time, closed_below, store.retention_ms())))
    }

    pub(crate) fn stream_time(&self) -> i64 {
        self.stream_time
    }
}

/// Stream time and the close cursor, if a clock was saved.
fn saved_time(store: &WindowStore) -> Result<Option<(i64, i64)>, StoreError> {
    let saved = store.store().meta(META)?;
    let read = |at: usize| {
        let raw = saved.as_ref()?.get(at..at + 8)?;
        Some(i64::from_be_bytes(raw.try_into().ok()?))
    };
    Ok(read(0).map(|stream_time| (stream_time, read(8).unwrap_or(0))))
}

fn expired_below(stream_time: i64, closed_below: i64, retention_ms: i64) -> i64 {
    (stream_time - retention_ms + 1).min(closed_below).max(0)
}
