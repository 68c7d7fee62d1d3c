//! The topics that match the patterns of sources.

use std::collections::BTreeMap;

use super::{Plan, TopicLookup};
use crate::{
    error::TopologyError,
    graph::{NodeId, NodeKind, whole_pattern},
    transport::Topic,
};

/// The topics of each source with a pattern; there may be none yet. Topics of the log itself and internal topics of the
/// application never match.
pub(super) fn matched(plan: &Plan, log: &mut dyn TopicLookup) -> Result<BTreeMap<NodeId, Vec<Topic>>, TopologyError> {
    let patterns = plan.graph.nodes.iter().filter_map(|node| match &node.kind {
        NodeKind::PatternSource(pattern) => Some((node.id, pattern)),
        _ => None,
    });
    let patterns: Vec<_> = patterns.collect();
    if patterns.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found = log.all().map_err(|error| TopologyError::of(format!("topics cannot be listed: {error}")))?;
    let own = plan.own_topics();
    let mut topics: Vec<_> = found.into_iter().filter(|topic| !own.contains(topic)).collect();
    topics.sort();
    let (mut matched, mut problems) = (BTreeMap::new(), Vec::new());
    for (id, pattern) in patterns {
        // The pattern was compiled before, when the topology was built.
        let Ok(regex) = whole_pattern(pattern) else { continue };
        let of_pattern: Vec<_> = topics.iter().filter(|topic| regex.is_match(topic)).cloned().collect();
        problems.extend(of_pattern.iter().filter_map(|topic| clash(plan, id, topic, &matched)));
        matched.insert(id, of_pattern);
    }
    TopologyError::check(problems)?;
    Ok(matched)
}

/// The problem of a topic that a source in another subtopology reads, too: one task reads a partition.
fn clash(plan: &Plan, source: NodeId, topic: &Topic, matched: &BTreeMap<NodeId, Vec<Topic>>) -> Option<String> {
    let home = |id: NodeId| plan.subtopologies.iter().position(|one| one.sources.contains(&id));
    let reads = |id: NodeId| {
        let named = matches!(&plan.graph.node(id).kind, NodeKind::Source(name) if name == topic);
        named || matched.get(&id).is_some_and(|topics| topics.contains(topic))
    };
    let others = plan.graph.nodes.iter().filter(|node| node.id != source && reads(node.id));
    let node = plan.graph.node(source);
    for other in others {
        let resets = &plan.graph.offset_resets;
        if resets.get(&other.id) != resets.get(&source) {
            return Some(format!(
                "topic '{topic}' is read with two offset resets, by '{}' and by '{}': give both the same one",
                node.name, other.name
            ));
        }
        if home(other.id) != home(source) {
            return Some(format!(
                "topic '{topic}' matches pattern '{}' and is also read by '{}': merge the two streams, or change the \
                 pattern",
                node.name, other.name
            ));
        }
    }
    None
}
