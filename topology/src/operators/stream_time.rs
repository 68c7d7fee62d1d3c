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
    idle_after_ms: Option<i64>,
    /// Stream time when the last record came: where idleness counts from.
    record_time: i64,
    /// The task's idle clock when the last record came.
    busy_idle_ms: i64,
}

impl StreamTime {
    pub(crate) const fn new(now: i64, idle_after_ms: Option<i64>) -> Self {
        Self { now, changed: false, idle_after_ms, record_time: now, busy_idle_ms: 0 }
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

    /// A record came, when the task's idle clock stood at `idle_ms`.
    #[inline]
    pub(crate) fn observe(&mut self, timestamp: i64, idle_ms: i64) {
        if timestamp > self.now {
            self.now = timestamp;
            self.changed = true;
        }
        self.record_time = self.now;
        self.busy_idle_ms = idle_ms;
    }

    /// The task's idle clock stands at `idle_ms`. Time moves on with it once it went on for the idle time without a
    /// record.
    pub(crate) fn tick(&mut self, idle_ms: i64) {
        let silent_ms = idle_ms - self.busy_idle_ms;
        if self.record_time >= 0 && self.idle_after_ms.is_some_and(|idle_after| silent_ms >= idle_after) {
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
