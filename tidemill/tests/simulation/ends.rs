//! Ends of transactions that are sent again and come late, twice or in another order.

use tidemill::{ProcessingGuarantee::ExactlyOnce, testing::FaultRates};

use super::{
    SEEDS, cogroup::Cogroup, join::Join, processor::Batching, repartition::Repartition, report,
    scenario::simulate_with, windows::Windows,
};

/// Every third transaction's end comes again, and most are long on their way. A fifth is aborted, and some instances die.
fn faults() -> FaultRates {
    FaultRates {
        late_end: 0.3,
        slow_commit: 0.8,
        abort: 0.2,
        lost_reply: 0.03,
        crash: 0.005,
        store_flush: 0.1,
        ..FaultRates::NONE
    }
}

#[test]
fn an_end_that_comes_again_does_not_end_a_later_transaction() {
    let test = "an_end_that_comes_again_does_not_end_a_later_transaction";
    report(test, SEEDS, |seed| match seed % 5 {
        0 => simulate_with::<Windows>(seed, ExactlyOnce, faults()),
        1 => simulate_with::<Repartition>(seed, ExactlyOnce, faults()),
        2 => simulate_with::<Cogroup>(seed, ExactlyOnce, faults()),
        3 => simulate_with::<Join>(seed, ExactlyOnce, faults()),
        _ => simulate_with::<Batching>(seed, ExactlyOnce, faults()),
    });
}

/// What keeps the next transaction is that the producer knows what it did: without that, the simulation must fail.
#[test]
fn an_end_that_comes_again_unnoticed_ends_a_later_transaction() {
    let faults = FaultRates { unnoticed_end: 1.0, ..faults() };
    let fails = |seed: &u64| simulate_with::<Repartition>(*seed, ExactlyOnce, faults.clone()).outcome.is_err();
    let failed: Vec<_> = (1..=20).filter(fails).collect();
    assert!(!failed.is_empty(), "no seed showed it");
}
