//! Limits that all executors of a step keep together.

mod common;

use std::time::Duration;

use common::executors::{School, Seat, grade, work};
use tidemill::{CallError, CallPolicy, FailureKind, Limit, Route, WhenExhausted};

const HOUR: u64 = 3_600_000;

fn limited(limit: Limit) -> CallPolicy {
    CallPolicy { limits: vec![limit], ..CallPolicy::default() }
}

fn running(seats: &[&mut Seat]) -> usize {
    seats.iter().map(|seat| seat.open().len()).sum()
}

/// Ten keys, over all partitions.
const KEYS: [(&str, &str); 10] = [
    ("a", "1"),
    ("b", "2"),
    ("c", "3"),
    ("d", "4"),
    ("e", "5"),
    ("f", "6"),
    ("g", "7"),
    ("h", "8"),
    ("i", "9"),
    ("j", "10"),
];

#[test]
fn attempts_of_two_executors_never_exceed_the_limit_of_both() {
    let school = School::with(grade(), limited(Limit::in_flight(3)), 2);
    let (mut one, mut two) = (school.seat(), school.seat());
    work(&mut [&mut one, &mut two]);
    school.ask(&KEYS);
    let mut answered = 0;
    let mut both_ran = false;
    while answered < KEYS.len() {
        school.pass(100, &mut [&mut one, &mut two]);
        assert!(running(&[&mut one, &mut two]) <= 3);
        both_ran |= !one.open().is_empty() && !two.open().is_empty();
        for seat in [&mut one, &mut two] {
            if let Some(text) = seat.texts().first() {
                seat.answer(text, "A");
                answered += 1;
            }
        }
    }
    assert!(both_ran, "both executors have partitions");
    school.pass(100, &mut [&mut one, &mut two]);
    assert_eq!(one.spent(), (10, 100, 0));
    assert_eq!(two.spent(), (10, 100, 0));
}

#[test]
fn a_budget_holds_across_a_restart_and_three_executors_until_its_hour_is_over() {
    let school = School::with(grade(), limited(Limit::micros_per_hour(50)), 3);
    let mut first = school.seat();
    school.ask(&KEYS[..3]);
    school.pass(100, &mut [&mut first]);
    for text in ["1", "2", "3"] {
        first.answer(text, "A");
    }
    drop(first);
    let (mut one, mut two, mut three) = (school.seat(), school.seat(), school.seat());
    let seats = &mut [&mut one, &mut two, &mut three];
    school.pass(100, seats);
    school.ask(&KEYS[3..]);
    (0..30).for_each(|_| school.pass(100, seats));
    assert_eq!(running(seats), 2, "30 of 50 micros were spent before");
    for seat in &mut *seats {
        for text in seat.texts() {
            seat.answer(&text, "A");
        }
    }
    (0..30).for_each(|_| school.pass(1_000, seats));
    assert_eq!(running(seats), 0);
    school.pass(HOUR, seats);
    (0..30).for_each(|_| school.pass(100, seats));
    assert_eq!(running(seats), 5);
}

#[test]
fn a_request_waits_for_the_next_hour_and_the_executor_does_not_spin_meanwhile() {
    let school = School::new(limited(Limit::micros_per_hour(10)));
    let mut seat = school.seat();
    school.ask(&KEYS);
    school.pass(100, &mut [&mut seat]);
    seat.answer("1", "A");
    school.pass(100, &mut [&mut seat]);
    let written = || school.log().end_offsets("test-grade-ledger").expect("reads");
    let before = written();
    for _ in 0..600 {
        school.clock.advance(Duration::from_millis(100));
        assert_eq!(seat.executor.step(&mut seat.model, Duration::ZERO).expect("steps"), 0);
    }
    assert_eq!((written(), seat.open().len()), (before, 0));
    school.pass(HOUR, &mut [&mut seat]);
    assert_eq!(seat.open().len(), 1);
}

#[test]
fn with_fallback_an_exhausted_route_is_left_and_after_the_last_one_the_request_fails() {
    let limits = vec![Limit::micros_per_day(10).of_route("large"), Limit::calls_per_day(1).of_route("small")];
    let routes = ["large", "small"].map(Route::named).into();
    let when_exhausted = WhenExhausted::Fallback;
    let school = School::new(CallPolicy { limits, routes, when_exhausted, ..CallPolicy::default() });
    let mut seat = school.seat();
    school.ask(&KEYS[..3]);
    school.pass(100, &mut [&mut seat]);
    assert_eq!(seat.calls(), [("1".to_owned(), "large".to_owned())], "what is reserved may become free");
    seat.answer("1", "A");
    school.pass(100, &mut [&mut seat]);
    let [(text, route)] = &seat.calls()[..] else { panic!("one more call: {:?}", seat.calls()) };
    assert_eq!(route, "small");
    seat.answer(text, "B");
    school.pass(100, &mut [&mut seat]);
    assert_eq!(school.last_response_header("tidemill.call.failure").as_deref(), Some("exhausted"));
    let message = school.last_response_header("tidemill.call.message").expect("it says why");
    assert_eq!(message, "the limit is exhausted: at most 1 calls per day on the route small");
    assert_eq!(seat.snapshot().stats.exhausted, 3);
}

#[test]
fn a_limit_that_passes_soon_is_waited_for_even_with_fallback() {
    let policy = CallPolicy { when_exhausted: WhenExhausted::Fallback, ..limited(Limit::in_flight(1)) };
    let school = School::new(policy);
    let mut seat = school.seat();
    school.ask(&KEYS[..2]);
    school.pass(100, &mut [&mut seat]);
    assert_eq!(seat.texts(), ["1"]);
    seat.answer("1", "A");
    school.pass(100, &mut [&mut seat]);
    assert_eq!(seat.texts(), ["2"]);
}

#[test]
fn with_drop_nothing_comes_out_of_an_exhausted_request_and_it_is_counted() {
    let policy = CallPolicy { when_exhausted: WhenExhausted::Drop, ..limited(Limit::calls_per_hour(1)) };
    let school = School::new(policy);
    let mut seat = school.seat();
    school.ask(&KEYS[..3]);
    school.pass(100, &mut [&mut seat]);
    assert_eq!(seat.texts(), ["1"]);
    seat.answer("1", "A");
    school.pass(100, &mut [&mut seat]);
    assert_eq!(school.last_response_header("tidemill.call.failure").as_deref(), Some("dropped"));
    let stats = seat.snapshot().stats;
    assert_eq!((stats.dropped, stats.failed), (2, 0));
}

#[test]
fn a_request_that_is_larger_than_the_limit_fails_and_does_not_wait_for_ever() {
    let school = School::new(limited(Limit::micros_per_hour(50)));
    let mut seat = school.seat();
    school.ask(&[("k", "epic costs 51"), ("k", "novel costs 50")]);
    school.pass(100, &mut [&mut seat]);
    assert_eq!(seat.texts(), ["novel costs 50"]);
    let kind = FailureKind::Exhausted;
    assert_eq!(school.last_response_header("tidemill.call.failure"), Some(kind.to_string()));
    let message = school.last_response_header("tidemill.call.message").expect("it says why");
    assert_eq!(message, "the request alone is larger than the limit: at most 50 micros per hour");
}

#[test]
fn a_noisy_tenant_delays_the_quiet_ones_by_no_more_than_their_turn() {
    let school = School::new(CallPolicy { max_in_flight: 2, ..CallPolicy::default() });
    let mut seat = school.seat();
    let texts: Vec<_> = (0..50).map(|number| format!("noise {number}")).collect();
    let keys: Vec<_> = (0..50).map(|number| format!("noisy/{number}")).collect();
    school.ask(&keys.iter().zip(&texts).map(|(key, text)| (&**key, &**text)).collect::<Vec<_>>());
    school.ask(&[("quiet/1", "please"), ("shy/1", "hello")]);
    school.pass(0, &mut [&mut seat]);
    let mut order = Vec::new();
    while order.len() < 6 {
        let text = seat.texts().remove(0);
        seat.answer(&text, "A");
        order.push(text);
    }
    let turn = |text: &str| order.iter().position(|other| other == text).expect("it had its turn");
    assert!(turn("please") <= 3 && turn("hello") <= 4, "{order:?}");
}

#[test]
fn a_tenant_at_its_limit_does_not_hold_back_the_others() {
    let school = School::new(limited(Limit::calls_per_day(2).for_each_tenant()));
    let mut seat = school.seat();
    let texts: Vec<_> = (0..50).map(|number| format!("noise {number}")).collect();
    school.ask(&texts.iter().map(|text| ("noisy/1", &**text)).collect::<Vec<_>>());
    school.ask(&[("quiet/1", "please")]);
    school.pass(100, &mut [&mut seat]);
    assert_eq!(seat.texts().len(), 3);
    assert!(seat.texts().contains(&"please".to_owned()));
}

#[test]
fn attempts_of_a_key_are_limited_and_other_keys_go_on() {
    let school = School::new(CallPolicy { max_in_flight_per_key: 1, ..CallPolicy::default() });
    let mut seat = school.seat();
    school.ask(&[("k", "one"), ("k", "two"), ("l", "three")]);
    school.pass(0, &mut [&mut seat]);
    let mut texts = seat.texts();
    texts.sort();
    assert_eq!(texts, ["one", "three"]);
    seat.answer("one", "A");
    assert_eq!(seat.texts(), ["three", "two"]);
}

#[test]
fn what_an_attempt_did_not_use_is_there_for_others_and_a_silent_one_counts_in_full() {
    let school = School::new(CallPolicy { timeout: Duration::from_secs(1), ..limited(Limit::micros_per_hour(25)) });
    let mut seat = school.seat();
    school.ask(&KEYS[..4]);
    school.pass(100, &mut [&mut seat]);
    assert_eq!(seat.open().len(), 2, "two may use 20 of 25");
    seat.fail("1", CallError::permanent("refused before it cost anything"));
    school.pass(1_000, &mut [&mut seat]);
    let silent = seat.take("2");
    let other = seat.texts().remove(0);
    seat.take(&other).1.with_usage(common::executors::micros(4)).send(Ok("A".to_owned()));
    (0..30).for_each(|_| school.pass(100, &mut [&mut seat]));
    drop(silent);
    let (calls, settled, _) = seat.spent();
    assert!(calls >= 3 && settled >= 14, "{calls} calls, {settled} micros");
    assert!(settled <= 25, "{settled} micros");
}
