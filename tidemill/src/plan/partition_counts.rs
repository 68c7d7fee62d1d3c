//! The partition counts of internal topics.

use std::collections::BTreeMap;

use super::Plan;
use crate::{
    graph::{NodeId, NodeKind, TopicRef},
    transport::Topic,
};

/// Sets the partition counts of internal topics. A repartition topic has the count that the user set, else the count of
/// a topic that must be partitioned like it, else the count of the topics that feed it. Requests and responses have the
/// count of the topics that feed them, so that a response reaches the task that asked. The search repeats while it
/// finds new counts, because one internal topic may feed another.
pub(super) fn resolve_repartition_topics(plan: &Plan, known: &mut BTreeMap<Topic, i32>) {
    loop {
        let found = known.len();
        for node in &plan.graph.nodes {
            match &node.kind {
                NodeKind::RequestSink(name) => {
                    if let Some(count) = count_above(plan, known, node.id) {
                        let topics = [TopicRef::Request, TopicRef::Response, TopicRef::DeadLetter];
                        for topic in topics.map(|topic| topic(name.clone())) {
                            known.entry(plan.topic_name(&topic)).or_insert(count);
                        }
                    }
                }
                NodeKind::RepartitionSink { name, partitions } => {
                    let topic = plan.topic_name(&TopicRef::Repartition(name.clone()));
                    if let Some(count) = partitions.or_else(|| count_like(plan, known, &topic)) {
                        known.entry(topic).or_insert(count);
                    }
                }
                _ => {}
            }
        }
        if known.len() == found && !resolve_one_from_above(plan, known) {
            return;
        }
    }
}

/// Gives one repartition topic the count of the topics that feed it. Other topics may then have to be like it.
fn resolve_one_from_above(plan: &Plan, known: &mut BTreeMap<Topic, i32>) -> bool {
    for node in &plan.graph.nodes {
        if let NodeKind::RepartitionSink { name, .. } = &node.kind
            && let topic = plan.topic_name(&TopicRef::Repartition(name.clone()))
            && !known.contains_key(&topic)
            && let Some(count) = count_above(plan, known, node.id)
        {
            known.insert(topic, count);
            return true;
        }
    }
    false
}

/// The largest count of the topics that feed a node.
fn count_above(plan: &Plan, known: &BTreeMap<Topic, i32>, node: NodeId) -> Option<i32> {
    plan.topics_above(&[node]).iter().map(|topic| known.get(topic).copied()).max().flatten()
}

/// The count of a topic that must be partitioned like this one.
fn count_like(plan: &Plan, known: &BTreeMap<Topic, i32>, topic: &Topic) -> Option<i32> {
    let together = plan.graph.copartitioned.iter().map(|(_, nodes)| plan.topics_above(nodes));
    together
        .chain(plan.topics_of_tasks())
        .filter(|topics| topics.contains(topic))
        .find_map(|topics| topics.iter().filter(|other| *other != topic).find_map(|other| known.get(other).copied()))
}
