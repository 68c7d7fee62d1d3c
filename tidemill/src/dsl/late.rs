//! The late records of a windowed step.

use std::{rc::Rc, sync::Arc};

use super::{KStream, builder::add_operator};
use crate::{
    graph::{Edge, LATE_PORT, MAIN_PORT, NodeId, NodeKind, StoreName},
    operators::{BuildNode, Merge},
    record::Data,
};

/// The node that takes late records, if somebody wants them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Late(Option<NodeId>);

impl Late {
    /// The late records of a windowed stream.
    pub(super) fn records<K: Data, V: Data>(&mut self, stream: &KStream<K, V>) -> KStream<K, V> {
        let graph = &stream.graph;
        let late = *self.0.get_or_insert_with(|| {
            let build: BuildNode = Arc::new(|assembly, id| {
                let operator = Merge { next: assembly.next(id, MAIN_PORT)? };
                assembly.input::<K, V>(id, Rc::new(operator));
                Ok(())
            });
            graph.borrow_mut().add(None, NodeKind::Operator("late-records"), Vec::new(), Vec::new(), build)
        });
        KStream::new(graph.clone(), late)
    }

    /// Adds the node of a windowed step, and connects the node of late records to it.
    pub(super) fn attach<K: Data, V: Data>(
        self,
        stream: &KStream<K, V>,
        label: &'static str,
        name: &str,
        stores: Vec<StoreName>,
        build: BuildNode,
    ) -> NodeId {
        let graph = &stream.graph;
        let node = add_operator(graph, Some(name), label, &[stream.node], stores, build);
        stream.require_partitioned_by_key(node);
        if let Some(late) = self.0 {
            graph.borrow_mut().graph.nodes[late.index()].parents.push(Edge { from: node, port: LATE_PORT });
        }
        node
    }
}
