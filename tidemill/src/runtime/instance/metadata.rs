//! Who runs what: the instances of the application, and where a key is.

use std::collections::{BTreeMap, BTreeSet};

use crate::{graph::StoreName, plan::TaskId};

/// An instance of the application, as far as this one knows (`StreamsMetadata` in Kafka Streams).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamsMetadata {
    /// Which instance, and where it answers.
    pub host: HostInfo,
    /// Tasks that it owns, whether they run or restore.
    pub active_tasks: BTreeSet<TaskId>,
    /// Stores of those tasks.
    pub stores: BTreeSet<StoreName>,
    /// Tasks that it keeps warm, with the changelog offsets that they are behind.
    pub standby_tasks: BTreeMap<TaskId, i64>,
    /// Stores of those tasks.
    pub standby_stores: BTreeSet<StoreName>,
}

/// An instance, and where it answers queries.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostInfo {
    /// Its client id.
    pub instance: String,
    /// Its [`application_server`](crate::StreamsConfig::application_server); `None` if it has none.
    pub address: Option<String>,
    /// Whether it is the instance that was asked.
    pub is_here: bool,
}

/// Where a key of a store is (`KeyQueryMetadata` in Kafka Streams).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyQueryMetadata {
    /// The instance that owns the key's task; `None` while nobody is known to.
    pub active: Option<HostInfo>,
    /// Instances that keep the task warm, the least behind first.
    pub standbys: Vec<HostInfo>,
    /// The key's partition.
    pub partition: i32,
}
