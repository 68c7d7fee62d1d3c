//! Tables: the last value of each key.

use std::sync::Arc;

use tidemill_state::Codec;

use super::{KStream, builder::SharedGraph};
use crate::{
    graph::{NodeId, StoreName},
    record::Data,
};

/// The last value of each key, kept in a store.
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

    /// The table's updates as a stream. The stream does not contain deletions.
    pub fn to_stream(&self) -> KStream<K, V> {
        KStream::new(self.graph.clone(), self.node)
    }

    /// The name of the store, for queries.
    pub fn store(&self) -> &StoreName {
        &self.store
    }
}
