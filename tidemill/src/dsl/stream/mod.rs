//! Steps of a stream of records.

mod global_join;
mod nodes;
mod process;
mod sinks;
mod stateless;
mod table_join;
mod try_join;
mod try_stateless;

use std::fmt;

use super::{
    KGroupedStream,
    builder::{SharedGraph, add_operator},
};
use crate::{
    graph::{NodeId, NodeName},
    operators::BuildNode,
    record::Data,
};

/// A stream of records (`KStream` in Kafka Streams). Each record is an event of its own. A clone is cheap; both clones
/// get all records.
///
/// Steps declare what will run; no step runs before the application starts. Two steps on one stream both get each
/// record:
///
/// ```
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// let orders = builder.stream::<u64, i64>("orders");
/// orders.filter(|_, cents| *cents >= 1_000).to("large");
/// orders.map_values(|cents| cents / 100).to("euros");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 0), (2, 4_000, 1)])?;
/// assert_eq!(driver.output::<u64, i64>("large").read_values()?, [4_000]);
/// assert_eq!(driver.output::<u64, i64>("euros").read_values()?, [2, 40]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct KStream<K, V> {
    pub(in crate::dsl) graph: SharedGraph,
    pub(in crate::dsl) node: NodeId,
    /// The step that changed the key since the records were last partitioned by key.
    pub(in crate::dsl) rekeyed_by: Option<NodeName>,
    pub(in crate::dsl) types: std::marker::PhantomData<fn(K, V)>,
}

impl<K, V> Clone for KStream<K, V> {
    fn clone(&self) -> Self {
        let (graph, rekeyed_by) = (self.graph.clone(), self.rekeyed_by.clone());
        Self { graph, node: self.node, rekeyed_by, types: self.types }
    }
}

impl<K, V> fmt::Debug for KStream<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KStream({})", self.graph.borrow().graph.node(self.node).name)
    }
}

impl<K, V> KStream<K, V> {
    pub(in crate::dsl) fn new(graph: SharedGraph, node: NodeId) -> Self {
        Self { graph, node, rekeyed_by: None, types: std::marker::PhantomData }
    }

    pub(in crate::dsl) fn then<K2, V2>(&self, node: NodeId, rekeyed: bool) -> KStream<K2, V2> {
        let rekeyed_by =
            if rekeyed { Some(self.graph.borrow().graph.node(node).name.clone()) } else { self.rekeyed_by.clone() };
        KStream { rekeyed_by, ..KStream::new(self.graph.clone(), node) }
    }

    fn add(&self, label: &'static str, build: BuildNode) -> NodeId {
        add_operator(&self.graph, None, label, &[self.node], Vec::new(), build)
    }

    /// Names the last step, for descriptions, errors and counters (`Named.as` in Kafka Streams). By default a step has
    /// the name of its kind and a number. A step with state has the name of its store and needs no other.
    ///
    /// [`StreamsBuilder::build`](crate::StreamsBuilder::build) returns an error if two steps have the same name.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, i64>("orders").filter(|_, cents| *cents > 0).named("paid").to("paid-orders");
    /// let topology = builder.build()?;
    /// assert!(topology.nodes().iter().any(|node| &*node.name == "paid"));
    /// # Ok::<(), tidemill::TopologyError>(())
    /// ```
    pub fn named(self, name: &str) -> Self {
        let name: NodeName = name.into();
        let old = std::mem::replace(&mut self.graph.borrow_mut().graph.nodes[self.node.index()].name, name.clone());
        let rekeyed_by = self.rekeyed_by.clone().map(|by| if by == old { name } else { by });
        Self { rekeyed_by, ..self }
    }
}

impl<K: Data, V: Data> KStream<K, V> {
    /// Declares that the records are partitioned by their current key although an earlier step changed it
    /// (`markAsPartitioned` of KIP-759).
    ///
    /// Use this if the change of the key does not move records to other partitions, for example from a windowed key to
    /// its inner key. If the declaration is wrong, the state of one key is spread over several tasks. Nothing checks
    /// it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::TimeWindows;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// let views = builder.stream::<u64, String>("views").group_by_key().windowed_by(minutes).count("per-minute");
    /// // The user's windows are in the user's partition.
    /// let by_user = views.to_stream().drop_null_values().select_key(|windowed, _| windowed.key).mark_as_partitioned();
    /// by_user.group_by_key().reduce("best-minute", i64::max);
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let views = [(1, "/".into(), 0), (1, "/a".into(), 1), (1, "/b".into(), 60_000)];
    /// driver.input::<u64, String>("views").pipe_all(views)?;
    /// assert_eq!(driver.key_value_store::<u64, i64>("best-minute", 0)?.expect("it runs").get(&1)?, Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn mark_as_partitioned(&self) -> Self {
        Self { rekeyed_by: None, ..self.clone() }
    }

    /// Groups the records by their current key, for counts, aggregates and windows (`KStream.groupByKey` in Kafka
    /// Streams). `groupBy` of Kafka Streams is [`select_key`](Self::select_key), [`repartition`](Self::repartition) and
    /// this.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, String>("chat").group_by_key().count("messages-of-user").to_stream().to("counts");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let chat = driver.input::<u64, String>("chat");
    /// chat.pipe_all([(1, "hi".into(), 0), (2, "hello".into(), 1), (1, "bye".into(), 2)])?;
    /// assert_eq!(driver.output::<u64, i64>("counts").read()?, [(1, 1, 0), (2, 1, 1), (1, 2, 2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn group_by_key(&self) -> KGroupedStream<K, V> {
        KGroupedStream::new(self.clone())
    }

    /// Adds a problem if `node` relies on the key but the records are still partitioned by an earlier key.
    pub(in crate::dsl) fn require_partitioned_by_key(&self, node: NodeId) {
        if let Some(by) = &self.rekeyed_by {
            let graph = &mut self.graph.borrow_mut().graph;
            let name = graph.node(node).name.clone();
            let is_scattered = |source: &NodeId| graph.node(*source).name == *by;
            if graph.own_partitioners.iter().any(is_scattered) {
                graph.problems.push(format!(
                    "'{name}' relies on the key, but the partitioner of '{by}' also takes the value: use \
                     partitioned_by_key, or mark_as_partitioned() if the records of a key stay together"
                ));
                return;
            }
            graph.problems.push(format!(
                "'{name}' relies on the key, which '{by}' changed after the records were partitioned: \
                 put .repartition(\"a-name\") between them"
            ));
        }
    }
}
