//! Windowed count, reduce and aggregate: the aggregate stays a Rust value between commits.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use indexmap::IndexMap;
use tidemill_state::{Codec, Row, WindowStore};

use super::{DropReason, Lifecycle, Next, Outcome, Receive, TaskContext, WindowClock};
use crate::{
    dsl::{Window, Windowed},
    record::{Data, Record},
    transport::Headers,
};

/// How many cached aggregates survive a commit; beyond, they are read back from the store.
const CACHED_MAX: usize = 100_000;

struct Entry<K, A> {
    key: K,
    aggregate: Option<A>,
    timestamp: i64,
    dirty: bool,
}

/// The cached aggregates of one window.
struct OpenWindow<K, A> {
    window: Window,
    entries: IndexMap<Box<[u8]>, Entry<K, A>, hashbrown::DefaultHashBuilder>,
    dirty: Vec<usize>,
}

/// What the inputs of one windowed aggregation share.
pub(crate) struct WindowAggregate<K, A> {
    pub(crate) clock: WindowClock,
    pub(crate) emit_final: bool,
    pub(crate) store: Rc<RefCell<WindowStore>>,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<A>>,
    pub(crate) next: Next<Windowed<K>, A>,
    open: Vec<OpenWindow<K, A>>,
    /// Others use the store: it is written at each update and nothing of it is cached.
    shared: bool,
    /// Windows that start here or later have no rows beside the cached ones.
    complete_from: i64,
    scratch: Vec<u8>,
    /// What an aggregate starts with, if all inputs share that; otherwise the fold knows.
    initializer: Option<Arc<dyn Fn() -> A + Send + Sync>>,
}

impl<K: Data, A: Data> WindowAggregate<K, A> {
    pub(crate) fn new(
        clock: WindowClock,
        emit_final: bool,
        store: Rc<RefCell<WindowStore>>,
        shared: bool,
        key: Arc<dyn Codec<K>>,
        value: Arc<dyn Codec<A>>,
        next: Next<Windowed<K>, A>,
    ) -> Self {
        let complete_from = if shared { i64::MAX } else { clock.stream_time() + 1 };
        Self {
            clock,
            emit_final,
            store,
            key,
            value,
            next,
            open: Vec::new(),
            shared,
            complete_from,
            scratch: Vec::new(),
            initializer: None,
        }
    }

    /// Starts every aggregate with the same value, whichever input comes first.
    pub(crate) fn start_with(&mut self, initializer: Arc<dyn Fn() -> A + Send + Sync>) {
        self.initializer = Some(initializer);
    }

    fn update(
        &mut self,
        ctx: &mut TaskContext,
        window: Window,
        key: &K,
        timestamp: i64,
        fold: impl FnOnce(&mut Option<A>),
    ) -> Outcome {
        if self.shared {
            self.open.clear();
        }
        let at = self.open_window(window);
        let (complete_from, open) = (self.complete_from, &mut self.open[at]);
        let index = match open.entries.get_index_of(self.scratch.as_slice()) {
            Some(index) => index,
            None => {
                let row = if window.start >= complete_from {
                    None
                } else {
                    self.store.borrow().get(window.start, &self.scratch)?
                };
                let (aggregate, timestamp) = match row {
                    Some(row) => (Some(self.value.decode(row.value)?), row.timestamp),
                    None => (None, timestamp),
                };
                let entry = Entry { key: key.clone(), aggregate, timestamp, dirty: false };
                open.entries.insert_full(self.scratch.as_slice().into(), entry).0
            }
        };
        let entry = &mut open.entries[index];
        if entry.aggregate.is_none() {
            entry.timestamp = timestamp;
            entry.aggregate = self.initializer.as_ref().map(|initializer| initializer());
        }
        fold(&mut entry.aggregate);
        entry.timestamp = entry.timestamp.max(timestamp);
        if !std::mem::replace(&mut entry.dirty, true) {
            open.dirty.push(index);
        }
        let (updated, timestamp) = (if self.emit_final { None } else { entry.aggregate.clone() }, entry.timestamp);
        // A null aggregate is no row in the store, and so none here: it starts again with its next record.
        if entry.aggregate.as_ref().is_some_and(|aggregate| self.value.is_null(aggregate)) {
            entry.aggregate = None;
        }
        if self.shared {
            self.spill(|_| true)?;
        }
        match updated {
            Some(value) => {
                let key = Windowed { key: key.clone(), window };
                let record = Record { key, value, timestamp, headers: Headers::new() };
                self.next.forward(ctx, record)
            }
            None => Ok(()),
        }
    }

    /// Open windows are few and the newest is the likeliest: a scan from the back beats a map.
    fn open_window(&mut self, window: Window) -> usize {
        self.open.iter().rposition(|open| open.window == window).unwrap_or_else(|| {
            self.open.push(OpenWindow { window, entries: IndexMap::default(), dirty: Vec::new() });
            self.open.len() - 1
        })
    }

    /// Deals with windows that stream time has closed: emits them if final results are wanted, and lets go of them.
    fn close_windows(&mut self, ctx: &mut TaskContext) -> Outcome {
        let Some((from, to)) = self.clock.newly_closed() else { return Ok(()) };
        if self.emit_final {
            if from < self.complete_from {
                self.spill(|window| window.start < to)?;
                self.emit_stored(ctx, from, to)?;
            } else {
                self.emit_cached(ctx, to)?;
            }
        }
        let expired = self.clock.expired_below(self.store.borrow().retention_ms());
        self.spill(|window| window.start >= expired && window.start < to)?;
        self.open.retain(|open| open.window.start >= to);
        self.store.borrow_mut().expire_before(expired);
        Ok(())
    }

    /// Windows whose aggregates are all cached are emitted without touching the store.
    fn emit_cached(&mut self, ctx: &mut TaskContext, to: i64) -> Outcome {
        let mut closed: Vec<_> = (0..self.open.len()).filter(|at| self.open[*at].window.start < to).collect();
        closed.sort_by_key(|at| self.open[*at].window.start);
        for at in closed {
            let open = &self.open[at];
            let mut order: Vec<_> = open.entries.iter().collect();
            order.sort_unstable_by_key(|(key, _)| *key);
            for (_, entry) in order {
                if let Some(value) = &entry.aggregate {
                    let key = Windowed { key: entry.key.clone(), window: open.window };
                    self.next.forward_result(ctx, Record::new(key, value.clone(), entry.timestamp))?;
                }
            }
        }
        Ok(())
    }

    /// Windows that may have rows of an earlier run are read back from the store, one window at a time.
    fn emit_stored(&mut self, ctx: &mut TaskContext, from: i64, to: i64) -> Outcome {
        let mut from = from;
        loop {
            let rows = {
                let store = self.store.borrow();
                let Some(first) = store.scan(from, to)?.next().transpose()? else { return Ok(()) };
                from = first.0.start + 1;
                store.scan(first.0.start, from)?.collect::<Result<Vec<_>, _>>()?
            };
            for (at, row) in rows {
                let key = Windowed { key: self.key.decode(at.key)?, window: self.clock.window_at(at.start) };
                self.next.forward_result(ctx, Record::new(key, self.value.decode(row.value)?, row.timestamp))?;
            }
        }
    }

    /// Writes changed aggregates of some windows to the store.
    fn spill(&mut self, which: impl Fn(Window) -> bool) -> Outcome {
        let mut store = self.store.borrow_mut();
        for open in self.open.iter_mut().filter(|open| which(open.window)) {
            for index in open.dirty.drain(..) {
                let (key, entry) = open.entries.get_index_mut(index).expect("dirty indices name entries");
                entry.dirty = false;
                let value = match &entry.aggregate {
                    Some(aggregate) => self.value.encode(aggregate)?,
                    None => None,
                };
                match value {
                    Some(value) => store.put(open.window.start, key, Row { timestamp: entry.timestamp, value }),
                    None => store.delete(open.window.start, key),
                }
            }
        }
        Ok(())
    }
}

impl<K: Data, A: Data> Lifecycle for WindowAggregate<K, A> {
    fn flush(&mut self, _ctx: &mut TaskContext) -> Outcome {
        self.spill(|_| true)?;
        self.clock.save([&self.store]);
        if self.open.iter().map(|open| open.entries.len()).sum::<usize>() > CACHED_MAX {
            self.open.clear();
            self.complete_from = self.complete_from.max(self.clock.stream_time() + 1);
        }
        Ok(())
    }

    fn tick(&mut self, ctx: &mut TaskContext) -> Outcome {
        self.clock.tick(ctx.idle_ms);
        self.close_windows(ctx)
    }
}

/// One input of a windowed aggregation; a cogroup has several.
pub(crate) struct WindowInput<K, V, A, F> {
    pub(crate) core: Rc<RefCell<WindowAggregate<K, A>>>,
    pub(crate) fold: Arc<F>,
    pub(crate) late: Next<K, V>,
}

impl<K: Data, V: Data, A: Data, F> Receive<K, V> for WindowInput<K, V, A, F>
where
    F: Fn(&K, V, &mut Option<A>),
{
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
        let core = &mut *self.core.borrow_mut();
        let Record { key, value, timestamp, headers } = record;
        // Before the clock: a record that no window can take moves no time.
        if ctx.drops_null(&*core.key, &key) {
            return Ok(());
        }
        core.clock.observe(timestamp, ctx.idle_ms);
        core.scratch.clear();
        core.key.encode_into(&key, &mut core.scratch)?;

        let mut windows = core.clock.windows_for(timestamp).peekable();
        let mut value = Some(value);
        let mut taken = false;
        while let Some(window) = windows.next() {
            if !core.clock.is_open(window) {
                ctx.count_dropped(ctx.node, DropReason::Late);
                continue;
            }
            taken = true;
            let last = windows.peek().is_none();
            let part = if last { value.take() } else { value.clone() };
            if let Some(part) = part {
                core.update(ctx, window, &key, timestamp, |slot| (self.fold)(&key, part, slot))?;
            }
        }
        if !taken && let Some(value) = value {
            self.late.forward(ctx, Record { key, value, timestamp, headers })?;
        }
        core.close_windows(ctx)
    }
}
