//! Runs a case with Tidemill's test driver.

use std::{sync::atomic::Ordering, time::Duration};

use tidemill::{
    RecordHandler, StreamsBuilder, StreamsConfig, TaskError,
    state::Coded,
    testing::{DriverOptions, TestRecord, TopologyTestDriver},
};

use crate::{
    build::build,
    case::{Answer, Case, FoldKind, Node, Row, Step, Text},
    functions::{headers_of, text_of},
};

/// Whether the application crashes, and after how many steps each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Steady,
    CrashingEvery(usize),
}

/// What comes out of a case. A topology that is refused is an error, too.
pub(crate) fn run(case: &Case, pace: Pace) -> Answer {
    answer(case, pace).unwrap_or_else(|error| Answer { error: Some(error), ..Answer::default() })
}

fn answer(case: &Case, pace: Pace) -> Result<Answer, String> {
    let builder = StreamsBuilder::new();
    let nodes = build(&builder, case);
    let config = StreamsConfig { deserialization_handler: RecordHandler::Skip, ..StreamsConfig::new("conformance") };
    let topology = builder.build().map_err(|error| error.to_string())?;
    let options = DriverOptions { config, ..DriverOptions::default() };
    let driver = TopologyTestDriver::with(&topology, options).map_err(|error| error.to_string())?;
    let topics: Vec<_> = case.outputs.iter().map(|place| format!("out-{place}")).collect();
    let outputs: Vec<_> = topics.iter().map(|topic| driver.output::<Text, Text>(topic)).collect();

    let mut answer = Answer::default();
    for (step, number) in case.script.iter().zip(1..) {
        match step {
            Step::Record(topic, key, value, timestamp, headers) => {
                let input = driver.input::<Text, Text>(topic);
                let piped = input.pipe_with_headers(key.clone(), value.clone(), *timestamp, headers_of(headers));
                piped.map_err(|error| error.to_string())?;
            }
            Step::Wait(ms) => {
                driver.advance_wall_clock(Duration::from_millis(*ms)).map_err(|error| error.to_string())?;
            }
        }
        for (topic, output) in topics.iter().zip(&outputs) {
            let records = output.read_records().map_err(|error| error.to_string())?;
            if !records.is_empty() {
                let records = records.into_iter().map(|TestRecord { key, value, timestamp, headers, .. }| {
                    (number, key, value, timestamp, text_of(&headers))
                });
                answer.outputs.entry(topic.clone()).or_default().extend(records);
            }
        }
        if matches!(pace, Pace::CrashingEvery(steps) if number % steps == 0) {
            driver.crash();
        }
    }
    let tasks = driver.status().map_err(|error| error.to_string())?.tasks;
    let counted: u64 = tasks.iter().flat_map(|task| &task.records_dropped).map(|(_, _, count)| count).sum();
    answer.dropped = counted + nodes.dropped.load(Ordering::Relaxed);
    stores(&driver, case, &mut answer);
    Ok(answer)
}

/// The rows of the stores that nodes have by their places.
fn stores(driver: &TopologyTestDriver, case: &Case, answer: &mut Answer) {
    for (node, place) in case.nodes.iter().zip(0..) {
        let name = format!("s{place}");
        let rows = match node {
            Node::Fold { kind: FoldKind::Count, .. } | Node::GroupTable { kind: FoldKind::Count, .. } => {
                keyed::<i64>(driver, &name)
            }
            Node::Windowed { kind: FoldKind::Count, .. } | Node::Sliding { kind: FoldKind::Count, .. } => {
                windowed::<i64>(driver, &name, |count| count.to_string())
            }
            Node::ProcessWindows { .. } => windowed::<String>(driver, &name, |text| text),
            Node::Windowed { .. } | Node::Cogroup { window: Some(_), .. } => {
                windowed::<Text>(driver, &name, Option::unwrap_or_default)
            }
            Node::Suppress { .. } | Node::Sessions { .. } | Node::SessionCogroup { .. } | Node::GlobalTable { .. } => {
                None
            }
            Node::Sliding { .. } | Node::SlidingCogroup { .. } => windowed::<String>(driver, &name, |text| text),
            _ => keyed::<String>(driver, &name),
        };
        if let Some(rows) = rows {
            answer.stores.insert(name, rows);
        }
    }
}

fn keyed<V: Coded + ToString>(driver: &TopologyTestDriver, name: &str) -> Option<Vec<Row>> {
    let store = there(driver.key_value_store::<String, V>(name, 0))?;
    let time = |key: &String| store.get_with_timestamp(key).expect("decodes").map(|(_, time)| time);
    let row = |(key, value): (String, V)| (key.clone(), value.to_string(), time(&key));
    Some(store.all().map(|row| row.expect("decodes")).map(row).collect())
}

fn windowed<V: Coded>(driver: &TopologyTestDriver, name: &str, text: impl Fn(V) -> String) -> Option<Vec<Row>> {
    let store = there(driver.window_store::<String, V>(name, 0))?;
    let row = |((key, start), value): ((String, i64), V)| (format!("{key} {start}"), text(value), None);
    Some(store.all().map(|row| row.expect("decodes")).map(row).collect())
}

/// The store, if the node has one of this kind.
fn there<S>(store: Result<Option<S>, TaskError>) -> Option<S> {
    let kind = |method: &str| method.split("::").next().map(ToOwned::to_owned);
    match store {
        Err(TaskError::UnknownStore(_)) => None,
        Err(TaskError::WrongStoreTypes(wrong)) if kind(&wrong.asked) != kind(&wrong.method) => None,
        store => store.expect("runs"),
    }
}
