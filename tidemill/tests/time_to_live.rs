//! Rows expire when their keys were not written for the store's time to live.

mod common;

use std::time::Duration;

use common::{Tested, driver};
use tidemill::{
    Materialized, RecordHandler, StoreBuilder, StreamsBuilder, StreamsConfig, TimeWindows,
    processor::{Processor, ProcessorContext, ProcessorSupplier, Record},
    state::{BoxError, Coded},
    testing::{DriverOptions, TopologyTestDriver},
};

/// A store whose rows live for ten milliseconds.
fn short<K: Coded, V: Coded>(name: &str) -> Materialized<K, V> {
    Materialized::named(name).time_to_live(Duration::from_millis(10))
}

fn counting() -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    builder.stream::<String, i64>("in").group_by_key().count(short("counts")).to_stream().to("out");
    builder
}

type Update = (String, Option<i64>, i64);

fn update(key: &str, count: impl Into<Option<i64>>, timestamp: i64) -> Update {
    (key.to_owned(), count.into(), timestamp)
}

fn outputs(driver: &TopologyTestDriver) -> Tested<Vec<Update>> {
    Ok(driver.output::<String, Option<i64>>("out").read()?)
}

#[test]
fn a_key_that_was_not_written_for_its_time_to_live_begins_again() -> Tested {
    let driver = driver(&counting());
    let input = driver.input::<String, i64>("in");
    input.pipe_all([("a".into(), 0, 0), ("a".into(), 0, 9), ("a".into(), 0, 18), ("a".into(), 0, 28)])?;
    // The record itself moves the time, so it does not see the row of 18.
    let expected =
        [update("a", 1, 0), update("a", 2, 9), update("a", 3, 18), update("a", None, 28), update("a", 1, 28)];
    assert_eq!(outputs(&driver)?, expected);
    let text = driver.plan().describe();
    assert!(text.contains("store counts (key-value, time to live 10 ms, persistent"), "{text}");
    Ok(())
}

#[test]
fn what_expires_leaves_the_store_and_its_changelog() -> Tested {
    let driver = driver(&counting());
    let input = driver.input::<String, i64>("in");
    input.pipe_all([("a".into(), 0, 0), ("b".into(), 0, 5), ("c".into(), 0, 14)])?;
    let counts = driver.key_value_store::<String, i64>("counts", 0)?.expect("it runs");
    assert_eq!(counts.all().read_all()?, [("b".to_owned(), 1), ("c".to_owned(), 1)]);
    let changelog = driver.output::<String, Option<i64>>("test-counts-changelog").read_values()?;
    assert!(changelog.contains(&None), "{changelog:?}");
    driver.crash();
    let counts = driver.key_value_store::<String, i64>("counts", 0)?.expect("it runs");
    assert_eq!(counts.all().read_all()?, [("b".to_owned(), 1), ("c".to_owned(), 1)]);
    Ok(())
}

#[test]
fn a_crash_changes_nothing() -> Tested {
    let run = |crashes: bool| {
        let driver = driver(&counting());
        for number in 0..60_i64 {
            let key = format!("k{}", number * 7 % 11);
            driver.input::<String, i64>("in").pipe(key, number, number * 13 % 29 + number)?;
            if crashes && number % 5 == 0 {
                driver.crash();
            }
        }
        outputs(&driver)
    };
    let undisturbed = run(false)?;
    assert!(undisturbed.iter().filter(|(_, count, _)| count.is_none()).count() > 10);
    assert_eq!(run(true)?, undisturbed);
    Ok(())
}

#[test]
fn groups_of_a_table_lose_what_expired() -> Tested {
    let builder = StreamsBuilder::new();
    let homes = builder.table::<String, String>("homes", short("city-of-user"));
    homes.group_by("by-city", |user, city| (city, user.clone())).count("inhabitants").to_stream().to("out");
    let driver = driver(&builder);
    let homes = driver.input::<String, Option<String>>("homes");
    homes.pipe_all([("ann".into(), Some("Kyiv".into()), 0), ("bo".into(), Some("Kyiv".into()), 5)])?;
    homes.pipe("cy".into(), Some("Lviv".into()), 12)?;
    let expected = [update("Kyiv", 1, 0), update("Kyiv", 2, 5), update("Kyiv", 1, 10), update("Lviv", 1, 12)];
    assert_eq!(outputs(&driver)?, expected);
    Ok(())
}

#[test]
fn a_join_does_not_find_what_expired() -> Tested {
    let builder = StreamsBuilder::new();
    let names = builder.table::<String, String>("users", short("names"));
    let label = |_: &String, _: String, name: Option<String>| name.unwrap_or("nobody".into());
    builder.stream::<String, String>("orders").left_join(&names, label).to("out");
    let driver = driver(&builder);
    driver.input::<String, String>("users").pipe("ann".into(), "Ann".into(), 0)?;
    let orders = driver.input::<String, String>("orders");
    orders.pipe_all([("ann".into(), "tea".into(), 9), ("ann".into(), "jam".into(), 10)])?;
    assert_eq!(driver.output::<String, String>("out").read_values()?, ["Ann", "nobody"]);
    Ok(())
}

#[test]
fn every_kind_of_table_expires() -> Tested {
    let builder = StreamsBuilder::new();
    let input = builder.stream::<String, i64>("in");
    input.to_table(short("last")).to_stream().to("out");
    builder
        .table::<String, i64>("prices", "prices")
        .filter(|_, it| *it > 0)
        .materialized(short("dear"))
        .to_stream()
        .to("dear");
    let driver = driver(&builder);
    driver.input::<String, i64>("in").pipe_all([("a".into(), 1, 0), ("b".into(), 2, 10)])?;
    assert_eq!(outputs(&driver)?, [update("a", 1, 0), update("a", None, 10), update("b", 2, 10)]);
    driver.input::<String, i64>("prices").pipe_all([("a".into(), 1, 0), ("b".into(), 2, 15)])?;
    let dear = driver.output::<String, Option<i64>>("dear").read()?;
    assert_eq!(dear, [update("a", 1, 0), update("a", None, 10), update("b", 2, 15)]);
    let prices = driver.key_value_store::<String, i64>("prices", 0)?.expect("it runs");
    assert_eq!(prices.all().read_all()?.len(), 2, "the store above has no time to live");
    Ok(())
}

/// Passes on how many keys it has seen.
struct Seen;

impl Processor<String, i64, String, i64> for Seen {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, i64>,
        record: Record<String, i64>,
    ) -> Result<(), BoxError> {
        let seen = ctx.key_value_store::<String, i64>("seen")?;
        seen.put(&record.key, &record.value, record.timestamp)?;
        let value = seen.all().read_all()?.len() as i64;
        ctx.forward(Record { value, ..record });
        Ok(())
    }
}

#[test]
fn stores_of_processors_forget() -> Tested {
    let builder = StreamsBuilder::new();
    builder.add_key_value_store::<String, i64>(short("seen"));
    builder.stream::<String, i64>("in").process("count-seen", &["seen"], || Seen).to("out");
    forgets(&builder)
}

fn forgets(builder: &StreamsBuilder) -> Tested {
    let driver = driver(builder);
    let input = driver.input::<String, i64>("in");
    for (number, timestamp) in [0, 3, 6, 9, 12, 15, 100].into_iter().enumerate() {
        input.pipe(format!("{number}"), 0, timestamp)?;
    }
    assert_eq!(driver.output::<String, i64>("out").read_values()?, [1, 2, 3, 4, 4, 4, 1]);
    Ok(())
}

/// Brings the store of its processors.
struct BringsSeen;

impl ProcessorSupplier<String, i64, String, i64> for BringsSeen {
    type Processor = Seen;

    fn get(&self) -> Seen {
        Seen
    }

    fn stores(&self) -> Vec<StoreBuilder> {
        vec![StoreBuilder::key_value::<String, i64>(short("seen"))]
    }
}

#[test]
fn stores_that_are_built_apart_forget_too() -> Tested {
    let builder = StreamsBuilder::new();
    builder.add_state_store(StoreBuilder::key_value::<String, i64>(short("seen")));
    builder.stream::<String, i64>("in").process("count-seen", &["seen"], || Seen).to("out");
    forgets(&builder)?;

    let builder = StreamsBuilder::new();
    builder.stream::<String, i64>("in").process("count-seen", &[], BringsSeen).to("out");
    forgets(&builder)
}

#[test]
fn stores_with_different_times_to_live_are_not_the_same() {
    let builder = StreamsBuilder::new();
    builder.add_state_store(StoreBuilder::key_value::<String, i64>(short("seen")));
    builder.add_state_store(StoreBuilder::key_value::<String, i64>("seen"));
    builder.add_state_store(StoreBuilder::versioned::<String, i64>(short("prices"), Duration::from_millis(10)));
    builder.stream::<String, i64>("in").process("count-seen", &["seen", "prices"], || Seen).to("out");
    let problems = builder.build().expect_err("it is refused");
    let expected = [
        "store 'prices' has windows or versions: set their retention, not a time to live",
        "two stores are named 'seen': give each its own name",
    ];
    assert_eq!(problems.problems(), expected);
}

#[test]
fn many_rows_expire_in_parts_and_all_before_the_record() -> Tested {
    let driver = driver(&counting());
    let number = 5_500_i64;
    driver.input::<String, i64>("in").pipe_all((0..number).map(|key| (format!("{key:05}"), 0, key / 1_000)))?;
    let commits = driver.status()?.commits;
    driver.input::<String, i64>("in").pipe("last".into(), 0, 1_000)?;
    let updates = outputs(&driver)?.split_off(number as usize);
    assert_eq!(updates.len() as i64, number + 1);
    assert!(updates.windows(2).all(|pair| pair[0].2 <= pair[1].2), "in the order of their times");
    assert_eq!(updates.last(), Some(&update("last", 1, 1_000)));
    assert!(driver.status()?.commits > commits + 3, "other work has its turn in between");
    assert_eq!(driver.key_value_store::<String, i64>("counts", 0)?.expect("it runs").all().read_all()?.len(), 1);
    Ok(())
}

#[test]
fn partitions_have_times_of_their_own() -> Tested {
    let driver = TopologyTestDriver::with(&counting().build()?, DriverOptions::default().partitions(2))?;
    let input = driver.input::<String, i64>("in");
    let of = |partition| {
        let place = move |key: &String| tidemill::partition_for(Some(key.as_bytes()), 2) == partition;
        (0..).map(|number| format!("k{number}")).filter(place)
    };
    let (one, other) = (of(0).next().expect("endless"), of(1).next().expect("endless"));
    input.pipe_all([(one.clone(), 0, 0), (other.clone(), 0, 100), (other, 0, 200), (one, 0, 9)])?;
    let counts: Vec<_> = outputs(&driver)?.into_iter().map(|(_, count, _)| count).collect();
    assert_eq!(counts.iter().filter(|count| **count == Some(2)).count(), 1, "{counts:?}");
    Ok(())
}

#[test]
fn a_row_that_is_old_when_it_is_written_expires_before_the_next_record() -> Tested {
    let driver = driver(&counting());
    let input = driver.input::<String, i64>("in");
    input.pipe_all([("a".into(), 0, 100), ("late".into(), 0, 5), ("a".into(), 0, 100)])?;
    let expected = [update("a", 1, 100), update("late", 1, 5), update("late", None, 15), update("a", 2, 100)];
    assert_eq!(outputs(&driver)?, expected);
    Ok(())
}

#[test]
fn a_tombstone_that_a_later_step_refuses_is_left_out_once() -> Tested {
    let builder = StreamsBuilder::new();
    let counts = builder.stream::<String, i64>("in").group_by_key().count(short("counts")).to_stream();
    counts.process("refuses", &[], || Refuses).to("out");
    let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    driver.input::<String, i64>("in").pipe_all([("a".into(), 0, 0), ("b".into(), 0, 50), ("c".into(), 0, 55)])?;
    assert_eq!(outputs(&driver)?, [update("a", 1, 0), update("b", 1, 50), update("c", 1, 55)]);
    assert_eq!(driver.status()?.tasks[0].records_dropped, [("refuses".to_owned(), "processing-error", 1)]);
    Ok(())
}

/// Takes no tombstones.
struct Refuses;

impl Processor<String, Option<i64>, String, Option<i64>> for Refuses {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, Option<i64>>,
        record: Record<String, Option<i64>>,
    ) -> Result<(), BoxError> {
        if record.value.is_none() {
            return Err("a tombstone".into());
        }
        ctx.forward(record);
        Ok(())
    }
}

#[test]
fn times_that_cannot_be_are_refused() {
    let builder = StreamsBuilder::new();
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(1));
    let grouped = builder.stream::<String, i64>("in").group_by_key();
    grouped.windowed_by(windows).count(short("windowed"));
    grouped.count(Materialized::named("none").time_to_live(Duration::ZERO));
    grouped.count(Materialized::named("idle").idle_after(Duration::from_secs(1)));
    builder.global_table::<String, i64>("users", short("names"));
    let problems = builder.build().expect_err("it is refused");
    let expected = [
        "global store 'names' cannot have a time to live: its topic decides",
        "store 'idle' has an idle time, but no time to live that it could move",
        "store 'windowed' has windows or versions: set their retention, not a time to live",
        "the time to live of store 'none' must be at least 1 ms",
    ];
    assert_eq!(problems.problems(), expected);
}
