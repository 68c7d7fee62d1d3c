//! Draws cases: numbers that shrink, and what they mean.

mod about;
mod draw;
mod plan;
mod readers;
mod script;

use proptest::prelude::*;

use crate::case::{Case, Kind, Node};

use draw::Draw;
use plan::Plan;
use script::{How, Script};

/// Cases of a few operators and some dozens of records. Numbers shrink to simpler operators and fewer records.
pub(crate) fn cases() -> impl Strategy<Value = Case> {
    let narrow = prop::bool::weighted(0.2);
    (prop::collection::vec(Draw::any(), 1..7), Script::any(), narrow).prop_map(|(draws, script, narrow)| {
        let mut plan = Plan::new(narrow);
        for draw in draws {
            plan.add(draw);
        }
        let mut case = plan.finish();
        case.script = script.steps(&topics(&case), how(&case));
        fit(&mut case);
        case
    })
}

fn topics(case: &Case) -> Vec<String> {
    let topic = |node: &Node| match node {
        Node::Stream { topic }
        | Node::Table { topic }
        | Node::VersionedTable { topic, .. }
        | Node::GlobalTable { topic } => Some(topic.clone()),
        _ => None,
    };
    case.nodes.iter().filter_map(topic).collect()
}

fn how(case: &Case) -> How {
    let has = |what: fn(&Node) -> bool| case.nodes.iter().any(what);
    let of_sessions = |mut place: usize| {
        while let Node::TableMapValues { from, .. }
        | Node::TableFilter { from, .. }
        | Node::TableFilterNot { from, .. } = case.nodes[place]
        {
            place = from;
        }
        matches!(case.nodes[place], Node::Sessions { .. } | Node::SessionCogroup { .. })
    };
    let needs_old = |node: &Node| match node {
        Node::TableFilter { from, .. } | Node::TableFilterNot { from, .. } | Node::GroupTable { from, .. } => {
            of_sessions(*from)
        }
        _ => false,
    };
    How {
        closers: has(|node| matches!(node, Node::JoinStreams { kind: Kind::Left | Kind::Outer, .. })),
        waits: has(|node| matches!(node, Node::Process { .. })),
        distinct: case.nodes.iter().any(needs_old),
    }
}

/// Whether all its nodes see the same records at the same time, so that they have one stream time.
fn is_one_task(case: &Case) -> bool {
    let topics = case
        .nodes
        .iter()
        .filter(|node| matches!(node, Node::Stream { .. } | Node::Table { .. } | Node::VersionedTable { .. }))
        .count();
    let parted =
        |node: &Node| matches!(node, Node::Repartition { .. } | Node::GroupTable { .. } | Node::JoinForeign { .. });
    topics == 1 && !case.nodes.iter().any(parted)
}

/// Widens what documented differences need: no record is late for a cogroup, nor for joins with a grace of their own.
fn fit(case: &mut Case) {
    let one_task = is_one_task(case);
    for place in 0..case.nodes.len() {
        let late = case.lateness(&case.topics(place));
        match &mut case.nodes[place] {
            Node::Cogroup { window: Some(window), .. } => window.grace = window.grace.max(late),
            Node::SessionCogroup { grace, .. } | Node::SlidingCogroup { grace, .. } => *grace = (*grace).max(late),
            Node::Process { stream_time, .. } => *stream_time &= one_task,
            Node::JoinStreams { kind, before, after, grace, .. } if *grace >= draw::TAME => {
                *grace = (*grace).max(late);
                if *kind != Kind::Inner {
                    *after = (*after).max(late);
                }
                if *kind == Kind::Outer {
                    *before = (*before).max(late);
                }
            }
            Node::Sessions { grace, .. } if *grace == draw::TAME => *grace = (*grace).max(late),
            _ => {}
        }
    }
}
