//! Which sources read which topics, and how.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{InternalTopic, Plan, TopicLookup, patterns, topics};
use crate::{
    error::TopologyError,
    graph::{NodeId, NodeKind},
    transport::{AutoOffsetReset, Topic},
};

impl Plan {
    /// The subtopology that reads each topic.
    pub(super) fn find_readers(&self) -> BTreeMap<Topic, u32> {
        let numbers = 0..self.subtopologies.len() as u32;
        numbers.flat_map(|number| self.source_topics(number).map(move |topic| (topic, number))).collect()
    }

    /// The topics that a subtopology reads, each once.
    pub(crate) fn source_topics(&self, subtopology: u32) -> impl Iterator<Item = Topic> + '_ {
        let mut seen = BTreeSet::new();
        let sources = &self.subtopologies[subtopology as usize].sources;
        sources.iter().flat_map(|id| self.topics_of_source(*id)).filter(move |topic| seen.insert(topic.clone()))
    }

    /// The topics that a node reads; none if it is no source.
    pub(crate) fn topics_of_source(&self, node: NodeId) -> Vec<Topic> {
        match self.graph.node(node).kind.reads() {
            Some(topic) => vec![self.topic_name(&topic)],
            None => self.matched.get(&node).cloned().unwrap_or_default(),
        }
    }

    /// The sources of a subtopology that read a topic, in the order of declaration.
    pub(crate) fn sources_of_topic<'a>(
        &'a self,
        subtopology: u32,
        topic: &'a Topic,
    ) -> impl Iterator<Item = NodeId> + 'a {
        let sources = self.subtopologies[subtopology as usize].sources.iter().copied();
        sources.filter(move |id| self.topics_of_source(*id).contains(topic))
    }

    /// Where the sources of a topic begin in a partition that the application has never read; `None` if the log decides.
    pub(crate) fn offset_reset_of(&self, topic: &Topic) -> Option<AutoOffsetReset> {
        let mut resets = self.graph.offset_resets.iter();
        resets.find(|(id, _)| self.topics_of_source(**id).contains(topic)).map(|(_, reset)| *reset)
    }

    /// Whether a task of the subtopology may run with a part of its inputs. A group gives partitions with the same
    /// number to one member only if their topics have equal counts.
    pub(crate) fn splits(&self, subtopology: u32) -> bool {
        let mut counts = self.source_topics(subtopology).map(|topic| self.partitions(&topic));
        let first = counts.next();
        counts.any(|count| Some(count) != first)
    }

    /// The topics that sinks may write without declaring them.
    pub(crate) fn undeclared_topics(&self) -> &Arc<BTreeMap<Topic, i32>> {
        &self.undeclared
    }

    /// Whether a sink may write topics that it does not declare.
    pub(super) fn writes_any(&self) -> bool {
        self.graph.nodes.iter().any(|node| node.kind.writes_any())
    }

    /// Whether the plan depends on which topics the log has.
    pub(crate) fn finds_topics(&self) -> bool {
        !self.matched.is_empty() || self.writes_any()
    }

    /// The topics that can be read now. An internal topic that only topics of a pattern would feed does not exist before
    /// one of these does.
    pub(crate) fn existing_source_topics(&self) -> Vec<Topic> {
        let mut topics = self.all_source_topics();
        topics.retain(|topic| self.partitions(topic).is_some());
        topics
    }

    /// The patterns that no topic matches yet.
    pub(crate) fn unmatched_patterns(&self) -> impl Iterator<Item = &str> {
        let unmatched = self.matched.iter().filter(|(_, topics)| topics.is_empty());
        unmatched.filter_map(|(id, _)| match &self.graph.node(*id).kind {
            NodeKind::PatternSource(pattern) => Some(&**pattern),
            _ => None,
        })
    }

    /// Whether only patterns name a topic that the plan reads.
    pub(crate) fn is_found(&self, topic: &str) -> bool {
        let is_named =
            || self.graph.nodes.iter().any(|node| node.kind.user_topics().iter().any(|name| **name == *topic));
        self.matched.values().flatten().any(|found| **found == *topic) && !is_named()
    }

    /// The plan for the topics that the log has now; `None` if it is this one.
    ///
    /// # Errors
    ///
    /// If topics have appeared that this application cannot take up while it runs.
    pub(crate) fn refreshed(&self, log: &mut dyn TopicLookup) -> Result<Option<Self>, TopologyError> {
        let matched = patterns::matched(self, log)?;
        let undeclared = if self.writes_any() { topics::writable(self, log)? } else { BTreeMap::new() };
        if matched == self.matched && undeclared == *self.undeclared {
            return Ok(None);
        }
        let plan = self.clone().resolve_on(log)?;
        // A pattern that had no topic before may need more internal topics now.
        let before = self.internal_topics();
        let is_changed =
            |now: &InternalTopic| before.iter().any(|was| was.spec.name == now.spec.name && was.spec != now.spec);
        if plan.internal_topics().iter().any(is_changed) {
            let problem = "the topics that match patterns now need other partition counts of internal topics: reset the \
                           application, or give the topics equal partition counts";
            return Err(TopologyError::of(problem.to_owned()));
        }
        Ok(Some(plan))
    }
}
