//! Orders of customers who spend much in one sitting: a session ends after an hour without an order, and an order that
//! brings a session above the limit is held for a check.
//!
//! `cargo run --release -p tidemill --example fraud_detection`
#![allow(clippy::print_stdout, reason = "printing is what an example is for")]

use std::{error::Error, time::Duration};

use serde::{Deserialize, Serialize};
use tidemill::{
    SessionWindows, StreamsBuilder, Topology, TopologyError, state::json_coded, testing::TopologyTestDriver,
};

/// What a customer may spend in one sitting without a check, in cents.
const LIMIT_CENTS: i64 = 200_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Order {
    id: String,
    customer: String,
    cents: i64,
}

/// A sitting: what was spent, and the last order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Sitting {
    cents: i64,
    last: Option<Order>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Verdict {
    Pass,
    Check { spent_cents: i64 },
}

json_coded!(Order, Sitting, Verdict);

fn topology() -> Result<Topology, TopologyError> {
    let builder = StreamsBuilder::new();
    let sittings = SessionWindows::of_inactivity_gap_and_grace(Duration::from_hours(1), Duration::from_mins(30));

    let spent = builder
        .stream::<String, Order>("orders")
        .select_key(|_, order| order.customer.clone())
        .repartition("by-customer")
        .group_by_key()
        .windowed_by(sittings)
        .aggregate(
            "sittings",
            Sitting::default,
            |_, order, sitting| {
                sitting.cents += order.cents;
                sitting.last = Some(order);
            },
            |_, first, second| Sitting { cents: first.cents + second.cents, last: second.last },
        );

    // A sitting that a longer one absorbed ends with a tombstone, which is not an order.
    let orders = spent
        .to_stream()
        .drop_null_values()
        .flat_map(|_, Sitting { cents, last }| last.map(|order| (order.id.clone(), (order, cents))));
    let branches = orders.split().branch(|_, (_, cents)| *cents > LIMIT_CENTS).default_branch();
    let held = branches[0].map_values(|(_, spent_cents)| Verdict::Check { spent_cents });
    held.merge(&branches[1].map_values(|_| Verdict::Pass)).to("verdicts");
    builder.build()
}

fn main() -> Result<(), Box<dyn Error>> {
    let driver = TopologyTestDriver::new(&topology()?)?;
    let orders = driver.input::<String, Order>("orders");
    let minute = 60_000;
    for (at, id, customer, cents) in [
        (0, "o-1", "ada", 150_000),
        (10, "o-2", "bo", 90_000),
        (30, "o-3", "ada", 60_000),
        (85, "o-4", "bo", 120_000),
        // It comes late, and joins the two sittings of bo into one.
        (40, "o-6", "bo", 5_000),
        (100, "o-5", "ada", 10_000),
    ] {
        let order = Order { id: id.into(), customer: customer.into(), cents };
        orders.pipe(id.into(), order, at * minute)?;
    }

    let verdicts = driver.output::<String, Verdict>("verdicts").read()?;
    for (order, verdict, _) in &verdicts {
        println!("{order}: {verdict:?}");
    }
    let check = |spent_cents| Verdict::Check { spent_cents };
    let of = |id: &str| verdicts.iter().filter(|(order, ..)| order == id).map(|(_, verdict, _)| verdict).next_back();
    assert_eq!(of("o-1"), Some(&Verdict::Pass));
    assert_eq!(of("o-3"), Some(&check(210_000)), "the second order of a sitting goes above the limit");
    assert_eq!(of("o-5"), Some(&Verdict::Pass), "more than an hour later, a sitting begins from nothing");
    assert_eq!(of("o-6"), Some(&check(215_000)), "two sittings became one");
    Ok(())
}
