//! Makes a case that differs simpler, so that a reader sees what matters.

use crate::case::{Case, Node, Step};

/// The simplest case that still differs: without steps, nodes and outputs that do not matter.
pub(crate) fn simplest(mut case: Case, differs: &mut impl FnMut(&Case) -> bool) -> Case {
    while let Some(simpler) = simpler(&case).into_iter().find(|simpler| differs(simpler)) {
        case = simpler;
    }
    case
}

fn simpler(case: &Case) -> Vec<Case> {
    let outputs = (0..case.outputs.len()).filter(|_| case.outputs.len() > 1).map(|at| {
        let mut simpler = case.clone();
        simpler.outputs.remove(at);
        simpler
    });
    let steps = (0..case.script.len()).map(|at| {
        let mut simpler = case.clone();
        simpler.script.remove(at);
        simpler
    });
    let nodes = (0..case.nodes.len()).filter_map(|at| without(case, at));
    let plainer = (0..case.script.len()).filter_map(|at| {
        let mut simpler = case.clone();
        let Step::Record(_, _, value, ..) = &mut simpler.script[at] else { return None };
        let plain = (value.is_some() && value.as_deref() != Some("0")).then(|| Some("0".to_owned()))?;
        *value = plain;
        Some(simpler)
    });
    let headless = (0..case.script.len()).filter_map(|at| {
        let mut simpler = case.clone();
        let Step::Record(.., headers) = &mut simpler.script[at] else { return None };
        (!std::mem::take(headers).is_empty()).then_some(simpler)
    });
    outputs.chain(nodes).chain(steps).chain(plainer).chain(headless).collect()
}

/// The case without a node. What reads it reads what it reads.
fn without(case: &Case, at: usize) -> Option<Case> {
    let parent = case.nodes[at].parents().first().copied();
    let mut simpler = case.clone();
    let gone = simpler.nodes.remove(at);
    let place = |old: usize| match old {
        _ if old == at => parent,
        _ => Some(if old > at { old - 1 } else { old }),
    };
    for node in &mut simpler.nodes {
        for read in node.parents_mut() {
            *read = place(*read)?;
        }
    }
    let written = |output: &usize| *output != at || parent.is_some();
    simpler.outputs =
        case.outputs.iter().filter(|output| written(output)).map(|output| place(*output)).collect::<Option<_>>()?;
    simpler.outputs.sort_unstable();
    simpler.outputs.dedup();
    if let Node::Stream { topic } | Node::Table { topic } = gone {
        simpler.script.retain(|step| !matches!(step, Step::Record(of, ..) if *of == topic));
    }
    (!simpler.outputs.is_empty()).then_some(simpler)
}
