//! When windows close, what they emit, and what becomes of late records.

mod common;

use std::time::Duration;

use common::{driver, windowed};
use tidemill::{EmitStrategy, StreamsBuilder, TimeWindows, Windowed, testing::TopologyTestDriver};

const SIZE: Duration = Duration::from_mins(1);
const GRACE: Duration = Duration::from_secs(5);

fn windows() -> TimeWindows {
    TimeWindows::of_size_and_grace(SIZE, GRACE)
}

fn counting(emit: EmitStrategy) -> TopologyTestDriver {
    let builder = StreamsBuilder::new();
    let mut grouped = builder.stream::<String, String>("in").group_by_key().windowed_by(windows()).emit(emit);
    grouped.late_records().to("late");
    grouped.count("counts").to_stream().to("out");
    driver(&builder)
}

#[test]
fn every_update_of_a_count_is_emitted() {
    let driver = counting(EmitStrategy::on_window_update());
    let input = driver.input::<String, String>("in");
    for (key, timestamp) in [("a", 1_000), ("a", 2_000), ("b", 3_000), ("a", 61_000)] {
        input.pipe(key.into(), "x".into(), timestamp).expect("processes");
    }
    let out = driver.output::<Windowed<String>, i64>("out").read().expect("reads");
    assert_eq!(
        out,
        [
            (windowed("a", 0, 60_000), 1, 1_000),
            (windowed("a", 0, 60_000), 2, 2_000),
            (windowed("b", 0, 60_000), 1, 3_000),
            (windowed("a", 60_000, 120_000), 1, 61_000),
        ]
    );
}

#[test]
fn a_window_closes_when_stream_time_reaches_its_end_plus_grace() {
    let driver = counting(EmitStrategy::on_window_close());
    let input = driver.input::<String, String>("in");
    let output = driver.output::<Windowed<String>, i64>("out");
    input.pipe("b".into(), "x".into(), 10_000).expect("processes");
    input.pipe("a".into(), "x".into(), 20_000).expect("processes");
    input.pipe("a".into(), "x".into(), 64_999).expect("processes");
    assert_eq!(output.read().expect("reads"), []);
    input.pipe("a".into(), "late but in time".into(), 59_999).expect("processes");
    input.pipe("c".into(), "x".into(), 65_000).expect("processes");
    assert_eq!(
        output.read().expect("reads"),
        [(windowed("a", 0, 60_000), 2, 59_999), (windowed("b", 0, 60_000), 1, 10_000)]
    );
}

#[test]
fn a_late_record_goes_to_the_side_output_and_is_counted() {
    let driver = counting(EmitStrategy::on_window_close());
    let input = driver.input::<String, String>("in");
    input.pipe("a".into(), "opens".into(), 65_000).expect("processes");
    input.pipe("a".into(), "late".into(), 59_999).expect("processes");
    assert_eq!(driver.output::<String, String>("late").read().expect("reads"), [("a".into(), "late".into(), 59_999)]);
    let status = driver.status().expect("reports");
    assert_eq!(status.tasks[0].records_dropped, [("counts".to_owned(), "late", 1)]);
}

#[test]
fn a_silent_partition_closes_its_windows_after_the_idle_time() {
    let driver = counting(EmitStrategy::on_window_close().idle_after(Duration::from_secs(10)));
    let output = driver.output::<Windowed<String>, i64>("out");
    driver.input::<String, String>("in").pipe("a".into(), "x".into(), 59_000).expect("processes");
    // Event time 59 s: the window closes at 65 s, six seconds of silence later, but not before the idle time.
    driver.advance_wall_clock(Duration::from_secs(9)).expect("ticks");
    assert_eq!(output.read().expect("reads"), []);
    driver.advance_wall_clock(Duration::from_secs(1)).expect("ticks");
    assert_eq!(output.read().expect("reads"), [(windowed("a", 0, 60_000), 1, 59_000)]);
}

#[test]
fn idle_time_counts_on_through_long_silence() {
    let driver = counting(EmitStrategy::on_window_close().idle_after(Duration::from_secs(10)));
    driver.input::<String, String>("in").pipe("a".into(), "x".into(), 1_000).expect("processes");
    driver.advance_wall_clock(Duration::from_secs(64)).expect("ticks");
    assert_eq!(driver.output::<Windowed<String>, i64>("out").read_values().expect("reads"), [1]);
}

#[test]
fn an_idle_advance_survives_a_crash() {
    let driver = counting(EmitStrategy::on_window_close().idle_after(Duration::from_secs(10)));
    let input = driver.input::<String, String>("in");
    let output = driver.output::<Windowed<String>, i64>("out");
    input.pipe("a".into(), "x".into(), 59_000).expect("processes");
    driver.advance_wall_clock(Duration::from_secs(20)).expect("ticks");
    assert_eq!(output.read_values().expect("reads"), [1]);
    driver.crash();
    input.pipe("a".into(), "late".into(), 58_000).expect("processes");
    assert_eq!(output.read_values().expect("reads"), [] as [i64; 0]);
    assert_eq!(driver.output::<String, String>("late").read_values().expect("reads"), ["late"]);
}

#[test]
fn open_windows_survive_a_crash() {
    let driver = counting(EmitStrategy::on_window_close());
    let input = driver.input::<String, String>("in");
    for timestamp in [1_000, 2_000, 3_000] {
        input.pipe("a".into(), "x".into(), timestamp).expect("processes");
    }
    driver.crash();
    input.pipe("a".into(), "x".into(), 4_000).expect("processes");
    input.pipe("a".into(), "x".into(), 65_000).expect("processes");
    let out = driver.output::<Windowed<String>, i64>("out").read().expect("reads");
    assert_eq!(out, [(windowed("a", 0, 60_000), 4, 4_000)]);
}

#[test]
fn hopping_windows_count_a_record_in_each() {
    let builder = StreamsBuilder::new();
    let hopping = windows().advance_by(Duration::from_secs(30));
    let grouped = builder.stream::<String, String>("in").group_by_key().windowed_by(hopping);
    grouped.emit(EmitStrategy::on_window_close()).count("counts").to_stream().to("out");
    let driver = driver(&builder);
    let input = driver.input::<String, String>("in");
    input.pipe("a".into(), "x".into(), 40_000).expect("processes");
    input.pipe("a".into(), "x".into(), 50_000).expect("processes");
    input.pipe("a".into(), "x".into(), 200_000).expect("processes");
    let out = driver.output::<Windowed<String>, i64>("out").read().expect("reads");
    assert_eq!(out, [(windowed("a", 0, 60_000), 2, 50_000), (windowed("a", 30_000, 90_000), 2, 50_000)]);
}

#[test]
fn reduce_and_aggregate_keep_one_value_a_window() {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, i64>("in");
    let windowed_stream = || stream.group_by_key().windowed_by(windows()).emit(EmitStrategy::on_window_close());
    windowed_stream().reduce("max", i64::max).to_stream().to("max-out");
    windowed_stream()
        .aggregate("texts", String::new, |_, value, text: &mut String| text.push_str(&value.to_string()))
        .to_stream()
        .to("text-out");
    let driver = driver(&builder);
    let input = driver.input::<String, i64>("in");
    for (value, timestamp) in [(3, 0), (7, 1), (5, 2), (1, 70_000)] {
        input.pipe("k".into(), value, timestamp).expect("processes");
    }
    assert_eq!(driver.output::<Windowed<String>, i64>("max-out").read_values().expect("reads"), [7]);
    assert_eq!(driver.output::<Windowed<String>, String>("text-out").read_values().expect("reads"), ["375"]);
}

#[test]
fn collect_emits_a_windows_elements_as_one_list() {
    let builder = StreamsBuilder::new();
    let grouped = builder.stream::<String, String>("in").group_by_key().windowed_by(windows());
    grouped.collect("elements").to("out");
    let driver = driver(&builder);
    let input = driver.input::<String, String>("in");
    for (key, value, timestamp) in [("b", "1", 1), ("a", "2", 2), ("b", "3", 0)] {
        input.pipe(key.into(), value.into(), timestamp).expect("processes");
    }
    driver.crash();
    input.pipe("b".into(), "4".into(), 5).expect("processes");
    input.pipe("z".into(), "closes".into(), 65_000).expect("processes");
    let out = driver.output::<Windowed<String>, Vec<String>>("out").read().expect("reads");
    let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        out,
        [(windowed("a", 0, 60_000), list(&["2"]), 2), (windowed("b", 0, 60_000), list(&["1", "3", "4"]), 5),]
    );
}

#[test]
fn collect_writes_one_changelog_record_an_element() {
    let builder = StreamsBuilder::new();
    let grouped = builder.stream::<String, String>("in").group_by_key().windowed_by(windows());
    grouped.collect("elements").to("out");
    let driver = driver(&builder);
    let input = driver.input::<String, String>("in");
    for timestamp in 0..50 {
        input.pipe("k".into(), "element".into(), timestamp).expect("processes");
    }
    let changelog = driver.log().read_all("test-elements-changelog").expect("reads");
    let elements = changelog.iter().filter(|(_, record)| record.key.as_ref().is_some_and(|key| key.len() > 12));
    assert_eq!(elements.count(), 50);
}

#[test]
fn a_record_without_a_key_is_dropped_and_moves_no_time() {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<Option<String>, String>("in");
    let grouped = || stream.group_by_key().windowed_by(windows()).emit(EmitStrategy::on_window_close());
    grouped().count("counts").to_stream().to("out");
    grouped().collect("lists").to("lists-out");
    let driver = driver(&builder);
    let input = driver.input::<Option<String>, String>("in");
    input.pipe(Some("a".into()), "x".into(), 0).expect("processes");
    input.pipe(None, "x".into(), 500_000).expect("processes");
    assert_eq!(driver.output::<Windowed<Option<String>>, i64>("out").read().expect("reads"), []);
    let dropped = driver.status().expect("reports").tasks[0].records_dropped.clone();
    assert_eq!(dropped, [("counts".into(), "null-key", 1), ("lists".into(), "null-key", 1)]);
    input.pipe(Some("a".into()), "in time".into(), 1).expect("processes");
    input.pipe(Some("b".into()), "closes".into(), 65_000).expect("processes");
    assert_eq!(driver.output::<Windowed<Option<String>>, i64>("out").read_values().expect("reads"), [2]);
    let lists = driver.output::<Windowed<Option<String>>, Vec<String>>("lists-out").read_values().expect("reads");
    assert_eq!(lists, [["x", "in time"]]);
}

#[test]
fn a_null_value_counts_in_a_window() {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, Option<String>>("in");
    stream.group_by_key().windowed_by(windows()).count("counts").to_stream().to("out");
    let driver = driver(&builder);
    let input = driver.input::<String, Option<String>>("in");
    input.pipe("a".into(), Some("x".into()), 0).expect("processes");
    input.pipe("a".into(), None, 1).expect("processes");
    assert_eq!(driver.output::<Windowed<String>, i64>("out").read_values().expect("reads"), [1, 2]);
}

#[test]
fn a_record_may_be_late_for_one_hopping_window_and_in_time_for_the_next() {
    let builder = StreamsBuilder::new();
    let hopping = TimeWindows::of_size_with_no_grace(SIZE).advance_by(Duration::from_secs(30));
    let mut grouped = builder.stream::<String, String>("in").group_by_key().windowed_by(hopping);
    grouped.late_records().to("late");
    grouped.count("counts").to_stream().to("out");
    let driver = driver(&builder);
    let input = driver.input::<String, String>("in");
    input.pipe("opens".into(), "x".into(), 60_000).expect("processes");
    let output = driver.output::<Windowed<String>, i64>("out");
    assert_eq!(output.read().expect("reads").len(), 2);
    input.pipe("a".into(), "half late".into(), 59_999).expect("processes");
    assert_eq!(output.read().expect("reads"), [(windowed("a", 30_000, 90_000), 1, 59_999)]);
    input.pipe("a".into(), "all late".into(), 29_999).expect("processes");
    assert_eq!(output.read().expect("reads"), []);
    assert_eq!(driver.output::<String, String>("late").read_values().expect("reads"), ["all late"]);
    let status = driver.status().expect("reports");
    assert_eq!(status.tasks[0].records_dropped, [("counts".to_owned(), "late", 2)]);
}

#[test]
fn a_window_larger_than_one_piece_is_emitted_whole_and_in_order() {
    let builder = StreamsBuilder::new();
    let grouped = builder.stream::<String, String>("in").group_by_key().windowed_by(windows());
    grouped.collect("elements").map_values(|elements| elements.len() as i64).to("out");
    let driver = driver(&builder);
    let input = driver.input::<String, String>("in");
    // Each key's elements come near a megabyte, which is a piece; NUL is what key bytes escape.
    for i in 0..3 {
        for key in ["b", "a", "a\0", "c"] {
            input.pipe(key.into(), "x".repeat(300_000), 1_000 + i).expect("processes");
        }
    }
    input.pipe("d".into(), "x".into(), 70_000).expect("processes");
    let out = driver.output::<Windowed<String>, i64>("out").read().expect("reads");
    let expected = ["a", "a\0", "b", "c"].map(|key| (windowed(key, 0, 60_000), 3, 1_002));
    assert_eq!(out, expected);
}

#[test]
fn a_stream_marked_as_partitioned_joins_by_the_key_within_its_window() {
    let builder = StreamsBuilder::new();
    let names = builder.table::<String, String>("names", "names-store");
    builder
        .stream::<String, String>("in")
        .group_by_key()
        .windowed_by(windows())
        .collect("elements")
        .map(|key, elements| (key.key, elements.len() as i64))
        .mark_as_partitioned()
        .left_join(&names, |_, count, name: Option<String>| format!("{}: {count}", name.unwrap_or_default()))
        .to("out");
    let driver = driver(&builder);
    driver.input::<String, String>("names").pipe("a".into(), "Ada".into(), 0).expect("processes");
    let input = driver.input::<String, String>("in");
    input.pipe("a".into(), "x".into(), 1_000).expect("processes");
    input.pipe("a".into(), "x".into(), 65_000).expect("processes");
    assert_eq!(driver.output::<String, String>("out").read_values().expect("reads"), ["Ada: 1"]);
}
