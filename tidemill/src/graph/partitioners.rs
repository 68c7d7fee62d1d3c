//! The rule for repartition topics that have a partitioner of their own.

use std::collections::BTreeSet;

use super::{NodeKind, logical::Graph};
use crate::names::NodeId;

impl Graph {
    /// Checks that streams which share state are partitioned in the same way: either all of them by a partitioner of
    /// their own, or all by key. Whether two partitioners agree cannot be known here.
    pub(super) fn check_partitioners(&self, problems: &mut Vec<String>) {
        for own in &self.own_partitioners {
            let together = self.connected(*own);
            let mut nodes = together.iter().map(|id| self.node(*id));
            let Some(stateful) = nodes.clone().find(|node| !node.stores.is_empty()) else { continue };
            let by_key = nodes.find(|node| {
                let is_input = node.kind.is_source() && !matches!(node.kind, NodeKind::ResponseSource(_));
                let is_alike = self.own_partitioners.contains(&node.id) || self.foreign_key_answers.contains(&node.id);
                // Who gives a foreign-key join a partitioner says that the topic of the right table has it.
                let is_told = self.foreign_key_subscriptions.contains(own)
                    && !matches!(node.kind, NodeKind::RepartitionSource(_));
                is_input && !is_alike && !is_told
            });
            if let Some(other) = by_key {
                let remedy = if self.foreign_key_subscriptions.contains(&other.id) {
                    "give the join the same one with TableJoined::with_other_partitioner".to_owned()
                } else {
                    format!("repartition '{}' with the same one", other.name)
                };
                let (own, other, stateful) = (&self.node(*own).name, &other.name, &stateful.name);
                problems.push(format!(
                    "'{stateful}' needs '{own}' and '{other}' to be partitioned in the same way, but only '{own}' has a \
                     partitioner of its own: {remedy}"
                ));
            }
        }
    }

    /// The nodes that share edges or stores with this node, directly or through others.
    fn connected(&self, node: NodeId) -> BTreeSet<NodeId> {
        let (mut seen, mut open) = (BTreeSet::new(), vec![node]);
        while let Some(id) = open.pop() {
            // Every task has all of a global table.
            if self.is_global(id) || !seen.insert(id) {
                continue;
            }
            let node = self.node(id);
            open.extend(node.parents.iter().map(|edge| edge.from));
            let near = self.nodes.iter().filter(|other| {
                let reads_too = node.kind.reads().is_some() && other.kind.reads() == node.kind.reads();
                let shares = || other.stores.iter().any(|store| node.stores.contains(store));
                other.parents.iter().any(|edge| edge.from == id) || reads_too || shares()
            });
            open.extend(near.map(|other| other.id));
        }
        seen
    }
}
