//! A case: a topology and a script, as plain data that both interpreters read. And what came out of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A text, or a null.
pub(crate) type Text = Option<String>;

/// Nodes by their places, the places that are written to `out-<place>`, and what is piped in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) nodes: Vec<Node>,
    pub(crate) outputs: Vec<usize>,
    pub(crate) script: Vec<Step>,
}

/// An operator. `from` and `with` are places of earlier nodes. `mod` and `is` choose values by their hash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(crate) enum Node {
    Stream {
        topic: String,
    },
    Table {
        topic: String,
    },
    Filter {
        from: usize,
        r#mod: u64,
        is: u64,
    },
    FilterNot {
        from: usize,
        r#mod: u64,
        is: u64,
    },
    MapValues {
        from: usize,
        add: String,
    },
    NullValues {
        from: usize,
        r#mod: u64,
    },
    Map {
        from: usize,
        r#mod: u64,
        add: String,
    },
    FlatMapValues {
        from: usize,
        r#mod: u64,
    },
    FlatMap {
        from: usize,
        r#mod: u64,
    },
    SelectKey {
        from: usize,
        r#mod: u64,
    },
    NullKeys {
        from: usize,
        r#mod: u64,
    },
    Merge {
        from: usize,
        with: usize,
    },
    Split {
        from: usize,
        mods: Vec<u64>,
    },
    Branch {
        from: usize,
        branch: usize,
    },
    Repartition {
        from: usize,
        #[serde(default, skip_serializing_if = "is_false")]
        keyless: bool,
    },
    /// With `initial`, the initializer of Kafka Streams gives a value. Otherwise the first aggregate begins with none.
    Fold {
        from: usize,
        kind: FoldKind,
        #[serde(default, skip_serializing_if = "is_false")]
        initial: bool,
    },
    Windowed {
        from: usize,
        window: Window,
        kind: FoldKind,
        close: bool,
        delete: u64,
        #[serde(default, skip_serializing_if = "is_false")]
        forgetful: bool,
    },
    Sessions {
        from: usize,
        gap: i64,
        grace: i64,
        kind: FoldKind,
        close: bool,
    },
    /// Without windows there is one aggregate for each key.
    Cogroup {
        from: usize,
        with: usize,
        window: Option<Window>,
    },
    JoinStreams {
        from: usize,
        with: usize,
        kind: Kind,
        before: i64,
        after: i64,
        grace: i64,
    },
    JoinTable {
        from: usize,
        with: usize,
        kind: Kind,
    },
    TableFilter {
        from: usize,
        r#mod: u64,
        is: u64,
        stored: bool,
    },
    TableMapValues {
        from: usize,
        add: String,
        stored: bool,
    },
    GroupTable {
        from: usize,
        r#mod: u64,
        kind: FoldKind,
    },
    JoinTables {
        from: usize,
        with: usize,
        kind: Kind,
        stored: bool,
    },
    ToTable {
        from: usize,
    },
    /// Without `wait` until the window closes.
    Suppress {
        from: usize,
        wait: Option<i64>,
    },
    /// The hash of a value chooses the key of the other table.
    JoinForeign {
        from: usize,
        with: usize,
        kind: Kind,
        stored: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FoldKind {
    Count,
    Reduce,
    Aggregate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Inner,
    Left,
    Outer,
}

/// Time windows, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Window {
    pub(crate) size: i64,
    pub(crate) advance: i64,
    pub(crate) grace: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Step {
    /// Topic, key, value, timestamp.
    Record(String, Text, Text, i64),
    /// The wall clock advances by so many milliseconds.
    Wait(u64),
}

/// An output: the number of the step that caused it, key, value, timestamp.
pub(crate) type Output = (usize, Text, Text, i64);
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

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Node {
    /// The places that it reads.
    pub(crate) fn parents(&self) -> Vec<usize> {
        let mut node = self.clone();
        node.parents_mut().into_iter().map(|place| *place).collect()
    }

    pub(crate) fn parents_mut(&mut self) -> Vec<&mut usize> {
        match self {
            Self::Stream { .. } | Self::Table { .. } => Vec::new(),
            Self::Filter { from, .. }
            | Self::FilterNot { from, .. }
            | Self::MapValues { from, .. }
            | Self::NullValues { from, .. }
            | Self::Map { from, .. }
            | Self::FlatMapValues { from, .. }
            | Self::FlatMap { from, .. }
            | Self::SelectKey { from, .. }
            | Self::NullKeys { from, .. }
            | Self::Split { from, .. }
            | Self::Branch { from, .. }
            | Self::Repartition { from, .. }
            | Self::Fold { from, .. }
            | Self::Windowed { from, .. }
            | Self::TableFilter { from, .. }
            | Self::TableMapValues { from, .. }
            | Self::GroupTable { from, .. }
            | Self::Sessions { from, .. }
            | Self::Suppress { from, .. }
            | Self::ToTable { from } => vec![from],
            Self::Merge { from, with }
            | Self::Cogroup { from, with, .. }
            | Self::JoinStreams { from, with, .. }
            | Self::JoinTable { from, with, .. }
            | Self::JoinTables { from, with, .. }
            | Self::JoinForeign { from, with, .. } => vec![from, with],
        }
    }

    /// Its name in reports, with the kind if there is one.
    pub(crate) fn label(&self) -> String {
        let json = serde_json::to_value(self).expect("plain data");
        let word = |name: &str| json.get(name).and_then(|word| word.as_str().map(ToOwned::to_owned));
        let mut label = word("op").expect("is tagged");
        let words = [("close", " on close"), ("stored", " stored"), ("window", " in windows"), ("wait", " for a time")];
        for (flag, words) in words {
            if json.get(flag).is_some_and(|set| set == true || set.is_object() || set.is_number()) {
                label += words;
            }
        }
        word("kind").map_or(label.clone(), |kind| format!("{label} {kind}"))
    }
}

impl Case {
    /// The topics that a node's records come from.
    pub(crate) fn topics(&self, place: usize) -> Vec<&str> {
        match &self.nodes[place] {
            Node::Stream { topic } | Node::Table { topic } => vec![topic],
            node => node.parents().iter().flat_map(|parent| self.topics(*parent)).collect(),
        }
    }

    /// How far a record of these topics was behind an earlier one, at most.
    pub(crate) fn lateness(&self, topics: &[&str]) -> i64 {
        let (mut time, mut lateness) = (i64::MIN, 0);
        for step in &self.script {
            if let Step::Record(topic, _, _, timestamp) = step
                && topics.contains(&topic.as_str())
            {
                time = time.max(*timestamp);
                lateness = lateness.max(time - timestamp);
            }
        }
        lateness
    }

    /// The time of the latest record.
    pub(crate) fn end(&self) -> i64 {
        let time = |step: &Step| if let Step::Record(.., timestamp) = step { *timestamp } else { 0 };
        self.script.iter().map(time).max().unwrap_or(0)
    }
}
