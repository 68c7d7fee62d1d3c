//! The common parts of all steps of sessions: a session store, its codecs, and how a task opens them.

use std::sync::Arc;

use tidemill_state::Codec;

use super::{
    KTable, Materialized,
    builder::{SharedCodec, SharedGraph, add_store},
    table::TableView,
};
use crate::{
    error::TaskError,
    graph::{NodeId, StoreKind, StoreName},
    operators::{Assembly, SessionClock, SessionView, Sessions, View},
    record::Data,
    windows::{EmitStrategy, SessionWindowedCodec, SessionWindows, Windowed},
};

/// A declared session store.
pub(super) struct SessionRows<K, V> {
    pub(super) store: StoreName,
    key: Arc<dyn Codec<K>>,
    pub(super) value: Arc<dyn Codec<V>>,
}

impl<K, V> Clone for SessionRows<K, V> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), key: self.key.clone(), value: self.value.clone() }
    }
}

impl<K: Data, V: Data> SessionRows<K, V> {
    /// Declares the rows of an operator.
    pub(super) fn new(graph: &SharedGraph, windows: SessionWindows, materialized: Materialized<K, V>) -> Self {
        let needed = windows.retention_ms();
        let retention_ms = materialized.retention_ms.unwrap_or(needed);
        let store = add_store(graph, &materialized, StoreKind::Session { retention_ms });
        graph.borrow_mut().graph.describe_store(&store, |format| format.set("inactivity-gap-ms", windows.gap_ms));
        if retention_ms < needed {
            graph.borrow_mut().graph.problems.push(format!(
                "store '{store}' keeps sessions for {retention_ms} ms, but gap and grace need {needed} ms: \
                 make its retention longer"
            ));
        }
        Self { store, key: materialized.key, value: materialized.value }
    }

    /// Opens the operator's sessions and its time.
    pub(super) fn open(
        &self,
        assembly: &Assembly<'_>,
        windows: SessionWindows,
        emit: EmitStrategy,
    ) -> Result<Sessions<K>, TaskError> {
        let store = assembly.session_store(&self.store);
        let clock = SessionClock::open(windows, emit, &store.borrow());
        let clock = clock.map_err(|source| TaskError::of_store(assembly.task, source))?;
        Ok(Sessions::new(clock, store, self.key.clone()))
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
