//! Topics that appear or go while the application runs.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{Tested, wait_until};
use tidemill::{
    Produced, RecordHandler, Streams, StreamsBuilder, StreamsConfig, StreamsState, partition_for,
    testing::{DriverOptions, Simulator, SimulatorOptions, TopologyTestDriver},
    transport::{
        Transport as _,
        embedded::{EmbeddedLog, Entry},
    },
};

const REFRESH: Duration = Duration::from_mins(5);

fn driver(builder: &StreamsBuilder, topics: &[(&str, i32)]) -> Tested<TopologyTestDriver> {
    let partitions = topics.iter().map(|(topic, count)| ((*topic).to_owned(), *count)).collect();
    Ok(TopologyTestDriver::with(&builder.build()?, DriverOptions { partitions, ..DriverOptions::default() })?)
}

/// Counts the keys of all topics that begin with `in-`.
fn counting() -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    builder.stream_pattern::<String, i64>("in-.*").group_by_key().count("counts").to_stream().to("out");
    builder
}

#[test]
fn a_topic_that_appears_is_read_from_its_beginning_and_the_state_stays() -> Tested {
    let driver = driver(&counting(), &[("in-1", 1)])?;
    let out = driver.output::<String, Option<i64>>("out");
    driver.input::<String, i64>("in-1").pipe_all([("k".into(), 1, 0), ("k".into(), 1, 1)])?;
    driver.log().create("in-2", 1)?;
    let late = driver.input::<String, i64>("in-2");
    late.pipe("k".into(), 1, 2)?;
    assert_eq!(out.read_values()?, [Some(1), Some(2)], "nobody has looked yet");
    driver.advance_wall_clock(REFRESH)?;
    assert_eq!(out.read_values()?, [Some(3)]);
    late.pipe("k".into(), 1, 3)?;
    driver.input::<String, i64>("in-1").pipe("k".into(), 1, 4)?;
    assert_eq!(out.read_values()?, [Some(4), Some(5)]);
    assert_eq!(driver.status()?.records_restored, 0, "the stores stayed open");
    // A restart goes on where the last one ended, although the driver's plan knows one topic.
    driver.crash();
    driver.advance_wall_clock(REFRESH)?;
    late.pipe("k".into(), 1, 5)?;
    assert_eq!(out.read_values()?, [Some(6)]);
    Ok(())
}

#[test]
fn a_topic_of_a_pattern_that_is_deleted_does_not_end_the_application() -> Tested {
    let driver = driver(&counting(), &[("in-1", 1), ("in-2", 1)])?;
    let out = driver.output::<String, Option<i64>>("out");
    driver.input::<String, i64>("in-1").pipe("k".into(), 1, 0)?;
    driver.input::<String, i64>("in-2").pipe("k".into(), 1, 1)?;
    driver.log().admin()?.delete_topic("in-2")?;
    driver.input::<String, i64>("in-1").pipe("k".into(), 1, 2)?;
    assert_eq!(out.read_values()?, [Some(1), Some(2), Some(3)]);
    // When the last topic goes, the application waits for another one, and has its state.
    driver.log().admin()?.delete_topic("in-1")?;
    assert!(driver.status()?.tasks.is_empty());
    driver.log().create("in-3", 1)?;
    driver.input::<String, i64>("in-3").pipe("k".into(), 1, 3)?;
    driver.advance_wall_clock(REFRESH)?;
    assert_eq!(out.read_values()?, [Some(4)]);
    Ok(())
}

#[test]
fn a_topic_with_another_partition_count_is_not_taken_up_by_steps_with_state() -> Tested {
    let with_state = driver(&counting(), &[("in-1", 1)])?;
    with_state.log().create("in-2", 3)?;
    with_state.input::<String, i64>("in-2").pipe("k".into(), 1, 0)?;
    with_state.advance_wall_clock(REFRESH)?;
    with_state.input::<String, i64>("in-1").pipe("k".into(), 1, 1)?;
    assert_eq!(with_state.output::<String, Option<i64>>("out").read_values()?, [Some(1)]);
    let builder = StreamsBuilder::new();
    builder.stream_pattern::<String, i64>("in-.*").to("out");
    let without = driver(&builder, &[("in-1", 1)])?;
    without.log().create("in-2", 3)?;
    without.input::<String, i64>("in-2").pipe_all((0..9).map(|number| (format!("k{number}"), number, number)))?;
    without.advance_wall_clock(REFRESH)?;
    assert_eq!(without.output::<String, i64>("out").read_values()?.len(), 9);
    assert_eq!(without.status()?.tasks.len(), 3);
    Ok(())
}

#[test]
fn a_sink_of_any_topic_learns_of_new_topics() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").to_by(Produced::any_topic(), |record| record.value.clone());
    let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    let input = driver.input::<String, String>("in");
    input.pipe("k".into(), "new".into(), 0)?;
    driver.log().create("new", 2)?;
    driver.advance_wall_clock(REFRESH)?;
    input.pipe("k".into(), "new".into(), 1)?;
    assert_eq!(driver.output::<String, String>("new").read()?, [("k".into(), "new".into(), 1)]);
    Ok(())
}

#[test]
fn several_instances_take_up_a_topic_and_lose_nothing_under_faults() -> Tested {
    for seed in 0..4 {
        let builder = StreamsBuilder::new();
        let counts = builder.stream_pattern::<u64, u64>("in-.*").group_by_key().count("counts");
        counts.to_stream().to("out");
        let partitions = [("in-1", 3), ("out", 1)].map(|(topic, count)| (topic.to_owned(), count)).into();
        let options = SimulatorOptions { instances: 3, partitions, ..SimulatorOptions::new(seed) };
        let config = StreamsConfig { metadata_max_age: Duration::from_millis(200), ..options.config.clone() };
        let mut simulator = Simulator::new(&builder.build()?, SimulatorOptions { config, ..options })?;
        for number in 0..180_u64 {
            if number == 60 {
                simulator.log().create("in-2", 3)?;
            }
            let topic = if number >= 60 && number % 2 == 0 { "in-2" } else { "in-1" };
            simulator.append(topic, &(number % 5), &number, number as i64)?;
            simulator.run(4)?;
        }
        simulator.rest(Duration::from_secs(2))?;
        simulator.settle()?;
        let out = simulator.read::<u64, Option<i64>>("out")?;
        for key in 0..5 {
            let counts: Vec<_> =
                out.iter().filter(|(_, of, _)| *of == key).filter_map(|(_, _, count)| *count).collect();
            assert_eq!(counts, (1..=36).collect::<Vec<_>>(), "seed {seed}, key {key}");
        }
    }
    Ok(())
}

#[test]
fn threads_take_up_a_topic_by_themselves() -> Tested {
    let log = EmbeddedLog::in_memory();
    for topic in ["in-1", "out"] {
        log.create(topic, 2)?;
    }
    let builder = StreamsBuilder::new();
    builder.stream_pattern::<String, String>("in-.*").to("out");
    let metadata_max_age = Duration::from_millis(20);
    let config = StreamsConfig { num_stream_threads: 2, metadata_max_age, ..StreamsConfig::new("app") };
    let streams = Streams::start(&builder.build()?, config, log.clone())?;
    log.create("in-2", 2)?;
    for partition in [0, 1] {
        log.append("in-2", partition, [Entry::new("k", "new", 0)])?;
    }
    wait_until("the copies", || log.end_offsets("out").is_ok_and(|ends| ends.iter().sum::<i64>() == 2));
    streams.close()?;
    Ok(())
}

/// Counts what comes through a repartition topic, and joins it with a table.
fn regrouping() -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    let words = builder.stream_pattern::<String, String>("in-.*").select_key(|_, word| word.clone());
    let names = builder.stream_pattern::<String, String>("name-.*").to_table("names");
    let counts = words.repartition("words").group_by_key().count("counts").to_stream().drop_null_values();
    counts.to("out");
    builder.stream::<String, String>("orders").to("copies");
    names.to_stream().to("names-out");
    builder
}

#[test]
fn a_pattern_that_matches_nothing_waits_while_the_rest_works() -> Tested {
    let driver = driver(&regrouping(), &[("orders", 1)])?;
    let (out, copies) = (driver.output::<String, i64>("out"), driver.output::<String, String>("copies"));
    driver.input::<String, String>("orders").pipe("k".into(), "tea".into(), 0)?;
    assert_eq!(copies.read_values()?, ["tea"]);
    assert_eq!(driver.status()?.tasks.len(), 1);
    assert!(
        driver.log().admin()?.list_topics()?.iter().all(|topic| !topic.contains("changelog")),
        "nobody knows their partitions yet"
    );
    // Three partitions, which nothing could know before.
    driver.log().create("in-1", 3)?;
    let words = driver.input::<String, String>("in-1");
    words.pipe_all([("1", "a"), ("2", "b"), ("3", "a")].map(|(key, word)| (key.to_owned(), word.to_owned(), 0)))?;
    assert_eq!(out.read()?, []);
    driver.advance_wall_clock(REFRESH)?;
    let mut counts = out.read()?;
    counts.sort();
    assert_eq!(counts, [("a".to_owned(), 1, 0), ("a".to_owned(), 2, 0), ("b".to_owned(), 1, 0)]);
    assert_eq!(driver.status()?.tasks.len(), 7, "one of orders, three of each side of the repartition topic");
    driver.input::<String, String>("orders").pipe("k".into(), "jam".into(), 0)?;
    assert_eq!(copies.read_values()?, ["jam"]);
    driver.crash();
    driver.advance_wall_clock(REFRESH)?;
    words.pipe("4".into(), "a".into(), 1)?;
    assert_eq!(out.read()?, [("a".to_owned(), 3, 1)]);
    Ok(())
}

#[test]
fn instances_that_wait_for_a_topic_take_it_up_and_lose_nothing_under_faults() -> Tested {
    for seed in 0..4 {
        let builder = StreamsBuilder::new();
        let words = builder.stream_pattern::<u64, u64>("in-.*").select_key(|_, word| *word);
        words.repartition("words").group_by_key().count("counts").to_stream().to("out");
        let partitions = [("out", 1)].map(|(topic, count)| (topic.to_owned(), count)).into();
        let options = SimulatorOptions { instances: 3, partitions, ..SimulatorOptions::new(seed) };
        let config = StreamsConfig { metadata_max_age: Duration::from_millis(200), ..options.config.clone() };
        let mut simulator = Simulator::new(&builder.build()?, SimulatorOptions { config, ..options })?;
        simulator.run(20)?;
        simulator.log().create("in-1", 3)?;
        for number in 0..100_u64 {
            simulator.append("in-1", &number, &(number % 5), number as i64)?;
            simulator.run(4)?;
        }
        simulator.rest(Duration::from_secs(2))?;
        simulator.settle()?;
        let out = simulator.read::<u64, Option<i64>>("out")?;
        for key in 0..5 {
            let counts: Vec<_> = out.iter().filter(|(_, of, _)| *of == key).filter_map(|(_, _, it)| *it).collect();
            assert_eq!(counts, (1..=20).collect::<Vec<_>>(), "seed {seed}, key {key}");
        }
    }
    Ok(())
}

#[test]
fn an_application_that_waits_runs_answers_queries_and_takes_the_topic_up() -> Tested {
    let log = EmbeddedLog::in_memory();
    log.create("out", 1)?;
    let metadata_max_age = Duration::from_millis(20);
    let config = StreamsConfig { num_stream_threads: 2, metadata_max_age, ..StreamsConfig::new("app") };
    let streams = Streams::start(&counting().build()?, config, log.clone())?;
    assert_eq!(streams.state(), StreamsState::Running);
    let key = "k".to_owned();
    assert!(streams.query_metadata_for_key("counts", &key)?.active.is_none());
    log.create("in-1", 2)?;
    let partition = partition_for(Some(b"k"), 2);
    log.append("in-1", partition, [Entry::new("k", Bytes::copy_from_slice(&1_i64.to_be_bytes()), 0)])?;
    wait_until("the count", || log.end_offsets("out").is_ok_and(|ends| ends.iter().sum::<i64>() >= 1));
    wait_until("the owner is known", || {
        streams.query_metadata_for_key("counts", &key).is_ok_and(|at| at.partition == partition && at.active.is_some())
    });
    assert_eq!(streams.key_value_store::<String, i64>("counts").get(&key)?, Some(1));
    streams.close()?;
    Ok(())
}
