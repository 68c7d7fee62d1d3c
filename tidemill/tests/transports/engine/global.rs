//! A global table: whole before the first record, up to date afterwards, and one dead letter for a bad record.

use tidemill::{
    RecordHandler, Streams, StreamsBuilder, StreamsConfig,
    transport::{Headers, ProducerRecord},
};

use crate::{Site, Tested, wait_for};

/// Joins `orders` (whose values are users) with `users` → `known`.
fn start(site: &Site, client_id: &str) -> Tested<Streams> {
    let builder = StreamsBuilder::new();
    let names = builder.global_table::<String, String>(site.named("users"), "names");
    let orders = builder.stream::<String, String>(site.named("orders").as_str());
    orders.join_global(&names, |_, user| Some(user.clone()), |_, _, name| name).to(site.named("known").as_str());
    let config = StreamsConfig {
        client_id: Some(client_id.to_owned()),
        deserialization_handler: RecordHandler::DeadLetter(site.named("dead")),
        ..StreamsConfig::new(site.named("app"))
    };
    Ok(Streams::start(&builder.build()?, config, site.transport.clone())?)
}

fn tell(site: &Site, users: impl IntoIterator<Item = (String, Vec<u8>)>) -> Tested {
    let mut producer = site.producer()?;
    for (number, (user, name)) in users.into_iter().enumerate() {
        producer.send(ProducerRecord {
            topic: site.topic("users"),
            partition: number as i32 % 3,
            timestamp: 1_000,
            key: Some(user.into()),
            value: Some(name.into()),
            headers: Headers::new(),
        })?;
    }
    Ok(producer.flush().map(drop)?)
}

pub(crate) fn a_global_table_is_whole_on_every_instance(site: &Site) -> Tested {
    for (topic, partitions) in [("users", 3), ("orders", 2), ("known", 1), ("dead", 1)] {
        site.create(topic, partitions)?;
    }
    let bad = |number: i32| number % 100 == 50;
    tell(site, (0..300).map(|number| (format!("u{number}"), if bad(number) { vec![0xff] } else { b"here".to_vec() })))?;
    site.send("orders", 0, &["u299", "u50", "u1"])?;
    let (one, other) = (start(site, "a")?, start(site, "b")?);
    wait_for("the orders are joined", || Ok((site.values("known")?.len() == 2).then_some(())))?;
    tell(site, [("u50".to_owned(), b"later".to_vec())])?;
    for streams in [&one, &other] {
        let names = streams.key_value_store::<String, String>("names");
        let found = || names.get(&"u50".to_owned()).ok().flatten();
        wait_for("the update arrives", || Ok((found().as_deref() == Some("later")).then_some(())))?;
        assert_eq!(names.all_keys()?.len(), 298, "two of three bad records have no other value");
    }
    site.send("orders", 1, &["u50"])?;
    wait_for("the last order is joined", || Ok((site.values("known")?.len() == 3).then_some(())))?;
    one.close()?;
    other.close()?;
    start(site, "c")?.close()?;
    let letters = site.read_all("dead")?;
    let mut users: Vec<_> = letters.iter().filter_map(|(_, letter)| letter.key.as_deref()).collect();
    users.sort_unstable();
    assert_eq!(users, [b"u150", b"u250", &b"u50"[..]]);
    Ok(())
}
