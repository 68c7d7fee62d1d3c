//! Calls to the outside: each is answered once, and executors that come and go pay twice only for what they had asked.

use std::{collections::BTreeMap, time::Duration};

use tidemill::{
    AsyncCall, CallError, CallPolicy, StreamsBuilder,
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
    let mut expected = BTreeMap::new();
    for id in 0..40 {
        let key = format!("key-{}", simulator.random(9));
        simulator.append("in", &key, &id, id)?;
        expected.insert((key, id), vec![id * id]);
        let turns = simulator.random(20) as usize;
        simulator.run(turns)?;
    }
    simulator.settle()?;
    let mut found = BTreeMap::<(String, i64), Vec<i64>>::new();
    for (_, key, (id, square)) in simulator.read::<String, (i64, i64)>("out")? {
        found.entry((key, id)).or_default().push(square);
    }
    if found != expected {
        return Err(format!("answers: {found:?}, expected {expected:?}").into());
    }
    let asked = simulator.calls().len();
    if asked == 40 { Ok(()) } else { Err(format!("{asked} of 40 requests were asked").into()) }
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
