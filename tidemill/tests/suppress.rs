//! Suppression: which updates of a table are held back, until when, and what a crash changes.

mod common;

use std::time::Duration;

use common::{Tested, driver};
use tidemill::{
    BufferConfig, EmitStrategy, KTable, RecordHandler, SessionWindows, StreamsBuilder, StreamsConfig, Suppressed,
    TimeWindows, Windowed,
    testing::{DriverOptions, TopologyTestDriver},
};

type Updates = Vec<(String, Option<i64>, i64)>;

fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

fn set(driver: &TopologyTestDriver, key: &str, value: impl Into<Option<i64>>, at: i64) -> Tested {
    Ok(driver.input::<String, Option<i64>>("in").pipe(key.into(), value.into(), at)?)
}

fn updates(driver: &TopologyTestDriver) -> Updates {
    driver.output::<String, Option<i64>>("out").read().expect("reads")
}

fn update(key: &str, value: impl Into<Option<i64>>, at: i64) -> (String, Option<i64>, i64) {
    (key.to_owned(), value.into(), at)
}

/// A table whose updates wait 10 ms.
fn waiting(buffer: BufferConfig) -> (StreamsBuilder, KTable<String, i64>) {
    let builder = StreamsBuilder::new();
    let waiting = Suppressed::until_time_limit(ms(10), buffer);
    let table = builder.table::<String, i64>("in", "in").suppress("held", waiting);
    table.to_stream().to("out");
    (builder, table)
}

/// Counts of windows of 10 ms with a grace of 5 ms, held back until they are final.
fn finals(builder: &StreamsBuilder) -> KTable<Windowed<String>, i64> {
    let windows = TimeWindows::of_size_and_grace(ms(10), ms(5));
    let counts = builder.stream::<String, i64>("in").group_by_key().windowed_by(windows).count("counts");
    counts.suppress("finals", Suppressed::until_window_closes(BufferConfig::unbounded()))
}

#[test]
fn a_key_waits_from_its_first_update_and_its_last_update_comes_out() -> Tested {
    let (builder, _) = waiting(BufferConfig::unbounded());
    let driver = driver(&builder);
    for (key, value, at) in [("a", 1, 0), ("b", 1, 3), ("a", 2, 9), ("c", 1, 10), ("c", 2, 12), ("d", 1, 13)] {
        set(&driver, key, value, at)?;
    }
    assert_eq!(updates(&driver), [update("a", 2, 9), update("b", 1, 3)]);
    Ok(())
}

#[test]
fn a_tombstone_waits_and_comes_out_as_any_update() -> Tested {
    let (builder, _) = waiting(BufferConfig::unbounded());
    let driver = driver(&builder);
    set(&driver, "a", 1, 0)?;
    set(&driver, "a", None, 5)?;
    set(&driver, "b", 1, 20)?;
    assert_eq!(updates(&driver), [update("a", None, 5)]);
    Ok(())
}

#[test]
fn an_out_of_order_update_waits_from_its_own_time() -> Tested {
    let (builder, _) = waiting(BufferConfig::unbounded());
    let driver = driver(&builder);
    set(&driver, "a", 1, 20)?;
    set(&driver, "b", 2, 5)?;
    assert_eq!(updates(&driver), [update("b", 2, 5)], "it has waited long enough already");
    Ok(())
}

#[test]
fn what_is_held_back_survives_a_crash_with_its_time() -> Tested {
    let (builder, _) = waiting(BufferConfig::unbounded());
    let driver = driver(&builder);
    set(&driver, "a", 1, 0)?;
    set(&driver, "b", 1, 8)?;
    driver.crash();
    set(&driver, "a", 2, 9)?;
    set(&driver, "c", 1, 11)?;
    driver.crash();
    assert_eq!(updates(&driver), [update("a", 2, 9)]);
    set(&driver, "d", 1, 1)?;
    assert_eq!(updates(&driver).last(), Some(&update("d", 1, 1)), "the time before the crash is remembered");
    Ok(())
}

#[test]
fn a_full_buffer_emits_the_oldest_early_if_it_may() -> Tested {
    let (builder, _) = waiting(BufferConfig::max_records(1).emit_early_when_full());
    let driver = driver(&builder);
    set(&driver, "a", 1, 0)?;
    set(&driver, "a", 2, 1)?;
    set(&driver, "b", 1, 2)?;
    assert_eq!(updates(&driver), [update("a", 2, 1)]);
    Ok(())
}

#[test]
fn a_full_buffer_fails_if_it_may_not_emit_early() -> Tested {
    let (builder, _) = waiting(BufferConfig::max_bytes(60).shut_down_when_full());
    let driver = driver(&builder);
    set(&driver, "a", 1, 0)?;
    let mut keys = ["b", "c", "d"].into_iter();
    let refused = keys.find_map(|key| set(&driver, key, 1, 1).err()).ok_or("60 bytes are too few for four keys")?;
    let cause = std::iter::successors(refused.source(), |error| error.source()).last().ok_or("it has a cause")?;
    assert!(cause.to_string().contains("buffer is full"), "{cause}");
    Ok(())
}

#[test]
fn a_group_below_takes_away_what_it_had_added() -> Tested {
    let (builder, held) = waiting(BufferConfig::unbounded());
    let grouped = held.group_by("all", |_, value| ("all".to_owned(), value));
    grouped.reduce("sum", |all, value| all + value, |all, value| all - value).to_stream().to("sums");
    let driver = driver(&builder);
    for (value, at) in [(1, 0), (2, 10), (3, 20), (4, 21), (5, 31), (6, 41)] {
        set(&driver, "a", value, at)?;
    }
    let sums = driver.output::<String, i64>("sums").read_values()?;
    assert_eq!(sums, [2, 5], "not what the suppressed updates would have left");
    Ok(())
}

#[test]
fn a_join_with_a_suppressed_table_sees_what_came_out() -> Tested {
    let (builder, held) = waiting(BufferConfig::unbounded());
    let clicks = builder.stream::<String, i64>("clicks");
    clicks.left_join(&held, |_, click, value| click * 100 + value.unwrap_or(0)).to("joined");
    let driver = driver(&builder);
    let clicks = driver.input::<String, i64>("clicks");
    set(&driver, "a", 1, 0)?;
    clicks.pipe("a".into(), 1, 1)?;
    set(&driver, "b", 1, 12)?;
    clicks.pipe("a".into(), 2, 13)?;
    set(&driver, "a", 2, 14)?;
    clicks.pipe("a".into(), 3, 15)?;
    assert_eq!(driver.output::<String, i64>("joined").read_values()?, [100, 201, 301]);
    Ok(())
}

#[test]
fn a_window_has_one_result_when_no_record_can_change_it() -> Tested {
    let builder = StreamsBuilder::new();
    finals(&builder).to_stream().map(|key, count| (format!("{}@{}", key.key, key.window.start), count)).to("out");
    let driver = driver(&builder);
    let input = driver.input::<String, i64>("in");
    for (key, at) in [("a", 1), ("a", 12), ("a", 2), ("b", 14), ("a", 9), ("a", 15), ("a", 3)] {
        input.pipe(key.into(), 0, at)?;
    }
    assert_eq!(updates(&driver), [update("a@0", 3, 9)]);
    driver.crash();
    input.pipe("c".into(), 0, 25)?;
    assert_eq!(updates(&driver)[1..], [update("a@10", 2, 15), update("b@10", 1, 14)]);
    Ok(())
}

#[test]
fn final_results_are_those_of_emission_on_close() -> Tested {
    let builder = StreamsBuilder::new();
    finals(&builder).to_stream().drop_null_values().to("suppressed");
    let windows = TimeWindows::of_size_and_grace(ms(10), ms(5));
    let stream = builder.stream::<String, i64>("copy").group_by_key().windowed_by(windows);
    stream.emit(EmitStrategy::on_window_close()).count("closed").to_stream().to("closed");
    let driver = driver(&builder);
    let mut seed = 7_u64;
    for _ in 0..300 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let key = ["a", "b", "c"][usize::try_from(seed >> 33)? % 3];
        let at = i64::try_from((seed >> 40) % 400)?;
        driver.input::<String, i64>("in").pipe(key.into(), 0, at)?;
        driver.input::<String, i64>("copy").pipe(key.into(), 0, at)?;
    }
    let suppressed = driver.output::<Windowed<String>, i64>("suppressed").read()?;
    assert!(suppressed.len() > 2);
    assert_eq!(suppressed, driver.output::<Windowed<String>, i64>("closed").read()?);
    Ok(())
}

#[test]
fn silence_lets_the_last_window_out() -> Tested {
    let builder = StreamsBuilder::new();
    let windows = TimeWindows::of_size_with_no_grace(ms(10));
    let counts = builder.stream::<String, i64>("in").group_by_key().windowed_by(windows).count("counts");
    let finals = Suppressed::until_window_closes(BufferConfig::unbounded()).idle_after(ms(20));
    counts.suppress("finals", finals).to_stream().to("out");
    let driver = driver(&builder);
    driver.input::<String, i64>("in").pipe("a".into(), 0, 1)?;
    driver.advance_wall_clock(ms(30))?;
    assert_eq!(driver.output::<Windowed<String>, i64>("out").read_values()?, [1]);
    Ok(())
}

#[test]
fn a_record_that_is_refused_later_leaves_the_buffer_as_it_was() -> Tested {
    let builder = StreamsBuilder::new();
    let table = builder.table::<String, i64>("in", "in");
    table.suppress("held", Suppressed::until_time_limit(ms(10), BufferConfig::max_records(2))).to_stream().to("out");
    let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    for (key, at) in [("a", 0), ("b", 1), ("c", 2), ("a", 3), ("d", 10), ("e", 11)] {
        set(&driver, key, at, at)?;
    }
    let values: Vec<_> = updates(&driver).into_iter().map(|(key, ..)| key).collect();
    assert_eq!(values, ["a", "b"], "the update of 'c' found no room and left no trace");
    Ok(())
}

#[test]
fn mistakes_are_named_before_the_start() {
    let builder = StreamsBuilder::new();
    let windows = TimeWindows::of_size_with_no_grace(ms(10));
    let counts = builder.stream::<String, i64>("in").group_by_key().windowed_by(windows).count("counts");
    let early = BufferConfig::max_records(9).emit_early_when_full();
    counts.suppress("finals", Suppressed::until_window_closes(early));
    let table = builder.table::<Windowed<String>, i64>("table", "table");
    table.suppress("held", Suppressed::until_window_closes(BufferConfig::unbounded()));
    let problems = builder.build().expect_err("both are mistakes").to_string();
    assert!(problems.contains("must not emit early") && problems.contains("no windows"), "{problems}");
}

#[test]
fn a_session_has_one_result_when_no_record_can_reach_it() -> Tested {
    let builder = StreamsBuilder::new();
    let sessions = SessionWindows::of_inactivity_gap_and_grace(ms(10), ms(5));
    let counts = builder.stream::<String, i64>("in").group_by_key().windowed_by(sessions).count("counts");
    let finals = counts.suppress("finals", Suppressed::until_window_closes(BufferConfig::unbounded()));
    finals.to_stream().map(|key, count| (format!("{}@{}", key.key, key.window.start), count)).to("out");
    let driver = driver(&builder);
    let input = driver.input::<String, i64>("in");
    for (key, at) in [("a", 0), ("a", 12), ("a", 6), ("b", 27), ("a", 20)] {
        input.pipe(key.into(), 0, at)?;
    }
    assert_eq!(updates(&driver), [], "at 27, a record of 22 still reaches the session of 0 to 12, and one of 20 came");
    input.pipe("b".into(), 0, 36)?;
    assert_eq!(updates(&driver), [update("a@0", 4, 20)]);
    Ok(())
}
