//! Topologies built by hand, from sources, processors, sinks and stores.

use std::marker::PhantomData;

use super::{
    Consumed, FixedKeyProcessorSupplier, KStream, ProcessorSupplier, Produced, StoreBuilder, StreamsBuilder,
    builder::{SharedGraph, meets},
    processing::Step,
};
use crate::{
    error::TopologyError,
    graph::{Edge, MAIN_PORT, NodeId, StoreName},
    operators::processor::Output,
    record::{Data, Record},
    topology::Topology,
};

/// A topology that is built by hand (`Topology` in Kafka Streams with `addSource`, `addProcessor`, `addSink`,
/// `addStateStore`). Each step is named, and returns a handle that later steps take as a parent. A handle has the types
/// of what its step forwards, so steps that do not fit do not compile.
///
/// Nothing is partitioned anew, and nothing checks how records are partitioned: that is known to whoever builds by hand.
/// [`TopologyBuilder::from`] continues what a [`StreamsBuilder`] began; [`KStream::node`] is the handle of a stream.
///
/// ```
/// # use tidemill::processor::{Processor, ProcessorContext, Record};
/// # use tidemill::{StoreBuilder, TopologyBuilder, state::BoxError, testing::TopologyTestDriver};
/// /// Numbers the orders of each shop.
/// struct Number;
///
/// impl Processor<String, String, String, i64> for Number {
///     fn process(
///         &mut self,
///         ctx: &mut ProcessorContext<'_, String, i64>,
///         order: Record<String, String>,
///     ) -> Result<(), BoxError> {
///         let numbers = ctx.key_value_store::<String, i64>("numbers")?;
///         let number = numbers.get(&order.key)?.unwrap_or(0) + 1;
///         numbers.put(&order.key, &number, order.timestamp)?;
///         ctx.forward(order.with_value(number));
///         Ok(())
///     }
/// }
///
/// let builder = TopologyBuilder::new();
/// let web = builder.add_source::<String, String>("web", "web-orders");
/// let shops = builder.add_source::<String, String>("shops", "shop-orders");
/// let numbers = builder.add_processor("number", || Number, &[&web, &shops]);
/// builder.add_state_store(StoreBuilder::key_value::<String, i64>("numbers"), &["number"]);
/// builder.add_sink("sink", "numbered", &[&numbers]);
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// driver.input::<String, String>("web-orders").pipe("berlin".into(), "tea".into(), 0)?;
/// driver.input::<String, String>("shop-orders").pipe("berlin".into(), "jam".into(), 1)?;
/// assert_eq!(driver.output::<String, i64>("numbered").read_values()?, [1, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct TopologyBuilder {
    graph: SharedGraph,
}

/// A step of a topology, as the parent of later steps: a parent's name in Kafka Streams, with the types of what the step
/// forwards. See the example of [`TopologyBuilder`].
#[derive(Debug)]
pub struct NodeHandle<K, V> {
    graph: SharedGraph,
    node: NodeId,
    types: PhantomData<fn(K, V)>,
}

impl<K, V> Clone for NodeHandle<K, V> {
    fn clone(&self) -> Self {
        Self { graph: self.graph.clone(), ..*self }
    }
}

impl<K, V> KStream<K, V> {
    /// The handle of the step that this stream comes from, for a [`TopologyBuilder`] on the same builder. In Kafka
    /// Streams it is the name of the step.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, TopologyBuilder, testing::TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// let large = builder.stream::<u64, i64>("orders").filter(|_, cents| *cents >= 1_000);
    /// let topology = TopologyBuilder::from(&builder);
    /// topology.add_sink("sink", "large", &[&large.node()]);
    ///
    /// let driver = TopologyTestDriver::new(&topology.build()?)?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 0), (2, 4_000, 1)])?;
    /// assert_eq!(driver.output::<u64, i64>("large").read_values()?, [4_000]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn node(&self) -> NodeHandle<K, V> {
        NodeHandle { graph: self.graph.clone(), node: self.node, types: PhantomData }
    }
}

impl From<&StreamsBuilder> for TopologyBuilder {
    /// Continues the topology of a builder. Both add to the same topology. See the example of [`KStream::node`].
    fn from(builder: &StreamsBuilder) -> Self {
        Self { graph: builder.graph.clone() }
    }
}

impl TopologyBuilder {
    /// An empty topology. See the example of [`TopologyBuilder`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a source that reads a topic (`Topology.addSource` in Kafka Streams). See the example of [`TopologyBuilder`],
    /// and [`StreamsBuilder::stream`] for how topics are read.
    pub fn add_source<K: Data, V: Data>(&self, name: &str, topic: impl Into<Consumed<K, V>>) -> NodeHandle<K, V> {
        let builder = StreamsBuilder { graph: self.graph.clone() };
        let stream = builder.stream(topic);
        self.rename(stream.node, name);
        stream.node()
    }

    /// Adds a processor below one or several steps (`Topology.addProcessor` in Kafka Streams). See the example of
    /// [`TopologyBuilder`].
    pub fn add_processor<K: Data, V: Data, K2: Data, V2: Data>(
        &self,
        name: &str,
        supplier: impl ProcessorSupplier<K, V, K2, V2>,
        parents: &[&NodeHandle<K, V>],
    ) -> NodeHandle<K2, V2> {
        self.processing(name, parents).process(supplier)
    }

    /// Adds a processor that keeps keys (`Topology.addProcessor` with a `FixedKeyProcessorSupplier` in Kafka Streams),
    /// as [`add_processor`](Self::add_processor).
    pub fn add_fixed_key_processor<K: Data, V: Data, V2: Data>(
        &self,
        name: &str,
        supplier: impl FixedKeyProcessorSupplier<K, V, V2>,
        parents: &[&NodeHandle<K, V>],
    ) -> NodeHandle<K, V2> {
        let step = self.processing(name, parents);
        self.handle(step.step.run_values(supplier))
    }

    /// Begins to add a processor with several outputs, as [`KStream::processing`] does.
    ///
    /// ```
    /// # use tidemill::processor::{Output, Processor, ProcessorContext, Record};
    /// # use tidemill::{TopologyBuilder, state::BoxError, testing::TopologyTestDriver};
    /// /// Forwards orders, and those above 1000 also to an output of their own.
    /// struct Sort {
    ///     large: Output<u64, i64>,
    /// }
    ///
    /// impl Processor<u64, i64, u64, i64> for Sort {
    ///     fn process(
    ///         &mut self,
    ///         ctx: &mut ProcessorContext<'_, u64, i64>,
    ///         order: Record<u64, i64>,
    ///     ) -> Result<(), BoxError> {
    ///         if order.value > 1_000 {
    ///             ctx.forward_to(self.large, order.clone());
    ///         }
    ///         ctx.forward(order);
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let builder = TopologyBuilder::new();
    /// let orders = builder.add_source::<u64, i64>("source", "orders");
    /// let mut sort = builder.processing("sort", &[&orders]);
    /// let (large, large_orders) = sort.output("large");
    /// let all_orders = sort.process(move || Sort { large });
    /// builder.add_sink("all-sink", "all", &[&all_orders]);
    /// builder.add_sink("large-sink", "large", &[&large_orders]);
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 0), (2, 4_000, 1)])?;
    /// assert_eq!(driver.output::<u64, i64>("all").read_values()?, [250, 4_000]);
    /// assert_eq!(driver.output::<u64, i64>("large").read_values()?, [4_000]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn processing<K: Data, V: Data>(&self, name: &str, parents: &[&NodeHandle<K, V>]) -> NodeProcessing<K, V> {
        let step = Step::new(&self.graph, name, self.nodes(name, parents));
        NodeProcessing { graph: self.graph.clone(), step, types: PhantomData }
    }

    /// Adds a sink that writes a topic (`Topology.addSink` in Kafka Streams). See the example of [`TopologyBuilder`],
    /// and [`KStream::to`] for how topics are written.
    pub fn add_sink<K: Data, V: Data>(
        &self,
        name: &str,
        topic: impl Into<Produced<K, V>>,
        parents: &[&NodeHandle<K, V>],
    ) {
        self.add_sink_with(name, parents, |stream| stream.to(topic));
    }

    /// Adds a sink that chooses the topic of each record (`Topology.addSink` with a `TopicNameExtractor` in Kafka
    /// Streams), as [`KStream::to_by`].
    pub fn add_sink_by<K: Data, V: Data, T: Into<String>>(
        &self,
        name: &str,
        topics: impl Into<Produced<K, V>>,
        choose: impl Fn(&Record<K, V>) -> T + Send + Sync + 'static,
        parents: &[&NodeHandle<K, V>],
    ) {
        self.add_sink_with(name, parents, |stream| stream.to_by(topics, choose));
    }

    /// Adds a store and connects it to these processors, which were added before (`Topology.addStateStore` in Kafka
    /// Streams). See the example of [`TopologyBuilder`].
    pub fn add_state_store(&self, store: StoreBuilder, processors: &[&str]) -> StoreName {
        let builder = StreamsBuilder { graph: self.graph.clone() };
        let name = builder.add_state_store(store);
        for processor in processors {
            self.connect_processor_and_state_stores(processor, &[&name]);
        }
        name
    }

    /// Connects a processor that was added before to stores (`Topology.connectProcessorAndStateStores` in Kafka
    /// Streams). [`build`](Self::build) returns an error if there is no such processor.
    ///
    /// ```
    /// # use tidemill::{StoreBuilder, TopologyBuilder};
    /// let builder = TopologyBuilder::new();
    /// builder.add_source::<u64, i64>("source", "orders");
    /// builder.add_state_store(StoreBuilder::key_value::<u64, i64>("totals"), &[]);
    /// builder.connect_processor_and_state_stores("sum", &["totals"]);
    /// let error = builder.build().unwrap_err();
    /// assert_eq!(error.problems()[0], "no processor is named 'sum': add it before its stores");
    /// ```
    pub fn connect_processor_and_state_stores(&self, processor: &str, stores: &[&str]) {
        let mut draft = self.graph.borrow_mut();
        match draft.graph.processor(processor) {
            Some(node) => draft.graph.connect(node, stores.iter().map(|store| StoreName::from(*store))),
            None => {
                let problem = format!("no processor is named '{processor}': add it before its stores");
                draft.graph.problems.push(problem);
            }
        }
    }

    /// Validates the topology and returns it, as [`StreamsBuilder::build`]. See the example of [`TopologyBuilder`].
    ///
    /// # Errors
    ///
    /// If the topology has problems. The error lists all of them.
    pub fn build(&self) -> Result<Topology, TopologyError> {
        self.graph.borrow().finish()
    }

    fn add_sink_with<K: Data, V: Data>(
        &self,
        name: &str,
        parents: &[&NodeHandle<K, V>],
        add: impl FnOnce(KStream<K, V>),
    ) {
        let nodes = self.nodes(name, parents);
        let Some((first, others)) = nodes.split_first() else { return };
        let sink = NodeId(self.graph.borrow().graph.nodes.len() as u32);
        add(KStream::new(self.graph.clone(), *first));
        let mut draft = self.graph.borrow_mut();
        // A sink with a problem of its own was not added.
        if let Some(node) = draft.graph.nodes.get_mut(sink.index()) {
            node.parents.extend(others.iter().map(|from| Edge { from: *from, port: MAIN_PORT }));
            node.name = name.into();
        }
    }

    fn rename(&self, node: NodeId, name: &str) {
        let mut draft = self.graph.borrow_mut();
        if draft.graph.nodes.iter().any(|other| other.id != node && *other.name == *name) {
            draft.graph.problems.push(format!("two steps are named '{name}': names must be unique"));
        }
        draft.graph.nodes[node.index()].name = name.into();
        draft.graph.named_sources.insert(node);
    }

    /// The nodes of parents. Parents of another builder, and none at all, are problems.
    fn nodes<K, V>(&self, name: &str, parents: &[&NodeHandle<K, V>]) -> Vec<NodeId> {
        if parents.is_empty() {
            self.graph.borrow_mut().graph.problems.push(format!("'{name}' has no parent: name the steps before it"));
        }
        let own = parents.iter().filter(|parent| meets(&self.graph, &parent.graph, "step"));
        own.map(|parent| parent.node).collect()
    }

    fn handle<K, V>(&self, node: NodeId) -> NodeHandle<K, V> {
        NodeHandle { graph: self.graph.clone(), node, types: PhantomData }
    }
}

/// A processor with several outputs while it is added. [`TopologyBuilder::processing`] returns it;
/// [`process`](Self::process) ends it.
pub struct NodeProcessing<K, V> {
    graph: SharedGraph,
    step: Step,
    types: PhantomData<fn(K, V)>,
}

impl<K: Data, V: Data> NodeProcessing<K, V> {
    /// Declares an output, as [`Processing::output`](super::Processing::output). See the example of
    /// [`TopologyBuilder::processing`].
    pub fn output<K2: Data, V2: Data>(&mut self, name: &str) -> (Output<K2, V2>, NodeHandle<K2, V2>) {
        let (output, node) = self.step.output(name);
        (output, NodeHandle { graph: self.graph.clone(), node, types: PhantomData })
    }

    /// Gives the step its processor. See the example of [`TopologyBuilder::processing`].
    pub fn process<K2: Data, V2: Data>(self, supplier: impl ProcessorSupplier<K, V, K2, V2>) -> NodeHandle<K2, V2> {
        let node = self.step.run(supplier);
        NodeHandle { graph: self.graph, node, types: PhantomData }
    }
}
