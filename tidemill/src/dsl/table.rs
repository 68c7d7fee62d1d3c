//! Tables: the last value of each key.

use std::sync::Arc;

use tidemill_state::Codec;

use super::{KStream, builder::SharedGraph};
use crate::{
    graph::{NodeId, StoreName},
    record::Data,
};

/// The last value of each key, kept in a store (`KTable` in Kafka Streams). Tables come from
/// [`StreamsBuilder::table`](crate::StreamsBuilder::table) and from aggregates.
///
/// ```
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// let prices = builder.table::<String, i64>("prices", "price-of-item");
/// builder.stream::<String, i64>("ordered").join(&prices, |_, number, cents| number * cents).to("costs");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// driver.input::<String, i64>("prices").pipe_all([("tea".into(), 300, 0), ("tea".into(), 350, 1)])?;
/// driver.input::<String, i64>("ordered").pipe("tea".into(), 2, 2)?;
/// assert_eq!(driver.output::<String, i64>("costs").read_values()?, [700]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct KTable<K, V> {
    graph: SharedGraph,
    pub(super) node: NodeId,
    pub(super) store: StoreName,
    pub(super) key: Arc<dyn Codec<K>>,
    pub(super) value: Arc<dyn Codec<V>>,
}

impl<K: Data, V: Data> KTable<K, V> {
    pub(super) fn new(
        graph: SharedGraph,
        node: NodeId,
        store: StoreName,
        key: Arc<dyn Codec<K>>,
        value: Arc<dyn Codec<V>>,
    ) -> Self {
        Self { graph, node, store, key, value }
    }

    pub(super) fn graph(&self) -> &SharedGraph {
        &self.graph
    }

    /// The table's updates as a stream (`KTable.toStream` in Kafka Streams).
    ///
    /// A record with a null value on the table's topic deletes its key from the store, but the stream has no record of
    /// it. In Kafka Streams the stream contains the tombstone.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.table::<u64, String>("users", "names").to_stream().to("renamed");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let users = driver.input::<u64, Option<String>>("users");
    /// users.pipe_all([(1, Some("Ann".into()), 0), (1, Some("Anna".into()), 1), (1, None, 2)])?;
    /// assert_eq!(driver.output::<u64, String>("renamed").read_values()?, ["Ann", "Anna"]);
    /// assert_eq!(driver.key_value_store::<u64, String>("names", 0)?.expect("it runs").get(&1)?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_stream(&self) -> KStream<K, V> {
        KStream::new(self.graph.clone(), self.node)
    }

    /// The name of the store, for queries and for processors (`KTable.queryableStoreName` in Kafka Streams).
    ///
    /// ```
    /// # use tidemill::StreamsBuilder;
    /// # let builder = StreamsBuilder::new();
    /// let counts = builder.stream::<u64, String>("chat").group_by_key().count("messages");
    /// assert_eq!(&**counts.store(), "messages");
    /// ```
    pub fn store(&self) -> &StoreName {
        &self.store
    }
}
