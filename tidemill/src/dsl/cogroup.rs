//! Several streams in one aggregate, and two streams collected into common windows.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use super::{
    KGroupedStream, KStream, KTable, Materialized, TimeWindowedKStream, WindowsOfCogroup,
    builder::{SharedGraph, add_operator, add_store, meets},
    grouped::{aggregate, keyed_aggregate},
    window_rows::WindowRows,
};
use crate::{
    graph::{Edge, LATE_PORT, MAIN_PORT, NodeId, NodeKind},
    operators::{
        BuildNode, Cogroup, Folded, KeyedAggregate, KeyedInput, LeftInput, RightInput, SessionAggregate, SessionInput,
        SlidingAggregate, SlidingInput, WindowAggregate, WindowInput,
    },
    record::Data,
    windows::{Cogrouped, EmitStrategy, JoinKind, TimeWindows, Windowed},
};

/// Two streams that will be collected into common windows.
/// [`TimeWindowedKStream::cogroup`](super::TimeWindowedKStream::cogroup) returns it. Kafka Streams has no such step.
///
/// ```
/// # use std::time::Duration;
/// # use tidemill::{Cogrouped, JoinKind, TimeWindows};
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
/// let chat = builder.stream::<u64, String>("chat").group_by_key().windowed_by(minutes);
/// let gifts = builder.stream::<u64, i64>("gifts").group_by_key().windowed_by(minutes);
/// chat.cogroup(gifts)
///     .collect("chat-minutes", "gift-minutes")
///     .map(|windowed, Cogrouped { left, right }| (windowed.key, format!("{left:?} {right:?}")))
///     .to("minutes");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// let (chat, gifts) = (driver.input::<u64, String>("chat"), driver.input::<u64, i64>("gifts"));
/// gifts.pipe_all([(7, 5, 10), (8, 1, 20)])?;
/// chat.pipe_all([(7, "wow".into(), 30), (9, "hi".into(), 60_000)])?;
/// // Room 8 has gifts only, and its minute is emitted all the same. Room 9's minute is still open.
/// assert_eq!(driver.output::<u64, String>("minutes").read_values()?, ["[\"wow\"] [5]", "[] [1]"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CogroupedWindows<K, L, R> {
    left: TimeWindowedKStream<K, L>,
    right: TimeWindowedKStream<K, R>,
}

impl<K: Data, L: Data, R: Data> CogroupedWindows<K, L, R> {
    pub(super) fn new(left: TimeWindowedKStream<K, L>, right: TimeWindowedKStream<K, R>) -> Self {
        meets(&left.stream.graph, &right.stream.graph, "cogroup");
        if left.windows != right.windows {
            left.stream.graph.borrow_mut().graph.problems.push(format!(
                "two streams are cogrouped by different windows, {:?} and {:?}: give both the same windows",
                left.windows, right.windows
            ));
        }
        Self { left, right }
    }

    /// Collects both sides. When a window closes, it is emitted if at least one side has elements. A silent side does
    /// not hide the other side.
    ///
    /// `left` and `right` name the stores. The result has the highest timestamp of its elements. See the example of
    /// [`CogroupedWindows`].
    pub fn collect(
        self,
        left: impl Into<Materialized<K, L>>,
        right: impl Into<Materialized<K, R>>,
    ) -> KStream<Windowed<K>, Cogrouped<L, R>> {
        self.collect_as(JoinKind::Outer, left, right)
    }

    /// Collects both sides. When a window closes, `kind` decides whether it is emitted.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{JoinKind, TimeWindows};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// let chat = builder.stream::<u64, String>("chat").group_by_key().windowed_by(minutes);
    /// let gifts = builder.stream::<u64, i64>("gifts").group_by_key().windowed_by(minutes);
    /// let both = chat.cogroup(gifts).collect_as(JoinKind::Inner, "chat-minutes", "gift-minutes");
    /// both.map(|windowed, minute| (windowed.key, minute.right)).to("gifts-with-chat");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let (chat, gifts) = (driver.input::<u64, String>("chat"), driver.input::<u64, i64>("gifts"));
    /// gifts.pipe_all([(7, 5, 10), (8, 1, 20)])?;
    /// chat.pipe_all([(7, "wow".into(), 30), (9, "hi".into(), 60_000)])?;
    /// assert_eq!(driver.output::<u64, Vec<i64>>("gifts-with-chat").read_values()?, [[5]]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn collect_as(
        self,
        kind: JoinKind,
        left: impl Into<Materialized<K, L>>,
        right: impl Into<Materialized<K, R>>,
    ) -> KStream<Windowed<K>, Cogrouped<L, R>> {
        let Self { left: left_side, right: right_side } = self;
        let graph = left_side.stream.graph.clone();
        let windows = left_side.windows;
        let left = WindowRows::new(&graph, windows, left.into());
        let right = WindowRows::beside(&graph, windows, right.into());
        let emit = left_side.emit.or_on_close().earlier_idle(right_side.emit);
        let stores = left.stores().into_iter().chain(right.stores()).collect();
        let (left_name, right_name) = (left.store.clone(), right.store.clone());

        let build: BuildNode = Arc::new(move |assembly, id| {
            let time = left.time(assembly, windows, emit, std::slice::from_ref(&right.store))?;
            let next = assembly.next(id, MAIN_PORT)?;
            let (left, right) = (left.elements(assembly), right.elements(assembly));
            let core = Rc::new(RefCell::new(Cogroup { time, kind, left, right, next }));
            assembly.lifecycle(id, core.clone());
            assembly.share(id, core);
            Ok(())
        });
        let core = add_operator(&graph, None, "cogroup", &[], stores, build);
        graph.borrow_mut().graph.note_idle(core, emit.idle_ms(), windows.retention_ms());

        let build: BuildNode = Arc::new(move |assembly, id| {
            let core = assembly.shared::<Cogroup<K, L, R>>(core)?;
            let late = assembly.next(id, LATE_PORT)?;
            assembly.input::<K, L>(id, Rc::new(RefCell::new(LeftInput { core, late })));
            Ok(())
        });
        let left_input = left_side.attach("cogroup-left", &left_name, vec![left_name.clone()], build);

        let build: BuildNode = Arc::new(move |assembly, id| {
            let core = assembly.shared::<Cogroup<K, L, R>>(core)?;
            let late = assembly.next(id, LATE_PORT)?;
            assembly.input::<K, R>(id, Rc::new(RefCell::new(RightInput { core, late })));
            Ok(())
        });
        let right_input = right_side.attach("cogroup-right", &right_name, vec![right_name.clone()], build);

        join_inputs(&graph, core, &[left_input, right_input]);
        KStream::new(graph, core)
    }
}

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

/// Streams of different values that feed one aggregate for each window (`TimeWindowedCogroupedKStream` in Kafka
/// Streams).
///
/// Late records are counted as `late` by the input that they came from. See the example of [`CogroupedKStream`].
pub struct TimeWindowedCogroupedKStream<K, A, W = TimeWindows> {
    pub(super) cogrouped: CogroupedKStream<K, A>,
    pub(super) windows: W,
    pub(super) emit: EmitStrategy,
}

impl<K: Data, A: Data, W> TimeWindowedCogroupedKStream<K, A, W> {
    /// Selects when results are emitted. The default is every update. Kafka Streams has no emit strategy for cogrouped
    /// streams.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{EmitStrategy, TimeWindows, Windowed};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let (views, orders) = (builder.stream::<u64, String>("views"), builder.stream::<u64, i64>("orders"));
    /// views
    ///     .group_by_key()
    ///     .cogroup(|_, _, (views, _): &mut (i64, i64)| *views += 1)
    ///     .cogroup(&orders.group_by_key(), |_, cents, (_, spent)| *spent += cents)
    ///     .windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_secs(60)))
    ///     .emit(EmitStrategy::on_window_close())
    ///     .aggregate("visits", || (0, 0))
    ///     .to_stream()
    ///     .to("visits");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("views").pipe(1, "/tea".into(), 0)?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 1), (1, 50, 60_000)])?;
    /// // One result for the first minute. The second minute is open.
    /// assert_eq!(driver.output::<Windowed<u64>, (i64, i64)>("visits").read_values()?, [(1, 250)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn emit(self, emit: EmitStrategy) -> Self {
        Self { emit, ..self }
    }
}

impl<K: Data, A: Data> TimeWindowedCogroupedKStream<K, A> {
    /// Folds the streams' values into an aggregate (`TimeWindowedCogroupedKStream.aggregate` in Kafka Streams). The
    /// aggregate starts as the result of `initializer`, whichever stream comes first. `materialized` names the store.
    /// See the example of [`CogroupedKStream`].
    pub fn aggregate(
        self,
        materialized: impl Into<Materialized<K, A>>,
        initializer: impl Fn() -> A + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A> {
        let Self { cogrouped, windows, emit } = self;
        let graph = cogrouped.graph.clone();
        let rows = WindowRows::new(&graph, windows, materialized.into());
        let node_rows = rows.clone();
        let build: BuildNode = Arc::new(move |assembly, id| {
            let core = node_rows.aggregate(assembly, id, windows, emit)?;
            assembly.share(id, core);
            Ok(())
        });
        let kind = NodeKind::Operator("windowed-cogroup");
        let core = graph.borrow_mut().add(Some(&rows.store), kind, Vec::new(), rows.stores(), build);
        graph.borrow_mut().graph.note_idle(core, emit.idle_ms(), windows.retention_ms());
        cogrouped.add_inputs(&rows.store, Aggregates::TimeWindows, core, initializer);
        rows.table(graph, core)
    }
}
