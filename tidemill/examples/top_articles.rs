//! The most read articles of each trade, hour by hour. An article that is read more often moves up; one that another
//! overtakes leaves the list.
//!
//! `cargo run --release -p tidemill --example top_articles`
#![allow(clippy::print_stdout, reason = "printing is what an example is for")]

use std::{collections::BTreeMap, error::Error, time::Duration};

use serde::{Deserialize, Serialize};
use tidemill::{StreamsBuilder, TimeWindows, Topology, TopologyError, state::json_coded, testing::TopologyTestDriver};

/// How many articles a list has.
const TOP: usize = 3;

/// Somebody opened a page.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct PageView {
    page: String,
    trade: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    Article,
    Advertisement,
}

/// How often an article was read in its hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Readers {
    page: String,
    count: i64,
}

/// All articles of a trade in an hour, the most read first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Ranking(Vec<Readers>);

impl Ranking {
    fn add(&mut self, readers: Readers) {
        let place = self.0.partition_point(|other| (other.count, &readers.page) > (readers.count, &other.page));
        self.0.insert(place, readers);
    }

    fn take_away(&mut self, readers: &Readers) {
        self.0.retain(|other| other.page != readers.page);
    }

    fn top(&self) -> String {
        let top: Vec<_> =
            self.0.iter().take(TOP).map(|article| format!("{} {}", article.page, article.count)).collect();
        top.join(", ")
    }
}

json_coded!(PageView, Readers, Ranking);

fn topology() -> Result<Topology, TopologyError> {
    let builder = StreamsBuilder::new();
    let hours = TimeWindows::of_size_and_grace(Duration::from_hours(1), Duration::from_mins(5));

    let counts = builder
        .stream_values::<PageView>("page-views")
        .filter(|(), view| view.kind == Kind::Article)
        .select_key(|(), view| (view.trade.clone(), view.page.clone()))
        .repartition("by-article")
        .group_by_key()
        .windowed_by(hours)
        .count("readers");

    counts
        .group_by("by-trade", |article, count| {
            let (trade, page) = article.key.clone();
            ((trade, article.window.start), Readers { page, count })
        })
        .aggregate(
            "rankings",
            Ranking::default,
            |_, readers, ranking| ranking.add(readers),
            |_, readers, ranking| ranking.take_away(&readers),
        )
        .to_stream()
        .drop_null_values()
        .map_values(|ranking| ranking.top())
        .to("top-articles");
    builder.build()
}

fn main() -> Result<(), Box<dyn Error>> {
    let driver = TopologyTestDriver::new(&topology()?)?;
    let views = driver.input::<Option<String>, PageView>("page-views");
    for (minute, page, trade, kind) in [
        (1, "cranes", "building", Kind::Article),
        (2, "roofs", "building", Kind::Article),
        (3, "cranes", "building", Kind::Article),
        (4, "ovens", "baking", Kind::Article),
        (5, "buy-now", "baking", Kind::Advertisement),
        (6, "roofs", "building", Kind::Article),
        (7, "roofs", "building", Kind::Article),
        (8, "doors", "building", Kind::Article),
        (9, "glass", "building", Kind::Article),
        (61, "doors", "building", Kind::Article),
        (59, "glass", "building", Kind::Article),
    ] {
        views.pipe(None, PageView { page: page.into(), trade: trade.into(), kind }, minute * 60_000)?;
    }

    let mut lists = BTreeMap::new();
    for (trade, list, _) in driver.output::<(String, i64), String>("top-articles").read()? {
        lists.insert(trade, list);
    }
    for ((trade, hour), list) in &lists {
        println!("{trade}, hour {}: {list}", hour / 3_600_000);
    }
    let list = |trade: &str, hour: i64| lists.get(&(trade.to_owned(), hour * 3_600_000)).map(String::as_str);
    assert_eq!(list("building", 0), Some("roofs 3, cranes 2, glass 2"), "glass was read again, and doors fell out");
    assert_eq!(list("building", 1), Some("doors 1"), "an hour begins from nothing");
    assert_eq!(list("baking", 0), Some("ovens 1"), "advertisements do not count");
    Ok(())
}
