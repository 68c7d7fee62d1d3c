//! Event time by key: each key of an operator has a stream time of its own. A source whose clock is ahead, behind or
//! silent therefore does not affect other keys of its partition.
//!
//! Each key has a `live` list of the rows that wait for the key's time; no step iterates over all keys. A separate
//! store holds the times, one small row for each key. The times are committed together with the operator's rows.

mod core;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    rc::Rc,
};

use bytes::Bytes;
use hashbrown::HashMap;
use tidemill_state::{ByteStore, ByteWindowStore, StoreError};

use self::core::{Core, KeyTime, Step, saved_ms};
use super::{Outcome, TaskContext, key_times_sweep::Sweep};

/// Rows of one key in an operator's stores, and the time of the key at which the rows are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Live {
    pub(crate) due_ms: i64,
    /// What to do with the rows when they are due, as a number that the operator defines.
    pub(crate) part: u8,
    /// The start of the window that holds the rows.
    pub(crate) start: i64,
    /// The commit that wrote the first of the rows.
    pub(crate) epoch: u64,
}

/// Maps a window's start and key in a store to the operator's key and its live entry.
pub(crate) type LiveOf<'a> = &'a dyn Fn(i64, &Bytes) -> (Bytes, Live);

/// The times of an operator's keys. Clones share them.
#[derive(Clone)]
pub(crate) struct KeyTimes {
    core: Rc<RefCell<Core>>,
}

impl KeyTimes {
    /// Continues from the stores' contents: each part's function maps a window to its live entry.
    pub(crate) fn open<'a>(
        store: Rc<RefCell<ByteStore>>,
        shared: bool,
        idle_ms: Option<i64>,
        kept_ms: i64,
        parts: impl IntoIterator<Item = (&'a ByteWindowStore, LiveOf<'a>)>,
    ) -> Result<Self, StoreError> {
        let mut live = Vec::new();
        for (rows, live_of) in parts {
            live.extend(rows.windows()?.into_iter().map(|(start, key)| live_of(start, &key)));
        }
        Self::open_with(store, shared, idle_ms, kept_ms, live)
    }

    /// Continues with these live entries of keys.
    pub(crate) fn open_with(
        store: Rc<RefCell<ByteStore>>,
        shared: bool,
        idle_ms: Option<i64>,
        kept_ms: i64,
        live: impl IntoIterator<Item = (Bytes, Live)>,
    ) -> Result<Self, StoreError> {
        let mut core = Core {
            store,
            shared,
            idle_ms,
            keys: HashMap::new(),
            timers: BTreeSet::new(),
            changed: Vec::new(),
            unfinished: VecDeque::new(),
            epochs: BTreeMap::new(),
            sweep: Sweep::new(kept_ms),
        };
        for (key, live) in live {
            core.load(&key)?;
            core.track(&key, live);
        }
        // Rows that are due and still exist were not finished: with at-least-once processing, or if a close was
        // interrupted.
        let due = core.keys.iter().filter(|(_, time)| time.is_due());
        let mut due: Vec<_> = due.map(|(key, _)| key.clone()).collect();
        due.sort_unstable();
        core.unfinished = due.into();
        Ok(Self { core: Rc::new(RefCell::new(core)) })
    }

    /// Advances a key's time by a record and returns it. The timestamp counts before the record is judged late or not.
    pub(crate) fn observe(&self, ctx: &mut TaskContext, key: &[u8], timestamp: i64) -> Result<i64, StoreError> {
        let core = &mut *self.core.borrow_mut();
        let key = core.load(key)?;
        self.on_undo(ctx, core, &key, Step::None);
        core.look_for_row(&key)?;
        let Core { keys, changed, store, shared, .. } = core;
        let Some(KeyTime { clock, .. }) = keys.get_mut(&key) else { return Ok(timestamp) };
        if std::mem::take(&mut clock.gone) {
            (clock.now_ms, clock.done_ms) = (-1, -1);
        }
        clock.now_ms = clock.now_ms.max(timestamp);
        (clock.record_time_ms, clock.busy_ms, clock.wall_ms) = (clock.now_ms, ctx.idle_ms, ctx.wall_ms);
        if *shared && !clock.saved {
            clock.write(&key, &mut store.borrow_mut());
        }
        if !std::mem::replace(&mut clock.changed, true) {
            changed.push(key);
        }
        Ok(clock.now_ms)
    }

    /// Replaces each entry that is done but still exists: `change` returns its next entry.
    pub(crate) fn map_done(&self, change: impl Fn(Live) -> Live) {
        let core = &mut *self.core.borrow_mut();
        for time in core.keys.values_mut() {
            let done_ms = time.clock.done_ms;
            time.live.iter_mut().filter(|live| live.due_ms <= done_ms).for_each(|live| *live = change(*live));
            time.live.make_contiguous().sort_unstable();
        }
        let keys = &core.keys;
        core.unfinished.retain(|key| keys.get(key).is_some_and(KeyTime::is_due));
    }

    /// Whether a key has a live entry with this due time, part and start.
    pub(crate) fn has(&self, key: &[u8], due_ms: i64, part: u8, start: i64) -> bool {
        let core = self.core.borrow();
        core.keys.get(key).is_some_and(|time| time.find(due_ms, part, start).is_some())
    }

    /// Adds a live entry for a key.
    pub(crate) fn wait_for(&self, ctx: &mut TaskContext, key: &[u8], live: Live) {
        let core = &mut *self.core.borrow_mut();
        if let Some((key, _)) = core.keys.get_key_value(key) {
            let key = key.clone();
            self.on_undo(ctx, core, &key, Step::Added(live));
            core.track(&key, live);
        }
    }

    /// Removes a live entry of a key and returns it, if it exists.
    pub(crate) fn give_up(&self, ctx: &mut TaskContext, key: &[u8], due_ms: i64, part: u8, start: i64) -> Option<Live> {
        let core = &mut *self.core.borrow_mut();
        let at = core.keys.get(key)?.find(due_ms, part, start)?;
        let key = core.keys.get_key_value(key)?.0.clone();
        let live = *core.keys.get(&key)?.live.get(at)?;
        self.on_undo(ctx, core, &key, Step::Removed(live));
        core.keys.get_mut(&key)?.live.remove(at);
        core.uncount(live.epoch);
        Some(live)
    }

    /// Takes the first entry of a key, if it is due.
    pub(crate) fn next_due(&self, ctx: &mut TaskContext, key: &[u8]) -> Option<Live> {
        let core = &mut *self.core.borrow_mut();
        let (key, time) = core.keys.get_key_value(key)?;
        let (key, is_due) = (key.clone(), time.is_due());
        if !is_due {
            // A record may have moved the key's time so far that silence makes the entry due before its timer.
            if core.idle_ms.and_then(|idle_ms| time.missing_timer_ms(idle_ms)).is_some() {
                core.set_timer(&key);
            }
            return None;
        }
        // Counts the entry as a result even if nothing is emitted, because it takes time as well.
        ctx.results += 1;
        let live = *time.live.front()?;
        self.on_undo(ctx, core, &key, Step::Removed(live));
        let time = core.keys.get_mut(&key)?;
        time.live.pop_front();
        time.clock.done_ms = time.clock.done_ms.max(live.due_ms);
        // The time must be saved together with the effects that it caused.
        if !std::mem::replace(&mut time.clock.changed, true) {
            core.changed.push(key);
        }
        core.uncount(live.epoch);
        Some(live)
    }

    /// Notes that due rows of a key did not exist: another node that uses the store has erased the key.
    pub(crate) fn forget(&self, ctx: &mut TaskContext, key: &[u8]) {
        let core = &mut *self.core.borrow_mut();
        let Some((key, _)) = core.keys.get_key_value(key).filter(|(_, time)| time.live.is_empty()) else { return };
        let key = key.clone();
        self.on_undo(ctx, core, &key, Step::None);
        if let Some(time) = core.keys.get_mut(&key) {
            time.clock.gone = true;
        }
    }

    /// Called while the rows of a key are erased: drops the key's waiting rows and its time.
    pub(crate) fn erase(&self, ctx: &mut TaskContext, key: &[u8]) {
        let core = &mut *self.core.borrow_mut();
        let Some((key, time)) = core.keys.get_key_value(key) else { return };
        let (key, waiting) = (key.clone(), time.live.clone());
        for live in waiting {
            self.on_undo(ctx, core, &key, Step::Removed(live));
            core.uncount(live.epoch);
        }
        self.on_undo(ctx, core, &key, Step::None);
        let Core { keys, changed, .. } = core;
        let Some(time) = keys.get_mut(&key) else { return };
        time.live.clear();
        time.clock.gone = true;
        if !std::mem::replace(&mut time.clock.changed, true) {
            changed.push(key);
        }
    }

    /// Notes that a key has more due rows. Its turn continues when there is room again.
    pub(crate) fn put_off(&self, key: &[u8]) {
        self.core.borrow_mut().unfinished.push_back(Bytes::copy_from_slice(key));
    }

    /// Continues with the due rows of unfinished keys, while there is room.
    pub(crate) fn go_on(
        &self,
        ctx: &mut TaskContext,
        mut turn: impl FnMut(&mut TaskContext, &[u8]) -> Outcome,
    ) -> Outcome {
        loop {
            let Some(key) = self.core.borrow_mut().unfinished.pop_front() else { return Ok(()) };
            if ctx.is_full() {
                self.core.borrow_mut().unfinished.push_front(key);
                ctx.unfinished = true;
                return Ok(());
            }
            turn(ctx, &key)?;
        }
    }

    /// Handles an advance of the task's idle clock: advances the time of a silent key if this makes one of its rows
    /// due, and forgets times that are no longer needed.
    pub(crate) fn tick(&self, ctx: &TaskContext) -> Result<(), StoreError> {
        let core = &mut *self.core.borrow_mut();
        core.pass_idle_time(ctx.idle_ms);
        let Core { sweep, store, keys, .. } = core;
        sweep.tick(ctx.wall_ms, &mut store.borrow_mut(), |row| saved_ms(row, 8), |key| keys.contains_key(key))
    }

    /// Saves the changed times, to be committed with the effects that they caused. Also tells the stores which commit
    /// wrote the oldest row that is still needed.
    pub(crate) fn save<'a>(
        &self,
        rows: impl IntoIterator<Item = &'a RefCell<ByteWindowStore>>,
    ) -> Result<(), StoreError> {
        let core = &mut *self.core.borrow_mut();
        for key in std::mem::take(&mut core.changed) {
            core.look_for_row(&key)?;
            let Some(time) = core.keys.get_mut(&key) else { continue };
            let changed = std::mem::take(&mut time.clock.changed);
            if !time.clock.gone {
                if changed {
                    time.clock.write(&key, &mut core.store.borrow_mut());
                }
            } else if std::mem::take(&mut time.clock.saved) {
                core.store.borrow_mut().delete(key.clone());
            }
            if time.live.is_empty() {
                core.unload(&key);
            }
        }
        let oldest = core.epochs.first_key_value().map(|(epoch, _)| *epoch);
        for rows in rows {
            let mut rows = rows.borrow_mut();
            let epoch = rows.epoch();
            rows.keep_from(oldest.unwrap_or(epoch));
        }
        Ok(())
    }

    fn on_undo(&self, ctx: &mut TaskContext, core: &Core, key: &Bytes, step: Step) {
        ctx.on_undo(|_| {
            let clock = core.keys.get(key).map(|time| time.clock).unwrap_or_default();
            let (shared, key) = (self.core.clone(), key.clone());
            move |_: &mut TaskContext| shared.borrow_mut().put_back(&key, clock, step)
        });
    }
}

#[cfg(test)]
mod tests;
