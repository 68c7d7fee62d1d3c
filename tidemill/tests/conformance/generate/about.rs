//! What later nodes must know of an earlier one.

use std::collections::BTreeSet;

use crate::{
    case::{FoldKind, HeaderKind, Kind, Node, versions},
    rules::comes_by_time,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Shape {
    #[default]
    Stream,
    Branches,
    Table,
    Windows,
    Global,
}

/// What later nodes must know of one.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Clone, Default)]
pub(super) struct About {
    pub(super) shape: Shape,
    /// Its records are partitioned by their key.
    pub(super) keyed: bool,
    /// It is behind a repartition topic.
    pub(super) behind: bool,
    /// Its records have the times of the sources' records.
    pub(super) plain: bool,
    /// Its order is not that of Kafka Streams: see the rules.
    pub(super) loose: bool,
    /// Its first values are preceded by others that never were in the table: see the rules.
    pub(super) initial: bool,
    /// Its windows include their end. Kafka Streams' suppression closes these a moment too early.
    pub(super) inclusive: bool,
    /// Later steps do not look up its values: a foreign-key join has none, and those of a suppression come sooner here.
    pub(super) viewless: bool,
    /// It comes from a foreign-key join that keeps no values. No step that needs them is valid.
    pub(super) storeless: bool,
    /// A table whose values have times until which they hold.
    pub(super) versioned: bool,
    /// It emits when the wall clock advances. Two such nodes have no order.
    pub(super) timed: bool,
    /// It comes from a foreign-key join: see the rules.
    pub(super) foreign: bool,
    /// Its headers are not those of Kafka Streams: see the rules.
    pub(super) headless: bool,
    pub(super) topics: BTreeSet<u8>,
}

impl About {
    /// Of a source. Topics have numbers.
    pub(super) fn source(shape: Shape, topic: u8) -> Self {
        let topics = BTreeSet::from([topic]);
        Self { shape, keyed: true, plain: shape == Shape::Stream, topics, ..Self::default() }
    }

    /// Of a node that reads others. `single` is whether all its inputs are.
    pub(super) fn of(node: &Node, parents: &[Self], single: bool) -> Self {
        let any = |what: fn(&Self) -> bool| parents.iter().any(what);
        let mut about = Self {
            shape: Shape::Stream,
            keyed: parents.iter().all(|about| about.keyed),
            behind: any(|about| about.behind),
            plain: parents.iter().all(|about| about.plain),
            loose: any(|about| about.loose),
            foreign: any(|about| about.foreign),
            timed: any(|about| about.timed),
            headless: any(|about| about.headless) || comes_by_time(node),
            topics: parents.iter().flat_map(|about| about.topics.clone()).collect(),
            ..Self::default()
        };
        match node {
            Node::Map { .. } | Node::FlatMap { .. } | Node::SelectKey { .. } | Node::NullKeys { .. } => {
                about.keyed = false;
            }
            Node::Repartition { .. } => (about.keyed, about.behind) = (true, true),
            Node::Headers { kind: HeaderKind::Drop, .. } => about.headless = false,
            Node::Split { .. } => about.shape = Shape::Branches,
            Node::Fold { .. } | Node::Cogroup { window: None, .. } | Node::ToTable { .. } | Node::JoinTables { .. } => {
                (about.shape, about.plain) = (Shape::Table, false);
            }
            Node::GroupTable { .. } | Node::JoinForeign { .. } => {
                (about.shape, about.plain, about.keyed, about.behind) = (Shape::Table, false, true, true);
            }
            Node::TableFilter { stored, .. }
            | Node::TableFilterNot { stored, .. }
            | Node::TableMapValues { stored, .. }
            | Node::TransformValues { stored, .. } => about.step(&parents[0], *stored),
            Node::Suppress { .. } => about.step(&parents[0], false),
            // Its windowed keys become texts.
            Node::Windowed { .. }
            | Node::Sessions { .. }
            | Node::Sliding { .. }
            | Node::Cogroup { .. }
            | Node::SessionCogroup { .. }
            | Node::SlidingCogroup { .. } => {
                (about.shape, about.plain, about.keyed) = (Shape::Windows, false, false);
            }
            Node::JoinTable { waits: Some(_), .. } => about.plain = false,
            Node::JoinStreams { kind, .. } => (about.plain, about.loose) = (false, *kind != Kind::Inner),
            // The global table is always up to date.
            Node::JoinGlobal { .. } => about.topics.clone_from(&parents[0].topics),
            Node::Process { .. } => (about.keyed, about.plain, about.timed) = (false, false, true),
            _ => {}
        }
        about.versioned |= versions(node).is_some();
        about.inclusive |= matches!(
            node,
            Node::Sessions { .. } | Node::Sliding { .. } | Node::SessionCogroup { .. } | Node::SlidingCogroup { .. }
        );
        // Two records of one instant: see the rules for sessions.
        let distinct = single && parents.iter().all(|about| about.plain);
        // One record may come from both sides.
        let related = parents.len() == 2 && !parents[0].topics.is_disjoint(&parents[1].topics);
        about.initial |= match node {
            Node::Sessions { .. } | Node::SessionCogroup { .. } => !distinct || related,
            Node::JoinTables { stored: true, versions, .. } => related || versions.is_some(),
            _ => matches!(
                node,
                Node::Fold { kind: FoldKind::Count, .. }
                    | Node::Windowed { kind: FoldKind::Count, .. }
                    | Node::Sliding { .. }
                    | Node::SlidingCogroup { .. }
                    | Node::Suppress { .. }
            ),
        };
        about.storeless |= matches!(node, Node::JoinForeign { stored: false, .. });
        about.viewless |= about.storeless || matches!(node, Node::Suppress { .. });
        about
    }

    /// A step of a table is as the table.
    fn step(&mut self, table: &Self, stored: bool) {
        (self.shape, self.initial, self.inclusive) = (table.shape, table.initial, table.inclusive);
        (self.viewless, self.storeless) = (!stored && table.viewless, !stored && table.storeless);
        self.versioned = !stored && table.versioned;
    }

    /// Whether its records can be read.
    pub(super) fn has_records(&self) -> bool {
        !matches!(self.shape, Shape::Branches | Shape::Global)
    }
}

/// Whether the records of two nodes meet in an order that is certain. Between two ways of the same record, of which one
/// leads through a repartition topic, there is no order.
pub(super) fn ordered(left: &About, right: &About) -> bool {
    let apart = left.topics.is_disjoint(&right.topics);
    !(left.timed && right.timed) && (apart || !(left.behind || right.behind))
}
