//! The other scenarios with standbys: tasks move to where their stores are warm, and nothing that comes out changes.

use std::time::Duration;

use tidemill::{
    ProcessingGuarantee::{self, AtLeastOnce, ExactlyOnce},
    StreamsConfig,
    testing::FaultRates,
};

use super::{
    by_key::ByKey,
    cogroup::Cogroup,
    group_table::GroupTable,
    join::Join,
    processor::Batching,
    repartition::Repartition,
    report,
    scenario::{Run, Scenario, simulate_as},
    sessions::Sessions,
    suppress::Suppress,
    table_join::TableJoin,
    windows::Windows,
};

/// Seeds that each scenario runs with each guarantee.
const SEEDS: u64 = 100;

/// Runs a seed with standbys.
pub(crate) fn run<S: Scenario>(seed: u64, guarantee: ProcessingGuarantee, faults: &FaultRates) -> Run {
    let config = StreamsConfig {
        processing_guarantee: guarantee,
        num_standby_replicas: 1 + (seed % 2) as usize,
        // Short enough that whoever hangs or dies is taken for gone while the simulation goes on.
        member_timeout: Duration::from_millis(if seed.is_multiple_of(7) { 50 } else { 1000 }),
        ..StreamsConfig::new("sim")
    };
    simulate_as::<S>(seed, 2 + (seed % 2) as usize, config, faults.clone())
}

fn check<S: Scenario>(test: &str, guarantee: ProcessingGuarantee, faults: &FaultRates) {
    report(test, SEEDS, |seed| run::<S>(seed, guarantee, faults));
}

#[test]
fn a_seed_with_standbys_gives_the_same_run_again() {
    for seed in 1..=5 {
        let hash = || run::<Windows>(seed, ExactlyOnce, &FaultRates::default()).hash;
        assert_eq!(hash(), hash(), "seed {seed}");
    }
}

#[test]
fn standbys_are_kept_and_taken_over() {
    let calm = FaultRates { close: 0.02, ..FaultRates::NONE };
    let trace: Vec<_> = (1..=10).flat_map(|seed| run::<Windows>(seed, ExactlyOnce, &calm).trace).collect();
    for event in ["keeps standbys warm with", "takes over a standby"] {
        let times = trace.iter().filter(|line| line.contains(event)).count();
        assert!(times > 10, "'{event}' happened {times} times");
    }
}

#[test]
fn standbys_of_windows_exactly_once() {
    check::<Windows>("standbys_of_windows_exactly_once", ExactlyOnce, &FaultRates::default());
}

#[test]
fn standbys_of_windows_at_least_once() {
    check::<Windows>("standbys_of_windows_at_least_once", AtLeastOnce, &FaultRates::default());
}

#[test]
fn standbys_of_sessions_exactly_once() {
    check::<Sessions>("standbys_of_sessions_exactly_once", ExactlyOnce, &FaultRates::default());
}

#[test]
fn standbys_of_sessions_at_least_once() {
    check::<Sessions>("standbys_of_sessions_at_least_once", AtLeastOnce, &FaultRates::default());
}

#[test]
fn standbys_of_times_by_key_exactly_once() {
    check::<ByKey>("standbys_of_times_by_key_exactly_once", ExactlyOnce, &FaultRates::default());
}

#[test]
fn standbys_of_times_by_key_at_least_once() {
    check::<ByKey>("standbys_of_times_by_key_at_least_once", AtLeastOnce, &FaultRates::default());
}

#[test]
fn standbys_of_a_repartition_exactly_once() {
    check::<Repartition>("standbys_of_a_repartition_exactly_once", ExactlyOnce, &FaultRates::default());
}

#[test]
fn standbys_of_a_cogroup_exactly_once() {
    check::<Cogroup>("standbys_of_a_cogroup_exactly_once", ExactlyOnce, &FaultRates::default());
}

#[test]
fn standbys_of_a_join_exactly_once() {
    check::<Join>("standbys_of_a_join_exactly_once", ExactlyOnce, &FaultRates::default());
}

#[test]
fn standbys_of_held_updates_exactly_once() {
    check::<Suppress>("standbys_of_held_updates_exactly_once", ExactlyOnce, &FaultRates::default());
}

#[test]
fn standbys_of_held_updates_at_least_once() {
    check::<Suppress>("standbys_of_held_updates_at_least_once", AtLeastOnce, &FaultRates::default());
}

#[test]
fn standbys_of_joined_tables_exactly_once() {
    check::<TableJoin<true>>("standbys_of_joined_tables_exactly_once", ExactlyOnce, &FaultRates::default());
}

#[test]
fn standbys_of_a_grouped_table_exactly_once() {
    check::<GroupTable>("standbys_of_a_grouped_table_exactly_once", ExactlyOnce, &FaultRates::default());
}

#[test]
fn standbys_of_a_processor_exactly_once() {
    check::<Batching>("standbys_of_a_processor_exactly_once", ExactlyOnce, &FaultRates::default());
}

#[test]
fn standbys_of_a_processor_at_least_once() {
    check::<Batching>("standbys_of_a_processor_at_least_once", AtLeastOnce, &FaultRates::default());
}

#[test]
fn a_standby_that_missed_a_deletion_does_not_bring_it_back() {
    let faults = FaultRates { idle_day: 0.02, crash: 0.03, close: 0.02, store_flush: 0.05, ..FaultRates::NONE };
    check::<Batching>("a_standby_that_missed_a_deletion_does_not_bring_it_back", ExactlyOnce, &faults);
}
