//! The plan that an application runs: subtopologies, tasks, and topics with their names and partition counts.

mod describe;
mod idle;
mod subtopology;
mod topics;

use std::{collections::BTreeMap, sync::Arc};

pub(crate) use crate::names::TaskId;
pub(crate) use idle::IdleNotes;
pub use subtopology::Subtopology;
pub use topics::InternalTopic;
pub(crate) use topics::lookup_failed;

use crate::{
    error::TopologyError,
    graph::{Graph, StoreName, TopicRef},
    names::{changelog_topic, members_topic, repartition_topic, request_topic, response_topic, stores_topic},
    operators::Builders,
    topology::Topology,
    transport::{Topic, TopicPartition, TransportError},
};

/// A topology cut into subtopologies, for one application.
#[derive(Debug, Clone)]
pub struct Plan {
    application_id: String,
    graph: Arc<Graph>,
    builders: Arc<Builders>,
    subtopologies: Vec<Subtopology>,
    /// The partition counts of all topics that the plan reads or writes. Empty until the plan is resolved.
    partitions: BTreeMap<Topic, i32>,
    /// The repartition topics that carry notes of idle time.
    idle_notes: BTreeMap<Topic, IdleNotes>,
}

impl Plan {
    /// Cuts a topology into subtopologies. Partition counts are unknown until [`Plan::resolve`].
    pub fn new(application_id: &str, topology: &Topology) -> Self {
        let Topology { graph, builders } = topology.clone();
        let subtopologies = subtopology::cut(&graph);
        let (partitions, idle_notes) = (BTreeMap::new(), BTreeMap::new());
        let application_id = application_id.to_owned();
        let mut plan = Self { application_id, graph, builders, subtopologies, partitions, idle_notes };
        plan.idle_notes = plan.find_idle_notes();
        plan
    }

    /// Takes the partition counts of the user's topics, derives those of internal topics, and checks co-partitioning.
    ///
    /// # Errors
    /// Returns all problems together: missing topics, and inputs that must have equal partition counts but do not.
    pub fn resolve(self, mut partitions_of: impl FnMut(&str) -> Option<i32>) -> Result<Self, TopologyError> {
        self.try_resolve(|topic| Ok(partitions_of(topic)))
    }

    /// Resolves with a lookup that may fail. A failed lookup is a different problem from a missing topic.
    pub(crate) fn try_resolve(
        mut self,
        mut partitions_of: impl FnMut(&str) -> Result<Option<i32>, TransportError>,
    ) -> Result<Self, TopologyError> {
        self.partitions = topics::resolve(&self, &mut partitions_of)?;
        Ok(self)
    }

    /// The application that the plan is for.
    pub fn application_id(&self) -> &str {
        &self.application_id
    }

    /// The plan's subtopologies. A subtopology's number is its index.
    pub fn subtopologies(&self) -> &[Subtopology] {
        &self.subtopologies
    }

    /// All tasks of a resolved plan; empty before.
    pub fn tasks(&self) -> Vec<TaskId> {
        let tasks = (0..self.subtopologies.len() as u32).flat_map(|subtopology| {
            (0..self.task_count(subtopology)).map(move |partition| TaskId { subtopology, partition })
        });
        tasks.collect()
    }

    /// All topics that the subtopologies read, sorted.
    pub fn all_source_topics(&self) -> Vec<Topic> {
        let mut topics: Vec<_> = (0..self.subtopologies.len() as u32).flat_map(|i| self.source_topics(i)).collect();
        topics.sort();
        topics.dedup();
        topics
    }

    /// A topic's partition count; `None` if the plan does not know the topic.
    pub fn partitions(&self, topic: &str) -> Option<i32> {
        self.partitions.get(topic).copied()
    }

    /// The changelog topic of a store.
    pub fn changelog(&self, store: &str) -> Topic {
        changelog_topic(&self.application_id, store)
    }

    /// The topic on which instances tell each other what they run.
    pub fn members_topic(&self) -> Topic {
        members_topic(&self.application_id)
    }

    /// The topic with the notes on which operator wrote each store.
    pub fn stores_topic(&self) -> Topic {
        stores_topic(&self.application_id)
    }

    /// Whether a task has stores with changelogs, so that it can have standbys.
    pub(crate) fn has_changelogs(&self, task: TaskId) -> bool {
        self.stores_of(task).iter().any(|store| self.graph.stores[store].logged)
    }

    /// The stores of a task; empty if the task belongs to another version of the topology.
    pub(crate) fn stores_of(&self, task: TaskId) -> &[StoreName] {
        self.subtopologies.get(task.subtopology as usize).map_or(&[], |found| &found.stores)
    }

    /// The subtopology that has a store.
    pub(crate) fn subtopology_of_store(&self, store: &str) -> Option<u32> {
        let has = |subtopology: &Subtopology| subtopology.stores.iter().any(|name| **name == *store);
        Some(self.subtopologies.iter().position(has)? as u32)
    }

    /// The number of a subtopology's tasks; 0 before the plan is resolved.
    pub(crate) fn task_count(&self, subtopology: u32) -> i32 {
        self.source_topics(subtopology).map(|topic| self.partitions(&topic).unwrap_or(0)).max().unwrap_or(0)
    }

    /// The task that reads a partition; `None` if no task reads it.
    pub fn task_of(&self, partition: &TopicPartition) -> Option<TaskId> {
        let subtopology = (0..self.subtopologies.len() as u32)
            .find(|number| self.source_topics(*number).any(|topic| topic == partition.topic))?;
        Some(TaskId { subtopology, partition: partition.partition })
    }

    /// The partitions that a task reads, in the order of its queues.
    pub fn input_partitions(&self, task: TaskId) -> Vec<TopicPartition> {
        let has = |topic: &Topic| self.partitions(topic).is_none_or(|count| task.partition < count);
        let topics = self.source_topics(task.subtopology).filter(has);
        topics.map(|topic| TopicPartition { topic, partition: task.partition }).collect()
    }

    /// The stores of a subtopology. Panics if the plan has no subtopology with this number.
    pub fn stores(&self, subtopology: u32) -> &[StoreName] {
        &self.subtopologies[subtopology as usize].stores
    }

    pub(crate) fn source_topics(&self, subtopology: u32) -> impl Iterator<Item = Topic> + '_ {
        let sources = &self.subtopologies[subtopology as usize].sources;
        sources.iter().filter_map(|id| self.graph.node(*id).kind.reads()).map(|topic| self.topic_name(&topic))
    }

    pub(crate) fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The builders of the nodes' operators.
    pub(crate) fn builders(&self) -> &Builders {
        &self.builders
    }

    /// A topic's name on the log, and its partition count. The plan must be resolved.
    pub(crate) fn topic_and_partitions(&self, topic: &TopicRef) -> (Topic, i32) {
        let name = self.topic_name(topic);
        let partitions = self.partitions(&name).expect("the plan resolved every topic");
        (name, partitions)
    }

    pub(crate) fn topic_name(&self, topic: &TopicRef) -> Topic {
        match topic {
            TopicRef::External(topic) => topic.clone(),
            TopicRef::Repartition(name) => repartition_topic(&self.application_id, name),
            TopicRef::Request(name) => request_topic(&self.application_id, name),
            TopicRef::Response(name) => response_topic(&self.application_id, name),
        }
    }
}
