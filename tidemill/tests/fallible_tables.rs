//! Steps of tables, and joins, whose functions return errors: an update that is left out changes no table.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::Tested;
use proptest::prelude::*;
use tidemill::{
    JoinWindows, KTable, Materialized, RecordHandler, StreamsBuilder, StreamsConfig,
    state::Coded,
    testing::{DriverOptions, TopologyTestDriver},
};

type Table = KTable<String, String>;
type Step = fn(&StreamsBuilder, &Table, &Table);
/// Key, value and time of a result.
type Output = (Bytes, Option<Bytes>, i64);
/// The number of the topic, key, value and time of an input.
type Update = (usize, String, Option<String>, i64);

fn checked(text: String) -> Result<String, String> {
    if text.contains("bad") { Err(format!("'{text}' is bad")) } else { Ok(text) }
}

fn both(one: Option<String>, other: Option<String>) -> Result<String, String> {
    Ok(format!("{}+{}", checked(one.unwrap_or_default())?, checked(other.unwrap_or_default())?))
}

/// The last letter of a text.
fn ending(_: &String, text: String) -> Result<(String, String), String> {
    checked(text).map(|text| (text[text.len() - 1..].to_owned(), text))
}

fn out<V: Clone + Coded + 'static>(table: &KTable<String, V>)
where
    Option<V>: Coded,
{
    table.to_stream().to("out");
}

/// Each step, with a table of its results.
const STEPS: [(&str, Step); 12] = [
    ("filter", |_, one, _| out(&one.try_filter(|_, text| checked(text.clone()).map(|text| text.len() < 3)))),
    ("filter not", |_, one, _| out(&one.try_filter_not(|_, text| checked(text.clone()).map(|text| text.len() < 3)))),
    ("map values", |_, one, _| out(&one.try_map_values(checked))),
    ("map values with key", |_, one, _| {
        out(&one.try_map_values_with_key(|key, text| checked(text).map(|text| key.clone() + &text)).materialized("m"));
    }),
    ("group", |_, one, _| {
        let grouped = one.try_group_by("by-ending", ending);
        out(&grouped.aggregate(
            "groups",
            Vec::new,
            |_, text, all| all.push(text),
            |_, text, all| {
                all.retain(|one| *one != text);
            },
        ));
    }),
    ("group of values", |_, one, _| {
        out(&one.try_map_values(checked).group_by("by-key", |key, text| (key.clone(), text)).count("groups"));
    }),
    ("join", |_, one, other| out(&one.try_join(other, |_, one, other| both(Some(one), Some(other))))),
    ("left join", |_, one, other| out(&one.try_left_join(other, |_, one, other| both(Some(one), other)))),
    ("outer join", |_, one, other| out(&one.try_outer_join(other, |_, one, other| both(one, other)).materialized("m"))),
    ("join of joins", |_, one, other| {
        let joined = one.try_left_join(other, |_, one, other| both(Some(one), other));
        out(&joined.join(&other.try_map_values(checked), |_, one, other| one + "/" + &other));
    }),
    ("stream join", |_, one, other| {
        let windows = JoinWindows::of_time_difference_and_grace(Duration::from_millis(30), Duration::from_millis(100));
        let (one, other) = (one.to_stream().drop_null_values(), other.to_stream().drop_null_values());
        let all =
            one.try_join_stream(&other, windows, "pairs", |_, one, other| both(Some(one.clone()), Some(other.clone())));
        all.to("out");
    }),
    ("global join", |builder, one, _| {
        let global = builder.global_table::<String, String>("names", "names");
        let stream = one.to_stream().drop_null_values();
        stream
            .try_left_join_global(&global, |key, _| Some(key.clone()), |_, one, name| both(Some(one), name))
            .to("out");
    }),
];

fn run(step: Step, handler: RecordHandler, updates: &[Update]) -> Tested<(Vec<Output>, String)> {
    let builder = StreamsBuilder::new();
    let (one, other) = (builder.table("one", "one"), builder.table("other", "other"));
    step(&builder, &one, &other);
    let config = StreamsConfig { processing_handler: handler, ..StreamsConfig::new("test") };
    let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    let inputs = ["one", "other"].map(|topic| driver.input::<String, Option<String>>(topic));
    for (topic, key, value, timestamp) in updates.iter().cloned() {
        inputs[topic].pipe(key, value, timestamp)?;
    }
    let rows = driver.key_value_store::<String, String>("one", 0)?.ok_or("it runs")?.all().read_all()?;
    Ok((driver.output::<Bytes, Option<Bytes>>("out").read()?, format!("{rows:?}")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn tables_are_those_of_an_input_without_the_refused_updates(
        input in prop::collection::vec((0..2_usize, 0..2_usize, 0..8_u8, 0_i64..100), 1..40),
    ) {
        let mut updates = Vec::new();
        for (topic, key, kind, timestamp) in input {
            let text = match kind {
                0 => None,
                1 | 2 => Some(format!("bad{kind}")),
                _ => Some(format!("{kind}").repeat(usize::from(kind) % 3 + 1)),
            };
            updates.push((topic, ["a", "b"][key].to_owned(), text, timestamp));
        }
        for (name, step) in STEPS {
            // Most joins refuse an update only if it has a partner. These steps see each update.
            if name.contains("join") && !["outer join", "global join"].contains(&name) {
                continue;
            }
            let refused = |(topic, _, text, _): &&Update| {
                (*topic == 0 || name == "outer join") && text.as_ref().is_some_and(|text| text.contains("bad"))
            };
            let good: Vec<_> = updates.iter().filter(|update| !refused(update)).cloned().collect();
            let left_out = run(step, RecordHandler::Skip, &updates).expect("refused updates are left out");
            let without = run(step, RecordHandler::Fail, &good).expect("no update is refused");
            prop_assert_eq!(left_out, without, "{}", name);
        }
    }
}

fn update(topic: usize, text: &str, timestamp: i64) -> Update {
    (topic, "a".to_owned(), Some(text.to_owned()), timestamp)
}

#[test]
fn a_join_that_refuses_an_update_keeps_both_tables_and_the_result() -> Tested {
    for (name, step) in STEPS.into_iter().filter(|(name, _)| name.contains("join") && *name != "global join") {
        let updates =
            [update(0, "1", 0), update(1, "2", 1), update(1, "bad", 2), update(0, "bad", 3), update(0, "3", 4)];
        let (out, rows) = run(step, RecordHandler::DeadLetter("dead".into()), &updates)?;
        let last = out.last().and_then(|(_, value, _)| value.clone()).ok_or("there is a result")?;
        assert!(last.starts_with(b"3+2"), "{name}: {last:?}");
        assert!(out.iter().all(|(_, value, _)| !format!("{value:?}").contains("bad")), "{name}");
        assert!(rows.contains("\"3\""), "{name}: {rows}");
    }
    Ok(())
}

#[test]
fn an_error_names_the_update_that_was_refused() -> Tested {
    for (name, step) in STEPS {
        let updates = [update(1, "2", 0), update(0, "1", 1), update(0, "bad", 2)];
        let error = run(step, RecordHandler::Fail, &updates).err().ok_or("the error surfaces")?;
        assert!(error.to_string().ends_with("topic 'one', partition 0, offset 1"), "{name}: {error}");
    }
    Ok(())
}

#[test]
fn a_group_whose_functions_refuse_a_value_stays_as_it_was() -> Tested {
    for subtracts in [false, true] {
        let builder = StreamsBuilder::new();
        let table = builder.table::<u64, String>("in", "in");
        let grouped = table.group_by("by-key", |_, text| ("all".to_owned(), text));
        let refuse = move |is_at_fault: bool, text: &str| if is_at_fault && text == "no" { Err("no") } else { Ok(()) };
        let (add, subtract) = (!subtracts, subtracts);
        let sum = grouped.try_aggregate(
            "all",
            Vec::new,
            move |_, text: String, all: &mut Vec<String>| {
                all.push(text.clone());
                refuse(add, &text)
            },
            move |_, text: String, all: &mut Vec<String>| {
                all.retain(|one| *one != text);
                refuse(subtract, &text)
            },
        );
        sum.to_stream().to("out");
        let config = StreamsConfig {
            processing_handler: RecordHandler::DeadLetter("dead".into()),
            ..StreamsConfig::new("test")
        };
        let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
        let input = driver.input::<u64, String>("in");
        input.pipe_all([(1, "yes".into(), 0), (2, "no".into(), 1), (2, "well".into(), 2)])?;
        let all = driver.key_value_store::<String, Vec<String>>("all", 0)?.ok_or("it runs")?;
        // Below its repartition topic, a group refuses an update of a table that has taken it.
        let expected = if subtracts { vec!["yes", "no"] } else { vec!["yes", "well"] };
        assert_eq!(all.get(&"all".into())?.ok_or("it has values")?, expected);
        assert_eq!(driver.output::<Bytes, Bytes>("dead").read()?.len(), 1);
    }
    Ok(())
}

#[test]
fn a_cached_table_passes_over_the_update_that_a_later_step_refuses() -> Tested {
    let builder = StreamsBuilder::new();
    let cached = Materialized::<String, String>::named("in").with_caching();
    let table = builder.table::<String, String>("in", cached).try_map_values(checked);
    out(&table);
    let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    let input = driver.input::<String, String>("in");
    for text in ["1", "bad", "3"] {
        input.pipe("a".into(), text.into(), 0)?;
        driver.advance_wall_clock(Duration::from_secs(1))?;
    }
    assert_eq!(driver.output::<String, String>("out").read_values()?, ["1", "3"]);
    Ok(())
}
