//! The graph that the DSL writes: a plain value.

use std::{collections::BTreeMap, sync::Arc};

use super::{RowKeys, StoreFormat, erasures::Erasure};
use crate::{
    names::{NodeId, NodeName, StoreName},
    transport::Topic,
};

/// Which of a node's outputs an edge leaves from.
pub(crate) type Port = u8;

/// Results.
pub(crate) const MAIN_PORT: Port = 0;

/// Records that came after their window had closed.
pub(crate) const LATE_PORT: Port = 1;

/// A topic as written: the user's, or one that the plan names after the application.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TopicRef {
    External(Topic),
    Repartition(Arc<str>),
    Request(Arc<str>),
    Response(Arc<str>),
}

/// What a node does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeKind {
    /// Reads a topic.
    Source(Topic),
    /// Writes a topic.
    Sink(Topic),
    /// Writes the repartition topic of that name; its records are partitioned anew.
    RepartitionSink {
        /// The name given, without application and suffix.
        name: Arc<str>,
        /// How many partitions, if the user said so.
        partitions: Option<i32>,
    },
    /// Reads the repartition topic of that name.
    RepartitionSource(Arc<str>),
    /// Writes the requests of the asynchronous step of that name.
    RequestSink(Arc<str>),
    /// Reads the responses of the asynchronous step of that name.
    ResponseSource(Arc<str>),
    /// Anything between: what it is called in descriptions, and in the notes of what wrote a store. Who renames one
    /// makes stores refuse to open that it wrote.
    Operator(&'static str),
}

/// Where a node's input comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The node.
    pub from: NodeId,
    pub(crate) port: Port,
}

/// One step of a topology.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its place.
    pub id: NodeId,
    /// Its name.
    pub name: NodeName,
    /// What it does.
    pub kind: NodeKind,
    /// What feeds it.
    pub parents: Vec<Edge>,
    /// The stores that it reads or writes.
    pub stores: Vec<StoreName>,
}

/// What a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// A value for each key.
    KeyValue,
    /// Values for each key and window.
    Window {
        /// Rows whose window started longer ago than this, in stream time, are dropped.
        retention_ms: i64,
        /// Each key has a stream time of its own.
        by_key: bool,
    },
}

/// A store as its topology declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSpec {
    /// Its name.
    pub name: StoreName,
    /// What it holds.
    pub kind: StoreKind,
    /// On disk (RocksDB), or in memory.
    pub persistent: bool,
    /// Whether a changelog topic makes it survive the loss of its machine.
    pub logged: bool,
    /// What writes it, as far as its rows depend on it.
    pub format: StoreFormat,
}

/// How long an operator that time alone may close waits for its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Idle {
    /// After so long a silence time goes on.
    pub(crate) after_ms: i64,
    /// So much later than a record, in stream time, everything of it is closed.
    pub(crate) open_ms: i64,
}

/// The graph while it grows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) stores: BTreeMap<StoreName, StoreSpec>,
    /// Nodes whose input topics must have equal partition counts, with the operator that needs it.
    pub(crate) copartitioned: Vec<(NodeName, Vec<NodeId>)>,
    /// Operators with an idle time.
    pub(crate) idles: BTreeMap<NodeId, Idle>,
    /// Whose the rows of each store are.
    pub(crate) row_keys: BTreeMap<StoreName, RowKeys>,
    /// The steps that erase keys.
    pub(crate) erasures: BTreeMap<NodeId, Erasure>,
    /// What the DSL noticed on the way; reported together with everything else.
    pub(crate) problems: Vec<String>,
}

impl Graph {
    /// Adds a node; `name` `None` numbers it after its kind, which is fine for what has no state.
    pub(crate) fn add(
        &mut self,
        name: Option<&str>,
        kind: NodeKind,
        parents: Vec<Edge>,
        stores: Vec<StoreName>,
    ) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        let name = name.map_or_else(|| format!("{}-{}", kind.label(), id.0).into(), Into::into);
        self.nodes.push(Node { id, name, kind, parents, stores });
        id
    }

    /// Remembers an operator's idle time, if it has one.
    pub(crate) fn note_idle(&mut self, node: NodeId, after_ms: Option<i64>, open_ms: i64) {
        if let Some(after_ms) = after_ms {
            self.idles.insert(node, Idle { after_ms, open_ms });
        }
    }

    pub(crate) fn add_store(&mut self, spec: StoreSpec, rows: RowKeys) {
        let name = spec.name.clone();
        self.row_keys.insert(name.clone(), rows);
        if self.stores.insert(name.clone(), spec).is_some() {
            self.problems.push(format!("two stores are named '{name}': give each its own name"));
        }
    }

    /// Says whose the rows of a store are.
    pub(crate) fn set_row_keys(&mut self, name: &StoreName, rows: RowKeys) {
        self.row_keys.insert(name.clone(), rows);
    }

    /// Says more of what a store's rows depend on.
    pub(crate) fn describe_store(&mut self, name: &str, describe: impl FnOnce(&mut StoreFormat)) {
        if let Some(spec) = self.stores.get_mut(name) {
            describe(&mut spec.format);
        }
    }

    /// Names the operator that writes each store: the first that has it. What reads it as well comes later.
    pub(crate) fn name_writers(&mut self) {
        for node in self.nodes.iter().filter(|node| !node.erases()) {
            for store in &node.stores {
                if let Some(spec) = self.stores.get_mut(store) {
                    spec.format.set_missing("operator", node.kind.label());
                }
            }
        }
    }

    /// Nodes fed by a node's port, in the order they were declared, once for each edge.
    pub(crate) fn children(&self, id: NodeId, port: Port) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.iter().flat_map(move |node| {
            let edges = node.parents.iter().filter(move |edge| edge.from == id && edge.port == port);
            edges.map(|_| node.id)
        })
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }
}

impl NodeKind {
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Source(_) => "source",
            Self::Sink(_) => "sink",
            Self::RepartitionSink { .. } => "repartition-sink",
            Self::RepartitionSource(_) => "repartition-source",
            Self::RequestSink(_) => "request-sink",
            Self::ResponseSource(_) => "response-source",
            Self::Operator(label) => label,
        }
    }

    pub(crate) fn reads(&self) -> Option<TopicRef> {
        match self {
            Self::Source(topic) => Some(TopicRef::External(topic.clone())),
            Self::RepartitionSource(name) => Some(TopicRef::Repartition(name.clone())),
            Self::ResponseSource(name) => Some(TopicRef::Response(name.clone())),
            _ => None,
        }
    }

    pub(crate) fn writes(&self) -> Option<TopicRef> {
        match self {
            Self::Sink(topic) => Some(TopicRef::External(topic.clone())),
            Self::RepartitionSink { name, .. } => Some(TopicRef::Repartition(name.clone())),
            Self::RequestSink(name) => Some(TopicRef::Request(name.clone())),
            _ => None,
        }
    }
}
