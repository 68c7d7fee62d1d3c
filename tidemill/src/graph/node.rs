//! The nodes of the graph, and the edges between them.

use std::sync::Arc;

use crate::{
    names::{NodeId, NodeName, StoreName},
    transport::Topic,
};

/// The output of a node that an edge starts from.
pub(crate) type Port = u8;

/// Results.
pub(crate) const MAIN_PORT: Port = 0;

/// Records that came after their windows had closed.
pub(crate) const LATE_PORT: Port = 1;

/// Requests of an asynchronous step that failed.
pub(crate) const DEAD_LETTER_PORT: Port = 2;

/// A topic as the DSL refers to it: a topic of the user, or a topic that the plan names after the application.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TopicRef {
    External(Topic),
    Repartition(Arc<str>),
    Request(Arc<str>),
    Response(Arc<str>),
    DeadLetter(Arc<str>),
}

/// What a node does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeKind {
    /// Reads a topic.
    Source(Topic),
    /// Reads the topics whose names match this pattern.
    PatternSource(Arc<str>),
    /// Writes a topic.
    Sink(Topic),
    /// Writes the topic that each record chooses: one of these, or any topic if there are none.
    SinkByRecord(Arc<[Topic]>),
    /// Reads all partitions of a topic on each instance, for a global store.
    GlobalSource(Topic),
    /// Writes the repartition topic of that name. The topic partitions the records again.
    RepartitionSink {
        /// The name as the user gave it, without the application's id and the suffix.
        name: Arc<str>,
        /// The number of partitions, if the user set it.
        partitions: Option<i32>,
    },
    /// Reads the repartition topic of that name.
    RepartitionSource(Arc<str>),
    /// Writes the requests of the asynchronous step of that name.
    RequestSink(Arc<str>),
    /// Reads the responses of the asynchronous step of that name.
    ResponseSource(Arc<str>),
    /// Writes the failed requests of the asynchronous step of that name.
    DeadLetterSink(Arc<str>),
    /// Any other node. The label appears in descriptions and in the formats that are kept beside stores. A store that
    /// was written under another label refuses to open.
    Operator(&'static str),
}

/// The source of a node's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The node that the edge starts from.
    pub from: NodeId,
    pub(crate) port: Port,
}

/// One step of a topology.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its id.
    pub id: NodeId,
    /// Its name.
    pub name: NodeName,
    /// What it does.
    pub kind: NodeKind,
    /// The edges that feed it.
    pub parents: Vec<Edge>,
    /// The stores that it reads or writes.
    pub stores: Vec<StoreName>,
}

/// The label of steps that merge a table's updates.
pub(crate) const TABLE_CACHE: &str = "table-cache";

/// The label of steps that erase.
pub(crate) const ERASE: &str = "erase";

/// The label of steps with a processor of the user.
pub(crate) const PROCESS: &str = "process";

impl Node {
    /// Whether the step erases keys.
    pub(crate) fn erases(&self) -> bool {
        self.kind == NodeKind::Operator(ERASE)
    }
}

impl NodeKind {
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Source(_) | Self::PatternSource(_) => "source",
            Self::Sink(_) | Self::SinkByRecord(_) => "sink",
            Self::GlobalSource(_) => "global-source",
            Self::RepartitionSink { .. } => "repartition-sink",
            Self::RepartitionSource(_) => "repartition-source",
            Self::RequestSink(_) => "request-sink",
            Self::ResponseSource(_) => "response-source",
            Self::DeadLetterSink(_) => "dead-letter-sink",
            Self::Operator(label) => label,
        }
    }

    /// The topic that the node reads; `None` if it reads none, or those that match a pattern.
    pub(crate) fn reads(&self) -> Option<TopicRef> {
        match self {
            Self::Source(topic) => Some(TopicRef::External(topic.clone())),
            Self::RepartitionSource(name) => Some(TopicRef::Repartition(name.clone())),
            Self::ResponseSource(name) => Some(TopicRef::Response(name.clone())),
            _ => None,
        }
    }

    /// The topic that a node reads on each instance.
    pub(crate) fn reads_globally(&self) -> Option<TopicRef> {
        match self {
            Self::GlobalSource(topic) => Some(TopicRef::External(topic.clone())),
            _ => None,
        }
    }

    /// The topic that the node writes; `None` if it writes none, or several.
    pub(crate) fn writes(&self) -> Option<TopicRef> {
        match self {
            Self::Sink(topic) => Some(TopicRef::External(topic.clone())),
            Self::RepartitionSink { name, .. } => Some(TopicRef::Repartition(name.clone())),
            Self::RequestSink(name) => Some(TopicRef::Request(name.clone())),
            Self::DeadLetterSink(name) => Some(TopicRef::DeadLetter(name.clone())),
            _ => None,
        }
    }
}
