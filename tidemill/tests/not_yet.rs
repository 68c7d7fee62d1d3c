//! A value that decodes later is waited for: it is not given up, and nothing overtakes it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tidemill::{
    Consumed, KStream, Materialized, RecordHandler, StreamsBuilder, StreamsConfig,
    state::{Codec, CodecError, Json, Utf8},
    testing::{DriverOptions, TopologyTestDriver},
};

/// Text. What begins with `later` decodes once it has been asked for often enough.
#[derive(Clone)]
struct Later(Arc<AtomicI64>);

impl Later {
    const NEVER: i64 = i64::MAX;

    fn after(attempts: i64) -> Self {
        Self(Arc::new(AtomicI64::new(attempts)))
    }

    fn arrives(&self) {
        self.0.store(0, Ordering::SeqCst);
    }
}

impl Codec<String> for Later {
    fn encode_into(&self, value: &String, out: &mut Vec<u8>) -> Result<(), CodecError> {
        Utf8.encode_into(value, out)
    }

    fn decode(&self, bytes: Bytes) -> Result<String, CodecError> {
        if bytes.starts_with(b"later") && self.0.fetch_sub(1, Ordering::SeqCst) > 0 {
            return Err(CodecError::NotYet { reason: "the key to it is on its way".to_owned() });
        }
        Utf8.decode(bytes)
    }
}

/// Every handler would give a record up.
fn lenient() -> StreamsConfig {
    StreamsConfig {
        deserialization_handler: RecordHandler::DeadLetter("dead".to_owned()),
        processing_handler: RecordHandler::DeadLetter("dead".to_owned()),
        ..StreamsConfig::new("not-yet")
    }
}

fn driver(builder: &StreamsBuilder, partitions: i32) -> TopologyTestDriver {
    let options = DriverOptions { config: lenient(), ..DriverOptions::default() }.partitions(partitions);
    TopologyTestDriver::with(&builder.build().expect("valid"), options).expect("starts")
}

fn stream(builder: &StreamsBuilder, topic: &str, codec: &Later) -> KStream<String, String> {
    builder.stream(Consumed::with(topic, Utf8, codec.clone()))
}

fn nothing_given_up(driver: &TopologyTestDriver) {
    let ends = driver.log().end_offsets("dead").expect("it exists");
    assert!(ends.iter().all(|end| *end == 0), "{ends:?} dead letters");
    let status = driver.status().expect("it runs");
    assert!(status.tasks.iter().all(|task| task.records_dropped.is_empty()), "{status:?}");
}

#[test]
fn records_wait_in_their_order() {
    let (builder, codec) = (StreamsBuilder::new(), Later::after(Later::NEVER));
    stream(&builder, "in", &codec).to("out");
    let driver = driver(&builder, 1);
    let (input, output) = (driver.input::<String, String>("in"), driver.output::<String, String>("out"));
    for (at, text) in ["one", "later: two", "three"].into_iter().enumerate() {
        input.pipe("k".to_owned(), text.to_owned(), at as i64).expect("piped");
    }
    assert_eq!(output.read_values().expect("read"), ["one"]);
    let status = driver.status().expect("it runs");
    let waits: Vec<_> = status.tasks[0].partitions.iter().map(|input| input.waits_for.as_deref()).collect();
    assert_eq!(waits, [Some("the key to it is on its way")]);
    nothing_given_up(&driver);

    codec.arrives();
    assert_eq!(output.read_values().expect("read"), ["later: two", "three"]);
    assert_eq!(driver.status().expect("it runs").tasks[0].partitions[0].waits_for, None);
    nothing_given_up(&driver);
}

#[test]
fn a_crash_while_waiting_loses_nothing() {
    let (builder, codec) = (StreamsBuilder::new(), Later::after(Later::NEVER));
    stream(&builder, "in", &codec).to("out");
    let driver = driver(&builder, 1);
    let input = driver.input::<String, String>("in");
    input.pipe("k".to_owned(), "one".to_owned(), 0).expect("piped");
    input.pipe("k".to_owned(), "later: two".to_owned(), 1).expect("piped");
    driver.crash();
    codec.arrives();
    let output = driver.output::<String, String>("out");
    assert_eq!(output.read_values().expect("read"), ["one", "later: two"]);
}

#[test]
fn tasks_of_other_partitions_go_on() {
    let (builder, codec) = (StreamsBuilder::new(), Later::after(Later::NEVER));
    stream(&builder, "in", &codec).to("out");
    let driver = driver(&builder, 2);
    let input = driver.input::<String, String>("in");
    input.pipe_raw(0, Some(b"a"), Some(b"later"), 0).expect("piped");
    input.pipe_raw(1, Some(b"b"), Some(b"now"), 1).expect("piped");
    assert_eq!(driver.output::<String, String>("out").read_values().expect("read"), ["now"]);
    nothing_given_up(&driver);
}

#[test]
fn no_other_input_of_the_task_overtakes() {
    let (builder, codec) = (StreamsBuilder::new(), Later::after(Later::NEVER));
    stream(&builder, "left", &codec).merge(&stream(&builder, "right", &codec)).to("out");
    let driver = driver(&builder, 1);
    driver.input::<String, String>("left").pipe("k".to_owned(), "later: first".to_owned(), 0).expect("piped");
    driver.input::<String, String>("right").pipe("k".to_owned(), "second".to_owned(), 1).expect("piped");
    driver.advance_wall_clock(Duration::from_secs(3600)).expect("it runs");
    let output = driver.output::<String, String>("out");
    assert!(output.read_values().expect("read").is_empty());

    codec.arrives();
    assert_eq!(output.read_values().expect("read"), ["later: first", "second"]);
}

#[test]
fn a_value_that_an_operator_needs_is_waited_for_from_the_last_commit_on() {
    let (builder, codec) = (StreamsBuilder::new(), Later::after(3));
    let table = builder.table("names", Materialized::with("names", Utf8, codec.clone()));
    builder.stream::<String, String>("in").join(&table, |_, text, name| format!("{name} says {text}")).to("out");
    let driver = driver(&builder, 1);
    // Asked for once when it is read; two attempts are left for the join.
    codec.arrives();
    driver.input::<String, String>("names").pipe("k".to_owned(), "later: Ada".to_owned(), 0).expect("piped");
    codec.0.store(2, Ordering::SeqCst);
    driver.input::<String, String>("in").pipe("k".to_owned(), "hi".to_owned(), 1).expect("piped");
    let output = driver.output::<String, String>("out");
    assert_eq!(output.read_values().expect("read"), ["later: Ada says hi"]);
    assert_eq!(driver.status().expect("it runs").aborts, 2);
    nothing_given_up(&driver);
}

#[test]
fn a_table_reads_its_topic_with_one_codec_and_keeps_it_with_another() {
    let builder = StreamsBuilder::new();
    let counts = Consumed::with("counts", Utf8, Json::<i64>::default());
    let table = builder.table_with::<String, i64>(counts, Materialized::named("counts"));
    builder.stream::<String, String>("in").join(&table, |_, text, count| format!("{text}{count}")).to("out");
    let driver = driver(&builder, 1);
    driver.input::<String, String>("counts").pipe_raw(0, Some(b"k"), Some(b"7"), 0).expect("piped");
    driver.input::<String, String>("in").pipe("k".to_owned(), "x".to_owned(), 1).expect("piped");
    assert_eq!(driver.output::<String, String>("out").read_values().expect("read"), ["x7"]);
    let store = driver.key_value_store::<String, i64>("counts", 0).expect("it runs").expect("it is there");
    assert_eq!(store.get(&"k".to_owned()).expect("read"), Some(7));
}
