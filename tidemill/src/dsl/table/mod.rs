//! Tables: the last value of each key.

mod cached;
mod foreign_key;
mod from_stream;
mod join;
mod kept;
mod steps;
mod suppress;
mod transform_values;
mod try_join;
mod try_steps;
mod view;

use std::sync::Arc;

use tidemill_state::Codec;

pub(in crate::dsl) use kept::kept;
pub(crate) use view::TableView;

use super::builder::{SharedGraph, add_operator};
use crate::{
    graph::{NodeId, StoreName},
    operators::{Assembly, BuildNode, StoreView, View},
    record::Data,
};

/// The last value of each key (`KTable` in Kafka Streams). Tables come from
/// [`StreamsBuilder::table`](crate::StreamsBuilder::table), from aggregates, and from
/// [`KStream::to_table`](crate::KStream::to_table).
///
/// A table is a changelog: each update replaces the value of its key, and a tombstone deletes the key. Steps of a table
/// follow its updates, also its tombstones.
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
    store: Option<StoreName>,
    pub(super) view: TableView<K, V>,
}

impl<K, V> Clone for KTable<K, V> {
    fn clone(&self) -> Self {
        Self { graph: self.graph.clone(), node: self.node, store: self.store.clone(), view: self.view.clone() }
    }
}

impl<K: Data, V: Data> KTable<K, V> {
    pub(super) fn new(graph: SharedGraph, node: NodeId, store: Option<StoreName>, view: TableView<K, V>) -> Self {
        Self { graph, node, store, view }
    }

    /// A table whose values are in a store of its own.
    pub(super) fn stored(
        graph: SharedGraph,
        node: NodeId,
        store: StoreName,
        key: Arc<dyn Codec<K>>,
        value: Arc<dyn Codec<V>>,
    ) -> Self {
        let (name, key_of_rows) = (store.clone(), key.clone());
        let open = move |assembly: &Assembly<'_>| -> Box<dyn View<K, V>> {
            let (store, key) = (assembly.table_store(&name), key_of_rows.clone());
            Box::new(StoreView { store, key, value: value.clone(), scratch: Vec::new() })
        };
        let history_ms = graph.borrow().graph.stores.get(&store).and_then(|spec| spec.kind.history_ms());
        let view = TableView::new(vec![store.clone()], key, open).with_history(history_ms);
        Self::new(graph, node, Some(store), view)
    }

    pub(super) fn graph(&self) -> &SharedGraph {
        &self.graph
    }

    fn add(&self, name: Option<&str>, label: &'static str, stores: Vec<StoreName>, build: BuildNode) -> NodeId {
        add_operator(&self.graph, name, label, &[self.node], stores, build)
    }

    /// The name of the store, for queries and for processors (`KTable.queryableStoreName` in Kafka Streams). `None` if
    /// the table has no store of its own, such as after [`KTable::filter`]: [`KTable::materialized`] adds one.
    ///
    /// ```
    /// # use tidemill::StreamsBuilder;
    /// # let builder = StreamsBuilder::new();
    /// let counts = builder.stream::<u64, String>("chat").group_by_key().count("messages");
    /// assert_eq!(counts.store().map(|name| &**name), Some("messages"));
    /// assert_eq!(counts.filter(|_, count| *count > 9).store(), None);
    /// ```
    pub fn store(&self) -> Option<&StoreName> {
        self.store.as_ref()
    }
}
