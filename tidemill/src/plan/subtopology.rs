//! Cuts the graph at repartition topics. Nodes that share edges or stores run in the same subtopology.

use std::collections::BTreeMap;

use crate::graph::{Graph, NodeId, StoreName};

/// A part of the topology. Each of its tasks runs all of it for one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subtopology {
    /// The subtopology's nodes.
    pub nodes: Vec<NodeId>,
    /// The nodes that read topics.
    pub sources: Vec<NodeId>,
    /// The subtopology's stores.
    pub stores: Vec<StoreName>,
}

/// Subtopologies in the order of their first nodes.
pub(super) fn cut(graph: &Graph) -> Vec<Subtopology> {
    let mut groups = DisjointSets((0..graph.nodes.len()).collect());
    let mut owners = BTreeMap::<&StoreName, usize>::new();
    let mut readers = BTreeMap::new();
    for node in graph.nodes.iter().filter(|node| !graph.is_global(node.id)) {
        if let Some(topic) = node.kind.reads() {
            // One task reads a partition, for all sources.
            groups.join(*readers.entry(topic).or_insert(node.id.index()), node.id.index());
        }
        for edge in &node.parents {
            groups.join(edge.from.index(), node.id.index());
        }
        for store in &node.stores {
            let owner = *owners.entry(store).or_insert(node.id.index());
            groups.join(owner, node.id.index());
        }
    }
    let mut members = BTreeMap::<usize, Vec<NodeId>>::new();
    for node in graph.nodes.iter().filter(|node| !graph.is_global(node.id)) {
        members.entry(groups.find(node.id.index())).or_default().push(node.id);
    }
    members.into_values().map(|nodes| subtopology(graph, nodes)).collect()
}

fn subtopology(graph: &Graph, nodes: Vec<NodeId>) -> Subtopology {
    let sources = nodes.iter().copied().filter(|id| graph.node(*id).kind.is_source()).collect();
    let mut stores: Vec<_> = nodes.iter().flat_map(|id| graph.node(*id).stores.clone()).collect();
    stores.sort();
    stores.dedup();
    Subtopology { nodes, sources, stores }
}

/// Disjoint sets; the smallest member represents each.
struct DisjointSets(Vec<usize>);

impl DisjointSets {
    fn find(&self, mut member: usize) -> usize {
        while self.0[member] != member {
            member = self.0[member];
        }
        member
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        self.0[a.max(b)] = a.min(b);
    }
}
