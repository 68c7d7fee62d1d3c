//! Tables whose updates are merged between commits.

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use common::{Tested, driver, windowed};
use tidemill::{
    KTable, Materialized, RecordHandler, SessionWindows, StreamsBuilder, StreamsConfig, TimeWindows, Windowed,
    processor::{Processor, ProcessorContext, Record},
    state::BoxError,
    testing::{DriverOptions, TopologyTestDriver},
};

type Update<'a> = (&'a str, Option<i64>, i64);

fn cached(name: &str) -> Materialized<String, i64> {
    Materialized::named(name).with_caching()
}

fn table(builder: &StreamsBuilder, name: &str) -> KTable<String, i64> {
    builder.table::<String, i64>(name, cached(name))
}

/// Processes updates together, then commits.
fn set(driver: &TopologyTestDriver, topic: &str, updates: &[Update<'_>]) -> Tested {
    enqueue(driver, topic, updates)?;
    Ok(driver.advance_wall_clock(Duration::ZERO)?)
}

fn enqueue(driver: &TopologyTestDriver, topic: &str, updates: &[Update<'_>]) -> Tested {
    let input = driver.input::<String, Option<i64>>(topic);
    for (key, value, at) in updates {
        input.enqueue((*key).into(), *value, *at)?;
    }
    Ok(())
}

fn updates(driver: &TopologyTestDriver, topic: &str) -> Vec<(String, Option<i64>, i64)> {
    driver.output::<String, Option<i64>>(topic).read().expect("reads")
}

fn update(key: &str, value: impl Into<Option<i64>>, at: i64) -> (String, Option<i64>, i64) {
    (key.to_owned(), value.into(), at)
}

#[test]
fn later_steps_see_the_last_update_of_each_key_and_commit() -> Tested {
    let builder = StreamsBuilder::new();
    table(&builder, "in").to_stream().to("out");
    let driver = driver(&builder);
    set(&driver, "in", &[("a", Some(1), 1), ("b", Some(2), 2), ("a", Some(3), 3)])?;
    let first = [update("b", 2, 2), update("a", 3, 3)];
    assert_eq!(updates(&driver, "out"), first, "in the order of their last changes");
    set(&driver, "in", &[("a", Some(4), 4)])?;
    assert_eq!(updates(&driver, "out")[2..], [update("a", 4, 4)]);
    Ok(())
}

#[test]
fn a_key_that_came_and_went_is_not_emitted() -> Tested {
    let builder = StreamsBuilder::new();
    table(&builder, "in").to_stream().to("out");
    let driver = driver(&builder);
    set(&driver, "in", &[("a", Some(1), 1), ("b", Some(2), 2), ("a", None, 3), ("c", None, 4)])?;
    set(&driver, "in", &[("b", Some(3), 5), ("b", None, 6)])?;
    assert_eq!(updates(&driver, "out"), [update("b", 2, 2), update("b", None, 6)]);
    Ok(())
}

#[test]
fn a_group_takes_away_the_value_from_before_the_first_merged_update() -> Tested {
    let builder = StreamsBuilder::new();
    let sums = table(&builder, "in").group_by("all", |_, value| ("all".to_owned(), value));
    sums.reduce(cached("sum"), |all, value| all + value, |all, value| all - value).to_stream().to("out");
    let driver = driver(&builder);
    set(&driver, "in", &[("a", Some(1), 1), ("b", Some(10), 2)])?;
    set(&driver, "in", &[("a", Some(2), 3), ("a", Some(3), 4), ("b", None, 5), ("b", Some(20), 6), ("c", Some(5), 7)])?;
    assert_eq!(updates(&driver, "out"), [update("all", 11, 2), update("all", 28, 7)]);
    Ok(())
}

#[test]
fn aggregates_of_streams_and_windows_are_merged() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, i64>("in");
    let second = TimeWindows::of_size_with_no_grace(Duration::from_secs(1));
    let sessions = SessionWindows::of_inactivity_gap_and_grace(Duration::from_millis(100), Duration::from_secs(1));
    stream.group_by_key().count(cached("counts")).to_stream().to("counts-out");
    stream.group_by_key().windowed_by(second).count(cached("windows")).to_stream().to("windows-out");
    stream.group_by_key().windowed_by(sessions).count(cached("sessions")).to_stream().to("sessions-out");
    let driver = driver(&builder);
    // The last record joins two sessions.
    set(&driver, "in", &[("a", Some(0), 0), ("a", Some(0), 150), ("a", Some(0), 75)])?;
    assert_eq!(updates(&driver, "counts-out"), [update("a", 3, 150)]);
    let windows = driver.output::<Windowed<String>, i64>("windows-out").read()?;
    assert_eq!(windows, [(windowed("a", 0, 1_000), 3, 150)]);
    let sessions = driver.output::<Windowed<String>, Option<i64>>("sessions-out").read_values()?;
    assert_eq!(sessions, [Some(3)], "the joined sessions came and went");
    Ok(())
}

#[test]
fn a_full_cache_emits_what_has_waited_longest() -> Tested {
    let builder = StreamsBuilder::new();
    // Two updates fit.
    builder.table::<String, i64>("in", Materialized::named("in").cache_max_bytes(300)).to_stream().to("out");
    let driver = driver(&builder);
    set(
        &driver,
        "in",
        &[("a", Some(1), 1), ("b", Some(2), 2), ("a", Some(3), 3), ("c", Some(4), 4), ("b", Some(5), 5)],
    )?;
    let expected = [update("b", 2, 2), update("a", 3, 3), update("c", 4, 4), update("b", 5, 5)];
    assert_eq!(updates(&driver, "out"), expected);
    Ok(())
}

#[test]
fn a_stream_sees_the_last_value_and_tables_the_emitted_one() -> Tested {
    let builder = StreamsBuilder::new();
    let prices = table(&builder, "prices");
    builder.stream::<String, i64>("orders").join(&prices, |_, number, price| number * price).to("costs");
    let amounts = builder.table::<String, i64>("amounts", "amounts");
    let totals = prices.join(&amounts, |_, price, amount| price * amount);
    let sums = totals.group_by("all", |_, total| ("all".to_owned(), total));
    sums.reduce("sum", |all, total| all + total, |all, total| all - total);
    let driver = driver(&builder);
    set(&driver, "prices", &[("tea", Some(3), 1)])?;
    set(&driver, "amounts", &[("tea", Some(10), 2)])?;
    enqueue(&driver, "prices", &[("tea", Some(5), 3)])?;
    enqueue(&driver, "orders", &[("tea", Some(1), 4)])?;
    enqueue(&driver, "amounts", &[("tea", Some(100), 5)])?;
    driver.advance_wall_clock(Duration::ZERO)?;
    assert_eq!(driver.output::<String, i64>("costs").read_values()?, [5]);
    let sum = driver.key_value_store::<String, i64>("sum", 0)?.expect("it runs").get(&"all".into())?;
    assert_eq!(sum, Some(500), "nothing is taken away that was not added");
    Ok(())
}

#[test]
fn caches_one_after_the_other_empty_in_one_commit() -> Tested {
    let builder = StreamsBuilder::new();
    let large = table(&builder, "in").filter(|_, value| *value > 1).materialized(cached("large"));
    large.map_values(|value| value * 10).materialized(cached("tenfold")).to_stream().to("out");
    let driver = driver(&builder);
    set(&driver, "in", &[("a", Some(2), 1), ("a", Some(3), 2), ("b", Some(4), 3), ("b", Some(1), 4)])?;
    assert_eq!(updates(&driver, "out"), [update("a", 30, 2)]);
    driver.crash();
    set(&driver, "in", &[("a", Some(1), 5), ("c", Some(9), 6)])?;
    assert_eq!(updates(&driver, "out")[1..], [update("a", None, 5), update("c", 90, 6)]);
    Ok(())
}

/// Refuses 13.
struct Superstitious;

impl Processor<String, i64, (), ()> for Superstitious {
    fn process(&mut self, _: &mut ProcessorContext<'_, (), ()>, record: Record<String, i64>) -> Result<(), BoxError> {
        if record.value == 13 { Err("it is 13".into()) } else { Ok(()) }
    }
}

#[test]
fn a_record_that_another_step_refuses_leaves_no_update() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, i64>("in");
    stream.to_table(cached("kept")).to_stream().to("out");
    stream.process::<(), (), _>("superstitious", &[], || Superstitious);
    let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    set(&driver, "in", &[("a", Some(1), 1), ("a", Some(13), 2), ("b", Some(13), 3)])?;
    assert_eq!(updates(&driver, "out"), [update("a", 1, 1)]);
    Ok(())
}

#[test]
fn a_merged_update_that_a_later_step_refuses_is_left_out_alone() -> Tested {
    let builder = StreamsBuilder::new();
    let kept = table(&builder, "in").to_stream();
    kept.drop_null_values().process::<(), (), _>("superstitious", &[], || Superstitious);
    kept.to("out");
    let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    set(&driver, "in", &[("a", Some(13), 1), ("b", Some(13), 2), ("b", Some(2), 3), ("c", Some(3), 4)])?;
    assert_eq!(updates(&driver, "out"), [update("b", 2, 3), update("c", 3, 4)]);
    Ok(())
}

#[test]
fn an_erased_key_has_no_update_that_waits() -> Tested {
    let builder = StreamsBuilder::new();
    let second = TimeWindows::of_size_with_no_grace(Duration::from_secs(1));
    let all = builder.stream::<String, i64>("in");
    let stream = all.filter(|_, value| *value >= 0);
    stream.group_by_key().count(cached("counts")).to_stream().to("out");
    stream.group_by_key().windowed_by(second).count(cached("windows")).to_stream().to("windows-out");
    let forget = all.filter(|_, value| *value < 0).erase("forget-key", &["counts", "windows"]);
    forget.map_values(|_| 0_i64).to("done");
    let driver = driver(&builder);
    set(&driver, "in", &[("a", Some(0), 1), ("b", Some(0), 2), ("a", Some(-1), 3)])?;
    assert_eq!(updates(&driver, "done").len(), 1);
    assert_eq!(updates(&driver, "out"), [update("b", 1, 2)]);
    let windows = driver.output::<Windowed<String>, i64>("windows-out").read()?;
    assert_eq!(windows, [(windowed("b", 0, 1_000), 1, 2)]);
    Ok(())
}

#[test]
fn sums_are_right_whatever_is_merged() -> Tested {
    for max_bytes in [0, 300, 600, 10 << 20] {
        let builder = StreamsBuilder::new();
        let bounded = |name: &str| Materialized::<String, i64>::named(name).cache_max_bytes(max_bytes);
        let prices = builder.table::<String, i64>("prices", bounded("prices"));
        let amounts = builder.table::<String, i64>("amounts", bounded("amounts"));
        let totals = prices.outer_join(&amounts, |_, price, amount| price.unwrap_or(1) * amount.unwrap_or(1));
        let sums = totals.materialized(bounded("totals")).group_by("all", |_, total| ("all".to_owned(), total));
        sums.reduce(bounded("sum"), |all, total| all + total, |all, total| all - total);
        let driver = driver(&builder);
        let mut known = BTreeMap::<(String, &str), i64>::new();
        for at in 0..120_i64 {
            let topic = if at % 3 == 0 { "amounts" } else { "prices" };
            let (key, value) = (format!("item-{}", at * 7 % 4), (at % 5 != 0).then_some(at));
            driver.input::<String, Option<i64>>(topic).enqueue(key.clone(), value, at)?;
            match value {
                Some(value) => drop(known.insert((key, topic), value)),
                None => drop(known.remove(&(key, topic))),
            }
            if at % 8 == 7 {
                driver.advance_wall_clock(Duration::ZERO)?;
                let keys: BTreeSet<_> = known.keys().map(|(key, _)| key.clone()).collect();
                let of = |key: &String, topic| known.get(&(key.clone(), topic)).copied().unwrap_or(1);
                let expected: i64 = keys.iter().map(|key| of(key, "prices") * of(key, "amounts")).sum();
                let sum = driver.key_value_store::<String, i64>("sum", 0)?.expect("it runs").get(&"all".into())?;
                assert_eq!(sum, Some(expected), "at {at} with {max_bytes} bytes");
            }
        }
    }
    Ok(())
}
