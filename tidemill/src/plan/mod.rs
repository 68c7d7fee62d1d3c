//! What will run: subtopologies, tasks, topics with their names and partition counts.

mod describe;
mod idle;
mod subtopology;
mod topics;

use std::{collections::BTreeMap, sync::Arc};

pub(crate) use crate::names::TaskId;
pub(crate) use idle::IdleNotes;
pub use subtopology::Subtopology;
pub use topics::InternalTopic;

use crate::{
    error::TopologyError,
    graph::{Graph, StoreName, TopicRef},
    names::{changelog_topic, members_topic, repartition_topic, request_topic, response_topic, stores_topic},
    operators::Builders,
    topology::Topology,
    transport::{Topic, TopicPartition},
};

/// A topology cut into subtopologies, for one application.
#[derive(Debug, Clone)]
pub struct Plan {
    application_id: String,
    graph: Arc<Graph>,
    builders: Arc<Builders>,
    subtopologies: Vec<Subtopology>,
    /// Every topic that the plan reads or writes, once resolved.
    partitions: BTreeMap<Topic, i32>,
    /// The repartition topics that carry notes of idle time.
    idle_notes: BTreeMap<Topic, IdleNotes>,
}

impl Plan {
    /// Cuts a topology. Partition counts are not known yet: [`Plan::resolve`] brings them in.
    pub fn new(application_id: &str, topology: &Topology) -> Self {
        let Topology { graph, builders } = topology.clone();
        let subtopologies = subtopology::cut(&graph);
        let (partitions, idle_notes) = (BTreeMap::new(), BTreeMap::new());
        let application_id = application_id.to_owned();
        let mut plan = Self { application_id, graph, builders, subtopologies, partitions, idle_notes };
        plan.idle_notes = plan.find_idle_notes();
        plan
    }

    /// Takes the partition counts of the user's topics, gives internal topics theirs, and checks co-partitioning.
    ///
    /// # Errors
    /// With all problems together: missing topics, and inputs that must have equal partition counts but do not.
    pub fn resolve(self, mut partitions_of: impl FnMut(&str) -> Option<i32>) -> Result<Self, TopologyError> {
        self.try_resolve(|topic| Ok(partitions_of(topic)))
    }

    /// The same where looking may fail, which is another problem than a topic that does not exist.
    pub(crate) fn try_resolve(
        mut self,
        mut partitions_of: impl FnMut(&str) -> Result<Option<i32>, String>,
    ) -> Result<Self, TopologyError> {
        self.partitions = topics::resolve(&self, &mut partitions_of)?;
        Ok(self)
    }

    /// The application that the plan is for.
    pub fn application_id(&self) -> &str {
        &self.application_id
    }

    /// Its subtopologies, by number.
    pub fn subtopologies(&self) -> &[Subtopology] {
        &self.subtopologies
    }

    /// Every task there is, once resolved.
    pub fn tasks(&self) -> Vec<TaskId> {
        let tasks = (0..self.subtopologies.len() as u32).flat_map(|subtopology| {
            (0..self.task_count(subtopology)).map(move |partition| TaskId { subtopology, partition })
        });
        tasks.collect()
    }

    /// The topics that all subtopologies read.
    pub fn all_source_topics(&self) -> Vec<Topic> {
        let mut topics: Vec<_> = (0..self.subtopologies.len() as u32).flat_map(|i| self.source_topics(i)).collect();
        topics.sort();
        topics.dedup();
        topics
    }

    /// How many partitions a topic has, if the plan knows it.
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

    /// The topic that tells what wrote each store.
    pub fn stores_topic(&self) -> Topic {
        stores_topic(&self.application_id)
    }

    /// Whether a task has stores that others can keep warm.
    pub(crate) fn has_changelogs(&self, task: TaskId) -> bool {
        self.stores_of(task).iter().any(|store| self.graph.stores[store].logged)
    }

    /// The stores of a task; none, if it is one of another version of the topology.
    pub(crate) fn stores_of(&self, task: TaskId) -> &[StoreName] {
        self.subtopologies.get(task.subtopology as usize).map_or(&[], |found| &found.stores)
    }

    /// The subtopology that has a store, and into how many tasks it is divided.
    pub(crate) fn place_of_store(&self, store: &str) -> Option<(u32, i32)> {
        let has = |subtopology: &Subtopology| subtopology.stores.iter().any(|name| **name == *store);
        let number = self.subtopologies.iter().position(has)? as u32;
        Some((number, self.task_count(number)))
    }

    /// How many tasks a subtopology has, once resolved.
    pub(crate) fn task_count(&self, subtopology: u32) -> i32 {
        self.source_topics(subtopology).map(|topic| self.partitions(&topic).unwrap_or(0)).max().unwrap_or(0)
    }

    /// The task that reads a partition, if any does.
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

    /// The stores of a subtopology.
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

    /// What builds the nodes' operators.
    pub(crate) fn builders(&self) -> &Builders {
        &self.builders
    }

    /// A topic's name on the log, and how many partitions it has, once resolved.
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
