//! Tables, joins with them, and the order in which a task takes records of several inputs.

mod common;

use std::time::Duration;

use common::{Tested, driver};
use tidemill::{
    StreamsBuilder, StreamsConfig,
    testing::{DriverOptions, TopologyTestDriver},
};

fn joining() -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    let users = builder.table::<String, String>("users", "users-by-id");
    let clicks = builder.stream::<String, i64>("clicks");
    clicks.join(&users, |_, click, user| format!("{user}:{click}")).to("joined");
    clicks
        .left_join(&users, |key, click, user| format!("{}:{click}", user.unwrap_or_else(|| format!("no {key}"))))
        .to("left-joined");
    builder
}

fn user(driver: &TopologyTestDriver, name: &str, timestamp: i64) -> Tested {
    Ok(driver.input::<String, String>("users").enqueue("u".into(), name.into(), timestamp)?)
}

fn click(driver: &TopologyTestDriver, number: i64, timestamp: i64) -> Tested {
    Ok(driver.input::<String, i64>("clicks").enqueue("u".into(), number, timestamp)?)
}

fn joined(driver: &TopologyTestDriver) -> Vec<(String, i64)> {
    let out = driver.output::<String, String>("joined").read().expect("reads");
    out.into_iter().map(|(_, text, timestamp)| (text, timestamp)).collect()
}

#[test]
fn a_table_keeps_the_last_value_and_a_null_deletes_it() -> Tested {
    let builder = StreamsBuilder::new();
    builder.table::<String, String>("users", "users-by-id").to_stream().to("out");
    let driver = driver(&builder);
    let input = driver.input::<String, String>("users");
    input.pipe("u".into(), "ann".into(), 1)?;
    input.pipe("v".into(), "bob".into(), 2)?;
    input.pipe("u".into(), "ann lee".into(), 3)?;
    input.pipe_raw(0, Some(b"v"), None, 4)?;
    let out = driver.output::<String, Option<String>>("out").read_values()?;
    assert_eq!(out, [Some("ann".into()), Some("bob".into()), Some("ann lee".into()), None]);
    for round in ["before a crash", "after a crash"] {
        let store = driver.key_value_store::<String, String>("users-by-id", 0)?.ok_or("the store is there")?;
        assert_eq!(store.all().read_all()?, [("u".into(), "ann lee".into())], "{round}");
        driver.crash();
    }
    Ok(())
}

#[test]
fn a_tables_store_may_be_named_like_its_topic() -> Tested {
    let builder = StreamsBuilder::new();
    builder.table::<String, String>("users", "users").to_stream().to("out");
    driver(&builder).input::<String, String>("users").pipe("u".into(), "ann".into(), 1)?;
    Ok(())
}

#[test]
fn an_out_of_order_update_of_a_table_is_applied() -> Tested {
    let builder = StreamsBuilder::new();
    builder.table::<String, String>("users", "users-by-id").to_stream().to("out");
    let driver = driver(&builder);
    let input = driver.input::<String, String>("users");
    input.pipe("u".into(), "new".into(), 9)?;
    input.pipe("u".into(), "old".into(), 3)?;
    let store = driver.key_value_store::<String, String>("users-by-id", 0)?.ok_or("the store is there")?;
    assert_eq!(store.get_with_timestamp(&"u".into())?, Some(("old".into(), 3)));
    Ok(())
}

#[test]
fn a_join_drops_what_has_no_match_and_a_left_join_does_not() -> Tested {
    let driver = driver(&joining());
    click(&driver, 1, 10)?;
    user(&driver, "ann", 20)?;
    click(&driver, 2, 30)?;
    driver.input::<String, String>("users").pipe_raw(0, Some(b"u"), None, 40)?;
    click(&driver, 3, 50)?;
    assert_eq!(joined(&driver), [("ann:2".into(), 30)]);
    let left = driver.output::<String, String>("left-joined").read_values()?;
    assert_eq!(left, ["no u:1", "ann:2", "no u:3"]);
    Ok(())
}

#[test]
fn only_the_streams_side_makes_results() -> Tested {
    let driver = driver(&joining());
    click(&driver, 1, 10)?;
    assert_eq!(joined(&driver), []);
    user(&driver, "ann", 11)?;
    assert_eq!(joined(&driver), []);
    Ok(())
}

#[test]
fn the_record_with_the_lowest_timestamp_is_taken_first() -> Tested {
    let driver = driver(&joining());
    for (number, timestamp) in [(1, 10), (2, 30), (3, 50)] {
        click(&driver, number, timestamp)?;
    }
    for (name, timestamp) in [("ann", 5), ("bea", 20), ("cleo", 40)] {
        user(&driver, name, timestamp)?;
    }
    assert_eq!(joined(&driver), [("ann:1".into(), 10), ("bea:2".into(), 30), ("cleo:3".into(), 50)]);
    Ok(())
}

#[test]
fn only_the_head_of_an_input_counts_when_the_next_record_is_chosen() -> Tested {
    let driver = driver(&joining());
    click(&driver, 1, 10)?;
    user(&driver, "ann", 15)?;
    user(&driver, "bea", 5)?;
    click(&driver, 2, 20)?;
    assert_eq!(joined(&driver), [("bea:2".into(), 20)], "a partition's own order is kept");
    Ok(())
}

fn idling(max_task_idle: Option<Duration>) -> Result<TopologyTestDriver, Box<dyn std::error::Error>> {
    let config = StreamsConfig { max_task_idle, ..StreamsConfig::new("test") };
    Ok(TopologyTestDriver::with(&joining().build()?, DriverOptions { config, ..DriverOptions::default() })?)
}

#[test]
fn a_task_may_wait_for_an_input_that_is_empty() -> Tested {
    let driver = idling(Some(Duration::from_secs(10)))?;
    click(&driver, 1, 10)?;
    assert_eq!(joined(&driver), []);
    driver.advance_wall_clock(Duration::from_secs(9))?;
    assert_eq!(joined(&driver), []);
    user(&driver, "ann", 5)?;
    driver.advance_wall_clock(Duration::ZERO)?;
    assert_eq!(joined(&driver), [], "now the users are empty, and the wait begins anew");
    driver.advance_wall_clock(Duration::from_secs(10))?;
    assert_eq!(joined(&driver), [("ann:1".into(), 10)]);
    Ok(())
}

#[test]
fn the_wait_for_an_empty_input_ends() -> Tested {
    let driver = idling(Some(Duration::from_secs(10)))?;
    click(&driver, 1, 10)?;
    driver.advance_wall_clock(Duration::from_secs(10))?;
    assert_eq!(driver.output::<String, String>("left-joined").read_values()?, ["no u:1"]);
    Ok(())
}

#[test]
fn by_default_only_records_still_to_be_fetched_are_waited_for() -> Tested {
    for idle in [Some(Duration::ZERO), None] {
        let driver = idling(idle)?;
        click(&driver, 1, 10)?;
        assert_eq!(driver.output::<String, String>("left-joined").read_values()?, ["no u:1"]);
    }
    Ok(())
}

#[test]
fn a_null_key_is_no_row_of_a_table_and_matches_none() -> Tested {
    let builder = StreamsBuilder::new();
    let users = builder.table::<Option<String>, String>("users", "users-by-id");
    let clicks = builder.stream::<Option<String>, i64>("clicks");
    clicks.join(&users, |_, click, user| format!("{user}:{click}")).to("joined");
    clicks.left_join(&users, |_, click, user| format!("{user:?}:{click}")).to("left-joined");
    let driver = driver(&builder);
    let users = driver.input::<Option<String>, String>("users");
    users.pipe_all([(None, "nobody".into(), 1), (Some(String::new()), "empty".into(), 2)])?;
    let clicks = driver.input::<Option<String>, i64>("clicks");
    clicks.pipe_all([(None, 1, 3), (Some(String::new()), 2, 4)])?;
    assert_eq!(driver.output::<Option<String>, String>("joined").read_values()?, ["empty:2"]);
    let left = driver.output::<Option<String>, String>("left-joined").read_values()?;
    assert_eq!(left, ["None:1", "Some(\"empty\"):2"]);
    let dropped = [("users-by-id".into(), "null-key", 1), ("join-3".into(), "null-key", 1)];
    assert_eq!(driver.status()?.tasks[0].records_dropped, dropped);
    Ok(())
}
