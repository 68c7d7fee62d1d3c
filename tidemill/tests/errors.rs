//! What becomes of records that cannot be processed, and of the tasks and instances that meet them.

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use std::time::Duration;

use common::{Tested, driver, is_drained, not_bad::NotBad, records, wait_until};
use tidemill::{
    Consumed, EmitStrategy, JoinWindows, Materialized, RecordHandler, Streams, StreamsBuilder, StreamsConfig,
    StreamsState, TaskError, TaskFailureAction, TaskState, TimeWindows, Windowed,
    processor::{Processor, ProcessorContext, Record},
    state::{BigEndian, BoxError, Codec, CodecError, Utf8},
    testing::{DriverOptions, TopologyTestDriver},
    transport::embedded::{EmbeddedLog, Entry},
};

fn with(builder: &StreamsBuilder, config: StreamsConfig) -> TopologyTestDriver {
    let options = DriverOptions { config, ..DriverOptions::default() };
    TopologyTestDriver::with(&builder.build().expect("the topology is valid"), options).expect("the driver starts")
}

/// Counts, and panics at a value of "boom".
fn fragile() -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    builder
        .stream::<String, String>("in")
        .map_values(|value| {
            assert_ne!(value, "boom", "cannot digest it");
            value
        })
        .named("digest")
        .group_by_key()
        .count("counts")
        .to_stream()
        .to("out");
    builder
}

#[test]
fn a_panic_names_operator_topic_partition_and_offset() -> Tested {
    let driver = driver(&fragile());
    let input = driver.input::<String, String>("in");
    input.pipe("a".into(), "fine".into(), 0)?;
    let error = input.pipe("a".into(), "boom".into(), 1).err().ok_or("the panic must surface")?;
    let text = error.chain();
    assert!(
        text.starts_with("task 0_0, operator 'digest', topic 'in', partition 0, offset 1: it panicked: "),
        "{text}"
    );
    assert!(text.contains("cannot digest it"), "{text}");
    Ok(())
}

#[test]
fn nothing_of_a_record_that_panics_is_committed() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in");
    stream.to("before");
    stream
        .group_by_key()
        .count("counts")
        .to_stream()
        .drop_null_values()
        .map_values(|count| assert_ne!(count, 2))
        .to("after");
    let driver = driver(&builder);
    let input = driver.input::<String, String>("in");
    input.pipe("a".into(), "1".into(), 0)?;
    input.pipe("a".into(), "2".into(), 1).err().ok_or("the panic must surface")?;
    assert_eq!(records::<String, String>(driver.log(), "before").len(), 1);
    assert_eq!(records::<String, i64>(driver.log(), "test-counts-changelog"), [(0, "a".into(), 1)]);
    assert_eq!(driver.log().group_lag("test")[0].committed, Some(1));
    Ok(())
}

#[test]
fn a_panicking_timestamp_extractor_names_the_record() -> Tested {
    let builder = StreamsBuilder::new();
    let consumed = Consumed::<String, i64>::from("in").timestamp_from(|_, value| 100 / *value);
    builder.stream(consumed).to("out");
    let driver = driver(&builder);
    let input = driver.input::<String, i64>("in");
    input.pipe("a".into(), 4, 0)?;
    assert_eq!(driver.output::<String, i64>("out").read()?, [("a".into(), 4, 25)]);
    let error = input.pipe("a".into(), 0, 0).err().ok_or("the panic must surface")?;
    assert!(error.chain().contains("topic 'in', partition 0, offset 1: it panicked: attempt to divide by zero"));
    Ok(())
}

#[test]
fn a_panicking_supplier_names_its_processor() -> Tested {
    let log = EmbeddedLog::in_memory();
    log.create("in", 1)?;
    let builder = StreamsBuilder::new();
    let supplier = || -> Odd { panic!("no processors today") };
    let _ = builder.stream::<String, i64>("in").process("odd", &[], supplier);
    let streams = Streams::start(&builder.build()?, StreamsConfig::new("app"), log)?;
    let error = streams.wait().err().ok_or("the panic must surface")?;
    assert_eq!(error.chain(), "task 0_0, operator 'odd', between records: it panicked: no processors today");
    Ok(())
}

/// Lets odd numbers pass.
struct Odd;

impl Processor<String, i64, String, i64> for Odd {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, i64>,
        record: Record<String, i64>,
    ) -> Result<(), BoxError> {
        let even = record.value % 2 == 0;
        ctx.forward(record);
        if even { Err("it is even".into()) } else { Ok(()) }
    }
}

fn odd(handler: RecordHandler) -> TopologyTestDriver {
    let builder = StreamsBuilder::new();
    builder.stream::<String, i64>("in").process("odd", &[], || Odd).to("out");
    with(&builder, StreamsConfig { processing_handler: handler, ..StreamsConfig::new("test") })
}

#[test]
fn an_error_of_a_processor_fails_the_task_by_default() -> Tested {
    let driver = odd(RecordHandler::Fail);
    let input = driver.input::<String, i64>("in");
    input.pipe("a".into(), 1, 0)?;
    let error = input.pipe("a".into(), 2, 0).err().ok_or("the error must surface")?;
    assert_eq!(error.chain(), "task 0_0, operator 'odd', topic 'in', partition 0, offset 1: it is even");
    assert!(matches!(error, TaskError::Failed { .. }));
    assert_eq!(records::<String, i64>(driver.log(), "out").len(), 1);
    Ok(())
}

#[test]
fn a_record_may_be_skipped_with_all_that_it_made() -> Tested {
    let driver = odd(RecordHandler::Skip);
    driver.input::<String, i64>("in").pipe_all((1..=5).map(|number| ("a".into(), number, number)))?;
    assert_eq!(driver.output::<String, i64>("out").read_values()?, [1, 3, 5]);
    assert_eq!(driver.status()?.tasks[0].records_dropped, [("odd".into(), "processing-error", 2)]);
    Ok(())
}

/// Refuses the results of windows that start at a second.
struct NotTheSecond;

impl Processor<Windowed<String>, i64, Windowed<String>, i64> for NotTheSecond {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, Windowed<String>, i64>,
        record: Record<Windowed<String>, i64>,
    ) -> Result<(), BoxError> {
        if record.key.window.start == 1000 {
            return Err("not this one".into());
        }
        ctx.forward(record);
        Ok(())
    }
}

#[test]
fn one_result_of_a_window_that_is_refused_takes_no_other_with_it() -> Tested {
    for stored in [false, true] {
        let builder = StreamsBuilder::new();
        let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(1));
        let counts = builder.stream::<String, String>("in").group_by_key().windowed_by(windows);
        let emit = EmitStrategy::on_window_close().idle_after(Duration::from_secs(1));
        let counts = counts.emit(emit).count("counts").to_stream().drop_null_values();
        counts.process("not-the-second", &[], || NotTheSecond).to("out");
        let handler = RecordHandler::Skip;
        let driver = with(&builder, StreamsConfig { processing_handler: handler, ..StreamsConfig::new("test") });
        let input = driver.input::<String, String>("in");
        // The one whose result is refused is closed together with another.
        input.pipe_all([
            ("a".into(), "x".into(), 0),
            ("a".into(), "x".into(), 1000),
            ("b".into(), "x".into(), 1000),
        ])?;
        if stored {
            driver.crash();
        }
        input.pipe_all([("a".into(), "x".into(), 2000), ("a".into(), "x".into(), 9000)])?;
        driver.advance_wall_clock(Duration::from_secs(3))?;
        let results = driver.output::<Windowed<String>, i64>("out").read()?;
        let starts: Vec<_> = results.into_iter().map(|(key, ..)| key.window.start).collect();
        assert_eq!(starts, [0, 2000, 9000], "stored: {stored}");
        let dropped = driver.status()?.tasks[0].records_dropped.clone();
        let refused = dropped.iter().filter(|(node, ..)| node == "not-the-second");
        assert!(refused.map(|(_, _, count)| count).sum::<u64>() >= 1, "{dropped:?}");
    }
    Ok(())
}

#[test]
fn an_unmatched_record_that_is_refused_does_not_end_a_join() -> Tested {
    let builder = StreamsBuilder::new();
    let (left, right) = (builder.stream::<String, String>("in"), builder.stream::<String, String>("right"));
    let windows = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(1));
    let windows = windows.idle_after(Duration::from_secs(1));
    let joined = left.left_join_stream(&right, windows, "join", |_, left: &String, _: Option<&String>| left.clone());
    joined.process("not-bad", &[], || NotBad).to("out");
    let handler = RecordHandler::Skip;
    let driver = with(&builder, StreamsConfig { processing_handler: handler, ..StreamsConfig::new("test") });
    let input = driver.input::<String, String>("in");
    for (number, value) in ["one", "bad", "three", "four"].into_iter().enumerate() {
        input.pipe("a".into(), value.into(), number as i64 * 5000)?;
    }
    driver.advance_wall_clock(Duration::from_secs(5))?;
    assert_eq!(driver.output::<String, String>("out").read_values()?, ["one", "three", "four"]);
    Ok(())
}

#[test]
fn a_record_may_be_dead_lettered_as_it_came() -> Tested {
    let driver = odd(RecordHandler::DeadLetter("dead".into()));
    driver.input::<String, i64>("in").pipe_all((1..=3).map(|number| ("a".into(), number, number * 10)))?;
    assert_eq!(driver.output::<String, i64>("out").read_values()?, [1, 3]);
    let dead = driver.output::<String, i64>("dead").read_records()?;
    let [letter] = dead.as_slice() else { return Err("one record is dead".into()) };
    assert_eq!((&*letter.key, letter.value, letter.timestamp), ("a", 2, 20));
    assert_eq!(error_headers(&letter.headers), ["it is even", "in", "0", "1"]);
    Ok(())
}

fn error_headers(headers: &tidemill::transport::Headers) -> Vec<String> {
    let value = |name: &str| headers.last(&format!("__streams.errors.{name}")).map(|value| value.to_vec());
    let texts = ["message", "topic", "partition", "offset"].map(|name| value(name).unwrap_or_default());
    texts.into_iter().map(|text| String::from_utf8(text).expect("headers are text")).collect()
}

fn numbers(handler: RecordHandler) -> TopologyTestDriver {
    let builder = StreamsBuilder::new();
    builder.stream::<String, i64>("in").map_values(|number| number + 1).to("out");
    with(&builder, StreamsConfig { deserialization_handler: handler, ..StreamsConfig::new("test") })
}

/// A number, bytes that are none, another number.
fn pipe_garbage(driver: &TopologyTestDriver) -> Result<(), TaskError> {
    let input = driver.input::<String, i64>("in");
    input.pipe("a".into(), 1, 0)?;
    input.pipe_raw(0, Some(b"a"), Some(b"three"), 7)?;
    input.pipe("a".into(), 2, 0)
}

#[test]
fn bytes_that_do_not_decode_fail_the_task_by_default() -> Tested {
    let driver = numbers(RecordHandler::Fail);
    let error = pipe_garbage(&driver).err().ok_or("the error must surface")?;
    let text = error.chain();
    assert!(
        text.starts_with("task 0_0, operator 'in', topic 'in', partition 0, offset 1: its value does not decode: not "),
        "{text}"
    );
    Ok(())
}

#[test]
fn bytes_that_do_not_decode_may_be_skipped() -> Tested {
    let driver = numbers(RecordHandler::Skip);
    pipe_garbage(&driver)?;
    assert_eq!(driver.output::<String, i64>("out").read_values()?, [2, 3]);
    assert_eq!(driver.status()?.tasks[0].records_dropped, [("in".into(), "undecodable", 1)]);
    assert_eq!(driver.log().group_lag("test")[0].lag, 0, "what is skipped is done");
    Ok(())
}

#[test]
fn bytes_that_do_not_decode_may_be_dead_lettered() -> Tested {
    let driver = numbers(RecordHandler::DeadLetter("dead".into()));
    pipe_garbage(&driver)?;
    assert_eq!(driver.output::<String, i64>("out").read_values()?, [2, 3]);
    let dead = driver.output::<String, String>("dead").read_records()?;
    let [letter] = dead.as_slice() else { return Err("one record is dead".into()) };
    assert_eq!((&*letter.key, &*letter.value, letter.timestamp), ("a", "three", 7));
    let headers = error_headers(&letter.headers);
    assert!(headers[0].starts_with("its value does not decode: not "), "{headers:?}");
    assert_eq!(headers[1..], ["in", "0", "1"]);
    Ok(())
}

#[test]
fn a_timestamp_that_is_no_time_is_dropped_and_counted() -> Tested {
    let builder = StreamsBuilder::new();
    let consumed = Consumed::with("in", Utf8, BigEndian).timestamp_from(|_: &String, value: &i64| *value);
    let stream = builder.stream(consumed);
    stream.to("out");
    let windows = TimeWindows::of_size_and_grace(Duration::from_millis(10), Duration::from_hours(24));
    stream.group_by_key().windowed_by(windows).count("counts").to_stream().to("counts-out");
    let apart = JoinWindows::of_time_difference_with_no_grace(Duration::from_hours(24));
    stream.left_join_stream(&stream, apart, "pairs", |_, left, _| *left).to("pairs-out");
    let driver = driver(&builder);
    let values = [5, -1, i64::MIN, i64::MAX, 6];
    driver.input::<String, i64>("in").pipe_all(values.map(|value| ("a".into(), value, 0)))?;
    assert_eq!(driver.output::<String, i64>("out").read_values()?, [5, 6]);
    let task = driver.status()?.tasks.remove(0);
    assert_eq!(task.records_dropped, [("in".into(), "invalid-timestamp", 3)]);
    assert_eq!(task.stream_time_ms, 6);
    let last = i64::MAX / 2;
    driver.input::<String, i64>("in").pipe("a".into(), last, 0)?;
    assert_eq!(driver.output::<String, i64>("out").read_values()?, [5, 6, last]);
    Ok(())
}

/// An application that panics at "boom", over two partitions.
fn start(on_task_failure: TaskFailureAction) -> Result<(EmbeddedLog, Streams), Box<dyn std::error::Error>> {
    let log = EmbeddedLog::in_memory();
    log.create("in", 2)?;
    log.create("out", 2)?;
    let config = StreamsConfig { on_task_failure, ..StreamsConfig::new("app") };
    let streams = Streams::start(&fragile().build()?, config, log.clone())?;
    Ok((log, streams))
}

fn failed(streams: &Streams) -> Vec<String> {
    let tasks = streams.status().into_iter().flat_map(|thread| thread.tasks);
    let errors = tasks.filter_map(|task| match task.state {
        TaskState::Failed { error } => Some(error),
        _ => None,
    });
    errors.collect()
}

#[test]
fn a_task_that_fails_may_leave_the_others_running() -> Tested {
    let (log, streams) = start(TaskFailureAction::StopTask)?;
    log.append("in", 0, [Entry::new("a", "1", 0)])?;
    log.append("in", 1, [Entry::new("b", "1", 0)])?;
    wait_until("both are counted", || is_drained(&log, "app"));
    log.append("in", 0, [Entry::new("a", "boom", 1)])?;
    wait_until("one task fails", || failed(&streams).len() == 1);
    assert!(failed(&streams)[0].starts_with("task 0_0, operator 'digest', topic 'in', partition 0, offset 1"));
    log.append("in", 0, [Entry::new("a", "2", 2)])?;
    log.append("in", 1, [Entry::new("b", "2", 2), Entry::new("b", "3", 3)])?;
    let lag = |partition: usize| log.group_lag("app")[partition].lag;
    wait_until("the other task goes on", || lag(1) == 0);
    assert_eq!(lag(0), 2, "the failed task commits neither the record nor what follows");
    assert_eq!(streams.state(), StreamsState::Running);
    streams.close()?;
    let counts: Vec<_> = records::<String, i64>(&log, "out").into_iter().map(|(_, key, count)| (key, count)).collect();
    for expect in [("a", 1), ("b", 1), ("b", 2), ("b", 3)] {
        assert_eq!(counts.iter().filter(|(key, count)| (key.as_str(), *count) == expect).count(), 1, "{expect:?}");
    }
    assert_eq!(counts.len(), 4);
    Ok(())
}

#[test]
fn an_instance_stops_with_the_error_by_default() -> Tested {
    let (log, streams) = start(TaskFailureAction::StopInstance)?;
    log.append("in", 0, [Entry::new("a", "1", 0), Entry::new("a", "boom", 1)])?;
    wait_until("it stops", || streams.state() == StreamsState::Error);
    let error = streams.wait().err().ok_or("wait tells the error")?;
    assert!(error.chain().contains("operator 'digest', topic 'in', partition 0, offset 1"), "{}", error.chain());
    Ok(())
}

/// Fails in `init` for partition 0's task, which is the first to be made.
struct FailsOnce(Arc<AtomicBool>);

impl Processor<String, String, String, String> for FailsOnce {
    fn init(&mut self, _: &mut ProcessorContext<'_, String, String>) -> Result<(), BoxError> {
        if self.0.swap(true, Ordering::SeqCst) { Ok(()) } else { Err("not ready".into()) }
    }

    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, String>,
        record: Record<String, String>,
    ) -> Result<(), BoxError> {
        ctx.forward(record);
        Ok(())
    }
}

#[test]
fn a_task_that_fails_in_init_leaves_the_others_running() -> Tested {
    let log = EmbeddedLog::in_memory();
    log.create("in", 3)?;
    log.create("out", 1)?;
    let builder = StreamsBuilder::new();
    let failed_once = Arc::new(AtomicBool::new(false));
    builder.stream::<String, String>("in").process("init", &[], move || FailsOnce(failed_once.clone())).to("out");
    let config = StreamsConfig { on_task_failure: TaskFailureAction::StopTask, ..StreamsConfig::new("app") };
    let streams = Streams::start(&builder.build()?, config, log.clone())?;
    for partition in 0..3 {
        log.append("in", partition, [Entry::new(partition.to_string(), "x", 0)])?;
    }
    wait_until("the others go on", || log.end_offsets("out").is_ok_and(|end| end[0] == 2));
    wait_until("the failure is reported", || failed(&streams).len() == 1);
    assert_eq!(failed(&streams), ["task 0_0, operator 'init', between records: not ready"]);
    Ok(streams.close()?)
}

/// Refuses to write a two.
struct NoTwo;

impl Codec<i64> for NoTwo {
    fn encode_into(&self, value: &i64, out: &mut Vec<u8>) -> Result<(), CodecError> {
        assert_ne!(*value, 2, "two cannot be written");
        BigEndian.encode_into(value, out)
    }

    fn decode(&self, bytes: bytes::Bytes) -> Result<i64, CodecError> {
        BigEndian.decode(bytes)
    }
}

#[test]
fn a_query_that_meets_a_failing_task_stops_that_task_not_its_thread() -> Tested {
    let log = EmbeddedLog::in_memory();
    log.create("in", 1)?;
    let builder = StreamsBuilder::new();
    let counts = Materialized::with("counts", Utf8, NoTwo);
    builder.stream::<String, String>("in").group_by_key().count(counts);
    let config = StreamsConfig {
        on_task_failure: TaskFailureAction::StopTask,
        // Not a commit but the query is to bring the aggregate into its store.
        commit_interval: Duration::from_hours(1),
        ..StreamsConfig::new("app")
    };
    log.append("in", 0, [Entry::new("a", "x", 0), Entry::new("a", "y", 1)])?;
    let streams = Streams::start(&builder.build()?, config, log)?;
    let processed = || streams.status().iter().flat_map(|thread| &thread.tasks).any(|task| task.records_processed == 2);
    wait_until("both are counted", processed);
    assert!(streams.key_value_store::<String, i64>("counts").get(&"a".to_owned()).is_err());
    wait_until("the task fails", || !failed(&streams).is_empty() || streams.state() != StreamsState::Running);
    assert_eq!(streams.state(), StreamsState::Running);
    assert!(failed(&streams)[0].contains("two cannot be written"));
    Ok(())
}
