//! Windows below a repartition that time alone closes, where writers that rested get a record and stall.
//!
//! Every burst begins with all writers at rest. Its records lie closer together than windows are open, go to any of the
//! tasks above, and come to one task below: a record can only be late if time went on by the silence of the others.

use std::{collections::BTreeMap, time::Duration};

use tidemill::{
    EmitStrategy, ProcessingGuarantee, StreamsBuilder, StreamsConfig, Windowed,
    testing::{FaultRates, Simulator, SimulatorOptions},
};

use super::scenario::{Input, Problem, Run, compare, group, read, start_of, windows};

const BURSTS: usize = 8;

/// Hangs and restores take longer.
const IDLE: Duration = Duration::from_millis(300);

/// Longer than notes are told.
const REST: Duration = Duration::from_secs(4);

/// What makes a task stall.
fn stalls() -> FaultRates {
    FaultRates { pause: 0.03, crash: 0.01, ..FaultRates::default() }
}

/// Runs a seed and compares. With `between`, records go through one more repartition.
pub(crate) fn simulate(seed: u64, guarantee: ProcessingGuarantee, between: bool) -> Run {
    let builder = StreamsBuilder::new();
    let mut stream = builder.stream::<String, i64>("in").map_values(|id| id);
    if between {
        stream = stream.repartition("between").map_values(|id| id);
    }
    let stream = stream.select_key(|_, _| "all".to_owned()).repartition("again");
    let windowed = stream.group_by_key().windowed_by(windows());
    windowed.emit(EmitStrategy::on_window_close().idle_after(IDLE)).collect("lists").to("out");
    let topology = builder.build().expect("the scenario is valid");
    let options =
        SimulatorOptions { instances: 2 + (seed % 2) as usize, faults: stalls(), ..SimulatorOptions::new(seed) };
    let config = StreamsConfig {
        processing_guarantee: guarantee,
        num_stream_threads: 1 + (seed / 2 % 2) as usize,
        ..options.config
    };
    let mut simulator = Simulator::new(&topology, SimulatorOptions { config, ..options }).expect("the scenario starts");
    let outcome = drive(&mut simulator, guarantee);
    Run { outcome, trace: simulator.trace(), hash: simulator.trace_hash() }
}

fn drive(simulator: &mut Simulator, guarantee: ProcessingGuarantee) -> Result<(), Problem> {
    let mut inputs = Vec::new();
    for _ in 0..BURSTS {
        let began_ms = simulator.passed_ms();
        for _ in 0..=simulator.random(4) {
            let key = format!("key-{}", simulator.random(5));
            let (id, timestamp) = (inputs.len() as i64, simulator.passed_ms());
            if timestamp > began_ms + 100 {
                break;
            }
            simulator.append("in", &key, &id, timestamp)?;
            inputs.push(Input { topic: "in", key: "all".to_owned(), id, timestamp });
            let turns = simulator.random(6);
            simulator.run(turns as usize)?;
        }
        let turns = 100 + simulator.random(300);
        simulator.run(turns as usize)?;
        simulator.settle()?;
        let before = read::<Windowed<String>, Vec<i64>>(simulator, "out")?.len();
        simulator.rest(REST)?;
        if read::<Windowed<String>, Vec<i64>>(simulator, "out")?.len() > before {
            return Err("not everything was closed when the application had settled".into());
        }
    }
    let expected = group(&inputs, |input| (input.key.clone(), start_of(input.timestamp)));
    let mut lists = BTreeMap::new();
    for (key, list) in read::<Windowed<String>, Vec<i64>>(simulator, "out")? {
        let known: &mut Vec<i64> = lists.entry((key.key, key.window.start)).or_default();
        known.extend(list);
    }
    compare("lists", guarantee, lists, &expected)
}
