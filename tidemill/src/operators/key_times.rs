//! Event time by key: each key of an operator has a stream time of its own, so that a source whose clock is ahead,
//! behind or silent does nothing to the others of its partition.
//!
//! What waits for a key's time to pass is in its `live` list: nothing walks all keys. Times live in a store of their
//! own, a small row for each key, and are committed with the rows that they are about.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    rc::Rc,
};

use bytes::Bytes;
use hashbrown::HashMap;
use tidemill_state::{Row, Store, StoreError, WindowStore};

use super::{Outcome, TaskContext, key_times_sweep::Sweep};

/// Rows of one key in an operator's stores, and the time of the key at which their turn comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Live {
    pub(crate) due: i64,
    /// What is then to be done; the operator's own numbers.
    pub(crate) part: u8,
    /// Where the rows are.
    pub(crate) start: i64,
    /// The commit that wrote the first of them.
    pub(crate) epoch: u64,
}

/// Says of a window's start and key in a store whose key it is, and when it has its turn.
pub(crate) type LiveOf<'a> = &'a dyn Fn(i64, &Bytes) -> (Bytes, Live);

/// What is known of one key.
#[derive(Debug, Clone, Default)]
struct KeyTime {
    clock: Clock,
    /// In the order of their turns.
    live: VecDeque<Live>,
    /// When silence would bring the first turn, by the task's idle clock; it may come later.
    timer: Option<i64>,
}

/// A key's time.
#[derive(Debug, Clone, Copy, Default)]
struct Clock {
    /// The highest timestamp seen, moved on by idleness; -1 before the first record.
    now: i64,
    /// `now` when the last record came: where idleness counts from.
    record_time: i64,
    /// The task's idle clock then.
    busy_ms: i64,
    /// Wall time then.
    wall_ms: i64,
    /// Up to there every turn is over.
    done: i64,
    changed: bool,
    /// The store has a row of it, unless somebody took that out.
    saved: bool,
    /// Somebody has taken everything of the key out of the operator's stores: its time goes, too.
    gone: bool,
}

/// A change of what waits, to be taken back.
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
    store: Rc<RefCell<Store>>,
    /// Others use the store: a key's row is there from its first record on, so that it shows when they take it out.
    shared: bool,
    idle_ms: Option<i64>,
    /// Keys that something waits for, or whose time is not saved yet.
    keys: HashMap<Bytes, KeyTime>,
    timers: BTreeSet<(i64, Bytes)>,
    changed: Vec<Bytes>,
    /// Keys whose turn has come, but was not finished.
    unfinished: VecDeque<Bytes>,
    /// How many live rows each commit was the first to write.
    epochs: BTreeMap<u64, usize>,
    sweep: Sweep,
}

impl KeyTimes {
    /// Takes up where the stores left off: `live` says of each window what waits in it.
    pub(crate) fn open<'a>(
        store: Rc<RefCell<Store>>,
        shared: bool,
        idle_ms: Option<i64>,
        kept_ms: i64,
        parts: impl IntoIterator<Item = (&'a WindowStore, LiveOf<'a>)>,
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
        for (rows, live_of) in parts {
            for (start, key) in rows.windows()? {
                let (key, live) = live_of(start, &key);
                core.load(&key)?;
                core.track(&key, live);
            }
        }
        // What was due and is still there was not finished before: at least once, or in the middle of a close.
        let due = core.keys.iter().filter(|(_, time)| time.is_due());
        let mut due: Vec<_> = due.map(|(key, _)| key.clone()).collect();
        due.sort_unstable();
        core.unfinished = due.into();
        Ok(Self { core: Rc::new(RefCell::new(core)) })
    }

    /// A record of a key came; its timestamp counts before it is judged late or not. The key's time.
    pub(crate) fn observe(&self, ctx: &mut TaskContext, key: &[u8], timestamp: i64) -> Result<i64, StoreError> {
        let core = &mut *self.core.borrow_mut();
        let key = core.load(key)?;
        self.on_undo(ctx, core, &key, Step::None);
        core.look_for_row(&key)?;
        let Core { keys, changed, store, shared, .. } = core;
        let Some(KeyTime { clock, .. }) = keys.get_mut(&key) else { return Ok(timestamp) };
        if std::mem::take(&mut clock.gone) {
            (clock.now, clock.done) = (-1, -1);
        }
        clock.now = clock.now.max(timestamp);
        (clock.record_time, clock.busy_ms, clock.wall_ms) = (clock.now, ctx.idle_ms, ctx.wall_ms);
        if *shared && !clock.saved {
            clock.write(&key, &mut store.borrow_mut());
        }
        if !std::mem::replace(&mut clock.changed, true) {
            changed.push(key);
        }
        Ok(clock.now)
    }

    /// Looks at everything anew that has had its turn and is still there: `change` says when it has the next one.
    pub(crate) fn map_done(&self, change: impl Fn(Live) -> Live) {
        let core = &mut *self.core.borrow_mut();
        for time in core.keys.values_mut() {
            let done = time.clock.done;
            time.live.iter_mut().filter(|live| live.due <= done).for_each(|live| *live = change(*live));
            time.live.make_contiguous().sort_unstable();
        }
        let keys = &core.keys;
        core.unfinished.retain(|key| keys.get(key).is_some_and(KeyTime::is_due));
    }

    /// Whether something of a key waits in that part of that window, for that turn.
    pub(crate) fn has(&self, key: &[u8], due: i64, part: u8, start: i64) -> bool {
        let core = self.core.borrow();
        core.keys.get(key).is_some_and(|time| time.find(due, part, start).is_some())
    }

    /// Rows of a key wait for their turn.
    pub(crate) fn wait_for(&self, ctx: &mut TaskContext, key: &[u8], live: Live) {
        let core = &mut *self.core.borrow_mut();
        if let Some((key, _)) = core.keys.get_key_value(key) {
            let key = key.clone();
            self.on_undo(ctx, core, &key, Step::Added(live));
            core.track(&key, live);
        }
    }

    /// Rows of a key wait no more. The entry, if there was one.
    pub(crate) fn give_up(&self, ctx: &mut TaskContext, key: &[u8], due: i64, part: u8, start: i64) -> Option<Live> {
        let core = &mut *self.core.borrow_mut();
        let at = core.keys.get(key)?.find(due, part, start)?;
        let key = core.keys.get_key_value(key)?.0.clone();
        let live = *core.keys.get(&key)?.live.get(at)?;
        self.on_undo(ctx, core, &key, Step::Removed(live));
        core.keys.get_mut(&key)?.live.remove(at);
        core.uncount(live.epoch);
        Some(live)
    }

    /// Takes the first rows of a key whose turn has come.
    pub(crate) fn next_due(&self, ctx: &mut TaskContext, key: &[u8]) -> Option<Live> {
        let core = &mut *self.core.borrow_mut();
        let (key, time) = core.keys.get_key_value(key)?;
        let (key, is_due) = (key.clone(), time.is_due());
        if !is_due {
            if time.timer.is_none() {
                core.set_timer(&key);
            }
            return None;
        }
        // Also what emits nothing takes its time.
        ctx.results += 1;
        let live = *time.live.front()?;
        self.on_undo(ctx, core, &key, Step::Removed(live));
        let time = core.keys.get_mut(&key)?;
        time.live.pop_front();
        time.clock.done = time.clock.done.max(live.due);
        // Time is to be known wherever something was done because of it.
        if !std::mem::replace(&mut time.clock.changed, true) {
            core.changed.push(key);
        }
        core.uncount(live.epoch);
        Some(live)
    }

    /// Rows of a key had their turn, and were not there: whoever uses the store has erased the key.
    pub(crate) fn forget(&self, ctx: &mut TaskContext, key: &[u8]) {
        let core = &mut *self.core.borrow_mut();
        let Some((key, _)) = core.keys.get_key_value(key).filter(|(_, time)| time.live.is_empty()) else { return };
        let key = key.clone();
        self.on_undo(ctx, core, &key, Step::None);
        if let Some(time) = core.keys.get_mut(&key) {
            time.clock.gone = true;
        }
    }

    /// A key's rows are being erased: nothing of it waits any more, and its time goes.
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

    /// A key's turn goes on when there is room again.
    pub(crate) fn put_off(&self, key: &[u8]) {
        self.core.borrow_mut().unfinished.push_back(Bytes::copy_from_slice(key));
    }

    /// Lets keys whose turn has come go on, as far as there is room.
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

    /// The task's idle clock went on: the time of keys that were silent for long enough moves on, if that brings
    /// something its turn. Times that nobody needs any more are forgotten.
    pub(crate) fn tick(&self, ctx: &TaskContext) -> Result<(), StoreError> {
        let core = &mut *self.core.borrow_mut();
        core.pass_idle_time(ctx.idle_ms);
        let Core { sweep, store, keys, .. } = core;
        sweep.tick(ctx.wall_ms, &mut store.borrow_mut(), |key| keys.contains_key(key))
    }

    /// Saves what changed, to be committed with what was done at it, and tells the stores since when their rows are
    /// needed.
    pub(crate) fn save<'a>(&self, rows: impl IntoIterator<Item = &'a RefCell<WindowStore>>) -> Result<(), StoreError> {
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
                core.keys.remove(&key);
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
    /// Makes sure that a key is known. Its bytes, shared.
    fn load(&mut self, key: &[u8]) -> Result<Bytes, StoreError> {
        if let Some((known, _)) = self.keys.get_key_value(key) {
            return Ok(known.clone());
        }
        let saved = self.store.borrow().get(key)?;
        let read = |at: usize| saved.as_ref().map_or(-1, |row| saved_ms(row, at));
        let (now, wall_ms, done) = (read(0), read(8), read(16));
        let clock = Clock { now, record_time: now, wall_ms, done, saved: saved.is_some(), ..Clock::default() };
        let key = Bytes::copy_from_slice(key);
        self.keys.insert(key.clone(), KeyTime { clock, ..KeyTime::default() });
        Ok(key)
    }

    /// Sees whether somebody took a key's row out of the store.
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

    /// Looks at a key again when its silence would bring something its turn, or earlier.
    fn set_timer(&mut self, key: &Bytes) {
        let Some(due) = self.keys.get(key).and_then(|time| time.idle_due(self.idle_ms?)) else { return };
        let Some(time) = self.keys.get_mut(key) else { return };
        if let Some(earlier) = time.timer {
            if earlier <= due {
                return;
            }
            self.timers.remove(&(earlier, key.clone()));
        }
        time.timer = Some(due);
        self.timers.insert((due, key.clone()));
    }

    fn pass_idle_time(&mut self, idle_clock_ms: i64) {
        let Some(idle_ms) = self.idle_ms else { return };
        while self.timers.first().is_some_and(|(due, _)| *due <= idle_clock_ms) {
            let Some((_, key)) = self.timers.pop_first() else { return };
            let Some(time) = self.keys.get_mut(&key) else { continue };
            time.timer = None;
            if time.idle_due(idle_ms).is_some_and(|due| due <= idle_clock_ms) {
                let clock = &mut time.clock;
                clock.now = clock.now.max(clock.record_time + (idle_clock_ms - clock.busy_ms));
                self.unfinished.push_back(key);
            } else {
                self.set_timer(&key);
            }
        }
    }

    fn put_back(&mut self, key: &Bytes, clock: Clock, step: Step) {
        match step {
            Step::None => {}
            Step::Removed(live) => self.track(key, live),
            Step::Added(live) => {
                let Some(time) = self.keys.get_mut(key) else { return };
                if let Some(at) = time.find(live.due, live.part, live.start) {
                    time.live.remove(at);
                    self.uncount(live.epoch);
                }
            }
        }
        let Some(time) = self.keys.get_mut(key) else { return };
        time.clock = clock;
        // One that nothing waits for is found again in the store.
        if !clock.changed && time.live.is_empty() {
            self.keys.remove(key);
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

impl Clock {
    fn write(&mut self, key: &Bytes, store: &mut Store) {
        let value = [self.now, self.wall_ms, self.done].map(i64::to_be_bytes).concat();
        store.put(key.clone(), Row { timestamp: self.now.max(0), value: value.into() });
        self.saved = true;
    }
}

impl KeyTime {
    fn find(&self, due: i64, part: u8, start: i64) -> Option<usize> {
        self.live.binary_search_by(|live| (live.due, live.part, live.start).cmp(&(due, part, start))).ok()
    }

    fn is_due(&self) -> bool {
        self.live.front().is_some_and(|live| live.due <= self.clock.now)
    }

    /// When silence brings the first turn, by the task's idle clock. A key that had no record since the task was opened
    /// has been silent since then.
    fn idle_due(&self, idle_ms: i64) -> Option<i64> {
        let Clock { record_time, busy_ms, .. } = self.clock;
        let first = self.live.front().filter(|_| record_time >= 0)?;
        Some(busy_ms.saturating_add(idle_ms.max(first.due - record_time)))
    }
}

/// One of the numbers of a saved time: the time, the wall time of the last record, and up to where turns are over.
pub(super) fn saved_ms(row: &Row, at: usize) -> i64 {
    let raw = row.value.get(at..at + 8).and_then(|raw| raw.try_into().ok());
    raw.map_or(-1, i64::from_be_bytes)
}
