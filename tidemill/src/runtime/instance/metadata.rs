//! The instances of the application with their tasks, and the place of a key.

use std::collections::{BTreeMap, BTreeSet};

use crate::{graph::StoreName, plan::TaskId};

/// What this instance knows of an instance of the application (`StreamsMetadata` in Kafka Streams).
///
/// See the example of [`Streams::metadata`](crate::Streams::metadata).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamsMetadata {
    /// The instance and its address.
    pub host: HostInfo,
    /// The tasks that the instance owns, running or restoring.
    pub active_tasks: BTreeSet<TaskId>,
    /// Stores of those tasks.
    pub stores: BTreeSet<StoreName>,
    /// The tasks of which the instance keeps standbys, each with its lag in changelog offsets.
    pub standby_tasks: BTreeMap<TaskId, i64>,
    /// Stores of those tasks.
    pub standby_stores: BTreeSet<StoreName>,
}

/// An instance and the address at which it answers queries (`HostInfo` in Kafka Streams). See the example of
/// [`Streams::metadata`](crate::Streams::metadata).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostInfo {
    /// The instance's client id.
    pub instance: String,
    /// The instance's [`application_server`](crate::StreamsConfig::application_server); `None` if it is not configured.
    pub address: Option<String>,
    /// Whether this is the instance that answers this call.
    pub is_here: bool,
}

/// The instances that have a key of a store (`KeyQueryMetadata` in Kafka Streams).
///
/// See the example of [`Streams::query_metadata_for_key`](crate::Streams::query_metadata_for_key).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyQueryMetadata {
    /// The instance that owns the key's task; `None` while no owner is known.
    pub active: Option<HostInfo>,
    /// The instances that keep standbys of the task, smallest lag first.
    pub standbys: Vec<HostInfo>,
    /// The key's partition.
    pub partition: i32,
}
