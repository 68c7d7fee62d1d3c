//! The common parts of all steps of sessions: a session store, its codecs, and how a task opens them.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use tidemill_state::Codec;

use super::{
    KTable, Materialized,
    builder::{SharedCodec, SharedGraph, add_store},
    table::TableView,
    window_rows::add_times,
};
use crate::{
    error::TaskError,
    graph::{MAIN_PORT, NodeId, StoreKind, StoreName},
    operators::{
        Assembly, KeySessions, Merger, SessionAggregate, SessionClock, SessionInitializer, SessionTime, SessionView,
        Sessions, View,
    },
    record::Data,
    windows::{EmitStrategy, SessionWindowedCodec, SessionWindows, Windowed},
};

/// Notes the idle time of a step of sessions.
pub(super) fn note_idle(graph: &SharedGraph, node: NodeId, windows: SessionWindows, emit: EmitStrategy) {
    let open_ms = windows.retention_ms().saturating_add(1);
    graph.borrow_mut().graph.note_idle(node, emit.idle_ms(), open_ms);
}

/// A declared session store.
pub(super) struct SessionRows<K, V> {
    pub(super) store: StoreName,
    /// The store of times, if each key has a time of its own.
    times: Option<StoreName>,
    key: Arc<dyn Codec<K>>,
    pub(super) value: Arc<dyn Codec<V>>,
    cache_max_bytes: Option<usize>,
}

impl<K, V> Clone for SessionRows<K, V> {
    fn clone(&self) -> Self {
        let Self { store, times, key, value, cache_max_bytes } = self;
        let (store, times, key, value) = (store.clone(), times.clone(), key.clone(), value.clone());
        Self { store, times, key, value, cache_max_bytes: *cache_max_bytes }
    }
}

impl<K: Data, V: Data> SessionRows<K, V> {
    /// Declares the rows of an operator and the times of its keys.
    pub(super) fn new(graph: &SharedGraph, windows: SessionWindows, materialized: Materialized<K, V>) -> Self {
        let times = add_times(graph, windows.by_key, materialized.key.clone(), &materialized, &materialized.name);
        Self { times, ..Self::beside(graph, windows, materialized) }
    }

    /// Declares other rows of the operator.
    pub(super) fn beside(graph: &SharedGraph, windows: SessionWindows, materialized: Materialized<K, V>) -> Self {
        let needed = windows.retention_ms();
        let retention_ms = materialized.retention_ms.unwrap_or(needed);
        let store = add_store(graph, &materialized, StoreKind::Session { retention_ms });
        graph.borrow_mut().graph.describe_store(&store, |format| {
            format.set("inactivity-gap-ms", windows.gap_ms);
            format.set_event_time(windows.by_key);
        });
        if retention_ms < needed {
            graph.borrow_mut().graph.problems.push(format!(
                "store '{store}' keeps sessions for {retention_ms} ms, but gap and grace need {needed} ms: \
                 make its retention longer"
            ));
        }
        let Materialized { key, value, cache_max_bytes, .. } = materialized;
        Self { store, times: None, key, value, cache_max_bytes }
    }

    /// The stores of an operator that has only these rows.
    pub(super) fn stores(&self) -> Vec<StoreName> {
        [self.store.clone()].into_iter().chain(self.times.clone()).collect()
    }

    /// Opens the operator's sessions and its time.
    pub(super) fn open(
        &self,
        assembly: &Assembly<'_>,
        windows: SessionWindows,
        emit: EmitStrategy,
    ) -> Result<Sessions<K>, TaskError> {
        let store = assembly.session_store(&self.store);
        let time = match &self.times {
            None => SessionClock::open(windows, emit, &store.borrow()).map(SessionTime::Partition),
            Some(times) => {
                let times = (assembly.key_value_store(times), assembly.is_shared(times));
                KeySessions::open(windows, emit, times, &store.borrow()).map(SessionTime::Key)
            }
        };
        let time = time.map_err(|source| TaskError::of_store(assembly.task, source))?;
        Ok(Sessions::new(time, store, self.key.clone()))
    }

    /// Builds the aggregation and registers it for commits and ticks. Its results go to the children of `node`.
    pub(super) fn aggregate(
        &self,
        assembly: &mut Assembly<'_>,
        node: NodeId,
        (windows, emit): (SessionWindows, EmitStrategy),
        (initializer, merger): (SessionInitializer<V>, Merger<K, V>),
    ) -> Result<Rc<RefCell<SessionAggregate<K, V>>>, TaskError> {
        let core = Rc::new(RefCell::new(SessionAggregate {
            sessions: self.open(assembly, windows, emit)?,
            value: self.value.clone(),
            initializer,
            merger,
            emit_final: emit.is_final(),
            sends_old: assembly.sends_old(node),
            next: assembly.next(node, MAIN_PORT)?,
        }));
        assembly.lifecycle(node, core.clone());
        Ok(core)
    }

    pub(super) fn table(self, graph: SharedGraph, node: NodeId, windows: SessionWindows) -> KTable<Windowed<K>, V> {
        if !windows.by_key {
            // A session still accepts records when stream time is its end plus gap and grace.
            let after_ms = windows.retention_ms().saturating_add(1);
            graph.borrow_mut().graph.final_after_ms.insert(node, after_ms);
        }
        let codec = Arc::new(SessionWindowedCodec::new(SharedCodec(self.key.clone())));
        let (store, key, value) = (self.store.clone(), self.key, self.value.clone());
        let open = move |assembly: &Assembly<'_>| -> Box<dyn View<Windowed<K>, V>> {
            let store = assembly.session_store(&store);
            Box::new(SessionView { store, key: key.clone(), value: value.clone(), scratch: Vec::new() })
        };
        let view = TableView::new(vec![self.store.clone()], codec, open);
        KTable::new(graph, node, Some(self.store), view).cached(self.value, self.cache_max_bytes)
    }
}
