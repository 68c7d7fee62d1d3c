//! Seeds that once failed, each with the faults that it takes and named for what they showed.

use tidemill_topology::{
    ProcessingGuarantee::{self, AtLeastOnce, ExactlyOnce},
    testing::FaultRates,
};

use super::{
    processor::Batching,
    repartition::Repartition,
    scenario::{Scenario, simulate_with},
    windows::Windows,
};

/// Runs some seeds. Each has its own number of instances, threads and buffered records.
fn check<S: Scenario>(seeds: impl IntoIterator<Item = u64>, guarantee: ProcessingGuarantee, faults: &FaultRates) {
    for seed in seeds {
        let run = simulate_with::<S>(seed, guarantee, faults.clone());
        if let Err(problem) = run.outcome {
            panic!("seed {seed}: {problem}\n{}", run.trace.join("\n"));
        }
    }
}

#[test]
fn a_read_that_brings_nothing_is_not_a_changelogs_end() {
    let faults = FaultRates { short_read: 0.5, crash: 0.01, store_flush: 0.1, ..FaultRates::NONE };
    check::<Windows>([1, 2, 3], ExactlyOnce, &faults);
    check::<Repartition>([3, 7], AtLeastOnce, &faults);
    check::<Batching>([6, 10, 11], ExactlyOnce, &faults);
}
