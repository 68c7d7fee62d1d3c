//! What users of stream processors have reported from their own work, tried here in small.

mod common;

use std::{collections::BTreeMap, time::Duration};

use common::{Tested, driver, windowed};
use tidemill::{
    EmitStrategy, JoinWindows, RecordHandler, StreamsBuilder, StreamsConfig, TimeWindows, Windowed,
    processor::{Processor, ProcessorContext, Record},
    state::BoxError,
    testing::{DriverOptions, TopologyTestDriver},
    transport::embedded::Entry,
};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

fn minutes() -> TimeWindows {
    TimeWindows::of_size_and_grace(Duration::from_mins(1), Duration::from_mins(1))
}

/// Counts by key and minute when these close; late records are on `late`.
fn counting(emit: EmitStrategy) -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    let mut grouped = builder.stream::<String, String>("in").group_by_key().windowed_by(minutes()).emit(emit);
    grouped.late_records().to("late");
    grouped.count("counts").to_stream().to("out");
    builder
}

fn counts(driver: &TopologyTestDriver) -> Tested<Vec<(Windowed<String>, i64)>> {
    let results = driver.output::<Windowed<String>, i64>("out").read()?;
    Ok(results.into_iter().map(|(key, count, _)| (key, count)).collect())
}

/// A device whose clock is a day fast. Whatever that does to the others, nothing of theirs disappears unseen.
#[test]
fn behind_a_record_from_the_future_each_record_is_counted_in_a_window_or_told_as_late() -> Tested {
    let driver = driver(&counting(EmitStrategy::on_window_close()));
    let input = driver.input::<String, String>("in");
    for minute in 0..10 {
        input.pipe("honest".into(), format!("{minute}"), minute * MINUTE)?;
        if minute == 2 {
            input.pipe("fast".into(), "tomorrow".into(), minute * MINUTE + DAY)?;
        }
    }
    input.pipe("end".into(), "x".into(), 3 * DAY)?;
    let honest: i64 = counts(&driver)?.iter().filter(|(key, _)| key.key == "honest").map(|(_, count)| count).sum();
    let late = driver.output::<String, String>("late").read_values()?;
    assert_eq!(honest + late.len() as i64, 10);
    let dropped = driver.status()?.tasks[0].records_dropped.clone();
    assert_eq!(dropped, [("counts".into(), "late", late.len() as u64)]);
    Ok(())
}

/// A stream that has one record, and then none for ever.
#[test]
fn the_last_window_of_a_stream_that_ends_comes_out_with_an_idle_time() -> Tested {
    let driver = driver(&counting(EmitStrategy::on_window_close().idle_after(Duration::from_secs(10))));
    driver.input::<String, String>("in").pipe("only".into(), "x".into(), 5_000)?;
    driver.advance_wall_clock(Duration::from_mins(3))?;
    assert_eq!(counts(&driver)?, [(windowed("only", 0, MINUTE), 1)]);
    // It came out once, also if time goes on, or the record's place in the stream is taken up again.
    driver.advance_wall_clock(Duration::from_mins(3))?;
    driver.crash();
    driver.advance_wall_clock(Duration::from_mins(3))?;
    assert_eq!(counts(&driver)?, [(windowed("only", 0, MINUTE), 1)]);
    Ok(())
}

/// One key in each partition. Some partitions move on, others are silent, one is a day behind.
#[test]
fn windows_of_a_partition_close_by_its_own_time_however_far_others_are() -> Tested {
    let builder = counting(EmitStrategy::on_window_close());
    let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions::default().partitions(4))?;
    let send = |partition: i32, times: &[i64]| {
        let entries = times.iter().map(|time| Entry::new(format!("key-{partition}"), "x", *time));
        driver.log().append("in", partition, entries.collect::<Vec<_>>())
    };
    send(0, &[DAY, DAY + 1, DAY + 2 * MINUTE])?;
    send(1, &[DAY + 10])?;
    // What is behind is not late: it has a partition of its own.
    send(2, &[0, 1, 2, 2 * MINUTE])?;
    driver.status()?;
    let all = |key: &str, start: i64| windowed(key, start, start + MINUTE);
    assert_eq!(counts(&driver)?, [(all("key-0", DAY), 2), (all("key-2", 0), 3)]);
    assert!(driver.output::<String, String>("late").read()?.is_empty());
    send(1, &[DAY + 2 * MINUTE])?;
    driver.status()?;
    assert_eq!(driver.output::<Windowed<String>, i64>("out").read()?.len(), 3);
    Ok(())
}

/// Windows of a week in a store that was lost and restored.
#[test]
fn rows_of_windows_expire_after_a_restore_as_they_would_have_before() -> Tested {
    let (disturbed, calm) = (driver(&counting(EmitStrategy::default())), driver(&counting(EmitStrategy::default())));
    for minute in 0..200 {
        for one in [&disturbed, &calm] {
            one.input::<String, String>("in").pipe("k".into(), "x".into(), minute * MINUTE)?;
        }
        if minute % 50 == 49 {
            disturbed.crash();
        }
    }
    // The first record after a restore expires what the changelog brought back.
    for one in [&disturbed, &calm] {
        one.input::<String, String>("in").pipe("k".into(), "x".into(), 200 * MINUTE)?;
    }
    let rows = |driver: &TopologyTestDriver| -> Tested<Vec<_>> {
        Ok(driver.window_store::<String, i64>("counts", 0)?.ok_or("the store is there")?.all().read_all()?)
    };
    assert_eq!(rows(&disturbed)?, rows(&calm)?);
    assert!(rows(&disturbed)?.len() <= 3, "only what may still change is kept");
    Ok(())
}

/// Workers that die between the end of a window and its close.
#[test]
fn a_window_that_ended_before_a_crash_closes_after_it_with_all_that_it_had() -> Tested {
    let driver = driver(&counting(EmitStrategy::on_window_close()));
    let input = driver.input::<String, String>("in");
    for time in 0..5 {
        input.pipe("k".into(), "x".into(), time)?;
        driver.crash();
    }
    input.pipe("k".into(), "after the end".into(), MINUTE + 1)?;
    driver.crash();
    input.pipe("k".into(), "in the grace".into(), 9)?;
    driver.crash();
    input.pipe("k".into(), "closes it".into(), 2 * MINUTE)?;
    driver.crash();
    input.pipe("k".into(), "late".into(), 9)?;
    assert_eq!(counts(&driver)?, [(windowed("k", 0, MINUTE), 6)]);
    assert_eq!(driver.output::<String, String>("late").read_values()?, ["late"]);
    Ok(())
}

/// Five records of one key on the left, a lost store, one record on the right.
#[test]
fn a_join_finds_every_record_of_a_key_after_its_stores_were_restored() -> Tested {
    let builder = StreamsBuilder::new();
    let (left, right) = (builder.stream::<String, String>("left"), builder.stream::<String, String>("right"));
    let windows = JoinWindows::of_time_difference_with_no_grace(Duration::from_mins(1));
    left.join_stream(&right, windows, "join", |_, left, right| format!("{left}{right}")).to("out");
    let driver = driver(&builder);
    for number in 0..5 {
        // All at one time, as duplicates are.
        driver.input::<String, String>("left").pipe("k".into(), number.to_string(), 1_000)?;
    }
    driver.crash();
    driver.input::<String, String>("right").pipe("k".into(), "x".into(), 1_000)?;
    assert_eq!(driver.output::<String, String>("out").read_values()?, ["0x", "1x", "2x", "3x", "4x"]);
    Ok(())
}

/// Both sides get another key and go through topics of their own before they are joined.
#[test]
fn a_join_below_repartition_topics_goes_on_after_a_crash() -> Tested {
    let builder = StreamsBuilder::new();
    let by_first = |topic: &str, name: &str| {
        builder.stream::<String, String>(topic).select_key(|_, value| value[..1].to_owned()).repartition(name)
    };
    let (left, right) = (by_first("left", "left-by-first"), by_first("right", "right-by-first"));
    let windows = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(10));
    left.join_stream(&right, windows, "join", |_, left, right| format!("{left}-{right}")).to("out");
    let driver = driver(&builder);
    driver.input::<String, String>("left").pipe("p".into(), "a1".into(), 0)?;
    driver.crash();
    driver.input::<String, String>("right").pipe("q".into(), "a2".into(), 1)?;
    driver.crash();
    driver.input::<String, String>("left").pipe("r".into(), "a3".into(), 2)?;
    assert_eq!(driver.output::<String, String>("out").read_values()?, ["a1-a2", "a3-a2"]);
    Ok(())
}

/// A record that is far past the end of its own join window when it comes.
#[test]
fn a_record_that_is_too_late_for_any_partner_does_not_come_out_alone() -> Tested {
    let builder = StreamsBuilder::new();
    let (left, right) = (builder.stream::<String, String>("left"), builder.stream::<String, String>("right"));
    let windows = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(1));
    left.left_join_stream(&right, windows, "join", |_, left: &String, right: Option<&String>| {
        format!("{left}{right:?}")
    })
    .to("out");
    let driver = driver(&builder);
    let input = driver.input::<String, String>("left");
    input.pipe_all([
        ("k".into(), "a".into(), 0),
        ("k".into(), "b".into(), 100_000),
        ("k".into(), "x".into(), 50_000),
    ])?;
    input.pipe("k".into(), "end".into(), 200_000)?;
    assert_eq!(driver.output::<String, String>("out").read_values()?, ["aNone", "bNone"]);
    assert_eq!(driver.status()?.tasks[0].records_dropped, [("join-left".into(), "late", 1)]);
    Ok(())
}

/// Refuses the count of two.
struct NoTwo;

impl Processor<String, i64, String, i64> for NoTwo {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, i64>,
        record: Record<String, i64>,
    ) -> Result<(), BoxError> {
        if record.value == 2 {
            return Err("not a second time".into());
        }
        ctx.forward(record);
        Ok(())
    }
}

/// An error behind an aggregation, where the handler goes on: does the record count or not?
#[test]
fn a_record_that_is_refused_behind_an_aggregation_does_not_count() -> Tested {
    let builder = StreamsBuilder::new();
    let counts = builder.stream::<String, String>("in").group_by_key().count("counts").to_stream().drop_null_values();
    counts.process("no-two", &[], || NoTwo).to("out");
    let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    let options = DriverOptions { config, ..DriverOptions::default() };
    let driver = TopologyTestDriver::with(&builder.build()?, options)?;
    let input = driver.input::<String, String>("in");
    input.pipe_all([
        ("k".into(), "1".into(), 0),
        ("k".into(), "refused".into(), 1),
        ("k".into(), "again".into(), 2),
    ])?;
    assert_eq!(driver.output::<String, i64>("out").read_values()?, [1], "every second one is refused");
    let stored = driver.key_value_store::<String, i64>("counts", 0)?.ok_or("the store is there")?;
    assert_eq!(stored.get(&"k".to_owned())?, Some(1), "topic and store agree");
    Ok(())
}

/// Poison in a stream that feeds windows: skipped, it neither moves time nor stops anything.
#[test]
fn a_record_that_does_not_decode_moves_no_time_and_closes_no_window() -> Tested {
    let builder = StreamsBuilder::new();
    let windows = builder.stream::<String, i64>("in").group_by_key().windowed_by(minutes());
    windows.emit(EmitStrategy::on_window_close()).count("counts").to_stream().to("out");
    let config = StreamsConfig {
        deserialization_handler: RecordHandler::DeadLetter("dead".into()),
        ..StreamsConfig::new("test")
    };
    let options = DriverOptions { config, ..DriverOptions::default() };
    let driver = TopologyTestDriver::with(&builder.build()?, options)?;
    let input = driver.input::<String, i64>("in");
    input.pipe("k".into(), 1, 0)?;
    input.pipe_raw(0, Some(b"k"), Some(b"poison"), DAY)?;
    input.pipe("k".into(), 2, 1)?;
    assert!(counts(&driver)?.is_empty());
    input.pipe("k".into(), 3, 2 * MINUTE)?;
    assert_eq!(counts(&driver)?, [(windowed("k", 0, MINUTE), 2)]);
    let dead = driver.output::<String, String>("dead").read()?;
    assert_eq!(dead, [("k".into(), "poison".into(), DAY)]);
    let shares: BTreeMap<_, _> =
        driver.status()?.tasks[0].records_dropped.iter().map(|(_, why, n)| (*why, *n)).collect();
    assert_eq!(shares, [("undecodable", 1)].into());
    Ok(())
}
