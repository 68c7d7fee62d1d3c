//! Sliding windows against their definition, with random records.

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use common::{Tested, driver};
use proptest::{collection::vec, prelude::*};
use tidemill::{EmitStrategy, Materialized, SlidingWindows, StreamsBuilder, Windowed};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

type Expected = BTreeMap<(String, i64), (BTreeSet<usize>, i64)>;

/// Every window by the definition: one ends with each record, one begins behind it, both hold all that is within.
fn by_definition(records: &[(String, i64)], difference: i64) -> Expected {
    let mut windows = Expected::new();
    for (key, at) in records {
        for start in [(at - difference).max(0), at + 1] {
            let of_key = records.iter().enumerate().filter(|(_, (other, _))| other == key);
            let within = of_key.filter(|(_, (_, at))| (start..=start + difference).contains(at));
            let (numbers, times): (BTreeSet<_>, Vec<_>) = within.map(|(number, (_, at))| (number, *at)).unzip();
            if let Some(last) = times.into_iter().max() {
                windows.insert((key.clone(), start), (numbers, last));
            }
        }
    }
    windows
}

/// How many results each window had.
type Times = BTreeMap<(String, i64), usize>;

/// The last result of each window, and how many there were.
fn run(
    records: &[(String, i64)],
    windows: SlidingWindows,
    emit: EmitStrategy,
    crash_at: Option<usize>,
) -> Tested<(Expected, Times)> {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, u64>("in").group_by_key().windowed_by(windows).emit(emit);
    let lists = stream.aggregate("lists", Vec::new, |_, number, list: &mut Vec<u64>| list.push(number));
    lists.to_stream().to("out");
    let driver = driver(&builder);
    let input = driver.input::<String, u64>("in");
    for (number, (key, at)) in records.iter().enumerate() {
        input.pipe(key.clone(), number as u64, *at)?;
        if Some(number) == crash_at {
            driver.crash();
        }
    }
    if emit != EmitStrategy::on_window_update() {
        input.pipe("closes".into(), 0, 1_000_000)?;
    }
    let (mut last, mut times) = (Expected::new(), BTreeMap::new());
    for (at, list, time) in driver.output::<Windowed<String>, Vec<u64>>("out").read()? {
        assert_eq!(at.window.end - at.window.start, windows.time_difference_ms());
        let numbers: BTreeSet<_> = list.iter().map(|number| *number as usize).collect();
        assert_eq!(numbers.len(), list.len(), "a record is in a window once");
        let place = (at.key, at.window.start);
        *times.entry(place.clone()).or_default() += 1;
        last.insert(place, (numbers, time));
    }
    Ok((last, times))
}

/// The number of records of each key's windows, summed by a group of the table of windows, and by its store.
fn sums(records: &[(String, i64)], windows: SlidingWindows, crash_at: usize) -> Tested<[BTreeMap<String, i64>; 2]> {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, u64>("in").group_by_key().windowed_by(windows);
    let kept = Materialized::<String, i64>::named("counts").retention(ms(1_000_000));
    let by_key = stream.count(kept).group_by("by-key", |at, count| (at.key.clone(), count));
    by_key.reduce("sums", |sum, count| sum + count, |sum, count| sum - count).to_stream().to("out");
    let driver = driver(&builder);
    let input = driver.input::<String, u64>("in");
    for (number, (key, at)) in records.iter().enumerate() {
        input.pipe(key.clone(), 0, *at)?;
        if number == crash_at {
            driver.crash();
        }
    }
    let mut grouped = BTreeMap::new();
    for (key, sum, _) in driver.output::<String, Option<i64>>("out").read()? {
        grouped.insert(key, sum.unwrap_or(0));
    }
    let mut stored = BTreeMap::new();
    for ((key, _), count) in driver.window_store::<String, i64>("counts", 0)?.ok_or("it runs")?.all().read_all()? {
        *stored.entry(key).or_default() += count;
    }
    Ok([grouped, stored])
}

fn records(span: i64) -> impl Strategy<Value = Vec<(String, i64)>> {
    vec((prop::sample::select(vec!["a", "b"]).prop_map(str::to_owned), 0..span), 1..30)
}

/// The records, each at most `grace` behind the latest one before it.
fn within_grace(records: Vec<(String, i64)>, grace: i64) -> Vec<(String, i64)> {
    let mut latest = 0;
    let shifted = records.into_iter().map(|(key, at)| {
        let at = at.max(latest - grace);
        latest = latest.max(at);
        (key, at)
    });
    shifted.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_group_of_the_windows_has_what_they_have(
        records in records(60),
        difference in 1u64..12,
        grace in 0u64..40,
        crash_at in 0usize..30,
    ) {
        let windows = SlidingWindows::of_time_difference_and_grace(ms(difference), ms(grace));
        let [grouped, stored] = sums(&records, windows, crash_at).expect("it runs");
        prop_assert_eq!(grouped, stored);
    }


    #[test]
    fn windows_are_those_of_the_definition(
        records in records(80),
        difference in 0..25_i64,
        crash_at in prop::option::of(0..30_usize),
    ) {
        let windows = SlidingWindows::of_time_difference_and_grace(ms(difference.unsigned_abs()), ms(1_000));
        let (found, _) = run(&records, windows, EmitStrategy::on_window_update(), crash_at).expect("it runs");
        prop_assert_eq!(found, by_definition(&records, difference));
    }

    #[test]
    fn final_results_are_those_of_the_definition_and_come_once(
        records in records(200),
        difference in 0..25_i64,
        grace in 0..30_i64,
        crash_at in prop::option::of(0..30_usize),
        by_key in any::<bool>(),
    ) {
        let records = within_grace(records, grace);
        let windows =
            SlidingWindows::of_time_difference_and_grace(ms(difference.unsigned_abs()), ms(grace.unsigned_abs()));
        // The time of a key closes its windows, so that those that are open in the end are missing.
        let windows = if by_key { windows.event_time_by_key() } else { windows };
        let (found, times) = run(&records, windows, EmitStrategy::on_window_close(), crash_at).expect("it runs");
        let mut expected = by_definition(&records, difference);
        if by_key {
            let latest = |key: &String| records.iter().filter(|(of, _)| of == key).map(|(_, at)| *at).max();
            expected.retain(|(key, start), _| Some(start + difference + grace) < latest(key));
        }
        prop_assert_eq!(found, expected);
        prop_assert!(times.values().all(|times| *times == 1));
    }

    #[test]
    fn a_window_holds_no_record_from_outside_and_misses_none_that_was_in_time(
        records in records(200),
        difference in 0..25_i64,
        grace in 0..10_i64,
    ) {
        let windows =
            SlidingWindows::of_time_difference_and_grace(ms(difference.unsigned_abs()), ms(grace.unsigned_abs()));
        let (found, times) = run(&records, windows, EmitStrategy::on_window_close(), None).expect("it runs");
        let mut latest = 0;
        let in_time: BTreeSet<_> = records.iter().enumerate().filter_map(|(number, (_, at))| {
            latest = latest.max(*at);
            (*at >= latest - grace).then_some(number)
        }).collect();
        let expected = by_definition(&records, difference);
        for (place, (numbers, _)) in &found {
            // A record that came too late for the window that ends with it may also be in one that opens behind a later
            // record of the same span, as in Kafka Streams: no row tells where it was.
            let sure: BTreeSet<_> = numbers.intersection(&in_time).copied().collect();
            prop_assert!(sure.is_subset(&expected[place].0), "{:?}", place);
        }
        for (place, (numbers, _)) in &expected {
            let sure: BTreeSet<_> = numbers.intersection(&in_time).copied().collect();
            let ends_in_time = sure.iter().any(|number| records[*number].1 == place.1 + difference);
            if ends_in_time {
                prop_assert!(found.get(place).is_some_and(|(numbers, _)| numbers.is_superset(&sure)), "{:?}", place);
            }
        }
        prop_assert!(times.values().all(|times| *times == 1));
    }
}
