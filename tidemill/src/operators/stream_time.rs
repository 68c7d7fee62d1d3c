//! The stream time of one operator: the highest timestamp that the operator has seen, or a later time after idleness if
//! the operator has an idle time. It is saved in the operator's store.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use bytes::Bytes;
use tidemill_state::{ByteSessionStore, ByteStore, ByteWindowStore, Row, StoreError, WindowKey};

use super::{Failure, Outcome, TaskContext};

const META: &str = "time";

/// The time, a cursor that follows it, and the start of the idle time.
#[derive(Debug, Clone)]
pub(crate) struct StreamTime {
    state: Rc<Cell<TimeState>>,
    idle_after_ms: Option<i64>,
}

#[derive(Debug, Clone, Copy)]
struct TimeState {
    /// -1 before the first record.
    now_ms: i64,
    /// The operator has finished everything that closed before this time.
    cursor_ms: i64,
    /// The time that was saved last.
    saved_ms: i64,
    /// Whether the time must be saved.
    changed: bool,
    /// Stream time when the last record came. Idle time counts from here.
    record_time_ms: i64,
    /// The task's idle clock when the last record came.
    busy_ms: i64,
}

impl StreamTime {
    /// A time with these values; the task's idle clock is 0.
    pub(crate) fn new(now_ms: i64, cursor_ms: i64, idle_after_ms: Option<i64>) -> Self {
        let state =
            TimeState { now_ms, cursor_ms, saved_ms: now_ms, changed: false, record_time_ms: now_ms, busy_ms: 0 };
        Self { state: Rc::new(Cell::new(state)), idle_after_ms }
    }

    /// Continues from what a store has saved. The store may still contain rows that were already emitted: they leave.
    pub(crate) fn open(store: &mut ByteWindowStore, idle_after_ms: Option<i64>) -> Result<Self, StoreError> {
        let (now_ms, cursor_ms) = saved_time(store.store())?.map_or((-1, 0), |saved| (saved.now_ms, saved.cursor_ms));
        store.expire_before(cursor_ms);
        Ok(Self::new(now_ms, cursor_ms, idle_after_ms))
    }

    #[inline]
    pub(crate) fn now_ms(&self) -> i64 {
        self.state.get().now_ms
    }

    #[inline]
    pub(crate) fn cursor_ms(&self) -> i64 {
        self.state.get().cursor_ms
    }

    /// Advances the time by a record.
    #[inline]
    pub(crate) fn observe(&self, ctx: &mut TaskContext, timestamp: i64) {
        let idle_clock_ms = ctx.idle_ms;
        self.change(ctx, |state| {
            state.now_ms = state.now_ms.max(timestamp);
            state.changed |= state.now_ms != state.saved_ms;
            state.record_time_ms = state.now_ms;
            state.busy_ms = idle_clock_ms;
        });
    }

    /// Sets the cursor: the operator has finished everything that closed before it.
    pub(crate) fn move_cursor(&self, ctx: &mut TaskContext, cursor_ms: i64) {
        self.change(ctx, |state| state.cursor_ms = cursor_ms);
    }

    /// Notes that this time had an effect. The time is then saved together with the effect.
    pub(crate) fn mark_changed(&self, ctx: &mut TaskContext) {
        if !self.state.get().changed {
            let state = TimeState { changed: true, ..self.state.get() };
            self.put(ctx, state);
        }
    }

    #[inline]
    fn change(&self, ctx: &mut TaskContext, change: impl FnOnce(&mut TimeState)) {
        let mut state = self.state.get();
        change(&mut state);
        self.put(ctx, state);
    }

    #[inline]
    fn put(&self, ctx: &mut TaskContext, state: TimeState) {
        ctx.on_undo(|_| {
            let (cell, old) = (self.state.clone(), self.state.get());
            move |_: &mut TaskContext| cell.set(old)
        });
        self.state.set(state);
    }

    /// Handles an advance of the task's idle clock: if no record came for the idle time, stream time advances. The new
    /// time needs no save until it closes a window.
    pub(crate) fn tick(&self, ctx: &TaskContext) {
        let mut state = self.state.get();
        let silent_ms = ctx.idle_ms - state.busy_ms;
        if state.record_time_ms >= 0 && self.idle_after_ms.is_some_and(|idle_after_ms| silent_ms >= idle_after_ms) {
            state.now_ms = state.now_ms.max(state.record_time_ms + silent_ms);
            self.state.set(state);
        }
    }

    /// Drops windows that start before `start` and notes the change. Without such windows and without another change,
    /// there is nothing to commit.
    pub(crate) fn expire(
        &self,
        ctx: &mut TaskContext,
        store: &mut ByteWindowStore,
        start: i64,
    ) -> Result<(), StoreError> {
        if self.state.get().changed || store.scan(0, start)?.next().is_some() {
            self.mark_changed(ctx);
            store.expire(start)?;
        }
        Ok(())
    }

    /// Emits the rows between the cursor and `below`, earliest first, and drops them. The cursor follows. Returns whether
    /// no row is left there: the task may have no room for more, and goes on in its next turn.
    pub(crate) fn finish_before(
        &self,
        ctx: &mut TaskContext,
        rows: &RefCell<ByteWindowStore>,
        below: i64,
        mut emit: impl FnMut(&mut TaskContext, Bytes, Row) -> Outcome,
    ) -> Result<bool, Box<Failure>> {
        while rows.borrow().first_start_at_least() < below {
            let first = rows.borrow().scan(self.cursor_ms(), below)?.next().transpose()?;
            let Some((WindowKey { start, .. }, _)) = first else { break };
            self.mark_changed(ctx);
            let due = rows.borrow().scan(start, start + 1)?.collect::<Result<Vec<_>, _>>()?;
            for (at, row) in due {
                emit(ctx, at.key, row)?;
            }
            self.move_cursor(ctx, start + 1);
            if ctx.is_full() {
                ctx.unfinished = true;
                return Ok(false);
            }
        }
        self.expire(ctx, &mut rows.borrow_mut(), below)?;
        Ok(true)
    }

    /// Saves the time and a cursor in each store, to be committed with the effects that the time caused. A reader of
    /// one store alone then knows which of its rows have expired.
    pub(crate) fn save<'a>(&self, stores: impl IntoIterator<Item = (&'a RefCell<ByteWindowStore>, i64)>) {
        let state = self.state.get();
        if state.changed {
            stores.into_iter().for_each(|(store, cursor_ms)| {
                write_time(store.borrow_mut().store_mut(), state.now_ms, cursor_ms, None);
            });
            self.state.set(TimeState { changed: false, saved_ms: state.now_ms, ..state });
        }
    }

    /// The time, if it must be saved. It then counts as saved.
    pub(crate) fn take_changed(&self) -> Option<i64> {
        let state = self.state.get();
        state.changed.then(|| {
            self.state.set(TimeState { changed: false, saved_ms: state.now_ms, ..state });
            state.now_ms
        })
    }

    /// As [`save`](Self::save) for one store, with the last emitted key of the window at the cursor.
    pub(crate) fn save_within(&self, store: &RefCell<ByteWindowStore>, emitted: Option<&[u8]>) {
        let state = self.state.get();
        if state.changed {
            write_time(store.borrow_mut().store_mut(), state.now_ms, state.cursor_ms, emitted);
        }
    }

    /// As [`save`](Self::save) for one store of sessions, with the last session that was finished at the cursor.
    pub(crate) fn save_in_sessions(&self, store: &mut ByteSessionStore, finished: Option<&[u8]>) {
        let state = self.state.get();
        if state.changed {
            write_time(store.store_mut(), state.now_ms, state.cursor_ms, finished);
            self.state.set(TimeState { changed: false, saved_ms: state.now_ms, ..state });
        }
    }
}

/// Writes a time and a cursor to a store.
pub(crate) fn write_time(store: &mut ByteStore, now_ms: i64, cursor_ms: i64, emitted: Option<&[u8]>) {
    let mut raw = Vec::with_capacity(16);
    raw.extend_from_slice(&now_ms.to_be_bytes());
    raw.extend_from_slice(&cursor_ms.to_be_bytes());
    if let Some(key) = emitted {
        raw.push(1);
        raw.extend_from_slice(key);
    }
    store.set_meta(META, Bytes::from(raw));
}

/// The part of an operator's time that its store keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SavedTime {
    pub(crate) now_ms: i64,
    pub(crate) cursor_ms: i64,
    /// The last key that was emitted of the window at the cursor.
    pub(crate) emitted: Option<Bytes>,
}

/// The saved stream time and cursor, if the store has them.
pub(crate) fn saved_time(store: &ByteStore) -> Result<Option<SavedTime>, StoreError> {
    let Some(saved) = store.meta(META)? else { return Ok(None) };
    let read = |at: usize| {
        let raw = saved.get(at..at + 8)?;
        Some(i64::from_be_bytes(raw.try_into().ok()?))
    };
    let emitted = (saved.len() > 16).then(|| saved.slice(17..));
    Ok(read(0).map(|now_ms| SavedTime { now_ms, cursor_ms: read(8).unwrap_or(0), emitted }))
}
