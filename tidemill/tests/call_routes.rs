//! Which route a call takes when routes fail.

mod common;

use std::time::Duration;

use common::executors::{School, Seat};
use tidemill::{BreakerPolicy, BreakerState, CallError, CallPolicy, Route, WhenExhausted};

fn policy() -> CallPolicy {
    CallPolicy {
        routes: ["large", "small", "offline"].map(Route::named).into(),
        max_attempts: 1,
        first_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(1),
        ..CallPolicy::default()
    }
}

/// Opens after two failures, for 5 s.
#[expect(clippy::unnecessary_wraps, reason = "a route takes it so")]
fn breaker() -> Option<BreakerPolicy> {
    Some(BreakerPolicy { failures: 2, open_for: Duration::from_secs(5), ..BreakerPolicy::default() })
}

fn route(name: &str) -> Route {
    Route { breaker: breaker(), ..Route::named(name) }
}

fn state(seat: &mut Seat) -> Option<BreakerState> {
    seat.snapshot().routes[0].breaker
}

fn is_open(seat: &mut Seat) -> bool {
    matches!(state(seat), Some(BreakerState::Open { .. }))
}

#[test]
fn a_call_falls_back_from_route_to_route_and_its_report_says_so() {
    let school = School::new(policy());
    let mut seat = school.seat();
    school.ask(&[("k", "one")]);
    school.pass(0, &mut [&mut seat]);
    for route in ["large", "small"] {
        assert_eq!(seat.calls(), [("one".to_owned(), route.to_owned())]);
        seat.fail("one", CallError::transient("busy"));
    }
    seat.answer("one", "A");
    assert_eq!(school.answers(), ["one: A (offline Called 3)"]);
    let report = school.last_response_header("tidemill.call.report").expect("it comes with the answer");
    assert!(report.contains("\"fallback\":2"), "{report}");
    assert!(report.contains("\"cost_micros\":10"), "{report}");
    assert_eq!(seat.snapshot().stats.fallbacks, 1);
}

#[test]
fn a_permanent_error_goes_to_the_next_route_at_once_and_the_last_one_ends_the_call() {
    let school = School::new(CallPolicy { max_attempts: 3, ..policy() });
    let mut seat = school.seat();
    school.ask(&[("k", "one")]);
    school.pass(0, &mut [&mut seat]);
    for _ in 0..3 {
        seat.fail("one", CallError::permanent("blocked"));
    }
    assert_eq!(school.answers(), ["one: error (offline Called 3)"]);
}

#[test]
fn a_route_that_asks_for_a_long_pause_is_left_and_one_that_asks_for_a_short_one_is_not() {
    let school = School::new(CallPolicy { max_attempts: 3, ..policy() });
    let mut seat = school.seat();
    school.ask(&[("k", "long"), ("l", "short")]);
    school.pass(0, &mut [&mut seat]);
    seat.fail("long", CallError::retry_after("limited", Duration::from_mins(1)));
    seat.fail("short", CallError::retry_after("limited", Duration::from_millis(800)));
    assert_eq!(seat.calls(), [("long".to_owned(), "small".to_owned())]);
    school.pass(800, &mut [&mut seat]);
    assert_eq!(seat.calls()[1], ("short".to_owned(), "large".to_owned()));
}

#[test]
fn a_breaker_opens_after_failures_and_a_probe_closes_it() {
    let policy = CallPolicy { routes: vec![route("large"), Route::named("small")], ..policy() };
    let school = School::new(policy);
    let mut seat = school.seat();
    school.ask(&[("k", "one"), ("k", "two")]);
    school.pass(0, &mut [&mut seat]);
    seat.fail("one", CallError::transient("down"));
    assert_eq!(state(&mut seat), Some(BreakerState::Closed));
    seat.fail("two", CallError::transient("down"));
    assert!(is_open(&mut seat));
    school.ask(&[("k", "three")]);
    school.pass(1_000, &mut [&mut seat]);
    assert_eq!(seat.calls()[2], ("three".to_owned(), "small".to_owned()));
    school.pass(5_000, &mut [&mut seat]);
    school.ask(&[("k", "four"), ("k", "five")]);
    school.pass(0, &mut [&mut seat]);
    let routes: Vec<_> = seat.calls().into_iter().skip(3).map(|(_, route)| route).collect();
    assert_eq!(routes, ["large", "small"], "one probe, and the others go elsewhere");
    seat.answer("four", "A");
    assert_eq!(state(&mut seat), Some(BreakerState::Closed));
}

#[test]
fn a_probe_that_fails_keeps_the_route_closed_for_twice_as_long() {
    let school = School::new(CallPolicy { routes: vec![route("large")], max_attempts: 9, ..policy() });
    let mut seat = school.seat();
    school.ask(&[("k", "one"), ("k", "two")]);
    school.pass(0, &mut [&mut seat]);
    seat.fail("one", CallError::transient("down"));
    seat.fail("two", CallError::transient("down"));
    school.pass(5_000, &mut [&mut seat]);
    assert_eq!(seat.calls().len(), 1, "one probe");
    let text = seat.texts().remove(0);
    seat.fail(&text, CallError::transient("down"));
    school.pass(9_000, &mut [&mut seat]);
    assert_eq!(seat.calls(), []);
    school.pass(1_000, &mut [&mut seat]);
    assert_eq!(seat.calls().len(), 1);
}

#[test]
fn when_all_routes_are_closed_requests_wait_and_go_on_when_one_works() {
    let school = School::new(CallPolicy { routes: vec![route("large"), route("small")], max_attempts: 9, ..policy() });
    let mut seat = school.seat();
    school.ask(&[("k", "one"), ("k", "two")]);
    school.pass(0, &mut [&mut seat]);
    for text in ["one", "two"] {
        seat.fail(text, CallError::retry_after("limited", Duration::from_mins(1)));
        seat.fail(text, CallError::retry_after("limited", Duration::from_mins(1)));
        if text == "one" {
            // Both routes are closed for everybody.
            break;
        }
    }
    school.ask(&[("k", "three")]);
    school.pass(30_000, &mut [&mut seat]);
    assert!(!seat.texts().contains(&"three".to_owned()));
    school.pass(31_000, &mut [&mut seat]);
    assert!(!seat.texts().is_empty(), "a probe");
    for _ in 0..8 {
        for text in seat.texts() {
            seat.answer(&text, "A");
        }
        school.pass(1_000, &mut [&mut seat]);
    }
    assert_eq!(school.answers().len(), 3);
}

#[test]
fn when_all_routes_are_closed_and_requests_do_not_wait_they_fail_as_unavailable() {
    let routes = vec![route("large")];
    let when_exhausted = WhenExhausted::Fallback;
    let school = School::new(CallPolicy { routes, when_exhausted, ..policy() });
    let mut seat = school.seat();
    school.ask(&[("k", "one"), ("k", "two")]);
    school.pass(0, &mut [&mut seat]);
    seat.fail("one", CallError::transient("down"));
    seat.fail("two", CallError::transient("down"));
    school.ask(&[("k", "three")]);
    school.pass(0, &mut [&mut seat]);
    assert_eq!(school.answers().last().map(String::as_str), Some("three: unavailable ( Called 0)"));
}

#[test]
fn an_executor_does_not_spin_while_its_routes_are_closed() {
    let school = School::new(CallPolicy { routes: vec![route("large")], max_attempts: 9, ..policy() });
    let mut seat = school.seat();
    let texts: Vec<_> = (0..200).map(|number| number.to_string()).collect();
    school.ask(&texts.iter().map(|text| ("k", text.as_str())).collect::<Vec<_>>());
    school.pass(0, &mut [&mut seat]);
    for text in seat.texts() {
        seat.fail(&text, CallError::transient("down"));
    }
    school.pass(1_000, &mut [&mut seat]);
    let attempts = seat.snapshot().stats.attempts;
    let mut done = 0;
    for _ in 0..100 {
        done += seat.executor.step(&mut seat.model, Duration::ZERO).expect("steps");
    }
    assert_eq!((done, seat.snapshot().stats.attempts), (0, attempts));
}
