//! What operators do with null keys and null aggregates, where a type has nulls.

mod common;

use std::time::Duration;

use common::driver;
use tidemill::{EmitStrategy, StreamsBuilder, TimeWindows, Windowed};

type Text = Option<String>;

fn windows() -> TimeWindows {
    TimeWindows::of_size_with_no_grace(Duration::from_secs(60))
}

#[test]
fn a_null_key_belongs_to_no_group_and_moves_no_time() {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<Text, String>("in");
    let windowed = || stream.group_by_key().windowed_by(windows()).emit(EmitStrategy::on_window_close());
    stream.group_by_key().count("totals").to_stream().to("totals-out");
    windowed().count("counts").to_stream().to("counts-out");
    windowed().collect("lists").to("lists-out");
    windowed().cogroup(windowed()).collect("pairs-left", "pairs-right").map_values(|both| both.left).to("pairs-out");
    let driver = driver(&builder);
    let input = driver.input::<Text, String>("in");
    let empty = || Some(String::new());
    for (key, timestamp) in [(empty(), 1), (None, 90_000), (empty(), 2), (empty(), 60_000)] {
        input.pipe(key, "x".into(), timestamp).expect("processes");
    }
    let totals = driver.output::<Text, i64>("totals-out").read_values().expect("reads");
    assert_eq!(totals, [1, 2, 3], "the empty key is a key");
    assert_eq!(driver.output::<Windowed<Text>, i64>("counts-out").read_values().expect("reads"), [2]);
    for topic in ["lists-out", "pairs-out"] {
        let lists = driver.output::<Windowed<Text>, Vec<String>>(topic).read_values().expect("reads");
        assert_eq!(lists.iter().map(Vec::len).collect::<Vec<_>>(), [2], "{topic}");
    }
    let status = driver.status().expect("reports");
    let mut dropped = status.tasks[0].records_dropped.clone();
    dropped.sort();
    assert_eq!(dropped.len(), 5, "{dropped:?}");
    assert!(dropped.iter().all(|(_, reason, _)| *reason == "null-key"), "{dropped:?}");
}

#[test]
fn a_table_has_no_null_key_and_only_left_joins_hand_it_on() {
    let builder = StreamsBuilder::new();
    let (stream, table) = (builder.stream::<Text, String>("in"), builder.table::<Text, String>("rows", "table"));
    stream.join(&table, |_, left, right| left + &right).named("inner").to("inner-out");
    stream.left_join(&table, |_, left, right| left + &right.unwrap_or_default()).to("left-out");
    let driver = driver(&builder);
    driver.input::<Text, String>("rows").pipe(None, "row".into(), 1).expect("processes");
    driver.input::<Text, String>("in").pipe(None, "event".into(), 2).expect("processes");
    driver.input::<Text, String>("in").pipe(Some(String::new()), "event".into(), 3).expect("processes");
    assert_eq!(driver.output::<Text, String>("inner-out").read().expect("reads"), []);
    let joined = driver.output::<Text, String>("left-out").read().expect("reads");
    assert_eq!(joined, [(None, "event".into(), 2), (Some(String::new()), "event".into(), 3)]);
    let status = driver.status().expect("reports");
    let mut dropped = status.tasks[0].records_dropped.clone();
    dropped.sort();
    assert_eq!(dropped, [("inner".to_owned(), "null-key", 1), ("table".to_owned(), "null-key", 1)]);
}

/// A null reduces to a null; nothing is reduced with a null.
fn sum_or_delete(old: Option<i64>, new: Option<i64>) -> Option<i64> {
    let old = old.expect("a null aggregate is none at all");
    new.map(|new| old + new)
}

#[test]
fn a_null_aggregate_starts_again_with_its_next_record() {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, Option<i64>>("in");
    stream.group_by_key().reduce("totals", sum_or_delete).to_stream().to("totals-out");
    stream.group_by_key().windowed_by(windows()).reduce("sums", sum_or_delete).to_stream().to("sums-out");
    for crash in [false, true] {
        let driver = driver(&builder);
        let input = driver.input::<String, Option<i64>>("in");
        for (value, timestamp) in [(Some(1), 1), (None, 9), (Some(5), 4), (Some(6), 3)] {
            input.pipe("k".into(), value, timestamp).expect("processes");
            if crash {
                driver.crash();
            }
        }
        let expected = [(Some(1), 1), (None, 9), (Some(5), 4), (Some(11), 4)];
        let totals = driver.output::<String, Option<i64>>("totals-out").read().expect("reads");
        assert_eq!(totals.into_iter().map(|(_, value, timestamp)| (value, timestamp)).collect::<Vec<_>>(), expected);
        let sums = driver.output::<Windowed<String>, Option<i64>>("sums-out").read().expect("reads");
        assert_eq!(sums.into_iter().map(|(_, value, timestamp)| (value, timestamp)).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_null_aggregate_is_no_final_result() {
    let builder = StreamsBuilder::new();
    let grouped = builder.stream::<String, Option<i64>>("in").group_by_key().windowed_by(windows());
    grouped.emit(EmitStrategy::on_window_close()).reduce("sums", sum_or_delete).to_stream().to("out");
    for crash in [false, true] {
        let driver = driver(&builder);
        let input = driver.input::<String, Option<i64>>("in");
        for (key, value, timestamp) in [("a", Some(1), 1), ("b", Some(2), 2), ("a", None, 3)] {
            input.pipe(key.into(), value, timestamp).expect("processes");
        }
        if crash {
            driver.crash();
        }
        input.pipe("z".into(), Some(0), 60_000).expect("processes");
        let out = driver.output::<Windowed<String>, Option<i64>>("out").read_values().expect("reads");
        assert_eq!(out, [Some(2)], "after a crash: {crash}");
    }
}
