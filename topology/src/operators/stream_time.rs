//! Stream time of one operator: the highest timestamp *it* has seen, moved on by idleness if so configured. Persisted
//! with the operator's store.

use std::cell::RefCell;

use bytes::Bytes;
use tidemill_state::{StoreError, WindowStore};

const META: &str = "time";

/// The time, and what idleness is counted from.
#[derive(Debug, Clone)]
pub(crate) struct StreamTime {
    /// -1 before the first record.
    pub(crate) now: i64,
    /// Whether there is something to save.
    pub(crate) changed: bool,
    idle_ms: Option<i64>,
    /// Stream time when the last record came: where idleness counts from.
    record_time: i64,
    /// Wall time when the last record came or the task was last behind.
    busy_wall_ms: i64,
}

impl StreamTime {
    pub(crate) const fn new(now: i64, idle_ms: Option<i64>, wall_ms: i64) -> Self {
        Self { now, changed: false, idle_ms, record_time: now, busy_wall_ms: wall_ms }
    }

    /// Keeps time and a cursor in each store, to be committed with what was done at it: whoever follows one alone then
    /// knows what of it is expired.
    pub(crate) fn save<'a>(&mut self, stores: impl IntoIterator<Item = (&'a RefCell<WindowStore>, i64)>) {
        if std::mem::take(&mut self.changed) {
            stores.into_iter().for_each(|(store, cursor)| self.write(&mut store.borrow_mut(), cursor));
        }
    }

    /// The same, changed or not.
    pub(crate) fn write(&self, store: &mut WindowStore, cursor: i64) {
        let mut raw = Vec::with_capacity(16);
        raw.extend_from_slice(&self.now.to_be_bytes());
        raw.extend_from_slice(&cursor.to_be_bytes());
        store.store_mut().set_meta(META, Bytes::from(raw));
    }

    /// A record came.
    #[inline]
    pub(crate) fn observe(&mut self, timestamp: i64, wall_ms: i64) {
        if timestamp > self.now {
            self.now = timestamp;
            self.changed = true;
        }
        self.record_time = self.now;
        self.busy_wall_ms = wall_ms;
    }

    /// The wall clock ticked. Time moves on if everything is read and nothing came for the idle time.
    pub(crate) fn tick(&mut self, wall_ms: i64, caught_up: bool) {
        if !caught_up {
            self.record_time = self.now;
            self.busy_wall_ms = wall_ms;
        }
        let silent_ms = wall_ms - self.busy_wall_ms;
        if self.record_time >= 0 && self.idle_ms.is_some_and(|idle| silent_ms >= idle) {
            let time = self.record_time + silent_ms;
            if time > self.now {
                self.now = time;
                self.changed = true;
            }
        }
    }
}

/// Stream time and the cursor, if they were saved.
pub(crate) fn saved_time(store: &WindowStore) -> Result<Option<(i64, i64)>, StoreError> {
    let saved = store.store().meta(META)?;
    let read = |at: usize| {
        let raw = saved.as_ref()?.get(at..at + 8)?;
        Some(i64::from_be_bytes(raw.try_into().ok()?))
    };
    Ok(read(0).map(|stream_time| (stream_time, read(8).unwrap_or(0))))
}
