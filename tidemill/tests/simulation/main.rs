//! Whole applications through crashes, hangs, refused commits and lost replies: what comes out is what should.
//!
//! `TIDEMILL_SEED=7` runs one seed and prints everything that happened; `TIDEMILL_SEEDS=5000` runs more of them;
//! `TIDEMILL_FIRST=1` ends with the first that fails.

mod as_of;
mod bounds;
mod by_key;
mod caching;
mod calls;
mod cogroup;
mod cogroup_windows;
mod ends;
mod erasing;
mod foreign_key;
mod generated;
mod global;
mod group_table;
mod idle;
mod idle_rest;
mod join;
mod kept_sessions;
mod processor;
mod repartition;
mod scenario;
mod seeds;
mod sessions;
mod sliding;
mod standbys;
mod stopping;
mod suppress;
mod table_join;
mod tables;
mod time_to_live;
mod to_table;
mod versions;
mod windows;

use std::fmt::Write as _;

use scenario::{Run, Scenario, simulate, simulate_with};
use tidemill::{
    ProcessingGuarantee::{self, AtLeastOnce, ExactlyOnce},
    testing::FaultRates,
};

/// Seeds that each scenario runs with each guarantee.
const SEEDS: u64 = 250;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Runs many seeds of a scenario.
fn check<S: Scenario>(test: &str, guarantee: ProcessingGuarantee) {
    report(test, SEEDS, |seed| simulate::<S>(seed, guarantee));
}

/// Runs many seeds; reports all that fail.
fn report(test: &str, seeds: u64, run: impl Fn(u64) -> Run) {
    let one = variable("TIDEMILL_SEED");
    let seeds = one.map_or(1..=variable("TIDEMILL_SEEDS").unwrap_or(seeds), |seed| seed..=seed);
    let mut report = String::new();
    let mut failed = 0;
    for seed in seeds {
        let run = run(seed);
        if let Err(problem) = run.outcome {
            failed += 1;
            let _ = writeln!(
                report,
                "{problem}\n  TIDEMILL_SEED={seed} cargo test --release -p tidemill --test simulation {test}"
            );
            if one.is_some() {
                let _ = writeln!(report, "{}", run.trace.join("\n"));
            }
            if variable("TIDEMILL_FIRST").is_some() {
                break;
            }
        }
    }
    assert_eq!(failed, 0, "{failed} seeds failed\n{report}");
}

#[test]
fn windows_exactly_once() {
    check::<windows::Windows>("windows_exactly_once", ExactlyOnce);
}

#[test]
fn windows_at_least_once() {
    check::<windows::Windows>("windows_at_least_once", AtLeastOnce);
}

#[test]
fn sessions_exactly_once() {
    check::<sessions::Sessions>("sessions_exactly_once", ExactlyOnce);
}

#[test]
fn sessions_at_least_once() {
    check::<sessions::Sessions>("sessions_at_least_once", AtLeastOnce);
}

#[test]
fn sliding_exactly_once() {
    check::<sliding::Sliding>("sliding_exactly_once", ExactlyOnce);
}

#[test]
fn sliding_at_least_once() {
    check::<sliding::Sliding>("sliding_at_least_once", AtLeastOnce);
}

#[test]
fn by_key_exactly_once() {
    check::<by_key::ByKey>("by_key_exactly_once", ExactlyOnce);
}

#[test]
fn by_key_at_least_once() {
    check::<by_key::ByKey>("by_key_at_least_once", AtLeastOnce);
}

#[test]
fn repartition_exactly_once() {
    check::<repartition::Repartition>("repartition_exactly_once", ExactlyOnce);
}

#[test]
fn repartition_at_least_once() {
    check::<repartition::Repartition>("repartition_at_least_once", AtLeastOnce);
}

#[test]
fn cogroup_exactly_once() {
    check::<cogroup::Cogroup>("cogroup_exactly_once", ExactlyOnce);
}

#[test]
fn cogroup_at_least_once() {
    check::<cogroup::Cogroup>("cogroup_at_least_once", AtLeastOnce);
}

#[test]
fn time_to_live_exactly_once() {
    check::<time_to_live::TimeToLive>("time_to_live_exactly_once", ExactlyOnce);
}

#[test]
fn join_exactly_once() {
    check::<join::Join>("join_exactly_once", ExactlyOnce);
}

#[test]
fn join_at_least_once() {
    check::<join::Join>("join_at_least_once", AtLeastOnce);
}

#[test]
fn caching_exactly_once() {
    check::<caching::Caching>("caching_exactly_once", ExactlyOnce);
}

#[test]
fn caching_at_least_once() {
    check::<caching::Caching>("caching_at_least_once", AtLeastOnce);
}

#[test]
fn processor_exactly_once() {
    check::<processor::Batching>("processor_exactly_once", ExactlyOnce);
}

#[test]
fn processor_at_least_once() {
    check::<processor::Batching>("processor_at_least_once", AtLeastOnce);
}

#[test]
fn kept_sessions() {
    check::<kept_sessions::KeptSessions>("kept_sessions", ExactlyOnce);
    check::<kept_sessions::KeptSessions>("kept_sessions", AtLeastOnce);
}

#[test]
fn versions_exactly_once() {
    check::<versions::Versions>("versions_exactly_once", ExactlyOnce);
}

#[test]
fn versions_at_least_once() {
    check::<versions::Versions>("versions_at_least_once", AtLeastOnce);
}

#[test]
fn as_of_exactly_once() {
    check::<as_of::AsOf>("as_of_exactly_once", ExactlyOnce);
}

#[test]
fn as_of_at_least_once() {
    check::<as_of::AsOf>("as_of_at_least_once", AtLeastOnce);
}

#[test]
fn a_wall_clock_that_is_set_changes_nothing() {
    let faults = FaultRates { clock_set: 0.05, ..FaultRates::default() };
    let test = "a_wall_clock_that_is_set_changes_nothing";
    for guarantee in [ExactlyOnce, AtLeastOnce] {
        report(test, SEEDS / 5, |seed| simulate_with::<windows::Windows>(seed, guarantee, faults.clone()));
        report(test, SEEDS / 5, |seed| simulate_with::<processor::Batching>(seed, guarantee, faults.clone()));
    }
}

#[test]
fn idle_exactly_once() {
    report("idle_exactly_once", SEEDS, |seed| idle::simulate(seed, ExactlyOnce, FaultRates::default()));
}

#[test]
fn idle_at_least_once() {
    report("idle_at_least_once", SEEDS, |seed| idle::simulate(seed, AtLeastOnce, FaultRates::default()));
}

#[test]
fn idle_writers_that_rested_and_stall() {
    let test = "idle_writers_that_rested_and_stall";
    report(test, SEEDS / 2, |seed| idle_rest::simulate(seed, ExactlyOnce, false));
    report(test, SEEDS / 2, |seed| idle_rest::simulate(seed, AtLeastOnce, false));
}

#[test]
fn idle_writers_far_above_that_rested_and_stall() {
    let test = "idle_writers_far_above_that_rested_and_stall";
    report(test, SEEDS / 2, |seed| idle_rest::simulate(seed, ExactlyOnce, true));
    report(test, SEEDS / 2, |seed| idle_rest::simulate(seed, AtLeastOnce, true));
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
    check_deterministic::<join::Join>();
    check_deterministic::<foreign_key::ForeignKey>();
    check_deterministic::<caching::Caching>();
    check_deterministic::<processor::Batching>();
    check_deterministic::<versions::Versions>();
    check_deterministic::<kept_sessions::KeptSessions>();
    check_deterministic::<as_of::AsOf>();
    check_deterministic::<suppress::Suppress>();
    check_deterministic::<table_join::TableJoin<true>>();
    check_deterministic::<group_table::GroupTable>();
    check_deterministic::<cogroup_windows::CogroupWindows>();
}

#[test]
fn repartition_topics_are_purged_while_a_simulation_runs() {
    let purged = (1..=20).filter(|seed| {
        let simulator = scenario::finished::<repartition::Repartition>(*seed, ExactlyOnce);
        let left = simulator.log().read_all("sim-by-group-repartition").expect("the topic is there");
        left.iter().all(|(_, record)| record.offset > 0)
    });
    assert!(purged.count() > 10, "most runs last longer than a purge interval");
}

#[test]
fn topics_of_a_foreign_key_join_are_purged_while_a_simulation_runs() {
    for topic in ["sim-inner-subscription-registration-repartition", "sim-inner-subscription-response-repartition"] {
        let purged = (1..=20).filter(|seed| {
            let simulator = scenario::finished::<foreign_key::ForeignKey>(*seed, ExactlyOnce);
            let left = simulator.log().read_all(topic).expect("the topic is there");
            left.iter().all(|(_, record)| record.offset > 0)
        });
        assert!(purged.count() > 10, "most runs last longer than a purge interval");
    }
}

#[test]
fn changelogs_by_key_are_purged_while_a_simulation_runs() {
    let purged = (1..=20).filter(|seed| {
        let simulator = scenario::finished::<by_key::ByKey>(*seed, ExactlyOnce);
        let left = simulator.log().read_all("sim-lists-changelog").expect("the topic is there");
        left.iter().all(|(_, record)| record.offset > 0)
    });
    let purged = purged.count();
    assert!(purged > 5, "{purged}");
}
