//! Cases with the answers of Kafka Streams, in a file: no JVM is needed to compare with them.

use std::{collections::BTreeMap, fs, path::PathBuf};

use proptest::strategy::{Strategy, ValueTree};
use serde::{Deserialize, Serialize};

use crate::{
    case::{Answer, Case, Node},
    compare::compare,
    documented::parse,
    documented_cases::CASES,
    generate::cases,
    live::runner,
    oracle::Oracle,
    report::describe,
    run::{Pace, run},
};

#[derive(Serialize, Deserialize)]
pub(crate) struct Recording {
    /// Of a documented difference.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) name: String,
    pub(crate) case: Case,
    pub(crate) answer: Answer,
}

const GENERATED: usize = 360;
const SEED: u64 = 7;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/conformance").join(name)
}

/// The recordings of a file.
pub(crate) fn read(name: &str) -> Vec<Recording> {
    let text = fs::read_to_string(path(name)).expect("the recordings are there");
    text.lines().map(|line| serde_json::from_str(line).expect("is a recording")).collect()
}

fn compare_all(pace: Pace) {
    let mut wrong = Vec::new();
    for Recording { case, answer, .. } in read("recorded.ndjson") {
        // A restart begins schedules anew.
        if pace != Pace::Steady && case.nodes.iter().any(|node| matches!(node, Node::Process { .. })) {
            continue;
        }
        let ours = run(&case, pace);
        if let Err(difference) = compare(&case, &answer, &ours, pace != Pace::Steady) {
            wrong.push(describe(&case, &answer, &ours, &difference));
        }
    }
    assert!(wrong.is_empty(), "{} cases differ, {pace:?}:\n{}", wrong.len(), wrong[..wrong.len().min(3)].join("\n"));
}

#[test]
fn recorded_cases_are_answered_as_in_kafka_streams() {
    compare_all(Pace::Steady);
}

#[test]
fn crashes_change_no_answer() {
    compare_all(Pace::CrashingEvery(3));
}

#[test]
fn the_recording_has_cases_of_each_operator() {
    let recordings = read("recorded.ndjson");
    let mut operators = BTreeMap::<_, usize>::new();
    for node in recordings.iter().flat_map(|recording| &recording.case.nodes) {
        *operators.entry(node.label()).or_default() += 1;
    }
    assert_eq!(recordings.len(), GENERATED);
    assert!(operators.len() >= 82 && operators.values().all(|cases| *cases >= 2), "{operators:?}");
}

#[test]
#[ignore = "needs a JVM: `make conformance-record`"]
fn record() {
    let (mut runner, strategy, mut oracle) = (runner(SEED), cases(), Oracle::start());
    let mut recording = |name: &str, case: Case| {
        oracle.ask(&case);
        let recording = Recording { name: name.to_owned(), case, answer: oracle.answer() };
        serde_json::to_string(&recording).expect("plain data") + "\n"
    };
    let mut draw = || strategy.new_tree(&mut runner).expect("draws without refusing").current();
    let documented: String = CASES.iter().map(|(name, case)| recording(name, parse(case))).collect();
    fs::write(path("documented.ndjson"), documented).expect("writes");
    let generated: String = (0..GENERATED).map(|_| recording("", draw())).collect();
    fs::write(path("recorded.ndjson"), generated).expect("writes");
}
