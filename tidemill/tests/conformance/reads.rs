//! What a node reads, and its name.

use crate::node::Node;

impl Node {
    /// The places that it reads.
    pub(crate) fn parents(&self) -> Vec<usize> {
        let mut node = self.clone();
        node.parents_mut().into_iter().map(|place| *place).collect()
    }

    pub(crate) fn parents_mut(&mut self) -> Vec<&mut usize> {
        match self {
            Self::Stream { .. } | Self::Table { .. } | Self::VersionedTable { .. } | Self::GlobalTable { .. } => {
                Vec::new()
            }
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
            | Self::Process { from, .. }
            | Self::ProcessValues { from }
            | Self::Headers { from, .. }
            | Self::ProcessRows { from, .. }
            | Self::ProcessWindows { from, .. }
            | Self::ProcessVersions { from, .. }
            | Self::TableFilter { from, .. }
            | Self::TableFilterNot { from, .. }
            | Self::TransformValues { from, .. }
            | Self::TableMapValues { from, .. }
            | Self::GroupTable { from, .. }
            | Self::Sessions { from, .. }
            | Self::Sliding { from, .. }
            | Self::Suppress { from, .. }
            | Self::ToTable { from, .. } => vec![from],
            Self::Merge { from, with }
            | Self::Cogroup { from, with, .. }
            | Self::SessionCogroup { from, with, .. }
            | Self::SlidingCogroup { from, with, .. }
            | Self::JoinStreams { from, with, .. }
            | Self::JoinTable { from, with, .. }
            | Self::JoinGlobal { from, with, .. }
            | Self::JoinTables { from, with, .. }
            | Self::JoinForeign { from, with, .. } => vec![from, with],
        }
    }

    /// Its name in reports, with the kind if there is one.
    pub(crate) fn label(&self) -> String {
        let json = serde_json::to_value(self).expect("plain data");
        let word = |name: &str| json.get(name).and_then(|word| word.as_str().map(ToOwned::to_owned));
        let mut label = word("op").expect("is tagged");
        let words = [
            ("close", " on close"),
            ("stored", " stored"),
            ("window", " in windows"),
            ("wait", " for a time"),
            ("waits", " that waits"),
            ("keys", " of some keys"),
            ("stream_time", " by stream time"),
        ];
        for (flag, words) in words {
            if json.get(flag).is_some_and(|set| set == true || set.is_object() || set.is_number()) {
                label += words;
            }
        }
        word("kind").map_or(label.clone(), |kind| format!("{label} {kind}"))
    }
}

/// A node's name in reports, and whether it reads or keeps versions of values.
pub(crate) fn label(nodes: &[Node], place: usize) -> String {
    let node = &nodes[place];
    let mut label = node.label();
    if node.parents().into_iter().any(|parent| is_versioned(nodes, parent)) {
        label += " of versions";
    }
    if versions(node).is_some() {
        label += " with versions";
    }
    label
}

/// How long the store of a step keeps versions.
pub(crate) fn versions(node: &Node) -> Option<i64> {
    match node {
        Node::Fold { versions, .. }
        | Node::GroupTable { versions, .. }
        | Node::JoinTables { versions, .. }
        | Node::TableFilter { versions, .. }
        | Node::TableMapValues { versions, .. }
        | Node::ToTable { versions, .. } => *versions,
        _ => None,
    }
}

/// Whether a table's values have times until which they hold.
fn is_versioned(nodes: &[Node], place: usize) -> bool {
    let node = &nodes[place];
    let passes_on = |from: usize, stored: bool| !stored && is_versioned(nodes, from);
    versions(node).is_some()
        || match node {
            Node::TableFilter { from, stored, .. }
            | Node::TableFilterNot { from, stored, .. }
            | Node::TableMapValues { from, stored, .. }
            | Node::TransformValues { from, stored, .. } => passes_on(*from, *stored),
            Node::VersionedTable { .. } => true,
            _ => false,
        }
}

/// Whether a node emits at most one record for each record of a topic.
pub(crate) fn is_single(nodes: &[Node], place: usize) -> bool {
    match &nodes[place] {
        Node::Stream { .. } | Node::Table { .. } | Node::VersionedTable { .. } => true,
        Node::FlatMapValues { .. }
        | Node::FlatMap { .. }
        | Node::Process { .. }
        | Node::Windowed { .. }
        | Node::Sessions { .. }
        | Node::Sliding { .. }
        | Node::GroupTable { .. }
        | Node::JoinTable { waits: Some(_), .. }
        | Node::Suppress { .. } => false,
        Node::JoinTable { from, .. } | Node::JoinGlobal { from, .. } => is_single(nodes, *from),
        node => matches!(node.parents()[..], [from] if is_single(nodes, from)),
    }
}
