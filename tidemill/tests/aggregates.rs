//! Count, reduce and aggregate without windows: updates, their time, and what a restart keeps.

mod common;

use common::{Tested, driver, strings};
use tidemill::{Materialized, StreamsBuilder, testing::TopologyTestDriver};

fn counting() -> TopologyTestDriver {
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").group_by_key().count("counts").to_stream().to("out");
    driver(&builder)
}

#[test]
fn every_update_of_a_count_is_emitted() -> Tested {
    let driver = counting();
    let input = driver.input::<String, String>("in");
    for (key, timestamp) in [("a", 1), ("b", 2), ("a", 3)] {
        input.enqueue(key.into(), "x".into(), timestamp)?;
    }
    let out = driver.output::<String, i64>("out").read()?;
    assert_eq!(out, [("a".into(), 1, 1), ("b".into(), 1, 2), ("a".into(), 2, 3)]);
    Ok(())
}

#[test]
fn a_result_has_the_highest_timestamp_of_its_records() -> Tested {
    let driver = counting();
    let input = driver.input::<String, String>("in");
    let output = driver.output::<String, i64>("out");
    for timestamp in [50, 20, 60, 10] {
        input.pipe("a".into(), "x".into(), timestamp)?;
    }
    assert_eq!(output.read()?.into_iter().map(|(.., time)| time).collect::<Vec<_>>(), [50, 50, 60, 60]);
    driver.crash();
    input.pipe("a".into(), "x".into(), 30)?;
    assert_eq!(output.read()?, [("a".into(), 5, 60)]);
    Ok(())
}

#[test]
fn reduce_begins_with_the_first_value() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in");
    stream.group_by_key().reduce("joined", |so_far, next| so_far + &next).to_stream().to("out");
    let driver = driver(&builder);
    let input = driver.input::<String, String>("in");
    for (key, value) in [("a", "1"), ("b", "2"), ("a", "3")] {
        input.pipe(key.into(), value.into(), 0)?;
    }
    assert_eq!(driver.output::<String, String>("out").read_values()?, ["1", "2", "13"]);
    Ok(())
}

#[test]
fn aggregate_may_have_another_type_and_sees_the_key() -> Tested {
    let builder = StreamsBuilder::new();
    builder
        .stream::<String, i64>("in")
        .group_by_key()
        .aggregate("lists", || strings(&["start"]), |key, value, list| list.push(format!("{key}{value}")))
        .to_stream()
        .to("out");
    let driver = driver(&builder);
    let input = driver.input::<String, i64>("in");
    input.pipe("a".into(), 1, 0)?;
    input.pipe("a".into(), 2, 0)?;
    let out = driver.output::<String, Vec<String>>("out").read_values()?;
    assert_eq!(out, [strings(&["start", "a1"]), strings(&["start", "a1", "a2"])]);
    Ok(())
}

#[test]
fn aggregates_are_rebuilt_from_their_changelog_after_a_crash() -> Tested {
    let driver = counting();
    let input = driver.input::<String, String>("in");
    for number in 0..500 {
        input.enqueue(format!("key-{}", number % 50), "x".into(), number)?;
    }
    let output = driver.output::<String, i64>("out");
    assert_eq!(output.read()?.len(), 500);
    driver.crash();
    assert_eq!(driver.status()?.records_restored, 50, "one changelog record for each key and commit");
    input.pipe("key-7".into(), "x".into(), 1_000)?;
    assert_eq!(output.read()?, [("key-7".into(), 11, 1_000)]);
    let store = driver.key_value_store::<String, i64>("counts", 0)?.ok_or("the store is there")?;
    assert_eq!(store.all().count(), 50);
    assert_eq!(store.get_with_timestamp(&"key-7".into())?, Some((11, 1_000)));
    Ok(())
}

#[test]
fn a_store_without_changelog_starts_empty_after_a_crash() -> Tested {
    let builder = StreamsBuilder::new();
    let store = Materialized::named("counts").in_memory().without_logging();
    builder.stream::<String, String>("in").group_by_key().count(store).to_stream().to("out");
    let driver = driver(&builder);
    let input = driver.input::<String, String>("in");
    input.pipe("a".into(), "x".into(), 0)?;
    driver.crash();
    input.pipe("a".into(), "x".into(), 1)?;
    assert_eq!(driver.output::<String, i64>("out").read_values()?, [1, 1]);
    assert!(driver.log().read_all("test-counts-changelog").is_err(), "there is no changelog");
    Ok(())
}

#[test]
fn a_join_with_an_aggregate_sees_its_last_update() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in");
    let counts = stream.group_by_key().count("counts");
    builder.stream::<String, String>("asks").left_join(&counts, |_, _, count| count.unwrap_or(0)).to("out");
    let driver = driver(&builder);
    let (input, asks) = (driver.input::<String, String>("in"), driver.input::<String, String>("asks"));
    for timestamp in [1, 2, 4] {
        input.enqueue("a".into(), "x".into(), timestamp)?;
    }
    for timestamp in [0, 3, 5] {
        asks.enqueue("a".into(), "?".into(), timestamp)?;
    }
    assert_eq!(driver.output::<String, i64>("out").read_values()?, [0, 2, 3]);
    Ok(())
}

#[test]
fn a_record_without_a_key_is_dropped_and_counted() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream::<Option<String>, String>("in").group_by_key().count("counts").to_stream().to("out");
    let driver = driver(&builder);
    let input = driver.input::<Option<String>, String>("in");
    input.pipe_all([(None, "x".into(), 0), (Some(String::new()), "x".into(), 1), (None, "x".into(), 2)])?;
    assert_eq!(driver.output::<Option<String>, i64>("out").read()?, [(Some(String::new()), 1, 1)]);
    assert_eq!(driver.status()?.tasks[0].records_dropped, [("counts".into(), "null-key", 2)]);
    Ok(())
}
