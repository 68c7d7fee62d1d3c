//! What stays the same for a processor while its task runs.

use std::{any::Any, collections::BTreeMap, sync::Arc};

use crate::{
    graph::{NodeId, Port, StoreName, StoreTypes},
    names::TaskId,
    operators::StoreHandle,
    transport::TopicPartition,
};

/// What a processor may know of the application.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Application {
    pub(crate) id: String,
    pub(crate) settings: BTreeMap<String, String>,
}

/// The surroundings of one processor.
pub(crate) struct Environment {
    pub(crate) node: NodeId,
    pub(crate) task: TaskId,
    pub(crate) application: Arc<Application>,
    pub(crate) stores: BTreeMap<StoreName, (StoreHandle, StoreTypes)>,
    /// The task's input partitions, in the order of its queues.
    pub(crate) partitions: Vec<TopicPartition>,
    /// `Next<K, V>` of each declared output, boxed as `Any`.
    pub(crate) outputs: BTreeMap<Port, Box<dyn Any>>,
}
