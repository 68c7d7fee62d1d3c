//! Global stores: filled from every partition of a topic, on every instance. No task owns them.

use std::collections::BTreeSet;

use super::{Graph, NodeId, StoreName, StoreSpec};
use crate::transport::Topic;

/// A global store and the nodes that fill it.
#[derive(Debug, Clone)]
pub(crate) struct Global {
    pub(crate) spec: StoreSpec,
    pub(crate) topic: Topic,
    /// The node that reads the topic.
    pub(crate) source: NodeId,
    /// The node that writes the store.
    pub(crate) writer: NodeId,
}

impl Graph {
    pub(crate) fn add_global(&mut self, mut global: Global) {
        let name = global.spec.name.clone();
        global.spec.format.set_missing("operator", self.node(global.writer).kind.label());
        if self.globals.insert(name.clone(), global).is_some() {
            self.problems.push(format!("two stores are named '{name}': give each its own name"));
        }
    }

    /// Whether a node fills a global store. Such nodes belong to no task.
    pub(crate) fn is_global(&self, node: NodeId) -> bool {
        self.globals.values().any(|global| global.source == node || global.writer == node)
    }

    pub(super) fn check_globals(&self, problems: &mut Vec<String>) {
        let tasks: BTreeSet<&StoreName> = self.stores.keys().collect();
        for name in self.globals.keys().filter(|name| tasks.contains(name)) {
            problems.push(format!("two stores are named '{name}': give each its own name"));
        }
        for node in self.nodes.iter().filter(|node| !self.is_global(node.id)) {
            for store in node.stores.iter().filter(|store| self.globals.contains_key(*store)) {
                problems.push(format!(
                    "'{}' names the global store '{store}' among its stores: take '{store}' out of this list. Every \
                     processor can read a global store without it",
                    node.name
                ));
            }
        }
    }
}
