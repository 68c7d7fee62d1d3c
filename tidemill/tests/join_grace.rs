//! Joins of a stream with a versioned table after a grace period (KIP-923): what waits, what does not, and what a crash
//! changes.

mod common;

use std::{collections::BTreeMap, time::Duration};

use common::{Tested, driver};
use tidemill::{
    Joined, KTable, Materialized, RecordHandler, StreamsBuilder, StreamsConfig,
    processor::{FixedKeyProcessor, FixedKeyProcessorContext, FixedKeyRecord},
    state::BoxError,
    testing::{DriverOptions, TopologyTestDriver},
    transport::CleanupPolicy,
};

fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

fn prices(builder: &StreamsBuilder) -> KTable<String, i64> {
    builder.table::<String, i64>("prices", Materialized::named("prices").in_memory().versioned(ms(1_000)))
}

/// Records that wait for so long, in the store `joined-buffer`.
fn waiting(grace: u64) -> Joined<String, i64> {
    Joined::named("joined").in_memory().grace_period(ms(grace))
}

/// `ordered` with the prices of then: number and price, or `-1`.
fn topology(grace: u64) -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    let prices = prices(&builder);
    let ordered = builder.stream::<String, i64>("ordered");
    ordered.left_join_with(&prices, waiting(grace), |_, number, price| (number, price.unwrap_or(-1))).to("out");
    builder
}

fn send(driver: &TopologyTestDriver, topic: &str, records: &[(&str, i64, i64)]) -> Tested {
    let input = driver.input::<String, i64>(topic);
    Ok(input.pipe_all(records.iter().map(|(key, value, at)| ((*key).to_owned(), *value, *at)))?)
}

/// Number, price and time.
type Found = Vec<(i64, i64, i64)>;

fn found(driver: &TopologyTestDriver) -> Found {
    let read = driver.output::<String, (i64, i64)>("out").read().expect("reads");
    read.into_iter().map(|(_, (number, price), at)| (number, price, at)).collect()
}

fn skipping(builder: &StreamsBuilder) -> Tested<TopologyTestDriver> {
    let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    Ok(TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?)
}

fn dropped(driver: &TopologyTestDriver) -> Tested<Vec<(String, &'static str, u64)>> {
    Ok(driver.status()?.tasks.into_iter().flat_map(|task| task.records_dropped).collect())
}

#[test]
fn a_record_waits_until_time_is_the_grace_later_and_sees_late_updates() -> Tested {
    let driver = driver(&topology(20));
    send(&driver, "ordered", &[("tea", 1, 100)])?;
    send(&driver, "prices", &[("tea", 30, 90), ("tea", 35, 101), ("tea", 31, 95)])?;
    send(&driver, "ordered", &[("jam", 2, 119)])?;
    assert_eq!(found(&driver), []);
    send(&driver, "ordered", &[("jam", 3, 120)])?;
    assert_eq!(found(&driver), [(1, 31, 100)]);
    send(&driver, "prices", &[("tea", 99, 500)])?;
    assert_eq!(driver.output::<String, (i64, i64)>("out").read()?.len(), 1, "the table's time lets nothing out");
    Ok(())
}

#[test]
fn what_waited_comes_out_by_time_key_and_arrival() -> Tested {
    let driver = driver(&topology(20));
    let unordered = [("b", 1, 110), ("a", 2, 105), ("b", 3, 105), ("a", 4, 110), ("a", 5, 105), ("c", 6, 104)];
    send(&driver, "ordered", &unordered)?;
    send(&driver, "ordered", &[("z", 7, 200)])?;
    let numbers: Vec<_> = found(&driver).into_iter().map(|(number, _, at)| (number, at)).collect();
    assert_eq!(numbers, [(6, 104), (2, 105), (5, 105), (3, 105), (4, 110), (1, 110)]);
    Ok(())
}

#[test]
fn a_record_that_is_late_is_joined_at_once_and_lets_nothing_out() -> Tested {
    let driver = driver(&topology(20));
    send(&driver, "prices", &[("tea", 30, 0)])?;
    send(&driver, "ordered", &[("tea", 1, 100), ("tea", 2, 79), ("tea", 3, 80), ("tea", 4, 81)])?;
    assert_eq!(found(&driver), [(2, 30, 79), (3, 30, 80)]);
    Ok(())
}

#[test]
fn without_grace_records_are_joined_at_once() -> Tested {
    let driver = driver(&topology(0));
    send(&driver, "prices", &[("tea", 30, 0), ("tea", 35, 50)])?;
    send(&driver, "ordered", &[("tea", 1, 100), ("tea", 2, 40), ("tea", 3, 100), ("tea", 4, 101)])?;
    assert_eq!(found(&driver), [(1, 35, 100), (2, 30, 40), (3, 35, 100), (4, 35, 101)]);
    Ok(())
}

/// Writes each number into a header, too.
struct Head;

impl FixedKeyProcessor<String, i64, i64> for Head {
    fn process(
        &mut self,
        ctx: &mut FixedKeyProcessorContext<'_, String, i64>,
        mut record: FixedKeyRecord<String, i64>,
    ) -> Result<(), BoxError> {
        record.headers.push("number", record.value.to_string());
        ctx.forward(record);
        Ok(())
    }
}

#[test]
fn headers_wait_with_their_record() -> Tested {
    let builder = StreamsBuilder::new();
    let prices = prices(&builder);
    let ordered = builder.stream::<String, i64>("ordered").process_values("head", &[], || Head);
    ordered.left_join_with(&prices, waiting(20), |_, number, _| number).to("out");
    let driver = driver(&builder);
    send(&driver, "ordered", &[("tea", 1, 100), ("tea", 2, 100)])?;
    driver.crash();
    send(&driver, "ordered", &[("tea", 3, 200)])?;
    let records = driver.output::<String, i64>("out").read_records()?;
    let headers: Vec<_> =
        records.iter().map(|record| record.headers.last("number").map(|text| text.to_vec())).collect();
    assert_eq!(headers, [Some(b"1".to_vec()), Some(b"2".to_vec())]);
    Ok(())
}

#[test]
fn what_waits_survives_a_crash_and_is_joined_once() -> Tested {
    let driver = driver(&topology(20));
    send(&driver, "ordered", &[("tea", 1, 100), ("tea", 2, 110), ("jam", 3, 110)])?;
    driver.crash();
    send(&driver, "prices", &[("tea", 30, 99)])?;
    driver.crash();
    send(&driver, "ordered", &[("tea", 4, 125)])?;
    driver.crash();
    // It is late only for a join that remembers the time.
    send(&driver, "ordered", &[("tea", 5, 105)])?;
    driver.crash();
    send(&driver, "ordered", &[("tea", 6, 130)])?;
    assert_eq!(found(&driver), [(1, 30, 100), (5, 30, 105), (3, -1, 110), (2, 30, 110)]);
    Ok(())
}

/// What should come out.
#[derive(Default)]
struct Model {
    prices: BTreeMap<String, BTreeMap<i64, i64>>,
    /// Numbers by time, key and arrival. Later numbers are higher.
    waiting: BTreeMap<(i64, String, i64), i64>,
    now: i64,
    found: Found,
}

impl Model {
    fn price(&self, key: &str, at: i64) -> i64 {
        let versions = self.prices.get(key);
        versions.and_then(|versions| versions.range(..=at).next_back()).map_or(-1, |(_, price)| *price)
    }

    fn order(&mut self, key: &str, number: i64, at: i64, grace: i64) {
        self.now = self.now.max(at);
        if at < self.now - grace {
            self.found.push((number, self.price(key, at), at));
            return;
        }
        self.waiting.insert((at, key.to_owned(), number), number);
        while let Some(first) = self.waiting.first_entry().filter(|first| first.key().0 <= self.now - grace) {
            let ((at, key, _), number) = first.remove_entry();
            self.found.push((number, self.price(&key, at), at));
        }
    }
}

#[test]
fn random_records_are_joined_as_a_plain_model_says_with_crashes_and_without() -> Tested {
    for seed in 0..12_u64 {
        let grace = [0, 5, 30][seed as usize % 3];
        let (driver, mut model) = (driver(&topology(grace as u64)), Model::default());
        let mut state = seed * 7_919 + 1;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % below) as i64
        };
        for step in 0..80 {
            let key = ["a", "b", "c"][random(3) as usize];
            let at = step * 2 + random(40);
            if random(2) == 0 {
                send(&driver, "prices", &[(key, step, at)])?;
                model.prices.entry(key.into()).or_default().insert(at, step);
            } else {
                send(&driver, "ordered", &[(key, step, at)])?;
                model.order(key, step, at, grace);
            }
            if seed % 2 == 0 && random(3) == 0 {
                driver.crash();
            }
        }
        assert_eq!(found(&driver), model.found, "seed {seed}");
    }
    Ok(())
}

#[test]
fn a_refused_record_lets_nothing_out_and_moves_no_time() -> Tested {
    let builder = topology(20);
    let refuse = |number: i64| if number == 9 { Err("refused") } else { Ok(number) };
    builder.stream::<String, i64>("ordered").try_map_values(refuse).to("others");
    let driver = skipping(&builder)?;
    send(&driver, "ordered", &[("tea", 1, 100), ("tea", 9, 500)])?;
    send(&driver, "prices", &[("tea", 30, 99)])?;
    send(&driver, "ordered", &[("tea", 2, 110)])?;
    assert_eq!(found(&driver), [], "what the refused record let out is undone");
    send(&driver, "ordered", &[("tea", 3, 130)])?;
    driver.crash();
    send(&driver, "ordered", &[("tea", 4, 600)])?;
    assert_eq!(found(&driver), [(1, 30, 100), (2, 30, 110), (3, 30, 130)]);
    Ok(())
}

#[test]
fn a_join_that_refuses_what_waited_leaves_that_out_alone() -> Tested {
    let builder = StreamsBuilder::new();
    let prices = prices(&builder);
    let ordered = builder.stream::<String, i64>("ordered");
    let priced = |_: &String, number: i64, price: Option<i64>| price.map(|price| (number, price)).ok_or("no price");
    ordered.try_left_join_with(&prices, waiting(20), priced).to("out");
    let driver = skipping(&builder)?;
    send(&driver, "prices", &[("tea", 30, 0)])?;
    send(&driver, "ordered", &[("tea", 1, 100), ("jam", 2, 101), ("tea", 3, 102), ("tea", 4, 200), ("jam", 5, 50)])?;
    assert_eq!(found(&driver), [(1, 30, 100), (3, 30, 102)]);
    assert_eq!(dropped(&driver)?, [("joined".to_owned(), "processing-error", 2)]);
    Ok(())
}

#[test]
fn an_erased_key_waits_no_more() -> Tested {
    let builder = topology(20);
    let erase = builder.stream::<String, i64>("erase").erase("eraser", &["joined", "prices"]);
    erase.map_values(|erased| erased.rows as i64).to("rows");
    let driver = driver(&builder);
    send(&driver, "prices", &[("tea", 30, 0), ("jam", 20, 0)])?;
    send(&driver, "ordered", &[("tea", 1, 100), ("jam", 2, 100), ("tea", 3, 105)])?;
    driver.crash();
    send(&driver, "erase", &[("tea", 0, 0)])?;
    assert_eq!(driver.output::<String, i64>("rows").read_values()?, [3], "two that waited and a price");
    driver.crash();
    send(&driver, "ordered", &[("tea", 4, 110), ("jam", 5, 200)])?;
    assert_eq!(found(&driver), [(2, 20, 100), (4, -1, 110)]);
    let mut rows = BTreeMap::new();
    for (_, record) in driver.log().read_all("test-joined-buffer-changelog")? {
        rows.insert(record.key, record.value);
    }
    let left = rows.values().filter(|value| value.as_ref().is_some_and(|value| value.ends_with(&1_i64.to_be_bytes())));
    assert_eq!(left.count(), 0, "compaction leaves no row of the order");
    Ok(())
}

#[test]
fn records_without_a_key_or_a_value_do_not_wait() -> Tested {
    let builder = StreamsBuilder::new();
    let kept = Materialized::<Option<String>, i64>::named("prices").versioned(ms(1_000));
    let prices = builder.table::<Option<String>, i64>("prices", kept);
    let ordered = builder.stream::<Option<String>, Option<i64>>("ordered");
    let joined = |name: &str| Joined::named(name).grace_period(ms(20));
    ordered.left_join_with(&prices, joined("left"), |_, number, _| number.unwrap_or(-1)).to("left-out");
    ordered.join_with(&prices, joined("inner"), |_, number, _| number.unwrap_or(-1)).to("inner-out");
    let driver = driver(&builder);
    let ordered = driver.input::<Option<String>, Option<i64>>("ordered");
    ordered.pipe_all([(None, Some(1), 900), (Some("tea".into()), None, 900), (Some("tea".into()), Some(2), 100)])?;
    assert_eq!(driver.output::<Option<String>, i64>("left-out").read_values()?, [1]);
    assert_eq!(driver.output::<Option<String>, i64>("inner-out").read_values()?, [0; 0]);
    let mut reasons = dropped(&driver)?;
    reasons.sort();
    let expected = [("inner", "null-key", 1), ("inner", "null-value", 1), ("left", "null-value", 1)];
    assert_eq!(reasons, expected.map(|(step, why, count)| (step.to_owned(), why, count)));
    Ok(())
}

#[test]
fn silence_lets_the_last_records_out_if_asked_for() -> Tested {
    for idle in [false, true] {
        let builder = StreamsBuilder::new();
        let prices = prices(&builder);
        let joined = if idle { waiting(20).idle_after(ms(50)) } else { waiting(20) };
        let ordered = builder.stream::<String, i64>("ordered");
        ordered.left_join_with(&prices, joined, |_, number, price| (number, price.unwrap_or(-1))).to("out");
        let driver = driver(&builder);
        send(&driver, "ordered", &[("tea", 1, 100)])?;
        driver.advance_wall_clock(ms(60))?;
        assert_eq!(found(&driver), if idle { vec![(1, -1, 100)] } else { Vec::new() });
    }
    Ok(())
}

#[test]
fn the_buffer_is_a_store_with_a_changelog() -> Tested {
    let driver = driver(&topology(20));
    assert!(driver.plan().describe().contains("store joined-buffer (window"), "{}", driver.plan().describe());
    let topics = driver.plan().internal_topics();
    let changelog = topics.iter().find(|topic| topic.spec.name.contains("joined-buffer")).ok_or("it is logged")?;
    assert_eq!(changelog.spec.cleanup, CleanupPolicy::CompactDelete);
    send(&driver, "ordered", &[("tea", 1, 100)])?;
    assert_eq!(driver.log().read_all("test-joined-buffer-changelog")?.len(), 2, "the record and the time");
    Ok(())
}

#[test]
fn a_grace_period_needs_a_history_that_is_as_long() {
    let builder = StreamsBuilder::new();
    let orders = builder.stream::<String, i64>("ordered");
    let plain = builder.table::<String, i64>("plain", "plain");
    let join = |_: &String, number: i64, price: i64| number * price;
    let versioned = prices(&builder);
    let both = versioned.join(&versioned, |_, one, other| one + other);
    orders.join_with(&plain, Joined::named("no-versions").grace_period(ms(5)), join).to("out-1");
    orders.join_with(&both, Joined::named("of-two").grace_period(ms(5)), join).to("out-2");
    let mapped = versioned.map_values(|price| price + 1).filter(|_, price| *price > 1);
    orders.join_with(&mapped, Joined::named("too-long").grace_period(ms(1_001)), join).to("out-3");
    orders.join_with(&mapped, Joined::named("just-right").grace_period(ms(1_000)), join).to("out-4");
    orders.join_with(&plain, "no-grace", join).to("out-5");
    let error = builder.build().expect_err("three of them cannot be");
    let problems: Vec<_> =
        error.problems().iter().map(|problem| problem.split(',').next().unwrap_or_default()).collect();
    let expected = [
        "'no-versions' has a grace period of 5 ms",
        "'of-two' has a grace period of 5 ms",
        "'too-long' has a grace period of 1001 ms",
    ];
    assert_eq!(problems, expected);
}
