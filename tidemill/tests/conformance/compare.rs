//! Compares two answers, by the rules for what Tidemill does in another way on purpose.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    case::{Answer, Case, Node, Output, Row, Text},
    rules::{How, Rule, Strictness, is_late_for_sliding, strictness},
};

/// The rules that were needed, or the first difference that none of them allows.
pub(crate) fn compare(case: &Case, theirs: &Answer, ours: &Answer, crashed: bool) -> Result<BTreeSet<Rule>, String> {
    let mut rules = BTreeSet::new();
    if theirs.error.is_some() || ours.error.is_some() {
        return Err(format!("an error: {:?} in Kafka Streams, {:?} here", theirs.error, ours.error));
    }
    let strictness = strictness(case);
    for place in &case.outputs {
        let topic = format!("out-{place}");
        let records = |answer: &Answer| answer.outputs.get(&topic).cloned().unwrap_or_default();
        let named = |what: String| format!("{topic} of {}: {what}", case.nodes[*place].label());
        outputs(strictness[*place], records(theirs), records(ours), &mut rules).map_err(named)?;
    }
    let late =
        strictness.iter().any(|how| how.until.is_some() || how.how == How::ForeignByKey || how.how >= How::Pairs);
    let twice = theirs.dropped > ours.dropped && is_late_for_sliding(case);
    if twice {
        rules.insert(Rule::LateOnce);
    }
    let repeated = theirs.dropped < ours.dropped && strictness.iter().any(|how| how.how == How::ForeignValues);
    if repeated {
        rules.insert(Rule::BehindAForeignKeyJoin);
    }
    let keeps = |node: &Node| matches!(node, Node::ProcessVersions { .. });
    let expired = theirs.dropped > ours.dropped && case.nodes.iter().any(keeps);
    if expired {
        rules.insert(Rule::StoresDropNoRecords);
    }
    if !crashed && !late && !twice && !repeated && !expired && theirs.dropped != ours.dropped {
        return Err(format!("{} records are dropped, {} in Kafka Streams", ours.dropped, theirs.dropped));
    }
    for (place, node) in case.nodes.iter().enumerate().filter(|(place, _)| strictness[*place].is_exact()) {
        let name = format!("s{place}");
        if let (Some(their), Some(our)) = (theirs.stores.get(&name), ours.stores.get(&name)) {
            let named = |what: String| format!("store {name} of {}: {what}", node.label());
            rows(case, node, their, our, &mut rules).map_err(named)?;
        }
    }
    rules.extend(Rule::of_case(case));
    Ok(rules)
}

fn outputs(
    strictness: Strictness,
    mut their: Vec<Output>,
    mut our: Vec<Output>,
    rules: &mut BTreeSet<Rule>,
) -> Result<(), String> {
    if let Some((until, rule)) = strictness.until
        && their != our
    {
        rules.insert(rule);
        their.retain(|(step, ..)| *step < until);
        our.retain(|(step, ..)| *step < until);
    }
    if strictness.headless && their != our {
        (their, our) = (without_headers(their), without_headers(our));
        if their == our {
            rules.insert(Rule::HeadersOfResultsByTime);
        }
    }
    match strictness.how {
        _ if their == our => Ok(()),
        How::Exact => exact(&their, &our),
        How::Foreign | How::ForeignByKey => {
            let last = strictness.how == How::ForeignByKey;
            foreign(changes(their, last), changes(our, last), rules)
        }
        How::ForeignValues => {
            rules.insert(Rule::BehindAForeignKeyJoin);
            let [their, our] = [their, our].map(|all| once(without_times(changes(all, false))));
            exact(&their, &our)
        }
        How::Bag => bag(&their, &our, rules),
        How::BagOfPairs => {
            rules.insert(Rule::NoPartnerSooner);
            let is_whole = |(.., value, _, _): &Output| value.as_ref().is_some_and(|text| !text.contains("null"));
            let [their, our] = [their, our].map(|all| all.into_iter().filter(is_whole).collect::<Vec<_>>());
            bag(&their, &our, rules)
        }
        How::Pairs => pairs(&their, &our, rules),
        How::Nothing(rule) => {
            rules.insert(rule);
            Ok(())
        }
    }
}

fn exact(their: &[Output], our: &[Output]) -> Result<(), String> {
    let at = (0..their.len().max(our.len())).find(|at| their.get(*at) != our.get(*at));
    at.map_or(Ok(()), |at| {
        let text = |output: Option<&Output>| serde_json::to_string(&output).expect("plain data");
        Err(format!("record {at} is {}, {} in Kafka Streams", text(our.get(at)), text(their.get(at))))
    })
}

/// Without tombstones of keys that have no value. `last` takes the last change of each key in a step, in the keys' order.
fn changes(mut outputs: Vec<Output>, last: bool) -> Vec<Output> {
    if last {
        outputs.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
        outputs.reverse();
        outputs.dedup_by(|earlier, later| (earlier.0, &earlier.1) == (later.0, &later.1));
        outputs.reverse();
    }
    let mut present = BTreeSet::new();
    outputs.retain(|(_, key, value, ..)| match value {
        Some(_) => {
            present.insert(key.clone());
            true
        }
        None => present.remove(key),
    });
    outputs
}

/// Without values that their keys have already.
fn once(mut outputs: Vec<Output>) -> Vec<Output> {
    let mut known = BTreeMap::new();
    outputs.retain(|(_, key, value, ..)| known.insert(key.clone(), value.clone()).as_ref() != Some(value));
    outputs
}

fn without_times(outputs: Vec<Output>) -> Vec<Output> {
    outputs.into_iter().map(|(step, key, value, _, headers)| (step, key, value, 0, headers)).collect()
}

fn without_headers(outputs: Vec<Output>) -> Vec<Output> {
    outputs.into_iter().map(|(step, key, value, timestamp, _)| (step, key, value, timestamp, String::new())).collect()
}

/// The same results, each as late as in Kafka Streams or later.
fn foreign(their: Vec<Output>, our: Vec<Output>, rules: &mut BTreeSet<Rule>) -> Result<(), String> {
    rules.insert(Rule::ForeignKeys);
    let in_order = |(their, our): (&Output, &Output)| our.2.is_none() || their.3 <= our.3;
    if let Some(at) = their.iter().zip(&our).position(|pair| !in_order(pair)) {
        return exact(&their[at..=at], &our[at..=at]);
    }
    exact(&without_times(their), &without_times(our))
}

type Record = (Text, Text, i64, String);

/// The steps of equal records.
fn steps(outputs: &[Output]) -> BTreeMap<Record, Vec<usize>> {
    let mut steps = BTreeMap::<_, Vec<_>>::new();
    for (step, key, value, timestamp, headers) in outputs {
        steps.entry((key.clone(), value.clone(), *timestamp, headers.clone())).or_default().push(*step);
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
    for (record, our) in our.iter().filter(|((_, value, ..), _)| !alone(value)) {
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
    let open_ms = match node {
        Node::Windowed { window, .. } | Node::Cogroup { window: Some(window), .. } => Some(window.size + window.grace),
        Node::Sliding { difference, grace, .. } | Node::SlidingCogroup { difference, grace, .. } => {
            Some(difference + grace)
        }
        _ => None,
    };
    for row in their.symmetric_difference(&our) {
        let closed = open_ms.is_some_and(|open_ms| {
            let start = row.0.rsplit(' ').next().and_then(|start| start.parse::<i64>().ok());
            start.is_some_and(|start| start + open_ms <= case.end())
        });
        if !closed {
            let here = if our.contains(row) { "only here" } else { "only in Kafka Streams" };
            return Err(format!("{row:?} {here}"));
        }
        rules.insert(Rule::RowsOfClosedWindows);
    }
    Ok(())
}
