//! The topologies with versioned tables.

use std::time::Duration;

use tidemill::{Joined, Materialized, StreamsBuilder, state::Coded};

use crate::topologies::{Text, mix, number};

/// A versioned store that keeps its history for 20 ms.
fn versions<V: Coded>(name: &str) -> Materialized<Text, V> {
    Materialized::named(name).versioned(Duration::from_millis(20))
}

fn both(left: &str, right: &str) -> String {
    format!("{left}+{right}")
}

fn both_or_null(left: Option<&String>, right: Option<&String>) -> String {
    let text = |side: Option<&String>| side.map_or("null", String::as_str).to_owned();
    both(&text(left), &text(right))
}

/// Builds one and names the topics that it writes, in order.
pub(crate) fn build(kind: &str, grace: &str, builder: &StreamsBuilder) -> &'static [&'static str] {
    match kind {
        "joins" => joins(builder),
        "grace" => after_grace(grace, builder),
        "tables" => tables(builder),
        "aggregates" => aggregates(builder),
        _ => panic!("there is no topology '{kind}'"),
    }
}

fn joins(builder: &StreamsBuilder) -> &'static [&'static str] {
    let (stream, table) =
        (builder.stream::<Text, String>("in"), builder.table::<Text, String>("table", versions("store")));
    stream.join(&table, |_, left, right| both(&left, &right)).to("out-inner");
    let even = table.filter(|_, value| number(value) % 2 == 0);
    stream.left_join(&even, |_, left, right| both_or_null(Some(&left), right.as_ref())).to("out-left");
    stream.join(&table.map_values(|value| value + "m"), |_, left, right| both(&left, &right)).to("out-mapped");
    table.to_stream().to("out-table");
    &["out-inner", "out-left", "out-mapped", "out-table"]
}

fn after_grace(grace: &str, builder: &StreamsBuilder) -> &'static [&'static str] {
    let (stream, table) =
        (builder.stream::<Text, String>("in"), builder.table::<Text, String>("table", versions("store")));
    let ms = match grace {
        "none" => 0,
        "short" => 5,
        _ => 20,
    };
    let joined = |name: &str| Joined::named(name).grace_period(Duration::from_millis(ms));
    stream.join_with(&table, joined("inner"), |_, left, right| both(&left, &right)).to("out-inner");
    let left_join = |_: &Text, left: String, right: Text| both_or_null(Some(&left), right.as_ref());
    stream.left_join_with(&table, joined("left"), left_join).to("out-left");
    &["out-inner", "out-left"]
}

fn tables(builder: &StreamsBuilder) -> &'static [&'static str] {
    let table = builder.table::<Text, String>("table", versions("store"));
    let plain = builder.table::<Text, String>("in-2", "plain-store");
    table.join(&plain, |_, left, right| both(&left, &right)).to_stream().to("out-inner");
    let left_join = |_: &Text, left: String, right: Text| both_or_null(Some(&left), right.as_ref());
    table.left_join(&plain, left_join).to_stream().to("out-left");
    let outer_join = |_: &Text, left: Text, right: Text| both_or_null(left.as_ref(), right.as_ref());
    plain.outer_join(&table, outer_join).to_stream().to("out-outer");
    table.filter(|_, value| number(value) % 2 == 0).to_stream().to("out-filtered");
    table.map_values(|value| value + "m").to_stream().to("out-mapped");
    table.map_values(|value| value + "p").materialized("plain").to_stream().to("out-plain");
    table.filter(|_, value| number(value) % 3 == 0).materialized(versions("thirds")).to_stream().to("out-thirds");
    let groups = table.group_by("by-remainder", |_, value| (Some(format!("k{}", number(&value) % 3)), value));
    let add = |_: &Text, value: String, list: &mut String| list.extend(["+", value.as_str()]);
    let subtract = |_: &Text, value: String, list: &mut String| list.extend(["-", value.as_str()]);
    groups.aggregate(versions("groups"), String::new, add, subtract).to_stream().to("out-groups");
    &["out-filtered", "out-groups", "out-inner", "out-left", "out-mapped", "out-outer", "out-plain", "out-thirds"]
}

fn aggregates(builder: &StreamsBuilder) -> &'static [&'static str] {
    let grouped = builder.stream::<Text, String>("in").group_by_key();
    grouped.reduce(versions("reduced"), |old, value| mix(&old, &value)).to_stream().to("out-reduced");
    // An aggregate that a tenth of the values ends.
    let add = |_: &Text, value: String, list: &mut Text| {
        *list = (number(&value) % 10 != 0).then(|| format!("{},{value}", list.as_deref().unwrap_or_default()));
    };
    let lists = grouped.aggregate(versions::<Text>("lists"), || Some(String::new()), add);
    lists.to_stream().map_values(Option::flatten).to("out-lists");
    &["out-lists", "out-reduced"]
}
