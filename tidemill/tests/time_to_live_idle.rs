//! Rows with a time to live while their task is silent: they stay, or expire after an idle time.

mod common;

use std::{collections::BTreeMap, time::Duration};

use common::{Tested, driver};
use tidemill::{
    Materialized, StreamsBuilder,
    testing::{DriverOptions, TopologyTestDriver},
};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Counts that live for a second.
fn counting(idle: Option<Duration>) -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    let counts = Materialized::named("counts").time_to_live(MS(1_000));
    let counts = idle.into_iter().fold(counts, Materialized::idle_after);
    builder.stream::<String, String>("in").group_by_key().count(counts).to_stream().to("out");
    builder
}

type Update = (String, Option<i64>, i64);

fn update(key: &str, count: impl Into<Option<i64>>, timestamp: i64) -> Update {
    (key.to_owned(), count.into(), timestamp)
}

fn pipe(driver: &TopologyTestDriver, key: &str, timestamp: i64) -> Tested {
    Ok(driver.input::<String, String>("in").pipe(key.to_owned(), String::new(), timestamp)?)
}

#[test]
fn rows_of_a_silent_task_stay_until_its_next_record() -> Tested {
    let driver = driver(&counting(None));
    let out = driver.output::<String, Option<i64>>("out");
    pipe(&driver, "a", 0)?;
    driver.advance_wall_clock(Duration::from_hours(1_000))?;
    assert_eq!(out.read()?, [update("a", 1, 0)]);
    pipe(&driver, "b", 1_000)?;
    assert_eq!(out.read()?, [update("a", None, 1_000), update("b", 1, 1_000)]);
    Ok(())
}

#[test]
fn a_silent_key_expires_with_the_records_of_other_keys() -> Tested {
    let driver = driver(&counting(None));
    let out = driver.output::<String, Option<i64>>("out");
    for at in [0, 400, 800, 1_200] {
        pipe(&driver, if at == 0 { "silent" } else { "loud" }, at)?;
    }
    assert!(out.read()?.contains(&update("silent", None, 1_000)));
    Ok(())
}

#[test]
fn with_an_idle_time_rows_of_a_silent_task_expire() -> Tested {
    let driver = driver(&counting(Some(MS(300))));
    let out = driver.output::<String, Option<i64>>("out");
    pipe(&driver, "a", 0)?;
    pipe(&driver, "b", 500)?;
    driver.advance_wall_clock(MS(400))?;
    assert_eq!(out.read()?, [update("a", 1, 0), update("b", 1, 500)]);
    driver.advance_wall_clock(MS(200))?;
    assert_eq!(out.read()?, [update("a", None, 1_000)]);
    driver.advance_wall_clock(MS(500))?;
    assert_eq!(out.read()?, [update("b", None, 1_500)]);
    let counts = driver.key_value_store::<String, i64>("counts", 0)?.ok_or("it runs")?;
    assert_eq!(counts.all().read_all()?, []);
    let changelog = driver.output::<String, Option<i64>>("test-counts-changelog").read_values()?;
    assert_eq!(changelog.iter().filter(|value| value.is_none()).count(), 2);
    let text = driver.plan().describe();
    assert!(text.contains("time to live 1000 ms, also after 300 ms of silence"), "{text}");
    Ok(())
}

#[test]
fn a_silence_that_is_over_lets_nothing_expire() -> Tested {
    let driver = driver(&counting(Some(MS(300))));
    let out = driver.output::<String, Option<i64>>("out");
    pipe(&driver, "a", 0)?;
    driver.advance_wall_clock(MS(900))?;
    // The record is older than the time of the silence would be, and its own row counts from its own time.
    pipe(&driver, "b", 10)?;
    driver.advance_wall_clock(MS(900))?;
    assert_eq!(out.read()?, [update("a", 1, 0), update("b", 1, 10)]);
    pipe(&driver, "a", 999)?;
    assert_eq!(out.read()?, [update("a", 2, 999)]);
    Ok(())
}

#[test]
fn what_expired_in_a_silence_does_not_come_back_after_a_crash() -> Tested {
    let driver = driver(&counting(Some(MS(300))));
    let out = driver.output::<String, Option<i64>>("out");
    pipe(&driver, "a", 0)?;
    pipe(&driver, "b", 700)?;
    driver.advance_wall_clock(MS(500))?;
    assert_eq!(out.read()?.last(), Some(&update("a", None, 1_000)));
    driver.crash();
    // The silence counts from zero again.
    driver.advance_wall_clock(MS(900))?;
    assert_eq!(out.read()?, []);
    driver.advance_wall_clock(MS(200))?;
    assert_eq!(out.read()?, [update("b", None, 1_700)]);
    Ok(())
}

#[test]
fn many_rows_expire_in_a_silence_and_the_next_record_waits() -> Tested {
    let driver = driver(&counting(Some(MS(300))));
    let out = driver.output::<String, Option<i64>>("out");
    driver.input::<String, String>("in").pipe_all((0..3_500).map(|key| (format!("{key}"), String::new(), 0)))?;
    driver.advance_wall_clock(MS(1_000))?;
    pipe(&driver, "next", 5)?;
    let updates = out.read()?.split_off(3_500);
    assert_eq!(updates.iter().filter(|(_, count, _)| count.is_none()).count(), 3_500);
    assert_eq!(updates.last(), Some(&update("next", 1, 5)));
    Ok(())
}

#[test]
fn rows_below_a_repartition_expire_when_all_tasks_above_are_silent() -> Tested {
    let builder = StreamsBuilder::new();
    let counts = Materialized::named("counts").time_to_live(MS(1_000)).idle_after(MS(300));
    let words = builder.stream::<String, String>("in").select_key(|_, value| value.clone());
    words.repartition("again").group_by_key().count(counts).to_stream().to("out");
    let partitions = BTreeMap::from([("in".to_owned(), 3), ("out".to_owned(), 1)]);
    let options = DriverOptions { partitions, ..DriverOptions::default() };
    let driver = TopologyTestDriver::with(&builder.build()?, options)?;
    let out = driver.output::<String, Option<i64>>("out");
    let input = driver.input::<String, String>("in");
    input.pipe_all([("a", "x", 0), ("b", "y", 10)].map(|(key, word, at)| (key.to_owned(), word.to_owned(), at)))?;
    driver.advance_wall_clock(MS(900))?;
    assert_eq!(out.read()?.len(), 2);
    driver.advance_wall_clock(MS(400))?;
    let mut expired = out.read()?;
    expired.sort();
    assert_eq!(expired, [update("x", None, 1_000), update("y", None, 1_010)]);
    // Then all rest: an idle application writes nothing.
    driver.advance_wall_clock(Duration::from_secs(60))?;
    let commits = driver.status()?.commits;
    driver.advance_wall_clock(Duration::from_secs(60))?;
    assert_eq!(driver.status()?.commits, commits);
    Ok(())
}
