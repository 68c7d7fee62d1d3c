//! Two streams in common windows, and several streams in one aggregate.

mod common;

use std::{collections::BTreeMap, time::Duration};

use common::{Tested, driver, strings, windowed};
use tidemill::{
    EmitStrategy, JoinKind, RecordHandler, SlidingWindows, StreamsBuilder, StreamsConfig, TimeWindows, Windowed,
    processor::{Processor, ProcessorContext, Record},
    state::BoxError,
    testing::{DriverOptions, TestOutputTopic, TopologyTestDriver},
};

const MINUTE: i64 = 60_000;

fn windows() -> TimeWindows {
    TimeWindows::of_size_and_grace(Duration::from_mins(1), Duration::from_secs(5))
}

fn builder(kind: JoinKind) -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    let mut speech = builder.stream::<String, String>("speech").group_by_key().windowed_by(windows());
    let mut chat = builder.stream::<String, i64>("chat").group_by_key().windowed_by(windows());
    speech.late_records().to("late-speech");
    chat.late_records().to("late-chat");
    let collected = speech.cogroup(chat).collect_as(kind, "speech-rows", "chat-rows");
    collected.map_values(|window| (window.left, window.right)).to("out");
    builder
}

fn cogrouping(kind: JoinKind) -> TopologyTestDriver {
    driver(&builder(kind))
}

type Out = TestOutputTopic<Windowed<String>, (Vec<String>, Vec<i64>)>;

fn out(driver: &TopologyTestDriver) -> Out {
    driver.output("out")
}

fn speech(driver: &TopologyTestDriver, key: &str, text: &str, timestamp: i64) {
    driver.input::<String, String>("speech").pipe(key.into(), text.into(), timestamp).expect("processes");
}

fn chat(driver: &TopologyTestDriver, key: &str, number: i64, timestamp: i64) {
    driver.input::<String, i64>("chat").pipe(key.into(), number, timestamp).expect("processes");
}

/// Speech alone for a, chat alone for b, both for c; then time passes.
fn three_keys(driver: &TopologyTestDriver) {
    speech(driver, "a", "hello", 1_000);
    chat(driver, "b", 1, 2_000);
    chat(driver, "c", 2, 3_000);
    speech(driver, "c", "again", 2_500);
    chat(driver, "c", 3, 1_500);
    speech(driver, "z", "closes", MINUTE + 5_000);
}

#[test]
fn a_window_is_emitted_when_either_side_had_something() -> Tested {
    let driver = cogrouping(JoinKind::Outer);
    three_keys(&driver);
    assert_eq!(
        out(&driver).read()?,
        [
            (windowed("a", 0, MINUTE), (strings(&["hello"]), vec![]), 1_000),
            (windowed("b", 0, MINUTE), (vec![], vec![1]), 2_000),
            (windowed("c", 0, MINUTE), (strings(&["again"]), vec![2, 3]), 3_000),
        ]
    );
    Ok(())
}

#[test]
fn left_and_inner_leave_out_windows_with_a_silent_side() -> Tested {
    for (kind, expect) in [(JoinKind::Left, vec!["a", "c"]), (JoinKind::Inner, vec!["c"])] {
        let driver = cogrouping(kind);
        three_keys(&driver);
        let keys: Vec<_> = out(&driver).read()?.into_iter().map(|(at, ..)| at.key).collect();
        assert_eq!(keys, expect, "{kind:?}");
    }
    Ok(())
}

#[test]
fn both_sides_share_one_stream_time_and_each_has_its_late_records() -> Tested {
    let driver = cogrouping(JoinKind::Outer);
    speech(&driver, "a", "in time", 59_999);
    chat(&driver, "a", 1, MINUTE + 4_999);
    speech(&driver, "a", "still in time", 0);
    assert_eq!(out(&driver).read()?, []);
    chat(&driver, "a", 2, MINUTE + 5_000);
    let first = (windowed("a", 0, MINUTE), (strings(&["in time", "still in time"]), vec![]), 59_999);
    assert_eq!(out(&driver).read()?, [first]);
    speech(&driver, "a", "too late", 59_999);
    chat(&driver, "a", 3, 59_998);
    assert_eq!(driver.output::<String, String>("late-speech").read()?, [("a".into(), "too late".into(), 59_999)]);
    assert_eq!(driver.output::<String, i64>("late-chat").read()?, [("a".into(), 3, 59_998)]);
    let dropped = driver.status()?.tasks[0].records_dropped.clone();
    assert_eq!(dropped, [("speech-rows".into(), "late", 1), ("chat-rows".into(), "late", 1)]);
    Ok(())
}

#[test]
fn a_crash_loses_and_repeats_no_element_of_either_side() -> Tested {
    let driver = cogrouping(JoinKind::Outer);
    for round in 0..6 {
        speech(&driver, "a", &format!("word-{round}"), 1_000 * round);
        chat(&driver, "a", round, 1_000 * round);
        driver.crash();
    }
    chat(&driver, "a", 99, 3 * MINUTE);
    driver.crash();
    let expect: Vec<_> = (0..6).map(|round| format!("word-{round}")).collect();
    let first = (windowed("a", 0, MINUTE), (expect, (0..6).collect()), 5_000);
    let found = out(&driver);
    assert_eq!(found.read()?, [first]);
    speech(&driver, "a", "late", MINUTE);
    assert_eq!(found.read()?, []);
    Ok(())
}

#[test]
fn the_idle_time_of_one_side_serves_both() -> Tested {
    let builder = StreamsBuilder::new();
    let left = builder.stream::<String, String>("speech").group_by_key().windowed_by(windows());
    let right = builder.stream::<String, i64>("chat").group_by_key().windowed_by(windows());
    let right = right.emit(EmitStrategy::on_window_close().idle_after(Duration::from_secs(10)));
    left.cogroup(right).collect("l", "r").map_values(|window| (window.left, window.right)).to("out");
    let driver = driver(&builder);
    speech(&driver, "a", "hello", 30_000);
    driver.advance_wall_clock(Duration::from_secs(34))?;
    assert_eq!(out(&driver).read()?, []);
    driver.advance_wall_clock(Duration::from_secs(1))?;
    assert_eq!(out(&driver).read_values()?, [(strings(&["hello"]), vec![])]);
    Ok(())
}

/// Three streams of different values in one text.
fn three_streams(emit: EmitStrategy) -> TopologyTestDriver {
    let builder = StreamsBuilder::new();
    let texts = builder.stream::<String, String>("texts").group_by_key();
    let numbers = builder.stream::<String, i64>("numbers").group_by_key();
    let flags = builder.stream::<String, bool>("flags").group_by_key();
    texts
        .cogroup(|_, text, all: &mut String| all.push_str(&text))
        .cogroup(&numbers, |_, number, all| all.push_str(&number.to_string()))
        .cogroup(&flags, |key, flag, all| all.push_str(if flag { key } else { "-" }))
        .windowed_by(windows())
        .emit(emit)
        .aggregate("all", || "=".to_owned())
        .to_stream()
        .to("out");
    driver(&builder)
}

#[test]
fn streams_of_different_values_feed_one_aggregate() -> Tested {
    let driver = three_streams(EmitStrategy::on_window_close());
    let output = driver.output::<Windowed<String>, String>("out");
    driver.input::<String, i64>("numbers").pipe("a".into(), 7, 1_000)?;
    driver.input::<String, String>("texts").pipe("a".into(), "text".into(), 2_000)?;
    driver.crash();
    driver.input::<String, bool>("flags").pipe("a".into(), true, 500)?;
    driver.input::<String, bool>("flags").pipe("b".into(), false, 600)?;
    assert_eq!(output.read()?, []);
    driver.input::<String, i64>("numbers").pipe("z".into(), 0, MINUTE + 5_000)?;
    let expect = [(windowed("a", 0, MINUTE), "=7texta".into(), 2_000), (windowed("b", 0, MINUTE), "=-".into(), 600)];
    assert_eq!(output.read()?, expect);
    Ok(())
}

#[test]
fn a_cogrouped_aggregate_may_emit_each_update() -> Tested {
    let driver = three_streams(EmitStrategy::on_window_update());
    driver.input::<String, i64>("numbers").pipe("a".into(), 7, 1_000)?;
    driver.input::<String, String>("texts").pipe("a".into(), "x".into(), 900)?;
    let out = driver.output::<Windowed<String>, String>("out").read()?;
    assert_eq!(out, [(windowed("a", 0, MINUTE), "=7".into(), 1_000), (windowed("a", 0, MINUTE), "=7x".into(), 1_000)]);
    Ok(())
}

/// Three streams of different values in one text for each key, without windows.
fn three_streams_by_key() -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    let texts = builder.stream::<String, String>("texts").group_by_key();
    let numbers = builder.stream::<String, i64>("numbers").group_by_key();
    let flags = builder.stream::<String, Option<bool>>("flags").group_by_key();
    texts
        .cogroup(|_, text, all: &mut String| all.push_str(&text))
        .cogroup(&numbers, |_, number, all| all.push_str(&number.to_string()))
        .cogroup(&flags, |key, flag, all| all.push_str(if flag == Some(true) { key } else { "-" }))
        .aggregate("all", || "=".to_owned())
        .to_stream()
        .to("out");
    builder
}

#[test]
fn a_cogroup_without_windows_has_one_aggregate_for_each_key() -> Tested {
    let driver = driver(&three_streams_by_key());
    let out = driver.output::<String, String>("out");
    driver.input::<String, i64>("numbers").pipe("a".into(), 7, 1_000)?;
    driver.input::<String, String>("texts").pipe("a".into(), "text".into(), 500)?;
    driver.input::<String, Option<bool>>("flags").pipe_all([("b".into(), Some(true), 1), ("a".into(), None, 2_000)])?;
    let updates = [("a", "=7", 1_000), ("a", "=7text", 1_000), ("b", "=b", 1), ("a", "=7text-", 2_000)];
    let updates = updates.map(|(key, text, time)| (key.to_owned(), text.to_owned(), time));
    assert_eq!(out.read()?, updates, "the time is the highest of the records");
    Ok(())
}

#[test]
fn a_restart_goes_on_with_the_aggregates_of_a_cogroup() -> Tested {
    let driver = driver(&three_streams_by_key());
    for number in 0..3 {
        driver.input::<String, i64>("numbers").pipe("a".into(), number, 0)?;
        driver.crash();
        driver.input::<String, String>("texts").pipe("a".into(), "x".into(), 0)?;
        driver.crash();
    }
    let out = driver.output::<String, String>("out").read_values()?;
    assert_eq!(out.last().map(String::as_str), Some("=0x1x2x"));
    let store = driver.key_value_store::<String, String>("all", 0)?.ok_or("it is there")?;
    assert_eq!(store.get(&"a".into())?, Some("=0x1x2x".into()));
    Ok(())
}

#[test]
fn a_cogroup_without_windows_drops_records_without_a_key() -> Tested {
    let builder = StreamsBuilder::new();
    let left = builder.stream::<Option<String>, i64>("left").group_by_key();
    let right = builder.stream::<Option<String>, i64>("right").group_by_key();
    left.cogroup(|_, number, sum: &mut i64| *sum += number)
        .cogroup(&right, |_, number, sum| *sum -= number)
        .aggregate("sums", || 100)
        .to_stream()
        .to("out");
    let driver = driver(&builder);
    driver.input::<Option<String>, i64>("left").pipe_all([(None, 1, 0), (Some("a".into()), 2, 0)])?;
    driver.input::<Option<String>, i64>("right").pipe_all([(None, 4, 0), (Some("a".into()), 8, 0)])?;
    assert_eq!(driver.output::<Option<String>, i64>("out").read_values()?, [102, 94]);
    let dropped = driver.status()?.tasks[0].records_dropped.clone();
    let dropped: BTreeMap<_, _> = dropped.into_iter().map(|(node, why, count)| (node, (why, count))).collect();
    let expect = [("sums-input-1", ("null-key", 1)), ("sums-input-2", ("null-key", 1))];
    assert_eq!(dropped, expect.map(|(node, dropped)| (node.to_owned(), dropped)).into());
    Ok(())
}

#[test]
fn a_record_that_is_refused_below_a_cogroup_leaves_the_aggregate_as_it_was() -> Tested {
    let builder = StreamsBuilder::new();
    let left = builder.stream::<String, i64>("left").group_by_key();
    let right = builder.stream::<String, i64>("right").group_by_key();
    left.cogroup(|_, number, sum: &mut i64| *sum += number)
        .cogroup(&right, |_, number, sum| *sum -= number)
        .aggregate("sums", || 0)
        .to_stream()
        .drop_null_values()
        .process::<String, i64, _>("refuses", &[], || Refuses)
        .to("out");
    let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    let options = DriverOptions { config, ..DriverOptions::default() };
    let driver = TopologyTestDriver::with(&builder.build()?, options)?;
    let (left, right) = (driver.input::<String, i64>("left"), driver.input::<String, i64>("right"));
    left.pipe("a".into(), 5, 0)?;
    right.pipe("a".into(), 9, 0)?;
    left.pipe("a".into(), 1, 0)?;
    assert_eq!(driver.output::<String, i64>("out").read_values()?, [5, 6], "the sum of -4 was refused");
    Ok(())
}

/// Refuses values below 0.
struct Refuses;

impl Processor<String, i64, String, i64> for Refuses {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, i64>,
        record: Record<String, i64>,
    ) -> Result<(), BoxError> {
        if record.value < 0 {
            return Err("below 0".into());
        }
        ctx.forward(record);
        Ok(())
    }
}

/// Two streams in sliding windows of 10 ms.
fn sliding(emit: EmitStrategy) -> TopologyTestDriver {
    let builder = StreamsBuilder::new();
    let texts = builder.stream::<String, String>("texts").group_by_key();
    let numbers = builder.stream::<String, i64>("numbers").group_by_key();
    let windows = SlidingWindows::of_time_difference_and_grace(Duration::from_millis(10), Duration::from_millis(2));
    texts
        .cogroup(|_, text, all: &mut String| all.push_str(&text))
        .cogroup(&numbers, |_, number, all| all.push_str(&number.to_string()))
        .windowed_by(windows)
        .emit(emit)
        .aggregate("all", || "=".to_owned())
        .to_stream()
        .to("out");
    driver(&builder)
}

#[test]
fn streams_of_different_values_share_sliding_windows() -> Tested {
    let driver = sliding(EmitStrategy::on_window_update());
    let out = driver.output::<Windowed<String>, String>("out");
    driver.input::<String, i64>("numbers").pipe("a".into(), 7, 100)?;
    driver.crash();
    driver.input::<String, String>("texts").pipe("a".into(), "x".into(), 105)?;
    let expect = [
        (windowed("a", 90, 100), "=7".into(), 100),
        (windowed("a", 101, 111), "=x".into(), 105),
        (windowed("a", 95, 105), "=7x".into(), 105),
    ];
    assert_eq!(out.read()?, expect);
    Ok(())
}

#[test]
fn the_inputs_of_a_sliding_cogroup_share_one_time() -> Tested {
    let driver = sliding(EmitStrategy::on_window_close());
    let out = driver.output::<Windowed<String>, String>("out");
    driver.input::<String, String>("texts").pipe("a".into(), "x".into(), 100)?;
    driver.input::<String, i64>("numbers").pipe_all([("a".into(), 1, 102), ("b".into(), 2, 103)])?;
    assert_eq!(out.read()?, [(windowed("a", 90, 100), "=x".into(), 100)]);
    driver.input::<String, String>("texts").pipe("a".into(), "late".into(), 90)?;
    let dropped = driver.status()?.tasks[0].records_dropped.clone();
    assert_eq!(dropped, [("all-input-1".into(), "late", 1)]);
    Ok(())
}

#[test]
fn different_partition_counts_are_reported_at_start() -> Tested {
    let partitions = BTreeMap::from([("speech".to_owned(), 2), ("chat".to_owned(), 3)]);
    let options = DriverOptions { partitions, ..DriverOptions::default() };
    let started = TopologyTestDriver::with(&builder(JoinKind::Outer).build()?, options);
    let error = started.err().ok_or("it must not start")?;
    let [problem] = error.problems() else { return Err(format!("one problem, not {error}").into()) };
    assert!(problem.contains("needs equal partition counts, but 'chat' has 3, 'speech' has 2"), "{problem}");
    Ok(())
}

#[test]
fn merged_topics_need_equal_partition_counts_too_if_state_follows() -> Tested {
    // The group's range assignor would give partition 1 of both to different members, and no task could run.
    let builder = StreamsBuilder::new();
    let left = builder.stream::<String, String>("left");
    left.merge(&builder.stream("right")).group_by_key().count("counts");
    let partitions = BTreeMap::from([("left".to_owned(), 4), ("right".to_owned(), 2)]);
    let options = DriverOptions { partitions, ..DriverOptions::default() };
    let error = TopologyTestDriver::with(&builder.build()?, options).err().ok_or("it must not start")?;
    assert!(error.to_string().contains("'left' has 4, 'right' has 2"), "{error}");
    Ok(())
}

#[test]
fn different_windows_are_reported_when_building() -> Tested {
    let builder = StreamsBuilder::new();
    let left = builder.stream::<String, String>("speech").group_by_key().windowed_by(windows());
    let longer = TimeWindows::of_size_with_no_grace(Duration::from_mins(2));
    let right = builder.stream::<String, i64>("chat").group_by_key().windowed_by(longer);
    left.cogroup(right).collect("l", "r").map_values(|window| window.right).to("out");
    let error = builder.build().err().ok_or("it must not build")?;
    assert!(error.to_string().contains("two streams are cogrouped by different windows"), "{error}");
    Ok(())
}
