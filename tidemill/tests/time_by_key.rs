//! Keys with an event time of their own: what one of them does to its clock does nothing to the others.

mod common;

use std::{collections::BTreeMap, time::Duration};

use common::{Tested, driver};
use proptest::prelude::*;
use tidemill::{
    EmitStrategy, JoinWindows, KStream, Materialized, StreamsBuilder, StreamsConfig, TimeWindows, Windowed,
    testing::{DriverOptions, TopologyTestDriver},
};

const HOUR_MS: i64 = 3_600_000;

fn seconds() -> TimeWindows {
    TimeWindows::of_size_with_no_grace(Duration::from_secs(1)).event_time_by_key()
}

fn on_close() -> EmitStrategy {
    EmitStrategy::on_window_close()
}

fn counts(emit: EmitStrategy) -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    let mut windows = builder.stream::<String, i64>("in").group_by_key().windowed_by(seconds()).emit(emit);
    windows.late_records().to("late");
    windows.count("counts").to_stream().to("out");
    builder
}

fn pipe(driver: &TopologyTestDriver, records: &[(&str, i64)]) -> Tested {
    let records = records.iter().map(|(key, time)| ((*key).to_owned(), *time, *time));
    Ok(driver.input::<String, i64>("in").pipe_all(records)?)
}

fn closed(driver: &TopologyTestDriver) -> Tested<Vec<(String, i64, i64)>> {
    let found = driver.output::<Windowed<String>, i64>("out").read()?;
    Ok(found.into_iter().map(|(key, count, _)| (key.key, key.window.start, count)).collect())
}

fn of(key: &str, start: i64, count: i64) -> (String, i64, i64) {
    (key.to_owned(), start, count)
}

#[test]
fn a_key_that_is_a_day_ahead_closes_nothing_of_the_others() -> Tested {
    let driver = driver(&counts(on_close()));
    pipe(&driver, &[("calm", 100), ("wild", 23 * HOUR_MS), ("calm", 200), ("calm", 1_000), ("wild", 24 * HOUR_MS)])?;
    driver.crash();
    pipe(&driver, &[("calm", 1_100), ("calm", 2_000), ("wild", 300)])?;
    assert_eq!(closed(&driver)?, [of("calm", 0, 2), of("wild", 23 * HOUR_MS, 1), of("calm", 1_000, 2)]);
    assert_eq!(driver.output::<String, i64>("late").read_values()?, [300], "late by its own key's time, after a crash");
    Ok(())
}

#[test]
fn a_key_whose_records_come_late_loses_none_to_the_others() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream::<String, i64>("in").group_by_key().windowed_by(seconds()).collect("lists").to("out");
    let driver = driver(&builder);
    let punctual = (0..40).map(|at| ("punctual", 10_000 + at * 100));
    let behind = (0..40).map(|at| ("behind", 2_000 + at * 100));
    let mixed: Vec<_> = punctual.zip(behind).flat_map(|(one, other)| [one, other]).collect();
    pipe(&driver, &mixed)?;
    let lists = driver.output::<Windowed<String>, Vec<i64>>("out").read()?;
    let full = lists.iter().filter(|(key, list, _)| key.key == "behind" && list.len() == 10).count();
    assert_eq!((lists.len(), full), (6, 3), "three of each key are closed, and whole");
    Ok(())
}

#[test]
fn silence_is_counted_for_each_key() -> Tested {
    let driver = driver(&counts(on_close().idle_after(Duration::from_secs(5))));
    pipe(&driver, &[("quiet", 100), ("busy", 50_000)])?;
    for at in 0..6 {
        driver.advance_wall_clock(Duration::from_secs(1))?;
        pipe(&driver, &[("busy", 50_001 + at)])?;
    }
    assert_eq!(closed(&driver)?, [of("quiet", 0, 1)], "one was silent, the other was not");
    driver.advance_wall_clock(Duration::from_secs(5))?;
    assert_eq!(closed(&driver)?, [of("quiet", 0, 1), of("busy", 50_000, 7)]);
    Ok(())
}

#[test]
fn silence_counts_from_a_keys_last_record_however_far_its_time_leapt_within_a_window() -> Tested {
    let builder = StreamsBuilder::new();
    let hours = TimeWindows::of_size_with_no_grace(Duration::from_hours(1)).event_time_by_key();
    let emit = on_close().idle_after(Duration::from_secs(5));
    let windows = builder.stream::<String, i64>("in").group_by_key().windowed_by(hours).emit(emit);
    windows.count("counts").to_stream().to("out");
    let driver = driver(&builder);
    pipe(&driver, &[("a", 0), ("a", HOUR_MS - 1_000)])?;
    driver.advance_wall_clock(Duration::from_secs(4))?;
    assert_eq!(closed(&driver)?, []);
    driver.advance_wall_clock(Duration::from_secs(1))?;
    assert_eq!(closed(&driver)?, [of("a", 0, 2)]);
    Ok(())
}

#[test]
fn a_silent_key_closes_after_a_crash_too_and_once() -> Tested {
    let driver = driver(&counts(on_close().idle_after(Duration::from_secs(5))));
    pipe(&driver, &[("a", 100), ("b", 200)])?;
    driver.crash();
    driver.advance_wall_clock(Duration::from_secs(4))?;
    assert_eq!(closed(&driver)?, []);
    driver.advance_wall_clock(Duration::from_secs(2))?;
    driver.crash();
    driver.advance_wall_clock(Duration::from_secs(20))?;
    assert_eq!(closed(&driver)?, [of("a", 0, 1), of("b", 0, 1)]);
    pipe(&driver, &[("a", 300)])?;
    assert_eq!(driver.output::<String, i64>("late").read_values()?, [300], "its window was final");
    Ok(())
}

#[test]
fn what_has_closed_leaves_neither_rows_nor_changelog() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream::<String, i64>("in").group_by_key().windowed_by(seconds()).collect("lists").to("out");
    let driver = driver(&builder);
    // Opened and closed between two commits.
    let input = driver.input::<String, i64>("in");
    (0..10).try_for_each(|at| input.enqueue("a".into(), at, at * 500))?;
    driver.status()?;
    let rows = || driver.window_store::<String, i64>("lists", 0).map(|store| store.map(|store| store.all().read_all()));
    assert_eq!(rows()?.ok_or("it is there")??.len(), 2, "the last window is open");
    assert_eq!(driver.log().read_all("test-lists-changelog")?.len(), 2);
    assert_eq!(driver.log().read_all("test-lists-times-changelog")?.len(), 1, "a small row for each key and commit");
    pipe(&driver, &[("a", 9_000)])?;
    assert_eq!(rows()?.ok_or("it is there")??.len(), 1);
    let deleted = driver.log().read_all("test-lists-changelog")?;
    assert_eq!(deleted.iter().filter(|(_, record)| record.value.is_none()).count(), 2, "what was committed is deleted");
    Ok(())
}

#[test]
fn windows_that_are_kept_for_queries_are_emitted_once_and_expire_by_their_keys_time() -> Tested {
    let builder = StreamsBuilder::new();
    let windows = builder.stream::<String, i64>("in").group_by_key().windowed_by(seconds()).emit(on_close());
    let store = Materialized::<String, i64>::named("counts").retention(Duration::from_secs(10));
    windows.count(store).to_stream().to("out");
    let driver = driver(&builder);
    pipe(&driver, &[("a", 100), ("b", 100), ("a", 5_000)])?;
    driver.crash();
    let starts = || -> Tested<Vec<(String, i64)>> {
        let store = driver.window_store::<String, i64>("counts", 0)?.ok_or("it is there")?;
        Ok(store.all().read_all()?.into_iter().map(|(at, _)| at).collect())
    };
    let at = |key: &str, start: i64| (key.to_owned(), start);
    assert_eq!(starts()?, [at("a", 0), at("b", 0), at("a", 5_000)]);
    pipe(&driver, &[("a", 10_000)])?;
    assert_eq!(starts()?, [at("b", 0), at("a", 5_000), at("a", 10_000)]);
    pipe(&driver, &[("b", 1_000)])?;
    assert_eq!(closed(&driver)?, [of("a", 0, 1), of("a", 5_000, 1), of("b", 0, 1)]);
    Ok(())
}

#[test]
fn a_times_row_is_forgotten_after_a_day_without_a_record() -> Tested {
    let driver = driver(&counts(on_close().idle_after(Duration::from_secs(5))));
    pipe(&driver, &[("gone", 100), ("stays", 100)])?;
    driver.advance_wall_clock(Duration::from_secs(10))?;
    driver.advance_wall_clock(Duration::from_hours(23))?;
    pipe(&driver, &[("stays", 1_000_000)])?;
    driver.advance_wall_clock(Duration::from_hours(2))?;
    driver.advance_wall_clock(Duration::from_secs(2))?;
    let times = driver.log().read_all("test-counts-times-changelog")?;
    let gone: Vec<_> = times.iter().filter(|(_, record)| record.value.is_none()).collect();
    let gone: Vec<_> = gone.iter().filter_map(|(_, record)| record.key.as_deref()).collect();
    assert_eq!(gone, [b"gone"]);
    Ok(())
}

#[test]
fn an_application_of_silent_keys_commits_nothing() -> Tested {
    let driver = driver(&counts(on_close().idle_after(Duration::from_millis(100))));
    pipe(&driver, &[("a", 100)])?;
    driver.advance_wall_clock(Duration::from_secs(10))?;
    let commits = driver.status()?.commits;
    for _ in 0..50 {
        driver.advance_wall_clock(Duration::from_secs(1))?;
    }
    assert_eq!(driver.status()?.commits, commits);
    Ok(())
}

/// Every windowed operator, by partition or by key.
fn everything(builder: &StreamsBuilder, by_key: bool) {
    let stream = builder.stream::<String, i64>("in");
    let windows = TimeWindows::of_size_and_grace(Duration::from_millis(100), Duration::from_millis(25));
    let windows = windows.advance_by(Duration::from_millis(40));
    let long = TimeWindows::of_size_with_no_grace(Duration::from_millis(300));
    let [windows, long] = [windows, long].map(|one| if by_key { one.event_time_by_key() } else { one });
    let apart = JoinWindows::of_time_difference_and_grace(Duration::from_millis(40), Duration::from_millis(15));
    let apart = if by_key { apart.event_time_by_key() } else { apart };
    let (apart, emit) = (apart.idle_after(IDLE), on_close().idle_after(IDLE));
    let windowed = |stream: &KStream<String, i64>| stream.group_by_key().windowed_by(windows).emit(emit);
    let mut late = windowed(&stream);
    late.late_records().to("late");
    late.count("counts").to_stream().to("counts-out");
    let updates = stream.group_by_key().windowed_by(windows).reduce("sums", |one, other| one + other);
    updates.to_stream().to("sums-out");
    windowed(&stream).collect("lists").to("lists-out");
    stream.group_by_key().windowed_by(long).emit(emit).collect("long").to("long-out");
    let (even, odd) = (stream.filter(|_, number| number % 2 == 0), stream.filter(|_, number| number % 2 != 0));
    let both = windowed(&even).cogroup(windowed(&odd)).collect("evens", "odds");
    both.map_values(|both| format!("{:?} {:?}", both.left, both.right)).to("both-out");
    let pair = |_: &String, left: Option<&i64>, right: Option<&i64>| format!("{left:?} {right:?}");
    even.outer_join_stream(&odd, apart, "pairs", pair).to("pairs-out");
}

const OUTPUTS: [&str; 7] = ["counts-out", "late", "sums-out", "lists-out", "long-out", "both-out", "pairs-out"];

/// Shorter than the time that windows are open.
const IDLE: Duration = Duration::from_millis(50);

/// The time of one silence: an operator ticks in it.
const SILENCE: Duration = Duration::from_millis(50);

/// A record's key, number and time.
type Numbered = (usize, i64, i64);

/// Results by topic and key, in order: key, value, time, and the number of silences before them.
type Results = BTreeMap<(String, usize), Vec<(Vec<u8>, Vec<u8>, i64, usize)>>;

/// The results of records and then of silence.
fn results(records: &[Numbered], silences: usize, by_key: bool, crash_each: usize) -> Results {
    let builder = StreamsBuilder::new();
    everything(&builder, by_key);
    let topology = builder.build().expect("the topology is valid");
    let config = StreamsConfig { max_uncommitted_bytes: 4_000, ..StreamsConfig::new("test") };
    let options = DriverOptions { config, ..DriverOptions::default() };
    let driver = TopologyTestDriver::with(&topology, options).expect("the driver starts");
    let input = driver.input::<String, i64>("in");
    for (at, (key, number, time)) in records.iter().enumerate() {
        input.enqueue(key.to_string(), *number, *time).expect("sends");
        if at % crash_each == crash_each - 1 {
            driver.status().expect("works");
            driver.crash();
        }
    }
    driver.status().expect("works");
    let (mut results, mut seen) = (Results::new(), [0; OUTPUTS.len()]);
    for silence in 0..=silences {
        for (topic, seen) in OUTPUTS.iter().zip(&mut seen) {
            for (_, record) in driver.log().read_all(topic).expect("the topic exists").into_iter().skip(*seen) {
                *seen += 1;
                let (Some(key), Some(value)) = (record.key, record.value) else { continue };
                let all = results.entry(((*topic).to_owned(), usize::from(key[0] - b'0'))).or_default();
                all.push((key.to_vec(), value.to_vec(), record.timestamp, silence));
            }
        }
        driver.advance_wall_clock(SILENCE).expect("works");
    }
    results
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn keys_of_one_partition_are_as_if_each_had_a_partition_of_its_own(
        records in prop::collection::vec((0_usize..4, 0_i64..200, prop::bool::weighted(0.05)), 1..90),
        skews in prop::collection::vec(0_i64..3_000, 4),
        silences in 0_usize..6,
        crash_each in 4_usize..90,
    ) {
        let records: Vec<_> = records.into_iter().enumerate().map(|(at, (key, time, leaps))| {
            (key, at as i64, skews[key] + at as i64 * 6 + time + if leaps { 100_000 } else { 0 })
        }).collect();
        let together = results(&records, silences, true, crash_each);
        let mut apart = Results::new();
        for key in 0..4 {
            let own: Vec<_> = records.iter().copied().filter(|(of, ..)| *of == key).collect();
            apart.extend(results(&own, silences, false, usize::MAX));
        }
        prop_assert_eq!(together, apart);
    }
}

#[test]
fn joins_with_a_time_by_key_name_their_store_of_times() -> Tested {
    let builder = StreamsBuilder::new();
    let (left, right) = (builder.stream::<String, i64>("left"), builder.stream::<String, i64>("right"));
    let apart = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(1)).event_time_by_key();
    let apart = apart.idle_after(Duration::from_secs(3));
    let pair = |_: &String, left: &i64, right: Option<&i64>| format!("{left} {right:?}");
    left.left_join_stream(&right, apart, "pairs", pair).to("out");
    let driver = driver(&builder);
    driver.input::<String, i64>("left").pipe("a".into(), 1, 0)?;
    driver.input::<String, i64>("right").pipe("b".into(), 2, 90_000)?;
    driver.input::<String, i64>("right").pipe("a".into(), 3, 900)?;
    driver.input::<String, i64>("left").pipe("b".into(), 4, 70_000)?;
    driver.input::<String, i64>("left").pipe("c".into(), 5, 10)?;
    let pairs = driver.output::<String, String>("out");
    assert_eq!(pairs.read_values()?, ["1 Some(3)"]);
    driver.advance_wall_clock(Duration::from_secs(4))?;
    assert_eq!(pairs.read_values()?, ["5 None"]);
    assert!(driver.log().read_all("test-pairs-times-changelog")?.len() >= 3);
    Ok(())
}
