//! Event time by key: each key of an operator has a stream time of its own. A source whose clock is ahead, behind or
//! silent therefore does not affect other keys of its partition.
//!
//! Each key has a `live` list of the rows that wait for the key's time; no step iterates over all keys. A separate
//! store holds the times, one small row for each key. The times are committed together with the operator's rows.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    rc::Rc,
};

use bytes::Bytes;
use hashbrown::HashMap;
use tidemill_state::{ByteStore, ByteWindowStore, Row, StoreError};

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

/// The state of one key.
#[derive(Debug, Clone, Default)]
struct KeyTime {
    clock: KeyClock,
    /// Ordered by due time.
    live: VecDeque<Live>,
    /// The task's idle clock at which silence would make the first entry due, or an earlier value.
    timer_ms: Option<i64>,
}

/// A key's time.
#[derive(Debug, Clone, Copy, Default)]
struct KeyClock {
    /// The highest timestamp seen, or a later time after idleness; -1 before the first record.
    now_ms: i64,
    /// `now_ms` when the last record came. Idle time counts from here.
    record_time_ms: i64,
    /// The task's idle clock when the last record came.
    busy_ms: i64,
    /// Wall time when the last record came.
    wall_ms: i64,
    /// All entries up to this time are done.
    done_ms: i64,
    changed: bool,
    /// Whether the store has a row for this key. It becomes false if another node deletes the row.
    saved: bool,
    /// Whether another node has erased the key from the operator's stores. The key's time is then deleted, too.
    gone: bool,
}

/// A change of a `live` list, for undo.
#[derive(Debug, Clone, Copy)]
enum Step {
    None,
    Added(Live),
    Removed(Live),
}

/// The times of an operator's keys. Clones share them.
#[derive(Clone)]
pub(crate) struct KeyTimes {
    core: Rc<RefCell<Core>>,
}

struct Core {
    store: Rc<RefCell<ByteStore>>,
    /// Whether other nodes use the store. The row of a key is then written with its first record, so that a deletion by
    /// another node can be detected.
    shared: bool,
    idle_ms: Option<i64>,
    /// Keys that have live rows or an unsaved time.
    keys: HashMap<Bytes, KeyTime>,
    timers: BTreeSet<(i64, Bytes)>,
    changed: Vec<Bytes>,
    /// Keys with due rows that are not finished.
    unfinished: VecDeque<Bytes>,
    /// For each commit, the number of live entries whose first row it wrote.
    epochs: BTreeMap<u64, usize>,
    sweep: Sweep,
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

impl Core {
    /// Loads a key's state if necessary, and returns the shared bytes of the key.
    fn load(&mut self, key: &[u8]) -> Result<Bytes, StoreError> {
        if let Some((known, _)) = self.keys.get_key_value(key) {
            return Ok(known.clone());
        }
        let saved = self.store.borrow().get(key)?;
        let read = |at: usize| saved.as_ref().map_or(-1, |row| saved_ms(row, at));
        let (now_ms, wall_ms, done_ms) = (read(0), read(8), read(16));
        let clock = KeyClock {
            now_ms,
            record_time_ms: now_ms,
            wall_ms,
            done_ms,
            saved: saved.is_some(),
            ..KeyClock::default()
        };
        let key = Bytes::copy_from_slice(key);
        self.keys.insert(key.clone(), KeyTime { clock, ..KeyTime::default() });
        Ok(key)
    }

    /// Drops a key that waits for nothing, with its timer. Its next record may need another timer, and in a busy task
    /// the old one would stay for ever.
    fn unload(&mut self, key: &Bytes) {
        if let Some(timer_ms) = self.keys.remove(key).and_then(|time| time.timer_ms) {
            self.timers.remove(&(timer_ms, key.clone()));
        }
    }

    /// Checks whether another node has deleted a key's row from the store.
    fn look_for_row(&mut self, key: &[u8]) -> Result<(), StoreError> {
        if self.shared
            && let Some(KeyTime { clock, .. }) = self.keys.get_mut(key).filter(|time| time.clock.saved)
            && self.store.borrow().get(key)?.is_none()
        {
            (clock.saved, clock.gone) = (false, true);
        }
        Ok(())
    }

    fn track(&mut self, key: &Bytes, live: Live) {
        let Some(time) = self.keys.get_mut(key) else { return };
        let at = time.live.partition_point(|other| *other < live);
        time.live.insert(at, live);
        *self.epochs.entry(live.epoch).or_default() += 1;
        self.set_timer(key);
    }

    /// Sets a timer for the moment when silence would make the key's first entry due. An earlier timer is kept.
    fn set_timer(&mut self, key: &Bytes) {
        let Some(due_ms) = self.keys.get(key).and_then(|time| time.missing_timer_ms(self.idle_ms?)) else { return };
        let Some(time) = self.keys.get_mut(key) else { return };
        if let Some(later_ms) = time.timer_ms.replace(due_ms) {
            self.timers.remove(&(later_ms, key.clone()));
        }
        self.timers.insert((due_ms, key.clone()));
    }

    fn pass_idle_time(&mut self, idle_clock_ms: i64) {
        let Some(idle_ms) = self.idle_ms else { return };
        while self.timers.first().is_some_and(|(due_ms, _)| *due_ms <= idle_clock_ms) {
            let Some((_, key)) = self.timers.pop_first() else { return };
            let Some(time) = self.keys.get_mut(&key) else { continue };
            time.timer_ms = None;
            if time.idle_due_ms(idle_ms).is_some_and(|due_ms| due_ms <= idle_clock_ms) {
                let clock = &mut time.clock;
                clock.now_ms = clock.now_ms.max(clock.record_time_ms + (idle_clock_ms - clock.busy_ms));
                self.unfinished.push_back(key);
            } else {
                self.set_timer(&key);
            }
        }
    }

    fn put_back(&mut self, key: &Bytes, clock: KeyClock, step: Step) {
        match step {
            Step::None => {}
            Step::Removed(live) => self.track(key, live),
            Step::Added(live) => {
                let Some(time) = self.keys.get_mut(key) else { return };
                if let Some(at) = time.find(live.due_ms, live.part, live.start) {
                    time.live.remove(at);
                    self.uncount(live.epoch);
                }
            }
        }
        let Some(time) = self.keys.get_mut(key) else { return };
        time.clock = clock;
        // If a key has no live rows and no change, the store has its time, and the next record loads it again.
        if !clock.changed && time.live.is_empty() {
            self.unload(key);
        } else {
            self.set_timer(key);
        }
    }

    fn uncount(&mut self, epoch: u64) {
        if let Some(count) = self.epochs.get_mut(&epoch) {
            *count -= 1;
            if *count == 0 {
                self.epochs.remove(&epoch);
            }
        }
    }
}

impl KeyClock {
    fn write(&mut self, key: &Bytes, store: &mut ByteStore) {
        let value = [self.now_ms, self.wall_ms, self.done_ms].map(i64::to_be_bytes).concat();
        store.put(key.clone(), Row { timestamp: self.now_ms.max(0), value: value.into() });
        self.saved = true;
    }
}

impl KeyTime {
    fn find(&self, due_ms: i64, part: u8, start: i64) -> Option<usize> {
        self.live.binary_search_by(|live| (live.due_ms, live.part, live.start).cmp(&(due_ms, part, start))).ok()
    }

    fn is_due(&self) -> bool {
        self.live.front().is_some_and(|live| live.due_ms <= self.clock.now_ms)
    }

    /// As [`idle_due_ms`](Self::idle_due_ms), if there is no timer or only a later one.
    fn missing_timer_ms(&self, idle_ms: i64) -> Option<i64> {
        let due_ms = self.idle_due_ms(idle_ms)?;
        self.timer_ms.is_none_or(|timer_ms| timer_ms > due_ms).then_some(due_ms)
    }

    /// The task's idle clock at which silence makes the first entry due. A key without a record since the task was
    /// opened has been silent since then.
    fn idle_due_ms(&self, idle_ms: i64) -> Option<i64> {
        let KeyClock { record_time_ms, busy_ms, .. } = self.clock;
        let first = self.live.front().filter(|_| record_time_ms >= 0)?;
        Some(busy_ms.saturating_add(idle_ms.max(first.due_ms - record_time_ms)))
    }
}

/// Reads one number of a saved time: the time, the wall time of the last record, or the time up to which entries are
/// done.
fn saved_ms(row: &Row, at: usize) -> i64 {
    let raw = row.value.get(at..at + 8).and_then(|raw| raw.try_into().ok());
    raw.map_or(-1, i64::from_be_bytes)
}

#[cfg(test)]
mod tests;
