//! Prints a plan.

use std::fmt::{self, Write as _};

use super::Plan;
use crate::graph::{Live, Node, NodeKind, StoreKind, StoreSpec};

impl Plan {
    /// The plan as text: subtopologies with their nodes and edges, stores with their changelogs (`Topology.describe` in
    /// Kafka Streams). Equal plans give equal text, so users can compare two versions of a program.
    ///
    /// ```
    /// use tidemill::{Plan, StreamsBuilder};
    ///
    /// let builder = StreamsBuilder::new();
    /// builder.stream::<u64, String>("chat").group_by_key().count("messages");
    /// let plan = Plan::new("rooms", &builder.build()?).resolve(|_| Some(4))?;
    /// let expected = "\
    /// Application: rooms
    /// Subtopology: 0 (4 tasks)
    ///   chat (source, topic: chat [4])
    ///     --> messages
    ///   messages (count, stores: [messages])
    ///   store messages (key-value, persistent, changelog: rooms-messages-changelog)
    /// ";
    /// assert_eq!(plan.describe(), expected);
    /// # Ok::<(), tidemill::TopologyError>(())
    /// ```
    pub fn describe(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "Application: {}", self.application_id)?;
        for (number, subtopology) in self.subtopologies.iter().enumerate() {
            let partitions = self.source_topics(number as u32).filter_map(|topic| self.partitions(&topic)).max();
            let tasks = partitions.map_or(String::new(), |count| format!(" ({count} tasks)"));
            writeln!(out, "Subtopology: {number}{tasks}")?;
            for id in &subtopology.nodes {
                self.write_node(out, self.graph.node(*id))?;
            }
            for store in &subtopology.stores {
                self.write_store(out, &self.graph.stores[store])?;
            }
        }
        for global in self.graph.globals.values() {
            writeln!(out, "Global store: {}", global.spec.name)?;
            for id in [global.source, global.writer] {
                self.write_node(out, self.graph.node(id))?;
            }
        }
        Ok(())
    }

    fn write_node(&self, out: &mut String, node: &Node) -> fmt::Result {
        write!(out, "  {} ({}", node.name, node.kind.label())?;
        if let Some(topic) = node.kind.reads().or(node.kind.reads_globally()).or(node.kind.writes()) {
            let topic = self.topic_name(&topic);
            match self.partitions(&topic) {
                Some(count) => write!(out, ", topic: {topic} [{count}]")?,
                None => write!(out, ", topic: {topic}")?,
            }
        }
        if let NodeKind::PatternSource(pattern) = &node.kind {
            let counted = self.topics_of_source(node.id).into_iter().map(|topic| match self.partitions(&topic) {
                Some(count) => format!("{topic} [{count}]"),
                None => topic.to_string(),
            });
            let topics = counted.collect::<Vec<_>>().join(", ");
            write!(out, ", topics matching {pattern}: {}", if topics.is_empty() { "not known yet" } else { &topics })?;
        }
        if let Some(reset) = self.graph.offset_resets.get(&node.id) {
            write!(out, ", offset reset: {reset}")?;
        }
        if let NodeKind::SinkByRecord(topics) = &node.kind {
            let counted = topics.iter().map(|topic| match self.partitions(topic) {
                Some(count) => format!("{topic} [{count}]"),
                None => topic.to_string(),
            });
            let topics = if topics.is_empty() { "any".to_owned() } else { counted.collect::<Vec<_>>().join(", ") };
            write!(out, ", topics by record: {topics}")?;
        }
        if self.graph.own_partitioners.contains(&node.id) {
            write!(out, ", own partitioner")?;
        }
        if !node.stores.is_empty() {
            write!(out, ", stores: [{}]", node.stores.join(", "))?;
        }
        writeln!(out, ")")?;
        let children = self.graph.nodes.iter().filter(|child| child.parents.iter().any(|edge| edge.from == node.id));
        let children: Vec<_> = children.map(|child| &*child.name).collect();
        if !children.is_empty() {
            writeln!(out, "    --> {}", children.join(", "))?;
        }
        Ok(())
    }

    fn write_store(&self, out: &mut String, store: &StoreSpec) -> fmt::Result {
        let retention = || match store.kind.retention() {
            Some(retention) => format!("retention {} ms", retention.as_millis()),
            None => "retention for ever".to_owned(),
        };
        let kind = match store.kind {
            StoreKind::KeyValue => match self.graph.times_to_live.get(&store.name) {
                Some(Live { live_ms, idle_after_ms: None }) => format!("key-value, time to live {live_ms} ms"),
                Some(Live { live_ms, idle_after_ms: Some(idle_ms) }) => {
                    format!("key-value, time to live {live_ms} ms, also after {idle_ms} ms of silence")
                }
                None => "key-value".to_owned(),
            },
            StoreKind::Window { .. } => format!("window, {}", retention()),
            StoreKind::Session { .. } => format!("session, {}", retention()),
            StoreKind::Versioned { .. } => match store.kind.retention() {
                Some(retention) => format!("versioned, history {} ms", retention.as_millis()),
                None => "versioned, history for ever".to_owned(),
            },
        };
        let place = if store.persistent { "persistent" } else { "in memory" };
        let changelog = if store.logged { self.changelog(&store.name).to_string() } else { "none".to_owned() };
        writeln!(out, "  store {} ({kind}, {place}, changelog: {changelog})", store.name)
    }
}
