//! The times and waiting rows of an operator's keys, as they are kept in memory.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    rc::Rc,
};

use bytes::Bytes;
use hashbrown::HashMap;
use tidemill_state::{ByteStore, Row, StoreError};

use super::Live;
use crate::operators::key_times_sweep::Sweep;

/// The state of one key.
#[derive(Debug, Clone, Default)]
pub(super) struct KeyTime {
    pub(super) clock: KeyClock,
    /// Ordered by due time.
    pub(super) live: VecDeque<Live>,
    /// The task's idle clock at which silence would make the first entry due, or an earlier value.
    pub(super) timer_ms: Option<i64>,
}

/// A key's time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct KeyClock {
    /// The highest timestamp seen, or a later time after idleness; -1 before the first record.
    pub(super) now_ms: i64,
    /// `now_ms` when the last record came. Idle time counts from here.
    pub(super) record_time_ms: i64,
    /// The task's idle clock when the last record came.
    pub(super) busy_ms: i64,
    /// Wall time when the last record came.
    pub(super) wall_ms: i64,
    /// All entries up to this time are done.
    pub(super) done_ms: i64,
    pub(super) changed: bool,
    /// Whether the store has a row for this key. It becomes false if another node deletes the row.
    pub(super) saved: bool,
    /// Whether another node has erased the key from the operator's stores. The key's time is then deleted, too.
    pub(super) gone: bool,
}

/// A change of a `live` list, for undo.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    None,
    Added(Live),
    Removed(Live),
}

/// The times of all keys, and what waits for them.
pub(super) struct Core {
    pub(super) store: Rc<RefCell<ByteStore>>,
    /// Whether other nodes use the store. The row of a key is then written with its first record, so that a deletion by
    /// another node can be detected.
    pub(super) shared: bool,
    pub(super) idle_ms: Option<i64>,
    /// Keys that have live rows or an unsaved time.
    pub(super) keys: HashMap<Bytes, KeyTime>,
    pub(super) timers: BTreeSet<(i64, Bytes)>,
    pub(super) changed: Vec<Bytes>,
    /// Keys with due rows that are not finished.
    pub(super) unfinished: VecDeque<Bytes>,
    /// For each commit, the number of live entries whose first row it wrote.
    pub(super) epochs: BTreeMap<u64, usize>,
    pub(super) sweep: Sweep,
}

impl Core {
    /// Loads a key's state if necessary, and returns the shared bytes of the key.
    pub(super) fn load(&mut self, key: &[u8]) -> Result<Bytes, StoreError> {
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
    pub(super) fn unload(&mut self, key: &Bytes) {
        if let Some(timer_ms) = self.keys.remove(key).and_then(|time| time.timer_ms) {
            self.timers.remove(&(timer_ms, key.clone()));
        }
    }

    /// Checks whether another node has deleted a key's row from the store.
    pub(super) fn look_for_row(&mut self, key: &[u8]) -> Result<(), StoreError> {
        if self.shared
            && let Some(KeyTime { clock, .. }) = self.keys.get_mut(key).filter(|time| time.clock.saved)
            && self.store.borrow().get(key)?.is_none()
        {
            (clock.saved, clock.gone) = (false, true);
        }
        Ok(())
    }

    pub(super) fn track(&mut self, key: &Bytes, live: Live) {
        let Some(time) = self.keys.get_mut(key) else { return };
        let at = time.live.partition_point(|other| *other < live);
        time.live.insert(at, live);
        *self.epochs.entry(live.epoch).or_default() += 1;
        self.set_timer(key);
    }

    /// Sets a timer for the moment when silence would make the key's first entry due. An earlier timer is kept.
    pub(super) fn set_timer(&mut self, key: &Bytes) {
        let Some(due_ms) = self.keys.get(key).and_then(|time| time.missing_timer_ms(self.idle_ms?)) else { return };
        let Some(time) = self.keys.get_mut(key) else { return };
        if let Some(later_ms) = time.timer_ms.replace(due_ms) {
            self.timers.remove(&(later_ms, key.clone()));
        }
        self.timers.insert((due_ms, key.clone()));
    }

    pub(super) fn pass_idle_time(&mut self, idle_clock_ms: i64) {
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

    pub(super) fn put_back(&mut self, key: &Bytes, clock: KeyClock, step: Step) {
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

    pub(super) fn uncount(&mut self, epoch: u64) {
        if let Some(count) = self.epochs.get_mut(&epoch) {
            *count -= 1;
            if *count == 0 {
                self.epochs.remove(&epoch);
            }
        }
    }
}

impl KeyClock {
    pub(super) fn write(&mut self, key: &Bytes, store: &mut ByteStore) {
        let value = [self.now_ms, self.wall_ms, self.done_ms].map(i64::to_be_bytes).concat();
        store.put(key.clone(), Row { timestamp: self.now_ms.max(0), value: value.into() });
        self.saved = true;
    }
}

impl KeyTime {
    pub(super) fn find(&self, due_ms: i64, part: u8, start: i64) -> Option<usize> {
        self.live.binary_search_by(|live| (live.due_ms, live.part, live.start).cmp(&(due_ms, part, start))).ok()
    }

    pub(super) fn is_due(&self) -> bool {
        self.live.front().is_some_and(|live| live.due_ms <= self.clock.now_ms)
    }

    /// As [`idle_due_ms`](Self::idle_due_ms), if there is no timer or only a later one.
    pub(super) fn missing_timer_ms(&self, idle_ms: i64) -> Option<i64> {
        let due_ms = self.idle_due_ms(idle_ms)?;
        self.timer_ms.is_none_or(|timer_ms| timer_ms > due_ms).then_some(due_ms)
    }

    /// The task's idle clock at which silence makes the first entry due. A key without a record since the task was
    /// opened has been silent since then.
    pub(super) fn idle_due_ms(&self, idle_ms: i64) -> Option<i64> {
        let KeyClock { record_time_ms, busy_ms, .. } = self.clock;
        let first = self.live.front().filter(|_| record_time_ms >= 0)?;
        Some(busy_ms.saturating_add(idle_ms.max(first.due_ms - record_time_ms)))
    }
}

/// Reads one number of a saved time: the time, the wall time of the last record, or the time up to which entries are
/// done.
pub(super) fn saved_ms(row: &Row, at: usize) -> i64 {
    let raw = row.value.get(at..at + 8).and_then(|raw| raw.try_into().ok());
    raw.map_or(-1, i64::from_be_bytes)
}
