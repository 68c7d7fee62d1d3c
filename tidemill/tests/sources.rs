//! Several topics in one stream, and topics that match a pattern.

mod common;

use std::time::Duration;

use common::{Tested, driver, records};
use tidemill::{
    Consumed, EmitStrategy, Plan, StreamsBuilder, TimeWindows,
    state::{BigEndian, Utf8},
    testing::{DriverOptions, Simulator, SimulatorOptions, TopologyTestDriver},
};

/// Reads both topics and writes what it gets, without state.
fn copying() -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    builder.stream::<String, i64>(["a", "b"]).map_values(|value| value * 10).to("out");
    builder
}

fn partitions(counts: &[(&str, i32)]) -> DriverOptions {
    let partitions = counts.iter().map(|(topic, count)| ((*topic).to_owned(), *count)).collect();
    DriverOptions { partitions, ..DriverOptions::default() }
}

#[test]
fn records_of_several_topics_come_in_the_order_of_their_times() -> Tested {
    let driver = driver(&copying());
    let entry = |value: i64, at| tidemill::transport::embedded::Entry::new("k", value.to_be_bytes().to_vec(), at);
    driver.log().append("a", 0, [entry(1, 10), entry(3, 30)])?;
    driver.log().append("b", 0, [entry(2, 20), entry(4, 40)])?;
    assert_eq!(driver.output::<String, i64>("out").read_values()?, [10, 20, 30, 40]);
    Ok(())
}

#[test]
fn options_hold_for_all_topics_and_a_topic_that_is_named_twice_counts_once() -> Tested {
    let builder = StreamsBuilder::new();
    let consumed = Consumed::with_topics(["a", "b", "a"], Utf8, BigEndian).timestamp_from(|_: &String, at: &i64| *at);
    builder.stream(consumed).to("out");
    let driver = driver(&builder);
    driver.input::<String, i64>("a").pipe("k".into(), 7, 0)?;
    driver.input::<String, i64>("b").pipe("k".into(), 8, 0)?;
    assert_eq!(driver.output::<String, i64>("out").read()?, [("k".into(), 7, 7), ("k".into(), 8, 8)]);
    Ok(())
}

#[test]
fn a_stream_needs_a_topic_and_a_table_exactly_one() {
    let builder = StreamsBuilder::new();
    builder.stream::<String, i64>(Vec::new()).to("out");
    builder.table_with::<String, i64>(["a", "b"].into(), "last");
    let error = builder.build().expect_err("both name the wrong number of topics");
    let expected =
        ["a stream of several topics has no topic: name at least one", "a table reads one topic: name exactly one"];
    assert_eq!(error.problems(), expected);
}

#[test]
fn topics_of_different_partition_counts_have_as_many_tasks_as_the_largest() -> Tested {
    let driver = TopologyTestDriver::with(&copying().build()?, partitions(&[("a", 3), ("b", 1), ("out", 1)]))?;
    assert_eq!(driver.plan().tasks().len(), 3);
    let inputs: Vec<_> = driver.plan().tasks().iter().map(|task| driver.plan().input_partitions(*task).len()).collect();
    assert_eq!(inputs, [2, 1, 1], "only the first task has a partition of 'b'");
    driver.input::<String, i64>("a").pipe_all((0..20).map(|number| (format!("k{number}"), number, number)))?;
    driver.input::<String, i64>("b").pipe_all((20..30).map(|number| (format!("k{number}"), number, number)))?;
    let mut values = driver.output::<String, i64>("out").read_values()?;
    values.sort_unstable();
    assert_eq!(values, (0..30).map(|number| number * 10).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn members_that_own_parts_of_a_task_take_each_record_once_under_faults() -> Tested {
    for seed in 0..6 {
        let counts = [("a", 4), ("b", 2), ("c", 1), ("out", 1)].map(|(topic, count)| (topic.to_owned(), count));
        let options = SimulatorOptions { instances: 3, partitions: counts.into(), ..SimulatorOptions::new(seed) };
        let builder = StreamsBuilder::new();
        builder.stream::<u64, u64>(["a", "b", "c"]).to("out");
        let mut simulator = Simulator::new(&builder.build()?, options)?;
        for number in 0..150_u64 {
            let topic = ["a", "b", "c"][(number % 3) as usize];
            simulator.append(topic, &number, &number, number as i64)?;
            simulator.run(4)?;
        }
        simulator.settle()?;
        let mut values: Vec<_> =
            records::<u64, u64>(simulator.log(), "out").into_iter().map(|(_, _, value)| value).collect();
        values.sort_unstable();
        assert_eq!(values, (0..150).collect::<Vec<_>>(), "seed {seed}");
    }
    Ok(())
}

#[test]
fn steps_with_state_need_equal_partition_counts() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream::<String, i64>(["a", "b"]).group_by_key().count("counts");
    let started = TopologyTestDriver::with(&builder.build()?, partitions(&[("a", 3), ("b", 1)]));
    let error = started.err().ok_or("a key of 'b' would be in another task than in 'a'")?;
    let expected = "streams that meet need equal partition counts because of 'counts', but 'a' has 3, 'b' has 1: \
                    repartition one of them";
    assert_eq!(error.problems(), [expected]);
    // Behind a repartition topic they are fine.
    let builder = StreamsBuilder::new();
    builder.stream::<String, i64>(["a", "b"]).repartition("by-key").group_by_key().count("counts");
    let driver = TopologyTestDriver::with(&builder.build()?, partitions(&[("a", 3), ("b", 1)]))?;
    driver.input::<String, i64>("a").pipe("k".into(), 1, 0)?;
    driver.input::<String, i64>("b").pipe("k".into(), 2, 1)?;
    let partition = tidemill::partition_for(Some(b"k"), 3);
    let counts = driver.key_value_store::<String, i64>("counts", partition)?.ok_or("it runs")?;
    assert_eq!(counts.get(&"k".into())?, Some(2));
    Ok(())
}

#[test]
fn tasks_that_tell_of_their_silence_need_equal_partition_counts() -> Tested {
    let builder = StreamsBuilder::new();
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_mins(1));
    let grouped = builder.stream::<String, i64>(["a", "b"]).repartition("by-key").group_by_key().windowed_by(windows);
    grouped.emit(EmitStrategy::on_window_close().idle_after(Duration::from_secs(5))).count("counts");
    let started = TopologyTestDriver::with(&builder.build()?, partitions(&[("a", 3), ("b", 1)]));
    let error = started.err().ok_or("half a task cannot tell of its silence")?;
    assert!(error.problems()[0].contains("because of 'test-by-key-repartition'"), "{error}");
    Ok(())
}

#[test]
fn a_pattern_matches_whole_names_and_no_internal_topics() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream_pattern::<String, i64>("orders|test-.*").group_by_key().count("counts");
    let options = partitions(&[("orders", 1), ("orders-2", 1), ("my-orders", 1), ("test-input", 1)]);
    let driver = TopologyTestDriver::with(&builder.build()?, options)?;
    let topics: Vec<_> = driver.plan().all_source_topics().iter().map(ToString::to_string).collect();
    assert_eq!(topics, ["orders", "test-input"]);
    for topic in ["orders", "orders-2", "my-orders", "test-input"] {
        driver.input::<String, i64>(topic).pipe("k".into(), 1, 0)?;
    }
    assert_eq!(driver.key_value_store::<String, i64>("counts", 0)?.ok_or("it runs")?.get(&"k".into())?, Some(2));
    let text = driver.plan().describe();
    assert!(text.contains("(source, topics matching orders|test-.*: orders [1], test-input [1])"), "{text}");
    Ok(())
}

#[test]
fn a_pattern_that_is_none_is_a_problem() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream_pattern::<String, i64>("orders-(").to("out");
    builder.stream_pattern::<String, i64>("orders)|(bills").to("out");
    let error = builder.build().err().ok_or("the brackets are wrong")?;
    for (problem, pattern) in error.problems().iter().zip(["orders)|(bills", "orders-("]) {
        assert!(problem.starts_with(&format!("'{pattern}' is no pattern of topics")), "{error}");
    }
    assert_eq!(error.problems().len(), 2);
    Ok(())
}

#[test]
fn a_topic_of_a_pattern_that_is_read_elsewhere_too_must_meet_it() -> Tested {
    let builder = StreamsBuilder::new();
    let pattern = builder.stream_pattern::<String, i64>("in-.*");
    let named = builder.stream::<String, i64>("in-1");
    pattern.to("out");
    named.to("out-1");
    let options = || partitions(&[("in-1", 1), ("in-2", 1)]);
    let error = TopologyTestDriver::with(&builder.build()?, options()).err().ok_or("two tasks would read it")?;
    let expected = "topic 'in-1' matches pattern 'in-.*' and is also read by 'in-1': merge the two streams, or change \
                    the pattern";
    assert_eq!(error.problems(), [expected]);
    pattern.merge(&named).to("both");
    let driver = TopologyTestDriver::with(&builder.build()?, options())?;
    driver.input::<String, i64>("in-1").pipe("k".into(), 1, 0)?;
    assert_eq!(driver.output::<String, i64>("both").read_values()?, [1, 1]);
    Ok(())
}

#[test]
fn a_plan_prints_topics_of_a_stream_and_a_pattern_before_it_is_known() -> Tested {
    let builder = copying();
    builder.stream_pattern::<String, i64>("in-.*").to("out");
    let text = Plan::new("app", &builder.build()?).describe();
    let lines: Vec<_> = text.lines().collect();
    for line in
        ["  a (source, topic: a)", "  b (source, topic: b)", "  in-.* (source, topics matching in-.*: not known yet)"]
    {
        assert!(lines.contains(&line), "{line} in {text}");
    }
    Ok(())
}
