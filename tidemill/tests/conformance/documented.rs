//! Each documented difference on a case of its own: what Kafka Streams answers, and what Tidemill does.

use crate::{
    case::{Answer, Case, Output},
    compare::compare,
    recorded::read,
    run::{Pace, run},
};

/// The cases, whose recorded answers are in a file.
pub(crate) const CASES: [(&str, &str); 8] = [
    (
        "final results",
        r#"{"nodes":[{"op":"stream","topic":"a"},
            {"op":"windowed","from":0,"kind":"count","close":true,"window":{"size":10,"advance":10,"grace":0},"delete":0,
             "forgetful":true}],
            "outputs":[1],"script":[["a","k","1",5],["a","k","1",1000]]}"#,
    ),
    (
        "times of a cogroup",
        r#"{"nodes":[{"op":"stream","topic":"a"},{"op":"stream","topic":"b"},
            {"op":"cogroup","from":0,"with":1,"window":{"size":10,"advance":10,"grace":0}}],
            "outputs":[2],"script":[["a","k","1",25],["b","k","2",15]]}"#,
    ),
    (
        "no partner",
        r#"{"nodes":[{"op":"stream","topic":"a"},{"op":"stream","topic":"b"},
            {"op":"join_streams","from":0,"with":1,"kind":"outer","before":10,"after":0,"grace":2}],
            "outputs":[2],"script":[["a","k","1",2],["b","l","2",9],["b","m","3",100]]}"#,
    ),
    (
        "late for a join",
        r#"{"nodes":[{"op":"stream","topic":"a"},{"op":"stream","topic":"b"},
            {"op":"join_streams","from":0,"with":1,"kind":"left","before":5,"after":5,"grace":10}],
            "outputs":[2],"script":[["a","z","0",30],["a","k","1",20],["b","k","2",20],["b","z","3",30],["a","y","4",48],
             ["b","z","5",32]]}"#,
    ),
    (
        "null keys of a repartition topic",
        r#"{"nodes":[{"op":"stream","topic":"a"},{"op":"repartition","from":0,"keyless":true}],
            "outputs":[1],"script":[["a",null,"1",0],["a","k","2",1]]}"#,
    ),
    (
        "join of one instant",
        r#"{"nodes":[{"op":"stream","topic":"a"},{"op":"stream","topic":"b"},
            {"op":"join_streams","from":0,"with":1,"kind":"inner","before":0,"after":0,"grace":0}],
            "outputs":[2],"script":[["a","k","1",5],["b","k","2",5]]}"#,
    ),
    (
        "initial values",
        r#"{"nodes":[{"op":"stream","topic":"a"},{"op":"fold","from":0,"kind":"aggregate","initial":true},
            {"op":"group_table","from":1,"mod":2,"kind":"count"}],
            "outputs":[2],"script":[["a","k","0",0],["a","l","0",1],["a","m","9",2]]}"#,
    ),
    (
        "initial counts",
        r#"{"nodes":[{"op":"stream","topic":"a"},{"op":"fold","from":0,"kind":"count"},
            {"op":"table_filter","from":1,"mod":2,"is":1,"stored":false}],
            "outputs":[2],"script":[["a","k","0",0]]}"#,
    ),
];

pub(crate) fn parse(case: &str) -> Case {
    serde_json::from_str(case).expect("is a case")
}

/// The case, what comes out of its only output in Kafka Streams, and what here. The file holds this very case.
fn both(name: &str) -> (Case, [Answer; 2], [Vec<String>; 2]) {
    let recording = read("documented.ndjson").into_iter().find(|recording| recording.name == name);
    let recording = recording.expect("is recorded");
    let (_, case) = CASES.iter().find(|(other, _)| *other == name).expect("is a case");
    assert_eq!(recording.case, parse(case), "make conformance-record");
    let ours = run(&recording.case, Pace::Steady);
    let text = |(step, key, value, timestamp): &Output| {
        let [key, value] = [key, value].map(|text| text.as_deref().unwrap_or("-"));
        format!("{step}: {key} {value} {timestamp}")
    };
    let texts = [&recording.answer, &ours].map(|answer| answer.outputs.values().flatten().map(text).collect());
    (recording.case, [recording.answer, ours], texts)
}

/// The rules allow the difference.
fn allowed(name: &str) -> [Vec<String>; 2] {
    let (case, [theirs, ours], texts) = both(name);
    compare(&case, &theirs, &ours, false).unwrap_or_else(|difference| panic!("{name}: {difference}"));
    texts
}

#[test]
fn final_results_that_kafka_streams_loses_are_emitted() {
    let (.., [theirs, ours]) = both("final results");
    assert_eq!(theirs, [] as [&str; 0]);
    assert_eq!(ours, ["2: k 0 10 1 5"]);
}

#[test]
fn a_cogroup_has_one_stream_time() {
    let (.., [theirs, ours]) = both("times of a cogroup");
    assert_eq!(theirs, ["1: k 20 30 ,1 25", "2: k 10 20 ;2 15"]);
    assert_eq!(ours, theirs[..1]);
}

#[test]
fn what_has_no_partner_comes_when_its_window_closes() {
    let [theirs, ours] = allowed("no partner");
    assert_eq!(theirs, ["3: k 1+null 2", "3: l null+2 9"]);
    assert_eq!(ours, ["2: k 1+null 2", "3: l null+2 9"]);
}

#[test]
fn a_record_is_joined_or_alone_and_never_late() {
    let [theirs, ours] = allowed("late for a join");
    assert_eq!(theirs, ["2: k 1+null 20", "3: k 1+2 20", "4: z 0+3 30", "6: z 0+5 32"]);
    assert_eq!(ours, theirs[1..3]);
}

#[test]
fn a_repartition_topic_takes_records_without_a_key() {
    let (.., [theirs, ours]) = both("null keys of a repartition topic");
    assert_eq!(theirs, ["2: k 2 1"]);
    assert_eq!(ours, ["1: - 1 0", "2: k 2 1"]);
}

#[test]
fn records_of_one_instant_are_joined() {
    let (.., [theirs, ours]) = both("join of one instant");
    assert_eq!(theirs, [] as [&str; 0]);
    assert_eq!(ours, ["2: k 1+2 5"]);
}

#[test]
fn a_new_aggregate_had_no_value_before() {
    let (.., [theirs, ours]) = both("initial values");
    assert_eq!(theirs, ["1: k1 1 0", "2: k1 1 1", "3: k1 0 2", "3: k0 1 2"]);
    assert_eq!(ours, ["1: k1 1 0", "2: k1 2 1", "3: k0 1 2"]);
    let (.., [theirs, ours]) = both("initial counts");
    assert_eq!(theirs, ["1: k - 0"]);
    assert_eq!(ours, [] as [&str; 0]);
}
