//! What later nodes must know of an earlier one.

use std::collections::BTreeSet;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Shape {
    #[default]
    Stream,
    Branches,
    Table,
    Windows,
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
    /// It comes from a foreign-key join: see the rules.
    pub(super) foreign: bool,
    pub(super) topics: BTreeSet<u8>,
}

/// Whether the records of two nodes meet in an order that is certain. Between two ways of the same record, of which one
/// leads through a repartition topic, there is no order.
pub(super) fn ordered(left: &About, right: &About) -> bool {
    !(left.behind || right.behind) || left.topics.is_disjoint(&right.topics)
}
