//! What Tidemill does in another way on purpose, as rules with names: what they allow, and where.
//!
//! Other differences are left out of generated cases, and have a case of their own in `documented`:
//! - **A key that is new in a table had no value before.** In Kafka Streams a new aggregate passes the initializer's value
//!   on as the old one, and a new sliding window that of the window whose records it takes. Groups of such a table
//!   subtract what was never added, and filters emit tombstones of keys that never passed. So no step that needs old
//!   values follows a count or sliding windows; other initializers give no value.
//! - **A session that keeps its bounds replaces its value.** In Kafka Streams, a record with the time of a session that is
//!   one instant passes no old value on: groups count it twice, and filters leave the old value. So if such steps
//!   follow sessions, no two records have the same time.
//! - **A stored join of a table with itself replaces its value.** In Kafka Streams, both sides pass on that there was none.
//!   So no step that needs old values follows a stored join of tables of one topic.
//! - **A join that keeps versions replaces its latest value.** In Kafka Streams it passes on the value that its inputs had
//!   before, which may have come out of order. So no step that needs old values follows a join with a store of versions.
//! - **What a suppression lets out replaces what it let out before.** In Kafka Streams the old value is the one before the
//!   last update, which may never have come out. So no step that needs old values follows a suppression.
//!   And a step that looks the value up while it comes out finds it, in Kafka Streams the one before; none does.
//! - **A suppression waits until no record can change a window.** Kafka Streams closes windows that include their end
//!   (sessions, sliding windows) a moment before. So these are suppressed for a time only.
//! - **A sliding window may be one instant.** Kafka Streams fails when it gets a record; generated ones are longer.
//! - **A repartition topic takes records without a key.** Kafka Streams leaves them out, without counting them, unless a
//!   left or outer join follows. So they are filtered out before.
//! - **A left join with a versioned table takes records without a key, also if records wait.** Kafka Streams fails. So they
//!   are filtered out before.
//! - **A subtopology has a stream time.** In Kafka Streams' test driver all have one. So a processor that is called by
//!   stream time is alone with one topic, and others are called by the wall clock.
//! - **A window store of a processor expires by the stream time of the task.** In Kafka Streams it expires by the last start
//!   that was put. So generated processors keep windows for longer than a script.
//! - **A version tells until when it is valid.** The store of Kafka Streams loses it if it is asked for a time. So generated
//!   processors leave it out.
//! - **A foreign-key join without a store has no old values.** Kafka Streams adds a store without being asked, Tidemill asks
//!   for it.

use std::fmt;

use crate::case::{Case, HeaderKind, Kind, Node, is_single, versions};

/// A difference that is documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// Kafka Streams loses final results whose rows its store hides by then. So its side keeps rows for longer.
    FinalResultsKept,
    /// A cogroup has one stream time, in Kafka Streams one for each input. So no record comes late for a cogroup.
    OneTimeOfACogroup,
    /// What found no partner comes out as soon as its join window has closed. In Kafka Streams it may come later, and
    /// in another order, or still be kept at the end. A table that it is joined with may have another value by then.
    NoPartnerSooner,
    /// A pair of a join is joined or not. Kafka Streams emits some records both alone and joined, and joins late ones
    /// as long as others are stored. So only pairs are compared where records come late.
    LateForAJoin,
    /// What follows such a join is not compared.
    BehindALateJoin,
    /// A session is kept until it closes, and so are a join's records. Kafka Streams forgets them one millisecond before, so
    /// a join of one instant joins nothing. A sliding window is kept until no record can open the window behind its last
    /// one; Kafka Streams forgets it two milliseconds before. So its side keeps rows for longer.
    OpenWindowsKept,
    /// A session that has closed stays as it is. Kafka Streams merges it with a later record as long as it is stored: here
    /// where final results are kept.
    ClosedSessions,
    /// A result of a foreign-key join has the later time of both values, in Kafka Streams that of the update of the right
    /// table. And an inner join may tell again that a key has no result: so no update is lost that meets another one.
    /// What needs no answer of the right table comes at once: with the time of the left update alone, before the answers
    /// for other keys, and also if one more update of the key follows in the same step.
    ForeignKeys,
    /// What follows a foreign-key join is compared without times. Where the order is not certain, it is not compared.
    /// A join that follows may drop a repeated tombstone, and count it, or tell its own value again.
    BehindAForeignKeyJoin,
    /// A record that comes late for a sliding window is counted once for it. Kafka Streams counts twice where the window is
    /// the one that ends with the record, and the one that begins behind the record before.
    LateOnce,
    /// When rows of closed windows go is not the same.
    RowsOfClosedWindows,
    /// A final result of a window, and a record that found no partner, have no headers. In Kafka Streams they have those
    /// of the record that was the first to come after their time, of whatever key. So headers are not compared there, and
    /// no later step reads them.
    HeadersOfResultsByTime,
    /// A processor is told that its store does not keep a version any more, and no record counts as dropped. Kafka Streams
    /// counts it for the store.
    StoresDropNoRecords,
    /// A deletion is a version, too: an older value that comes after it is not what the key has now. Kafka Streams forgets a
    /// deletion that takes the place of a value of the same time. Nothing is compared from such an older value on.
    DeletionsAreVersions,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FinalResultsKept => "final results are kept",
            Self::OneTimeOfACogroup => "a cogroup has one time",
            Self::NoPartnerSooner => "what has no partner comes sooner",
            Self::LateForAJoin => "records come late for a join",
            Self::BehindALateJoin => "behind a join with late records",
            Self::OpenWindowsKept => "sessions, sliding windows and records of joins are kept",
            Self::ClosedSessions => "closed sessions stay",
            Self::ForeignKeys => "times, order and repeated tombstones of foreign-key joins",
            Self::BehindAForeignKeyJoin => "behind a foreign-key join",
            Self::LateOnce => "late records of sliding windows count once",
            Self::RowsOfClosedWindows => "rows of closed windows",
            Self::HeadersOfResultsByTime => "what time lets out has no headers",
            Self::StoresDropNoRecords => "stores of processors drop no records",
            Self::DeletionsAreVersions => "deletions are versions",
        })
    }
}

impl Rule {
    /// The rules by which a case was made, whatever came out.
    pub(crate) fn of_case(case: &Case) -> impl Iterator<Item = Self> {
        case.nodes
            .iter()
            .flat_map(|node| match node {
                Node::Windowed { close: true, .. }
                | Node::Sessions { close: true, .. }
                | Node::Sliding { close: true, .. } => &[Self::FinalResultsKept][..],
                Node::Sessions { .. } | Node::Sliding { .. } | Node::JoinStreams { .. } => &[Self::OpenWindowsKept],
                Node::SessionCogroup { .. } | Node::SlidingCogroup { .. } => {
                    &[Self::OneTimeOfACogroup, Self::OpenWindowsKept]
                }
                Node::Cogroup { window: Some(_), .. } => &[Self::OneTimeOfACogroup],
                _ => &[],
            })
            .copied()
    }
}

/// Whether some results of a node come when time has passed, and so are of no certain record.
pub(crate) fn comes_by_time(node: &Node) -> bool {
    matches!(
        node,
        Node::Windowed { close: true, .. }
            | Node::Sessions { close: true, .. }
            | Node::Sliding { close: true, .. }
            | Node::JoinStreams { kind: Kind::Left | Kind::Outer, .. }
    )
}

/// Whether a node has a store of versions, and may delete from it.
fn keeps_versions(node: &Node) -> bool {
    // An aggregate of a stream or of groups is never deleted here.
    let deletes = !matches!(node, Node::Fold { .. } | Node::GroupTable { .. });
    matches!(node, Node::VersionedTable { .. } | Node::ProcessVersions { .. }) || deletes && versions(node).is_some()
}

/// Whether a record comes late for a sliding window.
pub(crate) fn is_late_for_sliding(case: &Case) -> bool {
    case.nodes.iter().enumerate().any(|(place, node)| match node {
        Node::Sliding { grace, .. } => case.first_late(&case.topics(place), *grace).is_some(),
        _ => false,
    })
}

/// How an output is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum How {
    /// The same records in the same order, each caused by the same step.
    Exact,
    /// The same, but for times and for tombstones of keys that have no value.
    Foreign,
    /// The same last change of each key in a step, in any order of the keys.
    ForeignByKey,
    /// The same changes of values, without times.
    ForeignValues,
    /// The same records.
    Bag,
    /// The same records, but for those in which a partner is missing.
    BagOfPairs,
    /// Only which records are joined.
    Pairs,
    Nothing(Rule),
}

/// How an output is compared, and before which step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Strictness {
    pub(crate) how: How,
    /// The step from which on nothing is compared, and why.
    pub(crate) until: Option<(usize, Rule)>,
    /// Whether headers are not compared.
    pub(crate) headless: bool,
}

impl Strictness {
    pub(crate) const EXACT: Self = Self { how: How::Exact, until: None, headless: false };

    /// Whether all records are compared, in their order.
    pub(crate) fn is_exact(self) -> bool {
        self.how == How::Exact && self.until.is_none()
    }

    fn max(self, other: Self) -> Self {
        let until = [self.until, other.until].into_iter().flatten().min();
        Self { how: self.how.max(other.how), until, headless: self.headless || other.headless }
    }

    /// Compares up to a record that comes too late.
    fn before(self, late: Option<usize>, rule: Rule) -> Self {
        self.max(Self { until: late.map(|step| (step, rule)), ..Self::EXACT })
    }
}

/// The strictness of each node.
pub(crate) fn strictness(case: &Case) -> Vec<Strictness> {
    let mut all: Vec<Strictness> = Vec::new();
    for (place, node) in case.nodes.iter().enumerate() {
        let parents: Vec<_> = node.parents().iter().map(|parent| all[*parent]).collect();
        let inputs = parents.iter().fold(Strictness::EXACT, |inputs, parent| inputs.max(*parent));
        let how = |how: How| inputs.max(Strictness { how, ..Strictness::EXACT });
        let late = |bound: i64| case.first_late(&case.topics(place), bound);
        let mut strictness = match node {
            Node::JoinStreams { .. } if !inputs.is_exact() => how(How::Nothing(Rule::BehindALateJoin)),
            Node::JoinStreams { kind: Kind::Inner, grace, .. } => inputs.before(late(*grace), Rule::LateForAJoin),
            Node::JoinStreams { kind, before, after, grace, .. } => {
                let bound = if *kind == Kind::Outer { (*grace).min(*after).min(*before) } else { (*grace).min(*after) };
                how(if late(bound).is_some() { How::Pairs } else { How::Bag })
            }
            Node::JoinForeign { from, .. } => {
                // A step may update several keys of the left table, or one twice.
                how(if is_single(&case.nodes, *from) { How::Foreign } else { How::ForeignByKey })
            }
            Node::TableFilter { .. }
            | Node::TableFilterNot { .. }
            | Node::TableMapValues { .. }
            | Node::TransformValues { .. }
                if inputs.how <= How::ForeignValues =>
            {
                inputs
            }
            Node::GroupTable { .. } | Node::JoinTables { .. } | Node::JoinTable { .. }
                if inputs.how == How::Foreign =>
            {
                how(How::ForeignValues)
            }
            Node::JoinTable { .. } | Node::JoinGlobal { .. } if inputs.how == How::Bag => how(How::BagOfPairs),
            _ if inputs.how == How::BagOfPairs => how(How::Nothing(Rule::NoPartnerSooner)),
            _ if inputs.how == How::Pairs => how(How::Nothing(Rule::BehindALateJoin)),
            _ if inputs.how != How::Exact && inputs.how != How::Bag => how(How::Nothing(Rule::BehindAForeignKeyJoin)),
            Node::Sessions { grace, close: true, .. } => inputs.before(late(*grace), Rule::ClosedSessions),
            _ => inputs,
        };
        if keeps_versions(node) {
            let of_table = matches!(node, Node::VersionedTable { .. });
            let older = case.first_before_a_deletion(&case.topics(place), of_table);
            strictness = strictness.before(older, Rule::DeletionsAreVersions);
        }
        strictness.headless |= comes_by_time(node);
        strictness.headless &= !matches!(node, Node::Headers { kind: HeaderKind::Drop, .. });
        all.push(strictness);
    }
    all
}
