//! Finished parts of calls: they survive their executor.

mod common;

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use common::executors::{School, work};
use tidemill::{CallError, CallPolicy, transport::embedded::Entry};

fn policy() -> CallPolicy {
    let first_backoff = Duration::from_millis(100);
    CallPolicy { timeout: Duration::from_secs(1), first_backoff, ..CallPolicy::default() }
}

/// The steps on the topic that are not deleted.
fn left(school: &School) -> Vec<Bytes> {
    let mut steps = BTreeMap::new();
    for (_, record) in school.log().read_all("test-grade-steps").expect("the topic exists") {
        steps.insert(record.key, record.value);
    }
    steps.into_values().flatten().collect()
}

#[test]
fn an_attempt_goes_on_when_its_step_is_in_the_log_and_the_next_executor_finds_it() {
    let school = School::new(policy());
    let mut first = school.seat();
    school.ask(&[("k", "one")]);
    school.pass(0, &mut [&mut first]);
    first.keep("one", "turn 1");
    assert_eq!(first.kept("turn 1"), None);
    work(&mut [&mut first]);
    assert_eq!(first.kept("turn 1"), Some(true));
    first.keep("one", "turn 2");
    work(&mut [&mut first]);
    drop(first);
    let mut second = school.seat();
    school.pass(100, &mut [&mut second]);
    let (request, reply) = second.take("one");
    assert_eq!((request.steps, request.attempt), (vec![Bytes::from("turn 1"), Bytes::from("turn 2")], 1));
    reply.send(Ok("A".to_owned()));
    work(&mut [&mut second]);
    assert_eq!(school.answers(), ["one: A (default Called 1)"]);
    let report = school.last_response_header("tidemill.call.report").expect("it comes with the answer");
    assert!(report.contains("\"repeated\":true"), "{report}");
    assert_eq!(left(&school), Vec::<Bytes>::new());
}

#[test]
fn steps_are_deleted_when_the_request_has_its_answer() {
    let school = School::new(policy());
    let mut seat = school.seat();
    school.ask(&[("k", "one"), ("l", "two")]);
    school.pass(0, &mut [&mut seat]);
    seat.keep("one", "turn 1");
    seat.keep("two", "turn A");
    work(&mut [&mut seat]);
    assert_eq!(left(&school).len(), 2);
    seat.answer("one", "A");
    assert_eq!(left(&school), [Bytes::from("turn A")]);
}

#[test]
fn a_retry_finds_the_steps_of_the_attempt_before() {
    let school = School::new(policy());
    let mut seat = school.seat();
    school.ask(&[("k", "one")]);
    school.pass(0, &mut [&mut seat]);
    seat.keep("one", "turn 1");
    work(&mut [&mut seat]);
    seat.fail("one", CallError::transient("busy"));
    school.pass(100, &mut [&mut seat]);
    assert_eq!(seat.take("one").0.steps, [Bytes::from("turn 1")]);
}

#[test]
fn a_step_of_an_attempt_that_was_given_up_is_refused() {
    let school = School::new(policy());
    let mut seat = school.seat();
    school.ask(&[("k", "one")]);
    school.pass(0, &mut [&mut seat]);
    school.pass(1_000, &mut [&mut seat]);
    seat.keep("one", "too late");
    work(&mut [&mut seat]);
    assert_eq!(seat.kept("too late"), Some(false));
    assert!(school.log().read_all("test-grade-steps").is_err(), "nothing was written");
}

#[test]
fn a_step_whose_attempt_ends_before_it_is_in_the_log_does_not_stay_there() {
    let school = School::new(policy());
    let mut seat = school.seat();
    school.ask(&[("k", "one")]);
    school.pass(0, &mut [&mut seat]);
    seat.keep("one", "turn 1");
    // The answer comes in the same turn.
    seat.answer("one", "A");
    work(&mut [&mut seat]);
    assert_eq!(seat.kept("turn 1"), Some(false));
    assert_eq!(left(&school), Vec::<Bytes>::new());
}

#[test]
fn of_two_attempts_that_run_beside_each_other_the_first_that_keeps_a_step_goes_on() {
    let school = School::new(CallPolicy { hedge_after: Some(Duration::from_millis(300)), ..policy() });
    let mut seat = school.seat();
    school.ask(&[("k", "one")]);
    school.pass(0, &mut [&mut seat]);
    school.pass(300, &mut [&mut seat]);
    assert_eq!(seat.open().len(), 2);
    seat.open().swap(0, 1);
    seat.keep("one", "of the second");
    seat.open().swap(0, 1);
    seat.keep("one", "of the first");
    work(&mut [&mut seat]);
    assert_eq!((seat.kept("of the second"), seat.kept("of the first")), (Some(true), Some(false)));
    assert_eq!(left(&school), [Bytes::from("of the second")]);
    seat.answer("one", "of the first");
    assert_eq!(school.answers(), Vec::<String>::new());
    seat.answer("one", "of the second");
    assert_eq!(school.answers(), ["one: of the second (default Called 2)"]);
}

#[test]
fn steps_that_a_dead_executor_did_not_delete_are_deleted_by_the_next_one() {
    let school = School::new(policy());
    let mut first = school.seat();
    school.ask(&[("k", "one")]);
    school.pass(0, &mut [&mut first]);
    first.keep("one", "turn 1");
    work(&mut [&mut first]);
    first.take("one").1.send(Ok("A".to_owned()));
    // One turn: the answer is in the log, the deletion is not.
    first.step();
    assert_eq!(left(&school).len(), 1);
    drop(first);
    let mut second = school.seat();
    school.pass(100, &mut [&mut second]);
    assert_eq!((second.open().len(), left(&school)), (0, Vec::new()));
}

#[test]
fn steps_of_a_request_that_nobody_reads_again_are_deleted_by_the_next_owner() {
    let school = School::new(policy());
    let mut first = school.seat();
    school.ask(&[("k", "one")]);
    school.pass(0, &mut [&mut first]);
    first.keep("one", "turn 1");
    work(&mut [&mut first]);
    let (partition, step) = school.log().read_all("test-grade-steps").expect("the topic exists").remove(0);
    first.answer("one", "A");
    school.pass(2_000, &mut [&mut first]);
    assert!(left(&school).is_empty());
    drop(first);
    // The first one died before the deletion was in the log.
    let step = Entry::new(step.key.expect("a step has a key"), step.value.expect("a step has a value"), 0);
    school.log().append("test-grade-steps", partition, [step]).expect("appends");
    let mut second = school.seat();
    school.pass(2_000, &mut [&mut second]);
    assert_eq!((second.open().len(), left(&school)), (0, Vec::new()));
}
