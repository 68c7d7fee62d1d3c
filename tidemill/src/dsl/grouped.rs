//! Count, reduce and aggregate over a grouped stream.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use super::{
    CogroupedKStream, KStream, KTable, Materialized, TimeWindowedKStream,
    builder::{add_operator, add_store},
};
use crate::{
    graph::{MAIN_PORT, StoreKind},
    operators::BuildNode,
    operators::KeyedAggregate,
    record::Data,
    windows::TimeWindows,
};

/// A stream whose records are grouped by their key.
pub struct KGroupedStream<K, V> {
    pub(super) stream: KStream<K, V>,
}

impl<K: Data, V: Data> KGroupedStream<K, V> {
    pub(super) fn new(stream: KStream<K, V>) -> Self {
        Self { stream }
    }

    /// Counts the records of each key.
    pub fn count(&self, materialized: impl Into<Materialized<K, i64>>) -> KTable<K, i64> {
        self.fold("count", materialized, |_, _, count| *count = Some(count.unwrap_or(0) + 1))
    }

    /// Combines the values of each key, two values at a time.
    pub fn reduce(
        &self,
        materialized: impl Into<Materialized<K, V>>,
        reduce: impl Fn(V, V) -> V + Send + Sync + 'static,
    ) -> KTable<K, V> {
        self.fold("reduce", materialized, reducer(reduce))
    }

    /// Folds the values of each key into an aggregate. The aggregate starts as the result of `initializer`.
    pub fn aggregate<A: Data>(
        &self,
        materialized: impl Into<Materialized<K, A>>,
        initializer: impl Fn() -> A + Send + Sync + 'static,
        aggregator: impl Fn(&K, V, &mut A) + Send + Sync + 'static,
    ) -> KTable<K, A> {
        self.fold("aggregate", materialized, aggregate(initializer, aggregator))
    }

    /// Divides each group into time windows.
    pub fn windowed_by(&self, windows: TimeWindows) -> TimeWindowedKStream<K, V> {
        TimeWindowedKStream::new(self.stream.clone(), windows)
    }

    /// Aggregates this stream together with other streams (KIP-150).
    pub fn cogroup<A: Data>(
        &self,
        aggregator: impl Fn(&K, V, &mut A) + Send + Sync + 'static,
    ) -> CogroupedKStream<K, A> {
        CogroupedKStream::new(self, aggregator)
    }

    fn fold<A: Data>(
        &self,
        label: &'static str,
        materialized: impl Into<Materialized<K, A>>,
        fold: impl Fn(&K, V, &mut Option<A>) + Send + Sync + 'static,
    ) -> KTable<K, A> {
        let materialized = materialized.into();
        let graph = &self.stream.graph;
        let store = add_store(graph, &materialized, StoreKind::KeyValue);
        let (name, key, value) = (store.clone(), materialized.key.clone(), materialized.value.clone());
        let fold = Arc::new(fold);
        let build: BuildNode = Arc::new(move |assembly, id| {
            let (store, next) = (assembly.key_value_store(&name), assembly.next(id, MAIN_PORT)?);
            let (key, value, fold) = (key.clone(), value.clone(), fold.clone());
            let shared = assembly.is_shared(&name);
            let operator = Rc::new(RefCell::new(KeyedAggregate::new(store, shared, key, value, fold, next)));
            assembly.input::<K, V>(id, operator.clone());
            assembly.lifecycle(id, operator);
            Ok(())
        });
        let node = add_operator(graph, Some(&store), label, &[self.stream.node], vec![store.clone()], build);
        self.stream.require_partitioned_by_key(node);
        KTable::new(graph.clone(), node, store, materialized.key, materialized.value)
    }
}

/// Turns a reducer into a fold over an aggregate that may not exist yet.
pub(super) fn reducer<K, V>(reduce: impl Fn(V, V) -> V) -> impl Fn(&K, V, &mut Option<V>) {
    move |_, value, slot| {
        *slot = Some(match slot.take() {
            Some(previous) => reduce(previous, value),
            None => value,
        });
    }
}

/// Turns initializer and aggregator into a fold over an aggregate that may not exist yet.
pub(super) fn aggregate<K, V, A>(
    initializer: impl Fn() -> A,
    aggregator: impl Fn(&K, V, &mut A),
) -> impl Fn(&K, V, &mut Option<A>) {
    move |key, value, slot| aggregator(key, value, slot.get_or_insert_with(&initializer))
}
