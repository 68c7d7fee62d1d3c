//! Joins by a foreign key whose right table has a partitioner of its own (KIP-775).

mod common;

use std::collections::BTreeMap;

use common::{Tested, records};
use tidemill::{
    KTable, Repartitioned, StreamsBuilder, TableJoined,
    state::{BigEndian, Utf8},
    testing::{DriverOptions, TopologyTestDriver},
};

type Joined = TableJoined<u64, String, u64>;

fn place(user: u64, partitions: i32) -> i32 {
    (user % partitions as u64) as i32
}

fn by_place(name: &str) -> Repartitioned<u64, String> {
    Repartitioned::from(name).partitioned_by_key(|user, partitions| place(*user, partitions))
}

fn options(joined: Joined, own: bool) -> Joined {
    if own { joined.with_other_partitioner(|user, partitions| place(*user, partitions)) } else { joined }
}

/// The names of the users who ordered. The value of an order is the user.
fn join(builder: &StreamsBuilder, users: &KTable<u64, String>, own: bool) {
    let orders = builder.table::<String, u64>("orders", "orders");
    let joined = options(TableJoined::with("joined", BigEndian, Utf8), own);
    orders
        .join_foreign_key(users, joined, |_, user| *user, |_, user, name| format!("{user} {name}"))
        .to_stream()
        .to("out");
}

fn run(builder: &StreamsBuilder) -> Tested<TopologyTestDriver> {
    let partitions = BTreeMap::from([("orders".to_owned(), 3), ("users".to_owned(), 4), ("out".to_owned(), 1)]);
    Ok(TopologyTestDriver::with(&builder.build()?, DriverOptions { partitions, ..DriverOptions::default() })?)
}

fn check(driver: &TopologyTestDriver, name: impl Fn(u64, &str, i64) -> Tested) -> Tested {
    let orders = driver.input::<String, u64>("orders");
    for user in 0..12 {
        orders.pipe(format!("order {user}"), user, 0)?;
        name(user, "Ann", 1)?;
        name(user, "Anna", 2)?;
    }
    let mut out = driver.output::<String, String>("out").read_values()?;
    out.sort();
    let mut expected: Vec<_> = (0..12).flat_map(|user| [format!("{user} Ann"), format!("{user} Anna")]).collect();
    expected.sort();
    assert_eq!(out, expected);
    let subscriptions = records::<u64, bytes::Bytes>(driver.log(), "test-joined-subscription-registration-repartition");
    assert!(subscriptions.iter().all(|(partition, user, _)| *partition == place(*user, 4)));
    Ok(())
}

#[test]
fn subscriptions_go_where_the_partitioner_puts_the_right_table() -> Tested {
    let builder = StreamsBuilder::new();
    let users = builder.stream::<u64, String>("users").repartition(by_place("own")).to_table("users");
    join(&builder, &users, true);
    let driver = run(&builder)?;
    let users = driver.input::<u64, String>("users");
    check(&driver, |user, name, at| Ok(users.pipe(user, name.into(), at)?))
}

#[test]
fn the_producers_of_the_right_topic_may_have_the_partitioner() -> Tested {
    let builder = StreamsBuilder::new();
    let users = builder.table::<u64, String>("users", "users");
    join(&builder, &users, true);
    let driver = run(&builder)?;
    let users = driver.input::<u64, String>("users");
    check(&driver, |user, name, at| {
        Ok(users.pipe_raw(place(user, 4), Some(&user.to_be_bytes()), Some(name.as_bytes()), at)?)
    })
}

#[test]
fn a_left_table_with_a_partitioner_of_its_own_needs_nothing() -> Tested {
    let builder = StreamsBuilder::new();
    let by_length =
        Repartitioned::<String, u64>::from("own").partitioned_by_key(|order: &String, n| order.len() as i32 % n);
    let orders = builder.stream("orders").repartition(by_length).to_table("orders");
    let users = builder.table::<u64, String>("users", "users");
    orders.join_foreign_key(&users, "joined", |_, user| *user, |_, _, name| name).to_stream().to("out");
    let driver = run(&builder)?;
    driver.input::<u64, String>("users").pipe(7, "Ann".into(), 0)?;
    driver.input::<String, u64>("orders").pipe_all([("tea".into(), 7, 1), ("jams".into(), 7, 2)])?;
    assert_eq!(driver.output::<String, String>("out").read_values()?.len(), 2);
    Ok(())
}

#[test]
fn a_repartitioned_right_table_and_the_join_need_partitioners_together() {
    let builder = StreamsBuilder::new();
    let users = builder.stream::<u64, String>("users").repartition(by_place("own")).to_table("users");
    join(&builder, &users, false);
    let problems = builder.build().expect_err("subscriptions would miss the users");
    let text = &problems.problems()[0];
    assert!(text.contains("'own-source' and 'joined-subscription-registration-source'"), "{text}");
    assert!(text.ends_with("give the join the same one with TableJoined::with_other_partitioner"), "{text}");

    let builder = StreamsBuilder::new();
    let by_key = Repartitioned::<u64, String>::from("by-key");
    let users = builder.stream::<u64, String>("users").repartition(by_key).to_table("users");
    join(&builder, &users, true);
    let problems = builder.build().expect_err("subscriptions would miss the users");
    let text = &problems.problems()[0];
    assert!(text.ends_with("repartition 'by-key-source' with the same one"), "{text}");
}
