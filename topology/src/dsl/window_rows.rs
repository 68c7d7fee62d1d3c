//! What every windowed step shares: a window store, its codecs, and how a task opens them.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use tidemill_state::Codec;

use super::{
    EmitStrategy, KTable, Materialized, TimeWindows, Windowed, WindowedCodec,
    builder::{Shared, SharedGraph, add_store},
};
use crate::{
    error::TaskError,
    graph::{MAIN_PORT, NodeId, StoreKind, StoreName},
    operators::{Assembly, Elements, WindowAggregate, WindowClock},
    record::Data,
};

/// A declared window store.
pub(super) struct WindowRows<K, V> {
    pub(super) store: StoreName,
    key: Arc<dyn Codec<K>>,
    value: Arc<dyn Codec<V>>,
}

impl<K, V> Clone for WindowRows<K, V> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), key: self.key.clone(), value: self.value.clone() }
    }
}

impl<K: Data, V: Data> WindowRows<K, V> {
    pub(super) fn new(graph: &SharedGraph, windows: TimeWindows, materialized: Materialized<K, V>) -> Self {
        let needed = windows.retention_ms();
        let retention_ms = materialized.retention_ms.unwrap_or(needed);
        let store = add_store(graph, &materialized, StoreKind::Window { retention_ms });
        if retention_ms < needed {
            graph.borrow_mut().problems.push(format!(
                "store '{store}' keeps windows for {retention_ms} ms, but size and grace need {needed} ms: \
                 make its retention longer"
            ));
        }
        Self { store, key: materialized.key, value: materialized.value }
    }

    pub(super) fn clock(
        &self,
        assembly: &Assembly<'_>,
        windows: TimeWindows,
        emit: EmitStrategy,
    ) -> Result<WindowClock, TaskError> {
        let store = assembly.window_store(&self.store);
        WindowClock::open(windows, emit, &store.borrow()).map_err(|source| TaskError::of_store(assembly.task, source))
    }

    pub(super) fn elements(&self, assembly: &Assembly<'_>) -> Elements<K, V> {
        Elements::new(assembly.window_store(&self.store), self.key.clone(), self.value.clone())
    }

    /// Builds the aggregation and makes it hear of commits and ticks; its results go to the children of `node`.
    pub(super) fn aggregate(
        &self,
        assembly: &mut Assembly<'_>,
        node: NodeId,
        windows: TimeWindows,
        emit: EmitStrategy,
    ) -> Result<Rc<RefCell<WindowAggregate<K, V>>>, TaskError> {
        let clock = self.clock(assembly, windows, emit)?;
        let (store, next) = (assembly.window_store(&self.store), assembly.next(node, MAIN_PORT)?);
        let (key, value) = (self.key.clone(), self.value.clone());
        let shared = assembly.is_shared(&self.store);
        let core = WindowAggregate::new(clock, emit.is_final(), store, shared, key, value, next);
        let core = Rc::new(RefCell::new(core));
        assembly.lifecycle(node, core.clone());
        Ok(core)
    }

    pub(super) fn table(self, graph: SharedGraph, node: NodeId) -> KTable<Windowed<K>, V> {
        KTable::new(graph, node, self.store, Arc::new(WindowedCodec::new(Shared(self.key))), self.value)
    }
}
