//! Outages as they happen: slow answers, lost probes, wrong requests, strange pauses.

use super::*;

#[test]
fn slow_answers_from_before_the_outage_do_not_close_it() {
    let mut breaker = Breaker::new(policy());
    let (while_open, while_half_open, after) =
        (ticket(&mut breaker, 0), ticket(&mut breaker, 0), ticket(&mut breaker, 0));
    for _ in 0..3 {
        fails(&mut breaker, 1_000);
    }
    breaker.succeeded(while_open, 0);
    assert_eq!(breaker.state(5_000), BreakerState::Open { until_ms: 11_000 });
    let probe = ticket(&mut breaker, 11_000);
    breaker.succeeded(while_half_open, 0);
    assert_eq!(breaker.state(11_000), BreakerState::HalfOpen);
    breaker.succeeded(probe, 0);
    // It closed, and an old failure is not the first of a new row.
    breaker.failed(12_000, after, 0);
    fails(&mut breaker, 12_000);
    fails(&mut breaker, 12_000);
    assert_eq!(breaker.state(12_000), BreakerState::Closed);
}

#[test]
fn failures_that_arrive_while_it_is_open_neither_lengthen_the_pause_nor_count_as_openings() {
    let mut breaker = Breaker::new(policy());
    let late = [(); 20].map(|()| ticket(&mut breaker, 0));
    for _ in 0..3 {
        fails(&mut breaker, 0);
    }
    for (attempt, now_ms) in late.into_iter().zip((0..).step_by(499)) {
        breaker.failed(now_ms, attempt, 0);
    }
    assert_eq!(breaker.state(9_999), BreakerState::Open { until_ms: 10_000 });
    assert_eq!(breaker.changes().opened, 1);
    fails(&mut breaker, 10_000);
    // The second pause, not the twenty-second.
    assert_eq!(breaker.state(10_000), BreakerState::Open { until_ms: 30_000 });
}

#[test]
fn a_late_failure_from_before_the_outage_does_not_end_the_probing() {
    let mut breaker = Breaker::new(policy());
    let late = ticket(&mut breaker, 0);
    for _ in 0..3 {
        fails(&mut breaker, 0);
    }
    let probe = ticket(&mut breaker, 10_000);
    breaker.failed(10_001, late, 0);
    assert_eq!(breaker.state(10_001), BreakerState::HalfOpen);
    breaker.succeeded(probe, 0);
    assert_eq!(breaker.state(10_001), BreakerState::Closed);
}

#[test]
fn a_crowd_at_the_end_of_the_pause_gets_one_probe() {
    let mut breaker = open();
    let admitted = (0..1_000).filter(|_| refused_until(&mut breaker, 10_000).is_none()).count();
    assert_eq!(admitted, 1);
}

#[test]
fn a_service_that_hangs_costs_one_time_out_for_each_probe() {
    // Probes last longer than the pause, so a pause alone must not let another one through.
    let mut breaker = open();
    let (mut now_ms, mut attempts) = (10_000, 0);
    let mut running: Option<(Ticket, i64)> = None;
    while now_ms < 300_000 {
        if let Some((probe, _)) = running.take_if(|(_, deadline_ms)| *deadline_ms <= now_ms) {
            breaker.failed(now_ms, probe, 0);
        }
        if let Admission::Probe(probe) = breaker.admit(now_ms, now_ms + TIMEOUT_MS) {
            assert!(running.is_none(), "two probes at the same time");
            running = Some((probe, now_ms + TIMEOUT_MS));
            attempts += 1;
        }
        now_ms += 100;
    }
    // 30 s for each probe, and pauses of 20 s, 40 s, 40 s, …
    assert_eq!(attempts, 5);
}

#[test]
fn a_probe_that_never_ends_does_not_keep_the_route_closed_to_all() {
    let mut breaker = open();
    let lost = ticket(&mut breaker, 10_000);
    // Days later, whoever asks gets through.
    assert_eq!(refused_until(&mut breaker, 39_999), Some(40_000));
    let next = ticket(&mut breaker, 500_000_000);
    // The first one answers after all. It is a probe of this opening, so it counts, once.
    breaker.succeeded(lost, 0);
    assert_eq!(breaker.state(500_000_000), BreakerState::Closed);
    breaker.failed(500_000_000, next, 0);
    assert_eq!(breaker.state(500_000_000), BreakerState::Closed);
    assert_eq!(breaker.changes().closed, 1);
}

#[test]
fn lost_probes_that_fail_at_last_do_not_open_it_again() {
    let mut breaker = open();
    let lost = [10_000, 40_000, 70_000].map(|now_ms| ticket(&mut breaker, now_ms));
    succeeds(&mut breaker, 100_000);
    for probe in lost {
        breaker.failed(100_000, probe, 0);
    }
    assert_eq!(breaker.state(100_000), BreakerState::Closed);
}

#[test]
fn an_answer_from_before_the_outage_does_not_break_a_row_after_it() {
    let mut breaker = Breaker::new(policy());
    let late = ticket(&mut breaker, 0);
    for _ in 0..3 {
        fails(&mut breaker, 0);
    }
    succeeds(&mut breaker, 10_000);
    fails(&mut breaker, 10_000);
    fails(&mut breaker, 10_000);
    breaker.succeeded(late, 0);
    fails(&mut breaker, 10_000);
    assert_eq!(breaker.state(10_000), BreakerState::Open { until_ms: 20_000 });
}

#[test]
fn a_probe_whose_request_was_refused_says_nothing_and_is_replaced() {
    // A blocked text neither proves that the service fails nor that it works again.
    let mut breaker = open();
    for _ in 0..50 {
        let refused = ticket(&mut breaker, 10_000);
        breaker.abandoned(refused);
        assert_eq!(breaker.state(10_000), BreakerState::HalfOpen);
    }
    succeeds(&mut breaker, 10_000);
    assert_eq!(breaker.state(10_000), BreakerState::Closed);
}

#[test]
fn refused_requests_between_failures_do_not_break_the_row() {
    let mut breaker = Breaker::new(policy());
    for _ in 0..3 {
        let refused = ticket(&mut breaker, 0);
        breaker.abandoned(refused);
        fails(&mut breaker, 0);
    }
    assert_eq!(breaker.state(0), BreakerState::Open { until_ms: 10_000 });
}

#[test]
fn more_abandoned_probes_than_places_give_no_more_places() {
    let mut breaker = opened(BreakerPolicy { probes: 2, ..policy() });
    let early = ticket(&mut breaker, 10_000);
    // Twice is a mistake of the caller. It must not make two places of one.
    breaker.abandoned(early);
    breaker.abandoned(early);
    let (first, second) = (ticket(&mut breaker, 10_000), ticket(&mut breaker, 10_000));
    assert!(refused_until(&mut breaker, 10_000).is_some());
    breaker.succeeded(first, 0);
    breaker.succeeded(first, 0);
    assert_eq!(breaker.state(10_000), BreakerState::HalfOpen);
    breaker.succeeded(second, 0);
    assert_eq!(breaker.state(10_000), BreakerState::Closed);
}

#[test]
fn a_probe_of_the_last_opening_is_no_probe_of_this_one() {
    let mut breaker = opened(BreakerPolicy { probes: 2, ..policy() });
    let (fast, slow) = (ticket(&mut breaker, 10_000), ticket(&mut breaker, 10_000));
    breaker.failed(10_000, fast, 0);
    let now = [ticket(&mut breaker, 30_000), ticket(&mut breaker, 30_000)];
    breaker.succeeded(slow, 0);
    assert!(refused_until(&mut breaker, 30_000).is_some(), "the old probe left no place");
    breaker.succeeded(now[0], 0);
    assert_eq!(breaker.state(30_000), BreakerState::HalfOpen);
    breaker.succeeded(now[1], 0);
    assert_eq!(breaker.state(30_000), BreakerState::Closed);
}

#[test]
fn the_minimum_does_not_apply_to_probes() {
    let large = BreakerPolicy { failures: 0, window: 100, minimum: 100, ..BreakerPolicy::default() };
    let mut failing = opened(large.clone());
    fails(&mut failing, 10_000);
    assert_eq!(failing.state(10_000), BreakerState::Open { until_ms: 30_000 });
    let mut working = opened(large);
    succeeds(&mut working, 10_000);
    assert_eq!(working.state(10_000), BreakerState::Closed);
}

#[test]
fn a_minimum_larger_than_the_window_is_reached_with_the_window() {
    let mut breaker = Breaker::new(BreakerPolicy { failures: 0, window: 6, minimum: 50, ..BreakerPolicy::default() });
    for _ in 0..5 {
        fails(&mut breaker, 0);
    }
    assert_eq!(breaker.state(0), BreakerState::Closed);
    fails(&mut breaker, 0);
    assert_ne!(breaker.state(0), BreakerState::Closed);
}

#[test]
fn a_service_that_was_well_for_long_does_not_hide_its_outage() {
    // Ten thousand good answers must not dilute what happens now, nor old failures what happens after the outage.
    let mut breaker = Breaker::new(BreakerPolicy { failures: 0, ..BreakerPolicy::default() });
    for _ in 0..10_000 {
        succeeds(&mut breaker, 0);
    }
    for _ in 0..10 {
        assert_eq!(breaker.state(0), BreakerState::Closed);
        fails(&mut breaker, 0);
    }
    assert_eq!(breaker.state(0), BreakerState::Open { until_ms: 10_000 });
    succeeds(&mut breaker, 10_000);
    for _ in 0..19 {
        fails(&mut breaker, 10_000);
    }
    assert_eq!(breaker.state(10_000), BreakerState::Closed, "a new window has begun");
}

#[test]
fn the_state_is_half_open_after_the_pause_though_no_one_asked() {
    let breaker = open();
    assert_eq!(breaker.state(9_999), BreakerState::Open { until_ms: 10_000 });
    assert_eq!(breaker.state(10_000), BreakerState::HalfOpen);
    assert_eq!(breaker.changes().half_opened, 0);
}

#[test]
fn a_longer_asked_pause_is_kept_and_a_shorter_one_changes_nothing() {
    let mut breaker = Breaker::new(policy());
    let [first, second, third, plain] = [(); 4].map(|()| ticket(&mut breaker, 0));
    breaker.failed_until(0, 1_000, first, 0);
    // Attempts of the same moment hear different pauses.
    breaker.failed_until(100, 45_100, second, 0);
    assert_eq!(breaker.state(200), BreakerState::Open { until_ms: 45_100 });
    breaker.failed_until(200, 5_200, third, 0);
    breaker.failed(300, plain, 0);
    assert_eq!(breaker.state(300), BreakerState::Open { until_ms: 45_100 });
    assert_eq!(breaker.changes().opened, 1);
}

#[test]
fn an_asked_pause_is_longer_than_the_longest_pause_but_not_longer_than_a_day() {
    let day_ms = 24 * 60 * 60 * 1_000;
    let mut breaker = Breaker::new(policy());
    let attempt = ticket(&mut breaker, 0);
    breaker.failed_until(0, 300_000, attempt, 0);
    assert_eq!(breaker.state(0), BreakerState::Open { until_ms: 300_000 });
    for strange in [9_999_999_999_000, i64::MAX] {
        let mut breaker = Breaker::new(policy());
        let attempt = ticket(&mut breaker, 7_000);
        breaker.failed_until(7_000, strange, attempt, 0);
        assert_eq!(breaker.state(7_000), BreakerState::Open { until_ms: 7_000 + day_ms });
    }
}

#[test]
fn an_asked_pause_in_the_past_is_an_ordinary_failure() {
    let mut breaker = Breaker::new(policy());
    for asked_until_ms in [i64::MIN, -1, 5_000] {
        assert_eq!(breaker.state(5_000), BreakerState::Closed);
        let attempt = ticket(&mut breaker, 5_000);
        breaker.failed_until(5_000, asked_until_ms, attempt, 0);
    }
    assert_eq!(breaker.state(5_000), BreakerState::Open { until_ms: 15_000 });
}

#[test]
fn pauses_without_end_do_not_overflow() {
    let endless = BreakerPolicy { open_for: Duration::MAX, longest: Duration::MAX, ..policy() };
    let mut breaker = Breaker::new(endless);
    for _ in 0..3 {
        fails(&mut breaker, 1);
    }
    assert_eq!(breaker.state(1), BreakerState::Open { until_ms: i64::MAX });
}

/// Begins so many attempts at once. Those that fail are told first, as a service that is well tells them.
fn burst(breaker: &mut Breaker, attempts: usize, failing: usize) {
    let tickets: Vec<_> = (0..attempts).map(|_| ticket(breaker, 0)).collect();
    for (told, attempt) in tickets.into_iter().enumerate() {
        let running = attempts - told - 1;
        if told < failing {
            breaker.failed(0, attempt, running);
        } else {
            breaker.succeeded(attempt, running);
        }
    }
}

#[test]
fn a_burst_whose_few_failures_come_first_does_not_open_it() {
    let mut breaker = Breaker::new(BreakerPolicy::default());
    for _ in 0..5 {
        burst(&mut breaker, 1_000, 50);
        // The failed ones are tried again.
        burst(&mut breaker, 50, 3);
        burst(&mut breaker, 3, 1);
    }
    assert_eq!((breaker.state(0), breaker.changes()), (BreakerState::Closed, BreakerChanges::default()));
}

#[test]
fn a_burst_that_fails_opens_it_when_half_is_told() {
    let mut breaker = Breaker::new(BreakerPolicy::default());
    burst(&mut breaker, 1_000, 499);
    assert_eq!(breaker.state(0), BreakerState::Closed);
    burst(&mut breaker, 1_000, 500);
    assert_eq!(breaker.state(0), BreakerState::Open { until_ms: 10_000 });
}

#[test]
fn after_a_burst_the_last_attempts_decide_again() {
    let mut breaker = Breaker::new(BreakerPolicy { failures: 0, ..BreakerPolicy::default() });
    burst(&mut breaker, 1_000, 0);
    for _ in 0..10 {
        assert_eq!(breaker.state(0), BreakerState::Closed);
        fails(&mut breaker, 0);
    }
    assert_eq!(breaker.state(0), BreakerState::Open { until_ms: 10_000 }, "half of the last twenty failed");
}
