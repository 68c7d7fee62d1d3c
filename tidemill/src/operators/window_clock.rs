//! A windowed operator's time, where all keys of a partition share one: which windows are open, which just closed.
//! Persisted with the operator's store.

use crate::windows::{EmitStrategy, TimeWindows, Window};
use std::{cell::RefCell, rc::Rc};

use bytes::Bytes;
use tidemill_state::{StoreError, WindowStore};

use super::{
    OpenWindows, TaskContext,
    stream_time::{StreamTime, saved_time},
};

/// Stream time of one windowed operator, and which of its windows are closed.
///
/// A window is closed in steps if it is large: the cursor stands at its start, and `emitted` says up to which key its
/// results are out.
#[derive(Debug, Clone)]
pub(crate) struct WindowClock {
    windows: TimeWindows,
    time: StreamTime,
    emitted: Rc<RefCell<Option<Bytes>>>,
}

impl WindowClock {
    /// Takes up where the store left off.
    pub(crate) fn open(windows: TimeWindows, emit: EmitStrategy, store: &WindowStore) -> Result<Self, StoreError> {
        let saved = saved_time(store)?;
        let (now, cursor) = saved.as_ref().map_or((-1, 0), |saved| (saved.now, saved.cursor));
        let emitted = saved.and_then(|saved| saved.emitted);
        Ok(Self {
            windows,
            time: StreamTime::new(now, cursor, emit.idle_ms()),
            emitted: Rc::new(RefCell::new(emitted)),
        })
    }

    /// Keeps the time in each store, to be committed with what was done at it.
    pub(crate) fn save<'a>(&self, stores: impl IntoIterator<Item = &'a RefCell<WindowStore>>) {
        let emitted = self.emitted.borrow();
        stores.into_iter().for_each(|store| self.time.save_within(store, emitted.as_deref()));
        self.time.save([]);
    }

    /// A record came; its timestamp counts before it is judged late or not.
    #[inline]
    pub(crate) fn observe(&self, ctx: &mut TaskContext, timestamp: i64) {
        self.time.observe(ctx, timestamp);
    }

    /// The task's idle clock went on.
    pub(crate) fn tick(&self, ctx: &TaskContext) {
        self.time.tick(ctx);
    }

    pub(crate) fn windows(&self) -> TimeWindows {
        self.windows
    }

    /// Windows take records until stream time is at their end plus grace.
    #[inline]
    pub(crate) fn open_windows(&self) -> OpenWindows {
        OpenWindows { ends_after: self.time.now() - self.windows.grace_ms, starts_from: self.time.cursor() }
    }

    /// The windows that are closed and not dealt with, as a range of starts, the upper one exclusive.
    #[inline]
    pub(crate) fn closed(&self) -> Option<(i64, i64)> {
        let TimeWindows { size_ms, advance_ms, grace_ms, .. } = self.windows;
        let (from, last_start) = (self.time.cursor(), self.time.now() - grace_ms - size_ms);
        (last_start >= from).then(|| (from, last_start / advance_ms * advance_ms + advance_ms))
    }

    /// Up to which key the window at the lower end of [`closed`](Self::closed) was dealt with.
    pub(crate) fn emitted(&self) -> Option<Bytes> {
        self.emitted.borrow().clone()
    }

    /// The windows that start before `to` are dealt with, and of the one at `to` the keys up to `emitted`.
    pub(crate) fn close_up_to(&self, ctx: &mut TaskContext, to: i64, emitted: Option<Bytes>) {
        self.time.move_cursor(ctx, to);
        let old = self.emitted.replace(emitted);
        ctx.on_undo(|_| {
            let cell = self.emitted.clone();
            move |_: &mut TaskContext| drop(cell.replace(old))
        });
    }

    /// Something was done because windows closed: that they are is to be committed with it.
    pub(crate) fn mark_changed(&self, ctx: &mut TaskContext) {
        self.time.mark_changed(ctx);
    }

    /// [`StreamTime::expire`].
    pub(crate) fn expire(&self, ctx: &mut TaskContext, store: &mut WindowStore, start: i64) -> Result<(), StoreError> {
        self.time.expire(ctx, store, start)
    }

    /// The window that starts there.
    pub(crate) fn window_at(&self, start: i64) -> Window {
        Window { start, end: start + self.windows.size_ms }
    }

    /// Windows that start below this are past their retention.
    pub(crate) fn expired_below(&self, retention_ms: i64) -> i64 {
        expired_below(self.time.now(), self.time.cursor(), retention_ms)
    }

    /// The same for whoever has no clock, but a store in which one was saved. Where windows end key by key there is none,
    /// and nothing expires by its start: the owner deletes each window, and its changelog tells so.
    pub(crate) fn expired_below_in(store: &WindowStore) -> Result<Option<i64>, StoreError> {
        let saved = saved_time(store)?;
        Ok(saved.map(|saved| expired_below(saved.now, saved.cursor, store.retention_ms())))
    }

    /// Windows that start below this are dealt with.
    pub(crate) fn closed_below(&self) -> i64 {
        self.time.cursor()
    }

    pub(crate) fn stream_time(&self) -> i64 {
        self.time.now()
    }
}

fn expired_below(stream_time: i64, closed_below: i64, retention_ms: i64) -> i64 {
    (stream_time - retention_ms + 1).min(closed_below).max(0)
}
