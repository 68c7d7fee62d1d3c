//! Windows below a repartition that time alone closes, while tasks above them hang, restore and fail to commit.
//!
//! What a task above sent comes to one task below, with timestamps that are less out of order than windows are open: a
//! record can only be late if time went on too far by itself.

use std::{collections::BTreeMap, time::Duration};

use tidemill::{
    EmitStrategy, ProcessingGuarantee, StreamsBuilder, StreamsConfig, Windowed,
    testing::{FaultRates, Simulator, SimulatorOptions},
};

use super::scenario::{Input, Problem, Run, compare, group, read, start_of, windows};

const RECORDS: i64 = 60;

/// A session is longer than this, and so are hangs and restores.
const IDLE: Duration = Duration::from_millis(300);

/// Runs a seed and compares.
pub(crate) fn simulate(seed: u64, guarantee: ProcessingGuarantee, faults: FaultRates) -> Run {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, i64>("in").map_values(|id| id).repartition("again");
    let windowed = stream.group_by_key().windowed_by(windows());
    windowed.emit(EmitStrategy::on_window_close().idle_after(IDLE)).collect("lists").to("out");
    let topology = builder.build().expect("the scenario is valid");
    let mut options = SimulatorOptions { instances: 1 + (seed % 3) as usize, faults, ..SimulatorOptions::new(seed) };
    options.config = StreamsConfig {
        processing_guarantee: guarantee,
        num_stream_threads: 1 + (seed / 3 % 2) as usize,
        ..options.config
    };
    let mut simulator = Simulator::new(&topology, options).expect("the scenario starts");
    let outcome = drive(&mut simulator, guarantee);
    Run { outcome, trace: simulator.trace(), hash: simulator.trace_hash() }
}

fn drive(simulator: &mut Simulator, guarantee: ProcessingGuarantee) -> Result<(), Problem> {
    let mut inputs = Vec::new();
    for id in 0..RECORDS {
        let key = format!("key-{}", simulator.random(5));
        let timestamp = (simulator.passed_ms() - simulator.random(50) as i64).max(0);
        simulator.append("in", &key, &id, timestamp)?;
        inputs.push(Input { topic: "in", key, id, timestamp });
        // Now and then a silence that is long enough to close windows.
        let turns = if simulator.random(10) == 0 { 80 } else { simulator.random(20) };
        simulator.run(turns as usize)?;
    }
    // Time alone closes the last windows, and then comes to rest.
    simulator.settle()?;
    let expected = group(&inputs, |input| (input.key.clone(), start_of(input.timestamp)));
    let mut lists = BTreeMap::new();
    for (key, list) in read::<Windowed<String>, Vec<i64>>(simulator, "out")? {
        let known: &mut Vec<i64> = lists.entry((key.key, key.window.start)).or_default();
        known.extend(list);
    }
    compare("lists", guarantee, lists, &expected)
}
