//! The common parts of all windowed steps: a window store, its codecs, and how a task opens them.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use tidemill_state::{Codec, RawBytes};

use super::{
    KTable, Materialized, TableView,
    builder::{SharedCodec, SharedGraph, add_store},
};
use crate::{
    error::TaskError,
    graph::{Content, MAIN_PORT, NodeId, RowKeys, StoreFormat, StoreKind, StoreName},
    operators::{
        Assembly, Elements, KeyWindows, SlidingAggregate, SlidingStarts, View, WindowAggregate, WindowClock,
        WindowTime, WindowView,
    },
    record::Data,
    windows::{EmitStrategy, SlidingWindows, TimeWindows, Windowed, WindowedCodec},
};

/// A declared window store.
pub(super) struct WindowRows<K, V> {
    pub(super) store: StoreName,
    /// The store of times, if each key has a time of its own.
    times: Option<StoreName>,
    key: Arc<dyn Codec<K>>,
    value: Arc<dyn Codec<V>>,
    /// How long after its end a window's result is final, if the partition's time closes windows.
    final_after_ms: Option<i64>,
    cache_max_bytes: Option<usize>,
}

impl<K, V> Clone for WindowRows<K, V> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            times: self.times.clone(),
            key: self.key.clone(),
            value: self.value.clone(),
            final_after_ms: self.final_after_ms,
            cache_max_bytes: self.cache_max_bytes,
        }
    }
}

/// Declares the store of keys' times beside another, if keys have a time of their own.
pub(super) fn add_times<K: 'static, V, T>(
    graph: &SharedGraph,
    by_key: bool,
    key: Arc<dyn Codec<K>>,
    beside: &Materialized<T, V>,
    name: &str,
) -> Option<StoreName> {
    by_key.then(|| {
        let store = Materialized::with(format!("{name}-times"), RawBytes, RawBytes).kept_as(beside);
        let store = add_store(graph, &store, StoreKind::KeyValue);
        graph.borrow_mut().graph.set_row_keys(&store, RowKeys::of(key).holding(Content::Times));
        store
    })
}

impl<K: Data, V: Data> WindowRows<K, V> {
    /// Declares the rows of an operator and the times of its keys.
    pub(super) fn new(graph: &SharedGraph, windows: TimeWindows, materialized: Materialized<K, V>) -> Self {
        let times = add_times(graph, windows.by_key, materialized.key.clone(), &materialized, &materialized.name);
        Self { times, ..Self::beside(graph, windows, materialized) }
    }

    /// Declares the rows of another side of the operator.
    pub(super) fn beside(graph: &SharedGraph, windows: TimeWindows, materialized: Materialized<K, V>) -> Self {
        let needed = (windows.retention_ms(), "size and grace");
        let rows = Self::keep(graph, materialized, windows.by_key, needed, |format| {
            format.set("window-size-ms", windows.size_ms);
            format.set("window-advance-ms", windows.advance_ms);
        });
        Self { final_after_ms: (!windows.by_key).then_some(windows.grace_ms), ..rows }
    }

    /// Adds the store of sliding windows.
    pub(super) fn sliding(graph: &SharedGraph, windows: SlidingWindows, mut materialized: Materialized<K, V>) -> Self {
        let times = add_times(graph, windows.by_key, materialized.key.clone(), &materialized, &materialized.name);
        let needed = (windows.retention_ms(), "twice the time difference and grace");
        let asked_ms = materialized.retention_ms.unwrap_or(needed.0);
        if asked_ms >= needed.0 {
            // Windows include both ends. The last record that may still open a window behind the record before it finds
            // that one in a window that starts so much earlier.
            materialized.retention_ms = Some(asked_ms.max(needed.0.saturating_add(2)));
        }
        let rows = Self::keep(graph, materialized, windows.by_key, needed, |format| {
            format.set("window-time-difference-ms", windows.difference_ms);
        });
        // The end is inclusive, so that it must have passed, too.
        let final_after_ms = (!windows.by_key).then_some(windows.grace_ms.saturating_add(1));
        Self { times, final_after_ms, ..rows }
    }

    fn keep(
        graph: &SharedGraph,
        materialized: Materialized<K, V>,
        by_key: bool,
        (needed, why): (i64, &str),
        describe: impl FnOnce(&mut StoreFormat),
    ) -> Self {
        let retention_ms = materialized.retention_ms.unwrap_or(needed);
        let store = add_store(graph, &materialized, StoreKind::Window { retention_ms, by_key });
        graph.borrow_mut().graph.describe_store(&store, |format| {
            describe(format);
            format.set_event_time(by_key);
        });
        if retention_ms < needed {
            graph.borrow_mut().graph.problems.push(format!(
                "store '{store}' keeps windows for {retention_ms} ms, but {why} need {needed} ms: \
                 make its retention longer"
            ));
        }
        let Materialized { key, value, cache_max_bytes, .. } = materialized;
        Self { store, times: None, key, value, final_after_ms: None, cache_max_bytes }
    }

    /// The stores of an operator that has only these rows.
    pub(super) fn stores(&self) -> Vec<StoreName> {
        [self.store.clone()].into_iter().chain(self.times.clone()).collect()
    }

    /// Opens the operator's time from its stores. `others` are the stores of the operator's other sides.
    pub(super) fn time(
        &self,
        assembly: &Assembly<'_>,
        windows: TimeWindows,
        emit: EmitStrategy,
        others: &[StoreName],
    ) -> Result<WindowTime, TaskError> {
        let store = assembly.window_store(&self.store);
        let time = match &self.times {
            None => WindowClock::open(windows, emit, &store.borrow()).map(WindowTime::Partition),
            Some(times) => {
                let others = others.iter().map(|name| assembly.window_store(name));
                let times = (assembly.key_value_store(times), assembly.is_shared(times));
                let sides: Vec<_> = [store].into_iter().chain(others).collect();
                KeyWindows::open(windows, emit, times, &sides).map(WindowTime::Key)
            }
        };
        time.map_err(|source| TaskError::of_store(assembly.task, source))
    }

    pub(super) fn elements(&self, assembly: &Assembly<'_>) -> Elements<K, V> {
        Elements::new(assembly.window_store(&self.store), self.key.clone(), self.value.clone())
    }

    /// Builds the aggregation and registers it for commits and ticks. Its results go to the children of `node`.
    pub(super) fn aggregate(
        &self,
        assembly: &mut Assembly<'_>,
        node: NodeId,
        windows: TimeWindows,
        emit: EmitStrategy,
    ) -> Result<Rc<RefCell<WindowAggregate<K, V>>>, TaskError> {
        let time = self.time(assembly, windows, emit, &[])?;
        let (store, next) = (assembly.window_store(&self.store), assembly.next(node, MAIN_PORT)?);
        let (key, value) = (self.key.clone(), self.value.clone());
        let (shared, old) = (assembly.is_shared(&self.store), assembly.sends_old(node));
        let core = WindowAggregate::new(time, emit.is_final(), (store, shared), key, value, old, next);
        let core = Rc::new(RefCell::new(core));
        assembly.lifecycle(node, core.clone());
        Ok(core)
    }

    /// Opens the aggregate of sliding windows.
    pub(super) fn sliding_aggregate(
        &self,
        assembly: &mut Assembly<'_>,
        node: NodeId,
        windows: SlidingWindows,
        emit: EmitStrategy,
    ) -> Result<Rc<RefCell<SlidingAggregate<K, V>>>, TaskError> {
        let time = self.time(assembly, windows.spans(), emit, &[])?;
        let (store, next) = (assembly.window_store(&self.store), assembly.next(node, MAIN_PORT)?);
        let starts = if assembly.is_open_to_processors(&self.store) {
            None
        } else {
            let starts = SlidingStarts::read(&store.borrow());
            Some(starts.map_err(|source| TaskError::of_store(assembly.task, source))?)
        };
        let (key, value, old) = (self.key.clone(), self.value.clone(), assembly.sends_old(node));
        let (difference_ms, is_final) = (windows.difference_ms, emit.is_final());
        let core = SlidingAggregate::new(time, difference_ms, is_final, store, starts, key, value, old, next);
        let core = Rc::new(RefCell::new(core));
        assembly.lifecycle(node, core.clone());
        Ok(core)
    }

    pub(super) fn table(self, graph: SharedGraph, node: NodeId) -> KTable<Windowed<K>, V> {
        if let Some(after_ms) = self.final_after_ms {
            graph.borrow_mut().graph.final_after_ms.insert(node, after_ms);
        }
        let codec = Arc::new(WindowedCodec::new(SharedCodec(self.key.clone())));
        let (store, key, value) = (self.store.clone(), self.key, self.value.clone());
        let open = move |assembly: &Assembly<'_>| -> Box<dyn View<Windowed<K>, V>> {
            let store = assembly.window_store(&store);
            Box::new(WindowView { store, key: key.clone(), value: value.clone(), scratch: Vec::new() })
        };
        let view = TableView::new(vec![self.store.clone()], codec, open);
        KTable::new(graph, node, Some(self.store), view).cached(self.value, self.cache_max_bytes)
    }
}
