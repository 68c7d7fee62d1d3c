//! A store whose meaning changed is refused at the start, with the remedy.

mod common;

use std::time::Duration;

use common::{is_drained, wait_until};
use tidemill::{
    EmitStrategy, JoinWindows, Materialized, Streams, StreamsBuilder, StreamsConfig, TimeWindows, Topology,
    state::{Json, Utf8},
    transport::{
        Transport as _,
        embedded::{EmbeddedLog, Entry},
    },
};

type Words = tidemill::KGroupedStream<String, String>;

fn topology(write: impl FnOnce(Words)) -> Topology {
    let builder = StreamsBuilder::new();
    write(builder.stream::<String, String>("in").group_by_key());
    builder.build().expect("is valid")
}

fn counting() -> Topology {
    topology(|words| drop(words.count("words")))
}

fn windowed(windows: TimeWindows) -> Topology {
    topology(|words| drop(words.windowed_by(windows).count("words")))
}

fn tumbling(seconds: u64) -> TimeWindows {
    TimeWindows::of_size_with_no_grace(Duration::from_secs(seconds))
}

fn start(log: &EmbeddedLog, topology: &Topology) -> Result<Streams, String> {
    Streams::start(topology, StreamsConfig::new("app"), log.clone()).map_err(|error| error.to_string())
}

/// Runs once, with a record or without.
fn run(log: &EmbeddedLog, topology: &Topology, timestamp: Option<i64>) {
    let streams = start(log, topology).expect("it starts");
    let entry = timestamp.map(|timestamp| Entry::new("k", "v", timestamp));
    log.append("in", 0, entry).expect("appends");
    wait_until("it is processed", || is_drained(log, "app"));
    streams.close().expect("it closes");
}

/// A log on which a topology ran.
fn after(topology: &Topology) -> EmbeddedLog {
    let log = EmbeddedLog::in_memory();
    for topic in ["in", "other"] {
        log.create(topic, 1).expect("the log is empty");
    }
    run(&log, topology, Some(0));
    log
}

#[track_caller]
fn refuses(log: &EmbeddedLog, topology: &Topology, words: &[&str]) {
    let error = start(log, topology).err().expect("it must not start");
    for word in words.iter().chain(&["Give the store another name, or reset the application"]) {
        assert!(error.contains(word), "'{word}' is missing: {error}");
    }
}

#[test]
fn counts_are_not_read_as_windowed_counts() {
    let log = after(&counting());
    let words = ["store 'words' was written by another topology", "its operator was count and is windowed-count now"];
    refuses(&log, &windowed(tumbling(60)), &words);
    // It is as it was, also for whoever tried.
    run(&log, &counting(), Some(1));
}

#[test]
fn windows_of_a_minute_are_not_read_as_windows_of_ten_seconds() {
    let log = after(&windowed(tumbling(60)));
    refuses(&log, &windowed(tumbling(10)), &["its window-size-ms was 60000 and is 10000 now"]);
    let hopping = tumbling(60).advance_by(Duration::from_secs(10));
    refuses(&log, &windowed(hopping), &["its window-advance-ms was 60000 and is 10000 now"]);
}

#[test]
fn what_rows_do_not_depend_on_may_change() {
    let log = after(&windowed(tumbling(60)));
    let graceful = TimeWindows::of_size_and_grace(Duration::from_secs(60), Duration::from_secs(30));
    run(&log, &windowed(graceful), Some(1));
    let kept = Materialized::<String, i64>::named("words").retention(Duration::from_secs(600)).in_memory();
    let emit = EmitStrategy::on_window_close();
    run(&log, &topology(|words| drop(words.windowed_by(graceful).emit(emit).count(kept))), Some(2));
}

#[test]
fn an_aggregate_keeps_its_store_when_its_function_learns_to_fail() {
    let log = after(&topology(|words| drop(words.reduce("words", |_, last| last))));
    let last = |_, last| Ok::<String, String>(last);
    run(&log, &topology(|words| drop(words.try_reduce("words", last))), Some(1));
    let log = after(&topology(|words| drop(words.windowed_by(tumbling(60)).reduce("words", |_, last| last))));
    run(&log, &topology(|words| drop(words.windowed_by(tumbling(60)).try_reduce("words", last))), Some(1));
}

#[test]
fn values_are_not_read_by_another_codec() {
    let last = |store: Materialized<String, String>| topology(|words| drop(words.reduce(store, |_, last| last)));
    let log = after(&last("words".into()));
    let json = Materialized::with("words", Utf8, Json::default());
    refuses(&log, &last(json), &["its value was utf8 and is json now"]);
}

#[test]
fn rows_of_a_join_are_not_read_by_a_join_of_other_windows() {
    let join = |seconds| {
        let builder = StreamsBuilder::new();
        let other = builder.stream::<String, String>("other");
        let windows = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(seconds));
        let left = builder.stream::<String, String>("in");
        drop(left.left_join_stream(&other, windows, "pairs", |_, left, _| left.clone()));
        builder.build().expect("is valid")
    };
    let log = after(&join(60));
    let words =
        ["store 'pairs-left'", "store 'pairs-right'", "store 'pairs-unmatched'", "its join-before-ms was 60000"];
    refuses(&log, &join(10), &words);
}

#[test]
fn stores_from_before_are_accepted_and_noted() {
    let log = after(&counting());
    log.admin().expect("opens").delete_topic("app-stores").expect("deletes");
    run(&log, &counting(), Some(1));
    refuses(&log, &windowed(tumbling(60)), &["its operator was count"]);
}

#[test]
fn a_store_whose_changelog_holds_nothing_may_become_anything() {
    let log = EmbeddedLog::in_memory();
    log.create("in", 1).expect("the log is empty");
    drop(start(&log, &counting()).expect("it starts").close());
    run(&log, &windowed(tumbling(60)), Some(0));
    refuses(&log, &counting(), &["its operator was windowed-count"]);
}

#[test]
fn a_store_that_lives_on_no_log_is_nobodys_but_the_one_who_runs() {
    let unlogged = |name: &str| Materialized::<String, i64>::named(name).without_logging();
    let log = after(&topology(|words| drop(words.count(unlogged("words")))));
    run(&log, &topology(|words| drop(words.windowed_by(tumbling(60)).count(unlogged("words")))), Some(1));
    let topics = log.admin().expect("opens").list_topics().expect("lists");
    assert!(topics.iter().all(|topic| !topic.ends_with("-stores")), "{topics:?}");
}
