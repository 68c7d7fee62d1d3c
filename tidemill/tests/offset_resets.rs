//! Where a source begins in a partition that the application has never read.

mod common;

use std::time::Duration;

use common::Tested;
use tidemill::{
    AutoOffsetReset, Consumed, RecordHandler, StreamsBuilder, StreamsConfig, TaskFailureAction, TaskState,
    testing::{DriverOptions, Simulator, SimulatorOptions, TopologyTestDriver},
    transport::{CommittedOffset, ConsumerConfig, TopicPartition, Transport as _, embedded::Entry},
};

/// Reads each topic with its reset and copies it to `out`.
fn copying(sources: &[(&str, Option<AutoOffsetReset>)]) -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    for (topic, reset) in sources {
        let consumed = Consumed::<String, String>::from(*topic);
        let consumed = if let Some(reset) = reset { consumed.with_offset_reset(*reset) } else { consumed };
        builder.stream(consumed).to("out");
    }
    builder
}

/// A driver at wall time 100,000 with records of the times 10,000, 50,000 and 90,000 in each topic.
fn with_records(builder: &StreamsBuilder, config: StreamsConfig, topics: &[&str]) -> Tested<TopologyTestDriver> {
    let options = DriverOptions { config, wall_time_ms: 100_000, ..DriverOptions::default() };
    let driver = TopologyTestDriver::with(&builder.build()?, options)?;
    for topic in topics {
        let records = [10_000, 50_000, 90_000].map(|at| Entry::new("k", format!("{topic}-{at}"), at));
        driver.log().append(topic, 0, records)?;
    }
    Ok(driver)
}

fn values(driver: &TopologyTestDriver) -> Tested<Vec<String>> {
    driver.status()?;
    let mut values = driver.output::<String, String>("out").read_values()?;
    values.sort_unstable();
    Ok(values)
}

#[test]
fn each_source_begins_where_its_reset_says() -> Tested {
    let ago = |seconds| Some(AutoOffsetReset::ByDuration(Duration::from_secs(seconds)));
    let sources = [
        ("default", None),
        ("earliest", Some(AutoOffsetReset::Earliest)),
        ("latest", Some(AutoOffsetReset::Latest)),
        ("minute", ago(60)),
        ("second", ago(1)),
    ];
    let topics = sources.map(|(topic, _)| topic);
    let driver = with_records(&copying(&sources), StreamsConfig::new("test"), &topics)?;
    let expected = [
        "default-10000",
        "default-50000",
        "default-90000",
        "earliest-10000",
        "earliest-50000",
        "earliest-90000",
        "minute-50000",
        "minute-90000",
    ];
    assert_eq!(values(&driver)?, expected);
    for topic in topics {
        driver.input::<String, String>(topic).pipe("k".into(), format!("{topic}-new"), 95_000)?;
    }
    let mut new = values(&driver)?;
    new.retain(|value| value.ends_with("new"));
    assert_eq!(new, ["default-new", "earliest-new", "latest-new", "minute-new", "second-new"]);
    assert_eq!(values(&driver)?.len(), expected.len() + new.len());
    Ok(())
}

#[test]
fn a_restart_goes_on_at_the_chosen_place_although_nothing_was_read() -> Tested {
    let driver = with_records(&copying(&[("in", Some(AutoOffsetReset::Latest))]), StreamsConfig::new("test"), &["in"])?;
    assert!(values(&driver)?.is_empty());
    driver.crash();
    driver.log().append("in", 0, [Entry::new("k", "while away", 99_000)])?;
    assert_eq!(values(&driver)?, ["while away"]);
    Ok(())
}

#[test]
fn a_committed_offset_comes_before_every_reset() -> Tested {
    for reset in [AutoOffsetReset::Latest, AutoOffsetReset::None, AutoOffsetReset::Earliest] {
        let driver = with_records(&copying(&[("in", Some(reset))]), StreamsConfig::new("test"), &["in"])?;
        let config = ConsumerConfig {
            group: "test".into(),
            client_id: "operator".into(),
            instance_id: None,
            session_timeout: Duration::from_secs(45),
            max_poll_records: 1,
        };
        let mut consumer = driver.log().consumer(&config)?;
        consumer.subscribe(&["in".into()])?;
        consumer.poll(Duration::ZERO)?;
        let committed = CommittedOffset { offset: 1, metadata: String::new() };
        consumer.commit(&[(TopicPartition::new("in", 0), committed)])?;
        drop(consumer);
        assert_eq!(values(&driver)?, ["in-50000", "in-90000"], "{reset}");
    }
    Ok(())
}

#[test]
fn without_a_committed_offset_none_fails_the_task_and_says_so() -> Tested {
    let builder = copying(&[("in", Some(AutoOffsetReset::None))]);
    let driver = with_records(&builder, StreamsConfig::new("test"), &["in"])?;
    let error = driver.status().err().ok_or("there is no committed offset")?.chain();
    let expected = "in-0 has no committed offset, and its source has the offset reset `None`: commit an offset, or choose \
                    another reset";
    assert!(error.contains("task 0_0") && error.ends_with(expected), "{error}");
    // The other tasks go on if the configuration says so.
    let builder = copying(&[("in", Some(AutoOffsetReset::None)), ("other", None)]);
    let config = StreamsConfig { on_task_failure: TaskFailureAction::StopTask, ..StreamsConfig::new("test") };
    let driver = with_records(&builder, config, &["in", "other"])?;
    assert_eq!(values(&driver)?, ["other-10000", "other-50000", "other-90000"]);
    let states: Vec<_> = driver.status()?.tasks.into_iter().map(|task| task.state).collect();
    assert!(matches!(&*states, [TaskState::Failed { .. }, TaskState::Running]), "{states:?}");
    Ok(())
}

#[test]
fn a_table_and_topics_of_a_pattern_have_resets_too() -> Tested {
    let builder = StreamsBuilder::new();
    let latest = |topic| Consumed::<String, String>::from(topic).with_offset_reset(AutoOffsetReset::Latest);
    builder.table_with(latest("in"), "last");
    builder.stream_pattern(latest("more-.*")).to("out");
    let options = DriverOptions { partitions: [("more-1".to_owned(), 1)].into(), ..DriverOptions::default() };
    let driver = TopologyTestDriver::with(&builder.build()?, options)?;
    for topic in ["in", "more-1"] {
        driver.log().append(topic, 0, [Entry::new("old", "x", 0)])?;
        driver.status()?;
        driver.input::<String, String>(topic).pipe("new".into(), "y".into(), 1)?;
    }
    let all = driver.key_value_store::<String, String>("last", 0)?.ok_or("it runs")?.all().read_all()?;
    assert_eq!(all, [("new".to_owned(), "y".to_owned())]);
    let text = driver.plan().describe();
    assert!(text.contains("in (source, topic: in [1], offset reset: latest)"), "{text}");
    Ok(())
}

#[test]
fn under_faults_each_record_after_the_chosen_place_comes_once() -> Tested {
    for seed in 0..6 {
        let builder = StreamsBuilder::new();
        let consumed = Consumed::<u64, u64>::from("in").with_offset_reset(AutoOffsetReset::Latest);
        builder.stream(consumed).to("out");
        let partitions = [("in", 2), ("out", 1)].map(|(topic, count)| (topic.to_owned(), count)).into();
        let config =
            StreamsConfig { deserialization_handler: RecordHandler::Fail, ..SimulatorOptions::new(seed).config };
        let options = SimulatorOptions { partitions, config, ..SimulatorOptions::new(seed) };
        let mut simulator = Simulator::new(&builder.build()?, options)?;
        simulator.append_everywhere("in", &0_u64, &0_u64, 0)?;
        simulator.settle()?;
        for number in 1..100_u64 {
            simulator.append("in", &number, &number, number as i64)?;
            simulator.run(4)?;
        }
        simulator.settle()?;
        let mut values: Vec<_> = simulator.read::<u64, u64>("out")?.into_iter().map(|(_, _, value)| value).collect();
        values.sort_unstable();
        assert_eq!(values, (1..100).collect::<Vec<_>>(), "seed {seed}");
    }
    Ok(())
}
