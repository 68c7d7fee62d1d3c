//! An e-mail for each order that was paid: the order and its payment meet within a minute, a global table has the
//! customer's address, and the customer's rank chooses the topic that the e-mail goes to.
//!
//! `cargo run --release -p tidemill --example order_emails`
#![allow(clippy::print_stdout, reason = "printing is what an example is for")]

use std::{error::Error, time::Duration};

use serde::{Deserialize, Serialize};
use tidemill::{JoinWindows, StreamsBuilder, Topology, TopologyError, state::json_coded, testing::TopologyTestDriver};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Order {
    customer: u64,
    item: String,
    cents: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Payment {
    cents: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Rank {
    New,
    Regular,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Customer {
    name: String,
    address: String,
    rank: Rank,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Email {
    to: String,
    text: String,
    rank: Rank,
}

json_coded!(Order, Payment, Customer, Email);

fn topology() -> Result<Topology, TopologyError> {
    let builder = StreamsBuilder::new();
    let minute = JoinWindows::of_time_difference_with_no_grace(Duration::from_mins(1));

    // Keyed by the order's id. The customers are not: each instance keeps all of them.
    let orders = builder.stream::<String, Order>("orders");
    let payments = builder.stream::<String, Payment>("payments");
    let customers = builder.global_table::<u64, Customer>("customers", "customers");

    orders
        .join_stream(&payments, minute, "paid-orders", |_, order, payment| (order.clone(), payment.clone()))
        .filter(|_, (order, payment)| payment.cents >= order.cents)
        .join_global(
            &customers,
            |_, (order, _)| Some(order.customer),
            |id, (order, _), customer| Email {
                to: customer.address,
                text: format!("Dear {}, your {} is on its way (order {id}).", customer.name, order.item),
                rank: customer.rank,
            },
        )
        .to_by(["emails-to-new", "emails-to-regulars"], |email| match email.value.rank {
            Rank::New => "emails-to-new",
            Rank::Regular => "emails-to-regulars",
        });
    builder.build()
}

fn main() -> Result<(), Box<dyn Error>> {
    let driver = TopologyTestDriver::new(&topology()?)?;
    let customers = driver.input::<u64, Customer>("customers");
    let customer = |name: &str, rank| Customer { name: name.into(), address: format!("{name}@example.org"), rank };
    customers.pipe(1, customer("Ada", Rank::Regular), 0)?;
    customers.pipe(2, customer("Bo", Rank::New), 0)?;

    let (orders, payments) = (driver.input::<String, Order>("orders"), driver.input::<String, Payment>("payments"));
    let order = |customer, item: &str| Order { customer, item: item.into(), cents: 900 };
    orders.pipe("o-1".into(), order(1, "kettle"), 1_000)?;
    orders.pipe("o-2".into(), order(2, "teapot"), 2_000)?;
    orders.pipe("o-3".into(), order(2, "cup"), 3_000)?;
    orders.pipe("o-4".into(), order(9, "spoon"), 4_000)?;
    payments.pipe("o-2".into(), Payment { cents: 900 }, 20_000)?;
    payments.pipe("o-1".into(), Payment { cents: 900 }, 30_000)?;
    payments.pipe("o-4".into(), Payment { cents: 900 }, 40_000)?;
    payments.pipe("o-3".into(), Payment { cents: 900 }, 90_000)?;

    let mut letters = Vec::new();
    for topic in ["emails-to-new", "emails-to-regulars"] {
        for email in driver.output::<String, Email>(topic).read_values()? {
            letters.push(format!("{topic}: {}: {}", email.to, email.text));
        }
    }
    for letter in &letters {
        println!("{letter}");
    }
    assert_eq!(
        letters,
        [
            "emails-to-new: Bo@example.org: Dear Bo, your teapot is on its way (order o-2).",
            "emails-to-regulars: Ada@example.org: Dear Ada, your kettle is on its way (order o-1).",
        ],
        "o-3 was paid too late, and nobody knows the customer of o-4"
    );
    Ok(())
}
