//! Calls to the outside: each is answered once and in the order of its lane, and executors that come and go pay twice only for what they had asked.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use tidemill::{
    AsyncCall, BreakerPolicy, CallError, CallPolicy, Limit, Route, Spending, StreamsBuilder, Window, Windowed,
    processor::{Processor, ProcessorContext, Record},
    state::BoxError,
    testing::{FaultRates, Simulator, SimulatorOptions},
};

use super::{
    report,
    scenario::{Problem, Run},
};

fn run(seed: u64, faults: FaultRates) -> Run {
    let call = AsyncCall::<String, i64, i64>::named("square");
    let builder = StreamsBuilder::new();
    let answered = builder.stream::<String, i64>("in").map_async(&call);
    answered.map_values(|answered| (answered.request, answered.outcome.unwrap_or(-1))).to("out");
    let topology = builder.build().expect("it is valid");
    let options = SimulatorOptions { instances: 1 + (seed % 2) as usize, faults, ..SimulatorOptions::new(seed) };
    let mut simulator = Simulator::new(&topology, options).expect("it starts");
    let policy = CallPolicy { max_in_flight: 2, first_backoff: Duration::from_millis(50), ..CallPolicy::default() };
    simulator.add_executors(&call, 2, &policy, |request| {
        let refused = request.attempt == 1 && request.value % 7 == 3;
        if refused { Err(CallError::transient("busy")) } else { Ok(request.value * request.value) }
    });
    let outcome = drive(&mut simulator);
    Run { outcome, trace: simulator.trace(), hash: simulator.trace_hash() }
}

fn drive(simulator: &mut Simulator) -> Result<(), Problem> {
    let mut expected = BTreeMap::<String, Vec<(i64, i64)>>::new();
    for id in 0..40 {
        let key = format!("key-{}", simulator.random(9));
        simulator.append("in", &key, &id, id)?;
        expected.entry(key).or_default().push((id, id * id));
        let turns = simulator.random(20) as usize;
        simulator.run(turns)?;
    }
    simulator.settle()?;
    let mut found = BTreeMap::<String, Vec<(i64, i64)>>::new();
    for (_, key, answer) in simulator.read::<String, (i64, i64)>("out")? {
        found.entry(key).or_default().push(answer);
    }
    if found != expected {
        return Err(format!("answers: {found:?}, expected {expected:?}").into());
    }
    let asked = simulator.calls().len();
    if asked == 40 { Ok(()) } else { Err(format!("{asked} of 40 requests were asked").into()) }
}

/// Calls with a deadline, and executors that are often slow. An outcome is 1 for an answer and 0 for its absence.
fn run_hurried(seed: u64, faults: FaultRates) -> Result<(Run, Vec<i64>), Problem> {
    const DEADLINE: Duration = Duration::from_millis(400);
    let call = AsyncCall::<String, i64, i64>::named("square").deadline(DEADLINE);
    let builder = StreamsBuilder::new();
    let answered = builder.stream::<String, i64>("in").map_async(&call);
    answered.map_values(|it| (it.request, i64::from(it.outcome.is_ok()))).to("out");
    let options = SimulatorOptions { instances: 1 + (seed % 2) as usize, faults, ..SimulatorOptions::new(seed) };
    let mut simulator = Simulator::new(&builder.build()?, options)?;
    simulator.add_executors(&call, 1, &CallPolicy::default(), |request| Ok(request.value));
    let mut asked = BTreeMap::<String, Vec<i64>>::new();
    let mut outcomes = Vec::new();
    let mut drive = || -> Result<(), Problem> {
        for id in 0..40 {
            let key = format!("key-{}", simulator.random(6));
            simulator.append("in", &key, &id, id)?;
            asked.entry(key).or_default().push(id);
            let turns = simulator.random(20) as usize;
            simulator.run(turns)?;
        }
        simulator.settle()?;
        simulator.rest(2 * DEADLINE)?;
        simulator.settle()?;
        let mut found = BTreeMap::<String, Vec<i64>>::new();
        for (_, key, (id, outcome)) in simulator.read::<String, (i64, i64)>("out")? {
            found.entry(key).or_default().push(id);
            outcomes.push(outcome);
        }
        if found == asked { Ok(()) } else { Err(format!("outcomes of {found:?}, asked {asked:?}").into()) }
    };
    let outcome = drive();
    Ok((Run { outcome, trace: simulator.trace(), hash: simulator.trace_hash() }, outcomes))
}

fn slow_executors() -> FaultRates {
    FaultRates { slow_call: 0.8, clock_set: 0.01, ..FaultRates::default() }
}

type Word = Windowed<String>;

/// Withdraws the requests of a window.
struct Cancel(AsyncCall<Word, i64, i64>);

impl Processor<String, i64, String, i64> for Cancel {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, i64>,
        record: Record<String, i64>,
    ) -> Result<(), BoxError> {
        let withdrawn = self.0.withdraw(ctx, |word| word.key == record.key && word.window.start == record.value)?;
        ctx.forward(record.with_value(withdrawn as i64));
        Ok(())
    }
}

fn run_withdrawing(seed: u64) -> Run {
    let call = AsyncCall::<Word, i64, i64>::named("square");
    let builder = StreamsBuilder::new();
    let answered = builder.stream::<Word, i64>("in").map_async(&call);
    answered.map_values(|it| it.request).to("out");
    let (pending, cancels) = (call.pending_store(), call.clone());
    let cancel = move || Cancel(cancels.clone());
    builder.stream::<String, i64>("cancels").process("cancel", &[&pending], cancel).to("cancelled");
    let topology = builder.build().expect("it is valid");
    let faults = FaultRates { slow_call: 0.7, ..FaultRates::default() };
    let options = SimulatorOptions { instances: 1 + (seed % 2) as usize, faults, ..SimulatorOptions::new(seed) };
    let mut simulator = Simulator::new(&topology, options).expect("it starts");
    simulator.add_executors(&call, 1, &CallPolicy::default(), |request| Ok(request.value));
    let outcome = drive_withdrawing(&mut simulator);
    Run { outcome, trace: simulator.trace(), hash: simulator.trace_hash() }
}

fn drive_withdrawing(simulator: &mut Simulator) -> Result<(), Problem> {
    let mut asked = BTreeMap::<String, Vec<i64>>::new();
    for id in 0..60 {
        let key = format!("key-{}", simulator.random(3));
        let start = simulator.random(4) as i64;
        let word = Windowed { key: key.clone(), window: Window { start, end: start + 1 } };
        simulator.append("in", &word, &id, id)?;
        asked.entry(key.clone()).or_default().push(id);
        if simulator.random(4) == 0 {
            let start = simulator.random(4) as i64;
            simulator.append("cancels", &key, &start, id)?;
        }
        let turns = simulator.random(20) as usize;
        simulator.run(turns)?;
    }
    simulator.settle()?;
    let mut answered = BTreeMap::<String, Vec<i64>>::new();
    for (_, word, id) in simulator.read::<Word, i64>("out")? {
        answered.entry(word.key).or_default().push(id);
    }
    for (key, ids) in &answered {
        if ids.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(format!("answers of {key} are out of order, or come twice: {ids:?}").into());
        }
    }
    let withdrawn: i64 = simulator.read::<String, i64>("cancelled")?.into_iter().map(|(_, _, count)| count).sum();
    let count = answered.values().map(Vec::len).sum::<usize>();
    if count as i64 + withdrawn == 60 {
        return Ok(());
    }
    Err(format!("{count} answers and {withdrawn} withdrawn requests, of 60: {answered:?} of {asked:?}").into())
}

#[test]
fn each_call_is_answered_once_by_executors_that_come_and_go() {
    report("each_call_is_answered_once_by_executors_that_come_and_go", 120, |seed| run(seed, FaultRates::default()));
}

#[test]
fn an_executor_asks_nothing_of_partitions_that_it_gave_back() {
    let faults = FaultRates { close: 0.05, slow_call: 0.9, ..FaultRates::NONE };
    report("an_executor_asks_nothing_of_partitions_that_it_gave_back", 120, |seed| run(seed, faults.clone()));
}

#[test]
fn each_request_is_answered_or_expires_in_the_order_of_its_lane() {
    let test = "each_request_is_answered_or_expires_in_the_order_of_its_lane";
    report(test, 120, |seed| match run_hurried(seed, slow_executors()) {
        Ok((run, _)) => run,
        Err(problem) => Run { outcome: Err(problem), trace: Vec::new(), hash: 0 },
    });
}

#[test]
fn some_requests_of_a_simulation_are_answered_and_some_expire() {
    let outcomes = (1..=10).flat_map(|seed| run_hurried(seed, slow_executors()).expect("it runs").1);
    let (answered, expired): (Vec<_>, Vec<_>) = outcomes.partition(|outcome| *outcome == 1);
    assert!(answered.len() > 40 && expired.len() > 40, "{} and {}", answered.len(), expired.len());
}

#[test]
fn a_withdrawn_request_holds_back_no_answer() {
    report("a_withdrawn_request_holds_back_no_answer", 120, run_withdrawing);
}

/// Two routes with a breaker, of which the first fails at times; a limit; steps.
fn guarded(seed: u64, faults: FaultRates) -> Run {
    let call = AsyncCall::<String, i64, i64>::named("square");
    let builder = StreamsBuilder::new();
    let answered = builder.stream::<String, i64>("in").map_async(&call);
    answered.map_values(|answered| (answered.request, answered.outcome.unwrap_or(-1))).to("out");
    let topology = builder.build().expect("it is valid");
    let options = SimulatorOptions { instances: 1 + (seed % 2) as usize, faults, ..SimulatorOptions::new(seed) };
    let mut simulator = Simulator::new(&topology, options).expect("it starts");
    let breaker = BreakerPolicy { failures: 2, open_for: Duration::from_millis(200), ..BreakerPolicy::default() };
    let policy = CallPolicy {
        max_in_flight: 2,
        first_backoff: Duration::from_millis(50),
        max_attempts: 20,
        routes: vec![Route { breaker: Some(breaker), ..Route::named("large") }, Route::named("small")],
        limits: vec![Limit::in_flight(3)],
        ..CallPolicy::default()
    };
    simulator.add_executors(&call, 3, &policy, |request| {
        let fails = &*request.route == "large" && (request.value + i64::from(request.attempt)) % 3 > 0;
        if fails { Err(CallError::transient("busy")) } else { Ok(request.value * request.value) }
    });
    let outcome = drive(&mut simulator).and_then(|()| {
        // Executors delete steps and write what attempts used after the answers.
        simulator.rest(Duration::from_secs(12))?;
        books_are_right(&simulator, &call)
    });
    Run { outcome, trace: simulator.trace(), hash: simulator.trace_hash() }
}

fn books_are_right(simulator: &Simulator, call: &AsyncCall<String, i64, i64>) -> Result<(), Problem> {
    let (running_max, consumed) = simulator.attempts();
    if running_max > 3 {
        return Err(format!("{running_max} attempts ran at the same time, and 3 are allowed").into());
    }
    let add = |sum: (u64, u64), Spending { day, .. }: Spending| {
        let all = day.usage + day.open + day.unknown;
        (sum.0 + day.calls, sum.1 + all.cost_micros)
    };
    let (settled, spent) = simulator.spending(call)?.into_iter().fold((0, 0), add);
    let attempts: usize = simulator.calls().values().sum();
    if spent < consumed || settled > attempts as u64 {
        return Err(format!("{settled} of {attempts} attempts settled, {spent} of {consumed} micros").into());
    }
    let mut steps = BTreeMap::<Bytes, bool>::new();
    for (_, record) in simulator.log().read_all("sim-square-steps").unwrap_or_default() {
        steps.insert(record.key.unwrap_or_default(), record.value.is_some());
    }
    let left = steps.values().filter(|is_there| **is_there).count();
    if left == 0 { Ok(()) } else { Err(format!("{left} steps of answered requests are left").into()) }
}

#[test]
fn limits_hold_over_all_executors_and_the_ledger_misses_nothing() {
    // Executors whose clocks differ by an hour do not know whether the others are alive.
    let faults = FaultRates { clock_set: 0.0, idle_day: 0.0, ..FaultRates::default() };
    report("limits_hold_over_all_executors_and_the_ledger_misses_nothing", 300, |seed| guarded(seed, faults.clone()));
}
