//! Count, reduce and aggregate in sliding windows (KIP-450).
//!
//! For each key, the windows that can exist are those that end with a record and those that begin right behind one. The
//! time of a window's row is that of its last record. So the rows tell which records there were, and a record finds in
//! them what a new window holds.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use tidemill_state::{ByteWindowStore, Codec, Direction, Row, StoreError, WindowWalk};

use super::{DropReason, Failure, Folded, Next, OpenWindows, Outcome, Receive, SlidingStarts, TaskContext, WindowTime};
use crate::{
    record::{Data, Record},
    table::Change,
    transport::Headers,
    windows::{Window, Windowed},
};

/// The parts that the inputs of one aggregation share.
pub(crate) struct SlidingAggregate<K, A> {
    pub(crate) time: WindowTime,
    difference_ms: i64,
    pub(super) emit_final: bool,
    pub(super) store: Rc<RefCell<ByteWindowStore>>,
    /// `None` if processors write to the store: then the store is asked.
    pub(super) starts: Option<SlidingStarts>,
    pub(super) key: Arc<dyn Codec<K>>,
    pub(super) value: Arc<dyn Codec<A>>,
    /// Whether a later step needs the aggregate before each update.
    sends_old: bool,
    pub(super) next: Next<Windowed<K>, Change<A>>,
    /// The bytes of the record's key.
    scratch: Vec<u8>,
}

/// A record on its way into its windows.
struct Arrival<'a, K, F> {
    key: &'a K,
    timestamp: i64,
    headers: &'a Headers,
    open: OpenWindows,
    fold: F,
    /// Whether a window has taken it.
    taken: bool,
}

/// An aggregate and the time of its last record.
type Timed<A> = (A, i64);

impl<K: Data, A: Data> SlidingAggregate<K, A> {
    #[expect(clippy::too_many_arguments, reason = "the parts of one operator")]
    pub(crate) fn new(
        time: WindowTime,
        difference_ms: i64,
        emit_final: bool,
        store: Rc<RefCell<ByteWindowStore>>,
        starts: Option<SlidingStarts>,
        key: Arc<dyn Codec<K>>,
        value: Arc<dyn Codec<A>>,
        sends_old: bool,
        next: Next<Windowed<K>, Change<A>>,
    ) -> Self {
        Self { time, difference_ms, emit_final, store, starts, key, value, sends_old, next, scratch: Vec::new() }
    }

    /// Adds a record that is not earlier than the time difference.
    fn add<R: Folded, F: Fn(&mut Option<A>) -> R>(
        &mut self,
        ctx: &mut TaskContext,
        record: &mut Arrival<'_, K, F>,
    ) -> Outcome {
        let (timestamp, difference_ms) = (record.timestamp, self.difference_ms);
        let right = timestamp + 1;
        let (mut right_exists, mut left_exists) = (false, false);
        // The last window that has the record, as it was: what a window behind the record holds.
        let mut later = None;
        // The last window that ends before the record: what the window that ends with the record holds.
        let mut before = None;
        let mut previous_ms = None;
        for start in self.starts(timestamp.saturating_sub(2 * difference_ms), right)? {
            let Some((aggregate, last_ms)) = self.read(start)? else { continue };
            let end = start + difference_ms;
            if start == right {
                right_exists = true;
            } else if end > timestamp {
                if later.is_none() {
                    later = Some((aggregate.clone(), last_ms));
                }
                self.update(ctx, record, start, Some((aggregate, last_ms)), true)?;
            } else if end == timestamp {
                left_exists = true;
                self.update(ctx, record, start, Some((aggregate, last_ms)), true)?;
                if last_ms >= timestamp {
                    // An earlier record of the same time has left every window that there must be.
                    return Ok(());
                }
                previous_ms = Some(last_ms);
            } else {
                previous_ms = Some(last_ms);
                before = Some(aggregate);
                break;
            }
        }
        if let Some(behind_previous) = previous_ms.map(|previous_ms| previous_ms + 1)
            && behind_previous + difference_ms >= timestamp
            && self.read(behind_previous)?.is_none()
        {
            self.update(ctx, record, behind_previous, None, false)?;
        }
        if !left_exists {
            let start = timestamp - difference_ms;
            let was_just_made = previous_ms.is_some_and(|previous_ms| previous_ms + 1 == start);
            let made = if was_just_made { self.read(start)? } else { None };
            if let Some((aggregate, last_ms)) = made {
                // The window behind the previous record is the one that ends with this record. As in Kafka Streams it is
                // emitted twice, but the second time it has an old value: a group must not count it twice.
                let old = self.sends_old.then(|| aggregate.clone());
                self.emit(ctx, record, start, Change::latest(Some(aggregate), old), last_ms)?;
            } else {
                let reaches = previous_ms.is_some_and(|previous_ms| start <= previous_ms);
                let held = before.filter(|_| reaches).map(|aggregate| (aggregate, timestamp));
                self.update(ctx, record, start, held, false)?;
            }
        }
        self.open_behind(ctx, record, later.filter(|_| !right_exists))
    }

    /// Adds a record that is earlier than the time difference. The window that ends with it would start below 0, so that
    /// all such records share the first window.
    fn add_early<R: Folded, F: Fn(&mut Option<A>) -> R>(
        &mut self,
        ctx: &mut TaskContext,
        record: &mut Arrival<'_, K, F>,
    ) -> Outcome {
        let timestamp = record.timestamp;
        let mut right_exists = false;
        let (mut later, mut first, mut previous_ms) = (None, None, None);
        for start in self.starts(0, timestamp + 1)?.into_iter().rev() {
            let Some((aggregate, last_ms)) = self.read(start)? else { continue };
            if start == 0 {
                previous_ms = Some(last_ms).filter(|last_ms| *last_ms < timestamp);
                first = Some((aggregate, last_ms));
            } else if start <= timestamp {
                later = Some((aggregate.clone(), last_ms));
                self.update(ctx, record, start, Some((aggregate, last_ms)), true)?;
            } else {
                right_exists = true;
            }
        }
        // Without a window between, all that the first window holds is later than the record, or nothing is.
        let later = later.or_else(|| first.clone());
        self.open_behind(ctx, record, later.filter(|_| !right_exists))?;
        if let Some(previous_ms) = previous_ms
            && self.read(previous_ms + 1)?.is_none()
        {
            self.update(ctx, record, previous_ms + 1, None, false)?;
        }
        self.update(ctx, record, 0, first, true)
    }

    /// Opens the window behind a record, if there are later records that it holds.
    fn open_behind<F>(
        &mut self,
        ctx: &mut TaskContext,
        record: &Arrival<'_, K, F>,
        later: Option<Timed<A>>,
    ) -> Outcome {
        match later {
            Some((aggregate, last_ms)) if last_ms > record.timestamp => {
                let start = record.timestamp + 1;
                self.write(ctx, start, &aggregate, last_ms)?;
                self.emit(ctx, record, start, Change::latest(Some(aggregate), None), last_ms)
            }
            _ => Ok(()),
        }
    }

    /// Adds the record to a window that holds `held` so far. A window that is not known yet has no old value, whatever it
    /// holds.
    fn update<R: Folded, F: Fn(&mut Option<A>) -> R>(
        &mut self,
        ctx: &mut TaskContext,
        record: &mut Arrival<'_, K, F>,
        start: i64,
        held: Option<Timed<A>>,
        is_known: bool,
    ) -> Outcome {
        if !record.open.has(Window { start, end: start + self.difference_ms + 1 }) {
            ctx.count_dropped(ctx.node, DropReason::Late);
            return Ok(());
        }
        record.taken = true;
        let last_ms = held.as_ref().map_or(record.timestamp, |(_, last_ms)| record.timestamp.max(*last_ms));
        let mut aggregate = held.map(|(aggregate, _)| aggregate);
        let old = if self.sends_old && is_known { aggregate.clone() } else { None };
        (record.fold)(&mut aggregate).outcome()?;
        match &aggregate {
            Some(aggregate) => self.write(ctx, start, aggregate, last_ms)?,
            None => self.store.borrow_mut().delete(start, &self.scratch),
        }
        self.emit(ctx, record, start, Change::latest(aggregate, old), last_ms)
    }

    /// The starts of the key's windows from one to another, both inclusive, last first.
    fn starts(&self, from: i64, to: i64) -> Result<Vec<i64>, StoreError> {
        if let Some(starts) = &self.starts {
            return Ok(starts.descending(&self.scratch, from, to));
        }
        let store = self.store.borrow();
        let mut walk = WindowWalk::of_keys(&self.scratch..=&self.scratch, from, to + 1, Direction::Reverse);
        std::iter::from_fn(|| walk.next(&store)).map(|row| row.map(|(at, _)| at.start)).collect()
    }

    fn read(&self, start: i64) -> Result<Option<Timed<A>>, Box<Failure>> {
        match self.store.borrow().get(start, &self.scratch)? {
            Some(row) => Ok(Some((self.value.decode(row.value)?, row.timestamp))),
            None => Ok(None),
        }
    }

    fn write(&mut self, ctx: &mut TaskContext, start: i64, aggregate: &A, last_ms: i64) -> Outcome {
        let mut store = self.store.borrow_mut();
        match self.value.encode(aggregate)? {
            Some(value) => {
                store.put(start, &self.scratch, Row { timestamp: last_ms, value });
                self.time.fill(ctx, &self.scratch, 0, start, store.epoch());
                if let Some(starts) = &mut self.starts {
                    starts.add(&self.scratch, start);
                }
            }
            None => store.delete(start, &self.scratch),
        }
        Ok(())
    }

    /// Emits an update, unless only final results are selected.
    fn emit<F>(
        &self,
        ctx: &mut TaskContext,
        record: &Arrival<'_, K, F>,
        start: i64,
        change: Change<A>,
        timestamp: i64,
    ) -> Outcome {
        if self.emit_final {
            return Ok(());
        }
        let value = Change { new: change.new.filter(|new| !self.value.is_null(new)), ..change };
        let key = Windowed { key: record.key.clone(), window: self.window_at(start) };
        self.next.forward(ctx, Record { key, value, timestamp, headers: record.headers.clone() })
    }

    pub(super) fn window_at(&self, start: i64) -> Window {
        Window { start, end: start + self.difference_ms }
    }
}

/// One input of an aggregation in sliding windows; a cogroup has several.
pub(crate) struct SlidingInput<K, V, A, F> {
    pub(crate) core: Rc<RefCell<SlidingAggregate<K, A>>>,
    pub(crate) fold: Arc<F>,
    pub(crate) late: Next<K, V>,
}

impl<K: Data, V: Data, A: Data, F, R: Folded> Receive<K, V> for SlidingInput<K, V, A, F>
where
    F: Fn(&K, V, &mut Option<A>) -> R,
{
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
        let core = &mut *self.core.borrow_mut();
        let Record { key, value, timestamp, headers } = record;
        if ctx.drops_null(&*core.key, &key) {
            return Ok(());
        }
        core.scratch.clear();
        core.key.encode_into(&key, &mut core.scratch)?;
        let open = core.time.observe(ctx, &core.scratch, timestamp)?;

        let fold = |slot: &mut Option<A>| (self.fold)(&key, value.clone(), slot);
        let mut arrival = Arrival { key: &key, timestamp, headers: &headers, open, fold, taken: false };
        if !open.has(Window { start: timestamp, end: timestamp + core.difference_ms + 1 }) {
            ctx.count_dropped(ctx.node, DropReason::Late);
        } else if timestamp < core.difference_ms {
            core.add_early(ctx, &mut arrival)?;
        } else {
            core.add(ctx, &mut arrival)?;
        }
        if !arrival.taken {
            core.time.forward_late(ctx, open, Record { key, value, timestamp, headers }, &self.late)?;
        }
        let scratch = std::mem::take(&mut core.scratch);
        let closed = core.close(ctx, Some(&scratch));
        core.scratch = scratch;
        closed
    }
}
