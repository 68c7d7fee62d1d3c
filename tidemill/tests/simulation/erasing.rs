//! Keys are erased under faults: in the end nothing of them is in stores or changelogs, nothing that was erased comes out,
//! and what came later counts from the beginning.

use std::{collections::BTreeMap, time::Duration};

use tidemill::{
    AsyncCall, CallPolicy, EmitStrategy, Erased, JoinWindows, KStream, Materialized, ProcessingGuarantee,
    SlidingWindows, StreamsBuilder, StreamsConfig, TimeWindows, Topology, Windowed,
    testing::{FaultRates, Simulator, SimulatorOptions},
};

use super::{
    report,
    scenario::{Problem, Run},
};

const KEYS: u64 = 4;
const IDLE: Duration = Duration::from_secs(20);
const HOUR: Duration = Duration::from_secs(3_600);

fn call() -> AsyncCall<Windowed<String>, i64, i64> {
    AsyncCall::named("square")
}

fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, i64>("in");
    let windows = TimeWindows::of_size_and_grace(Duration::from_millis(100), Duration::from_millis(50));
    let emit = EmitStrategy::on_window_close().idle_after(IDLE);
    stream.group_by_key().count("counts").to_stream().to("counts-out");
    // Kept for so long that each row that is erased leaves a deletion.
    let totals = Materialized::<String, i64>::named("totals").retention(HOUR);
    stream.group_by_key().windowed_by(windows).emit(emit).count(totals).to_stream().to("totals-out");
    let sliding = SlidingWindows::of_time_difference_and_grace(Duration::from_millis(50), Duration::from_millis(50));
    stream.group_by_key().windowed_by(sliding).emit(emit).count("slides").to_stream().to("slides-out");
    let sliding = stream.group_by_key().windowed_by(sliding.event_time_by_key()).emit(emit);
    sliding.count("slides-by-key").to_stream().to("slides-by-key-out");
    let by_key =
        |stream: &KStream<String, i64>| stream.group_by_key().windowed_by(windows.event_time_by_key()).emit(emit);
    let lists = by_key(&stream).collect("lists");
    lists.to("lists-out");
    lists
        .map_values(|list| list.iter().sum())
        .map_async(&call())
        .map_values(|it| it.outcome.unwrap_or(-1))
        .to("squares");
    let (even, odd) = (stream.filter(|_, id| id % 2 == 0), stream.filter(|_, id| id % 2 != 0));
    let both = by_key(&even).cogroup(by_key(&odd)).collect("evens", "odds");
    both.map_values(|both| [both.left, both.right].concat()).to("both-out");
    let apart = JoinWindows::of_time_difference_with_no_grace(HOUR).event_time_by_key();
    even.outer_join_stream(&odd, apart, "pairs", |_, one, other| one.into_iter().chain(other).sum::<i64>())
        .to("pairs-out");
    let by_second = stream.map(|key, id| (format!("{key}/{}", id % 2), id)).repartition("halves");
    by_second.group_by_key().count("halves");

    builder
        .stream::<String, i64>("forget")
        .erase("forget-key", &["counts", "totals", "slides", "slides-by-key", "lists", "evens", "pairs", "square"])
        .flat_map(|key, Erased { request, .. }| {
            (0..2).map(move |half| (format!("{key}/{half}"), request)).collect::<Vec<_>>()
        })
        .repartition("forget-halves")
        .erase("forget-half", &["halves"])
        .map_values(|erased| erased.request)
        .to("forgotten");
    builder.build().expect("it is valid")
}

fn run(seed: u64, guarantee: ProcessingGuarantee) -> Run {
    let config = StreamsConfig {
        processing_guarantee: guarantee,
        num_standby_replicas: (seed % 2) as usize,
        member_timeout: Duration::from_secs(1),
        ..StreamsConfig::new("sim")
    };
    let mut options = SimulatorOptions { instances: 1 + (seed % 3) as usize, ..SimulatorOptions::new(seed) };
    options.faults = FaultRates::default();
    options.config = StreamsConfig {
        session_timeout: options.config.session_timeout,
        repartition_purge_interval: options.config.repartition_purge_interval,
        state_flush_interval: options.config.state_flush_interval,
        ..config
    };
    let mut simulator = Simulator::new(&topology(), options).expect("it starts");
    let policy = CallPolicy { first_backoff: Duration::from_millis(50), ..CallPolicy::default() };
    simulator.add_executors(&call(), 1, &policy, |request| Ok(request.value * request.value));
    let outcome = drive(&mut simulator, guarantee);
    Run { outcome, trace: simulator.trace(), hash: simulator.trace_hash() }
}

fn drive(simulator: &mut Simulator, guarantee: ProcessingGuarantee) -> Result<(), Problem> {
    let mut asked = Vec::new();
    for id in 0..50_i64 {
        let key = format!("key-{}", simulator.random(KEYS));
        let timestamp = id * 10 + simulator.random(50) as i64;
        simulator.append("in", &key, &id, timestamp)?;
        if simulator.random(6) == 0 {
            let key = format!("key-{}", simulator.random(KEYS));
            simulator.append("forget", &key, &id, id * 10)?;
            asked.push(id);
        }
        let turns = simulator.random(20) as usize;
        simulator.run(turns)?;
    }
    simulator.settle()?;
    let before = outputs(simulator)?;
    for key in 0..KEYS {
        simulator.append("forget", &format!("key-{key}"), &(100 + key as i64), 10_000)?;
        asked.push(100 + key as i64);
        simulator.run(5)?;
    }
    simulator.settle()?;
    check_answers(simulator, guarantee, &asked)?;
    nothing_left(simulator)?;
    simulator.rest(2 * IDLE)?;
    if outputs(simulator)? != before {
        return Err(
            format!("outputs {before:?} became {:?}: something that was erased came out", outputs(simulator)?).into()
        );
    }
    nothing_left(simulator)?;
    simulator.append("in", &"key-0".to_owned(), &1_000_i64, 20_000)?;
    simulator.settle()?;
    match simulator.read::<String, i64>("counts-out")?.into_iter().rfind(|(_, key, _)| key == "key-0") {
        Some((_, _, 1)) => Ok(()),
        count => Err(format!("the count after all was erased is {count:?}").into()),
    }
}

/// How many results there are of what waits for time to pass.
fn outputs(simulator: &Simulator) -> Result<Vec<usize>, Problem> {
    let topics = ["lists-out", "both-out", "totals-out", "slides-out", "slides-by-key-out", "pairs-out", "squares"];
    topics.iter().map(|topic| Ok(simulator.log().read_all(topic)?.len())).collect()
}

/// Each request is answered for both halves of its key.
fn check_answers(simulator: &Simulator, guarantee: ProcessingGuarantee, asked: &[i64]) -> Result<(), Problem> {
    let mut answers = BTreeMap::<i64, usize>::new();
    for (_, _, request) in simulator.read::<String, i64>("forgotten")? {
        *answers.entry(request).or_default() += 1;
    }
    let exactly = guarantee == ProcessingGuarantee::ExactlyOnce;
    let wrong = asked.iter().find(|request| match answers.get(*request) {
        Some(2) => false,
        Some(count) => exactly || *count < 2,
        None => true,
    });
    match wrong {
        Some(request) => Err(format!("request {request} has {:?} answers, of 2", answers.get(request)).into()),
        None => Ok(()),
    }
}

/// Every changelog, compacted, is without a row of any key.
fn nothing_left(simulator: &Simulator) -> Result<(), Problem> {
    let stores = [
        "counts",
        "totals",
        "slides",
        "slides-by-key",
        "slides-by-key-times",
        "lists",
        "lists-times",
        "evens",
        "odds",
        "evens-times",
        "pairs-left",
        "pairs-right",
        "pairs-unmatched",
        "pairs-times",
        "square-pending",
        "halves",
    ];
    for store in stores {
        let mut last = BTreeMap::new();
        for (partition, record) in simulator.log().read_all(&format!("sim-{store}-changelog"))? {
            last.insert((partition, record.key), record.value);
        }
        let holds = |key: &[u8]| key.windows(4).any(|part| part == b"key-");
        for ((partition, key), value) in last {
            if value.is_some() && key.as_deref().is_some_and(holds) {
                return Err(format!("changelog {partition} of {store} still holds {key:?}").into());
            }
        }
    }
    Ok(())
}

#[test]
fn erasing_exactly_once() {
    report("erasing_exactly_once", 120, |seed| run(seed, ProcessingGuarantee::ExactlyOnce));
}

#[test]
fn erasing_at_least_once() {
    report("erasing_at_least_once", 120, |seed| run(seed, ProcessingGuarantee::AtLeastOnce));
}
