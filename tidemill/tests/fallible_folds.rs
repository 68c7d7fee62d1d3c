//! Aggregates and reductions whose functions return errors: a refused record changes no aggregate.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::Tested;
use proptest::prelude::*;
use tidemill::{
    CogroupedKStream, EmitStrategy, KGroupedStream, RecordHandler, SessionWindows, SlidingWindows, StreamsBuilder,
    StreamsConfig, TimeWindows, Windowed,
    state::Session,
    testing::{DriverOptions, TopologyTestDriver},
};

type Fold = fn(&KGroupedStream<String, String>);
/// Key, value and time of an output.
type Output = (Bytes, Option<Bytes>, i64);

/// Adds a text, and refuses what begins with "bad" after it has changed the list.
fn add(_: &String, text: String, list: &mut Vec<String>) -> Result<(), String> {
    let refused = text.starts_with("bad").then(|| format!("'{text}' is bad"));
    list.push(text);
    refused.map_or(Ok(()), Err)
}

fn hopping() -> TimeWindows {
    let size = Duration::from_millis(20);
    TimeWindows::of_size_and_grace(size, Duration::from_millis(10)).advance_by(Duration::from_millis(10))
}

fn sliding() -> SlidingWindows {
    // No record is late for some of its windows: the function would not be asked, and the record would open the others.
    SlidingWindows::of_time_difference_and_grace(Duration::from_millis(20), Duration::from_millis(100))
}

fn sessions() -> SessionWindows {
    SessionWindows::of_inactivity_gap_and_grace(Duration::from_millis(5), Duration::from_millis(10))
}

/// Joins the lists of two sessions, and refuses what no aggregate may hold.
fn merge(_: &String, one: Vec<String>, other: Vec<String>) -> Result<Vec<String>, String> {
    let all = [one, other].concat();
    if all.iter().any(|text| text.starts_with("bad")) { Err("it is bad".to_owned()) } else { Ok(all) }
}

fn cogroup(group: &KGroupedStream<String, String>) -> CogroupedKStream<String, Vec<String>> {
    group.try_cogroup(add)
}

fn reduce(one: String, other: String) -> Result<String, String> {
    if other.starts_with("bad") { Err("it is bad".to_owned()) } else { Ok(one + &other) }
}

const FOLDS: [(&str, Fold); 14] = [
    ("aggregate", |group| group.try_aggregate("store", Vec::new, add).to_stream().to("out")),
    ("reduce", |group| group.try_reduce("store", reduce).to_stream().to("out")),
    ("windowed", |group| group.windowed_by(hopping()).try_aggregate("store", Vec::new, add).to_stream().to("out")),
    ("windowed reduce", |group| group.windowed_by(hopping()).try_reduce("store", reduce).to_stream().to("out")),
    ("final", |group| {
        let closing = group.windowed_by(hopping()).emit(EmitStrategy::on_window_close());
        closing.try_aggregate("store", Vec::new, add).to_stream().to("out");
    }),
    ("sliding", |group| group.windowed_by(sliding()).try_aggregate("store", Vec::new, add).to_stream().to("out")),
    ("sliding reduce", |group| group.windowed_by(sliding()).try_reduce("store", reduce).to_stream().to("out")),
    ("sliding final", |group| {
        let closing = group.windowed_by(sliding()).emit(EmitStrategy::on_window_close());
        closing.try_aggregate("store", Vec::new, add).to_stream().to("out");
    }),
    ("sessions", |group| {
        group.windowed_by(sessions()).try_aggregate("store", Vec::new, add, merge).to_stream().to("out");
    }),
    ("sessions reduce", |group| group.windowed_by(sessions()).try_reduce("store", reduce).to_stream().to("out")),
    ("sessions final", |group| {
        let closing = group.windowed_by(sessions()).emit(EmitStrategy::on_window_close());
        closing.try_aggregate("store", Vec::new, add, merge).to_stream().to("out");
    }),
    ("cogroup", |group| cogroup(group).aggregate("store", Vec::new).to_stream().to("out")),
    ("cogroup of sliding windows", |group| {
        cogroup(group).windowed_by(sliding()).aggregate("store", Vec::new).to_stream().to("out");
    }),
    ("cogroup of sessions", |group| {
        cogroup(group).windowed_by(sessions()).try_aggregate("store", Vec::new, merge).to_stream().to("out");
    }),
];

fn run(fold: Fold, handler: RecordHandler, records: &[(String, String, i64)]) -> Tested<Vec<Output>> {
    let builder = StreamsBuilder::new();
    fold(&builder.stream::<String, String>("in").group_by_key());
    let config = StreamsConfig { processing_handler: handler, ..StreamsConfig::new("test") };
    let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    let input = driver.input::<String, String>("in");
    for record in records {
        input.pipe(record.0.clone(), record.1.clone(), record.2)?;
    }
    Ok(driver.output::<Bytes, Option<Bytes>>("out").read()?)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn results_are_those_of_an_input_without_the_refused_records(
        input in prop::collection::vec((prop::bool::ANY, prop::bool::weighted(0.3), 0_i64..100), 1..40),
    ) {
        let mut records = Vec::new();
        // A reduction takes the first value of a key or window as it is, so none of them may be bad.
        for (number, (key, bad, timestamp)) in input.into_iter().enumerate() {
            let key = if key { "a" } else { "b" };
            let text = format!("{}{number}.", if bad { "bad" } else { "" });
            records.push((key.to_owned(), text, timestamp));
        }
        records.push(("b".to_owned(), "closes".to_owned(), 1_000));
        let good: Vec<_> = records.iter().filter(|(_, text, _)| !text.starts_with("bad")).cloned().collect();
        for (name, fold) in FOLDS.into_iter().filter(|(name, _)| !name.contains("reduce")) {
            let left_out = run(fold, RecordHandler::Skip, &records).expect("refused records are left out");
            let without = run(fold, RecordHandler::Fail, &good).expect("no record is refused");
            prop_assert_eq!(left_out, without, "{}", name);
        }
    }
}

#[test]
fn a_reduction_keeps_the_result_before_the_refused_record() -> Tested {
    let record = |text: &str, at: i64| ("a".to_owned(), text.to_owned(), at);
    let records = [record("1", 0), record("bad", 1), record("2", 2)];
    for (name, fold) in FOLDS.into_iter().filter(|(name, _)| name.contains("reduce")) {
        let out = run(fold, RecordHandler::DeadLetter("dead".into()), &records)?;
        // An update of a session also withdraws the session as it was. A sliding window may begin behind a record.
        let values: Vec<_> = out.iter().filter_map(|(_, value, _)| value.as_deref()).filter(|it| *it != b"2").collect();
        assert_eq!(values, [&b"1"[..], b"12"], "{name}");
    }
    Ok(())
}

#[test]
fn an_error_of_an_aggregator_names_its_store() -> Tested {
    let record = |text: &str| ("a".to_owned(), text.to_owned(), 0);
    for (name, fold) in FOLDS {
        let error = run(fold, RecordHandler::Fail, &[record("1"), record("bad")]).err().ok_or("the error surfaces")?;
        let operator = if name.starts_with("cogroup") { "store-input-1" } else { "store" };
        let expected = format!("task 0_0, operator '{operator}', topic 'in', partition 0, offset 1");
        assert_eq!(error.to_string(), expected, "{name}");
    }
    Ok(())
}

#[test]
fn a_window_that_only_a_refused_record_would_open_stays_closed() -> Tested {
    let records = [("a".to_owned(), "bad".to_owned(), 500), ("a".to_owned(), "1".to_owned(), 5)];
    let builder = StreamsBuilder::new();
    let seconds = TimeWindows::of_size_with_no_grace(Duration::from_millis(10));
    let group = builder.stream::<String, String>("in").group_by_key();
    group.windowed_by(seconds).try_aggregate("store", Vec::new, add).to_stream().to("out");
    let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    driver.input::<String, String>("in").pipe_all(records)?;
    // The refused record did not move the time, so the second one is not late.
    let out = driver.output::<Windowed<String>, Vec<String>>("out").read_values()?;
    assert_eq!(out, [vec!["1".to_owned()]]);
    Ok(())
}

#[test]
fn sessions_that_a_merger_refuses_to_join_stay_two() -> Tested {
    let refuse = |_: &String, one: i64, other: i64| if one + other < 4 { Ok(one + other) } else { Err("too long") };
    let count = |_: &String, _: String, count: &mut i64| {
        *count += 1;
        Ok::<_, &str>(())
    };
    for cogroups in [false, true] {
        for emit in [EmitStrategy::on_window_update(), EmitStrategy::on_window_close()] {
            let builder = StreamsBuilder::new();
            let group = builder.stream::<String, String>("in").group_by_key();
            let table = if cogroups {
                let count = move |key: &String, value, so_far: &mut i64| count(key, value, so_far);
                group.try_cogroup(count).windowed_by(sessions()).emit(emit).try_aggregate("store", || 0, refuse)
            } else {
                group.windowed_by(sessions()).emit(emit).try_aggregate("store", || 0, count, refuse)
            };
            table.to_stream().drop_null_values().to("out");
            let config = StreamsConfig {
                processing_handler: RecordHandler::DeadLetter("dead".into()),
                ..StreamsConfig::new("test")
            };
            let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..Default::default() })?;
            let record = |text: &str, at: i64| ("a".to_owned(), text.to_owned(), at);
            let input = driver.input::<String, String>("in");
            input.pipe_all([record("1", 0), record("2", 1), record("3", 10), record("4", 11)])?;
            input.pipe("a".into(), "between".into(), 6)?;
            let store = driver.session_store::<String, i64>("store", 0)?.ok_or("it runs")?;
            let found = store.fetch(&"a".into()).read_all()?;
            let session = |start, end| Session { start, end };
            assert_eq!(found, [(session(0, 1), 2), (session(10, 11), 2)]);
            assert_eq!(driver.output::<String, String>("dead").read()?, [record("between", 6)]);
            input.pipe("a".into(), "5".into(), 100)?;
            let out = driver.output::<Windowed<String>, i64>("out").read_values()?;
            let last: &[i64] = if emit == EmitStrategy::on_window_close() { &[2, 2] } else { &[1, 2, 1, 2, 1] };
            assert_eq!(out, last);
        }
    }
    Ok(())
}
