//! A topology: its graph, and the builders of its operators.

use std::sync::Arc;

use crate::{
    error::TopologyError,
    graph::{Edge, Graph, Node, NodeId, NodeKind, StoreName, StoreSpec},
    operators::{BuildNode, Builders},
};

/// A validated topology: what [`StreamsBuilder::build`](crate::StreamsBuilder::build) returns (`Topology` in Kafka
/// Streams).
///
/// ```
/// use tidemill::{NodeKind, StreamsBuilder};
///
/// let builder = StreamsBuilder::new();
/// builder.stream::<u64, String>("chat").group_by_key().count("messages").to_stream().to("counts");
/// let topology = builder.build()?;
///
/// let names: Vec<_> = topology.nodes().iter().map(|node| &*node.name).collect();
/// assert_eq!(names, ["chat", "messages", "to-stream-2", "sink-3"]);
/// assert_eq!(topology.nodes()[0].kind, NodeKind::Source("chat".into()));
/// assert!(topology.stores().all(|store| store.logged));
/// # Ok::<(), tidemill::TopologyError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Topology {
    pub(crate) graph: Arc<Graph>,
    pub(crate) builders: Arc<Builders>,
}

impl Topology {
    /// Its nodes, parents before children. See the example of [`Topology`].
    pub fn nodes(&self) -> &[Node] {
        &self.graph.nodes
    }

    /// Its stores, ordered by name. See the example of [`Topology`].
    pub fn stores(&self) -> impl Iterator<Item = &StoreSpec> {
        self.graph.stores.values()
    }
}

/// A topology while it is written.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) graph: Graph,
    builders: Builders,
}

impl Draft {
    /// Adds a node. If `name` is `None`, the name is the kind and a number; this suffices for nodes without state.
    pub(crate) fn add(
        &mut self,
        name: Option<&str>,
        kind: NodeKind,
        parents: Vec<Edge>,
        stores: Vec<StoreName>,
        build: BuildNode,
    ) -> NodeId {
        self.builders.push(build);
        self.graph.add(name, kind, parents, stores)
    }

    /// Sets the parents and the builder of a node that was added without them.
    pub(crate) fn finish_node(&mut self, id: NodeId, parents: impl IntoIterator<Item = Edge>, build: BuildNode) {
        self.graph.nodes[id.index()].parents.extend(parents);
        self.builders.replace(id, build);
    }

    /// Validates the graph and returns the topology as it is written so far.
    pub(crate) fn finish(&self) -> Result<Topology, TopologyError> {
        let mut graph = self.graph.clone();
        graph.resolve_erasures();
        TopologyError::check(graph.validate())?;
        graph.name_writers();
        Ok(Topology { graph: Arc::new(graph), builders: Arc::new(self.builders.clone()) })
    }
}
