//! What Tidemill does in another way on purpose, as rules with names: what they allow, and where.
//!
//! Other differences are left out of generated cases, and have a case of their own in `documented`:
//! - **A key that is new in a table had no value before.** In Kafka Streams a new aggregate passes the initializer's value
//!   on as the old one. Groups of such a table subtract what was never added, and filters emit tombstones of keys that
//!   never passed. So no step that needs old values follows a count; other initializers give no value.
//! - **What a suppression lets out replaces what it let out before.** In Kafka Streams the old value is the one before the
//!   last update, which may never have come out. So no step that needs old values follows a suppression.
//!   And a step that looks the value up while it comes out finds it, in Kafka Streams the one before; none does.
//! - **A suppression waits until no record can change a window.** Kafka Streams closes windows that include their end
//!   (sessions, sliding windows) a moment before. So these are suppressed for a time only.
//! - **A repartition topic takes records without a key.** Kafka Streams leaves them out, without counting them, unless a
//!   left or outer join follows. So they are filtered out before.
//! - **Records of one instant are joined.** Kafka Streams' stores keep a join's rows for before + after + grace, and
//!   forget at the last moment; so a join with neither before nor after loses pairs. Generated joins have one of them.

use std::fmt;

use crate::case::{Case, Kind, Node};

/// A difference that is documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// Kafka Streams loses final results whose rows its store hides by then. So its side keeps rows for longer.
    FinalResultsKept,
    /// A cogroup has one stream time, in Kafka Streams one for each input. So no record comes late for a cogroup.
    OneTimeOfACogroup,
    /// What found no partner comes out as soon as its join window has closed. In Kafka Streams it may come later, and
    /// in another order, or still be kept at the end.
    NoPartnerSooner,
    /// A pair of a join is joined or not. Kafka Streams emits some records both alone and joined, and joins late ones
    /// as long as others are stored. So only pairs are compared where records come late.
    LateForAJoin,
    /// What follows such a join is not compared.
    BehindALateJoin,
    /// A session that has closed stays as it is. Kafka Streams merges it with a later record as long as it is stored.
    ClosedSessions,
    /// A result of a foreign-key join has the later time of both values, in Kafka Streams that of the update. And an inner
    /// join may tell again that a key has no result: so no update is lost that meets another one. So times and such
    /// tombstones are not compared.
    ForeignKeys,
    /// When rows of closed windows go is not the same.
    RowsOfClosedWindows,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FinalResultsKept => "final results are kept",
            Self::OneTimeOfACogroup => "a cogroup has one time",
            Self::NoPartnerSooner => "what has no partner comes sooner",
            Self::LateForAJoin => "records come late for a join",
            Self::BehindALateJoin => "behind a join with late records",
            Self::ClosedSessions => "closed sessions stay",
            Self::ForeignKeys => "times and repeated tombstones of foreign-key joins",
            Self::RowsOfClosedWindows => "rows of closed windows",
        })
    }
}

impl Rule {
    /// The rules by which a case was made, whatever came out.
    pub(crate) fn of_case(case: &Case) -> impl Iterator<Item = Self> {
        case.nodes.iter().filter_map(|node| match node {
            Node::Windowed { close: true, .. }
            | Node::Sessions { close: true, .. }
            | Node::Sliding { close: true, .. } => Some(Self::FinalResultsKept),
            Node::Cogroup { window: Some(_), .. } => Some(Self::OneTimeOfACogroup),
            _ => None,
        })
    }
}

/// How an output is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Strictness {
    /// The same records in the same order, each caused by the same step.
    Exact,
    /// The same, unless a record came late enough to meet a session that has closed.
    Sessions,
    /// The same without times, and without tombstones of keys that have no value.
    Foreign,
    /// The same records.
    Bag,
    /// Only which records are joined.
    Pairs,
    Nothing,
}

/// The strictness of each node.
pub(crate) fn strictness(case: &Case) -> Vec<Strictness> {
    let mut all: Vec<Strictness> = Vec::new();
    for (place, node) in case.nodes.iter().enumerate() {
        let inputs = node.parents().iter().map(|parent| all[*parent]).max().unwrap_or(Strictness::Exact);
        all.push(match node {
            Node::JoinStreams { .. } if inputs != Strictness::Exact => Strictness::Nothing,
            Node::JoinStreams { kind, before, after, grace, .. } => {
                let late = case.lateness(&case.topics(place));
                let alone = (*kind != Kind::Inner && late > *after) || (*kind == Kind::Outer && late > *before);
                match kind {
                    _ if late > *grace || alone => Strictness::Pairs,
                    Kind::Inner => Strictness::Exact,
                    Kind::Left | Kind::Outer => Strictness::Bag,
                }
            }
            Node::JoinForeign { .. } => inputs.max(Strictness::Foreign),
            Node::TableFilter { .. }
            | Node::TableMapValues { .. }
            | Node::GroupTable { .. }
            | Node::JoinTables { .. }
            | Node::JoinTable { .. }
                if inputs == Strictness::Foreign =>
            {
                inputs
            }
            _ if inputs == Strictness::Pairs || inputs == Strictness::Foreign => Strictness::Nothing,
            Node::Sessions { grace, .. } if case.lateness(&case.topics(place)) > *grace => {
                inputs.max(Strictness::Sessions)
            }
            _ => inputs,
        });
    }
    all
}
