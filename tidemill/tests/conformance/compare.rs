//! Compares two answers, by the rules for what Tidemill does in another way on purpose.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    case::{Answer, Case, Node, Output, Row, Text, Window},
    rules::{Rule, Strictness, strictness},
};

/// The rules that were needed, or the first difference that none of them allows.
pub(crate) fn compare(case: &Case, theirs: &Answer, ours: &Answer, crashed: bool) -> Result<BTreeSet<Rule>, String> {
    let mut rules = BTreeSet::new();
    if theirs.error.is_some() || ours.error.is_some() {
        return Err(format!("an error: {:?} in Kafka Streams, {:?} here", theirs.error, ours.error));
    }
    let strictness = strictness(case);
    let none = Vec::new();
    for place in &case.outputs {
        let topic = format!("out-{place}");
        let their = theirs.outputs.get(&topic).unwrap_or(&none);
        let our = ours.outputs.get(&topic).unwrap_or(&none);
        let named = |what: String| format!("{topic} of {}: {what}", case.nodes[*place].label());
        match strictness[*place] {
            Strictness::Exact => exact(their, our).map_err(named)?,
            Strictness::Sessions => {
                if exact(their, our).is_err() {
                    rules.insert(Rule::ClosedSessions);
                }
            }
            Strictness::Foreign => {
                if their != our {
                    rules.insert(Rule::ForeignKeys);
                }
                exact(&without_times(their), &without_times(our)).map_err(named)?;
            }
            Strictness::Bag => bag(their, our, &mut rules).map_err(named)?,
            Strictness::Pairs => pairs(their, our, &mut rules).map_err(named)?,
            Strictness::Nothing => {
                rules.insert(Rule::BehindALateJoin);
            }
        }
    }
    let late = strictness.iter().any(|how| matches!(how, Strictness::Pairs | Strictness::Sessions));
    if !crashed && !late && theirs.dropped != ours.dropped {
        return Err(format!("{} records are dropped, {} in Kafka Streams", ours.dropped, theirs.dropped));
    }
    for (place, node) in case.nodes.iter().enumerate().filter(|(place, _)| strictness[*place] == Strictness::Exact) {
        let name = format!("s{place}");
        if let (Some(their), Some(our)) = (theirs.stores.get(&name), ours.stores.get(&name)) {
            rows(case, node, their, our, &mut rules).map_err(|what| format!("store {name}: {what}"))?;
        }
    }
    rules.extend(Rule::of_case(case));
    Ok(rules)
}

fn exact(their: &[Output], our: &[Output]) -> Result<(), String> {
    let at = (0..their.len().max(our.len())).find(|at| their.get(*at) != our.get(*at));
    at.map_or(Ok(()), |at| {
        let text = |output: Option<&Output>| serde_json::to_string(&output).expect("plain data");
        Err(format!("record {at} is {}, {} in Kafka Streams", text(our.get(at)), text(their.get(at))))
    })
}

/// Without times, and without tombstones of keys that have no value.
fn without_times(outputs: &[Output]) -> Vec<Output> {
    let mut present = BTreeSet::new();
    let changes = outputs.iter().filter(|(_, key, value, _)| match value {
        Some(_) => {
            present.insert(key.clone());
            true
        }
        None => present.remove(key),
    });
    changes.map(|(step, key, value, _)| (*step, key.clone(), value.clone(), 0)).collect()
}

type Record = (Text, Text, i64);

/// The steps of equal records.
fn steps(outputs: &[Output]) -> BTreeMap<Record, Vec<usize>> {
    let mut steps = BTreeMap::<_, Vec<_>>::new();
    for (step, key, value, timestamp) in outputs {
        steps.entry((key.clone(), value.clone(), *timestamp)).or_default().push(*step);
    }
    steps
}

/// The same records, none later than in Kafka Streams. What Kafka Streams still keeps at the end may be there.
fn bag(their: &[Output], our: &[Output], rules: &mut BTreeSet<Rule>) -> Result<(), String> {
    let (their, our) = (steps(their), steps(our));
    if their == our {
        return Ok(());
    }
    rules.insert(Rule::NoPartnerSooner);
    for (record, their) in their {
        let our = our.get(&record).map_or(&[][..], Vec::as_slice);
        let no_later = our.len() >= their.len() && our.iter().zip(&their).all(|(our, their)| our <= their);
        if !no_later {
            return Err(format!("{record:?} at {our:?}, in Kafka Streams at {their:?}"));
        }
    }
    Ok(())
}

/// All pairs here are joined in Kafka Streams, too.
fn pairs(their: &[Output], our: &[Output], rules: &mut BTreeSet<Rule>) -> Result<(), String> {
    let (their, our) = (steps(their), steps(our));
    if their != our {
        rules.insert(Rule::LateForAJoin);
    }
    let alone = |value: &Text| value.as_ref().is_some_and(|text| text.starts_with("null+") || text.ends_with("+null"));
    for (record, our) in our.iter().filter(|((_, value, _), _)| !alone(value)) {
        let their = their.get(record).map_or(&[][..], Vec::as_slice);
        if their.len() < our.len() || our.iter().any(|step| !their.contains(step)) {
            return Err(format!("{record:?} at {our:?}, in Kafka Streams at {their:?}"));
        }
    }
    Ok(())
}

/// The same rows, but for windows that have closed.
fn rows(case: &Case, node: &Node, their: &[Row], our: &[Row], rules: &mut BTreeSet<Rule>) -> Result<(), String> {
    let (their, our): (BTreeSet<_>, BTreeSet<_>) = (their.iter().collect(), our.iter().collect());
    let window = match node {
        Node::Windowed { window, .. } | Node::Cogroup { window: Some(window), .. } => Some(*window),
        _ => None,
    };
    for row in their.symmetric_difference(&our) {
        let closed = window.is_some_and(|Window { size, grace, .. }| {
            let start = row.0.rsplit(' ').next().and_then(|start| start.parse::<i64>().ok());
            start.is_some_and(|start| start + size + grace <= case.end())
        });
        if !closed {
            let here = if our.contains(row) { "only here" } else { "only in Kafka Streams" };
            return Err(format!("{row:?} {here}"));
        }
        rules.insert(Rule::RowsOfClosedWindows);
    }
    Ok(())
}
