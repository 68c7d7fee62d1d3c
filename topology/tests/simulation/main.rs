//! Whole applications through crashes, hangs, refused commits and lost replies: what comes out is what should.
//!
//! `TIDEMILL_SEED=7` runs one seed and prints everything that happened; `TIDEMILL_SEEDS=5000` runs more of them.

mod cogroup;
mod processor;
mod repartition;
mod scenario;
mod seeds;
mod windows;

use scenario::{Scenario, simulate};
use tidemill_topology::ProcessingGuarantee::{AtLeastOnce, ExactlyOnce};

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Runs a seed twice: whatever depends on a hash map's order or on the machine's clock shows as a difference.
fn check_deterministic<S: Scenario>() {
    for seed in 1..=variable("TIDEMILL_SEEDS").unwrap_or(5) {
        for guarantee in [ExactlyOnce, AtLeastOnce] {
            let (first, second) = (simulate::<S>(seed, guarantee), simulate::<S>(seed, guarantee));
            let differ = first.trace.iter().zip(&second.trace).find(|(first, second)| first != second);
            assert_eq!(first.hash, second.hash, "seed {seed}, {guarantee:?}: {differ:?}");
        }
    }
}

#[test]
fn a_seed_gives_the_same_run_again() {
    check_deterministic::<windows::Windows>();
    check_deterministic::<repartition::Repartition>();
    check_deterministic::<cogroup::Cogroup>();
    check_deterministic::<processor::Batching>();
}
