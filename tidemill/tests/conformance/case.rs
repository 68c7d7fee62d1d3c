//! A case: a topology and a script, as plain data that both interpreters read. And what came out of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use crate::{
    kinds::{Fetch, FoldKind, HeaderKind, Kind, Scan, Window},
    node::Node,
    reads::{is_single, label, versions},
};

/// A text, or a null.
pub(crate) type Text = Option<String>;

/// Nodes by their places, the places that are written to `out-<place>`, and what is piped in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) nodes: Vec<Node>,
    pub(crate) outputs: Vec<usize>,
    pub(crate) script: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Step {
    /// Topic, key, value, timestamp, headers.
    Record(String, Text, Text, i64, #[serde(default, skip_serializing_if = "String::is_empty")] String),
    /// The wall clock advances by so many milliseconds.
    Wait(u64),
}

/// An output: the number of the step that caused it, key, value, timestamp, headers.
pub(crate) type Output = (usize, Text, Text, i64, String);
/// A stored row: key, value, timestamp. A windowed key is a text, and such a row has no timestamp.
pub(crate) type Row = (String, String, Option<i64>);

/// What came out of a case, or why nothing did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Answer {
    pub(crate) outputs: BTreeMap<String, Vec<Output>>,
    pub(crate) dropped: u64,
    pub(crate) stores: BTreeMap<String, Vec<Row>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

impl Case {
    /// The topics that a node's records come from.
    pub(crate) fn topics(&self, place: usize) -> Vec<&str> {
        match &self.nodes[place] {
            Node::Stream { topic }
            | Node::Table { topic }
            | Node::VersionedTable { topic, .. }
            | Node::GlobalTable { topic } => vec![topic],
            // The global table has no part in stream time.
            Node::JoinGlobal { from, .. } => self.topics(*from),
            node => node.parents().iter().flat_map(|parent| self.topics(*parent)).collect(),
        }
    }

    /// How far each record of these topics was behind an earlier one, with its step.
    fn delays<'a>(&'a self, topics: &'a [&str]) -> impl Iterator<Item = (usize, i64)> + 'a {
        let mut time = i64::MIN;
        self.script.iter().zip(1..).filter_map(move |(step, number)| match step {
            Step::Record(topic, _, _, timestamp, _) if topics.contains(&topic.as_str()) => {
                time = time.max(*timestamp);
                Some((number, time - timestamp))
            }
            _ => None,
        })
    }

    /// How far a record of these topics was behind an earlier one, at most.
    pub(crate) fn lateness(&self, topics: &[&str]) -> i64 {
        self.delays(topics).map(|(_, delay)| delay).max().unwrap_or(0)
    }

    /// The first step whose record was further behind than this.
    pub(crate) fn first_late(&self, topics: &[&str], bound: i64) -> Option<usize> {
        self.delays(topics).find(|(_, delay)| *delay > bound).map(|(step, _)| step)
    }

    /// The first step whose record is earlier than two that came before it at one time. Of a topic's table, these are a value
    /// and its deletion, all of one key.
    pub(crate) fn first_before_a_deletion(&self, topics: &[&str], of_table: bool) -> Option<usize> {
        let mut seen: Vec<(&Text, i64)> = Vec::new();
        let mut deleted: Vec<(&Text, i64)> = Vec::new();
        for (step, number) in self.script.iter().zip(1..) {
            let Step::Record(topic, key, value, timestamp, _) = step else { continue };
            if !topics.contains(&topic.as_str()) {
                continue;
            }
            let same = |other: &Text| !of_table || other == key;
            if deleted.iter().any(|(other, time)| same(other) && time > timestamp) {
                return Some(number);
            }
            let repeats = seen.iter().any(|(other, time)| same(other) && time == timestamp);
            if repeats && (!of_table || value.is_none()) {
                deleted.push((key, *timestamp));
            }
            seen.push((key, *timestamp));
        }
        None
    }

    /// The latest time: of a record, or of the wall clock, which processors may give to theirs.
    pub(crate) fn end(&self) -> i64 {
        let (mut latest, mut wall) = (0, 0);
        for step in &self.script {
            match step {
                Step::Record(.., timestamp, _) => latest = latest.max(*timestamp),
                Step::Wait(ms) => wall += i64::try_from(*ms).unwrap_or(i64::MAX),
            }
        }
        latest.max(wall)
    }
}
