//! Records without a key: how they are read, and where they go.

mod common;

use std::{collections::BTreeMap, time::Duration};

use common::{Tested, driver, records};
use tidemill::{
    RecordHandler, StreamsBuilder, StreamsConfig,
    processor::{Processor, ProcessorContext, Punctuation, PunctuationType, Record},
    state::BoxError,
    testing::{DriverOptions, Simulator, SimulatorOptions, TopologyTestDriver},
};

const PARTITIONS: i32 = 4;

/// A driver whose topic `out` has several partitions, and all others one.
fn spreading(builder: &StreamsBuilder, config: StreamsConfig) -> Tested<TopologyTestDriver> {
    let partitions = ["out", "dead", "test-spread-repartition"].map(|topic| (topic.to_owned(), PARTITIONS));
    let options = DriverOptions { config, partitions: partitions.into(), ..DriverOptions::default() };
    Ok(TopologyTestDriver::with(&builder.build()?, options)?)
}

/// How many records each partition of a topic has.
fn shares(driver: &TopologyTestDriver, topic: &str) -> Vec<i64> {
    driver.log().end_offsets(topic).expect("the topic exists")
}

fn pipe_keyless(driver: &TopologyTestDriver, count: i64) -> Tested {
    let input = driver.input::<(), i64>("in");
    (0..count).try_for_each(|number| input.enqueue((), number, number))?;
    driver.status()?;
    Ok(())
}

#[test]
fn records_without_a_key_spread_over_all_partitions() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream_values::<i64>("in").to("out");
    let driver = spreading(&builder, StreamsConfig::new("test"))?;
    pipe_keyless(&driver, 400)?;
    let shares = shares(&driver, "out");
    assert_eq!(shares.iter().sum::<i64>(), 400);
    assert!(shares.iter().all(|share| (70..130).contains(share)), "{shares:?}");
    Ok(())
}

#[test]
fn tests_send_them_to_all_partitions_as_producers_do() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream_values::<i64>("in").to("out");
    let topology = builder.build()?;
    let driver = TopologyTestDriver::with(&topology, DriverOptions::default().partitions(PARTITIONS))?;
    pipe_keyless(&driver, 8)?;
    assert_eq!(shares(&driver, "in"), [2; PARTITIONS as usize]);

    let options = SimulatorOptions { default_partitions: PARTITIONS, ..SimulatorOptions::new(1) };
    let mut simulator = Simulator::new(&topology, options)?;
    (0..8).try_for_each(|number| simulator.append("in", &(), &number, number))?;
    assert_eq!(simulator.log().end_offsets("in")?, [2; PARTITIONS as usize]);
    Ok(())
}

#[test]
fn a_repartition_topic_spreads_them_too() -> Tested {
    let builder = StreamsBuilder::new();
    let spread = builder
        .stream_values::<i64>("in")
        .repartition(tidemill::Repartitioned::<(), i64>::from("spread").partitions(PARTITIONS));
    spread.map_values(|number| number).to("out");
    let driver = spreading(&builder, StreamsConfig::new("test"))?;
    pipe_keyless(&driver, 400)?;
    let shares = shares(&driver, "test-spread-repartition");
    assert!(shares.iter().all(|share| (70..130).contains(share)), "{shares:?}");
    Ok(())
}

#[test]
fn what_one_record_brings_forth_without_a_key_takes_the_partitions_in_turn() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream_values::<i64>("in").flat_map_values(|number| (0..40).map(move |part| number + part)).to("out");
    let driver = spreading(&builder, StreamsConfig::new("test"))?;
    pipe_keyless(&driver, 3)?;
    assert_eq!(shares(&driver, "out"), [30; PARTITIONS as usize]);
    Ok(())
}

/// Forwards as many records as the wall clock has made punctuations due, none of them with a key.
struct Ticker;

impl Processor<(), i64, (), i64> for Ticker {
    fn init(&mut self, ctx: &mut ProcessorContext<'_, (), i64>) -> Result<(), BoxError> {
        ctx.schedule(Duration::from_millis(100), PunctuationType::WallClockTime);
        Ok(())
    }

    fn process(&mut self, _: &mut ProcessorContext<'_, (), i64>, _: Record<(), i64>) -> Result<(), BoxError> {
        Ok(())
    }

    fn punctuate(
        &mut self,
        ctx: &mut ProcessorContext<'_, (), i64>,
        _: Punctuation,
        time_ms: i64,
    ) -> Result<(), BoxError> {
        ctx.forward(Record::new((), time_ms, time_ms));
        Ok(())
    }
}

#[test]
fn what_punctuations_forward_without_a_key_spreads() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream_values::<i64>("in").process("ticker", &[], || Ticker).to("out");
    let driver = spreading(&builder, StreamsConfig::new("test"))?;
    for _ in 0..80 {
        driver.advance_wall_clock(Duration::from_millis(100))?;
    }
    let shares = shares(&driver, "out");
    assert_eq!(shares.iter().sum::<i64>(), 80);
    assert!(shares.iter().all(|share| (8..40).contains(share)), "{shares:?}");
    Ok(())
}

#[test]
fn a_record_without_a_key_that_is_processed_again_goes_where_it_went() -> Tested {
    let mut runs = Vec::new();
    // Batches of other sizes, and lives of other lengths, see the same offsets.
    for lives in [1, 2, 5] {
        let builder = StreamsBuilder::new();
        let doubled = builder.stream_values::<i64>("in").flat_map_values(|number| [number * 2, number * 2 + 1]);
        doubled.to("out");
        let driver = spreading(&builder, StreamsConfig::new("test"))?;
        let input = driver.input::<(), i64>("in");
        for number in 0..40 {
            input.enqueue((), number, number)?;
            if number % (40 / lives) == 0 {
                driver.status()?;
                driver.crash();
            }
        }
        driver.status()?;
        let places: BTreeMap<_, _> = records::<(), i64>(driver.log(), "out")
            .into_iter()
            .map(|(partition, (), value)| (value, partition))
            .collect();
        assert_eq!(places.len(), 80);
        runs.push(places);
    }
    assert!(runs.iter().all(|run| *run == runs[0]), "{runs:?}");
    Ok(())
}

#[test]
fn dead_letters_without_a_key_spread() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream_values::<i64>("in").to("out");
    let deserialization_handler = RecordHandler::DeadLetter("dead".into());
    let driver = spreading(&builder, StreamsConfig { deserialization_handler, ..StreamsConfig::new("test") })?;
    for number in 0..80 {
        driver.input::<(), i64>("in").pipe_raw(0, None, Some(b"garbage"), number)?;
    }
    let shares = shares(&driver, "dead");
    assert_eq!(shares.iter().sum::<i64>(), 80);
    assert!(shares.iter().all(|share| (8..40).contains(share)), "{shares:?}");
    Ok(())
}

#[test]
fn a_null_that_cannot_be_says_where_it_is_and_what_to_write() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").to("out");
    for (key, value, expected) in [
        (
            None,
            Some(&b"hi"[..]),
            ["its key is null", "stream_values", "Option<K>", "drop_null_keys", "deserialization_handler"],
        ),
        (Some(&b"k"[..]), None, ["its value is null", "Option<V>", "table", "null deletes", "deserialization_handler"]),
    ] {
        let driver = driver(&builder);
        let input = driver.input::<String, String>("in");
        input.pipe("k".into(), "v".into(), 0)?;
        let error = input.pipe_raw(0, key, value, 1).err().ok_or("the error must surface")?.chain();
        assert!(error.starts_with("task 0_0, operator 'in', topic 'in', partition 0, offset 1: its "), "{error}");
        assert!(expected.iter().all(|part| error.contains(part)), "{error}");
    }
    Ok(())
}

#[test]
fn bytes_that_do_not_decode_say_whether_they_are_the_key_or_the_value() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream::<i64, String>("in").to("out");
    for (key, value, expected) in [
        (&b"three"[..], &b"x"[..], "offset 0: its key does not decode: not an 8-byte integer: it has 5 bytes"),
        (&[0; 8][..], &b"\xff"[..], "offset 0: its value does not decode: not a UTF-8 string: "),
    ] {
        let driver = driver(&builder);
        let piped = driver.input::<i64, String>("in").pipe_raw(0, Some(key), Some(value), 0);
        let error = piped.err().ok_or("the error must surface")?.chain();
        assert!(error.contains(expected), "{error}");
    }
    Ok(())
}

#[test]
fn the_values_of_a_topic_need_no_keys_and_take_any() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream_values::<String>("in").map_values(|line| line.to_uppercase()).to("out");
    let driver = driver(&builder);
    let input = driver.input::<String, String>("in");
    input.pipe_raw(0, None, Some(b"no key"), 0)?;
    input.pipe_raw(0, Some(b"\xff\xfe"), Some(b"a key of another kind"), 1)?;
    assert_eq!(driver.output::<(), String>("out").read_values()?, ["NO KEY", "A KEY OF ANOTHER KIND"]);
    Ok(())
}

#[test]
fn records_without_a_key_may_be_dropped_and_are_counted() -> Tested {
    let builder = StreamsBuilder::new();
    let keyed = builder.stream::<Option<String>, String>("in").drop_null_keys().named("with-key");
    // A stream of plain keys from here on, partitioned as before: groups need no repartition.
    keyed.group_by_key().count("counts").to_stream().to("out");
    let driver = driver(&builder);
    let input = driver.input::<Option<String>, String>("in");
    for key in [Some("a"), None, Some("a"), Some(""), None] {
        input.pipe(key.map(ToOwned::to_owned), "x".into(), 0)?;
    }
    let counts = driver.output::<String, i64>("out").read()?;
    assert_eq!(counts, [("a".into(), 1, 0), ("a".into(), 2, 0), (String::new(), 1, 0)]);
    assert_eq!(driver.status()?.tasks[0].records_dropped, [("with-key".into(), "null-key", 2)]);
    Ok(())
}
