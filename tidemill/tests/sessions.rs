//! Sessions: how records begin, extend and merge them, when they close, and what becomes of late records.

mod common;

use std::{cell::Cell, ops::Deref, time::Duration};

use common::{Tested, driver};
use tidemill::{
    EmitStrategy, Materialized, SessionWindowedKStream, SessionWindows, StreamsBuilder, Window, Windowed,
    state::Session, testing::TopologyTestDriver,
};

type Key = Windowed<String>;
/// A result: key, start, end and text.
type Out = (String, i64, i64, Option<String>);

const ON_CLOSE: EmitStrategy = EmitStrategy::on_window_close();

fn ms(gap: u64, grace: u64) -> SessionWindows {
    SessionWindows::of_inactivity_gap_and_grace(Duration::from_millis(gap), Duration::from_millis(grace))
}

fn sessions(builder: &StreamsBuilder, windows: SessionWindows) -> SessionWindowedKStream<String, String> {
    builder.stream::<String, String>("in").group_by_key().windowed_by(windows)
}

/// A driver that knows which results were read.
struct Run {
    driver: TopologyTestDriver,
    read: Cell<usize>,
}

impl Deref for Run {
    type Target = TopologyTestDriver;

    fn deref(&self) -> &TopologyTestDriver {
        &self.driver
    }
}

fn run(builder: &StreamsBuilder) -> Run {
    Run { driver: driver(builder), read: Cell::new(0) }
}

/// `in` → joined values by session → `out`; late records → `late`.
fn joining(windows: SessionWindows, emit: EmitStrategy) -> Run {
    let builder = StreamsBuilder::new();
    let mut grouped = sessions(&builder, windows).emit(emit);
    grouped.late_records().to("late");
    let add = |_: &String, value: String, text: &mut String| text.push_str(&value);
    let merge = |_: &String, one: String, other: String| one + &other;
    grouped.aggregate("texts", String::new, add, merge).to_stream().to("out");
    run(&builder)
}

fn pipe(driver: &TopologyTestDriver, records: &[(&str, &str, i64)]) -> Tested {
    let records = records.iter().map(|(key, value, time)| ((*key).to_owned(), (*value).to_owned(), *time));
    Ok(driver.input::<String, String>("in").pipe_all(records)?)
}

/// What came out since the last call: key, start, end and text. All have the session's end as timestamp.
fn out(run: &Run) -> Tested<Vec<Out>> {
    let records = run.output::<Key, Option<String>>("out").read()?;
    let read = run.read.replace(records.len());
    let flat =
        records.into_iter().skip(read).map(|(Windowed { key, window: Window { start, end } }, text, timestamp)| {
            assert_eq!(timestamp, end);
            (key, start, end, text)
        });
    Ok(flat.collect())
}

fn is(key: &str, start: i64, end: i64, text: &str) -> Out {
    (key.to_owned(), start, end, Some(text.to_owned()))
}

fn gone(key: &str, start: i64, end: i64) -> Out {
    (key.to_owned(), start, end, None)
}

fn dropped(driver: &TopologyTestDriver) -> Tested<Vec<(String, &'static str, u64)>> {
    Ok(driver.status()?.tasks[0].records_dropped.clone())
}

#[test]
fn a_record_within_the_gap_extends_a_session_and_one_beyond_it_begins_another() -> Tested {
    let driver = joining(ms(10, 100), EmitStrategy::on_window_update());
    pipe(&driver, &[("a", "1", 20), ("a", "2", 30), ("b", "x", 30), ("a", "3", 41), ("a", "0", 10)])?;
    let (first, second) = (is("a", 20, 20, "1"), is("a", 20, 30, "12"));
    let extended = [gone("a", 20, 30), is("a", 10, 30, "120")];
    let expected =
        [vec![first, gone("a", 20, 20), second, is("b", 30, 30, "x"), is("a", 41, 41, "3")], extended.into()];
    assert_eq!(out(&driver)?, expected.concat());
    Ok(())
}

#[test]
fn a_record_between_two_sessions_merges_them_and_tombstones_come_first_in_order() -> Tested {
    let driver = joining(ms(10, 100), EmitStrategy::on_window_update());
    pipe(&driver, &[("a", "2", 30), ("a", "1", 15), ("a", "3", 45)])?;
    out(&driver)?;
    // 30 is at most a gap from neither; 22 is from both of the first two.
    pipe(&driver, &[("a", "m", 22)])?;
    assert_eq!(out(&driver)?, [gone("a", 15, 15), gone("a", 30, 30), is("a", 15, 30, "12m")]);
    pipe(&driver, &[("a", "n", 38)])?;
    assert_eq!(out(&driver)?, [gone("a", 15, 30), gone("a", 45, 45), is("a", 15, 45, "12m3n")]);
    let store = driver.session_store::<String, String>("texts", 0)?.ok_or("it is there")?;
    assert_eq!(store.fetch(&"a".into()).read_all()?, [(Session { start: 15, end: 45 }, "12m3n".to_owned())]);
    Ok(())
}

#[test]
fn a_record_with_the_same_timestamp_overwrites_without_a_tombstone() -> Tested {
    let driver = joining(ms(10, 0), EmitStrategy::on_window_update());
    pipe(&driver, &[("a", "1", 5), ("a", "2", 5), ("a", "3", 6), ("a", "4", 6)])?;
    let alone = [is("a", 5, 5, "1"), is("a", 5, 5, "12"), gone("a", 5, 5), is("a", 5, 6, "123")];
    // A longer session that keeps its bounds gets a tombstone, as in Kafka Streams.
    assert_eq!(out(&driver)?, [alone.to_vec(), vec![gone("a", 5, 6), is("a", 5, 6, "1234")]].concat());
    Ok(())
}

#[test]
fn without_a_gap_the_records_of_one_millisecond_are_a_session() -> Tested {
    let driver = joining(ms(0, 0), ON_CLOSE);
    pipe(&driver, &[("a", "1", 5), ("b", "x", 5), ("a", "2", 5), ("a", "3", 6), ("a", "late", 5)])?;
    assert_eq!(out(&driver)?, [is("a", 5, 5, "12"), is("b", 5, 5, "x")]);
    assert_eq!(driver.output::<String, String>("late").read()?, [("a".into(), "late".into(), 5)]);
    Ok(())
}

#[test]
fn without_grace_a_record_is_late_if_its_session_ended_more_than_the_gap_ago() -> Tested {
    let driver = joining(ms(10, 0), EmitStrategy::on_window_update());
    pipe(&driver, &[("a", "1", 100), ("b", "in time", 90), ("c", "late", 89)])?;
    assert_eq!(out(&driver)?, [is("a", 100, 100, "1"), is("b", 90, 90, "in time")]);
    assert_eq!(driver.output::<String, String>("late").read()?, [("c".into(), "late".into(), 89)]);
    assert_eq!(dropped(&driver)?, [("texts".to_owned(), "late", 1)]);
    // Late by itself, but it belongs to an open session.
    pipe(&driver, &[("b", "1", 80)])?;
    assert_eq!(out(&driver)?, [gone("b", 90, 90), is("b", 80, 90, "in time1")]);
    Ok(())
}

#[test]
fn grace_keeps_sessions_open_for_longer() -> Tested {
    let driver = joining(ms(10, 5), ON_CLOSE);
    pipe(&driver, &[("a", "1", 85), ("b", "1", 100), ("a", "0", 76)])?;
    assert_eq!(out(&driver)?, [], "at 100, sessions are open that end at 85 or later");
    pipe(&driver, &[("b", "2", 101), ("a", "late", 85)])?;
    assert_eq!(out(&driver)?, [is("a", 76, 85, "10")]);
    assert_eq!(driver.output::<String, String>("late").read_values()?, ["late"]);
    Ok(())
}

#[test]
fn final_results_come_once_by_end_then_start_then_key() -> Tested {
    let driver = joining(ms(10, 0), ON_CLOSE);
    let records = [("b", "1", 5), ("a", "1", 5), ("d", "1", 4), ("d", "2", 5), ("c", "1", 3), ("e", "1", 16)];
    pipe(&driver, &records)?;
    assert_eq!(out(&driver)?, [is("c", 3, 3, "1"), is("d", 4, 5, "12"), is("a", 5, 5, "1"), is("b", 5, 5, "1")]);
    pipe(&driver, &[("e", "2", 40)])?;
    assert_eq!(out(&driver)?, [is("e", 16, 16, "1")]);
    Ok(())
}

#[test]
fn a_closed_session_accepts_nothing_and_is_never_emitted_again() -> Tested {
    for kept in [15, 1_000] {
        let builder = StreamsBuilder::new();
        let texts = Materialized::named("texts").retention(Duration::from_millis(kept));
        let grouped = sessions(&builder, ms(10, 5)).emit(ON_CLOSE);
        grouped.reduce(texts, |one, other| one + &other).to_stream().to("out");
        let driver = run(&builder);
        pipe(&driver, &[("a", "1", 10), ("b", "x", 26)])?;
        assert_eq!(out(&driver)?, [is("a", 10, 10, "1")]);
        // At most a gap from the closed session, but in time by itself: a session of its own.
        pipe(&driver, &[("a", "2", 20), ("a", "3", 10), ("b", "y", 60)])?;
        assert_eq!(out(&driver)?, [is("a", 10, 20, "23"), is("b", 26, 26, "x")], "kept for {kept} ms");
        let store = driver.session_store::<String, String>("texts", 0)?.ok_or("it is there")?;
        let stored = store.fetch(&"a".into()).count();
        assert_eq!(stored, if kept == 15 { 0 } else { 2 }, "kept for {kept} ms");
    }
    Ok(())
}

#[test]
fn records_without_a_key_move_no_time_and_null_values_count() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<Option<String>, Option<String>>("in");
    stream.group_by_key().windowed_by(ms(10, 0)).emit(ON_CLOSE).count("counts").to_stream().to("out");
    let driver = driver(&builder);
    let input = driver.input::<Option<String>, Option<String>>("in");
    let key = || Some("a".to_owned());
    input.pipe_all([(key(), None, 1), (None, None, 500), (key(), None, 2), (key(), None, 50)])?;
    let counts = driver.output::<Windowed<Option<String>>, i64>("out").read_values()?;
    assert_eq!(counts, [2]);
    assert_eq!(dropped(&driver)?, [("counts".to_owned(), "null-key", 1)]);
    Ok(())
}

#[test]
fn a_null_aggregate_deletes_the_session() -> Tested {
    let builder = StreamsBuilder::new();
    let keep = |_: &String, value: String, text: &mut Option<String>| *text = (value != "delete").then_some(value);
    let merge = |_: &String, one: Option<String>, other: Option<String>| other.or(one);
    let texts = Materialized::<String, Option<String>>::named("texts");
    sessions(&builder, ms(10, 0)).aggregate(texts, || None, keep, merge).to_stream().to("out");
    let driver = driver(&builder);
    pipe(&driver, &[("a", "1", 1), ("a", "delete", 2), ("a", "2", 3)])?;
    let records = driver.output::<Key, Option<String>>("out").read_values()?;
    assert_eq!(records, [Some("1".into()), None, None, Some("2".to_owned())]);
    let store = driver.session_store::<String, String>("texts", 0)?.ok_or("it is there")?;
    assert_eq!(store.fetch(&"a".into()).read_all()?, [(Session { start: 3, end: 3 }, "2".to_owned())]);
    Ok(())
}

#[test]
fn a_silent_partition_closes_its_sessions_after_the_idle_time() -> Tested {
    let driver = joining(ms(1_000, 0), ON_CLOSE.idle_after(Duration::from_secs(10)));
    pipe(&driver, &[("a", "1", 500)])?;
    driver.advance_wall_clock(Duration::from_secs(9))?;
    assert_eq!(out(&driver)?, []);
    driver.advance_wall_clock(Duration::from_secs(1))?;
    assert_eq!(out(&driver)?, [is("a", 500, 500, "1")]);
    driver.crash();
    pipe(&driver, &[("a", "late", 501)])?;
    assert_eq!(driver.output::<String, String>("late").read_values()?, ["late"]);
    Ok(())
}

#[test]
fn open_sessions_and_the_time_survive_a_crash() -> Tested {
    for emit in [EmitStrategy::on_window_update(), ON_CLOSE] {
        let driver = joining(ms(10, 0), emit);
        pipe(&driver, &[("a", "1", 100), ("b", "1", 105)])?;
        driver.crash();
        pipe(&driver, &[("c", "late", 94), ("a", "2", 110), ("b", "2", 130)])?;
        assert_eq!(driver.output::<String, String>("late").read_values()?, ["late"]);
        let all = out(&driver)?;
        assert!(all.contains(&is("a", 100, 110, "12")), "{all:?}");
    }
    Ok(())
}

#[test]
fn wrong_sessions_are_problems_of_the_topology() {
    let builder = StreamsBuilder::new();
    sessions(&builder, ms(10, 5)).count(Materialized::named("short").retention(Duration::from_millis(14)));
    let problems = builder.build().expect_err("it has problems").problems().join("\n");
    assert!(problems.contains("'short' keeps sessions for 14 ms, but gap and grace need 15 ms"), "{problems}");
}

#[test]
fn a_key_with_a_time_of_its_own_is_closed_by_its_own_records_and_its_own_silence() -> Tested {
    let windows = ms(1_000, 0).event_time_by_key();
    let driver = joining(windows, ON_CLOSE.idle_after(Duration::from_secs(10)));
    pipe(&driver, &[("a", "1", 500), ("b", "ahead", 90_000), ("a", "2", 1_500), ("c", "1", 2_000)])?;
    assert_eq!(out(&driver)?, []);
    driver.crash();
    pipe(&driver, &[("a", "3", 2_501), ("a", "late", 1_500)])?;
    assert_eq!(out(&driver)?, [is("a", 500, 1_500, "12")]);
    assert_eq!(driver.output::<String, String>("late").read_values()?, ["late"]);
    driver.advance_wall_clock(Duration::from_secs(10))?;
    let mut closed = out(&driver)?;
    closed.sort();
    assert_eq!(closed, [is("a", 2_501, 2_501, "3"), is("b", 90_000, 90_000, "ahead"), is("c", 2_000, 2_000, "1")]);
    Ok(())
}
