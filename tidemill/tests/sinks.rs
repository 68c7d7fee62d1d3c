//! Sinks that choose: the topic by record, and any number of partitions.

mod common;

use common::{Tested, records};
use tidemill::{
    Plan, Produced, RecordHandler, Repartitioned, Streams, StreamsBuilder, StreamsConfig,
    state::{BigEndian, Utf8},
    testing::{DriverOptions, TopologyTestDriver},
    transport::embedded::EmbeddedLog,
};

/// Sends each record to the topic that its value names.
fn by_value(topics: impl Into<Produced<u64, String>>) -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    builder.stream::<u64, String>("in").to_by(topics, |record| record.value.clone());
    builder
}

fn driver(builder: &StreamsBuilder, handler: RecordHandler, others: &[(&str, i32)]) -> Tested<TopologyTestDriver> {
    let config = StreamsConfig { processing_handler: handler, ..StreamsConfig::new("test") };
    let partitions = others.iter().map(|(topic, count)| ((*topic).to_owned(), *count)).collect();
    Ok(TopologyTestDriver::with(&builder.build()?, DriverOptions { config, partitions, ..DriverOptions::default() })?)
}

#[test]
fn each_record_goes_to_the_topic_that_it_chooses_in_the_partition_of_its_key() -> Tested {
    let driver = driver(&by_value(["a", "b"]), RecordHandler::Fail, &[("a", 1), ("b", 4)])?;
    let input = driver.input::<u64, String>("in");
    input.pipe_all([(1, "b".into(), 0), (2, "a".into(), 1), (3, "b".into(), 2)])?;
    assert_eq!(records::<u64, String>(driver.log(), "a"), [(0, 2, "a".to_owned())]);
    let partition = |key: u64| tidemill::partition_for(Some(&key.to_be_bytes()), 4);
    let mut expected = [(partition(1), 1, "b".to_owned()), (partition(3), 3, "b".to_owned())];
    expected.sort();
    assert_eq!(records::<u64, String>(driver.log(), "b"), expected);
    Ok(())
}

#[test]
fn the_chooser_sees_key_value_time_and_headers() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream::<u64, String>("in").to_by(["yes", "no"], |record| {
        let all = record.key == 7 && record.value == "v" && record.timestamp == 9 && record.headers.is_empty();
        if all { "yes" } else { "no" }
    });
    let driver = driver(&builder, RecordHandler::Fail, &[])?;
    driver.input::<u64, String>("in").pipe(7, "v".into(), 9)?;
    assert_eq!(driver.output::<u64, String>("yes").read_values()?, ["v"]);
    Ok(())
}

#[test]
fn a_topic_that_is_not_declared_fails_the_task_by_default() -> Tested {
    // It exists, but the sink does not declare it.
    let driver = driver(&by_value(["a", "b"]), RecordHandler::Fail, &[("c", 1)])?;
    let error = driver.input::<u64, String>("in").pipe(1, "c".into(), 0).err().ok_or("it must fail")?.chain();
    assert!(error.contains("topic 'in', partition 0, offset 0"), "{error}");
    assert!(error.ends_with("the record chose topic 'c', but its sink declares 'a', 'b': add it there"), "{error}");
    Ok(())
}

#[test]
fn an_unknown_topic_goes_by_the_processing_handler() -> Tested {
    for topics in [Produced::from(["a", "b"]), Produced::any_topic()] {
        let driver = driver(&by_value(topics), RecordHandler::DeadLetter("dead".into()), &[("a", 1), ("b", 1)])?;
        driver.input::<u64, String>("in").pipe_all([(1, "a".into(), 0), (2, String::new(), 1), (3, "b".into(), 2)])?;
        assert_eq!(driver.output::<u64, String>("a").read()?, [(1, "a".into(), 0)]);
        assert_eq!(driver.output::<u64, String>("b").read()?, [(3, "b".into(), 2)]);
        assert_eq!(driver.output::<u64, String>("dead").read()?, [(2, String::new(), 1)]);
        let dropped = driver.status()?.tasks[0].records_dropped.clone();
        assert!(matches!(dropped.as_slice(), [(_, "processing-error", 1)]), "{dropped:?}");
    }
    Ok(())
}

#[test]
fn no_record_gets_into_the_internal_topics_by_a_choice() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<u64, String>("in");
    stream.group_by_key().count("counts");
    stream.to_by(Produced::any_topic(), |record| record.value.clone());
    let driver = driver(&builder, RecordHandler::Skip, &[])?;
    let input = driver.input::<u64, String>("in");
    for topic in ["test-counts-changelog", "test-members", "test-stores"] {
        let before = driver.log().end_offsets(topic).unwrap_or_default();
        input.pipe(1, topic.into(), 0)?;
        let after = driver.log().end_offsets(topic).unwrap_or_default();
        assert!(after.iter().sum::<i64>() <= before.iter().sum::<i64>() + i64::from(topic.ends_with("changelog")));
    }
    let dropped = driver.status()?.tasks[0].records_dropped.clone();
    assert!(dropped.iter().any(|(_, reason, count)| *reason == "processing-error" && *count == 3), "{dropped:?}");
    Ok(())
}

#[test]
fn a_declared_topic_that_does_not_exist_is_a_problem_at_the_start() -> Tested {
    let log = EmbeddedLog::in_memory();
    log.create("in", 1)?;
    log.create("a", 1)?;
    let started = Streams::start(&by_value(["a", "b"]).build()?, StreamsConfig::new("app"), log);
    let error = started.err().ok_or("topic 'b' is missing")?;
    assert_eq!(error.problems(), ["topic 'b' does not exist: create it before starting"]);
    Ok(())
}

#[test]
fn a_sink_of_one_topic_cannot_declare_several() {
    let builder = StreamsBuilder::new();
    builder.stream::<u64, String>("in").to(["a", "b"]);
    let error = builder.build().expect_err("two topics and nothing that chooses");
    assert_eq!(error.problems(), ["`to` writes one topic: to choose among several by record, use `to_by`"]);
}

#[test]
fn a_record_to_several_partitions_is_written_once_to_each_or_not_at_all() -> Tested {
    let builder = StreamsBuilder::new();
    let chosen = Produced::with("out", Utf8, BigEndian).partitioned_by_many(|key: &String, _: &i64, partitions| {
        match key.as_str() {
            "all" => Some((0..partitions).collect()),
            "twice" => Some(vec![1, 1]),
            "none" => Some(vec![]),
            "wrong" => Some(vec![0, 1, partitions]),
            _ => None,
        }
    });
    builder.stream::<String, i64>("in").to(chosen);
    let driver = driver(&builder, RecordHandler::Skip, &[("out", 3)])?;
    let input = driver.input::<String, i64>("in");
    input.pipe_all([("all".into(), 1, 0), ("twice".into(), 2, 1), ("none".into(), 3, 2), ("wrong".into(), 4, 3)])?;
    input.pipe("by-key".into(), 5, 4)?;
    let of_key = tidemill::partition_for(Some(b"by-key"), 3);
    let mut expected = vec![(0, 1), (1, 1), (2, 1), (1, 2), (of_key, 5)];
    expected.sort_unstable();
    let mut written: Vec<_> = records::<String, i64>(driver.log(), "out")
        .into_iter()
        .map(|(partition, _, value)| (partition, value))
        .collect();
    written.sort_unstable();
    assert_eq!(written, expected);
    let dropped = driver.status()?.tasks[0].records_dropped.clone();
    let reasons: Vec<_> = dropped.iter().map(|(_, reason, count)| (*reason, *count)).collect();
    assert_eq!(reasons, [("processing-error", 1), ("no-partition", 1)]);
    Ok(())
}

#[test]
fn plans_print_what_sinks_and_repartition_topics_choose() -> Tested {
    let builder = by_value(["a", "b"]);
    let stream = builder.stream::<u64, String>("other");
    stream.to_by(Produced::any_topic(), |record| record.value.clone());
    let own = Repartitioned::<u64, String>::from("own").partitioned_by_key(|key, partitions| *key as i32 % partitions);
    stream.repartition(own).to("out");
    let plan = Plan::new("app", &builder.build()?).resolve(|topic| Some(topic.len() as i32))?;
    let text = plan.describe();
    for line in [
        "  sink-1 (sink, topics by record: a [1], b [1])",
        "  sink-3 (sink, topics by record: any)",
        "  own-source (repartition-source, topic: app-own-repartition [5], own partitioner)",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    Ok(())
}
