//! The event times of a topic: extractors, units, and the band of plausible times.

mod common;

use std::time::Duration;

use common::Tested;
use tidemill::{
    Consumed, EmitStrategy, RecordHandler, StreamsBuilder, StreamsConfig, TimeBand, TimeUnit, TimeWindows,
    testing::{DriverOptions, TopologyTestDriver},
    transport::{Headers, embedded::Entry},
};

/// 2023-11-14, in milliseconds and in microseconds.
const NOW: i64 = 1_700_000_000_000;
const MICROS: i64 = NOW * 1_000;

fn skipping(builder: &StreamsBuilder, handler: RecordHandler) -> Tested<TopologyTestDriver> {
    let config = StreamsConfig { deserialization_handler: handler, ..StreamsConfig::new("test") };
    Ok(TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?)
}

/// Counts in windows of a minute, emitted when the windows close.
fn windows(consumed: Consumed<String, i64>) -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    let minutes = TimeWindows::of_size_with_no_grace(Duration::from_mins(1));
    let windows = builder.stream(consumed).group_by_key().windowed_by(minutes).emit(EmitStrategy::on_window_close());
    windows.count("counts").to_stream().map(|windowed, count| (windowed.key, count)).to("out");
    builder
}

#[test]
fn an_extractor_sees_the_whole_record() -> Tested {
    let builder = StreamsBuilder::new();
    let consumed = Consumed::<String, i64>::from("in").with_timestamp_extractor(|record| {
        let sent = record.headers.last("sent-at").and_then(|at| std::str::from_utf8(at).ok()?.parse::<i64>().ok());
        let so_far = record.partition_time.map_or(0, |time| time + 1);
        sent.unwrap_or(so_far + record.timestamp + *record.value + record.key.len() as i64 + record.offset)
    });
    builder.stream(consumed).to("out");
    let driver = skipping(&builder, RecordHandler::Fail)?;
    let mut headers = Headers::new();
    headers.push("sent-at", "5000");
    driver.log().append("in", 0, [Entry { headers, ..Entry::new("k", 1_i64.to_be_bytes().to_vec(), 7) }])?;
    driver.log().append("in", 0, [Entry::new("key", 20_i64.to_be_bytes().to_vec(), 100)])?;
    let times: Vec<_> = driver.output::<String, i64>("out").read()?.into_iter().map(|(_, _, time)| time).collect();
    // The second: 5,001 after the partition's time, 100 on the log, value 20, key 3, offset 1.
    assert_eq!(times, [5_000, 5_001 + 100 + 20 + 3 + 1]);
    Ok(())
}

#[test]
fn units_become_milliseconds_also_of_the_timestamps_on_the_log() -> Tested {
    for (unit, raw) in
        [(TimeUnit::Seconds, NOW / 1_000), (TimeUnit::Microseconds, MICROS), (TimeUnit::Milliseconds, NOW)]
    {
        let builder = StreamsBuilder::new();
        builder.stream(Consumed::<String, i64>::from("in").time_unit(unit)).to("out");
        let from_value = Consumed::<String, i64>::from("values").timestamp_from(|_, at| *at);
        builder.stream(from_value.time_unit(unit)).to("out-values");
        let driver = skipping(&builder, RecordHandler::Fail)?;
        driver.input("in").pipe("k".to_owned(), 1_i64, raw)?;
        driver.input("values").pipe("k".to_owned(), raw, 0)?;
        assert_eq!(driver.output::<String, i64>("out").read()?, [("k".to_owned(), 1, NOW)], "{unit:?}");
        assert_eq!(driver.output::<String, i64>("out-values").read()?, [("k".to_owned(), raw, NOW)], "{unit:?}");
    }
    Ok(())
}

#[test]
fn one_record_of_the_year_55840_closes_no_window() -> Tested {
    let builder = windows(Consumed::from("in").plausible_times(TimeBand::recent_years()));
    let driver = skipping(&builder, RecordHandler::DeadLetter("dead".into()))?;
    let input = driver.input::<String, i64>("in");
    input.pipe_all([("a".into(), 1, NOW), ("a".into(), 2, MICROS), ("a".into(), 3, NOW / 1_000)])?;
    input.pipe_all([("a".into(), 4, NOW + 1), ("a".into(), 5, NOW + 120_000)])?;
    assert_eq!(driver.output::<String, i64>("out").read_values()?, [2], "the first window has both of its records");
    assert_eq!(driver.output::<String, i64>("dead").read_values()?, [2, 3]);
    let task = &driver.status()?.tasks[0];
    assert_eq!(task.records_dropped, [("in".to_owned(), "implausible-timestamp", 2)]);
    assert_eq!(task.stream_time_ms, NOW + 120_000);
    Ok(())
}

#[test]
fn an_implausible_time_does_not_move_the_time_of_its_partition() -> Tested {
    let builder = StreamsBuilder::new();
    let consumed = Consumed::<String, i64>::from("in").with_timestamp_extractor(|record| match *record.value {
        0 => record.partition_time.unwrap_or(-1),
        at => at,
    });
    builder.stream(consumed.plausible_times(0..=100)).to("out");
    let driver = skipping(&builder, RecordHandler::Skip)?;
    let input = driver.input::<String, i64>("in");
    input.pipe_all([("a".into(), 7, 0), ("b".into(), 101, 0), ("c".into(), 0, 0)])?;
    // The time of the partition is committed with the offset, so a restart does not change it either.
    driver.crash();
    input.pipe("d".into(), 0, 0)?;
    let out = driver.output::<String, i64>("out").read()?;
    assert_eq!(out, [("a".into(), 7, 7), ("c".into(), 0, 7), ("d".into(), 0, 7)]);
    Ok(())
}

#[test]
fn by_default_an_implausible_time_fails_the_task_and_the_error_names_the_unit() -> Tested {
    for (time, unit) in [(MICROS, "microseconds"), (NOW / 1_000, "seconds"), (MICROS * 1_000, "nanoseconds")] {
        let builder = windows(Consumed::from("in").plausible_times(TimeBand::recent_years()));
        let driver = skipping(&builder, RecordHandler::Fail)?;
        let error = driver.input::<String, i64>("in").pipe("a".into(), 1, time).err().ok_or("it must fail")?.chain();
        assert!(error.contains("topic 'in', partition 0, offset 0"), "{error}");
        assert!(error.contains(&format!("timestamp {time} is not plausible")), "{error}");
        assert!(error.contains(&format!("it is in {unit}")), "{error}");
    }
    Ok(())
}

#[test]
fn a_band_around_the_time_on_the_log_finds_clocks_that_are_wrong() -> Tested {
    let builder = StreamsBuilder::new();
    let band = TimeBand::around_record_time(Duration::from_hours(1), Duration::from_mins(1));
    let consumed = Consumed::<String, i64>::from("in").timestamp_from(|_, at| *at).plausible_times(band);
    builder.stream(consumed).to("out");
    let driver = skipping(&builder, RecordHandler::Skip)?;
    let times = [NOW, NOW - 3_600_000, NOW - 3_600_001, NOW + 60_000, NOW + 60_001];
    driver.input::<String, i64>("in").pipe_all(times.map(|at| ("a".to_owned(), at, NOW)))?;
    assert_eq!(driver.output::<String, i64>("out").read_values()?, [NOW, NOW - 3_600_000, NOW + 60_000]);
    Ok(())
}

#[test]
fn a_band_around_the_time_on_the_log_knows_its_unit() -> Tested {
    let builder = StreamsBuilder::new();
    let band = TimeBand::recent_years().and(TimeBand::around_record_time(Duration::ZERO, Duration::ZERO));
    let consumed = Consumed::<String, i64>::from("in").time_unit(TimeUnit::Microseconds).plausible_times(band);
    builder.stream(consumed).to("out");
    let driver = skipping(&builder, RecordHandler::Skip)?;
    driver.input::<String, i64>("in").pipe_all([("a".into(), 1, MICROS), ("a".into(), 2, NOW)])?;
    assert_eq!(driver.output::<String, i64>("out").read()?, [("a".to_owned(), 1, NOW)]);
    Ok(())
}

#[test]
fn tombstones_of_a_table_keep_their_own_time_but_must_be_plausible() -> Tested {
    let builder = StreamsBuilder::new();
    let consumed = Consumed::<String, i64>::from("in").timestamp_from(|_, at| *at).time_unit(TimeUnit::Seconds);
    builder.table_with(consumed.plausible_times(0..=10_000), "last");
    let driver = skipping(&builder, RecordHandler::Skip)?;
    let input = driver.input::<String, Option<i64>>("in");
    input.pipe_all([("a".into(), Some(3), 0), ("b".into(), Some(4), 0), ("b".into(), None, 5)])?;
    input.pipe_all([("a".into(), None, 10_001), ("c".into(), Some(11), 0)])?;
    let last = driver.key_value_store::<String, i64>("last", 0)?.ok_or("it runs")?;
    assert_eq!(last.get_with_timestamp(&"a".into())?, Some((3, 3_000)), "the tombstone at 10,001 is left out");
    assert_eq!(last.all().read_all()?, [("a".to_owned(), 3)]);
    Ok(())
}

#[test]
fn a_band_without_any_time_is_a_problem_of_the_topology() {
    #[expect(clippy::reversed_empty_ranges, reason = "that is the mistake")]
    let builder = windows(Consumed::from("in").plausible_times(5..=4));
    let error = builder.build().expect_err("no record could pass");
    assert_eq!(error.problems(), ["the plausible times of topic 'in' have no time in them"]);
}
