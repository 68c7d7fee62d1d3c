//! The plan that an application runs: subtopologies, tasks, and topics with their names and partition counts.

mod describe;
mod idle;
mod partition_counts;
mod patterns;
mod sources;
mod subtopology;
mod topics;

use std::{collections::BTreeMap, sync::Arc};

pub(crate) use crate::names::TaskId;
pub(crate) use idle::IdleNotes;
pub use subtopology::Subtopology;
use topics::Counts;
pub use topics::InternalTopic;
pub(crate) use topics::{TopicLookup, lookup_failed};

use crate::{
    error::TopologyError,
    graph::{Graph, NodeId, NodeKind, StoreName, TopicRef},
    names::{
        changelog_topic, dead_letter_topic, members_topic, repartition_topic, request_topic, response_topic,
        stores_topic,
    },
    operators::Builders,
    topology::Topology,
    transport::{Topic, TopicPartition},
};

/// A topology cut into subtopologies, for one application (`Topology.describe` in Kafka Streams shows a part of it).
///
/// ```
/// use tidemill::{Plan, StreamsBuilder, transport::TopicPartition};
///
/// let builder = StreamsBuilder::new();
/// let by_item = builder.stream::<u64, String>("orders").select_key(|_, item| item.clone()).repartition("by-item");
/// by_item.group_by_key().count("sold");
///
/// let plan = Plan::new("shop", &builder.build()?);
/// assert!(plan.tasks().is_empty(), "partition counts are not known yet");
/// let plan = plan.resolve(|topic| (topic == "orders").then_some(2))?;
///
/// assert_eq!(plan.application_id(), "shop");
/// assert_eq!(plan.subtopologies().len(), 2);
/// let tasks: Vec<_> = plan.tasks().iter().map(ToString::to_string).collect();
/// assert_eq!(tasks, ["0_0", "0_1", "1_0", "1_1"]);
/// assert_eq!(plan.all_source_topics(), ["orders".into(), "shop-by-item-repartition".into()]);
/// assert_eq!(plan.partitions("shop-by-item-repartition"), Some(2));
/// assert_eq!((&*plan.stores(1)[0], &*plan.changelog("sold")), ("sold", "shop-sold-changelog"));
/// let orders_1 = TopicPartition::new("orders", 1);
/// let task = plan.task_of(&orders_1).expect("subtopology 0 reads orders");
/// assert_eq!(plan.input_partitions(task), [orders_1]);
/// let internal = plan.internal_topics().into_iter().map(|topic| topic.spec.name.to_string());
/// let mut internal: Vec<_> = internal.collect();
/// internal.sort();
/// let expected = ["shop-by-item-repartition", "shop-members", "shop-sold-changelog", "shop-stores"];
/// assert_eq!(internal, expected);
/// assert_eq!((&*plan.members_topic(), &*plan.stores_topic()), ("shop-members", "shop-stores"));
/// # Ok::<(), tidemill::TopologyError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Plan {
    application_id: String,
    graph: Arc<Graph>,
    builders: Arc<Builders>,
    subtopologies: Vec<Subtopology>,
    /// The partition counts of all topics that the plan reads or writes. Empty until the plan is resolved.
    partitions: BTreeMap<Topic, i32>,
    /// The topics that match the pattern of a source. Empty until the plan is resolved.
    matched: BTreeMap<NodeId, Vec<Topic>>,
    /// The subtopology that reads each topic.
    readers: BTreeMap<Topic, u32>,
    /// The topics that sinks may write without declaring them. Empty if no sink does so.
    undeclared: Arc<BTreeMap<Topic, i32>>,
    /// The repartition topics that carry notes of idle time.
    idle_notes: BTreeMap<Topic, IdleNotes>,
}

impl Plan {
    /// Cuts a topology into subtopologies. Partition counts are unknown until [`Plan::resolve`]. See the example of
    /// [`Plan`].
    pub fn new(application_id: &str, topology: &Topology) -> Self {
        let Topology { graph, builders } = topology.clone();
        let subtopologies = subtopology::cut(&graph);
        let (partitions, idle_notes) = (BTreeMap::new(), BTreeMap::new());
        let application_id = application_id.to_owned();
        let mut plan = Self {
            application_id,
            graph,
            builders,
            subtopologies,
            partitions,
            matched: BTreeMap::new(),
            readers: BTreeMap::new(),
            undeclared: Arc::default(),
            idle_notes,
        };
        plan.readers = plan.find_readers();
        plan.idle_notes = plan.find_idle_notes();
        plan
    }

    /// Takes the partition counts of the user's topics, derives those of internal topics, and checks co-partitioning.
    /// `partitions_of` returns `None` for a topic that does not exist.
    ///
    /// # Errors
    ///
    /// Returns all problems together: missing topics, and inputs that must have equal partition counts but do not.
    ///
    /// ```
    /// use tidemill::{Plan, StreamsBuilder};
    ///
    /// let builder = StreamsBuilder::new();
    /// let names = builder.table::<u64, String>("users", "names");
    /// builder.stream::<u64, i64>("orders").join(&names, |_, cents, name| format!("{name} {cents}")).to("bills");
    /// let plan = Plan::new("shop", &builder.build()?);
    ///
    /// let counts = |topic: &str| Some(if topic == "users" { 3 } else { 2 });
    /// assert!(plan.resolve(counts).is_err(), "a join needs equal partition counts");
    /// # Ok::<(), tidemill::TopologyError>(())
    /// ```
    pub fn resolve(self, mut partitions_of: impl FnMut(&str) -> Option<i32>) -> Result<Self, TopologyError> {
        self.resolve_on(&mut Counts(&mut partitions_of))
    }

    /// Takes partition counts from a log. A failed lookup is a different problem from a missing topic.
    pub(crate) fn resolve_on(mut self, log: &mut dyn TopicLookup) -> Result<Self, TopologyError> {
        self.matched = patterns::matched(&self, log)?;
        self.partitions = topics::resolve(&self, log)?;
        if !self.matched.is_empty() {
            self.readers = self.find_readers();
            self.idle_notes = self.find_idle_notes();
        }
        if self.writes_any() {
            self.undeclared = Arc::new(topics::writable(&self, log)?);
        }
        Ok(self)
    }

    /// The application that the plan is for. See the example of [`Plan`].
    pub fn application_id(&self) -> &str {
        &self.application_id
    }

    /// The plan's subtopologies. A subtopology's number is its index. See the example of [`Plan`].
    pub fn subtopologies(&self) -> &[Subtopology] {
        &self.subtopologies
    }

    /// All tasks of a resolved plan; empty before. See the example of [`Plan`].
    pub fn tasks(&self) -> Vec<TaskId> {
        let tasks = (0..self.subtopologies.len() as u32).flat_map(|subtopology| {
            (0..self.task_count(subtopology)).map(move |partition| TaskId { subtopology, partition })
        });
        tasks.collect()
    }

    /// All topics that the subtopologies read, sorted. See the example of [`Plan`].
    pub fn all_source_topics(&self) -> Vec<Topic> {
        let mut topics: Vec<_> = (0..self.subtopologies.len() as u32).flat_map(|i| self.source_topics(i)).collect();
        topics.sort();
        topics.dedup();
        topics
    }

    /// A topic's partition count; `None` if the plan does not know the topic. See the example of [`Plan`].
    pub fn partitions(&self, topic: &str) -> Option<i32> {
        self.partitions.get(topic).copied()
    }

    /// The changelog topic of a store: `<application id>-<store>-changelog`, as in Kafka Streams. See the example of
    /// [`Plan`].
    pub fn changelog(&self, store: &str) -> Topic {
        changelog_topic(&self.application_id, store)
    }

    /// The topic on which instances tell each other what they run. See the example of [`Plan`].
    pub fn members_topic(&self) -> Topic {
        members_topic(&self.application_id)
    }

    /// The topic with the notes on which operator wrote each store. See the example of [`Plan`].
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

    /// The task that reads a partition; `None` if no task reads it. See the example of [`Plan`].
    pub fn task_of(&self, partition: &TopicPartition) -> Option<TaskId> {
        let subtopology = *self.readers.get(&partition.topic)?;
        Some(TaskId { subtopology, partition: partition.partition })
    }

    /// The partitions that a task reads, in the order of its queues. See the example of [`Plan`].
    pub fn input_partitions(&self, task: TaskId) -> Vec<TopicPartition> {
        let has = |topic: &Topic| self.partitions(topic).is_none_or(|count| task.partition < count);
        let topics = self.source_topics(task.subtopology).filter(has);
        topics.map(|topic| TopicPartition { topic, partition: task.partition }).collect()
    }

    /// The stores of a subtopology. Panics if the plan has no subtopology with this number. See the example of
    /// [`Plan`].
    pub fn stores(&self, subtopology: u32) -> &[StoreName] {
        &self.subtopologies[subtopology as usize].stores
    }

    /// Whether operators of a subtopology tell which records of its inputs were taken.
    pub(crate) fn tells_inputs(&self, subtopology: u32) -> bool {
        let nodes = &self.subtopologies[subtopology as usize].nodes;
        nodes.iter().any(|id| matches!(self.graph.node(*id).kind, NodeKind::RequestSink(_)))
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
            TopicRef::DeadLetter(name) => dead_letter_topic(&self.application_id, name),
        }
    }
}
