//! The rules of a topology, all checked together.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    NodeKind, StoreName,
    logical::Graph,
    node::{Node, PROCESS, TopicRef},
};

impl Graph {
    /// All problems of the graph, one sentence each.
    pub(crate) fn validate(&self) -> Vec<String> {
        let mut problems = self.problems.clone();
        self.check_sources(&mut problems);
        self.check_names(&mut problems);
        self.check_stores(&mut problems);
        self.check_changelogs(&mut problems);
        self.check_finished(&mut problems);
        self.check_erasures(&mut problems);
        self.check_partitioners(&mut problems);
        self.check_globals(&mut problems);
        problems.sort();
        problems.dedup();
        problems
    }

    fn check_sources(&self, problems: &mut Vec<String>) {
        let mut read = BTreeMap::new();
        // A global table has a consumer of its own.
        for node in self.nodes.iter().filter(|node| node.kind.is_source() && !self.is_global(node.id)) {
            let reset = self.offset_resets.get(&node.id);
            let Some(topic) = node.kind.reads() else { continue };
            if let Some(before) = read.insert(topic.clone(), reset) {
                problems.push(match topic {
                    TopicRef::External(_) if before == reset => continue,
                    TopicRef::External(topic) => {
                        format!("topic '{topic}' is read with two offset resets: give all of its sources the same one")
                    }
                    TopicRef::Repartition(name) => {
                        format!("two repartition topics are named '{name}': give each its own name")
                    }
                    TopicRef::Request(name) | TopicRef::Response(name) | TopicRef::DeadLetter(name) => {
                        format!("two asynchronous steps are named '{name}'")
                    }
                });
            }
        }
        if !self.nodes.iter().any(|node| node.kind.is_source()) {
            problems.push("the topology reads no topic: begin with StreamsBuilder::stream or table".into());
        }
    }

    fn check_names(&self, problems: &mut Vec<String>) {
        // A source has the name of its topic, if it was not named by hand, and a store may have that name too. One step
        // may have the name of its store.
        let mut seen = BTreeMap::<_, u32>::new();
        let mut owners = BTreeSet::new();
        let is_named = |node: &&Node| !node.kind.is_source() || self.named_sources.contains(&node.id);
        for node in self.nodes.iter().filter(is_named) {
            if !node.stores.contains(&node.name) || owners.insert(&node.name) {
                *seen.entry(&node.name).or_default() += 1;
            }
        }
        for (name, _) in seen.into_iter().filter(|(_, count)| *count > 1) {
            problems.push(format!("two steps are named '{name}': names must be unique"));
        }
        let users = self.nodes.iter().flat_map(|node| node.kind.user_topics()).map(|topic| ("topic name", &**topic));
        let internal = self.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::RepartitionSink { name, .. } => Some(("repartition topic name", &**name)),
            NodeKind::RequestSink(name) => Some(("asynchronous step name", &**name)),
            _ => None,
        });
        let stores = self.stores.keys().chain(self.globals.keys()).map(|name| ("store name", &**name));
        for (what, name) in users.chain(internal).chain(stores) {
            if let Some(problem) = problem_with_name(what, name) {
                problems.push(problem);
            }
        }
        for node in &self.nodes {
            if let NodeKind::RepartitionSink { name, partitions: Some(partitions) } = &node.kind
                && *partitions < 1
            {
                problems.push(format!("repartition topic '{name}' must have at least one partition"));
            }
        }
    }

    fn check_stores(&self, problems: &mut Vec<String>) {
        let used: BTreeSet<_> = self.nodes.iter().filter(|node| !node.erases()).flat_map(|node| &node.stores).collect();
        for node in &self.nodes {
            let exists = |store: &&StoreName| self.stores.contains_key(*store) || self.globals.contains_key(*store);
            for store in node.stores.iter().filter(|store| !exists(store)) {
                if let Some(join) = store.strip_suffix(" (a foreign-key join)") {
                    problems.push(format!(
                        "'{}' needs the values of the foreign-key join '{join}', which has no store: put \
                         .materialized(\"a-name\") after the join",
                        node.name
                    ));
                    continue;
                }
                problems.push(format!(
                    "'{}' asks for store '{store}', which does not exist: add it to the builder",
                    node.name
                ));
            }
        }
        for (_, join) in self.foreign_key_joins.iter().filter(|(result, _)| self.old_values.contains(result)) {
            problems.push(format!(
                "a step after the foreign-key join '{join}' needs the values before its updates, and the join has no \
                 store: put .materialized(\"a-name\") after the join"
            ));
        }
        for store in self.stores.keys().filter(|store| !used.contains(store)) {
            problems.push(format!("store '{store}' is used by no processor: name it in KStream::process"));
        }
    }

    fn check_finished(&self, problems: &mut Vec<String>) {
        for node in &self.nodes {
            if node.parents.is_empty() && node.kind == NodeKind::Operator("late-records") {
                problems.push(format!(
                    "'{}' belongs to a windowed stream that was never counted, reduced, aggregated or collected",
                    node.name
                ));
            }
            if node.parents.is_empty() && node.kind == NodeKind::Operator(PROCESS) {
                problems.push(format!("'{}' has no processor: end its declaration with one", node.name));
            }
        }
    }
}

/// Names of topics and stores become folders and topics. Kafka's rules for topic names apply to both. `what` is the
/// name in words, such as "store name".
pub(crate) fn problem_with_name(what: &str, name: &str) -> Option<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() {
        Some(format!("the {what} is empty: give it one"))
    } else if name == "." || name == ".." {
        Some(format!("the {what} '{name}' is the name of a folder: choose another one"))
    } else if name.len() > 200 {
        Some(format!("the {what} '{name}' is longer than 200 characters"))
    } else if !name.chars().all(legal) {
        Some(format!("the {what} '{name}' may hold only ASCII letters, digits, '.', '_' and '-'"))
    } else {
        None
    }
}
