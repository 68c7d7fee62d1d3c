//! Requests with the same content: kept answers, joined calls, batches.

mod common;

use std::time::Duration;

use common::executors::{School, Seat, grade, work};
use tidemill::{AnswerCache, Batch, CallError, CallOrder, CallPolicy};

fn caching() -> CallPolicy {
    let cache = Some(AnswerCache { time_to_live: Duration::from_secs(60), max_entries: 100 });
    CallPolicy { cache, ..CallPolicy::default() }
}

fn seat(school: &School) -> Seat {
    school.seat().sharing()
}

#[test]
fn an_answer_is_kept_for_other_executors_and_across_a_restart_until_its_time_is_over() {
    let school = School::with(grade(), caching(), 2);
    let (mut one, mut two) = (seat(&school), seat(&school));
    school.pass(100, &mut [&mut one, &mut two]);
    school.ask(&[("a", "essay")]);
    school.pass(100, &mut [&mut one, &mut two]);
    let asked = if one.open().is_empty() { &mut two } else { &mut one };
    asked.answer("essay", "A");
    // Keys of both partitions.
    school.ask(&[("a", "essay"), ("b", "essay"), ("c", "essay")]);
    school.pass(100, &mut [&mut one, &mut two]);
    assert!(one.open().is_empty() && two.open().is_empty());
    drop((one, two));
    let mut third = seat(&school);
    school.ask(&[("a", "essay")]);
    school.pass(100, &mut [&mut third]);
    let answers = school.answers();
    assert_eq!(answers[0], "essay: A (default Called 1)");
    assert_eq!(answers[1..], vec!["essay: A ( Cached 0)"; 4]);
    school.pass(60_000, &mut [&mut third]);
    school.ask(&[("a", "essay")]);
    school.pass(100, &mut [&mut third]);
    assert_eq!(third.texts(), ["essay"]);
}

#[test]
fn a_kept_answer_waits_for_no_limit() {
    let school = School::new(CallPolicy { max_in_flight: 1, ..caching() });
    let mut seat = seat(&school);
    school.ask(&[("a", "essay")]);
    school.pass(100, &mut [&mut seat]);
    seat.answer("essay", "A");
    school.ask(&[("a", "poem"), ("b", "essay")]);
    school.pass(100, &mut [&mut seat]);
    assert_eq!(seat.texts(), ["poem"], "it takes the only place");
    assert_eq!(school.answers(), ["essay: A (default Called 1)", "essay: A ( Cached 0)"]);
}

#[test]
fn requests_with_the_same_content_share_one_call() {
    let school = School::new(CallPolicy::default());
    let mut seat = seat(&school);
    school.ask(&[("a", "essay"), ("b", "essay"), ("c", "poem"), ("d", "essay")]);
    school.pass(0, &mut [&mut seat]);
    let mut texts = seat.texts();
    texts.sort();
    assert_eq!(texts, ["essay", "poem"]);
    seat.answer("essay", "A");
    let called = "essay: A (default Called 1)";
    let joined = "essay: A (default Joined 0)";
    let mut answers = school.answers();
    answers.sort();
    assert_eq!(answers, [called, joined, joined]);
    let stats = seat.snapshot().stats;
    assert_eq!((stats.attempts, stats.joined, stats.succeeded), (2, 2, 3));
}

#[test]
fn those_that_joined_a_call_get_its_failure_too() {
    let school = School::new(CallPolicy::default());
    let mut seat = seat(&school);
    school.ask(&[("a", "essay"), ("b", "essay")]);
    school.pass(0, &mut [&mut seat]);
    seat.fail("essay", CallError::permanent("refused"));
    let mut answers = school.answers();
    answers.sort();
    assert_eq!(answers, ["essay: error (default Called 1)", "essay: error (default Joined 0)"]);
}

#[test]
fn a_request_that_joined_one_whose_deadline_is_over_is_called_for_itself() {
    let school = School::with(grade().deadline(Duration::from_secs(10)), CallPolicy::default(), 1);
    let mut seat = seat(&school);
    school.ask(&[("a", "essay")]);
    school.pass(5_000, &mut [&mut seat]);
    school.ask(&[("b", "essay")]);
    school.pass(0, &mut [&mut seat]);
    assert_eq!(seat.texts().len(), 1);
    school.pass(5_000, &mut [&mut seat]);
    assert_eq!(school.answers(), ["essay: expired ( Called 0)"]);
    assert_eq!(seat.texts().len(), 2);
    seat.open().remove(0);
    seat.answer("essay", "A");
    assert_eq!(school.answers(), ["essay: expired ( Called 0)", "essay: A (default Called 1)"]);
}

#[test]
fn a_request_that_joined_one_that_a_newer_one_replaced_is_called_for_itself() {
    let policy = CallPolicy { max_attempts: 2, first_backoff: Duration::from_secs(1), ..CallPolicy::default() };
    let school = School::with(grade().ordered(CallOrder::LatestWins), policy, 1);
    let mut seat = seat(&school);
    school.ask(&[("a", "essay"), ("b", "essay")]);
    school.pass(0, &mut [&mut seat]);
    seat.fail("essay", CallError::transient("busy"));
    school.ask(&[("a", "poem")]);
    school.pass(0, &mut [&mut seat]);
    let mut texts = seat.texts();
    texts.sort();
    assert_eq!(texts, ["essay", "poem"]);
    seat.answer("essay", "A");
    seat.answer("poem", "B");
    let mut answers = school.answers();
    answers.sort();
    let expected =
        ["essay: A (default Called 1)", "essay: superseded (default Called 1)", "poem: B (default Called 1)"];
    assert_eq!(answers, expected);
}

fn batching(max: usize) -> CallPolicy {
    let batch = Some(Batch { max, linger: Duration::from_millis(500) });
    CallPolicy { batch, ..CallPolicy::default() }
}

#[test]
fn requests_are_handed_over_together_when_they_are_enough_or_have_waited_long_enough() {
    let school = School::new(batching(3));
    let mut seat = school.seat();
    school.ask(&[("a", "1"), ("b", "2")]);
    school.pass(0, &mut [&mut seat]);
    assert_eq!(seat.texts(), Vec::<String>::new());
    school.ask(&[("c", "3"), ("d", "4")]);
    school.pass(100, &mut [&mut seat]);
    assert_eq!(*seat.model.batches.lock().expect("not poisoned"), [3, 1]);
    school.ask(&[("e", "5")]);
    school.pass(0, &mut [&mut seat]);
    school.pass(499, &mut [&mut seat]);
    assert_eq!(seat.texts().len(), 4);
    school.pass(1, &mut [&mut seat]);
    assert_eq!(*seat.model.batches.lock().expect("not poisoned"), [3, 1, 1]);
    for text in ["1", "2", "3", "4", "5"] {
        seat.answer(text, "A");
    }
    assert_eq!(school.answers().len(), 5);
}

#[test]
fn identical_requests_take_one_place_in_a_batch() {
    let school = School::new(batching(2));
    let mut seat = seat(&school);
    school.ask(&[("a", "same"), ("b", "same"), ("c", "other")]);
    school.pass(0, &mut [&mut seat]);
    assert_eq!(*seat.model.batches.lock().expect("not poisoned"), [2]);
    seat.answer("same", "A");
    assert_eq!(school.answers().len(), 2);
}

#[test]
fn a_request_whose_deadline_passes_in_a_batch_is_not_handed_over_and_costs_nothing() {
    let policy = CallPolicy { keep_ledger: true, ..batching(9) };
    let school = School::with(grade().deadline(Duration::from_millis(200)), policy, 1);
    let mut seat = school.seat();
    school.ask(&[("a", "late")]);
    school.pass(0, &mut [&mut seat]);
    school.pass(300, &mut [&mut seat]);
    school.pass(500, &mut [&mut seat]);
    work(&mut [&mut seat]);
    assert_eq!(seat.texts(), Vec::<String>::new());
    assert_eq!(school.answers(), ["late: expired ( Called 0)"]);
    assert_eq!(seat.spent(), (1, 0, 0));
}
