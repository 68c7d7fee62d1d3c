//! Topologies and inputs that a seed makes up. The right answer is what the same topology gives undisturbed, on one
//! instance; in which order a task takes records of its inputs is compared with a plain program.

mod input;
mod topology;

use std::collections::BTreeMap;

use bytes::Bytes;
use tidemill::{
    ProcessingGuarantee::{self, AtLeastOnce, ExactlyOnce},
    RecordHandler, StreamsBuilder, StreamsConfig,
    testing::{FaultRates, SimulationRandom, Simulator, SimulatorOptions},
};

use self::{
    input::Given,
    topology::{Answer, Output},
};
use super::{
    report,
    scenario::{Problem, Run},
};

/// What came out: by topic and key, in order.
type Answers = BTreeMap<(String, Option<Bytes>), Vec<Option<Bytes>>>;

fn simulator(seed: u64, guarantee: ProcessingGuarantee, calm: bool) -> (Simulator, Vec<Output>, Vec<Given>) {
    let mut random = SimulationRandom::new(seed ^ 0x5EED);
    let builder = StreamsBuilder::new();
    let outputs = topology::build(&builder, &mut random);
    let topology = builder.build().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let mut handler = || match random.below(2) {
        0 => RecordHandler::Skip,
        _ => RecordHandler::DeadLetter("dead".into()),
    };
    let (deserialization_handler, processing_handler) = (handler(), handler());
    let given = input::make_up(&mut random);
    let mut options = SimulatorOptions::new(seed);
    options.instances = if calm { 1 } else { 1 + (seed % 3) as usize };
    options.faults = if calm { FaultRates::NONE } else { FaultRates { short_poll: 1.0, ..FaultRates::default() } };
    options.config = StreamsConfig {
        processing_guarantee: guarantee,
        deserialization_handler,
        processing_handler,
        num_stream_threads: if calm { 1 } else { 1 + (seed / 3 % 2) as usize },
        max_buffered_records: if calm { 1000 } else { 5 },
        num_standby_replicas: usize::from(!calm && seed.is_multiple_of(4)),
        ..options.config
    };
    (Simulator::new(&topology, options).expect("it starts"), outputs, given)
}

/// All of the input is there before the first record is taken, so that the order in which a task takes it is decided.
fn drive(simulator: &mut Simulator, given: &[Given], turns: usize) -> Result<(), Problem> {
    for Given { topic, partition, entry } in given {
        simulator.log().append(topic, *partition, [entry.clone()])?;
    }
    simulator.run(turns)?;
    simulator.settle()?;
    // Closing happens under faults, too.
    for Given { topic, partition, entry } in input::closers() {
        simulator.log().append(topic, partition, [entry])?;
    }
    simulator.run(turns / 4)?;
    simulator.settle()?;
    Ok(())
}

fn answers(simulator: &Simulator, outputs: &[Output]) -> Answers {
    let mut answers = Answers::new();
    for topic in outputs.iter().map(|output| output.topic.as_str()).chain(["dead"]) {
        // Without a handler that needs it there is no such topic.
        for (_, record) in simulator.log().read_all(topic).unwrap_or_default() {
            answers.entry((topic.to_owned(), record.key)).or_default().push(record.value);
        }
    }
    answers
}

/// What is compared of an output.
fn comparable(mut answers: Answers, outputs: &[Output], guarantee: ProcessingGuarantee) -> Answers {
    let kinds: BTreeMap<_, _> = outputs.iter().map(|output| (output.topic.as_str(), output.answer)).collect();
    answers.retain(|(topic, _), values| {
        let kind = kinds.get(topic.as_str()).copied().unwrap_or(Answer::Bag);
        match (guarantee, kind) {
            (AtLeastOnce, Answer::Stateless) => {
                values.sort();
                values.dedup();
            }
            (AtLeastOnce, _) => return false,
            (ExactlyOnce, Answer::InOrder | Answer::Stateless) => {}
            (ExactlyOnce, Answer::Bag) => values.sort(),
            (ExactlyOnce, Answer::Last) => drop(values.drain(..values.len() - 1)),
        }
        true
    });
    answers
}

fn run(seed: u64, guarantee: ProcessingGuarantee) -> Run {
    let (mut simulator, outputs, given) = simulator(seed, guarantee, false);
    let outcome = check(seed, guarantee, &mut simulator, &outputs, &given);
    Run { outcome, trace: simulator.trace(), hash: simulator.trace_hash() }
}

fn check(
    seed: u64,
    guarantee: ProcessingGuarantee,
    simulator: &mut Simulator,
    outputs: &[Output],
    given: &[Given],
) -> Result<(), Problem> {
    let (mut calm, ..) = self::simulator(seed, ExactlyOnce, true);
    drive(&mut calm, given, 0)?;
    drive(simulator, given, 400)?;
    if guarantee == ExactlyOnce {
        check_order(simulator, given)?;
    }
    let expected = comparable(answers(&calm, outputs), outputs, guarantee);
    let found = comparable(answers(simulator, outputs), outputs, guarantee);
    let differ = expected.keys().chain(found.keys()).find(|place| expected.get(*place) != found.get(*place));
    differ.map_or(Ok(()), |place| {
        let text = |answers: &Answers| format!("{:?}", answers.get(place));
        let topologies: Vec<_> = outputs.iter().map(|output| output.what.as_str()).collect();
        Err(format!("{place:?} of {topologies:?}: found {}, undisturbed {}", text(&found), text(&expected)).into())
    })
}

/// The merge of both streams has each partition's records by time, those of the left stream first where times are equal.
fn check_order(simulator: &Simulator, given: &[Given]) -> Result<(), Problem> {
    let all: Vec<_> = given.iter().cloned().chain(input::closers()).collect();
    for number in 0..input::PARTITIONS {
        let of = |topic: &str| {
            let mine = all.iter().filter(|given| given.topic == topic && given.partition == number && given.is_good());
            mine.map(|given| (given.entry.timestamp, given.entry.value.clone()))
                .collect::<Vec<_>>()
                .into_iter()
                .peekable()
        };
        let (mut left, mut right, mut expected) = (of("left"), of("right"), Vec::new());
        loop {
            let next = match (left.peek(), right.peek()) {
                (Some((earlier, _)), Some((later, _))) if earlier <= later => left.next(),
                (_, Some(_)) => right.next(),
                (Some(_), None) => left.next(),
                (None, None) => break,
            };
            expected.extend(next.map(|(_, value)| value));
        }
        // A closer goes where its key belongs, and a record that is refused elsewhere comes out nowhere.
        let is_closer = |value: &Option<Bytes>| value.as_deref() == Some(b"closer");
        let found = simulator.log().read_all("merged")?.into_iter().filter(|(partition, _)| *partition == number);
        let found: Vec<_> = found.map(|(_, record)| record.value).filter(|value| !is_closer(value)).collect();
        expected.retain(|value| found.contains(value));
        if found != expected {
            return Err(format!("partition {number} is merged as {found:?}, not {expected:?}").into());
        }
    }
    Ok(())
}

#[test]
fn any_topology_gives_what_it_gives_undisturbed() {
    report("any_topology_gives_what_it_gives_undisturbed", 150, |seed| run(seed, ExactlyOnce));
}

#[test]
fn no_topology_loses_or_makes_up_a_record_at_least_once() {
    report("no_topology_loses_or_makes_up_a_record_at_least_once", 60, |seed| run(seed, AtLeastOnce));
}
