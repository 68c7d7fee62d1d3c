//! Seeds that once failed, each with the faults that it takes and named for what they showed.

use tidemill_topology::{ProcessingGuarantee, testing::FaultRates};

use super::scenario::{Scenario, simulate_with};

/// Runs some seeds. Each has its own number of instances, threads and buffered records.
fn check<S: Scenario>(seeds: impl IntoIterator<Item = u64>, guarantee: ProcessingGuarantee, faults: &FaultRates) {
    for seed in seeds {
        let run = simulate_with::<S>(seed, guarantee, faults.clone());
        if let Err(problem) = run.outcome {
            panic!("seed {seed}: {problem}\n{}", run.trace.join("\n"));
        }
    }
}
