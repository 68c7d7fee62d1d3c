//! Which requests are worth a call: the newest, those in time, those that nobody has answered.

mod common;

use std::time::Duration;

use common::executors::{School, grade, micros, work};
use tidemill::{
    AsyncCall, CallOrder, CallPolicy,
    transport::{CommittedOffset, ConsumerConfig, TopicPartition, Transport as _},
};

fn latest() -> AsyncCall<String, String, String> {
    grade().ordered(CallOrder::LatestWins)
}

#[test]
fn of_a_backlog_of_one_lane_only_the_newest_is_bought() {
    let school = School::with(latest(), CallPolicy::default(), 1);
    let texts: Vec<_> = (0..50).map(|number| format!("window {number}")).collect();
    school.ask(&texts.iter().map(|text| ("k", &**text)).collect::<Vec<_>>());
    let mut seat = school.seat();
    school.pass(0, &mut [&mut seat]);
    assert_eq!(seat.texts(), ["window 49"]);
    seat.answer("window 49", "A");
    let answers = school.answers();
    assert_eq!(answers.len(), 50);
    assert_eq!(answers.iter().filter(|answer| answer.contains(": superseded ( Called 0)")).count(), 49);
    let stats = seat.snapshot().stats;
    assert_eq!((stats.attempts, stats.superseded, stats.failed), (1, 49, 0));
}

#[test]
fn a_backlog_of_more_than_one_read_buys_only_the_newest_too() {
    let school = School::with(latest(), CallPolicy::default(), 1);
    let texts: Vec<_> = (0..1_200).map(|number| format!("window {number}")).collect();
    school.ask(&texts.iter().map(|text| ("k", &**text)).collect::<Vec<_>>());
    let mut seat = school.seat();
    school.pass(0, &mut [&mut seat]);
    assert_eq!(seat.texts(), ["window 1199"]);
}

#[test]
fn a_newer_request_does_not_replace_one_that_is_being_called() {
    let school = School::with(latest(), CallPolicy::default(), 1);
    let mut seat = school.seat();
    school.ask(&[("k", "one")]);
    school.pass(0, &mut [&mut seat]);
    school.ask(&[("k", "two"), ("l", "other")]);
    school.pass(0, &mut [&mut seat]);
    seat.answer("one", "A");
    seat.answer("two", "B");
    assert_eq!(school.answers(), ["one: A (default Called 1)", "two: B (default Called 1)"]);
}

#[test]
fn a_request_whose_deadline_is_over_is_not_called_and_the_answer_of_one_that_runs_is_ignored() {
    let call = grade().deadline(Duration::from_secs(10));
    let school = School::with(call, CallPolicy { max_in_flight: 1, ..CallPolicy::default() }, 1);
    let mut seat = school.seat();
    school.ask(&[("k", "runs"), ("k", "waits")]);
    school.pass(0, &mut [&mut seat]);
    assert_eq!(seat.take("runs").1.timeout(), Duration::from_secs(10));
    school.ask(&[("k", "early")]);
    school.pass(9_999, &mut [&mut seat]);
    let attempts = seat.snapshot().stats.attempts;
    school.pass(1, &mut [&mut seat]);
    let mut answers = school.answers();
    answers.sort();
    // The attempt that ran took all the time. Its failure tells more than the deadline.
    let expected = ["early: expired ( Called 0)", "runs: error (default Called 1)", "waits: expired ( Called 0)"];
    assert_eq!(answers, expected);
    assert_eq!(seat.snapshot().stats.expired, 2);
    assert_eq!(seat.snapshot().stats.attempts, attempts);
}

#[test]
fn a_request_that_was_too_old_when_it_was_read_is_not_called() {
    let school = School::with(grade().deadline(Duration::from_secs(10)), CallPolicy::default(), 1);
    school.ask(&[("k", "old")]);
    school.pass(11_000, &mut []);
    let mut seat = school.seat();
    school.pass(0, &mut [&mut seat]);
    assert_eq!(seat.texts(), Vec::<String>::new());
    assert_eq!(school.answers(), ["old: expired ( Called 0)"]);
}

#[test]
fn a_second_attempt_beside_a_slow_one_may_win_and_both_are_paid() {
    let hedge_after = Some(Duration::from_secs(1));
    let school = School::new(CallPolicy { hedge_after, keep_ledger: true, ..CallPolicy::default() });
    let mut seat = school.seat();
    school.ask(&[("k", "one")]);
    school.pass(0, &mut [&mut seat]);
    school.pass(999, &mut [&mut seat]);
    assert_eq!(seat.open().len(), 1);
    school.pass(1, &mut [&mut seat]);
    assert_eq!(seat.open().iter().map(|(request, _)| request.attempt).collect::<Vec<_>>(), [1, 2]);
    let (_, slow) = seat.take("one");
    seat.answer("one", "quick");
    assert_eq!(school.answers(), ["one: quick (default Called 2)"]);
    let report = school.last_response_header("tidemill.call.report").expect("it comes with the answer");
    assert!(report.contains("\"hedged\":true"), "{report}");
    slow.with_usage(micros(7)).send(Ok("slow".to_owned()));
    school.pass(100, &mut [&mut seat]);
    assert_eq!(school.answers().len(), 1, "the slow one has no effect");
    assert_eq!(seat.spent(), (2, 17, 0));
    let stats = seat.snapshot().stats;
    assert_eq!((stats.hedged, stats.usage.cost_micros), (1, 17));
}

#[test]
fn an_answer_of_the_first_attempt_is_not_called_hedged() {
    let school = School::new(CallPolicy { hedge_after: Some(Duration::from_secs(1)), ..CallPolicy::default() });
    let mut seat = school.seat();
    school.ask(&[("k", "one")]);
    school.pass(0, &mut [&mut seat]);
    school.pass(1_000, &mut [&mut seat]);
    seat.answer("one", "slow");
    let report = school.last_response_header("tidemill.call.report").expect("it comes with the answer");
    assert!(report.contains("\"hedged\":false"), "{report}");
}

#[test]
fn answers_in_the_log_that_no_commit_has_noted_are_not_paid_again() {
    let school = School::new(CallPolicy::default());
    let mut first = school.seat();
    school.ask(&[("k", "one"), ("k", "two"), ("k", "three")]);
    school.pass(0, &mut [&mut first]);
    first.answer("two", "B");
    first.answer("three", "C");
    assert!(school.log().group_lag("test-grade-executor").iter().all(|partition| partition.lag == 3));
    drop(first);
    let mut second = school.seat();
    school.pass(100, &mut [&mut second]);
    assert_eq!(second.texts(), ["one"]);
    second.answer("one", "A");
    school.pass(100, &mut [&mut second]);
    assert_eq!(school.answers().len(), 3);
    drop(second);
    let mut third = school.seat();
    school.pass(100, &mut [&mut third]);
    assert_eq!(third.texts(), Vec::<String>::new());
}

#[test]
fn a_commit_of_an_older_version_is_understood_as_an_offset() {
    let school = School::with(grade().ordered(CallOrder::Unordered), CallPolicy::default(), 1);
    school.ask(&[("k", "one"), ("k", "two")]);
    let mut consumer = school
        .log()
        .consumer(&ConsumerConfig {
            client_id: "old".to_owned(),
            group: "test-grade-executor".to_owned(),
            instance_id: None,
            session_timeout: Duration::from_secs(45),
            max_poll_records: 1,
        })
        .expect("it opens");
    consumer.subscribe(&["test-grade-requests".into()]).expect("subscribes");
    let requests = TopicPartition::new("test-grade-requests", 0);
    for _ in 0..3 {
        consumer.poll(Duration::ZERO).expect("polls");
    }
    let old = CommittedOffset { offset: 1, metadata: "1700000000000 \u{0} calls1".to_owned() };
    consumer.commit(&[(requests, old)]).expect("commits");
    drop(consumer);
    let mut seat = school.seat();
    school.pass(100, &mut [&mut seat]);
    assert_eq!(seat.texts(), ["two"]);
    seat.answer("two", "B");
    work(&mut [&mut seat]);
    assert_eq!(school.answers(), ["two: B (default Called 1)"]);
}
