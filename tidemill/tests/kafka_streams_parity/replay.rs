//! Pipes a script into a topology and writes down the answer as the recordings do.

use tidemill::{
    RecordHandler, StreamsBuilder, StreamsConfig,
    testing::{DriverOptions, TestOutputTopic, TopologyTestDriver},
};

use crate::{golden::Case, topologies};

type Text = Option<String>;

/// How the script is piped in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Record by record, each committed.
    Stepwise,
    /// The same, with a crash after so many.
    CrashingEvery(usize),
    /// All records together, in one commit.
    AtOnce,
}

/// What came out: `step topic key value timestamp`, and how many records were dropped.
pub(crate) struct Answer {
    pub(crate) records: Vec<String>,
    pub(crate) dropped: u64,
}

impl Answer {
    /// The first difference, in words. Counters do not survive crashes, nor steps a single commit.
    pub(crate) fn difference(&self, found: &Self, pace: Pace) -> Option<String> {
        let comparable = |answer: &Self| match pace {
            Pace::AtOnce => by_topic(&answer.records),
            Pace::Stepwise | Pace::CrashingEvery(_) => answer.records.clone(),
        };
        let (expected, got) = (comparable(self), comparable(found));
        for at in 0..expected.len().max(got.len()) {
            if expected.get(at) != got.get(at) {
                return Some(format!("record {at} is {:?}, not {:?}", got.get(at), expected.get(at)));
            }
        }
        let counted = !matches!(pace, Pace::CrashingEvery(_)) && self.dropped != found.dropped;
        counted.then(|| format!("{} records are dropped, not {}", found.dropped, self.dropped))
    }
}

/// Records without their steps, one topic after the other.
fn by_topic(records: &[String]) -> Vec<String> {
    let mut records: Vec<_> =
        records.iter().map(|record| record.split_once(' ').expect("begins with its step").1.to_owned()).collect();
    records.sort_by(|a, b| a.split(' ').next().cmp(&b.split(' ').next()));
    records
}

/// Runs a case.
pub(crate) fn replay(case: &Case, pace: Pace) -> Answer {
    let builder = StreamsBuilder::new();
    let outputs = topologies::build(&case.topology, &builder);
    let config = StreamsConfig { deserialization_handler: RecordHandler::Skip, ..StreamsConfig::new("parity") };
    let topology = builder.build().expect("the topology is valid");
    let options = DriverOptions { config, ..DriverOptions::default() };
    let driver = TopologyTestDriver::with(&topology, options).expect("the driver starts");
    let outputs: Vec<(&str, TestOutputTopic<Text, Text>)> =
        outputs.iter().map(|topic| (*topic, driver.output(topic))).collect();
    let mut records = Vec::new();
    for (step, number) in case.steps.iter().zip(1..) {
        let input = driver.input::<Text, Text>(&step.topic);
        input.enqueue(step.key.clone(), step.value.clone(), step.timestamp).expect("is taken");
        if pace != Pace::AtOnce {
            read(&outputs, number, &mut records);
        }
        if matches!(pace, Pace::CrashingEvery(steps) if number % steps == 0) {
            driver.crash();
        }
    }
    if pace == Pace::AtOnce {
        read(&outputs, 0, &mut records);
    }
    let tasks = driver.status().expect("reports").tasks;
    let dropped = tasks.iter().flat_map(|task| &task.records_dropped).map(|(_, _, count)| count).sum();
    Answer { records, dropped }
}

/// Reading lets the application work first.
fn read(outputs: &[(&str, TestOutputTopic<Text, Text>)], step: usize, records: &mut Vec<String>) {
    let text = |text: Text| text.unwrap_or_else(|| "-".to_owned());
    for (topic, output) in outputs {
        for (key, value, timestamp) in output.read().expect("reads") {
            records.push(format!("{step} {topic} {} {} {timestamp}", text(key), text(value)));
        }
    }
}
