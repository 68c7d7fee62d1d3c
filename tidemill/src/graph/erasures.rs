//! Steps that erase keys: the stores that they erase from, and the rules for such steps.

use std::collections::BTreeSet;

use super::{
    NodeKind, StoreName,
    logical::{Erasure, Graph},
    node::{Node, PROCESS},
    row_keys::Content,
};
use crate::names::NodeId;

/// Steps that forward at most one record for each record.
const SINGLE: &[&str] = &["map", "map-values", "select-key", "filter", "peek", "drop-null-keys"];

impl Node {
    /// Whether the engine knows what the step keeps. It does not know this of a user's processor.
    fn is_known(&self) -> bool {
        !self.erases() && self.kind != NodeKind::Operator(PROCESS)
    }
}

impl Graph {
    /// The nodes that write or read a store, without the steps that erase.
    pub(crate) fn users<'a>(&'a self, store: &'a str) -> impl Iterator<Item = &'a Node> {
        self.nodes.iter().filter(move |node| !node.erases() && node.stores.iter().any(|name| **name == *store))
    }

    /// The engine's own steps that use a store.
    pub(crate) fn known_users<'a>(&'a self, store: &'a str) -> impl Iterator<Item = NodeId> + 'a {
        self.users(store).filter(|node| node.is_known()).map(|node| node.id)
    }

    /// Connects the steps that erase with the stores that they erase from. A step loses its rows in all of its stores,
    /// because it cannot work with a part of them.
    pub(crate) fn resolve_erasures(&mut self) {
        for (id, Erasure { from, key }) in self.erasures.clone() {
            let name = self.node(id).name.clone();
            let mut stores = BTreeSet::new();
            for from in from {
                let found = self.stores_named(&from);
                if found.is_empty() {
                    let problem = format!("'{name}' erases from '{from}', which is no store, nor a step that has one");
                    self.problems.push(problem);
                }
                stores.extend(found);
            }
            for store in &stores {
                let has = self.stores.get(store).and_then(|spec| spec.format.field("key"));
                let is_times = self.row_keys.get(store).is_some_and(|rows| rows.content == Content::Times);
                if let (Some(has), Some(key)) = (has, &key)
                    && !is_times
                    && inner(has) != inner(key)
                {
                    let problem = format!(
                        "'{name}' erases keys of codec '{key}', but those of store '{store}' are of codec '{has}': \
                         give both the same"
                    );
                    self.problems.push(problem);
                }
            }
            self.nodes[id.index()].stores = stores.into_iter().collect();
        }
    }

    /// The store with this name, or the stores of the step with this name. Includes all stores of the steps that use
    /// them.
    fn stores_named(&self, name: &str) -> BTreeSet<StoreName> {
        let mut found: BTreeSet<_> =
            self.stores.get_key_value(name).map(|(name, _)| name.clone()).into_iter().collect();
        let has = |node: &&Node| *node.name == *name || node.stores.iter().any(|store| **store == *name);
        for step in self.nodes.iter().filter(|node| node.is_known()).filter(has) {
            for beside in step.stores.iter().flat_map(|store| self.known_users(store)) {
                found.extend(self.node(beside).stores.iter().cloned());
            }
        }
        found
    }

    pub(super) fn check_erasures(&self, problems: &mut Vec<String>) {
        for id in self.erasures.keys() {
            let node = self.node(*id);
            let above = self.nodes_above(&[*id]);
            for store in &node.stores {
                if let Some(user) = self.known_users(store).find(|user| above.contains(user)) {
                    problems.push(format!(
                        "'{}' erases from '{}', which it comes after: send what is to be erased through a topic",
                        node.name,
                        self.node(user).name
                    ));
                }
            }
            self.check_one_partitioning(node, problems);
        }
    }

    /// Checks that a step does not erase both above and below a repartition topic. The stores there have different
    /// keys, and each key is partitioned in its own way.
    fn check_one_partitioning(&self, node: &Node, problems: &mut Vec<String>) {
        let within = |task: &BTreeSet<NodeId>| {
            node.stores.iter().find(|store| self.users(store).any(|user| task.contains(&user.id)))
        };
        for sink in &self.nodes {
            let NodeKind::RepartitionSink { name, .. } = &sink.kind else { continue };
            let read_by = NodeKind::RepartitionSource(name.clone());
            let Some(source) = self.nodes.iter().find(|node| node.kind == read_by) else { continue };
            let writers = self.task_of(sink.id);
            if writers.contains(&source.id) {
                continue;
            }
            if let (Some(above), Some(below)) = (within(&writers), within(&self.task_of(source.id))) {
                problems.push(format!(
                    "'{}' erases from '{above}' and from '{below}', which are partitioned apart by '{name}': erase from \
                     each by a step of its own, and repartition between them what is to be erased",
                    node.name
                ));
            }
        }
    }

    /// The nodes that run in the same task as this node, if steps that erase are ignored.
    fn task_of(&self, node: NodeId) -> BTreeSet<NodeId> {
        let (mut seen, mut open) = (BTreeSet::new(), vec![node]);
        while let Some(id) = open.pop() {
            let node = self.node(id);
            if node.erases() || !seen.insert(id) {
                continue;
            }
            open.extend(node.parents.iter().map(|edge| edge.from));
            let fed = self.nodes.iter().filter(|child| child.parents.iter().any(|edge| edge.from == id));
            open.extend(fed.map(|child| child.id));
            open.extend(node.stores.iter().flat_map(|store| self.users(store)).map(|user| user.id));
        }
        seen
    }

    /// The nodes, and all nodes that feed them within their task.
    fn nodes_above(&self, nodes: &[NodeId]) -> BTreeSet<NodeId> {
        let (mut seen, mut open) = (BTreeSet::new(), nodes.to_vec());
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(self.node(id).parents.iter().map(|edge| edge.from));
            }
        }
        seen
    }

    /// Whether a source feeds only steps that erase. The times of its records are then no event times of the stream.
    pub(crate) fn brings_only_erasures(&self, source: NodeId) -> bool {
        !self.erased_by(source).is_empty()
    }

    /// Whether a node may erase in several turns, because taking a record again does no harm: the record has no other
    /// effect, and leads to one erasure.
    pub(crate) fn erases_by_pieces(&self, node: NodeId) -> bool {
        let mut above = self.nodes_above(&[node]).into_iter().filter(|id| *id != node).map(|id| self.node(id));
        above.all(|step| match step.kind {
            NodeKind::Operator(label) => SINGLE.contains(&label),
            _ => self.erased_by(step.id) == BTreeSet::from([node]) && self.reads_alone(step),
        })
    }

    /// Whether no other source may read the topics of a source.
    fn reads_alone(&self, source: &Node) -> bool {
        let others = self.nodes.iter().filter(|other| other.id != source.id && other.kind.is_source());
        let mut others = others.map(|other| other.kind.reads());
        source.kind.reads().is_some_and(|topic| others.all(|other| other.is_some_and(|other| other != topic)))
    }

    /// The steps that erase the keys of a source; empty if the source also feeds other steps.
    fn erased_by(&self, source: NodeId) -> BTreeSet<NodeId> {
        let (mut open, mut seen, mut found) = (vec![source], BTreeSet::new(), BTreeSet::new());
        while let Some(id) = open.pop() {
            let node = self.node(id);
            if !seen.insert(id) {
                continue;
            }
            if node.erases() {
                found.insert(id);
                continue;
            }
            let passes = id == source || matches!(node.kind, NodeKind::Operator(label) if label != PROCESS);
            if !passes || !node.stores.is_empty() {
                return BTreeSet::new();
            }
            let fed = self.nodes.iter().filter(|child| child.parents.iter().any(|edge| edge.from == id));
            open.extend(fed.map(|child| child.id));
        }
        found
    }
}

/// The name of the inner key's codec.
fn inner(mut name: &str) -> &str {
    while let Some(inner) = without_window(name) {
        name = inner;
    }
    name
}

fn without_window(name: &str) -> Option<&str> {
    name.strip_prefix("session-").unwrap_or(name).strip_prefix("windowed(")?.strip_suffix(')')
}
