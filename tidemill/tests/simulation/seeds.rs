//! Seeds that once failed, each with the faults that it takes and named for what they showed.

use tidemill::{
    ProcessingGuarantee::{self, AtLeastOnce, ExactlyOnce},
    testing::FaultRates,
};

use super::{
    by_key::ByKey,
    cogroup::Cogroup,
    global::Global,
    join::Join,
    processor::Batching,
    repartition::Repartition,
    scenario::{Run, Scenario, simulate_with},
    standbys,
    windows::Windows,
};

/// Runs some seeds. Each has its own number of instances, threads and buffered records.
fn check<S: Scenario>(seeds: impl IntoIterator<Item = u64>, guarantee: ProcessingGuarantee, faults: &FaultRates) {
    for seed in seeds {
        assert_right(seed, simulate_with::<S>(seed, guarantee, faults.clone()));
    }
}

fn assert_right(seed: u64, run: Run) {
    if let Err(problem) = run.outcome {
        panic!("seed {seed}: {problem}\n{}", run.trace.join("\n"));
    }
}

#[test]
fn a_read_that_brings_nothing_is_not_a_changelogs_end() {
    let faults = FaultRates { short_read: 0.5, crash: 0.01, store_flush: 0.1, ..FaultRates::NONE };
    check::<Windows>([1, 2, 3], ExactlyOnce, &faults);
    check::<Repartition>([3, 7], AtLeastOnce, &faults);
    check::<Batching>([6, 10, 11], ExactlyOnce, &faults);
}

#[test]
fn a_log_that_is_away_for_a_moment_costs_nothing_but_time() {
    let faults = FaultRates { unavailable: 0.02, close: 0.005, store_flush: 0.1, ..FaultRates::NONE };
    check::<Windows>([1, 2, 3], ExactlyOnce, &faults);
    check::<Repartition>([1, 2, 3], ExactlyOnce, &faults);
    check::<Cogroup>([2, 4, 5], AtLeastOnce, &faults);
    check::<Batching>([1, 4, 7], ExactlyOnce, &faults);
}

#[test]
fn a_refused_commit_does_not_hide_what_was_assigned_with_the_same_poll() {
    let faults = FaultRates { abort: 0.3, close: 0.02, store_flush: 0.1, ..FaultRates::NONE };
    check::<Windows>([16], ExactlyOnce, &faults);
}

#[test]
fn a_store_set_aside_takes_no_fetched_records_with_it() {
    let faults = FaultRates { corruption: 0.02, store_flush: 0.1, ..FaultRates::NONE };
    check::<Cogroup>([1, 10, 15], ExactlyOnce, &faults);
    check::<Cogroup>([19, 21, 25], AtLeastOnce, &faults);
}

#[test]
fn a_changelog_record_never_comes_after_a_later_owners() {
    let faults = FaultRates { unavailable: 0.02, close: 0.005, store_flush: 0.1, ..FaultRates::NONE };
    check::<Windows>([35, 52], AtLeastOnce, &faults);
}

#[test]
fn a_commit_whose_reply_is_lost_counts_once_whether_it_took_effect_or_not() {
    let faults = FaultRates { lost_reply: 0.1, store_flush: 0.1, ..FaultRates::NONE };
    check::<Windows>([1, 2, 4], ExactlyOnce, &faults);
    check::<Repartition>([1, 2, 4], ExactlyOnce, &faults);
    check::<Cogroup>([1, 2, 4], ExactlyOnce, &faults);
    check::<Batching>([1, 2, 4], ExactlyOnce, &faults);
}

#[test]
fn a_thread_waits_for_stores_that_a_hanging_thread_of_its_instance_has_open() {
    let faults = FaultRates { pause: 0.02, store_flush: 0.1, ..FaultRates::NONE };
    check::<Windows>([3, 4, 9], ExactlyOnce, &faults);
    check::<Repartition>([3, 4, 5], AtLeastOnce, &faults);
}

#[test]
fn a_store_that_missed_a_deletion_does_not_bring_it_back() {
    let faults = FaultRates { idle_day: 0.02, crash: 0.03, store_flush: 0.05, ..FaultRates::NONE };
    check::<Batching>([1, 2, 3, 4, 5], ExactlyOnce, &faults);
}

#[test]
fn a_restored_task_runs_though_another_ones_restore_failed_in_the_same_turn() {
    let faults = FaultRates { late_end: 0.0, late_markers: 0.0, ..FaultRates::default() };
    check::<Batching>([2692], AtLeastOnce, &faults);
    check::<Cogroup>([3980], AtLeastOnce, &faults);
}

#[test]
fn a_lost_partition_is_not_committed_for_by_the_member_that_comes_after() {
    let faults = FaultRates::default();
    check::<Join>([1337, 6122, 8974], AtLeastOnce, &faults);
    check::<Cogroup>([11366], AtLeastOnce, &faults);
    check::<Windows>([5407], AtLeastOnce, &faults);
    assert_right(8011, standbys::run::<Batching>(8011, AtLeastOnce, &faults));
}

#[test]
fn a_restored_row_that_is_far_ahead_of_its_keys_restored_time_closes_with_silence() {
    check::<ByKey>([267], AtLeastOnce, &FaultRates::default());
}

#[test]
fn a_flush_behind_the_next_owners_records_does_not_hide_them_from_the_store() {
    check::<ByKey>([901], AtLeastOnce, &FaultRates::default());
}

#[test]
fn what_a_replaced_member_writes_to_a_changelog_is_written_over_by_the_next_owner() {
    check::<ByKey>([4291, 6571], AtLeastOnce, &FaultRates::default());
    assert_right(593, standbys::run::<ByKey>(593, AtLeastOnce, &FaultRates::default()));
}

#[test]
fn a_global_store_that_is_filled_again_may_be_damaged_at_once() {
    check::<Global>([597, 1166], ExactlyOnce, &FaultRates::default());
}

#[test]
fn a_standby_whose_reader_stopped_at_a_deleted_record_goes_on() {
    assert_right(545, standbys::run::<Cogroup>(545, ExactlyOnce, &FaultRates::default()));
}
