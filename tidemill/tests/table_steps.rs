//! Steps of tables: what they emit when a value changes, moves to another group, or ends.

mod common;

use std::time::Duration;

use common::{Tested, driver};
use tidemill::{EmitStrategy, KTable, StreamsBuilder, TimeWindows, testing::TopologyTestDriver};

type Updates = Vec<(String, Option<i64>, i64)>;

fn table(builder: &StreamsBuilder, name: &str) -> KTable<String, i64> {
    builder.table::<String, i64>(name, name)
}

fn set(driver: &TopologyTestDriver, topic: &str, key: &str, value: impl Into<Option<i64>>, at: i64) -> Tested {
    Ok(driver.input::<String, Option<i64>>(topic).pipe(key.into(), value.into(), at)?)
}

fn updates(driver: &TopologyTestDriver) -> Updates {
    driver.output::<String, Option<i64>>("out").read().expect("reads")
}

fn update(key: &str, value: impl Into<Option<i64>>, at: i64) -> (String, Option<i64>, i64) {
    (key.to_owned(), value.into(), at)
}

#[test]
fn a_filter_ends_a_key_whose_value_no_longer_passes() -> Tested {
    let builder = StreamsBuilder::new();
    table(&builder, "in").filter(|_, value| *value > 9).map_values(|value| value * 2).to_stream().to("out");
    let driver = driver(&builder);
    set(&driver, "in", "a", 10, 1)?;
    set(&driver, "in", "a", 1, 2)?;
    set(&driver, "in", "a", None, 3)?;
    assert_eq!(updates(&driver), [update("a", 20, 1), update("a", None, 2)]);
    Ok(())
}

#[test]
fn a_filter_ends_no_key_that_never_passed() -> Tested {
    let builder = StreamsBuilder::new();
    let large = table(&builder, "in").filter(|_, number| *number > 9);
    large.to_stream().to("out");
    let driver = driver(&builder);
    set(&driver, "in", "a", 1, 1)?;
    set(&driver, "in", "a", None, 2)?;
    set(&driver, "in", "b", 10, 3)?;
    set(&driver, "in", "b", 2, 4)?;
    set(&driver, "in", "b", 3, 5)?;
    assert_eq!(updates(&driver), [update("b", 10, 3), update("b", None, 4)]);
    Ok(())
}

#[test]
fn a_filtered_table_is_joined_without_a_store_of_its_own() -> Tested {
    let builder = StreamsBuilder::new();
    let large =
        table(&builder, "in").filter(|_, value| *value > 9).map_values_with_key(|key, value| format!("{key}{value}"));
    let clicks = builder.stream::<String, String>("clicks");
    clicks.left_join(&large, |_, click, found| format!("{click}:{}", found.unwrap_or_default())).to("joined");
    let driver = driver(&builder);
    let clicks = driver.input::<String, String>("clicks");
    set(&driver, "in", "a", 10, 1)?;
    clicks.pipe("a".into(), "x".into(), 2)?;
    driver.crash();
    clicks.pipe("a".into(), "y".into(), 3)?;
    set(&driver, "in", "a", 9, 4)?;
    clicks.pipe("a".into(), "z".into(), 5)?;
    assert_eq!(driver.output::<String, String>("joined").read_values()?, ["x:a10", "y:a10", "z:"]);
    Ok(())
}

#[test]
fn a_value_that_changes_its_group_leaves_the_old_group_first() -> Tested {
    let builder = StreamsBuilder::new();
    let grouped = table(&builder, "in").group_by("parity", |_, value| ((value % 2).to_string(), value));
    grouped.reduce("sums", |all, value| all + value, |all, value| all - value).to_stream().to("out");
    let driver = driver(&builder);
    set(&driver, "in", "a", 4, 1)?;
    set(&driver, "in", "b", 6, 5)?;
    set(&driver, "in", "a", 3, 3)?;
    let moved = [update("0", 4, 1), update("0", 10, 5), update("0", 6, 5), update("1", 3, 3)];
    assert_eq!(updates(&driver), moved, "a result has the latest timestamp of its group");
    driver.crash();
    set(&driver, "in", "b", None, 7)?;
    assert_eq!(updates(&driver).last(), Some(&update("0", 0, 7)));
    Ok(())
}

#[test]
fn a_value_that_stays_in_its_group_updates_it_once() -> Tested {
    let builder = StreamsBuilder::new();
    let grouped = table(&builder, "in").group_by("all", |_, value| ("all".to_owned(), value));
    grouped.reduce("sum", |all, value| all + value, |all, value| all - value).to_stream().to("out");
    let driver = driver(&builder);
    set(&driver, "in", "a", 4, 1)?;
    set(&driver, "in", "a", 7, 2)?;
    assert_eq!(updates(&driver), [update("all", 4, 1), update("all", 7, 2)]);
    Ok(())
}

#[test]
fn a_filter_before_a_group_sends_nothing_for_values_that_never_passed() -> Tested {
    let builder = StreamsBuilder::new();
    let passed = table(&builder, "in").filter(|_, value| *value > 9);
    passed.group_by("all", |_, value| ("all".to_owned(), value)).count("count").to_stream().to("out");
    let driver = driver(&builder);
    for (value, at) in [(1, 1), (10, 2), (2, 3), (3, 4), (11, 5)] {
        set(&driver, "in", "a", value, at)?;
    }
    assert_eq!(updates(&driver), [update("all", 1, 2), update("all", 0, 3), update("all", 1, 5)]);
    Ok(())
}

#[test]
fn an_aggregate_that_becomes_null_ends_its_group() -> Tested {
    let builder = StreamsBuilder::new();
    let grouped = table(&builder, "in").group_by("all", |_, value| ("all".to_owned(), value));
    let sum = grouped.aggregate(
        "sum",
        || Some(0),
        |_, value, sum: &mut Option<i64>| *sum = Some(sum.unwrap_or(0) + value),
        |_, value, sum| *sum = sum.map(|sum| sum - value).filter(|sum| *sum > 0),
    );
    sum.to_stream().map_values(Option::flatten).to("out");
    let driver = driver(&builder);
    set(&driver, "in", "a", 4, 1)?;
    set(&driver, "in", "a", None, 2)?;
    set(&driver, "in", "a", 5, 3)?;
    assert_eq!(updates(&driver), [update("all", 4, 1), update("all", None, 2), update("all", 5, 3)]);
    Ok(())
}

#[test]
fn an_inner_join_of_tables_follows_both_sides() -> Tested {
    let builder = StreamsBuilder::new();
    table(&builder, "left").join(&table(&builder, "right"), |_, left, right| left * 10 + right).to_stream().to("out");
    let driver = driver(&builder);
    set(&driver, "left", "a", 1, 5)?;
    set(&driver, "right", "a", 2, 3)?;
    set(&driver, "left", "a", 3, 4)?;
    driver.crash();
    set(&driver, "right", "a", None, 6)?;
    set(&driver, "right", "a", None, 7)?;
    set(&driver, "left", "a", None, 8)?;
    let joined = [update("a", 12, 5), update("a", 32, 4), update("a", None, 6), update("a", None, 7)];
    assert_eq!(updates(&driver), joined, "the other side's timestamp counts if it is later");
    Ok(())
}

#[test]
fn a_left_join_of_tables_ends_with_its_left_side() -> Tested {
    let builder = StreamsBuilder::new();
    let joined =
        table(&builder, "left").left_join(&table(&builder, "right"), |_, left, right| left * 10 + right.unwrap_or(0));
    joined.to_stream().to("out");
    let driver = driver(&builder);
    set(&driver, "right", "a", 2, 1)?;
    set(&driver, "left", "b", None, 2)?;
    set(&driver, "left", "a", 1, 3)?;
    set(&driver, "right", "a", None, 4)?;
    set(&driver, "left", "a", None, 5)?;
    set(&driver, "left", "a", None, 6)?;
    assert_eq!(updates(&driver), [update("a", 12, 3), update("a", 10, 4), update("a", None, 5)]);
    Ok(())
}

#[test]
fn an_outer_join_of_tables_ends_when_both_sides_have_ended() -> Tested {
    let builder = StreamsBuilder::new();
    let sum = |_: &String, left: Option<i64>, right: Option<i64>| left.unwrap_or(0) * 10 + right.unwrap_or(0);
    table(&builder, "left").outer_join(&table(&builder, "right"), sum).to_stream().to("out");
    let driver = driver(&builder);
    set(&driver, "right", "a", 2, 1)?;
    set(&driver, "left", "a", 1, 2)?;
    set(&driver, "right", "a", None, 3)?;
    set(&driver, "left", "a", None, 4)?;
    set(&driver, "right", "a", None, 5)?;
    let joined = [update("a", 2, 1), update("a", 12, 2), update("a", 10, 3), update("a", None, 4)];
    assert_eq!(updates(&driver), joined);
    Ok(())
}

#[test]
fn a_join_is_joined_grouped_and_counted_again() -> Tested {
    let builder = StreamsBuilder::new();
    let (one, two, three) = (table(&builder, "one"), table(&builder, "two"), table(&builder, "three"));
    let joined = one.join(&two, |_, one, two| one + two).left_join(&three, |_, sum, three| sum + three.unwrap_or(0));
    let grouped = joined.group_by("all", |_, value| ("all".to_owned(), value));
    grouped.reduce("sum", |all, value| all + value, |all, value| all - value).to_stream().to("out");
    let driver = driver(&builder);
    set(&driver, "one", "a", 1, 1)?;
    set(&driver, "two", "a", 10, 2)?;
    set(&driver, "three", "a", 100, 3)?;
    set(&driver, "one", "b", 2, 4)?;
    set(&driver, "two", "b", 20, 5)?;
    set(&driver, "two", "a", None, 6)?;
    let sums: Vec<_> = updates(&driver).into_iter().map(|(_, value, _)| value.unwrap_or(-1)).collect();
    assert_eq!(sums, [11, 111, 133, 22]);
    Ok(())
}

#[test]
fn a_table_that_is_kept_answers_queries_after_a_crash() -> Tested {
    let builder = StreamsBuilder::new();
    let kept = table(&builder, "in").filter(|_, value| *value > 9).materialized("large");
    kept.group_by("all", |_, value| ("all".to_owned(), value)).count("count").to_stream().to("out");
    let driver = driver(&builder);
    set(&driver, "in", "a", 10, 1)?;
    set(&driver, "in", "b", 11, 2)?;
    driver.crash();
    set(&driver, "in", "a", 1, 3)?;
    let large = driver.key_value_store::<String, i64>("large", 0)?.ok_or("the store is there")?;
    assert_eq!(large.all().collect::<Result<Vec<_>, _>>()?, [("b".to_owned(), 11)]);
    assert_eq!(updates(&driver), [update("all", 1, 1), update("all", 2, 2), update("all", 1, 3)]);
    Ok(())
}

#[test]
fn a_windowed_table_is_grouped_again() -> Tested {
    let builder = StreamsBuilder::new();
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_millis(10));
    let stream = builder.stream::<String, i64>("in").group_by_key();
    let counts = stream.windowed_by(windows).emit(EmitStrategy::on_window_update()).count("counts");
    let starts = counts.group_by("by-start", |key, count| (key.window.start.to_string(), count));
    starts.reduce("totals", |all, count| all + count, |all, count| all - count).to_stream().to("out");
    let driver = driver(&builder);
    let input = driver.input::<String, i64>("in");
    for (key, at) in [("a", 1), ("a", 2), ("b", 3), ("b", 12), ("a", 13)] {
        input.pipe(key.into(), 0, at)?;
    }
    let totals: Vec<_> = updates(&driver).into_iter().map(|(start, total, _)| (start, total.unwrap_or(-1))).collect();
    let expected = [("0", 1), ("0", 2), ("0", 3), ("10", 1), ("10", 2)].map(|(start, total)| (start.to_owned(), total));
    assert_eq!(totals, expected);
    Ok(())
}

#[test]
fn a_stream_becomes_a_table_and_keeps_its_nulls() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, Option<i64>>("in");
    let named = stream.map_values(|value| value.map(|value| value + 1)).to_table_with_tombstones("kept");
    named.to_stream().to("out");
    let driver = driver(&builder);
    set(&driver, "in", "a", 4, 1)?;
    set(&driver, "in", "a", None, 2)?;
    assert_eq!(updates(&driver), [update("a", 5, 1), update("a", None, 2)]);
    let kept = driver.key_value_store::<String, i64>("kept", 0)?.ok_or("the store is there")?;
    assert_eq!(kept.all().collect::<Result<Vec<_>, _>>()?, []);
    Ok(())
}
