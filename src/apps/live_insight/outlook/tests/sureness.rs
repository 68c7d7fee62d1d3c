//! How sure predictions are.

use tidemill_schemas::Insight;

use super::super::{
    advice::SURE,
    forecast::Belief,
    sureness::{BOUNDS, Lessons, Record, Sureness},
    trust::{First, Trust},
    *,
};
use super::{MINUTE_MS, newest, stream, window};
use crate::apps::{
    live_insight::analysis::author_hash,
    recordings::{Pattern, START_MS, insights, pattern},
};

const NONE: First = First { trust: 0.5, evidence: 1.0 };

fn claim(side: Side) -> Claim {
    Claim { from_ms: 0, until_ms: 300_000, side, chats_per_second: 1.0 }
}

fn belief(per_second: f64) -> Belief {
    Belief { mean: per_second.ln(), spread: 0.3, level: per_second.ln(), trend: 0.0 }
}

/// Streams of all patterns, and invented ones that hardly change or that jump.
fn streams() -> Vec<Vec<Insight>> {
    let mut streams =
        vec![stream([0; 90]), stream([1; 90]), stream([600; 200]), stream([60; 40].into_iter().chain([2; 60]))];
    for seed in 0..8 {
        // Any number of messages after any other.
        streams.push(stream((0..120).map(|at| u64::from(author_hash(&format!("{seed}, {at}")) % 200))));
    }
    for kind in Pattern::ALL {
        let evening = pattern(kind, 0);
        streams.push(insights(&evening.chats, &evening.segments, START_MS, MINUTE_MS));
    }
    streams
}

#[test]
fn nothing_is_told_as_impossible_or_certain_and_advice_to_do_something_is_sure_enough() {
    let is_bounded = |probability: f64| (BOUNDS.0..=BOUNDS.1).contains(&probability);
    for stream in streams() {
        for told in told(&stream.iter().collect::<Vec<_>>()) {
            let Prediction { advice, promotion, .. } = &told.prediction;
            assert!(is_bounded(advice.confidence) && is_bounded(promotion.probability), "{told:?}");
            assert!(advice.action == Action::KeepGoing || advice.confidence >= SURE, "{told:?}");
            assert!(!promotion.now || promotion.probability >= SURE, "{told:?}");
        }
    }
}

#[test]
fn each_further_steady_minute_makes_a_prediction_surer() {
    let sure: Vec<f64> = (8..60).map(|minutes| newest(&stream(vec![60; minutes])).advice.confidence).collect();
    assert!(sure.is_sorted(), "{sure:?}");
    assert!(sure[0] < 0.85 && sure[51] > 0.93, "{sure:?}");
}

#[test]
fn the_more_of_a_kind_came_true_the_surer_the_kind_and_few_change_little() {
    let sure = |came_true: u32| Record { judged: 10.0, came_true: f64::from(came_true), expected: 7.0 }.corrected(0.7);
    let sures: Vec<f64> = (0..=10).map(sure).collect();
    assert!(sures.is_sorted_by(|less, more| less < more), "{sures:?}");
    assert!((sure(7) - 0.7).abs() < 1e-9, "as often as told changes nothing");
    let failed = |judged: f64| Record { judged, came_true: 0.0, expected: 0.7 * judged }.corrected(0.7);
    assert!(failed(1.0) > 0.6 && failed(100.0) < 0.1, "{} {}", failed(1.0), failed(100.0));
}

#[test]
fn a_claim_is_surer_the_more_often_it_would_have_come_true_so_far() {
    let plain = |held: usize| {
        let mut sureness = Sureness::new(Lessons::default(), 5);
        (0..20).for_each(|at| sureness.saw(if at < held { 1.5 } else { 0.5 }));
        let weighed = |side| sureness.weigh(Action::KeepGoing, &claim(side), &belief(1.0));
        assert!((weighed(Side::Above).sure + weighed(Side::Below).sure - 1.0).abs() < 1e-9, "opposites");
        weighed(Side::Above).sure
    };
    let sures: Vec<f64> = (0..=20).map(plain).collect();
    assert!(sures.is_sorted_by(|less, more| less < more), "{sures:?}");
    assert!(sures[20] < 0.75, "twenty minutes are only four times five: {sures:?}");
}

#[test]
fn a_method_is_trusted_as_far_as_it_was_better_than_the_plain_one() {
    let after = |came: f64, times: usize| {
        let mut trust = Trust::default();
        (0..times).for_each(|_| trust.learn(1.0, 0.0, came));
        trust.pool(1.0, 0.0, NONE)
    };
    assert!((after(1.0, 0) - 0.5).abs() < 1e-9, "the first trust");
    assert!(after(1.0, 50) > 0.98 && after(0.0, 50) < 0.02 && (after(0.5, 50) - 0.5).abs() < 1e-9);
    assert!(after(1.0, 2) > after(1.0, 1) && after(0.0, 2) < after(0.0, 1), "more evidence, more effect");
    assert!(after(-3.0, 9) >= 0.0 && after(4.0, 9) <= 1.0, "never beyond the two methods");
}

#[test]
fn a_kind_that_did_not_come_true_in_earlier_streams_is_less_sure_in_the_next() {
    let slow = |after: u64| [60; 20].into_iter().chain([50, 40, 33, 28]).chain([after; 8]).cycle().take(96);
    let day = |day: i64, chats: Vec<u64>| {
        (0..).zip(chats).map(move |(minute, chats)| window(day * 1_440 + minute, chats, 0..20)).collect::<Vec<_>>()
    };
    let last: Vec<u64> = [60; 20].into_iter().chain([50, 40, 33, 28]).collect();
    // The chat recovered at once, or it stayed slow.
    let sure = |after: u64| {
        let mut streams: Vec<Insight> = (0..3).flat_map(|at| day(at, slow(after).collect())).collect();
        streams.extend(day(3, last.clone()));
        let advice = newest(&streams).advice;
        if advice.claim.side == Side::Below { advice.confidence } else { 1.0 - advice.confidence }
    };
    assert!(sure(25) > sure(70) + 0.05, "{} {}", sure(25), sure(70));
}
