//! A task that cannot get past a record stops in the middle of a transaction; the others go on, and of its own what is
//! committed agrees with what came out.

use std::collections::BTreeMap;

use tidemill::{
    StreamsBuilder, StreamsConfig, TaskFailureAction,
    processor::{Processor, ProcessorContext, Record},
    state::BoxError,
    testing::{FaultRates, Simulator, SimulatorOptions},
};

use super::{report, scenario::Run};

/// Of 60 records, the one that nothing gets past.
const POISON: i64 = 30;

struct Picky;

impl Processor<String, i64, String, i64> for Picky {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, i64>,
        record: Record<String, i64>,
    ) -> Result<(), BoxError> {
        // What it sent before it failed is taken back with the rest.
        ctx.forward(record.clone());
        if record.value == POISON { Err("this one not".into()) } else { Ok(()) }
    }
}

fn run(seed: u64) -> Run {
    let builder = StreamsBuilder::new();
    let picked = builder.stream::<String, i64>("in").process("picky", &[], || Picky).mark_as_partitioned();
    picked.to("out");
    picked.group_by_key().count("counts").to_stream().to("counts-out");
    let topology = builder.build().expect("it is valid");
    let mut options = SimulatorOptions { instances: 1 + (seed % 3) as usize, ..SimulatorOptions::new(seed) };
    options.faults = if seed.is_multiple_of(2) { FaultRates::default() } else { FaultRates::NONE };
    let on_task_failure = TaskFailureAction::StopTask;
    options.config =
        StreamsConfig { num_stream_threads: 1 + (seed / 3 % 2) as usize, on_task_failure, ..options.config };
    let mut simulator = Simulator::new(&topology, options).expect("it starts");
    let outcome = drive(&mut simulator);
    Run { outcome, trace: simulator.trace(), hash: simulator.trace_hash() }
}

fn drive(simulator: &mut Simulator) -> Result<(), Box<dyn std::error::Error>> {
    for id in 0..60 {
        let key = format!("key-{}", simulator.random(9));
        simulator.append("in", &key, &id, id)?;
        let turns = simulator.random(12) as usize;
        simulator.run(turns)?;
    }
    simulator.settle()?;
    let mut expected = BTreeMap::<i32, Vec<i64>>::new();
    let lags: BTreeMap<_, _> =
        simulator.log().group_lag("sim").into_iter().map(|lag| (lag.partition.partition, lag)).collect();
    let mut next = BTreeMap::<i32, i64>::new();
    for (partition, _, id) in simulator.read::<String, i64>("in")? {
        let offset = next.entry(partition).or_default();
        if *offset < lags[&partition].committed.unwrap_or(0) {
            if id == POISON {
                return Err("the record that nothing gets past is committed".into());
            }
            expected.entry(partition).or_default().push(id);
        }
        *offset += 1;
    }
    let (mut found, mut counts) = (BTreeMap::<i32, Vec<i64>>::new(), BTreeMap::<i32, usize>::new());
    for (partition, _, id) in simulator.read::<String, i64>("out")? {
        found.entry(partition).or_default().push(id);
    }
    for (partition, ..) in simulator.read::<String, i64>("counts-out")? {
        *counts.entry(partition).or_default() += 1;
    }
    let sizes = expected.iter().map(|(partition, ids)| (*partition, ids.len())).collect();
    if found == expected && counts == sizes {
        return Ok(());
    }
    Err(format!("came out: {found:?}, counted {counts:?}, committed: {expected:?}").into())
}

#[test]
fn what_a_task_did_that_stops_in_a_transaction_comes_out_as_far_as_its_offsets() {
    report("what_a_task_did_that_stops_in_a_transaction_comes_out_as_far_as_its_offsets", 120, run);
}
