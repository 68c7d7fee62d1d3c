//! Whoever erases a key takes its rows and its time out of an operator's stores: nothing comes back.

mod common;

use std::{collections::BTreeMap, time::Duration};

use common::{Tested, driver};
use tidemill::{
    EmitStrategy, Materialized, StreamsBuilder, TimeWindows, Windowed,
    processor::{Processor, ProcessorContext, Record},
    state::BoxError,
    testing::TopologyTestDriver,
};

/// Takes everything of a key out of the window store `rows` and of its store of times.
struct Erase;

impl Processor<String, i64, String, i64> for Erase {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, i64>,
        record: Record<String, i64>,
    ) -> Result<(), BoxError> {
        ctx.window_store::<String, i64>("rows")?.delete_key(&record.key)?;
        ctx.key_value_store::<String, i64>("rows-times")?.delete(&record.key)?;
        Ok(())
    }
}

/// Windows of a second that are kept for ten, and close after five of silence.
fn topology(collects: bool) -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(1)).event_time_by_key();
    let emit = EmitStrategy::on_window_close().idle_after(Duration::from_secs(5));
    let mut windowed = builder.stream::<String, i64>("in").group_by_key().windowed_by(windows).emit(emit);
    windowed.late_records().to("late");
    let kept = Duration::from_secs(10);
    if collects {
        let lists = windowed.collect(Materialized::<String, i64>::named("rows").retention(kept));
        lists.map_values(|list| list.len() as i64).to("out");
    } else {
        windowed.count(Materialized::<String, i64>::named("rows").retention(kept)).to_stream().to("out");
    }
    builder.stream::<String, i64>("erase").process("erase", &["rows", "rows-times"], || Erase).to("erased");
    builder
}

/// A key that keeps an input from being empty: what comes before is then one commit.
const LAST: &str = "last";

/// Records of one commit; the second topic has the erasures.
fn send(driver: &TopologyTestDriver, records: &[(&str, &str, i64)]) -> Tested {
    let end = records.iter().map(|(.., time)| time + 1).max().unwrap_or_default();
    for (topic, key, time) in records.iter().chain(&[("in", LAST, end)]) {
        driver.input::<String, i64>(topic).enqueue((*key).to_owned(), *time, *time)?;
    }
    driver.status()?;
    Ok(())
}

/// The first letters of the keys that a changelog has rows of.
fn keys_in(driver: &TopologyTestDriver, changelog: &str) -> Tested<Vec<String>> {
    let mut rows = BTreeMap::new();
    for (_, record) in driver.log().read_all(changelog)? {
        rows.insert(record.key, record.value);
    }
    let keys = rows.into_iter().filter(|(_, value)| value.is_some()).filter_map(|(key, _)| key);
    let keys = keys.map(|key| String::from_utf8_lossy(&key[..1]).into_owned());
    Ok(keys.filter(|key| !LAST.starts_with(key.as_str())).collect())
}

fn results(driver: &TopologyTestDriver) -> Tested<Vec<(String, i64, i64)>> {
    let found = driver.output::<Windowed<String>, i64>("out").read()?;
    let found = found.into_iter().filter(|(key, ..)| key.key != LAST);
    Ok(found.map(|(key, count, _)| (key.key, key.window.start, count)).collect())
}

fn late(driver: &TopologyTestDriver) -> Tested<Vec<i64>> {
    let found = driver.output::<String, i64>("late").read()?;
    Ok(found.into_iter().filter(|(key, ..)| key != LAST).map(|(_, time, _)| time).collect())
}

fn of(key: &str, start: i64, count: i64) -> (String, i64, i64) {
    (key.to_owned(), start, count)
}

#[test]
fn the_time_of_an_erased_key_goes_with_it_though_it_had_a_record_in_the_same_commit() -> Tested {
    for collects in [true, false] {
        let driver = driver(&topology(collects));
        send(&driver, &[("in", "a", 100), ("in", "b", 100), ("erase", "a", 200)])?;
        assert_eq!(keys_in(&driver, "test-rows-times-changelog")?, ["b"]);
        send(&driver, &[("in", "b", 300), ("in", "a", 300)])?;
        send(&driver, &[("in", "a", 400), ("erase", "a", 500), ("erase", "b", 500)])?;
        assert_eq!(keys_in(&driver, "test-rows-times-changelog")?, [""; 0]);
        assert_eq!(keys_in(&driver, "test-rows-changelog")?, [""; 0]);
    }
    Ok(())
}

#[test]
fn an_erased_keys_time_begins_anew_with_its_next_record() -> Tested {
    for collects in [true, false] {
        let driver = driver(&topology(collects));
        send(&driver, &[("in", "a", 50_000)])?;
        send(&driver, &[("in", "a", 50_100), ("erase", "a", 50_200)])?;
        send(&driver, &[("in", "a", 100), ("in", "a", 200)])?;
        assert_eq!(keys_in(&driver, "test-rows-times-changelog")?, ["a"]);
        driver.crash();
        send(&driver, &[("in", "a", 1_000)])?;
        assert_eq!(results(&driver)?, [of("a", 0, 2)]);
        assert_eq!(late(&driver)?, [0; 0]);
        // Erased and back within one commit.
        send(&driver, &[("in", "a", 60_000), ("erase", "a", 60_001), ("in", "a", 60_002), ("in", "a", 61_000)])?;
        assert_eq!(keys_in(&driver, "test-rows-times-changelog")?, ["a"]);
        assert_eq!(results(&driver)?, [of("a", 0, 2), of("a", 1_000, 1), of("a", 60_000, 1)]);
    }
    Ok(())
}

#[test]
fn windows_of_an_erased_key_have_their_turns_without_a_result_or_a_trace() -> Tested {
    for collects in [true, false] {
        let driver = driver(&topology(collects));
        // One window is closed and kept, one is open.
        send(&driver, &[("in", "a", 100), ("in", "a", 1_500), ("in", "b", 1_500)])?;
        assert_eq!(results(&driver)?, [of("a", 0, 1)]);
        send(&driver, &[("in", "a", 1_600), ("erase", "a", 1_700)])?;
        driver.advance_wall_clock(Duration::from_secs(6))?;
        assert_eq!(results(&driver)?, [of("a", 0, 1), of("b", 1_000, 1)]);
        driver.advance_wall_clock(Duration::from_secs(20))?;
        assert_eq!(keys_in(&driver, "test-rows-changelog")?, [""; 0], "what was kept of the other is gone, too");
        assert_eq!(keys_in(&driver, "test-rows-times-changelog")?, ["b"]);
        // The same windows are filled and closed anew.
        send(&driver, &[("in", "a", 150), ("in", "a", 160), ("in", "a", 1_500)])?;
        driver.crash();
        driver.advance_wall_clock(Duration::from_secs(6))?;
        driver.crash();
        driver.advance_wall_clock(Duration::from_secs(6))?;
        let again = [of("a", 0, 2), of("a", 1_000, 1)];
        assert_eq!(results(&driver)?[2..], again, "once each");
        assert_eq!(late(&driver)?, [0; 0]);
    }
    Ok(())
}

#[test]
fn a_key_whose_rows_alone_are_erased_loses_its_time_at_its_turn_and_may_come_back() -> Tested {
    /// Leaves the times alone.
    struct EraseRows;

    impl Processor<String, i64, String, i64> for EraseRows {
        fn process(
            &mut self,
            ctx: &mut ProcessorContext<'_, String, i64>,
            record: Record<String, i64>,
        ) -> Result<(), BoxError> {
            ctx.window_store::<String, i64>("rows")?.delete_key(&record.key)?;
            Ok(())
        }
    }

    let builder = StreamsBuilder::new();
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(1)).event_time_by_key();
    let windowed = builder.stream::<String, i64>("in").group_by_key().windowed_by(windows);
    let emit = EmitStrategy::on_window_close().idle_after(Duration::from_secs(5));
    windowed.emit(emit).collect("rows").map_values(|list| list.len() as i64).to("out");
    builder.stream::<String, i64>("erase").process("erase", &["rows"], || EraseRows).to("erased");
    let driver = driver(&builder);
    send(&driver, &[("in", "a", 5_100)])?;
    send(&driver, &[("erase", "a", 5_200)])?;
    driver.advance_wall_clock(Duration::from_secs(6))?;
    assert_eq!(keys_in(&driver, "test-rows-times-changelog")?, [""; 0]);
    // Another turn, and a record from before the time that is gone.
    driver.advance_wall_clock(Duration::from_secs(6))?;
    send(&driver, &[("in", "a", 100)])?;
    driver.crash();
    send(&driver, &[("in", "a", 1_000)])?;
    assert_eq!(results(&driver)?, [of("a", 0, 1)]);
    Ok(())
}
