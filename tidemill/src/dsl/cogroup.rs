//! Several streams in one aggregate.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use super::{
    KGroupedStream, KTable, Materialized, TimeWindowedCogroupedKStream, WindowsOfCogroup,
    builder::{SharedGraph, add_operator, add_store, meets},
    grouped::{aggregate, keyed_aggregate},
};
use crate::{
    graph::{Edge, LATE_PORT, NodeId, NodeKind},
    operators::{
        BuildNode, Folded, KeyedAggregate, KeyedInput, SessionAggregate, SessionInput, SlidingAggregate, SlidingInput,
        WindowAggregate, WindowInput,
    },
    record::Data,
    windows::EmitStrategy,
};

/// Adds the edges from the inputs to the node that emits, and requires equal partition counts.
pub(super) fn join_inputs(graph: &SharedGraph, core: NodeId, inputs: &[NodeId]) {
    let graph = &mut graph.borrow_mut().graph;
    let edges = inputs.iter().map(|from| Edge { from: *from, port: SHARED_PORT });
    graph.nodes[core.index()].parents.extend(edges);
    let name = graph.node(core).name.clone();
    graph.copartitioned.push((name, inputs.to_vec()));
}

/// Edges that carry no records. They connect nodes that share an operator.
const SHARED_PORT: u8 = u8::MAX;

/// Adds an input's node with a name. The input feeds the aggregate of a node, which begins as the initializer says.
type AddInput<A> = Box<dyn FnOnce(&str, Aggregates, NodeId, Initializer<A>) -> NodeId>;

/// Makes an empty aggregate.
type Initializer<A> = Arc<dyn Fn() -> A + Send + Sync>;

/// The kind of a cogroup's aggregate.
#[derive(Debug, Clone, Copy)]
pub(super) enum Aggregates {
    Keys,
    TimeWindows,
    SlidingWindows,
    Sessions,
}

/// Streams of different values that feed one aggregate (`CogroupedKStream` in Kafka Streams, KIP-150).
/// [`KGroupedStream::cogroup`] returns it. Each key has [one aggregate](Self::aggregate), or one for
/// [each window](Self::windowed_by).
///
/// ```
/// # use std::time::Duration;
/// # use tidemill::{TimeWindows, Windowed};
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// let views = builder.stream::<u64, String>("views").group_by_key();
/// let orders = builder.stream::<u64, i64>("orders").group_by_key();
/// views
///     .cogroup(|_, _page, (views, _spent): &mut (i64, i64)| *views += 1)
///     .cogroup(&orders, |_, cents, (_views, spent)| *spent += cents)
///     .windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_secs(60)))
///     .aggregate("visits", || (0, 0))
///     .to_stream()
///     .to("visits");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// driver.input::<u64, String>("views").pipe_all([(1, "/".into(), 0), (1, "/tea".into(), 1)])?;
/// driver.input::<u64, i64>("orders").pipe(1, 250, 2)?;
/// let visits = driver.output::<Windowed<u64>, (i64, i64)>("visits").read_values()?;
/// assert_eq!(visits, [(1, 0), (2, 0), (2, 250)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CogroupedKStream<K, A> {
    pub(super) graph: SharedGraph,
    inputs: Vec<AddInput<A>>,
    types: std::marker::PhantomData<fn(K, A)>,
}

impl<K: Data, A: Data> CogroupedKStream<K, A> {
    pub(super) fn new<V: Data, R: Folded + 'static>(
        grouped: &KGroupedStream<K, V>,
        aggregator: impl Fn(&K, V, &mut A) -> R + Send + Sync + 'static,
    ) -> Self {
        Self { graph: grouped.stream.graph.clone(), inputs: Vec::new(), types: std::marker::PhantomData }
            .and(grouped, aggregator)
    }

    /// Adds a stream and the function that adds its values to the aggregate (`CogroupedKStream.cogroup` in Kafka
    /// Streams). All streams must come from one builder and have the same number of partitions. See the example of
    /// [`CogroupedKStream`].
    pub fn cogroup<V: Data>(
        self,
        grouped: &KGroupedStream<K, V>,
        aggregator: impl Fn(&K, V, &mut A) + Send + Sync + 'static,
    ) -> Self {
        self.and(grouped, aggregator)
    }

    /// Adds a stream and a function that may fail.
    pub(super) fn and<V: Data, R: Folded + 'static>(
        mut self,
        grouped: &KGroupedStream<K, V>,
        aggregator: impl Fn(&K, V, &mut A) -> R + Send + Sync + 'static,
    ) -> Self {
        let (stream, aggregator) = (grouped.stream.clone(), Arc::new(aggregator));
        if !meets(&self.graph, &stream.graph, "cogroup") {
            return self;
        }
        self.inputs.push(Box::new(move |name, aggregates, core, initializer| {
            let add = move |key: &K, value: V, aggregate: &mut A| aggregator(key, value, aggregate);
            let fold = Arc::new(aggregate(move || initializer(), add));
            let build: BuildNode = Arc::new(move |assembly, id| {
                let fold = fold.clone();
                match aggregates {
                    Aggregates::Keys => {
                        let core = assembly.shared::<KeyedAggregate<K, A>>(core)?;
                        assembly.input::<K, V>(id, Rc::new(RefCell::new(KeyedInput::new(core, fold))));
                    }
                    Aggregates::TimeWindows => {
                        let core = assembly.shared::<WindowAggregate<K, A>>(core)?;
                        let late = assembly.next(id, LATE_PORT)?;
                        assembly.input::<K, V>(id, Rc::new(RefCell::new(WindowInput { core, fold, late })));
                    }
                    Aggregates::SlidingWindows => {
                        let core = assembly.shared::<SlidingAggregate<K, A>>(core)?;
                        let late = assembly.next(id, LATE_PORT)?;
                        assembly.input::<K, V>(id, Rc::new(RefCell::new(SlidingInput { core, fold, late })));
                    }
                    Aggregates::Sessions => {
                        let core = assembly.shared::<SessionAggregate<K, A>>(core)?;
                        let late = assembly.next(id, LATE_PORT)?;
                        assembly.input::<K, V>(id, Rc::new(RefCell::new(SessionInput { core, fold, late })));
                    }
                }
                Ok(())
            });
            let node = add_operator(&stream.graph, Some(name), "cogroup-input", &[stream.node], Vec::new(), build);
            stream.require_partitioned_by_key(node);
            node
        }));
        self
    }

    /// Folds the streams' values into one aggregate for each key (`CogroupedKStream.aggregate` in Kafka Streams). The
    /// aggregate starts as the result of `initializer`, whichever stream comes first. `materialized` names the store.
    ///
    /// Every record with a key updates the aggregate and emits it, with the highest timestamp of its records. Records
    /// with a null key are dropped and counted as `null-key`. A stream whose values have no null never brings one here.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let deposits = builder.stream::<String, i64>("deposits").group_by_key();
    /// let bookings = builder.stream::<String, String>("bookings").group_by_key();
    /// deposits
    ///     .cogroup(|_, cents, (balance, _): &mut (i64, Vec<String>)| *balance += cents)
    ///     .cogroup(&bookings, |_, room, (_, rooms)| rooms.push(room))
    ///     .aggregate("guests", || (0, Vec::new()))
    ///     .to_stream()
    ///     .to("guests-changed");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<String, String>("bookings").pipe("ann".into(), "room 7".into(), 10)?;
    /// driver.input::<String, i64>("deposits").pipe("ann".into(), 5_000, 5)?;
    /// let guests = driver.output::<String, (i64, Vec<String>)>("guests-changed").read()?;
    /// assert_eq!(guests[1], ("ann".into(), (5_000, vec!["room 7".into()]), 10));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn aggregate(
        self,
        materialized: impl Into<Materialized<K, A>>,
        initializer: impl Fn() -> A + Send + Sync + 'static,
    ) -> KTable<K, A> {
        let materialized = materialized.into();
        let store = add_store(&self.graph, &materialized, materialized.table_kind());
        let (name, key, value) = (store.clone(), materialized.key.clone(), materialized.value.clone());
        let build: BuildNode = Arc::new(move |assembly, id| {
            let core = keyed_aggregate(assembly, id, &name, &key, &value)?;
            assembly.share(id, core);
            Ok(())
        });
        let kind = NodeKind::Operator("cogroup-aggregate");
        let core = self.graph.borrow_mut().add(Some(&store), kind, Vec::new(), vec![store.clone()], build);
        let graph = self.add_inputs(&store, Aggregates::Keys, core, initializer);
        let Materialized { key, value, cache_max_bytes, .. } = materialized;
        KTable::stored(graph, core, store, key, value.clone()).cached(value, cache_max_bytes)
    }

    /// Adds the inputs' nodes and connects them with the node of their aggregate.
    pub(super) fn add_inputs(
        self,
        store: &str,
        aggregates: Aggregates,
        core: NodeId,
        initializer: impl Fn() -> A + Send + Sync + 'static,
    ) -> SharedGraph {
        let initializer: Initializer<A> = Arc::new(initializer);
        let inputs = self.inputs.into_iter().zip(1..);
        let nodes: Vec<_> = inputs
            .map(|(add, number)| add(&format!("{store}-input-{number}"), aggregates, core, initializer.clone()))
            .collect();
        join_inputs(&self.graph, core, &nodes);
        self.graph
    }

    /// Divides the groups into windows (`CogroupedKStream.windowedBy` in Kafka Streams). See the examples of
    /// [`CogroupedKStream`] and of [`SessionWindowedCogroupedKStream`](super::SessionWindowedCogroupedKStream).
    pub fn windowed_by<W: WindowsOfCogroup<K, A>>(self, windows: W) -> W::Stream {
        windows.divide_cogroup(self)
    }

    pub(super) fn by_time<W>(self, windows: W) -> TimeWindowedCogroupedKStream<K, A, W> {
        TimeWindowedCogroupedKStream { cogrouped: self, windows, emit: EmitStrategy::default() }
    }
}
