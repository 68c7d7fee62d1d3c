//! Joins of tables by a foreign key.

mod common;

use std::{cell::Cell, collections::BTreeMap, ops::Deref, time::Duration};

use bytes::Bytes;
use common::{Tested, driver, strings, windowed};
use tidemill::{
    EmitStrategy, KTable, StreamsBuilder, TimeWindows, Windowed,
    testing::{DriverOptions, TopologyTestDriver},
};

/// The value of an order: the user, and what was ordered. An order without a user begins with a colon.
fn orders(builder: &StreamsBuilder) -> KTable<String, String> {
    builder.table::<String, String>("orders", "orders")
}

fn users(builder: &StreamsBuilder) -> KTable<String, String> {
    builder.table::<String, String>("users", "users")
}

#[expect(clippy::ptr_arg, reason = "a step's function takes references to its types")]
fn user_of(_: &String, order: &String) -> Option<String> {
    order.split(':').next().filter(|user| !user.is_empty()).map(ToOwned::to_owned)
}

fn inner(builder: &StreamsBuilder) -> KTable<String, String> {
    orders(builder).join_foreign_key(&users(builder), "joined", user_of, |_, order, user| format!("{order}/{user}"))
}

fn left(builder: &StreamsBuilder) -> KTable<String, String> {
    let text = |_: &String, order, user: Option<String>| format!("{order}/{}", user.unwrap_or_default());
    orders(builder).left_join_foreign_key(&users(builder), "joined", user_of, text)
}

/// A driver, and the number of updates that the test has read.
struct Run(TopologyTestDriver, Cell<usize>);

impl Deref for Run {
    type Target = TopologyTestDriver;

    fn deref(&self) -> &TopologyTestDriver {
        &self.0
    }
}

fn run(builder: &StreamsBuilder) -> Run {
    Run(driver(builder), Cell::new(0))
}

fn started(join: impl Fn(&StreamsBuilder) -> KTable<String, String>) -> Run {
    let builder = StreamsBuilder::new();
    join(&builder).to_stream().to("out");
    run(&builder)
}

/// Processes updates of the orders together, so that answers to the first come after the last.
fn set_together(driver: &TopologyTestDriver, updates: &[(&str, Option<&str>, i64)]) -> Tested {
    let orders = driver.input::<String, Option<String>>("orders");
    for (key, value, at) in updates {
        orders.enqueue((*key).into(), value.map(ToOwned::to_owned), *at)?;
    }
    Ok(driver.advance_wall_clock(Duration::ZERO)?)
}

fn set<'a>(driver: &TopologyTestDriver, topic: &str, key: &str, value: impl Into<Option<&'a str>>, at: i64) -> Tested {
    let value: Option<&str> = value.into();
    Ok(driver.input::<String, Option<String>>(topic).pipe(key.into(), value.map(ToOwned::to_owned), at)?)
}

type Updates = Vec<(String, Option<String>, i64)>;

/// The updates since the last call.
fn updates(driver: &Run) -> Updates {
    let all = driver.output::<String, Option<String>>("out").read().expect("reads");
    let seen = driver.1.replace(all.len());
    all[seen..].to_vec()
}

fn update<'a>(key: &str, value: impl Into<Option<&'a str>>, at: i64) -> (String, Option<String>, i64) {
    (key.to_owned(), value.into().map(ToOwned::to_owned), at)
}

#[test]
fn each_update_of_either_table_updates_the_result() -> Tested {
    let driver = started(inner);
    set(&driver, "orders", "1", "ann:tea", 5)?;
    set(&driver, "orders", "2", "ann:jam", 1)?;
    assert_eq!(updates(&driver), [], "nobody knows Ann yet");
    set(&driver, "users", "ann", "Ann", 3)?;
    assert_eq!(updates(&driver), [update("1", "ann:tea/Ann", 5), update("2", "ann:jam/Ann", 3)]);
    set(&driver, "users", "bo", "Bo", 4)?;
    assert_eq!(updates(&driver), [], "nobody subscribed to Bo");
    set(&driver, "orders", "2", "ann:rum", 2)?;
    assert_eq!(updates(&driver), [update("2", "ann:rum/Ann", 3)], "the later of both timestamps");
    Ok(())
}

#[test]
fn a_change_of_the_foreign_key_ends_the_earlier_subscription() -> Tested {
    let driver = started(inner);
    for (key, name) in [("ann", "Ann"), ("bo", "Bo")] {
        set(&driver, "users", key, name, 1)?;
    }
    set(&driver, "orders", "1", "ann:tea", 2)?;
    set(&driver, "orders", "1", "bo:tea", 3)?;
    assert_eq!(updates(&driver), [update("1", "ann:tea/Ann", 2), update("1", "bo:tea/Bo", 3)]);
    set(&driver, "users", "ann", "Anna", 4)?;
    assert_eq!(updates(&driver), []);
    set(&driver, "orders", "1", "eve:tea", 5)?;
    assert_eq!(updates(&driver), [update("1", None, 5)], "nobody knows Eve");
    set(&driver, "users", "eve", "Eve", 6)?;
    assert_eq!(updates(&driver), [update("1", "eve:tea/Eve", 6)]);
    Ok(())
}

#[test]
fn tombstones_of_either_table_delete_the_result() -> Tested {
    let driver = started(inner);
    set(&driver, "users", "ann", "Ann", 1)?;
    set(&driver, "orders", "1", "ann:tea", 2)?;
    set(&driver, "users", "ann", None, 3)?;
    set(&driver, "users", "ann", "Anna", 4)?;
    set(&driver, "orders", "1", None, 5)?;
    let all =
        [update("1", "ann:tea/Ann", 2), update("1", None, 3), update("1", "ann:tea/Anna", 4), update("1", None, 5)];
    assert_eq!(updates(&driver), all);
    set(&driver, "users", "ann", "Annie", 6)?;
    set(&driver, "orders", "1", None, 7)?;
    assert_eq!(updates(&driver), [], "there is no order any more");
    Ok(())
}

#[test]
fn an_inner_join_has_no_result_for_a_value_without_a_foreign_key() -> Tested {
    let driver = started(inner);
    set(&driver, "users", "ann", "Ann", 1)?;
    set(&driver, "orders", "1", ":tea", 2)?;
    assert_eq!(updates(&driver), []);
    set(&driver, "orders", "1", "ann:tea", 3)?;
    set(&driver, "orders", "1", ":tea", 4)?;
    assert_eq!(updates(&driver), [update("1", "ann:tea/Ann", 3), update("1", None, 4)]);
    set(&driver, "users", "ann", "Anna", 5)?;
    assert_eq!(updates(&driver), [], "the subscription has ended");
    let dropped: Vec<_> = driver.status()?.tasks.into_iter().flat_map(|task| task.records_dropped).collect();
    assert!(dropped.iter().any(|(_, reason, count)| (*reason, *count) == ("null-foreign-key", 2)), "{dropped:?}");
    Ok(())
}

#[test]
fn a_left_join_keeps_values_without_a_partner() -> Tested {
    let driver = started(left);
    set(&driver, "orders", "1", ":tea", 1)?;
    set(&driver, "orders", "1", "ann:tea", 2)?;
    set(&driver, "users", "ann", "Ann", 3)?;
    set(&driver, "users", "ann", None, 4)?;
    let mut expected = vec![update("1", ":tea/", 1), update("1", "ann:tea/", 2)];
    expected.extend([update("1", "ann:tea/Ann", 3), update("1", "ann:tea/", 4)]);
    assert_eq!(updates(&driver), expected);
    set(&driver, "users", "ann", "Ann", 5)?;
    set(&driver, "users", "bo", "Bo", 5)?;
    set(&driver, "orders", "1", "bo:tea", 6)?;
    set(&driver, "orders", "1", ":tea", 7)?;
    set(&driver, "orders", "1", None, 8)?;
    let mut expected = vec![update("1", "ann:tea/Ann", 5), update("1", "bo:tea/Bo", 6)];
    expected.extend([update("1", ":tea/", 7), update("1", None, 8)]);
    assert_eq!(updates(&driver), expected, "no value comes twice when the foreign key changes");
    Ok(())
}

#[test]
fn a_foreign_key_that_begins_like_another_is_another() -> Tested {
    let driver = started(inner);
    set(&driver, "orders", "1", "an:tea", 1)?;
    set(&driver, "orders", "n1", "a:tea", 1)?;
    set(&driver, "users", "a", "A", 2)?;
    assert_eq!(updates(&driver), [update("n1", "a:tea/A", 2)]);
    Ok(())
}

#[test]
fn subscriptions_survive_a_crash() -> Tested {
    let driver = started(inner);
    set(&driver, "orders", "1", "ann:tea", 1)?;
    driver.crash();
    set(&driver, "users", "ann", "Ann", 2)?;
    driver.crash();
    set(&driver, "users", "ann", "Anna", 3)?;
    assert_eq!(updates(&driver), [update("1", "ann:tea/Ann", 2), update("1", "ann:tea/Anna", 3)]);
    Ok(())
}

#[test]
fn the_tables_may_have_different_numbers_of_partitions() -> Tested {
    let builder = StreamsBuilder::new();
    left(&builder).to_stream().to("out");
    let options =
        DriverOptions { partitions: [("users".to_owned(), 5)].into(), ..DriverOptions::default().partitions(2) };
    let driver = Run(TopologyTestDriver::with(&builder.build()?, options)?, Cell::new(0));
    let partitions = |name: &str| driver.plan().partitions(&format!("test-joined-subscription-{name}-repartition"));
    assert_eq!((partitions("registration"), partitions("response")), (Some(5), Some(2)));
    for number in 0..20 {
        set(&driver, "users", &format!("u{}", number % 7), format!("U{}", number % 7).as_str(), number)?;
        set(&driver, "orders", &number.to_string(), format!("u{}:tea", number % 7).as_str(), number)?;
    }
    let last: BTreeMap<_, _> = updates(&driver).into_iter().map(|(key, value, _)| (key, value)).collect();
    for number in 0..20 {
        let user = number % 7;
        assert_eq!(last[&number.to_string()], Some(format!("u{user}:tea/U{user}")));
    }
    Ok(())
}

#[test]
fn a_table_is_joined_with_itself() -> Tested {
    let builder = StreamsBuilder::new();
    // The value is the key of the next one.
    let chain = builder.table::<String, String>("chain", "chain");
    chain.join_foreign_key(&chain, "pairs", |_, next| next.clone(), |_, next, after| format!("{next},{after}"));
    let pairs =
        chain.join_foreign_key(&chain, "more", |_, next| next.clone(), |_, next, after| format!("{next},{after}"));
    pairs.to_stream().to("out");
    let driver = run(&builder);
    set(&driver, "chain", "a", "b", 1)?;
    set(&driver, "chain", "b", "c", 2)?;
    set(&driver, "chain", "c", "c", 3)?;
    assert_eq!(updates(&driver), [update("a", "b,c", 2), update("b", "c,c", 3), update("c", "c,c", 3)]);
    Ok(())
}

#[test]
fn a_materialized_result_is_grouped_and_joined() -> Tested {
    let builder = StreamsBuilder::new();
    let joined = inner(&builder).materialized("kept");
    joined.group_by("by-text", |_, text| (text, 1_i64)).count("counts");
    joined.join(&orders_alone(&builder), |_, text, note| format!("{text}!{note}")).to_stream().to("out");
    let driver = run(&builder);
    set(&driver, "users", "ann", "Ann", 1)?;
    set(&driver, "notes", "1", "soon", 1)?;
    set(&driver, "orders", "1", "ann:tea", 2)?;
    set(&driver, "orders", "1", None, 3)?;
    assert_eq!(updates(&driver), [update("1", "ann:tea/Ann!soon", 2), update("1", None, 3)]);
    let counts = driver.key_value_store::<String, i64>("counts", 0)?.expect("it runs");
    assert_eq!(counts.get(&"ann:tea/Ann".to_owned())?, Some(0));
    Ok(())
}

fn orders_alone(builder: &StreamsBuilder) -> KTable<String, String> {
    builder.table::<String, String>("notes", "notes")
}

#[test]
fn a_result_without_a_store_says_what_a_later_step_needs() {
    let builder = StreamsBuilder::new();
    let joined = inner(&builder);
    joined.group_by("by-text", |_, text| (text, 1_i64)).count("counts");
    joined.join(&orders_alone(&builder), |_, text, note| format!("{text}!{note}"));
    let problems = builder.build().expect_err("the join has no store").problems().to_vec();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems.iter().all(|problem| problem.contains("put .materialized(\"a-name\") after the join")));
}

#[test]
fn a_result_without_a_store_can_be_filtered() -> Tested {
    let driver = started(|builder| inner(builder).filter(|_, text| text.ends_with("Ann")));
    set(&driver, "users", "u", "Ann", 1)?;
    set(&driver, "orders", "o", "u:tea", 2)?;
    set(&driver, "users", "u", "Bob", 3)?;
    assert_eq!(updates(&driver), [update("o", "u:tea/Ann", 2), update("o", None, 3)]);
    Ok(())
}

#[test]
fn a_join_of_a_join_follows_both() -> Tested {
    let builder = StreamsBuilder::new();
    let users = users(&builder);
    let cities = builder.table::<String, String>("cities", "cities");
    let city = users.join_foreign_key(&cities, "city", |_, city| city.clone(), |_, _, name| name).materialized("lives");
    let orders = orders(&builder);
    orders
        .join_foreign_key(&city, "sent-to", user_of, |_, order, city| format!("{order}>{city}"))
        .to_stream()
        .to("out");
    let driver = run(&builder);
    set(&driver, "orders", "1", "ann:tea", 1)?;
    set(&driver, "users", "ann", "k", 2)?;
    set(&driver, "cities", "k", "Kyiv", 3)?;
    set(&driver, "cities", "k", "Kiev", 4)?;
    set(&driver, "users", "ann", "l", 5)?;
    set(&driver, "cities", "l", "Lviv", 6)?;
    let values: Vec<_> = updates(&driver).into_iter().map(|(_, value, _)| value.unwrap_or_default()).collect();
    assert_eq!(values, strings(&["ann:tea>Kyiv", "ann:tea>Kiev", "", "ann:tea>Lviv"]));
    Ok(())
}

#[test]
fn an_erased_foreign_key_has_no_subscriptions() -> Tested {
    let builder = StreamsBuilder::new();
    inner(&builder).to_stream().to("out");
    builder.stream::<String, i64>("forget").erase("forget-user", &["users"]).map_values(|it| it.rows as i64).to("rows");
    let driver = run(&builder);
    set(&driver, "users", "ann", "Ann", 1)?;
    set(&driver, "orders", "1", "ann:tea", 2)?;
    set(&driver, "orders", "2", "anna:tea", 3)?;
    driver.input::<String, i64>("forget").pipe("ann".into(), 0, 4)?;
    assert_eq!(driver.output::<String, i64>("rows").read_values()?, [2], "the user and the subscription");
    let kept: Vec<_> = driver.log().read_all("test-joined-subscription-store-changelog")?;
    assert!(!kept.is_empty());
    set(&driver, "users", "anna", "Anna", 5)?;
    assert_eq!(updates(&driver).last(), Some(&update("2", "anna:tea/Anna", 5)));
    Ok(())
}

#[test]
fn a_key_that_is_deleted_and_comes_back_at_once_keeps_no_earlier_result() -> Tested {
    let driver = started(inner);
    set(&driver, "users", "ann", "Ann", 1)?;
    set(&driver, "orders", "1", "ann:tea", 2)?;
    assert_eq!(updates(&driver), [update("1", "ann:tea/Ann", 2)]);
    set_together(&driver, &[("1", None, 3), ("1", Some("eve:tea"), 4)])?;
    assert_eq!(updates(&driver), [update("1", None, 3)]);
    set_together(&driver, &[("1", Some("ann:gin"), 5), ("1", Some(":tea"), 6), ("1", Some("ann:rum"), 7)])?;
    assert_eq!(updates(&driver), [update("1", None, 6), update("1", "ann:rum/Ann", 7)]);
    Ok(())
}

/// The answer that ends the result names the earlier value, so it is dropped. The new value has the same foreign key.
#[test]
fn a_right_value_that_ends_while_its_left_value_changes_leaves_no_result() -> Tested {
    let driver = started(inner);
    set(&driver, "users", "ann", "Ann", 1)?;
    set(&driver, "orders", "1", "ann:tea", 2)?;
    assert_eq!(updates(&driver), [update("1", "ann:tea/Ann", 2)]);
    driver.input::<String, Option<String>>("users").enqueue("ann".into(), None, 3)?;
    set_together(&driver, &[("1", Some("ann:rum"), 4)])?;
    assert_eq!(updates(&driver), [update("1", None, 4)]);
    Ok(())
}

#[test]
fn answers_to_earlier_values_are_dropped() -> Tested {
    let driver = started(left);
    set(&driver, "users", "ann", "Ann", 1)?;
    set_together(&driver, &[("1", Some("ann:tea"), 2), ("1", Some("bo:tea"), 3), ("1", Some("ann:rum"), 4)])?;
    assert_eq!(updates(&driver), [update("1", "ann:rum/Ann", 4)]);
    let dropped: Vec<_> = driver.status()?.tasks.into_iter().flat_map(|task| task.records_dropped).collect();
    assert!(dropped.iter().any(|(_, reason, count)| (*reason, *count) == ("outdated", 2)), "{dropped:?}");
    Ok(())
}

#[test]
fn windows_below_a_join_close_when_both_tables_are_silent() -> Tested {
    let builder = StreamsBuilder::new();
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(1));
    let emit = EmitStrategy::on_window_close().idle_after(Duration::from_millis(300));
    let joined = inner(&builder).to_stream().drop_null_values();
    joined.group_by_key().windowed_by(windows).emit(emit).count("counts").to_stream().map_values(|_| ()).to("closed");
    let options = DriverOptions { partitions: [("users".to_owned(), 3)].into(), ..DriverOptions::default() };
    let driver = TopologyTestDriver::with(&builder.build()?, options)?;
    set(&driver, "users", "ann", "Ann", 10)?;
    set(&driver, "orders", "1", "ann:tea", 20)?;
    let closed = driver.output::<Windowed<String>, ()>("closed");
    assert_eq!(closed.read()?, []);
    for _ in 0..40 {
        driver.advance_wall_clock(Duration::from_millis(50))?;
    }
    assert_eq!(closed.read()?, [(windowed("1", 0, 1_000), (), 20)]);
    Ok(())
}

#[test]
fn a_result_is_joined_again_with_its_own_left_table() -> Tested {
    let builder = StreamsBuilder::new();
    let orders = orders(&builder);
    let named = |_: &String, order, user| format!("{order}/{user}");
    let joined = orders.join_foreign_key(&users(&builder), "joined", user_of, named).materialized("results");
    let again = |_: &String, result, order: Option<String>| format!("{result} of {}", order.unwrap_or_default());
    joined.left_join(&orders, again).to_stream().to("out");
    let driver = run(&builder);
    set(&driver, "users", "ann", "Ann", 0)?;
    for (order, at) in [(Some("ann:tea"), 1), (Some("bob:tea"), 2), (Some("ann:jam"), 3), (None, 4)] {
        set(&driver, "orders", "1", order, at)?;
        driver.crash();
    }
    let mut last = updates(&driver);
    assert_eq!(last.pop(), Some(update("1", None, 4)), "nothing is left of a deleted order");
    let at = |at| last.iter().rev().find(|(_, _, time)| *time == at).cloned();
    assert_eq!(at(1), Some(update("1", "ann:tea/Ann of ann:tea", 1)));
    assert_eq!(at(2), Some(update("1", None, 2)), "nobody is called bob");
    assert_eq!(at(3), Some(update("1", "ann:jam/Ann of ann:jam", 3)));
    Ok(())
}

#[test]
fn keys_that_begin_alike_have_subscriptions_of_their_own() -> Tested {
    let builder = StreamsBuilder::new();
    let bytes = builder.table::<Bytes, Bytes>("left", "left");
    let text = |_: &Bytes, foreign: Bytes, text: String| format!("{foreign:?} {text}");
    let others = builder.table::<Bytes, String>("right", "right");
    bytes.join_foreign_key(&others, "joined", |_, foreign| Some(foreign.clone()), text).to_stream().to("out");
    let driver = run(&builder);
    let keys = [&[][..], &[0], &[0, 0], &[0, 0, 0, 0], &[0, 0, 0, 1], &[0xff], &[0xff; 4]].map(Bytes::from_static);
    for (key, foreign) in keys.iter().flat_map(|key| keys.iter().map(move |foreign| (key, foreign))) {
        let key = [key, &b"/"[..], foreign].concat().into();
        driver.input::<Bytes, Bytes>("left").pipe(key, foreign.clone(), 0)?;
    }
    driver.crash();
    for (number, foreign) in keys.iter().enumerate() {
        driver.input::<Bytes, String>("right").pipe(foreign.clone(), "new".into(), 1)?;
        let results = driver.output::<Bytes, String>("out").read_values()?;
        assert_eq!(results[number * keys.len()..], vec![format!("{foreign:?} new"); keys.len()]);
    }
    Ok(())
}
