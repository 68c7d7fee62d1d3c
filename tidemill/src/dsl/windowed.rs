//! Windowed count, reduce, aggregate and collect.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use super::{
    CogroupedWindows, KStream, KTable, Materialized,
    builder::add_operator,
    grouped::{aggregate, reducer},
    window_rows::WindowRows,
};
use crate::{
    graph::{Edge, LATE_PORT, MAIN_PORT, NodeId, NodeKind, StoreName},
    operators::{BuildNode, Collect, Merge, WindowInput},
    record::Data,
    windows::{EmitStrategy, TimeWindows, Windowed},
};

/// A grouped stream divided into time windows.
///
/// By default every update is emitted. [`TimeWindowedKStream::emit`] can select final results.
pub struct TimeWindowedKStream<K, V> {
    pub(super) stream: KStream<K, V>,
    pub(super) windows: TimeWindows,
    pub(super) emit: EmitStrategy,
    /// The node that takes late records, if [`late_records`](Self::late_records) was called.
    pub(super) late: Option<NodeId>,
}

impl<K: Data, V: Data> TimeWindowedKStream<K, V> {
    pub(super) fn new(stream: KStream<K, V>, windows: TimeWindows) -> Self {
        let problems = windows.problems();
        stream.graph.borrow_mut().graph.problems.extend(problems);
        Self { stream, windows, emit: EmitStrategy::default(), late: None }
    }

    /// Selects when results are emitted. The default is every update.
    pub fn emit(self, emit: EmitStrategy) -> Self {
        Self { emit, ..self }
    }

    /// The records that came after all their windows had closed. Late records are counted even if this is never called.
    pub fn late_records(&mut self) -> KStream<K, V> {
        let graph = &self.stream.graph;
        let late = *self.late.get_or_insert_with(|| {
            let build: BuildNode = Arc::new(|assembly, id| {
                let operator = Merge { next: assembly.next(id, MAIN_PORT)? };
                assembly.input::<K, V>(id, Rc::new(operator));
                Ok(())
            });
            graph.borrow_mut().add(None, NodeKind::Operator("late-records"), Vec::new(), Vec::new(), build)
        });
        KStream::new(graph.clone(), late)
    }

    /// Counts each key's records in each window.
    pub fn count(self, materialized: impl Into<Materialized<K, i64>>) -> KTable<Windowed<K>, i64> {
        self.fold("windowed-count", materialized, |_, _, count| *count = Some(count.unwrap_or(0) + 1))
    }

    /// Combines each key's values in each window, two values at a time.
    pub fn reduce(
        self,
        materialized: impl Into<Materialized<K, V>>,
        reduce: impl Fn(V, V) -> V + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, V> {
        self.fold("windowed-reduce", materialized, reducer(reduce))
    }

    /// Folds each key's values in each window into an aggregate. The aggregate starts as the result of `initializer`.
    pub fn aggregate<A: Data>(
        self,
        materialized: impl Into<Materialized<K, A>>,
        initializer: impl Fn() -> A + Send + Sync + 'static,
        aggregator: impl Fn(&K, V, &mut A) + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A> {
        self.fold("windowed-aggregate", materialized, aggregate(initializer, aggregator))
    }

    /// Collects each key's values in each window. The list is emitted when the window closes.
    ///
    /// Each element costs one row and one changelog record, whatever the length of the list. A value that its codec
    /// encodes as null is an error, because a store cannot keep a null.
    pub fn collect(self, materialized: impl Into<Materialized<K, V>>) -> KStream<Windowed<K>, Vec<V>> {
        let rows = WindowRows::new(&self.stream.graph, self.windows, materialized.into());
        let (store, stores) = (rows.store.clone(), rows.stores());
        let (windows, emit) = (self.windows, self.emit.or_on_close());
        let build: BuildNode = Arc::new(move |assembly, id| {
            let elements = rows.elements(assembly);
            let time = rows.time(assembly, windows, emit, &[])?;
            let (next, late) = (assembly.next(id, MAIN_PORT)?, assembly.next(id, LATE_PORT)?);
            let operator = Rc::new(RefCell::new(Collect { time, elements, next, late }));
            assembly.input::<K, V>(id, operator.clone());
            assembly.lifecycle(id, operator);
            Ok(())
        });
        let node = self.attach("collect", &store, stores, build);
        self.stream.graph.borrow_mut().graph.note_idle(node, emit.idle_ms(), windows.retention_ms());
        KStream::new(self.stream.graph.clone(), node)
    }

    /// Collects two streams into common windows. When a window closes, it is emitted if at least one side has elements.
    ///
    /// Both sides must have the same `windows`.
    pub fn cogroup<R: Data>(self, other: TimeWindowedKStream<K, R>) -> CogroupedWindows<K, V, R> {
        CogroupedWindows::new(self, other)
    }

    fn fold<A: Data>(
        self,
        label: &'static str,
        materialized: impl Into<Materialized<K, A>>,
        fold: impl Fn(&K, V, &mut Option<A>) + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A> {
        let rows = WindowRows::new(&self.stream.graph, self.windows, materialized.into());
        let (node_rows, fold) = (rows.clone(), Arc::new(fold));
        let (windows, emit) = (self.windows, self.emit);
        let build: BuildNode = Arc::new(move |assembly, id| {
            let core = node_rows.aggregate(assembly, id, windows, emit)?;
            let late = assembly.next(id, LATE_PORT)?;
            assembly.input::<K, V>(id, Rc::new(RefCell::new(WindowInput { core, fold: fold.clone(), late })));
            Ok(())
        });
        let node = self.attach(label, &rows.store, rows.stores(), build);
        self.stream.graph.borrow_mut().graph.note_idle(node, emit.idle_ms(), windows.retention_ms());
        rows.table(self.stream.graph.clone(), node)
    }

    /// Adds the operator's node and connects the node of late records to it.
    pub(super) fn attach(&self, label: &'static str, name: &str, stores: Vec<StoreName>, build: BuildNode) -> NodeId {
        let graph = &self.stream.graph;
        let node = add_operator(graph, Some(name), label, &[self.stream.node], stores, build);
        self.stream.require_partitioned_by_key(node);
        if let Some(late) = self.late {
            graph.borrow_mut().graph.nodes[late.index()].parents.push(Edge { from: node, port: LATE_PORT });
        }
        node
    }
}
