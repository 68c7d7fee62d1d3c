//! Versioned tables (KIP-914): which updates come out, what joins and aggregates see, and what a restart changes.

mod common;

use std::time::Duration;

use common::{Tested, driver};
use tidemill::{
    BufferConfig, KTable, Materialized, RecordHandler, StoreBuilder, StreamsBuilder, StreamsConfig, Suppressed,
    TimeWindows,
    state::{Coded, VersionedRecord},
    testing::{DriverOptions, TopologyTestDriver},
};

fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

/// A store that keeps versions for 100 ms.
fn versioned<V: Coded>(name: &str) -> Materialized<String, V> {
    Materialized::named(name).in_memory().versioned(ms(100))
}

/// The topic's table, in the store `prices`.
fn prices(builder: &StreamsBuilder) -> KTable<String, i64> {
    builder.table::<String, i64>("prices", versioned::<i64>("prices"))
}

fn set(driver: &TopologyTestDriver, topic: &str, values: &[(&str, Option<i64>, i64)]) -> Tested {
    let input = driver.input::<String, Option<i64>>(topic);
    Ok(input.pipe_all(values.iter().map(|(key, value, at)| ((*key).to_owned(), *value, *at)))?)
}

type Updates = Vec<(String, Option<i64>, i64)>;

fn updates(driver: &TopologyTestDriver, topic: &str) -> Updates {
    driver.output::<String, Option<i64>>(topic).read().expect("reads")
}

fn update(key: &str, value: impl Into<Option<i64>>, at: i64) -> (String, Option<i64>, i64) {
    (key.to_owned(), value.into(), at)
}

fn dropped(driver: &TopologyTestDriver, reason: &str) -> u64 {
    let tasks = driver.status().expect("it runs").tasks;
    tasks
        .iter()
        .flat_map(|task| &task.records_dropped)
        .filter(|(_, why, _)| *why == reason)
        .map(|(.., count)| count)
        .sum()
}

/// An update that comes late, and one that comes too late.
const OUT_OF_ORDER: [(&str, Option<i64>, i64); 4] =
    [("tea", Some(1), 10), ("tea", Some(3), 200), ("tea", Some(2), 150), ("tea", Some(9), 99)];

#[test]
fn each_update_comes_out_and_the_highest_time_is_the_last() -> Tested {
    let builder = StreamsBuilder::new();
    prices(&builder).to_stream().to("out");
    let driver = driver(&builder);
    set(&driver, "prices", &OUT_OF_ORDER)?;
    assert_eq!(updates(&driver, "out"), [update("tea", 1, 10), update("tea", 3, 200), update("tea", 2, 150)]);
    assert_eq!(dropped(&driver, "late"), 1, "the last one is older than the history");
    let store = driver.versioned_store::<String, i64>("prices", 0)?.ok_or("it runs")?;
    let latest = VersionedRecord { value: 3, timestamp: 200, valid_to: None };
    assert_eq!(store.get(&"tea".into())?, Some(latest));
    driver.crash();
    let before = VersionedRecord { value: 2, timestamp: 150, valid_to: Some(200) };
    let store = driver.versioned_store::<String, i64>("prices", 0)?.ok_or("it runs")?;
    assert_eq!(store.get_as_of(&"tea".into(), 199)?, Some(before));
    Ok(())
}

#[test]
fn a_join_with_a_stream_finds_the_value_at_the_time_of_the_record() -> Tested {
    let builder = StreamsBuilder::new();
    let prices = prices(&builder);
    let ordered = builder.stream::<String, i64>("ordered");
    ordered.join(&prices, |_, number, price| number * price).to("costs");
    ordered.left_join(&prices.filter(|_, price| *price != 2), |_, _, price| price.unwrap_or(-1)).to("not-two");
    ordered.join(&prices.map_values(|price| price * 10), |_, number, price| number * price).to("tenfold");
    let driver = driver(&builder);
    let asked = [("tea", Some(1), 9), ("tea", Some(1), 149), ("tea", Some(1), 150), ("tea", Some(1), 200)];
    set(&driver, "prices", &OUT_OF_ORDER)?;
    let [costs, not_two, tenfold] = ["costs", "not-two", "tenfold"].map(|topic| driver.output::<String, i64>(topic));
    for _ in 0..2 {
        set(&driver, "ordered", &asked)?;
        assert_eq!(costs.read_values()?, [1, 2, 3]);
        assert_eq!(not_two.read_values()?, [-1, 1, -1, 3]);
        assert_eq!(tenfold.read_values()?, [10, 20, 30]);
        driver.crash();
    }
    Ok(())
}

#[test]
fn a_deletion_is_a_version_too() -> Tested {
    let builder = StreamsBuilder::new();
    let prices = prices(&builder);
    prices.to_stream().to("out");
    let orders = builder.stream::<String, i64>("ordered");
    orders.left_join(&prices, |_, _, price| price.unwrap_or(-1)).to("costs");
    let driver = driver(&builder);
    set(&driver, "prices", &[("tea", Some(1), 10), ("tea", Some(3), 30), ("tea", None, 20), ("tea", None, 40)])?;
    set(&driver, "ordered", &[("tea", Some(1), 19), ("tea", Some(1), 20), ("tea", Some(1), 39), ("tea", Some(1), 40)])?;
    assert_eq!(driver.output::<String, i64>("costs").read_values()?, [1, -1, 3, -1]);
    let expected = [update("tea", 1, 10), update("tea", 3, 30), update("tea", None, 20), update("tea", None, 40)];
    assert_eq!(updates(&driver, "out"), expected);
    Ok(())
}

#[test]
fn a_filter_emits_a_tombstone_for_each_value_that_it_leaves_out() -> Tested {
    let builder = StreamsBuilder::new();
    prices(&builder).filter(|_, price| *price > 1).to_stream().to("out");
    builder.table::<String, i64>("plain", "plain").filter(|_, price| *price > 1).to_stream().to("plain-out");
    let driver = driver(&builder);
    let values = [("tea", Some(1), 10), ("tea", Some(3), 30), ("tea", Some(1), 20)];
    set(&driver, "prices", &values)?;
    set(&driver, "plain", &values)?;
    assert_eq!(updates(&driver, "out"), [update("tea", None, 10), update("tea", 3, 30), update("tea", None, 20)]);
    assert_eq!(updates(&driver, "plain-out"), [update("tea", 3, 30), update("tea", None, 20)]);
    Ok(())
}

#[test]
fn a_versioned_store_of_a_filter_ends_a_value_that_was_replaced_out_of_order() -> Tested {
    let builder = StreamsBuilder::new();
    // The table takes each update as the last.
    let prices = builder.table::<String, i64>("prices", "prices");
    let high = prices.filter(|_, price| *price > 100).materialized(versioned::<i64>("high"));
    high.to_stream().to("updates");
    let driver = driver(&builder);
    set(&driver, "prices", &[("low", Some(5), 0), ("tea", Some(300), 20), ("tea", Some(5), 10), ("tea", Some(6), 20)])?;
    assert_eq!(updates(&driver, "updates"), [update("tea", 300, 20), update("tea", None, 10), update("tea", None, 20)]);
    let high = driver.versioned_store::<String, i64>("high", 0)?.ok_or("it runs")?;
    assert_eq!((high.get(&"tea".to_owned())?, high.get(&"low".to_owned())?), (None, None));
    Ok(())
}

#[test]
fn joins_of_tables_drop_what_comes_out_of_order() -> Tested {
    let builder = StreamsBuilder::new();
    let (prices, stock) = (prices(&builder), builder.table::<String, i64>("stock", "stock"));
    let both = |_: &String, price: Option<i64>, stock: Option<i64>| price.unwrap_or(0) * 100 + stock.unwrap_or(0);
    prices.join(&stock, |_, price, stock| price * 100 + stock).to_stream().to("inner");
    prices.left_join(&stock, move |key, price, stock| both(key, Some(price), stock)).to_stream().to("left");
    stock.outer_join(&prices, move |key, stock, price| both(key, price, stock)).to_stream().to("outer");
    let driver = driver(&builder);
    set(&driver, "stock", &[("tea", Some(7), 0)])?;
    set(&driver, "prices", &[("tea", Some(3), 30), ("tea", Some(1), 10), ("tea", None, 20)])?;
    // The other table is not versioned: its last record counts, whatever its time.
    set(&driver, "stock", &[("tea", Some(8), 50), ("tea", Some(9), 40)])?;
    let expected = [update("tea", 307, 30), update("tea", 308, 50), update("tea", 309, 40)];
    assert_eq!(updates(&driver, "inner"), expected);
    assert_eq!(updates(&driver, "left"), expected);
    assert_eq!(updates(&driver, "outer")[1..], expected, "the stock alone came first");
    assert_eq!(dropped(&driver, "out-of-order"), 6, "two versions in three joins");
    Ok(())
}

#[test]
fn foreign_key_joins_drop_what_comes_out_of_order() -> Tested {
    let builder = StreamsBuilder::new();
    let left = builder.table::<String, String>("of", versioned::<String>("of"));
    let joined = left.join_foreign_key(&prices(&builder), "priced", |_, of| of.clone(), |_, _, price| price);
    joined.to_stream().to("out");
    let driver = driver(&builder);
    set(&driver, "prices", &[("tea", Some(3), 30), ("jam", Some(5), 30)])?;
    let of = driver.input::<String, String>("of");
    of.pipe_all([("cup".into(), "tea".into(), 30), ("cup".into(), "jam".into(), 20)])?;
    set(&driver, "prices", &[("tea", Some(1), 10), ("tea", Some(4), 40)])?;
    assert_eq!(updates(&driver, "out"), [update("cup", 3, 30), update("cup", 4, 40)]);
    assert_eq!(dropped(&driver, "out-of-order"), 2, "one of each table");
    Ok(())
}

#[test]
fn groups_have_what_their_keys_have_now() -> Tested {
    let builder = StreamsBuilder::new();
    let groups = prices(&builder).group_by("by-parity", |_, price| ((price % 2).to_string(), price));
    groups.reduce("sums", |one, other| one + other, |sum, gone| sum - gone).to_stream().to("out");
    let driver = driver(&builder);
    set(&driver, "prices", &[("tea", Some(3), 30), ("tea", Some(2), 20), ("jam", Some(5), 10), ("tea", Some(7), 40)])?;
    assert_eq!(updates(&driver, "out"), [update("1", 3, 30), update("1", 8, 30), update("1", 12, 40)]);
    assert_eq!(dropped(&driver, "out-of-order"), 0, "a group does not count it, as in Kafka Streams");
    Ok(())
}

#[test]
fn a_store_without_versions_takes_each_update_as_the_last() -> Tested {
    let builder = StreamsBuilder::new();
    let kept = prices(&builder).map_values(|price| price * 10).materialized("kept");
    builder.stream::<String, i64>("ordered").join(&kept, |_, _, price| price).to("costs");
    let driver = driver(&builder);
    set(&driver, "prices", &OUT_OF_ORDER)?;
    set(&driver, "ordered", &[("tea", Some(1), 200)])?;
    assert_eq!(driver.output::<String, i64>("costs").read_values()?, [20]);
    Ok(())
}

#[test]
fn a_versioned_store_can_keep_a_later_step_and_a_stream() -> Tested {
    let builder = StreamsBuilder::new();
    let doubled = builder.stream::<String, i64>("in").map_values(|price| price * 2).to_table(versioned("doubled"));
    doubled.filter(|_, price| *price > 2).materialized(versioned("dear")).to_stream().to("out");
    let driver = driver(&builder);
    set(&driver, "in", &OUT_OF_ORDER)?;
    assert_eq!(updates(&driver, "out"), [update("tea", None, 10), update("tea", 6, 200), update("tea", 4, 150)]);
    let dear = driver.versioned_store::<String, i64>("dear", 0)?.ok_or("it runs")?;
    assert_eq!(dear.get_as_of(&"tea".into(), 160)?.map(|version| version.value), Some(4));
    assert_eq!(dear.get(&"tea".into())?.map(|version| version.value), Some(6));
    Ok(())
}

/// Sums that begin anew after a value of 0, and then may be older than the deletion.
fn sums() -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    let sums = builder.stream::<String, i64>("in").group_by_key().aggregate(
        Materialized::<String, Option<i64>>::named("sums").in_memory().versioned(ms(100)),
        || Some(0),
        |_, value, sum: &mut Option<i64>| *sum = if value == 0 { None } else { sum.map(|sum| sum + value) },
    );
    sums.to_stream().map_values(Option::flatten).to("out");
    let asked = builder.stream::<String, i64>("asked");
    asked.left_join(&sums, |_, _, sum| sum.flatten().unwrap_or(-1)).to("answers");
    builder
}

#[test]
fn an_aggregate_keeps_a_version_for_each_update() -> Tested {
    for handler in [RecordHandler::Fail, RecordHandler::Skip] {
        let config = StreamsConfig { processing_handler: handler, ..StreamsConfig::new("test") };
        let options = DriverOptions { config, ..DriverOptions::default() };
        let driver = TopologyTestDriver::with(&sums().build()?, options)?;
        set(&driver, "in", &[("a", Some(1), 10), ("a", Some(2), 30), ("a", Some(4), 20), ("a", Some(0), 40)])?;
        // The first is between the others; the second is older than the history.
        set(&driver, "in", &[("b", Some(1), 200), ("a", Some(8), 120), ("b", Some(0), 210), ("b", Some(1), 100)])?;
        let expected = [
            update("a", 1, 10),
            update("a", 3, 30),
            update("a", 7, 30),
            update("a", None, 40),
            update("b", 1, 200),
            update("a", 8, 120),
            update("b", None, 210),
        ];
        assert_eq!(updates(&driver, "out"), expected);
        assert_eq!(dropped(&driver, "late"), 1);
        let answers = driver.output::<String, i64>("answers");
        for _ in 0..2 {
            set(&driver, "asked", &[("a", Some(0), 130), ("b", Some(0), 205), ("b", Some(0), 210)])?;
            assert_eq!(answers.read_values()?, [8, 1, -1]);
            driver.crash();
        }
    }
    Ok(())
}

#[test]
fn an_aggregate_that_nothing_joins_keeps_a_version_for_each_update_of_a_commit() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream::<String, i64>("in").group_by_key().count(versioned("counts"));
    let driver = driver(&builder);
    let input = driver.input::<String, i64>("in");
    for at in [10, 30, 50] {
        input.enqueue("a".into(), 0, at)?;
    }
    let counts = driver.versioned_store::<String, i64>("counts", 0)?.expect("the task runs");
    let at = |time| counts.get_as_of(&"a".into(), time).map(|found| found.map(|version| version.value));
    assert_eq!([at(10)?, at(29)?, at(30)?, at(50)?], [Some(1), Some(1), Some(2), Some(3)]);
    Ok(())
}

#[test]
fn an_aggregate_that_begins_before_its_last_deletion_is_not_the_latest() -> Tested {
    let driver = driver(&sums());
    set(&driver, "in", &[("a", Some(1), 30), ("a", Some(0), 50), ("a", Some(5), 40), ("a", Some(2), 60)])?;
    assert_eq!(
        updates(&driver, "out"),
        [update("a", 1, 30), update("a", None, 50), update("a", 5, 40), update("a", 2, 60)]
    );
    set(&driver, "asked", &[("a", Some(0), 45), ("a", Some(0), 55), ("a", Some(0), 60)])?;
    assert_eq!(driver.output::<String, i64>("answers").read_values()?, [5, -1, 2]);
    Ok(())
}

#[test]
fn restarts_after_each_record_change_nothing() -> Tested {
    let run = |restarts: bool| -> Tested<(Updates, Updates, Vec<i64>)> {
        let builder = sums();
        let prices = prices(&builder);
        prices
            .group_by("by-parity", |_, price| ((price % 2).to_string(), price))
            .count("counts")
            .to_stream()
            .to("counts");
        prices.filter(|_, price| price % 3 != 0).to_stream().to("filtered");
        builder.stream::<String, i64>("asked").join(&prices, |_, _, price| price).to("prices-then");
        let driver = driver(&builder);
        for (step, at) in [30, 10, 50, 160, 20, 70, 61, 60, 59, 200, 140].into_iter().enumerate() {
            for key in ["a", "b"] {
                let value = Some(step as i64 * at % 7);
                set(&driver, "prices", &[(key, value, at)])?;
                set(&driver, "in", &[(key, value, at)])?;
                set(&driver, "asked", &[(key, Some(0), at + 5)])?;
                if restarts {
                    driver.crash();
                }
            }
        }
        let answers = ["answers", "prices-then"].map(|topic| driver.output::<String, i64>(topic).read_values());
        let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
        Ok((updates(&driver, "out"), [updates(&driver, "counts"), updates(&driver, "filtered")].concat(), answers))
    };
    assert_eq!(run(true)?, run(false)?);
    Ok(())
}

#[test]
fn a_refused_update_leaves_no_version() -> Tested {
    let builder = StreamsBuilder::new();
    let prices = prices(&builder);
    let refuse = |_: &String, price: Option<i64>| if price == Some(9) { Err("refused") } else { Ok(price) };
    prices.to_stream().try_map_values_with_key(refuse).to("out");
    builder.stream::<String, i64>("ordered").join(&prices, |_, _, price| price).to("costs");
    let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    set(&driver, "prices", &[("tea", Some(1), 10), ("tea", Some(9), 900), ("tea", Some(2), 20), ("tea", Some(9), 15)])?;
    set(&driver, "ordered", &[("tea", Some(1), 16), ("tea", Some(1), 950)])?;
    assert_eq!(driver.output::<String, i64>("costs").read_values()?, [1, 2]);
    assert_eq!(updates(&driver, "out"), [update("tea", 1, 10), update("tea", 2, 20)]);
    Ok(())
}

#[test]
fn an_erased_key_has_no_versions_left_to_join() -> Tested {
    let builder = StreamsBuilder::new();
    let prices = prices(&builder);
    builder.stream::<String, i64>("ordered").left_join(&prices, |_, _, price| price.unwrap_or(-1)).to("costs");
    builder
        .stream::<String, i64>("erase")
        .erase("eraser", &["prices"])
        .map_values(|erased| erased.rows as i64)
        .to("rows");
    let driver = driver(&builder);
    set(&driver, "prices", &[("tea", Some(1), 10), ("tea", Some(2), 20), ("jam", Some(5), 10)])?;
    set(&driver, "erase", &[("tea", Some(0), 0)])?;
    assert_eq!(driver.output::<String, i64>("rows").read_values()?, [2]);
    let costs = driver.output::<String, i64>("costs");
    for _ in 0..2 {
        set(&driver, "ordered", &[("tea", Some(1), 15), ("tea", Some(1), 25), ("jam", Some(1), 25)])?;
        assert_eq!(costs.read_values()?, [-1, -1, 5]);
        driver.crash();
    }
    Ok(())
}

#[test]
fn what_cannot_be_versioned_is_listed() {
    let builder = StreamsBuilder::new();
    prices(&builder)
        .map_values(|price| price + 1)
        .suppress("held", Suppressed::until_time_limit(ms(10), BufferConfig::unbounded()));
    builder.table::<String, i64>("cached", versioned::<i64>("cached").with_caching());
    builder.table::<String, i64>("short", versioned::<i64>("short").time_to_live(ms(5)));
    builder.global_table::<String, i64>("global", versioned::<i64>("global"));
    builder.add_key_value_store::<String, i64>(versioned::<i64>("plain"));
    builder.add_state_store(StoreBuilder::key_value(versioned::<i64>("apart")));
    let minutes = TimeWindows::of_size_with_no_grace(Duration::from_mins(1));
    builder.stream::<String, i64>("in").group_by_key().windowed_by(minutes).count(versioned("windows"));
    let error = builder.build().expect_err("none of it can be");
    for part in [
        "'held' holds back the updates of a versioned table",
        "store 'cached' keeps versions, so its updates cannot be merged",
        "store 'short' has windows or versions: set their retention, not a time to live",
        "global store 'global' cannot be versioned",
        "store 'plain' cannot be versioned",
        "store 'apart' cannot be versioned",
        "store 'windows' cannot be versioned",
    ] {
        assert!(error.problems().iter().any(|problem| problem.contains(part)), "{part}: {error}");
    }
}
