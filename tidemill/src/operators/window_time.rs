//! Which time closes the windows of an operator: the partition's time, or each key's own time.

use crate::{
    record::{Data, Record},
    windows::{EmitStrategy, TimeWindows, Window},
};
use std::{cell::RefCell, rc::Rc};

use bytes::Bytes;
use tidemill_state::{ByteStore, ByteWindowStore, StoreError};

use super::{
    Failure, Next, Outcome, TaskContext, WindowClock,
    key_times::{KeyTimes, Live, LiveOf},
};

/// The time of a windowed operator.
pub(crate) enum WindowTime {
    /// All keys of the partition share one time.
    Partition(WindowClock),
    /// Each key has its own time.
    Key(KeyWindows),
}

/// The windows that are open for a record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OpenWindows {
    /// Open windows end after `ends_after_ms` and start at `starts_from_ms` or later.
    pub(super) ends_after_ms: i64,
    pub(super) starts_from_ms: i64,
}

impl OpenWindows {
    #[inline]
    pub(crate) fn has(self, window: Window) -> bool {
        window.end > self.ends_after_ms && window.start >= self.starts_from_ms
    }
}

impl WindowTime {
    /// Advances the time by a record. The timestamp counts before the record is judged late or not.
    #[inline]
    pub(crate) fn observe(&self, ctx: &mut TaskContext, key: &[u8], timestamp: i64) -> Result<OpenWindows, StoreError> {
        match self {
            Self::Partition(clock) => {
                clock.observe(ctx, timestamp);
                Ok(clock.open_windows())
            }
            Self::Key(windows) => windows.observe(ctx, key, timestamp),
        }
    }

    /// The windows that contain a timestamp.
    #[inline]
    pub(crate) fn windows_for(&self, timestamp: i64) -> impl Iterator<Item = Window> + use<> {
        self.windows().windows_for(timestamp)
    }

    /// Passes on a record that came after all its windows had closed.
    pub(crate) fn forward_late<K: Data, V: Data>(
        &self,
        ctx: &mut TaskContext,
        open: OpenWindows,
        record: Record<K, V>,
        late: &Next<K, V>,
    ) -> Outcome {
        let now_ms = open.ends_after_ms + self.windows().grace_ms;
        ctx.late_by_ms = Some(now_ms - record.timestamp);
        let forwarded = late.forward(ctx, record);
        ctx.late_by_ms = None;
        forwarded
    }

    fn windows(&self) -> TimeWindows {
        match self {
            Self::Partition(clock) => clock.windows(),
            Self::Key(key) => key.windows,
        }
    }

    /// Handles an advance of the task's idle clock.
    pub(crate) fn tick(&self, ctx: &TaskContext) -> Result<(), StoreError> {
        match self {
            Self::Partition(clock) => {
                clock.tick(ctx);
                Ok(())
            }
            Self::Key(windows) => windows.times.tick(ctx),
        }
    }

    /// Saves the time, to be committed with the effects that it caused.
    pub(crate) fn save<'a>(
        &self,
        stores: impl IntoIterator<Item = &'a RefCell<ByteWindowStore>>,
    ) -> Result<(), StoreError> {
        match self {
            Self::Partition(clock) => {
                clock.save(stores);
                Ok(())
            }
            Self::Key(windows) => windows.times.save(stores),
        }
    }

    /// Called while the rows of a key are erased: drops the key's waiting windows. If the key has its own time, drops
    /// it, too.
    pub(crate) fn erase(&self, ctx: &mut TaskContext, key: &[u8]) {
        if let Self::Key(windows) = self {
            windows.times.erase(ctx, key);
        }
    }

    /// Notes that a key's window gets rows in one of the operator's stores. Returns true if the rows are known to be
    /// the window's first.
    #[inline]
    pub(crate) fn fill(&self, ctx: &mut TaskContext, key: &[u8], side: u8, start: i64, epoch: u64) -> bool {
        match self {
            Self::Partition(_) => false,
            Self::Key(windows) => windows.fill(ctx, key, side, start, epoch),
        }
    }
}

/// Windows that end by their key's time.
#[derive(Clone)]
pub(crate) struct KeyWindows {
    pub(crate) times: KeyTimes,
    pub(crate) windows: TimeWindows,
    retention_ms: i64,
}

/// Added to a side's number after its windows have closed and are only kept for queries.
const KEPT: u8 = 2;

/// A window that is due.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due {
    pub(crate) window: Window,
    pub(crate) side: u8,
    /// Whether the window closes now. Otherwise it closed earlier.
    pub(crate) closes: bool,
    /// Whether its rows are kept for some time, for queries.
    pub(crate) is_kept: bool,
    /// The commit that wrote the first of its rows.
    pub(crate) epoch: u64,
}

impl KeyWindows {
    /// Continues from the contents of the sides' stores. Other nodes may also use the store of times.
    pub(crate) fn open(
        windows: TimeWindows,
        emit: EmitStrategy,
        (times, shared): (Rc<RefCell<ByteStore>>, bool),
        sides: &[Rc<RefCell<ByteWindowStore>>],
    ) -> Result<Self, StoreError> {
        let stores: Vec<_> = sides.iter().map(|side| side.borrow()).collect();
        let retention_ms = stores.iter().map(|store| store.retention_ms()).max().unwrap_or(0);
        let needed_ms = windows.retention_ms();
        let closes = |side: u8| {
            move |start: i64, key: &Bytes| {
                (key.clone(), Live { due_ms: start.saturating_add(needed_ms), part: side, start, epoch: 0 })
            }
        };
        let closes: Vec<_> = (0..stores.len() as u8).map(closes).collect();
        let parts = stores.iter().zip(&closes);
        let parts = parts.map(|(store, live)| (&**store, live as LiveOf<'_>));
        let times = KeyTimes::open(times, shared, emit.idle_ms(), retention_ms, parts)?;
        let opened = Self { times, windows, retention_ms };
        if opened.is_kept() {
            opened.times.map_done(|live| opened.kept(live));
        }
        Ok(opened)
    }

    fn observe(&self, ctx: &mut TaskContext, key: &[u8], timestamp: i64) -> Result<OpenWindows, StoreError> {
        let now_ms = self.times.observe(ctx, key, timestamp)?;
        Ok(OpenWindows { ends_after_ms: now_ms - self.windows.grace_ms, starts_from_ms: 0 })
    }

    fn fill(&self, ctx: &mut TaskContext, key: &[u8], side: u8, start: i64, epoch: u64) -> bool {
        let due_ms = start.saturating_add(self.windows.retention_ms());
        let is_first = !self.times.has(key, due_ms, side, start);
        if is_first {
            self.times.wait_for(ctx, key, Live { due_ms, part: side, start, epoch });
        }
        is_first
    }

    /// Handles the due windows of a key while there is room; without a key, those of all keys with due windows that are
    /// not finished. `close` emits a closing window, and removes it unless it is kept for queries. It returns false if
    /// the window had no rows.
    pub(crate) fn close(
        &self,
        ctx: &mut TaskContext,
        key: Option<&[u8]>,
        mut close: impl FnMut(&mut TaskContext, &[u8], Due) -> Result<bool, Box<Failure>>,
    ) -> Outcome {
        match key {
            Some(key) => self.close_key(ctx, key, &mut close),
            None => self.times.go_on(ctx, |ctx, key| self.close_key(ctx, key, &mut close)),
        }
    }

    fn close_key(
        &self,
        ctx: &mut TaskContext,
        key: &[u8],
        close: &mut impl FnMut(&mut TaskContext, &[u8], Due) -> Result<bool, Box<Failure>>,
    ) -> Outcome {
        while let Some(live) = self.times.next_due(ctx, key) {
            let due = self.due(live);
            if !close(ctx, key, due)? {
                self.times.forget(ctx, key);
            } else if due.is_kept {
                self.times.wait_for(ctx, key, self.kept(live));
            }
            if ctx.is_full() {
                self.times.put_off(key);
                ctx.unfinished = true;
                break;
            }
        }
        Ok(())
    }

    /// Takes the other side's rows of a window that closes.
    pub(crate) fn take_side(&self, ctx: &mut TaskContext, key: &[u8], side: u8, start: i64) -> Option<Due> {
        let due_ms = start.saturating_add(self.windows.retention_ms());
        let live = self.times.give_up(ctx, key, due_ms, side, start)?;
        if self.is_kept() {
            self.times.wait_for(ctx, key, self.kept(live));
        }
        Some(self.due(live))
    }

    fn due(&self, live: Live) -> Due {
        let window = Window { start: live.start, end: live.start + self.windows.size_ms };
        let closes = live.part < KEPT;
        Due { window, side: live.part % KEPT, closes, is_kept: closes && self.is_kept(), epoch: live.epoch }
    }

    fn is_kept(&self) -> bool {
        self.retention_ms > self.windows.retention_ms()
    }

    /// The entry of the same rows after their window has closed.
    fn kept(&self, live: Live) -> Live {
        Live { due_ms: live.start.saturating_add(self.retention_ms), part: live.part + KEPT, ..live }
    }
}
