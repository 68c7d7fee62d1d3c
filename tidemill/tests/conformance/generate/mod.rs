//! Draws cases: numbers that shrink, and what they mean.

mod about;
mod plan;
mod script;

use proptest::prelude::*;

use crate::case::{Case, Kind, Node};

use plan::{Draw, Plan};
use script::Script;

/// Cases of a few operators and some dozens of records. Numbers shrink to simpler operators and fewer records.
pub(crate) fn cases() -> impl Strategy<Value = Case> {
    (prop::collection::vec(Draw::any(), 1..7), Script::any()).prop_map(|(draws, script)| {
        let mut plan = Plan::new();
        for draw in draws {
            plan.add(draw);
        }
        let mut case = plan.finish();
        case.script = script.steps(&topics(&case), closers(&case));
        fit(&mut case);
        case
    })
}

fn topics(case: &Case) -> Vec<String> {
    let topic = |node: &Node| match node {
        Node::Stream { topic } | Node::Table { topic } => Some(topic.clone()),
        _ => None,
    };
    case.nodes.iter().filter_map(topic).collect()
}

/// Whether records far ahead end the script, so that nothing waits for partners any more.
fn closers(case: &Case) -> bool {
    case.nodes.iter().any(|node| matches!(node, Node::JoinStreams { kind: Kind::Left | Kind::Outer, .. }))
}

/// Widens what documented differences need: no record is late for a cogroup, nor for joins with a grace of their own.
fn fit(case: &mut Case) {
    for place in 0..case.nodes.len() {
        let late = case.lateness(&case.topics(place));
        match &mut case.nodes[place] {
            Node::Cogroup { window: Some(window), .. } => window.grace = window.grace.max(late),
            Node::JoinStreams { kind, before, after, grace, .. } if *grace >= plan::TAME => {
                *grace = (*grace).max(late);
                if *kind != Kind::Inner {
                    *after = (*after).max(late);
                }
                if *kind == Kind::Outer {
                    *before = (*before).max(late);
                }
            }
            Node::Sessions { grace, .. } if *grace == plan::TAME => *grace = (*grace).max(late),
            _ => {}
        }
    }
}
