//! Repartition topics with a partitioner of their own, and the steps that rely on the key after them.

mod common;

use std::time::Duration;

use common::{Tested, records};
use tidemill::{
    AutoOffsetReset, Consumed, JoinWindows, KStream, RecordHandler, Repartitioned, StreamsBuilder, StreamsConfig,
    testing::{DriverOptions, TopologyTestDriver},
};

/// A repartition topic whose partitions are the remainders of keys.
fn by_remainder(name: &str) -> Repartitioned<u64, i64> {
    Repartitioned::from(name).partitioned_by_key(|key, partitions| (*key % partitions as u64) as i32)
}

fn joined(left: &KStream<u64, i64>, right: &KStream<u64, i64>) {
    let windows = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(10));
    left.join_stream(right, windows, "joined", |_: &u64, one: &i64, other: &i64| one + other).to("out");
}

#[test]
fn records_of_a_key_stay_together_and_are_counted() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream("in").repartition(by_remainder("own")).group_by_key().count("counts").to_stream().to("out");
    let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions::default().partitions(4))?;
    driver.input::<u64, i64>("in").pipe_all([(6, 0, 0), (5, 0, 1), (6, 0, 2), (5, 0, 3), (6, 0, 4)])?;
    for (key, count) in [(5, 2), (6, 3)] {
        let store = driver.key_value_store::<u64, i64>("counts", (key % 4) as i32)?.ok_or("it runs")?;
        assert_eq!(store.get(&key)?, Some(count));
    }
    // Sinks after it partition by key again.
    let expected = |key: u64| tidemill::partition_for(Some(&key.to_be_bytes()), 4);
    assert!(records::<u64, i64>(driver.log(), "out").iter().all(|(partition, key, _)| *partition == expected(*key)));
    Ok(())
}

#[test]
fn streams_with_one_partitioner_are_joined() -> Tested {
    let builder = StreamsBuilder::new();
    let [left, right] =
        ["left", "right"].map(|topic| builder.stream::<u64, i64>(topic).repartition(by_remainder(topic)));
    joined(&left, &right);
    let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions::default().partitions(3))?;
    driver.input::<u64, i64>("left").pipe_all([(1, 10, 0), (2, 20, 0), (3, 30, 0)])?;
    driver.input::<u64, i64>("right").pipe_all([(1, 1, 1), (2, 2, 1), (3, 3, 1)])?;
    let mut sums = driver.output::<u64, i64>("out").read_values()?;
    sums.sort_unstable();
    assert_eq!(sums, [11, 22, 33]);
    Ok(())
}

#[test]
fn streams_of_which_one_has_its_own_partitioner_are_not_joined() {
    let builder = StreamsBuilder::new();
    joined(&builder.stream("left").repartition(by_remainder("own")), &builder.stream("right"));
    let error = builder.build().expect_err("the keys are in different partitions");
    let expected = "'joined' needs 'own-source' and 'right' to be partitioned in the same way, but only 'own-source' has \
                    a partitioner of its own: repartition 'right' with the same one";
    assert_eq!(error.problems(), [expected]);
}

#[test]
fn a_table_is_not_joined_with_a_stream_that_has_its_own_partitioner() {
    let builder = StreamsBuilder::new();
    let table = builder.table::<u64, i64>("table", "last");
    let stream = builder.stream::<u64, i64>("in").repartition(by_remainder("own"));
    stream.join(&table, |_, one, other| one + other).to("out");
    assert!(builder.build().is_err_and(|error| error.problems()[0].contains("'own-source' and 'table'")));
}

#[test]
fn what_is_erased_must_be_partitioned_as_the_state_is() {
    let builder = StreamsBuilder::new();
    builder.stream("in").repartition(by_remainder("own")).group_by_key().count("counts");
    builder.stream::<u64, i64>("gone").erase("erase", &["counts"]);
    let error = builder.build().expect_err("the erasure would look in the wrong partition");
    assert!(error.problems()[0].contains("'own-source' and 'gone'"), "{error}");
}

#[test]
fn stateless_steps_may_merge_what_is_partitioned_in_different_ways() -> Tested {
    let builder = StreamsBuilder::new();
    let own = builder.stream("in").repartition(by_remainder("own"));
    own.merge(&builder.stream("other")).map_values(|value| value + 1).to("out");
    let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions::default().partitions(2))?;
    driver.input::<u64, i64>("in").pipe(1, 1, 0)?;
    driver.input::<u64, i64>("other").pipe(1, 2, 0)?;
    assert_eq!(driver.output::<u64, i64>("out").read_values()?, [2, 3]);
    Ok(())
}

#[test]
fn a_partitioner_that_takes_the_value_needs_a_word_before_steps_that_rely_on_the_key() -> Tested {
    let builder = StreamsBuilder::new();
    let by_value = Repartitioned::<u64, i64>::from("own").partitioned_by(|_, value, n| (*value % i64::from(n)) as i32);
    let stream = builder.stream("in").repartition(by_value);
    stream.group_by_key().count("counts");
    let error = builder.build().expect_err("a key's records may be in several partitions");
    assert!(
        error.problems()[0].starts_with("'counts' relies on the key, but the partitioner of 'own-source'"),
        "{error}"
    );

    let builder = StreamsBuilder::new();
    let by_value = Repartitioned::<u64, i64>::from("own").partitioned_by(|_, value, n| (*value % i64::from(n)) as i32);
    builder.stream("in").repartition(by_value).mark_as_partitioned().group_by_key().count("counts");
    let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions::default().partitions(2))?;
    driver.input::<u64, i64>("in").pipe_all([(7, 1, 0), (7, 1, 1)])?;
    assert_eq!(driver.key_value_store::<u64, i64>("counts", 1)?.ok_or("it runs")?.get(&7)?, Some(2));
    Ok(())
}

#[test]
fn a_partition_that_is_none_goes_by_the_processing_handler() -> Tested {
    let builder = StreamsBuilder::new();
    let wrong = Repartitioned::<u64, i64>::from("own").partitioned_by_key(|key, _| *key as i32);
    builder.stream("in").repartition(wrong).to("out");
    let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    driver.input::<u64, i64>("in").pipe_all([(0, 1, 0), (1, 2, 1), (0, 3, 2)])?;
    assert_eq!(driver.output::<u64, i64>("out").read_values()?, [1, 3]);
    Ok(())
}

#[test]
fn a_global_table_may_be_joined_however_the_stream_is_partitioned() -> Tested {
    let builder = StreamsBuilder::new();
    let names = builder.global_table::<u64, i64>("numbers", "numbers-of");
    let own = builder.stream::<u64, i64>("in").repartition(by_remainder("own"));
    own.group_by_key().count("counts");
    own.join_global(&names, |key, _| Some(*key), |_, one, other| one + other).to("out");
    // The topic of the global table as a stream, which begins elsewhere.
    let latest = Consumed::<u64, i64>::from("numbers").with_offset_reset(AutoOffsetReset::Latest);
    builder.stream(latest).to("copy");
    let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions::default().partitions(2))?;
    driver.input::<u64, i64>("numbers").pipe(1, 10, 0)?;
    driver.input::<u64, i64>("in").pipe(1, 1, 1)?;
    assert_eq!(driver.output::<u64, i64>("out").read_values()?, [11]);
    Ok(())
}
