//! The common parts of all steps of sessions: a session store, its codecs, and how a task opens them.

use std::sync::Arc;

use tidemill_state::Codec;

use super::{
    KTable, Materialized,
    builder::{SharedCodec, SharedGraph, add_store},
    table::TableView,
    window_rows::add_times,
};
use crate::{
    error::TaskError,
    graph::{NodeId, StoreKind, StoreName},
    operators::{Assembly, KeySessions, SessionClock, SessionTime, SessionView, Sessions, View},
    record::Data,
    windows::{EmitStrategy, SessionWindowedCodec, SessionWindows, Windowed},
};

/// A declared session store.
pub(super) struct SessionRows<K, V> {
    pub(super) store: StoreName,
    /// The store of times, if each key has a time of its own.
    times: Option<StoreName>,
    key: Arc<dyn Codec<K>>,
    pub(super) value: Arc<dyn Codec<V>>,
}

impl<K, V> Clone for SessionRows<K, V> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), times: self.times.clone(), key: self.key.clone(), value: self.value.clone() }
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
        Self { store, times: None, key: materialized.key, value: materialized.value }
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

    pub(super) fn table(self, graph: SharedGraph, node: NodeId) -> KTable<Windowed<K>, V> {
        let codec = Arc::new(SessionWindowedCodec::new(SharedCodec(self.key.clone())));
        let (store, key, value) = (self.store.clone(), self.key, self.value);
        let open = move |assembly: &Assembly<'_>| -> Box<dyn View<Windowed<K>, V>> {
            let store = assembly.session_store(&store);
            Box::new(SessionView { store, key: key.clone(), value: value.clone(), scratch: Vec::new() })
        };
        KTable::new(graph, node, Some(self.store.clone()), TableView::new(vec![self.store], codec, open))
    }
}
