//! The stream time of an operator of sessions: which sessions are open, and which have just closed. The time is saved in
//! the operator's store.

use std::{cell::RefCell, rc::Rc};

use bytes::Bytes;
use tidemill_state::{ByteSessionStore, SessionKey, StoreError};

use super::{
    TaskContext,
    stream_time::{StreamTime, saved_time},
};
use crate::windows::{EmitStrategy, SessionWindows};

/// A time that all keys of the partition share. The cursor is the end of the session that was finished last, in the
/// order of ends.
#[derive(Debug, Clone)]
pub(crate) struct SessionClock {
    pub(super) windows: SessionWindows,
    time: StreamTime,
    /// The session at the cursor that was finished last; `None` if none that ends there was.
    finished: Rc<RefCell<Option<SessionKey>>>,
}

impl SessionClock {
    /// Continues from the store's contents.
    pub(crate) fn open(
        windows: SessionWindows,
        emit: EmitStrategy,
        store: &ByteSessionStore,
    ) -> Result<Self, StoreError> {
        let saved = saved_time(store.store())?;
        let (now_ms, cursor_ms) = saved.as_ref().map_or((-1, 0), |saved| (saved.now_ms, saved.cursor_ms));
        let finished = saved.and_then(|saved| saved.emitted).and_then(|raw| read(raw, cursor_ms));
        let time = StreamTime::new(now_ms, cursor_ms, emit.idle_ms());
        Ok(Self { windows, time, finished: Rc::new(RefCell::new(finished)) })
    }

    /// Saves the time in the store, to be committed with the effects that it caused.
    pub(crate) fn save(&self, store: &mut ByteSessionStore) {
        let finished = self.finished.borrow();
        let raw = finished.as_ref().map(|SessionKey { key, start, .. }| [&start.to_be_bytes(), &**key].concat());
        self.time.save_in_sessions(store, raw.as_deref());
    }

    /// Advances the time by a record. The timestamp counts before the record is judged late or not.
    pub(crate) fn observe(&self, ctx: &mut TaskContext, timestamp: i64) {
        self.time.observe(ctx, timestamp);
    }

    /// Handles an advance of the task's idle clock.
    pub(crate) fn tick(&self, ctx: &TaskContext) {
        self.time.tick(ctx);
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.time.now_ms()
    }

    /// Sessions that end before this time are closed.
    pub(crate) fn closed_below_ms(&self) -> i64 {
        self.time.now_ms().saturating_sub(self.windows.retention_ms()).max(self.time.cursor_ms())
    }

    /// The first closed session that is not finished.
    pub(crate) fn next_closed(&self, store: &mut ByteSessionStore) -> Result<Option<SessionKey>, StoreError> {
        store.next_by_end(self.time.cursor_ms(), self.closed_below_ms(), self.finished.borrow().as_ref())
    }

    /// Marks a session as finished, with all that come before it.
    pub(crate) fn finish(&self, ctx: &mut TaskContext, session: SessionKey) {
        self.time.mark_changed(ctx);
        self.time.move_cursor(ctx, session.end);
        self.set_finished(ctx, Some(session));
    }

    /// Marks all closed sessions as finished.
    pub(crate) fn finish_closed(&self, ctx: &mut TaskContext) {
        let closed_below_ms = self.closed_below_ms();
        if closed_below_ms > self.time.cursor_ms() {
            self.time.move_cursor(ctx, closed_below_ms);
            self.set_finished(ctx, None);
        }
    }

    fn set_finished(&self, ctx: &mut TaskContext, finished: Option<SessionKey>) {
        let old = self.finished.replace(finished);
        ctx.on_undo(|_| {
            let cell = self.finished.clone();
            move |_: &mut TaskContext| drop(cell.replace(old))
        });
    }

    /// Notes that the time had an effect: it must be committed with it.
    pub(crate) fn mark_changed(&self, ctx: &mut TaskContext) {
        self.time.mark_changed(ctx);
    }

    /// Sessions that end before this time are past their retention.
    pub(crate) fn expired_below_ms(&self, retention_ms: i64) -> i64 {
        self.time.now_ms().saturating_sub(retention_ms).saturating_add(1).min(self.time.cursor_ms())
    }
}

/// Reads the start and the key of a finished session.
fn read(mut raw: Bytes, end: i64) -> Option<SessionKey> {
    let start = i64::from_be_bytes(raw.get(..size_of::<i64>())?.try_into().ok()?);
    let key = raw.split_off(size_of::<i64>());
    Some(SessionKey { key, end, start })
}
