//! A windowed operator's time if all keys of a partition share one: which windows are open, and which have just closed.
//! The time is saved in the operator's store.

use crate::windows::{EmitStrategy, TimeWindows, Window};
use std::{cell::RefCell, ops::Range, rc::Rc};

use bytes::Bytes;
use tidemill_state::{ByteWindowStore, StoreError};

use super::{
    OpenWindows, TaskContext,
    stream_time::{StreamTime, saved_time},
};

/// The stream time of one windowed operator, and which of its windows are closed.
///
/// A large window is closed in steps: the cursor is at its start, and `emitted` is the last key whose result was
/// emitted.
#[derive(Debug, Clone)]
pub(crate) struct WindowClock {
    windows: TimeWindows,
    time: StreamTime,
    emitted: Rc<RefCell<Option<Bytes>>>,
}

impl WindowClock {
    /// Continues from the store's contents.
    pub(crate) fn open(windows: TimeWindows, emit: EmitStrategy, store: &ByteWindowStore) -> Result<Self, StoreError> {
        let saved = saved_time(store.store())?;
        let (now_ms, cursor_ms) = saved.as_ref().map_or((-1, 0), |saved| (saved.now_ms, saved.cursor_ms));
        let emitted = saved.and_then(|saved| saved.emitted);
        Ok(Self {
            windows,
            time: StreamTime::new(now_ms, cursor_ms, emit.idle_ms()),
            emitted: Rc::new(RefCell::new(emitted)),
        })
    }

    /// Saves the time in each store, to be committed with the effects that it caused.
    pub(crate) fn save<'a>(&self, stores: impl IntoIterator<Item = &'a RefCell<ByteWindowStore>>) {
        let emitted = self.emitted.borrow();
        stores.into_iter().for_each(|store| self.time.save_within(store, emitted.as_deref()));
        self.time.save([]);
    }

    /// Advances the time by a record. The timestamp counts before the record is judged late or not.
    #[inline]
    pub(crate) fn observe(&self, ctx: &mut TaskContext, timestamp: i64) {
        self.time.observe(ctx, timestamp);
    }

    /// Handles an advance of the task's idle clock.
    pub(crate) fn tick(&self, ctx: &TaskContext) {
        self.time.tick(ctx);
    }

    pub(crate) fn windows(&self) -> TimeWindows {
        self.windows
    }

    /// Windows accept records until stream time reaches their end plus grace.
    #[inline]
    pub(crate) fn open_windows(&self) -> OpenWindows {
        OpenWindows { ends_after_ms: self.time.now_ms() - self.windows.grace_ms, starts_from_ms: self.time.cursor_ms() }
    }

    /// The windows that are closed but not finished, as a range of their starts.
    #[inline]
    pub(crate) fn closed(&self) -> Option<Range<i64>> {
        let TimeWindows { size_ms, advance_ms, grace_ms, .. } = self.windows;
        let (from, last_start) = (self.time.cursor_ms(), self.time.now_ms() - grace_ms - size_ms);
        (last_start >= from).then(|| from..last_start / advance_ms * advance_ms + advance_ms)
    }

    /// The last key that was finished in the window at the lower end of [`closed`](Self::closed).
    pub(crate) fn emitted(&self) -> Option<Bytes> {
        self.emitted.borrow().clone()
    }

    /// Marks the windows that start before `to` as finished, and the window at `to` up to the key `emitted`.
    pub(crate) fn close_up_to(&self, ctx: &mut TaskContext, to: i64, emitted: Option<Bytes>) {
        self.time.move_cursor(ctx, to);
        let old = self.emitted.replace(emitted);
        ctx.on_undo(|_| {
            let cell = self.emitted.clone();
            move |_: &mut TaskContext| drop(cell.replace(old))
        });
    }

    /// Notes that closed windows had an effect: the time must be committed with it.
    pub(crate) fn mark_changed(&self, ctx: &mut TaskContext) {
        self.time.mark_changed(ctx);
    }

    /// [`StreamTime::expire`].
    pub(crate) fn expire(
        &self,
        ctx: &mut TaskContext,
        store: &mut ByteWindowStore,
        start: i64,
    ) -> Result<(), StoreError> {
        self.time.expire(ctx, store, start)
    }

    /// The window that starts at `start`.
    pub(crate) fn window_at(&self, start: i64) -> Window {
        Window { start, end: start + self.windows.size_ms }
    }

    /// Windows that start before this time are past their retention.
    pub(crate) fn expired_below(&self, retention_ms: i64) -> i64 {
        expired_below(self.time.now_ms(), self.time.cursor_ms(), retention_ms)
    }

    /// As [`expired_below`](Self::expired_below), from the time that a store keeps. If windows end key by key, the
    /// store keeps no such time, and rows do not expire by their start: the owner deletes each window, and the
    /// changelog contains the deletions.
    pub(crate) fn expired_below_in(store: &ByteWindowStore) -> Result<Option<i64>, StoreError> {
        let saved = saved_time(store.store())?;
        Ok(saved.map(|saved| expired_below(saved.now_ms, saved.cursor_ms, store.retention_ms())))
    }

    /// Windows that start before this time are finished.
    pub(crate) fn closed_below(&self) -> i64 {
        self.time.cursor_ms()
    }

    pub(crate) fn stream_time_ms(&self) -> i64 {
        self.time.now_ms()
    }
}

fn expired_below(stream_time_ms: i64, closed_below_ms: i64, retention_ms: i64) -> i64 {
    (stream_time_ms - retention_ms + 1).min(closed_below_ms).max(0)
}
