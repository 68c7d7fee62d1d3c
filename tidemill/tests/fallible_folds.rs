//! Aggregates and reductions whose functions return errors: a refused record changes no aggregate.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::Tested;
use proptest::prelude::*;
use tidemill::{
    EmitStrategy, KGroupedStream, RecordHandler, StreamsBuilder, StreamsConfig, TimeWindows, Windowed,
    testing::{DriverOptions, TopologyTestDriver},
};

type Fold = fn(&KGroupedStream<String, String>);
/// Key, value and time of an output.
type Output = (Bytes, Bytes, i64);

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

fn reduce(one: String, other: String) -> Result<String, String> {
    if other.starts_with("bad") { Err("it is bad".to_owned()) } else { Ok(one + &other) }
}

const FOLDS: [(&str, Fold); 5] = [
    ("aggregate", |group| group.try_aggregate("store", Vec::new, add).to_stream().to("out")),
    ("reduce", |group| group.try_reduce("store", reduce).to_stream().to("out")),
    ("windowed", |group| group.windowed_by(hopping()).try_aggregate("store", Vec::new, add).to_stream().to("out")),
    ("windowed reduce", |group| group.windowed_by(hopping()).try_reduce("store", reduce).to_stream().to("out")),
    ("final", |group| {
        let closing = group.windowed_by(hopping()).emit(EmitStrategy::on_window_close());
        closing.try_aggregate("store", Vec::new, add).to_stream().to("out");
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
    Ok(driver.output::<Bytes, Bytes>("out").read()?)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

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
        let values: Vec<_> = out.iter().map(|(_, value, _)| &value[..]).collect();
        assert_eq!(values, [&b"1"[..], b"12"], "{name}");
    }
    Ok(())
}

#[test]
fn an_error_of_an_aggregator_names_its_store() -> Tested {
    let record = |text: &str| ("a".to_owned(), text.to_owned(), 0);
    for (name, fold) in FOLDS {
        let error = run(fold, RecordHandler::Fail, &[record("1"), record("bad")]).err().ok_or("the error surfaces")?;
        let expected = "task 0_0, operator 'store', topic 'in', partition 0, offset 1";
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
