//! Names and partition counts of internal topics, and the co-partitioning check of inputs that meet.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Plan, partition_counts::resolve_repartition_topics};
use crate::{
    error::TopologyError,
    graph::{NodeId, NodeKind, StoreKind, TopicRef},
    names::call_topic,
    transport::{CleanupPolicy, Topic, TopicSpec, TransportError},
};

/// How much longer than its history a versioned store's changelog keeps versions
/// (`windowstore.changelog.additional.retention.ms` in Kafka Streams).
const BEHIND: Duration = Duration::from_hours(24);

/// An internal topic of the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InternalTopic {
    /// The specification with which the topic must be created.
    pub spec: TopicSpec,
    /// Whether the topic is a store's changelog. Other internal topics carry records between tasks, or notes for this
    /// and other instances.
    pub is_changelog: bool,
    /// Further settings with which the topic must be created, by their names on the broker: those that
    /// [`Materialized::with_logging`](crate::Materialized::with_logging) names.
    pub config: BTreeMap<String, String>,
}

impl InternalTopic {
    fn of(spec: TopicSpec) -> Self {
        Self { spec, is_changelog: false, config: BTreeMap::new() }
    }
}

impl Plan {
    /// The topics that must be created, once the plan is resolved. See the example of [`Plan`].
    pub fn internal_topics(&self) -> Vec<InternalTopic> {
        let members =
            TopicSpec { name: self.members_topic(), partitions: 1, cleanup: CleanupPolicy::Compact, retention: None };
        let mut topics = vec![InternalTopic::of(members)];
        if self.graph.stores.values().any(|store| store.logged) {
            let (name, cleanup) = (self.stores_topic(), CleanupPolicy::Compact);
            let spec = TopicSpec { name, partitions: 1, cleanup, retention: None };
            topics.push(InternalTopic::of(spec));
        }
        for (topic, partitions) in &self.partitions {
            if let Some(spec) = self.transit_topic(topic, *partitions) {
                topics.push(InternalTopic::of(spec));
            }
        }
        for (number, subtopology) in self.subtopologies.iter().enumerate() {
            let partitions = self.source_topics(number as u32).filter_map(|topic| self.partitions(&topic)).max();
            // No topic matches its patterns yet, so it has no tasks.
            let Some(partitions) = partitions else { continue };
            for store in subtopology.stores.iter().map(|name| &self.graph.stores[name]).filter(|store| store.logged) {
                // Expired windows are deleted by offset, not by age. Kafka measures age by event time, and a replay of
                // last year's events must not lose its state. Expired sessions leave deletions.
                let cleanup = match store.kind {
                    StoreKind::KeyValue | StoreKind::Session { .. } => CleanupPolicy::Compact,
                    StoreKind::Window { .. } => CleanupPolicy::CompactDelete,
                    // A version must stay for as long as it can be seen. The rest is for tasks that are behind.
                    StoreKind::Versioned { .. } => match store.kind.retention() {
                        Some(history) => CleanupPolicy::CompactAfter(history.saturating_add(BEHIND)),
                        None => CleanupPolicy::Delete,
                    },
                };
                let name = self.changelog(&store.name);
                let spec = TopicSpec { name, partitions, cleanup, retention: None };
                topics.push(InternalTopic { spec, is_changelog: true, config: store.changelog_config.clone() });
            }
        }
        topics
    }

    /// The topics that sinks may not choose and that match no pattern.
    pub(super) fn own_topics(&self) -> OwnTopics {
        let nodes = || self.graph.nodes.iter();
        let used = nodes().flat_map(|node| [node.kind.reads(), node.kind.writes()]).flatten();
        let used = used.filter(|topic| !matches!(topic, TopicRef::External(_))).map(|topic| self.topic_name(&topic));
        let changelogs = self.graph.stores.keys().map(|store| self.changelog(store));
        let names = used.chain(changelogs).chain([self.members_topic(), self.stores_topic()]).collect();
        let calls = nodes().filter_map(|node| match &node.kind {
            NodeKind::RequestSink(name) => Some(call_topic(&self.application_id, name, "")),
            _ => None,
        });
        OwnTopics { names, calls: calls.collect() }
    }

    /// Whether only this application's tasks read the topic, so that processed records can be deleted.
    pub(crate) fn is_transit_topic(&self, topic: &str) -> bool {
        self.graph.nodes.iter().any(|node| match &node.kind {
            NodeKind::RepartitionSink { name, .. } => *self.topic_name(&TopicRef::Repartition(name.clone())) == *topic,
            NodeKind::ResponseSource(_) => node.kind.reads().is_some_and(|read| *self.topic_name(&read) == *topic),
            _ => false,
        })
    }

    /// Whether the topic has responses to asynchronous steps.
    pub(crate) fn is_response_topic(&self, topic: &str) -> bool {
        self.graph.nodes.iter().any(|node| match &node.kind {
            NodeKind::ResponseSource(_) => node.kind.reads().is_some_and(|read| *self.topic_name(&read) == *topic),
            _ => false,
        })
    }

    /// The specification of a topic that carries records between tasks, or between a task and an executor, or that keeps
    /// failed requests; `None` for other topics.
    ///
    /// Records stay until their reader deletes the processed ones, however long the reader was away. Failed requests
    /// stay until somebody deletes them. Retention by age
    /// would be wrong, because Kafka measures age by event time.
    fn transit_topic(&self, topic: &Topic, partitions: i32) -> Option<TopicSpec> {
        let is_it = |found: TopicRef| self.topic_name(&found) == *topic;
        let is_transit = self.graph.nodes.iter().any(|node| match &node.kind {
            NodeKind::RepartitionSink { .. } | NodeKind::RequestSink(_) | NodeKind::DeadLetterSink(_) => {
                node.kind.writes().is_some_and(is_it)
            }
            NodeKind::ResponseSource(_) => node.kind.reads().is_some_and(is_it),
            _ => false,
        });
        let (name, cleanup) = (topic.clone(), CleanupPolicy::Delete);
        is_transit.then_some(TopicSpec { name, partitions, cleanup, retention: None })
    }

    /// The source topics above nodes, up to and including repartition topics. Each node is visited once, even if
    /// several paths lead to it.
    pub(super) fn topics_above(&self, nodes: &[NodeId]) -> BTreeSet<Topic> {
        let (mut topics, mut seen) = (BTreeSet::new(), vec![false; self.graph.nodes.len()]);
        let mut open = nodes.to_vec();
        while let Some(id) = open.pop() {
            if std::mem::replace(&mut seen[id.index()], true) {
                continue;
            }
            let node = self.graph.node(id);
            topics.extend(self.topics_of_source(id));
            open.extend(node.parents.iter().map(|edge| edge.from));
        }
        topics
    }

    /// The step of a subtopology because of which its topics must have equal partition counts. Steps without state need
    /// no partitions of the same number, unless a step further below has an idle time: it hears of a task's silence by
    /// the task's number.
    fn needs_equal_counts(&self, subtopology: u32) -> Option<&str> {
        let nodes = &self.subtopologies[subtopology as usize].nodes;
        let stateful = nodes.iter().map(|id| self.graph.node(*id)).find(|node| !node.stores.is_empty());
        let tells = self.idle_notes_of(subtopology).next().map(|notes| &*notes.topic);
        stateful.map(|node| &*node.name).or(tells)
    }

    /// For each subtopology, the topics that its tasks read.
    pub(super) fn topics_of_tasks(&self) -> impl Iterator<Item = BTreeSet<Topic>> + '_ {
        (0..self.subtopologies.len() as u32).map(|number| self.source_topics(number).collect())
    }
}

/// What a plan asks a log.
pub(crate) trait TopicLookup {
    /// The number of partitions of a topic; `None` if the topic does not exist.
    fn partitions_of(&mut self, topic: &str) -> Result<Option<i32>, TransportError>;
    /// The names of all topics.
    fn all(&mut self) -> Result<Vec<Topic>, TransportError>;
}

/// Partition counts without a log.
pub(super) struct Counts<'a>(pub(super) &'a mut dyn FnMut(&str) -> Option<i32>);

impl TopicLookup for Counts<'_> {
    fn partitions_of(&mut self, topic: &str) -> Result<Option<i32>, TransportError> {
        Ok((self.0)(topic))
    }

    fn all(&mut self) -> Result<Vec<Topic>, TransportError> {
        Ok(Vec::new())
    }
}

/// The topics that belong to the log or to the application itself.
pub(super) struct OwnTopics {
    names: BTreeSet<Topic>,
    /// What the names of topics of asynchronous steps begin with.
    calls: Vec<Topic>,
}

impl OwnTopics {
    pub(super) fn contains(&self, topic: &Topic) -> bool {
        let is_of_call = || self.calls.iter().any(|call| topic.starts_with(&**call));
        topic.starts_with("__") || self.names.contains(topic) || is_of_call()
    }
}

/// The topics of a log that do not belong to it or to the application, with their partition counts. Only topics that the
/// plan does not know yet are looked up.
pub(super) fn writable(plan: &Plan, log: &mut dyn TopicLookup) -> Result<BTreeMap<Topic, i32>, TopologyError> {
    let own = plan.own_topics();
    let found = log.all().map_err(|error| TopologyError::of(format!("topics cannot be listed: {error}")))?;
    let mut known = BTreeMap::new();
    for topic in found.into_iter().filter(|topic| !own.contains(topic)) {
        if let Some(partitions) = plan.undeclared.get(&topic) {
            known.insert(topic, *partitions);
            continue;
        }
        match log.partitions_of(&topic) {
            Ok(Some(partitions)) => drop(known.insert(topic, partitions)),
            // The topic was deleted meanwhile.
            Ok(None) => {}
            Err(error) => return Err(TopologyError::of(lookup_failed(&topic, &error))),
        }
    }
    Ok(known)
}

/// Partition counts of every topic that the plan reads or writes.
pub(super) fn resolve(plan: &Plan, log: &mut dyn TopicLookup) -> Result<BTreeMap<Topic, i32>, TopologyError> {
    let mut problems = Vec::new();
    let mut known = BTreeMap::new();
    let named = plan.graph.nodes.iter().flat_map(|node| node.kind.user_topics());
    for topic in named.chain(plan.matched.values().flatten()) {
        match log.partitions_of(topic) {
            Ok(Some(partitions)) => {
                known.insert(topic.clone(), partitions);
            }
            Err(error) => problems.push(lookup_failed(topic, &error)),
            Ok(None) => problems.push(format!("topic '{topic}' does not exist: create it before starting")),
        }
    }
    if problems.is_empty() {
        resolve_repartition_topics(plan, &mut known);
        check_copartitioning(plan, &known, &mut problems);
    }
    problems.sort();
    problems.dedup();
    TopologyError::check(problems)?;
    Ok(known)
}

/// The problem of a topic that could not be looked up. It is another problem than a missing topic.
pub(crate) fn lookup_failed(topic: &str, error: &TransportError) -> String {
    format!("topic '{topic}' cannot be looked up: {error}")
}

fn check_copartitioning(plan: &Plan, known: &BTreeMap<Topic, i32>, problems: &mut Vec<String>) {
    for (operator, nodes) in &plan.graph.copartitioned {
        if let Some(list) = different_counts(&plan.topics_above(nodes), known) {
            problems.push(format!("'{operator}' needs equal partition counts, but {list}: repartition one of them"));
        }
    }
    if problems.is_empty() {
        // A group's range assignor keeps partitions with the same number together only if the topics have equal counts.
        for number in 0..plan.subtopologies.len() as u32 {
            let Some(list) = different_counts(&plan.source_topics(number).collect(), known) else { continue };
            if let Some(stateful) = plan.needs_equal_counts(number) {
                problems.push(format!(
                    "streams that meet need equal partition counts because of '{stateful}', but {list}: repartition \
                     one of them"
                ));
            }
        }
    }
}

/// The topics with their counts, unless these are equal.
fn different_counts(topics: &BTreeSet<Topic>, known: &BTreeMap<Topic, i32>) -> Option<String> {
    let counts: Vec<_> = topics.iter().map(|topic| (topic, known.get(topic).copied().unwrap_or(0))).collect();
    let differ = counts.windows(2).any(|pair| pair[0].1 != pair[1].1);
    let list: Vec<_> = counts.iter().map(|(topic, count)| format!("'{topic}' has {count}")).collect();
    differ.then(|| list.join(", "))
}
