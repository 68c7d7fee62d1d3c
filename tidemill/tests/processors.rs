//! The Processor API: stores, forwarding, punctuation, position and commits.

mod common;

use std::time::Duration;

use common::{Tested, driver, records};
use tidemill::{
    Position, StreamsBuilder, StreamsConfig, TaskError,
    processor::{Processor, ProcessorContext, Punctuation, PunctuationType, Record},
    state::{BoxError, KeyValueStore, WindowStore},
    testing::{DriverOptions, TestOutputTopic, TopologyTestDriver},
    transport::TopicPartition,
};

type Context<'a, 'b> = &'a mut ProcessorContext<'b, String, String>;

/// Puts each value into two stores and forwards what was there before.
#[derive(Default)]
struct Remember {
    last: Option<KeyValueStore<String, String>>,
    by_minute: Option<WindowStore<String, String>>,
}

impl Processor<String, String, String, String> for Remember {
    fn init(&mut self, ctx: Context<'_, '_>) -> Result<(), BoxError> {
        self.last = Some(ctx.key_value_store("last")?);
        self.by_minute = Some(ctx.window_store("by-minute")?);
        Ok(())
    }

    fn process(&mut self, ctx: Context<'_, '_>, record: Record<String, String>) -> Result<(), BoxError> {
        let (Some(last), Some(by_minute)) = (&self.last, &self.by_minute) else {
            return Err("init comes first".into());
        };
        let Record { key, value, timestamp, .. } = record.clone();
        let before = last.get(&key)?.unwrap_or_else(|| "nothing".to_owned());
        last.put(&key, &value, timestamp)?;
        by_minute.append(&key, timestamp / 60_000 * 60_000, &value, timestamp)?;
        ctx.forward(record.with_value(format!("{value} after {before}")));
        Ok(())
    }
}

#[test]
fn stores_keep_what_a_processor_puts_across_a_crash() -> Tested {
    let builder = StreamsBuilder::new();
    builder.add_key_value_store::<String, String>("last");
    builder.add_window_store::<String, String>("by-minute", Duration::from_hours(1));
    let stream = builder.stream::<String, String>("in");
    stream.process("remember", &["last", "by-minute"], Remember::default).to("out");
    let driver = driver(&builder);
    let input = driver.input::<String, String>("in");
    input.pipe_all([("a".into(), "1".into(), 0), ("b".into(), "2".into(), 1), ("a".into(), "3".into(), 59_999)])?;
    driver.crash();
    input.pipe_all([("a".into(), "4".into(), 60_000), ("b".into(), "5".into(), 3)])?;
    let out = driver.output::<String, String>("out").read_values()?;
    assert_eq!(out, ["1 after nothing", "2 after nothing", "3 after 1", "4 after 3", "5 after 2"]);
    let windows = driver.window_store::<String, String>("by-minute", 0)?.ok_or("the store is there")?;
    assert_eq!(windows.elements(&"a".into(), 0)?, ["1", "3"]);
    assert_eq!(windows.elements(&"a".into(), 60_000)?, ["4"]);
    assert_eq!(windows.elements(&"b".into(), 0)?, ["2", "5"]);
    Ok(())
}

#[test]
fn a_processors_window_store_forgets_what_its_retention_does_not_keep() -> Tested {
    let builder = StreamsBuilder::new();
    builder.add_key_value_store::<String, String>("last");
    builder.add_window_store::<String, String>("by-minute", Duration::from_hours(1));
    let stream = builder.stream::<String, String>("in");
    stream.process("remember", &["last", "by-minute"], Remember::default).to("out");
    let driver = driver(&builder);
    let input = driver.input::<String, String>("in");
    let hour = 3_600_000;
    input.pipe_all([("a".into(), "1".into(), 0), ("a".into(), "2".into(), 60_000)])?;
    input.pipe("a".into(), "3".into(), hour - 1)?;
    let windows = driver.window_store::<String, String>("by-minute", 0)?.ok_or("the store is there")?;
    assert_eq!(windows.elements(&"a".into(), 0)?, ["1"], "start 0 is kept while stream time is below 0 + retention");
    input.pipe("a".into(), "4".into(), hour)?;
    let starts = || -> Result<Vec<i64>, TaskError> {
        let windows = driver.window_store::<String, String>("by-minute", 0)?;
        let rows = windows
            .map(|windows| windows.all().read_all())
            .transpose()
            .expect("the store is readable")
            .unwrap_or_default();
        Ok(rows.into_iter().map(|((_, start), _)| start).collect())
    };
    assert_eq!(starts()?, [60_000, hour - 60_000, hour]);
    driver.crash();
    assert_eq!(starts()?, [60_000, hour - 60_000, hour], "nor does a restore bring it back");
    Ok(())
}

/// Asks for a store, connected or not.
struct Asks(&'static str);

impl Processor<String, String, String, String> for Asks {
    fn init(&mut self, ctx: Context<'_, '_>) -> Result<(), BoxError> {
        ctx.key_value_store::<String, String>(self.0).map(drop)
    }

    fn process(&mut self, _: Context<'_, '_>, _: Record<String, String>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[test]
fn a_store_that_is_not_connected_or_of_another_kind_is_a_clear_error() -> Tested {
    for (asked, expect) in [
        ("other", "store 'other' is not connected to this processor; connected are [mine, windows]"),
        (
            "windows",
            "store 'windows' is a window store with keys of String (utf8) and values of String (utf8): ask with \
             window_store::<String, String> instead of key_value_store::<String, String>",
        ),
    ] {
        let builder = StreamsBuilder::new();
        builder.add_key_value_store::<String, String>("mine");
        builder.add_window_store::<String, String>("windows", Duration::from_mins(1));
        let stream = builder.stream::<String, String>("in");
        stream.process::<String, String, _>("asks", &["mine", "windows"], move || Asks(asked)).to("out");
        let error = driver(&builder).status().err().ok_or("init fails")?;
        assert_eq!(error.chain(), format!("task 0_0, operator 'asks', between records: {expect}"));
    }
    Ok(())
}

/// Schedules at the start and forwards each punctuation's name and time.
struct Ticker {
    schedules: Vec<(&'static str, Duration, PunctuationType)>,
    scheduled: Vec<(Punctuation, &'static str)>,
}

impl Ticker {
    fn new(schedules: &[(&'static str, Duration, PunctuationType)]) -> Self {
        Self { schedules: schedules.to_vec(), scheduled: Vec::new() }
    }
}

impl Processor<String, String, String, String> for Ticker {
    fn init(&mut self, ctx: Context<'_, '_>) -> Result<(), BoxError> {
        for (name, interval, kind) in &self.schedules {
            self.scheduled.push((ctx.schedule(*interval, *kind), name));
        }
        Ok(())
    }

    /// A value that names a punctuation cancels it; "schedule" schedules one more.
    fn process(&mut self, ctx: Context<'_, '_>, record: Record<String, String>) -> Result<(), BoxError> {
        if record.value == "schedule" {
            let id = ctx.schedule(Duration::from_millis(10), PunctuationType::StreamTime);
            self.scheduled.push((id, "new"));
        }
        for (id, _) in self.scheduled.iter().filter(|(_, name)| *name == record.value) {
            ctx.cancel(*id);
        }
        Ok(())
    }

    /// "killer" cancels all others.
    fn punctuate(&mut self, ctx: Context<'_, '_>, id: Punctuation, time_ms: i64) -> Result<(), BoxError> {
        assert_eq!(ctx.record_metadata(), None, "a punctuation belongs to no record");
        let name = self.scheduled.iter().find(|(known, _)| *known == id).map_or("unknown", |(_, name)| name);
        if name == "killer" {
            self.scheduled.iter().filter(|(other, _)| *other != id).for_each(|(other, _)| ctx.cancel(*other));
        }
        ctx.forward(Record::new(name.to_owned(), time_ms.to_string(), time_ms));
        Ok(())
    }
}

fn ticking<const N: usize>(schedules: [(&'static str, Duration, PunctuationType); N]) -> TopologyTestDriver {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in");
    stream.process("ticker", &[], move || Ticker::new(&schedules)).to("out");
    driver(&builder)
}

fn ticks(out: &TestOutputTopic<String, String>) -> Vec<String> {
    let out = out.read().expect("reads");
    out.into_iter().map(|(name, time, _)| format!("{name} {time}")).collect()
}

fn pipe(driver: &TopologyTestDriver, value: &str, timestamp: i64) {
    driver.input::<String, String>("in").pipe("k".into(), value.into(), timestamp).expect("processes");
}

#[test]
fn stream_time_punctuation_is_aligned_to_the_epoch_and_first_fires_with_the_first_record() {
    let driver = ticking([("every-100", Duration::from_millis(100), PunctuationType::StreamTime)]);
    let out = driver.output("out");
    assert_eq!(ticks(&out), [] as [&str; 0]);
    pipe(&driver, "x", 250);
    assert_eq!(ticks(&out), ["every-100 250"]);
    pipe(&driver, "x", 299);
    assert_eq!(ticks(&out), [] as [&str; 0]);
    pipe(&driver, "x", 300);
    assert_eq!(ticks(&out), ["every-100 300"]);
    pipe(&driver, "x", 350);
    pipe(&driver, "x", 120);
    assert_eq!(ticks(&out), [] as [&str; 0]);
    pipe(&driver, "x", 1_234);
    assert_eq!(ticks(&out), ["every-100 1234"], "missed intervals collapse into one call with the time as it is");
    pipe(&driver, "x", 1_300);
    assert_eq!(ticks(&out), ["every-100 1300"]);
}

#[test]
fn wall_clock_punctuation_first_fires_after_one_interval() -> Tested {
    let driver = ticking([("every-100", Duration::from_millis(100), PunctuationType::WallClockTime)]);
    let out = driver.output("out");
    pipe(&driver, "x", 1_000_000);
    driver.advance_wall_clock(Duration::from_millis(99))?;
    assert_eq!(ticks(&out), [] as [&str; 0]);
    driver.advance_wall_clock(Duration::from_millis(1))?;
    assert_eq!(ticks(&out), ["every-100 100"]);
    driver.advance_wall_clock(Duration::from_millis(350))?;
    assert_eq!(ticks(&out), ["every-100 450"], "missed intervals collapse");
    driver.advance_wall_clock(Duration::from_millis(49))?;
    assert_eq!(ticks(&out), [] as [&str; 0]);
    driver.advance_wall_clock(Duration::from_millis(1))?;
    assert_eq!(ticks(&out), ["every-100 500"]);
    Ok(())
}

#[test]
fn a_punctuation_scheduled_while_a_record_is_processed_is_due_at_once() {
    let driver = ticking([]);
    let out = driver.output("out");
    for (value, timestamp) in [("schedule", 5), ("x", 9), ("x", 10)] {
        driver.input::<String, String>("in").enqueue("k".into(), value.into(), timestamp).expect("sends");
    }
    assert_eq!(ticks(&out), ["new 5", "new 10"]);
}

#[test]
fn a_cancelled_punctuation_fires_no_more() {
    let driver = ticking([
        ("one", Duration::from_millis(10), PunctuationType::StreamTime),
        ("two", Duration::from_millis(10), PunctuationType::StreamTime),
    ]);
    let out = driver.output("out");
    pipe(&driver, "x", 10);
    assert_eq!(ticks(&out), ["one 10", "two 10"]);
    pipe(&driver, "one", 20);
    assert_eq!(ticks(&out), ["two 20"]);
}

#[test]
fn a_punctuation_can_cancel_another_that_is_due_at_the_same_time() {
    let driver = ticking([
        ("killer", Duration::from_millis(10), PunctuationType::StreamTime),
        ("victim", Duration::from_millis(10), PunctuationType::StreamTime),
    ]);
    pipe(&driver, "x", 10);
    assert_eq!(ticks(&driver.output("out")), ["killer 10"]);
}

/// Forwards where each record came from, and commits when told to.
struct Where;

impl Processor<String, String, String, String> for Where {
    fn process(&mut self, ctx: Context<'_, '_>, record: Record<String, String>) -> Result<(), BoxError> {
        let Position { partition, offset } = ctx.record_metadata().ok_or("a record has a position")?;
        let TopicPartition { topic, partition } = partition;
        if record.value == "commit" {
            ctx.commit();
        }
        let value = format!(
            "{topic}-{partition}@{offset} at {} of {}",
            ctx.current_stream_time_ms(),
            ctx.current_system_time_ms()
        );
        ctx.forward(record.with_value(value));
        Ok(())
    }
}

#[test]
fn a_processor_knows_position_stream_time_and_wall_time() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("left");
    stream.merge(&builder.stream("right")).process("where", &[], || Where).to("out");
    let options = DriverOptions { wall_time_ms: 77, ..DriverOptions::default() };
    let driver = TopologyTestDriver::with(&builder.build()?, options)?;
    for (topic, timestamp) in [("left", 10), ("right", 8), ("left", 9)] {
        driver.input::<String, String>(topic).pipe("k".into(), "x".into(), timestamp)?;
    }
    let out = driver.output::<String, String>("out").read_values()?;
    assert_eq!(out, ["left-0@0 at 10 of 77", "right-0@0 at 10 of 77", "left-0@1 at 10 of 77"]);
    Ok(())
}

#[test]
fn a_commit_can_be_asked_for() -> Tested {
    use tidemill::{
        Streams,
        transport::embedded::{EmbeddedLog, Entry},
    };

    let log = EmbeddedLog::in_memory();
    log.create("in", 1)?;
    log.create("out", 1)?;
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").process("where", &[], || Where).to("out");
    let config = StreamsConfig { commit_interval: Duration::from_hours(1), ..StreamsConfig::new("app") };
    let streams = Streams::start(&builder.build()?, config, log.clone())?;
    log.append("in", 0, [Entry::new("k", "x", 1), Entry::new("k", "x", 2)])?;
    common::wait_until("both processed", || {
        streams.status().iter().flat_map(|thread| &thread.tasks).map(|task| task.records_processed).sum::<u64>() == 2
    });
    assert_eq!(records::<String, String>(&log, "out").len(), 0, "nothing is committed for an hour");
    log.append("in", 0, [Entry::new("k", "commit", 3)])?;
    common::wait_until("committed", || log.end_offsets("out").is_ok_and(|end| end[0] == 3));
    Ok(streams.close()?)
}

#[test]
fn a_processor_reads_the_last_update_of_an_aggregates_store() -> Tested {
    struct Reads(Option<KeyValueStore<String, i64>>);
    impl Processor<String, i64, String, String> for Reads {
        fn init(&mut self, ctx: Context<'_, '_>) -> Result<(), BoxError> {
            self.0 = Some(ctx.key_value_store("counts")?);
            Ok(())
        }

        fn process(&mut self, ctx: Context<'_, '_>, record: Record<String, i64>) -> Result<(), BoxError> {
            let stored = self.0.as_ref().map(|counts| counts.get(&record.key)).transpose()?.flatten();
            let text = format!("{} {stored:?}", record.value);
            ctx.forward(record.with_value(text));
            Ok(())
        }
    }
    let builder = StreamsBuilder::new();
    let counts = builder.stream::<String, String>("in").group_by_key().count("counts").to_stream().drop_null_values();
    counts.process("reads", &["counts"], || Reads(None)).to("out");
    let driver = driver(&builder);
    for timestamp in 0..3 {
        driver.input::<String, String>("in").enqueue("k".into(), "x".into(), timestamp)?;
    }
    let out = driver.output::<String, String>("out").read_values()?;
    assert_eq!(out, ["1 Some(1)", "2 Some(2)", "3 Some(3)"]);
    Ok(())
}

#[test]
fn what_a_punctuation_forwards_is_sent_at_least_once_too() -> Tested {
    let builder = StreamsBuilder::new();
    let schedules = [("tick", Duration::from_millis(10), PunctuationType::WallClockTime)];
    builder.stream::<String, String>("in").process("ticker", &[], move || Ticker::new(&schedules)).to("out");
    let config = StreamsConfig {
        processing_guarantee: tidemill::ProcessingGuarantee::AtLeastOnce,
        ..StreamsConfig::new("test")
    };
    let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    driver.status()?;
    driver.advance_wall_clock(Duration::from_millis(10))?;
    assert_eq!(ticks(&driver.output("out")), ["tick 10"]);
    Ok(())
}
