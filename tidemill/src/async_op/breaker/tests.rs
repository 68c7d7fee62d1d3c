//! The breaker's states one by one.

mod model;
mod outages;

use std::time::Duration;

use super::*;

/// The attempts of these tests last at most this long.
const TIMEOUT_MS: i64 = 30_000;

/// Opens after 3 failures in a row, for 10 s, then 20 s, then 40 s at most.
fn policy() -> BreakerPolicy {
    BreakerPolicy { failures: 3, window: 0, longest: Duration::from_secs(40), ..BreakerPolicy::default() }
}

fn ticket(breaker: &mut Breaker, now_ms: i64) -> Ticket {
    match breaker.admit(now_ms, now_ms + TIMEOUT_MS) {
        Admission::Yes(ticket) | Admission::Probe(ticket) => ticket,
        Admission::Not { until_ms } => panic!("the attempt at {now_ms} must wait until {until_ms}"),
    }
}

fn refused_until(breaker: &mut Breaker, now_ms: i64) -> Option<i64> {
    match breaker.admit(now_ms, now_ms + TIMEOUT_MS) {
        Admission::Not { until_ms } => Some(until_ms),
        Admission::Yes(_) | Admission::Probe(_) => None,
    }
}

fn fails(breaker: &mut Breaker, now_ms: i64) {
    let ticket = ticket(breaker, now_ms);
    breaker.failed(now_ms, ticket, 0);
}

fn succeeds(breaker: &mut Breaker, now_ms: i64) {
    let ticket = ticket(breaker, now_ms);
    breaker.succeeded(ticket, 0);
}

/// A breaker that opened at 0, until 10 s.
fn open() -> Breaker {
    opened(policy())
}

fn opened(policy: BreakerPolicy) -> Breaker {
    let mut breaker = Breaker::new(policy);
    while breaker.state(0) == BreakerState::Closed {
        fails(&mut breaker, 0);
    }
    breaker
}

#[test]
fn it_opens_after_failures_in_a_row_and_closes_after_a_probe() {
    let mut breaker = Breaker::new(policy());
    for _ in 0..2 {
        fails(&mut breaker, 0);
    }
    succeeds(&mut breaker, 0);
    for _ in 0..2 {
        fails(&mut breaker, 0);
    }
    assert_eq!(breaker.state(0), BreakerState::Closed);
    fails(&mut breaker, 0);
    assert_eq!(breaker.state(0), BreakerState::Open { until_ms: 10_000 });
    assert_eq!(refused_until(&mut breaker, 9_999), Some(10_000));
    assert!(matches!(breaker.admit(10_000, 12_000), Admission::Probe(_)));
    assert_eq!(breaker.state(10_000), BreakerState::HalfOpen);
    // The probe runs. At its deadline it is lost at the latest.
    assert_eq!(refused_until(&mut breaker, 10_001), Some(12_000));
    succeeds(&mut breaker, 12_000);
    assert_eq!(breaker.state(12_000), BreakerState::Closed);
    assert!(matches!(breaker.admit(12_000, 42_000), Admission::Yes(_)));
    assert_eq!(breaker.changes(), BreakerChanges { opened: 1, half_opened: 1, closed: 1 });
}

#[test]
fn it_opens_when_half_of_the_window_failed() {
    let window = BreakerPolicy { failures: 0, window: 8, minimum: 4, ..BreakerPolicy::default() };
    let mut breaker = Breaker::new(window);
    for _ in 0..8 {
        succeeds(&mut breaker, 0);
    }
    for _ in 0..3 {
        fails(&mut breaker, 0);
        succeeds(&mut breaker, 0);
    }
    // The last eight are two successes and three pairs. The next failure replaces a success.
    assert_eq!(breaker.state(0), BreakerState::Closed);
    fails(&mut breaker, 0);
    assert_eq!(breaker.state(0), BreakerState::Open { until_ms: 10_000 });
}

#[test]
fn failures_leave_the_window_again() {
    let mut breaker = Breaker::new(BreakerPolicy { failures: 0, window: 8, minimum: 8, ..BreakerPolicy::default() });
    for _ in 0..10 {
        for _ in 0..3 {
            fails(&mut breaker, 0);
        }
        for _ in 0..5 {
            succeeds(&mut breaker, 0);
        }
    }
    assert_eq!(breaker.state(0), BreakerState::Closed);
}

#[test]
fn the_default_policy_opens_after_five_in_a_row_or_half_of_the_last_twenty() {
    let mut in_a_row = Breaker::new(BreakerPolicy::default());
    for _ in 0..5 {
        assert_eq!(in_a_row.state(0), BreakerState::Closed);
        fails(&mut in_a_row, 0);
    }
    assert_eq!(in_a_row.state(0), BreakerState::Open { until_ms: 10_000 });
    let mut share = Breaker::new(BreakerPolicy::default());
    for _ in 0..10 {
        assert_eq!(share.state(0), BreakerState::Closed);
        succeeds(&mut share, 0);
        fails(&mut share, 0);
    }
    assert_eq!(share.state(0), BreakerState::Open { until_ms: 10_000 });
}

#[test]
fn pauses_double_up_to_the_longest_until_it_closes() {
    let mut breaker = open();
    let mut now_ms = 10_000;
    for pause_ms in [20_000, 40_000, 40_000] {
        fails(&mut breaker, now_ms);
        assert_eq!(breaker.state(now_ms), BreakerState::Open { until_ms: now_ms + pause_ms });
        now_ms += pause_ms;
    }
    succeeds(&mut breaker, now_ms);
    for _ in 0..3 {
        fails(&mut breaker, now_ms);
    }
    assert_eq!(breaker.state(now_ms), BreakerState::Open { until_ms: now_ms + 10_000 });
}

#[test]
fn a_long_outage_keeps_the_longest_pause() {
    let mut breaker = open();
    let mut now_ms = 10_000;
    for _ in 0..100 {
        fails(&mut breaker, now_ms);
        now_ms += 40_000;
        assert_eq!(breaker.state(now_ms), BreakerState::HalfOpen);
    }
    fails(&mut breaker, now_ms);
    assert_eq!(breaker.state(now_ms), BreakerState::Open { until_ms: now_ms + 40_000 });
}

#[test]
fn whoever_must_wait_for_probes_waits_for_the_first_that_can_be_lost() {
    let mut breaker = opened(BreakerPolicy { probes: 3, ..policy() });
    for deadline_ms in [25_000, 12_000, 18_000] {
        assert!(matches!(breaker.admit(10_000, deadline_ms), Admission::Probe(_)));
    }
    assert_eq!(refused_until(&mut breaker, 10_000), Some(12_000));
    assert_eq!(refused_until(&mut breaker, 12_000), None);
    assert_eq!(refused_until(&mut breaker, 12_000), Some(18_000));
}

#[test]
fn an_abandoned_probe_makes_room_for_another() {
    let mut breaker = open();
    let probe = ticket(&mut breaker, 10_000);
    assert!(refused_until(&mut breaker, 10_000).is_some());
    breaker.abandoned(probe);
    // It has no outcome any more.
    breaker.succeeded(probe, 0);
    breaker.failed(10_000, probe, 0);
    assert_eq!(breaker.state(10_000), BreakerState::HalfOpen);
    succeeds(&mut breaker, 10_000);
    assert_eq!(breaker.state(10_000), BreakerState::Closed);
}

#[test]
fn with_more_probes_all_must_succeed_and_one_failure_opens() {
    let three = BreakerPolicy { probes: 3, ..policy() };
    let mut breaker = opened(three.clone());
    let probes = [(); 3].map(|()| ticket(&mut breaker, 10_000));
    assert!(refused_until(&mut breaker, 10_000).is_some());
    breaker.succeeded(probes[0], 0);
    // Two successes are missing and two probes run.
    assert!(refused_until(&mut breaker, 10_000).is_some());
    breaker.succeeded(probes[1], 0);
    assert_eq!(breaker.state(10_000), BreakerState::HalfOpen);
    breaker.succeeded(probes[2], 0);
    assert_eq!(breaker.state(10_000), BreakerState::Closed);

    let mut breaker = opened(three);
    let probes = [(); 3].map(|()| ticket(&mut breaker, 10_000));
    breaker.succeeded(probes[0], 0);
    breaker.failed(11_000, probes[1], 0);
    breaker.succeeded(probes[2], 0);
    assert_eq!(breaker.state(11_000), BreakerState::Open { until_ms: 31_000 });
}

#[test]
fn an_asked_pause_opens_at_once_and_for_that_pause() {
    let mut breaker = Breaker::new(policy());
    let attempt = ticket(&mut breaker, 0);
    breaker.failed_until(0, 2_000, attempt, 0);
    // Not 10 s: one limited attempt does not show that the service fails.
    assert_eq!(breaker.state(0), BreakerState::Open { until_ms: 2_000 });
    let probe = ticket(&mut breaker, 2_000);
    breaker.failed_until(2_000, 3_000, probe, 0);
    assert_eq!(breaker.state(2_000), BreakerState::Open { until_ms: 12_000 });
    let probe = ticket(&mut breaker, 12_000);
    breaker.failed_until(12_000, 60_000, probe, 0);
    assert_eq!(breaker.state(12_000), BreakerState::Open { until_ms: 60_000 });
}

#[test]
fn a_policy_of_zeros_still_has_a_way_back() {
    let zeros = BreakerPolicy {
        failures: 0,
        window: 0,
        minimum: 0,
        failed_percent: 0,
        open_for: Duration::ZERO,
        longest: Duration::ZERO,
        probes: 0,
    };
    let mut breaker = Breaker::new(zeros);
    for _ in 0..100 {
        fails(&mut breaker, 0);
    }
    assert_eq!(breaker.state(0), BreakerState::Closed);
    let attempt = ticket(&mut breaker, 0);
    breaker.failed_until(0, 1_000, attempt, 0);
    fails(&mut breaker, 1_000);
    assert_eq!(breaker.state(1_000), BreakerState::HalfOpen);
    succeeds(&mut breaker, 1_000);
    assert_eq!(breaker.state(1_000), BreakerState::Closed);
}
