//! When a processor begins and ends, and what it knows of its surroundings.

mod common;

use std::sync::{Arc, Mutex};

use common::{Tested, driver};
use tidemill::{
    RecordHandler, StreamsBuilder, StreamsConfig, TaskFailureAction,
    processor::{Counter, MetricValue, Processor, ProcessorContext, Record, Recorded},
    state::BoxError,
    testing::{DriverOptions, TopologyTestDriver},
};

/// What happened, in order.
type Diary = Arc<Mutex<Vec<String>>>;

/// Writes its life into a diary. Some values make it fail or panic.
struct Life {
    number: usize,
    diary: Diary,
    closes_badly: bool,
}

impl Life {
    fn note(&self, what: &str) {
        self.diary.lock().expect("nobody panics with it").push(format!("{what} {}", self.number));
    }
}

impl Processor<u64, String, u64, String> for Life {
    fn init(&mut self, _: &mut ProcessorContext<'_, u64, String>) -> Result<(), BoxError> {
        self.note("init");
        Ok(())
    }

    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, u64, String>,
        record: Record<u64, String>,
    ) -> Result<(), BoxError> {
        match &*record.value {
            "fail" => return Err("asked to fail".into()),
            "panic" => panic!("asked to panic"),
            _ => ctx.forward(record),
        }
        Ok(())
    }

    fn close(&mut self) {
        self.note("close");
        assert!(!self.closes_badly, "asked to close badly");
    }
}

fn lives(closes_badly: bool) -> (StreamsBuilder, Diary) {
    let (builder, diary) = (StreamsBuilder::new(), Diary::default());
    let (of_lives, count) = (diary.clone(), Mutex::new(0));
    let supplier = move || {
        let mut number = count.lock().expect("nobody panics with it");
        *number += 1;
        Life { number: *number, diary: of_lives.clone(), closes_badly }
    };
    builder.stream::<u64, String>("in").process("life", &[], supplier).to("out");
    (builder, diary)
}

fn read(diary: &Diary) -> Vec<String> {
    diary.lock().expect("nobody panics with it").clone()
}

#[test]
fn each_instance_is_closed_once_when_its_task_ends_or_is_rolled_back() -> Tested {
    let (builder, diary) = lives(false);
    let driver = driver(&builder);
    let input = driver.input::<u64, String>("in");
    input.pipe(1, "a".into(), 0)?;
    assert_eq!(read(&diary), ["init 1"]);
    driver.crash();
    input.pipe(1, "b".into(), 1)?;
    assert_eq!(read(&diary), ["init 1", "close 1", "init 2"]);
    input.pipe(1, "fail".into(), 2).expect_err("it was asked to");
    assert_eq!(read(&diary), ["init 1", "close 1", "init 2", "close 2"]);
    drop(driver);
    assert_eq!(read(&diary).iter().filter(|line| line.starts_with("close")).count(), 2);
    Ok(())
}

#[test]
fn an_instance_that_panicked_is_closed_too_and_so_is_one_that_panics_while_it_closes() -> Tested {
    let (builder, diary) = lives(true);
    let config = StreamsConfig { on_task_failure: TaskFailureAction::StopTask, ..StreamsConfig::new("test") };
    let options = DriverOptions { config, ..DriverOptions::default() };
    let driver = TopologyTestDriver::with(&builder.build()?, options)?;
    let input = driver.input::<u64, String>("in");
    input.pipe(1, "panic".into(), 0)?;
    driver.status()?;
    let life = read(&diary);
    let of = |what: &str| life.iter().filter_map(|line| line.strip_prefix(what)).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(of("init "), of("close "), "{life:?}");
    assert!(driver.output::<u64, String>("out").read()?.is_empty());
    Ok(())
}

/// Counts its records, refuses those below 0, and asks for a metric of another kind if told to.
struct Meter {
    records: Counter,
    asks_badly: bool,
}

impl Processor<u64, i64, u64, i64> for Meter {
    fn init(&mut self, ctx: &mut ProcessorContext<'_, u64, i64>) -> Result<(), BoxError> {
        self.records = ctx.counter("records")?;
        if self.asks_badly {
            ctx.gauge("records")?;
        }
        Ok(())
    }

    fn process(&mut self, ctx: &mut ProcessorContext<'_, u64, i64>, record: Record<u64, i64>) -> Result<(), BoxError> {
        self.records.add(1);
        ctx.summary("values")?.record(record.value);
        if record.value < 0 {
            return Err("negative".into());
        }
        ctx.forward(record);
        Ok(())
    }
}

fn metered(asks_badly: bool) -> Tested<TopologyTestDriver> {
    let builder = StreamsBuilder::new();
    let meter = move || Meter { records: Counter::default(), asks_badly };
    let stream = builder.stream::<u64, i64>("in");
    stream.process("first", &[], meter).to("out");
    stream.process("second", &[], meter).to("out-too");
    let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    Ok(TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?)
}

#[test]
fn metrics_tell_what_each_processor_did_since_its_task_began() -> Tested {
    let driver = metered(false)?;
    let input = driver.input::<u64, i64>("in");
    let read = || -> Tested<Vec<(String, String, MetricValue)>> {
        let status = driver.status()?.tasks.remove(0);
        Ok(status.processor_metrics.into_iter().map(|metric| (metric.processor, metric.name, metric.value)).collect())
    };
    input.pipe_all([(1, 5, 0), (2, 7, 1), (3, -2, 2)])?;
    let (all, some) = (Recorded { count: 3, sum: 10, min: -2, max: 7 }, Recorded { count: 2, sum: 12, min: 5, max: 7 });
    let of = |processor: &str, records, values| {
        let named = |name: &str, value| (processor.to_owned(), name.to_owned(), value);
        [named("records", MetricValue::Counter(records)), named("values", MetricValue::Summary(values))]
    };
    // The second processor never saw the record that the first one refused. The first one did, although it has no effect.
    assert_eq!(read()?, [of("first", 3, all), of("second", 2, some)].concat());
    driver.crash();
    assert!(read()?.iter().all(|(_, _, value)| *value == MetricValue::Counter(0)));
    Ok(())
}

#[test]
fn two_kinds_of_metrics_with_one_name_are_an_error_at_the_start() -> Tested {
    let error = metered(true)?.status().err().ok_or("init fails")?;
    assert!(
        error.chain().ends_with("metric 'records' is a counter: give each metric its own name"),
        "{}",
        error.chain()
    );
    Ok(())
}

/// Tells its task and its settings.
struct Surroundings;

impl Processor<u64, String, u64, String> for Surroundings {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, u64, String>,
        record: Record<u64, String>,
    ) -> Result<(), BoxError> {
        let setting = ctx.application_setting(&record.value).unwrap_or("not set");
        let text =
            format!("{} {} {setting} of {}", ctx.application_id(), ctx.task_id(), ctx.application_settings().len());
        ctx.forward(record.with_value(text));
        Ok(())
    }
}

#[test]
fn a_processor_knows_its_task_and_the_settings_of_its_application() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream::<u64, String>("in").process("surroundings", &[], || Surroundings).to("out");
    let config = StreamsConfig::new("shop").application_setting("site", "Bonn").application_setting("site", "Berlin");
    let options = DriverOptions { config, ..DriverOptions::default() }.partitions(2);
    let driver = TopologyTestDriver::with(&builder.build()?, options)?;
    let input = driver.input::<u64, String>("in");
    input.pipe_raw(0, Some(&1_u64.to_be_bytes()), Some(b"site"), 0)?;
    input.pipe_raw(1, Some(&2_u64.to_be_bytes()), Some(b"city"), 1)?;
    let mut told = driver.output::<u64, String>("out").read_values()?;
    told.sort();
    assert_eq!(told, ["shop 0_0 Berlin of 1", "shop 0_1 not set of 1"]);
    Ok(())
}
