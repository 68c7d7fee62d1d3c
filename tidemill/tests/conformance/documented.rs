//! Each documented difference on a case of its own: what Kafka Streams answers, and what Tidemill does.

use crate::{
    case::{Answer, Case, Output},
    compare::compare,
    documented_cases::CASES,
    recorded::read,
    run::{Pace, run},
};

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
    let text = |(step, key, value, timestamp, _): &Output| {
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

#[test]
fn a_new_sliding_window_had_no_value_before() {
    let (.., [theirs, ours]) = both("values of a new sliding window");
    assert_eq!(theirs, ["1: a 4 14 28 14", "2: a 15 25 13 15", "2: a 5 15 - 15"]);
    assert_eq!(ours, theirs[..2]);
}

#[test]
fn a_session_that_keeps_its_bounds_replaces_its_value() {
    let (.., [theirs, ours]) = both("a session of one instant");
    assert_eq!(theirs, ["1: k0 1 0", "2: k1 1 0"]);
    assert_eq!(ours, ["1: k0 1 0", "2: k0 0 0", "2: k1 1 0"]);
}

#[test]
fn a_session_is_kept_until_it_closes_and_no_longer() {
    let (.., [theirs, ours]) = both("the last moment of a session");
    assert_eq!(theirs, ["1: b 0 0 1 0", "2: z 10 10 1 10", "3: b 10 10 1 10"]);
    assert_eq!(ours, ["1: b 0 0 1 0", "2: z 10 10 1 10", "3: b 0 0 - 0", "3: b 0 10 2 10"]);
    let [theirs, ours] = allowed("a session that has closed");
    assert_eq!(theirs, ["2: b 0 0 1 0", "4: b 0 10 2 10", "4: z 11 11 1 11"]);
    assert_eq!(ours, ["2: b 0 0 1 0", "4: b 10 10 1 10", "4: z 11 11 1 11"]);
}

#[test]
fn a_sliding_window_may_be_one_instant() {
    let (_, [theirs, _], [_, ours]) = both("sliding windows of one instant");
    assert!(theirs.error.is_some_and(|error| error.contains("must be greater than")));
    assert_eq!(ours, ["1: b 5 5 1 5", "2: b 5 5 2 5"]);
}

#[test]
fn a_result_of_a_foreign_key_join_has_the_later_time() {
    let [theirs, ours] = allowed("times of a foreign-key join");
    assert_eq!(theirs, ["2: a 0+0 0", "3: a - 0"]);
    assert_eq!(ours, ["2: a 0+0 1", "3: a - 0"]);
}

#[test]
fn a_foreign_key_join_tells_again_that_there_is_no_result() {
    let [theirs, ours] = allowed("a foreign key that has no value twice");
    assert_eq!(theirs, [] as [&str; 0]);
    assert_eq!(ours, ["2: c - 0"]);
}

#[test]
fn what_has_no_foreign_key_comes_before_answers() {
    let [theirs, ours] = allowed("order of a foreign-key join");
    assert_eq!(theirs, ["1: k1 0+null 0", "2: k1 0-0+null 0", "2: k0 47+null 0"]);
    assert_eq!(ours, ["1: k1 0+null 0", "2: k0 47+null 0", "2: k1 0-0+null 0"]);
    let [theirs, ours] = allowed("a key that is updated twice before a foreign-key join");
    assert_eq!(theirs, ["1: a ,38p;38+null 0"]);
    assert_eq!(ours, ["1: a ,38p+null 0", "1: a ,38p;38+null 0"]);
}

#[test]
fn what_a_suppression_lets_out_replaces_what_it_let_out_before() {
    let (.., [theirs, ours]) = both("what a suppression replaces");
    assert_eq!(theirs, ["2: k0 - 5", "2: k1 1 5"]);
    assert_eq!(ours, theirs[1..]);
    let (.., [theirs, ours]) = both("the view of a suppression");
    assert_eq!(theirs, ["1: a 1+null 0", "2: a 2+1 1"]);
    assert_eq!(ours, ["1: a 1+1 0", "2: a 2+2 1"]);
}

#[test]
fn a_stored_join_of_a_table_with_itself_replaces_its_value() {
    let (.., [theirs, ours]) = both("a table that is joined with itself");
    assert_eq!(theirs, ["1: k0 1 0", "1: k0 2 0"]);
    assert_eq!(ours, ["1: k0 1 0", "1: k0 1 0"]);
}

#[test]
fn a_record_that_is_late_for_a_sliding_window_counts_once() {
    let [theirs, ours] = allowed("late for a sliding window");
    assert_eq!(theirs, ours);
    let (_, [theirs, ours], _) = both("late for a sliding window");
    assert_eq!((theirs.dropped, ours.dropped), (2, 1));
}

#[test]
fn a_sliding_window_is_kept_until_no_record_needs_it() {
    let (.., [theirs, ours]) = both("the last moment of a sliding window");
    let first = ["1: a 4 5 1 5", "2: b 4 5 1 5", "3: a 6 7 2 6", "3: a 5 6 1/2 6"];
    assert_eq!(theirs, [&first[..], &["4: b 5 6 2 6"]].concat());
    assert_eq!(ours, [&first[..], &["4: b 6 7 2 6", "4: b 5 6 1/2 6"]].concat());
    let (.., [theirs, ours]) = both("a window behind a late record");
    assert_eq!(theirs, ["1: k 5 15 ,0 15", "2: z 15 25 ,0 25", "3: z 26 36 ,0 26", "3: z 16 26 ,0,0 26"]);
    assert_eq!(ours, [&theirs[..], &["4: k 16 26 ,0 24".to_owned()]].concat());
}

#[test]
fn a_record_without_a_key_may_wait_for_a_left_join() {
    let (_, [theirs, _], [_, ours]) = both("a record without a key that waits");
    assert!(theirs.error.is_some_and(|error| error.contains("key cannot be null")));
    assert_eq!(ours, ["1: - 1+null 0"]);
}

#[test]
fn what_has_no_partner_sees_a_table_as_it_is_when_it_comes() {
    let [theirs, ours] = allowed("no partner, and a table");
    assert_eq!(theirs, ["6: a 31+null+0 0"]);
    assert_eq!(ours, [] as [&str; 0], "it came before the table had a value");
}

#[test]
fn a_tombstone_that_comes_again_may_be_dropped_by_a_join() {
    let [theirs, ours] = allowed("a tombstone that comes again");
    assert_eq!(theirs, ours);
    let (_, [theirs, ours], _) = both("a tombstone that comes again");
    assert_eq!((theirs.dropped, ours.dropped), (0, 1));
}

#[test]
fn a_tombstone_that_comes_again_may_make_an_outer_join_tell_its_value_again() {
    let [theirs, ours] = allowed("a tombstone that makes a value come again");
    assert_eq!(theirs, ["2: z null+0 100000"]);
    assert_eq!(ours, ["2: z null+0 100000", "3: z null+0 200000"]);
}

#[test]
fn what_time_lets_out_has_no_headers() {
    for (name, record) in [("headers of a final result", "k 0 10"), ("headers of what has no partner", "k")] {
        allowed(name);
        let (_, [theirs, ours], _) = both(name);
        let headers = |answer: &Answer| {
            let outputs = answer.outputs.values().flatten();
            outputs
                .map(|(_, key, _, _, headers)| (key.clone().unwrap_or_default(), headers.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(headers(&theirs), [(record.to_owned(), "h=2".to_owned())], "{name}");
        assert_eq!(headers(&ours), [(record.to_owned(), String::new())], "{name}");
    }
}

#[test]
fn a_versioned_table_cannot_be_suppressed() {
    let (_, [theirs, ours], _) = both("a suppression of a versioned table");
    assert!(theirs.error.is_some_and(|error| error.contains("versioned")));
    assert!(ours.error.is_some_and(|error| error.contains("versioned")));
}

#[test]
fn a_version_tells_until_when_it_is_valid() {
    let (.., [theirs, ours]) = both("the end of a version");
    assert_eq!(theirs, ["1: b 0 latest 0:0 none 0", "2: b 1 latest 1:4 0:0 4"]);
    assert_eq!(ours, ["1: b 0 latest 0:0 none 0", "2: b 1 latest 1:4 0:0-4 4"]);
}

#[test]
fn a_store_of_a_processor_drops_no_records() {
    let [theirs, ours] = allowed("a version that is not kept");
    assert_eq!(theirs, ours);
    assert_eq!(ours, ["1: a 0 latest 0:1 none 1", "2: a 1 expired 0:1 none 0"]);
    let (_, [theirs, ours], _) = both("a version that is not kept");
    assert_eq!((theirs.dropped, ours.dropped), (1, 0));
}

#[test]
fn a_window_store_of_a_processor_expires_by_the_time_of_the_task() {
    let (.., [theirs, ours]) = both("time of a processor's windows");
    assert_eq!(theirs, ["1: k 0 0:0 4", "3: k 0 0:0 5:0 5"]);
    assert_eq!(ours, ["1: k 0 0:0 4", "3: k 0 5:0 5"]);
}

#[test]
fn a_deletion_is_a_version() {
    let [theirs, ours] = allowed("a deletion of the same time");
    assert_eq!(theirs, ["4: a 44+0 1"], "the value of time 0 is what it takes as the latest");
    assert_eq!(ours, ["4: a 44+null 1"]);
}

#[test]
fn a_join_that_keeps_versions_replaces_its_latest_value() {
    let (.., [theirs, ours]) = both("what a join with versions replaces");
    assert_eq!(theirs, ["1: k0 1 0", "2: k0 1 2", "4: k1 - 2", "4: k0 2 2"], "one key counts twice");
    assert_eq!(ours, ["1: k0 1 0", "2: k0 1 2", "4: k0 1 2"]);
}
