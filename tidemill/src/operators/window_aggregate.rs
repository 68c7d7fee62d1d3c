//! Windowed count, reduce and aggregate: the aggregate stays a Rust value between commits.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    ops::{Bound, Range, RangeBounds},
    rc::Rc,
    sync::Arc,
};

use tidemill_state::{ByteWindowStore, Codec, Row};

use super::{
    DropReason, Failure, Folded, Lifecycle, Next, Outcome, Receive, TaskContext, WindowClock, WindowTime,
    entries::{Entries, Weight},
    window_time::Due,
};
use crate::{
    record::{Data, Record},
    table::Change,
    transport::Headers,
    windows::{Window, Windowed},
};

/// The number of aggregates that are read from the store at once when a window closes.
const PIECE_ROWS: usize = 1_000;

/// The parts that the inputs of one windowed aggregation share.
pub(crate) struct WindowAggregate<K, A> {
    pub(crate) time: WindowTime,
    emit_final: bool,
    store: Rc<RefCell<ByteWindowStore>>,
    key: Arc<dyn Codec<K>>,
    value: Arc<dyn Codec<A>>,
    /// Whether a later step needs the aggregate before each update.
    sends_old: bool,
    next: Next<Windowed<K>, Change<A>>,
    /// The cached aggregates of each window, by the window's start.
    open: BTreeMap<i64, Entries<K, A>>,
    weight: Weight,
    /// Whether other nodes use the store, or a rejected record must leave no effect. The store is then written at each
    /// update, and nothing is cached.
    shared: bool,
    /// All rows of windows that start here or later are cached.
    complete_from_ms: i64,
    /// The window that is being emitted from the cache, and its remaining entries, last key first.
    emitting: Option<(i64, Vec<usize>)>,
    scratch: Vec<u8>,
}

impl<K: Data, A: Data> WindowAggregate<K, A> {
    /// `store` comes with whether it is written at each update.
    pub(crate) fn new(
        time: WindowTime,
        emit_final: bool,
        (store, shared): (Rc<RefCell<ByteWindowStore>>, bool),
        key: Arc<dyn Codec<K>>,
        value: Arc<dyn Codec<A>>,
        sends_old: bool,
        next: Next<Windowed<K>, Change<A>>,
    ) -> Self {
        let complete_from_ms = match &time {
            WindowTime::Partition(clock) if !shared => clock.stream_time_ms() + 1,
            WindowTime::Partition(_) | WindowTime::Key(_) => i64::MAX,
        };
        Self {
            time,
            emit_final,
            store,
            key,
            value,
            sends_old,
            next,
            open: BTreeMap::new(),
            weight: Weight::default(),
            shared,
            complete_from_ms,
            emitting: None,
            scratch: Vec::new(),
        }
    }

    fn update<R: Folded>(
        &mut self,
        ctx: &mut TaskContext,
        window: Window,
        key: &K,
        (timestamp, headers): (i64, &Headers),
        fold: impl FnOnce(&mut Option<A>) -> R,
    ) -> Outcome {
        let is_first = {
            let epoch = self.store.borrow().epoch();
            self.time.fill(ctx, &self.scratch, 0, window.start, epoch) || window.start >= self.complete_from_ms
        };
        let Self { open, weight, store, scratch, value, emit_final, sends_old, .. } = self;
        let entries = open.entry(window.start).or_default();
        let index = entries.find(scratch, weight, || {
            let row = if is_first { None } else { store.borrow().get(window.start, scratch)? };
            Ok(match row {
                Some(row) => (key.clone(), Some(value.decode(row.value)?), row.timestamp),
                None => (key.clone(), None, timestamp),
            })
        })?;
        let change = |aggregate: &mut Option<A>| -> Result<_, Box<Failure>> {
            let old = if *sends_old && !*emit_final { aggregate.clone() } else { None };
            fold(aggregate).outcome()?;
            Ok((!*emit_final).then(|| Change::latest(aggregate.clone().filter(|new| !value.is_null(new)), old)))
        };
        let (folded, timestamp) = entries.update(ctx, index, timestamp, &**value, weight, change);
        let updated = folded.inspect_err(|_| {
            // The function may have changed the aggregate before it failed. If the error may pass, the store has the one
            // before.
            drop(entries.take(ctx, scratch, weight));
        })?;
        if self.shared {
            let written = self.spill(ctx, ..);
            self.forget(ctx, ..);
            written?;
        }
        match updated {
            Some(value) => {
                let key = Windowed { key: key.clone(), window };
                let record = Record { key, value, timestamp, headers: headers.clone() };
                self.next.forward(ctx, record)
            }
            None => Ok(()),
        }
    }

    /// Handles windows that the time of the key or of the partition has closed: emits them if final results are
    /// selected, and removes them from the cache.
    fn close(&mut self, ctx: &mut TaskContext, key: Option<&[u8]>) -> Outcome {
        match &self.time {
            WindowTime::Partition(clock) if clock.closed().is_none() => Ok(()),
            WindowTime::Partition(clock) => {
                let clock = clock.clone();
                self.close_windows(ctx, &clock)
            }
            WindowTime::Key(windows) => {
                let windows = windows.clone();
                windows.close(ctx, key, |ctx, key, due| self.close_one(ctx, key, due))
            }
        }
    }

    fn close_windows(&mut self, ctx: &mut TaskContext, clock: &WindowClock) -> Outcome {
        while let Some(Range { start: from, end: to }) = clock.closed() {
            if !self.emit_final {
                clock.close_up_to(ctx, to, None);
            } else if from < self.complete_from_ms {
                self.emit_stored(ctx, clock, from, to.min(self.complete_from_ms))?;
            } else {
                self.emit_cached(ctx, clock, from, to)?;
            }
            if clock.closed().is_some() && ctx.is_full() {
                ctx.unfinished = true;
                break;
            }
        }
        let (closed, expired) = (clock.closed_below(), clock.expired_below(self.store.borrow().retention_ms()));
        // Windows that are kept for queries must be in the store.
        self.spill(ctx, expired..closed)?;
        self.forget(ctx, ..closed);
        clock.expire(ctx, &mut self.store.borrow_mut(), expired.min(closed))?;
        Ok(())
    }

    /// Emits windows whose aggregates are all cached, without access to the store.
    fn emit_cached(&mut self, ctx: &mut TaskContext, clock: &WindowClock, from: i64, to: i64) -> Outcome {
        let Some((start, entries)) = self.open.range_mut(from..to).next().map(|(start, entries)| (*start, entries))
        else {
            clock.close_up_to(ctx, to, None);
            return Ok(());
        };
        clock.mark_changed(ctx);
        let mut order = match self.emitting.take() {
            Some((at, order)) if at == start => order,
            _ => entries.in_reverse(clock.emitted().filter(|_| start == from).as_deref()),
        };
        let window = clock.window_at(start);
        while let Some(index) = order.pop() {
            let entry = entries.entry(index);
            if let Some(value) = entry.aggregate.clone() {
                let value = Change::latest(Some(value), None);
                let record = Record::new(Windowed { key: entry.key.clone(), window }, value, entry.timestamp);
                ctx.or_left_out(|ctx| self.next.forward(ctx, record))?;
            }
            if ctx.is_full() && !order.is_empty() {
                clock.close_up_to(ctx, start, Some(entries.key(index).to_vec().into()));
                self.emitting = Some((start, order));
                return Ok(());
            }
        }
        clock.close_up_to(ctx, start + 1, None);
        Ok(())
    }

    /// Emits windows that may have rows of an earlier run. The rows are read from the store in pieces.
    fn emit_stored(&mut self, ctx: &mut TaskContext, clock: &WindowClock, from: i64, to: i64) -> Outcome {
        self.spill(ctx, from..to)?;
        let first = self.store.borrow().scan(from, to)?.next().transpose()?;
        let Some(start) = first.map(|(at, _)| at.start) else {
            clock.close_up_to(ctx, to, None);
            return Ok(());
        };
        clock.mark_changed(ctx);
        let after = clock.emitted().filter(|_| start == from);
        let rows = {
            let store = self.store.borrow();
            let rows = store.scan_window_after(start, after.as_deref())?.take(PIECE_ROWS);
            rows.collect::<Result<Vec<_>, _>>()?
        };
        let is_last = rows.len() < PIECE_ROWS;
        let window = clock.window_at(start);
        let mut emitted = None;
        for (at, row) in rows {
            emitted = Some(at.key.clone());
            ctx.or_left_out(|ctx| {
                let key = Windowed { key: self.key.decode(at.key)?, window };
                let value = Change::latest(Some(self.value.decode(row.value)?), None);
                self.next.forward(ctx, Record::new(key, value, row.timestamp))
            })?;
        }
        let (next, emitted) = if is_last { (start + 1, None) } else { (start, emitted) };
        clock.close_up_to(ctx, next, emitted);
        Ok(())
    }

    /// Handles one due window of a key.
    fn close_one(&mut self, ctx: &mut TaskContext, key: &[u8], due: Due) -> Result<bool, Box<Failure>> {
        let (start, window) = (due.window.start, due.window);
        let is_new = self.store.borrow().epoch() == due.epoch;
        if !due.closes {
            self.store.borrow_mut().remove_value(start, key, is_new);
            return Ok(true);
        }
        let Self { open, weight, store, value, .. } = self;
        let cached = open.get_mut(&start).and_then(|entries| entries.take(ctx, key, weight));
        if open.get(&start).is_some_and(Entries::is_over) {
            open.remove(&start);
        }
        let found = match &cached {
            Some((aggregate, timestamp)) => aggregate.clone().map(|aggregate| (Ok(aggregate), *timestamp)),
            None => store.borrow().get(start, key)?.map(|row| (value.decode(row.value), row.timestamp)),
        };
        if !due.is_kept {
            store.borrow_mut().remove_value(start, key, is_new);
        } else if let Some((Some(aggregate), timestamp)) = cached
            && let Some(value) = value.encode(&aggregate)?
        {
            store.borrow_mut().put(start, key, Row { timestamp, value });
        }
        if let Some((aggregate, timestamp)) = found.filter(|_| self.emit_final) {
            ctx.or_left_out(|ctx| {
                let key = Windowed { key: self.key.decode(key.to_vec().into())?, window };
                let value = Change::latest(Some(aggregate?), None);
                self.next.forward(ctx, Record::new(key, value, timestamp))
            })?;
        }
        // A null aggregate has no row. A missing row therefore does not mean that the key was erased.
        Ok(true)
    }

    /// Writes changed aggregates of some windows to the store.
    fn spill(&mut self, ctx: &mut TaskContext, which: impl RangeBounds<i64>) -> Outcome {
        if is_empty(&which) {
            return Ok(());
        }
        let mut store = self.store.borrow_mut();
        for (start, entries) in self.open.range_mut(which) {
            entries.spill(ctx, &*self.value, &mut self.weight, |key, row| match row {
                Some(row) => store.put(*start, key, row),
                None => store.delete(*start, key),
            })?;
        }
        Ok(())
    }

    /// Removes windows from the cache.
    fn forget(&mut self, ctx: &mut TaskContext, which: impl RangeBounds<i64> + Clone) {
        if is_empty(&which) {
            return;
        }
        for entries in self.open.range_mut(which.clone()).map(|(_, entries)| entries) {
            entries.clear(ctx, &mut self.weight);
        }
        self.open.retain(|start, _| !which.contains(start));
        self.emitting.take_if(|(start, _)| which.contains(start));
    }
}

/// Whether a range of starts is empty. Maps panic on some empty ranges.
fn is_empty(range: &impl RangeBounds<i64>) -> bool {
    match (range.start_bound(), range.end_bound()) {
        (Bound::Included(from), Bound::Excluded(to)) => from >= to,
        _ => false,
    }
}

impl<K: Data, A: Data> Lifecycle for WindowAggregate<K, A> {
    fn flush(&mut self, ctx: &mut TaskContext) -> Outcome {
        self.spill(ctx, ..)?;
        self.time.save([&*self.store])?;
        if self.weight.is_too_much(ctx) {
            self.forget(ctx, ..);
            if let WindowTime::Partition(clock) = &self.time {
                self.complete_from_ms = self.complete_from_ms.max(clock.stream_time_ms() + 1);
            }
        }
        Ok(())
    }

    fn erase(&mut self, ctx: &mut TaskContext, key: &[u8]) {
        for entries in self.open.values_mut() {
            drop(entries.take(ctx, key, &mut self.weight));
        }
        self.open.retain(|_, entries| !entries.is_over());
        self.emitting = None;
        self.time.erase(ctx, key);
    }

    fn tick(&mut self, ctx: &mut TaskContext) -> Outcome {
        self.time.tick(ctx)?;
        self.close(ctx, None)
    }

    fn resume(&mut self, ctx: &mut TaskContext) -> Outcome {
        self.close(ctx, None)
    }
}

/// One input of a windowed aggregation; a cogroup has several.
pub(crate) struct WindowInput<K, V, A, F> {
    pub(crate) core: Rc<RefCell<WindowAggregate<K, A>>>,
    pub(crate) fold: Arc<F>,
    pub(crate) late: Next<K, V>,
}

impl<K: Data, V: Data, A: Data, F, R: Folded> Receive<K, V> for WindowInput<K, V, A, F>
where
    F: Fn(&K, V, &mut Option<A>) -> R,
{
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
        let core = &mut *self.core.borrow_mut();
        let Record { key, value, timestamp, headers } = record;
        // This comes before the clock: a record that belongs to no window must not advance the time.
        if ctx.drops_null(&*core.key, &key) {
            return Ok(());
        }
        core.scratch.clear();
        core.key.encode_into(&key, &mut core.scratch)?;
        let open = core.time.observe(ctx, &core.scratch, timestamp)?;

        let mut windows = core.time.windows_for(timestamp).peekable();
        let mut value = Some(value);
        let mut taken = false;
        while let Some(window) = windows.next() {
            if !open.has(window) {
                ctx.count_dropped(ctx.node, DropReason::Late);
                continue;
            }
            taken = true;
            let last = windows.peek().is_none();
            let part = if last { value.take() } else { value.clone() };
            if let Some(part) = part {
                core.update(ctx, window, &key, (timestamp, &headers), |slot| (self.fold)(&key, part, slot))?;
            }
        }
        if !taken && let Some(value) = value {
            core.time.forward_late(ctx, open, Record { key, value, timestamp, headers }, &self.late)?;
        }
        let scratch = std::mem::take(&mut core.scratch);
        let closed = core.close(ctx, Some(&scratch));
        core.scratch = scratch;
        closed
    }
}
