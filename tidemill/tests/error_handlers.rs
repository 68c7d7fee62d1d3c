//! Handlers of errors that users write: what they see, and what their answers do.

mod common;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use common::{Tested, is_drained, records, wait_until};
use tidemill::{
    ErrorHandler, ErrorHandlerContext, ErrorHandlerResponse, ErrorOrigin, RecordHandler, Streams, StreamsBuilder,
    StreamsConfig, TaskFailureAction,
    processor::{Processor, ProcessorContext, Punctuation, PunctuationType, Record},
    state::BoxError,
    testing::{DriverOptions, TopologyTestDriver},
    transport::embedded::{EmbeddedLog, Entry},
};

fn with(builder: &StreamsBuilder, config: StreamsConfig) -> Tested<TopologyTestDriver> {
    Ok(TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?)
}

/// What a handler saw, in a line.
fn told(failed: &ErrorHandlerContext<'_>) -> String {
    let ErrorHandlerContext { origin, task, node, record, error, .. } = failed;
    let text = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map(|it| String::from_utf8_lossy(it).into_owned());
    let record = record.map(|record| {
        let trace = record.headers.last("trace").map(|it| String::from_utf8_lossy(it).into_owned());
        format!(
            "{}, time {}, {:?}, {:?}, {trace:?}",
            record.position,
            record.timestamp,
            text(&record.key),
            text(&record.value)
        )
    });
    format!("{origin} {task} '{node}' {}: {error}", record.unwrap_or_else(|| "between records".to_owned()))
}

/// A handler that notes what it sees and always gives this answer.
fn noting(answer: ErrorHandlerResponse) -> (RecordHandler, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let noted = seen.clone();
    let handler = ErrorHandler::new(move |failed| {
        noted.lock().expect("no panic").push(told(failed));
        answer.clone()
    });
    (handler.dead_letters_to("dead").into(), seen)
}

/// Reads numbers, counts them by key and passes on those that are not 13.
fn numbers() -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    let numbers = builder.stream::<String, i64>("in");
    numbers.group_by_key().count("counts");
    let lucky = numbers.try_filter(|_, number| if *number == 13 { Err("13 brings bad luck") } else { Ok(true) });
    lucky.named("luck").to("out");
    builder
}

#[test]
fn a_handler_sees_the_record_the_operator_and_the_error() -> Tested {
    let (handler, seen) = noting(ErrorHandlerResponse::Continue);
    let config = StreamsConfig {
        deserialization_handler: handler.clone(),
        processing_handler: handler,
        ..StreamsConfig::new("test")
    };
    let driver = with(&numbers(), config)?;
    let input = driver.input::<String, i64>("in");
    input.pipe_raw(0, Some(b"a"), Some(b"long"), 1)?;
    input.pipe("a".into(), 13, 2)?;
    input.pipe("a".into(), 7, 3)?;
    assert_eq!(driver.output::<String, i64>("out").read_values()?, [7]);
    let seen = seen.lock().expect("no panic");
    assert_eq!(seen.len(), 2, "{seen:#?}");
    let place = "0_0 'in' topic 'in', partition 0, offset 0, time 1, Some(\"a\"), Some(\"long\"), None";
    assert!(seen[0].starts_with(&format!("deserialization {place}: its value does not decode")), "{seen:#?}");
    let place =
        "0_0 'luck' topic 'in', partition 0, offset 1, time 2, Some(\"a\"), Some(\"\\0\\0\\0\\0\\0\\0\\0\\r\"), None";
    assert_eq!(seen[1], format!("processing {place}: 13 brings bad luck"));
    let dropped = &driver.status()?.tasks[0].records_dropped;
    assert_eq!(*dropped, [("in".to_owned(), "undecodable", 1), ("luck".to_owned(), "processing-error", 1)]);
    let counts = driver.key_value_store::<String, i64>("counts", 0)?.ok_or("it runs")?;
    assert_eq!(counts.get(&"a".into())?, Some(1), "what is left out leaves no trace");
    Ok(())
}

#[test]
fn a_handler_chooses_the_dead_letter_topic() -> Tested {
    let handler = ErrorHandler::new(|failed| {
        let topic = if failed.origin == ErrorOrigin::Deserialization { "unread" } else { "unlucky" };
        ErrorHandlerResponse::DeadLetter(topic.to_owned())
    });
    let handler: RecordHandler = handler.dead_letters_to("unread").dead_letters_to("unlucky").into();
    let config = StreamsConfig {
        deserialization_handler: handler.clone(),
        processing_handler: handler,
        ..StreamsConfig::new("test")
    };
    let driver = with(&numbers(), config)?;
    let input = driver.input::<String, i64>("in");
    input.pipe_raw(0, Some(b"a"), Some(b"long"), 1)?;
    input.pipe("a".into(), 13, 2)?;
    assert_eq!(driver.output::<String, String>("unread").read()?, [("a".to_owned(), "long".to_owned(), 1)]);
    let letter = driver.output::<String, i64>("unlucky").read_records()?.remove(0);
    assert_eq!((letter.value, letter.timestamp), (13, 2));
    let header = |name: &str| letter.headers.last(name).map(|it| String::from_utf8_lossy(it).into_owned());
    let names = ["topic", "partition", "offset", "message"].map(|name| header(&format!("__streams.errors.{name}")));
    assert_eq!(names.map(Option::unwrap_or_default), ["in", "0", "1", "13 brings bad luck"]);
    let names = ["application", "operator", "origin"].map(|name| header(&format!("tidemill.errors.{name}")));
    assert_eq!(names.map(Option::unwrap_or_default), ["test", "luck", "processing"]);
    Ok(())
}

#[test]
fn a_topic_that_a_handler_has_not_declared_fails_the_task() -> Tested {
    let handler = ErrorHandler::new(|_| ErrorHandlerResponse::DeadLetter("elsewhere".to_owned()));
    let config = StreamsConfig { processing_handler: handler.into(), ..StreamsConfig::new("test") };
    let driver = with(&numbers(), config)?;
    let error = driver.input::<String, i64>("in").pipe("a".into(), 13, 0).err().ok_or("it fails")?.chain();
    for part in ["operator 'luck'", "offset 0", "'elsewhere'", "ErrorHandler::dead_letters_to", "bad luck"] {
        assert!(error.contains(part), "{part} in {error}");
    }
    Ok(())
}

#[test]
fn a_handler_that_fails_or_panics_fails_the_task_at_the_record() -> Tested {
    let fails = ErrorHandler::new(|_| ErrorHandlerResponse::Fail);
    let panics = ErrorHandler::new(|_| panic!("the handler is broken"));
    for (handler, cause) in [(fails, "13 brings bad luck"), (panics, "the handler is broken")] {
        let config = StreamsConfig { processing_handler: handler.into(), ..StreamsConfig::new("test") };
        let driver = with(&numbers(), config)?;
        let error = driver.input::<String, i64>("in").pipe("a".into(), 13, 0).err().ok_or("it fails")?.chain();
        assert!(error.starts_with("task 0_0, operator 'luck', topic 'in', partition 0, offset 0: "), "{error}");
        assert!(error.contains(cause), "{error}");
    }
    Ok(())
}

/// Fails in each punctuation, after it has written its store and sent a record.
struct Failing;

impl Processor<String, String, String, String> for Failing {
    fn init(&mut self, ctx: &mut ProcessorContext<'_, String, String>) -> Result<(), BoxError> {
        ctx.schedule(Duration::from_millis(10), PunctuationType::StreamTime);
        Ok(())
    }

    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, String>,
        record: Record<String, String>,
    ) -> Result<(), BoxError> {
        ctx.forward(record);
        Ok(())
    }

    fn punctuate(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, String>,
        _: Punctuation,
        time_ms: i64,
    ) -> Result<(), BoxError> {
        ctx.key_value_store::<String, i64>("times")?.put(&"last".into(), &time_ms, time_ms)?;
        ctx.forward(Record::new("p".into(), "punctuated".into(), time_ms));
        Err("no time".into())
    }
}

#[test]
fn a_punctuation_that_fails_goes_to_the_processing_handler() -> Tested {
    let (handler, seen) = noting(ErrorHandlerResponse::DeadLetter("dead".to_owned()));
    let builder = StreamsBuilder::new();
    builder.add_key_value_store::<String, i64>("times");
    builder.stream::<String, String>("in").process("failing", &["times"], || Failing).to("out");
    let config = StreamsConfig { processing_handler: handler, ..StreamsConfig::new("test") };
    let driver = with(&builder, config)?;
    driver.input::<String, String>("in").pipe("a".into(), "1".into(), 5)?;
    assert_eq!(*seen.lock().expect("no panic"), ["punctuation 0_0 'failing' between records: no time"]);
    assert_eq!(driver.output::<String, String>("out").read_values()?, ["1"]);
    assert!(driver.output::<String, String>("dead").read()?.is_empty(), "there is no record to keep");
    let times = driver.key_value_store::<String, i64>("times", 0)?.ok_or("it runs")?;
    assert_eq!(times.get(&"last".into())?, None);
    Ok(())
}

/// A filter that refuses "wait" until it has been asked this many times.
fn patient(times: u32) -> (StreamsBuilder, Arc<AtomicU32>) {
    let (builder, asked) = (StreamsBuilder::new(), Arc::<AtomicU32>::default());
    let counted = asked.clone();
    let text = builder.stream::<String, String>("in");
    text.group_by_key().count("counts").to_stream().to("counted");
    let check = move |_: &String, text: &String| {
        let early = text == "wait" && counted.fetch_add(1, Ordering::SeqCst) < times;
        if early { Err("it is too early") } else { Ok(()) }
    };
    text.try_peek(check).to("out");
    (builder, asked)
}

#[test]
fn a_replaced_thread_tries_the_record_again() -> Tested {
    let (builder, asked) = patient(2);
    let (handler, seen) = noting(ErrorHandlerResponse::ReplaceThread);
    let config = StreamsConfig { processing_handler: handler, ..StreamsConfig::new("test") };
    let driver = with(&builder, config)?;
    let texts = ["one", "wait", "two"].map(|text| ("a".to_owned(), text.to_owned(), 0));
    driver.input::<String, String>("in").pipe_all(texts)?;
    assert_eq!(driver.output::<String, String>("out").read_values()?, ["one", "wait", "two"]);
    assert_eq!(driver.output::<String, i64>("counted").read_values()?, [1, 2, 3], "each record counts once");
    assert_eq!((asked.load(Ordering::SeqCst), seen.lock().expect("no panic").len()), (3, 2));
    assert_eq!(driver.status()?.replaced, 2);
    let counts = driver.key_value_store::<String, i64>("counts", 0)?.ok_or("it runs")?;
    assert_eq!(counts.get(&"a".into())?, Some(3), "the new thread's store can be read");
    Ok(())
}

#[test]
fn a_thread_of_several_is_replaced_and_no_record_is_lost_or_counted_twice() -> Tested {
    let (builder, _) = patient(3);
    let log = EmbeddedLog::in_memory();
    for topic in ["in", "out", "counted"] {
        log.create(topic, 4)?;
    }
    for partition in 0..4 {
        let texts = ["one", "wait", "two"].map(|text| Entry::new(format!("key-{partition}"), text, 0));
        log.append("in", partition, texts)?;
    }
    let (processing_handler, seen) = noting(ErrorHandlerResponse::ReplaceThread);
    log.create("dead", 1)?;
    let config = StreamsConfig {
        processing_handler,
        num_stream_threads: 2,
        commit_interval: Duration::from_millis(5),
        ..StreamsConfig::new("app")
    };
    let streams = Streams::start(&builder.build()?, config, log.clone())?;
    wait_until("all is processed", || is_drained(&log, "app"));
    streams.close()?;
    assert_eq!(seen.lock().expect("no panic").len(), 3);
    let mut counted: Vec<(String, i64)> =
        records::<String, i64>(&log, "counted").into_iter().map(|(_, key, count)| (key, count)).collect();
    counted.sort();
    let expected = (0..4).flat_map(|partition| (1..=3).map(move |count| (format!("key-{partition}"), count)));
    assert_eq!(counted, expected.collect::<Vec<_>>());
    Ok(())
}

#[test]
fn a_record_that_no_thread_can_process_fails_the_task_in_the_end() -> Tested {
    let replaces = || ErrorHandler::new(|_| ErrorHandlerResponse::ReplaceThread).into();
    let by_handler = StreamsConfig { processing_handler: replaces(), ..StreamsConfig::new("test") };
    let by_action = StreamsConfig { on_task_failure: TaskFailureAction::ReplaceThread, ..StreamsConfig::new("test") };
    for config in [by_handler, by_action] {
        for most in [0, 2] {
            let (builder, asked) = patient(u32::MAX);
            let driver = with(&builder, StreamsConfig { max_thread_replacements: most, ..config.clone() })?;
            let error =
                driver.input::<String, String>("in").pipe("a".into(), "wait".into(), 0).err().ok_or("it fails")?;
            assert!(error.chain().ends_with("offset 0: it is too early"), "{}", error.chain());
            assert_eq!(asked.load(Ordering::SeqCst), most + 1);
        }
    }
    Ok(())
}

#[test]
fn a_thread_is_replaced_after_a_panic_if_the_application_wants_it() -> Tested {
    let (builder, panics) = (StreamsBuilder::new(), Arc::<AtomicU32>::default());
    let map = move |text: String| {
        assert!(text != "once" || panics.fetch_add(1, Ordering::SeqCst) > 0, "the first time is hard");
        text
    };
    builder.stream::<String, String>("in").map_values(map).to("out");
    let config = StreamsConfig { on_task_failure: TaskFailureAction::ReplaceThread, ..StreamsConfig::new("test") };
    let driver = with(&builder, config)?;
    driver.input::<String, String>("in").pipe("a".into(), "once".into(), 0)?;
    assert_eq!(driver.output::<String, String>("out").read_values()?, ["once"]);
    Ok(())
}

#[test]
fn a_record_of_the_dead_letter_topic_goes_there_no_second_time() -> Tested {
    let builder = StreamsBuilder::new();
    let numbers = builder.stream::<String, String>(["in", "dead"]);
    numbers.try_map_values(|text| text.parse::<i64>()).named("parse").to("out");
    let config = StreamsConfig {
        processing_handler: RecordHandler::DeadLetter("dead".into()),
        deserialization_handler: RecordHandler::DeadLetter("dead".into()),
        ..StreamsConfig::new("test")
    };
    let driver = with(&builder, config.clone())?;
    // What can be processed is read from there.
    driver.input::<String, String>("dead").pipe("a".into(), "7".into(), 0)?;
    assert_eq!(driver.output::<String, i64>("out").read_values()?, [7]);
    let error = driver.input::<String, String>("in").pipe("a".into(), "seven".into(), 1).err().ok_or("it fails")?;
    for part in ["operator 'parse', topic 'dead'", "dead-letter topic 'dead' itself", "invalid digit"] {
        assert!(error.chain().contains(part), "{part} in {}", error.chain());
    }

    let driver = with(&builder, config)?;
    let error = driver.input::<String, String>("dead").pipe_raw(0, Some(b"a"), Some(&[0xff]), 0).err();
    let error = error.ok_or("it fails")?.chain();
    assert!(error.contains("dead-letter topic 'dead' itself"), "{error}");
    Ok(())
}
