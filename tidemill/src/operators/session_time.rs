//! Which time closes the sessions of an operator: the partition's time, or each key's own time.

use std::{cell::RefCell, rc::Rc};

use bytes::Bytes;
use tidemill_state::{ByteSessionStore, ByteStore, Row, SessionKey, StoreError};

use super::{
    Outcome, SessionClock, TaskContext,
    key_times::{KeyTimes, Live},
    sessions::Found,
};
use crate::windows::{EmitStrategy, SessionWindows};

/// The time of an operator of sessions.
pub(crate) enum SessionTime {
    /// All keys of the partition share one time.
    Partition(SessionClock),
    /// Each key has its own time.
    Key(KeySessions),
}

/// What a record's time says about sessions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observed {
    pub(super) now_ms: i64,
    /// Open sessions end at this time or later.
    pub(super) open_from_ms: i64,
}

impl SessionTime {
    /// Advances the time by a record. The timestamp counts before the record is judged late or not.
    pub(super) fn observe(&self, ctx: &mut TaskContext, key: &[u8], timestamp: i64) -> Result<Observed, StoreError> {
        match self {
            Self::Partition(clock) => {
                clock.observe(ctx, timestamp);
                Ok(Observed { now_ms: clock.now_ms(), open_from_ms: clock.closed_below_ms() })
            }
            Self::Key(sessions) => {
                let now_ms = sessions.times.observe(ctx, key, timestamp)?;
                Ok(Observed { now_ms, open_from_ms: now_ms.saturating_sub(sessions.windows.retention_ms()) })
            }
        }
    }

    pub(super) fn gap_ms(&self) -> i64 {
        match self {
            Self::Partition(clock) => clock.windows.gap_ms,
            Self::Key(sessions) => sessions.windows.gap_ms,
        }
    }

    /// Notes that a session of a key is written in place of those that it absorbs, or is deleted with them.
    pub(super) fn replaced(&self, ctx: &mut TaskContext, key: &[u8], found: &Found, is_written: bool) {
        if let Self::Key(sessions) = self {
            sessions.replaced(ctx, key, found, is_written);
        }
    }

    /// Handles an advance of the task's idle clock.
    pub(crate) fn tick(&self, ctx: &TaskContext) -> Result<(), StoreError> {
        match self {
            Self::Partition(clock) => {
                clock.tick(ctx);
                Ok(())
            }
            Self::Key(sessions) => sessions.times.tick(ctx),
        }
    }

    /// Saves the time, to be committed with the effects that it caused.
    pub(crate) fn save(&self, store: &RefCell<ByteSessionStore>) -> Result<(), StoreError> {
        match self {
            Self::Partition(clock) => {
                clock.save(&mut store.borrow_mut());
                Ok(())
            }
            Self::Key(sessions) => sessions.times.save([]),
        }
    }

    /// Called while the rows of a key are erased: if the key has its own time, drops it.
    pub(crate) fn erase(&self, ctx: &mut TaskContext, key: &[u8]) {
        if let Self::Key(sessions) = self {
            sessions.times.erase(ctx, key);
        }
    }
}

/// Sessions that end by their key's time.
#[derive(Clone)]
pub(crate) struct KeySessions {
    times: KeyTimes,
    windows: SessionWindows,
    retention_ms: i64,
}

/// A session that is open, and one that has closed and is only kept for queries.
const OPEN: u8 = 0;
const KEPT: u8 = 1;

impl KeySessions {
    /// Continues from the contents of the store. Other nodes may also use the store of times.
    pub(crate) fn open(
        windows: SessionWindows,
        emit: EmitStrategy,
        (times, shared): (Rc<RefCell<ByteStore>>, bool),
        store: &ByteSessionStore,
    ) -> Result<Self, StoreError> {
        let retention_ms = store.retention_ms();
        let live = store.all()?.map(|row| row.map(|(session, _)| (session.key.clone(), live(windows, &session))));
        let live: Vec<(Bytes, Live)> = live.collect::<Result<_, _>>()?;
        let times = KeyTimes::open_with(times, shared, emit.idle_ms(), retention_ms, live)?;
        let opened = Self { times, windows, retention_ms };
        if opened.is_kept() {
            opened.times.map_done(|live| opened.kept(live));
        }
        Ok(opened)
    }

    fn replaced(&self, ctx: &mut TaskContext, key: &[u8], found: &Found, is_written: bool) {
        for (session, _) in &found.absorbed {
            let Live { due_ms, part, start, .. } = live(self.windows, session);
            self.times.give_up(ctx, key, due_ms, part, start);
        }
        if is_written {
            let session = SessionKey { key: Bytes::new(), end: found.end, start: found.start };
            self.times.wait_for(ctx, key, live(self.windows, &session));
        }
    }

    /// Handles the due sessions of a key while there is room; without a key, those of all keys with due sessions that
    /// are not finished.
    pub(super) fn close(
        &self,
        ctx: &mut TaskContext,
        key: Option<&[u8]>,
        store: &RefCell<ByteSessionStore>,
        mut close: impl FnMut(&mut TaskContext, &SessionKey, Row) -> Outcome,
    ) -> Outcome {
        match key {
            Some(key) => self.close_key(ctx, key, store, &mut close),
            None => self.times.go_on(ctx, |ctx, key| self.close_key(ctx, key, store, &mut close)),
        }
    }

    fn close_key(
        &self,
        ctx: &mut TaskContext,
        key: &[u8],
        store: &RefCell<ByteSessionStore>,
        close: &mut impl FnMut(&mut TaskContext, &SessionKey, Row) -> Outcome,
    ) -> Outcome {
        while let Some(live) = self.times.next_due(ctx, key) {
            let kept_ms = if live.part == OPEN { self.windows.retention_ms() } else { self.retention_ms };
            let end = live.due_ms - 1 - kept_ms;
            let session = SessionKey { key: Bytes::copy_from_slice(key), end, start: live.start };
            let row = store.borrow().get(key, session.start, session.end)?;
            match row.filter(|_| live.part == OPEN) {
                Some(row) => {
                    close(ctx, &session, row)?;
                    if self.is_kept() {
                        self.times.wait_for(ctx, key, self.kept(live));
                    } else {
                        store.borrow_mut().remove(key, session.start, session.end)?;
                    }
                }
                None if live.part == OPEN => self.times.forget(ctx, key),
                None => store.borrow_mut().remove(key, session.start, session.end)?,
            }
            if ctx.is_full() {
                self.times.put_off(key);
                ctx.unfinished = true;
                break;
            }
        }
        Ok(())
    }

    fn is_kept(&self) -> bool {
        self.retention_ms > self.windows.retention_ms()
    }

    /// The entry of a session after it has closed.
    fn kept(&self, live: Live) -> Live {
        let longer_ms = self.retention_ms.saturating_sub(self.windows.retention_ms());
        Live { due_ms: live.due_ms.saturating_add(longer_ms), part: KEPT, ..live }
    }
}

/// The entry of an open session: it is due when its key's time is later than its end plus gap and grace.
fn live(windows: SessionWindows, session: &SessionKey) -> Live {
    let due_ms = session.end.saturating_add(windows.retention_ms()).saturating_add(1);
    Live { due_ms, part: OPEN, start: session.start, epoch: 0 }
}
