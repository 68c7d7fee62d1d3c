//! Single behaviours, event by event.

use std::time::Duration;

use bytes::Bytes;

use super::{
    super::super::{
        BreakerPolicy, BreakerState, CallError, CallFailure, CallOrder, CallPolicy, FailureKind, Limit, Route,
        WhenExhausted,
    },
    super::Ended,
    world::{KNOWN, Request, World},
};
use crate::transport::TopicPartition;

pub(super) fn policy() -> CallPolicy {
    let (timeout, first_backoff) = (Duration::from_secs(1), Duration::from_millis(100));
    CallPolicy { timeout, first_backoff, max_attempts: 2, ..CallPolicy::default() }
}

pub(super) fn breaker() -> BreakerPolicy {
    BreakerPolicy { failures: 1, open_for: Duration::from_secs(5), ..BreakerPolicy::default() }
}

pub(super) fn world(policy: CallPolicy) -> World {
    World::new(policy, CallOrder::Unordered, 1)
}

pub(super) fn request(tenant: &'static str, lane: &str) -> Request {
    let lane = lane.to_owned();
    Request { partition: 0, tenant, lane, content: None, due_ms: None, most: 10, again: false, answer: None }
}

impl World {
    pub(super) fn ask(&mut self, request: Request) {
        self.requests.push(request);
    }

    /// Reads, starts and writes, until nothing more happens without time.
    pub(super) fn go(&mut self) {
        for _ in 0..3 {
            self.read_requests(0);
            self.turn(0);
            self.deliver(0, usize::MAX, false);
        }
    }

    pub(super) fn after(&mut self, ms: i64) {
        self.pass(ms);
        self.go();
    }

    /// The requests that are being called, with their routes.
    pub(super) fn runs(&self) -> Vec<(usize, usize)> {
        self.members[0].running.iter().map(|it| (it.request, it.route)).collect()
    }

    pub(super) fn kind(&self, request: usize) -> Option<FailureKind> {
        match &self.requests[request].answer {
            Some(Ended::Failure(CallFailure { kind, .. })) => Some(*kind),
            _ => None,
        }
    }

    pub(super) fn is_answered(&self, request: usize) -> bool {
        matches!(self.requests[request].answer, Some(Ended::Answer(_)))
    }
}

#[test]
fn a_deadline_counts_only_for_a_call_that_it_ends() {
    let mut world = world(policy());
    world.ask(Request { due_ms: Some(500), ..request("ann", "a") });
    world.ask(Request { due_ms: Some(500), ..request("ann", "b") });
    world.go();
    world.tell(0, 0, Ok(()), None);
    world.after(1_000);
    assert!(world.is_answered(0));
    assert_eq!(world.kind(1), Some(FailureKind::Expired));
    assert_eq!(world.members[0].calls.stats().expired, 1);
}

#[test]
fn an_attempt_that_ends_with_its_call_and_never_tells_counts_with_its_most() {
    let mut world = world(CallPolicy { keep_ledger: true, ..policy() });
    world.ask(Request { due_ms: Some(500), ..request("ann", "a") });
    world.go();
    world.after(600);
    assert_eq!(world.kind(0), Some(FailureKind::Expired));
    assert_eq!(world.members[0].calls.stats().usage.cost_micros, 0, "it may still tell");
    world.after(1_000);
    assert_eq!(world.members[0].calls.stats().usage.cost_micros, 10);
    assert_eq!(world.spent(), (1, 10));
    assert!(world.members[0].calls.attempts.is_empty());
}

#[test]
fn without_a_ledger_too_a_silent_attempt_counts_with_its_most() {
    let mut world = world(policy());
    world.ask(request("ann", "a"));
    world.go();
    world.tell(0, 0, Ok(()), None);
    assert_eq!(world.members[0].calls.stats().usage.cost_micros, 10);
}

#[test]
fn a_hedge_that_waits_for_the_ledger_does_not_outlive_the_attempt_beside_which_it_would_run() {
    let hedge_after = Some(Duration::from_millis(200));
    let mut world = world(CallPolicy { keep_ledger: true, hedge_after, ..policy() });
    world.ask(request("ann", "a"));
    world.go();
    world.pass(300);
    // The reservation is noted, and the topic has not come back yet.
    world.turn(0);
    world.tell(0, 0, Err(CallError::transient("busy")), None);
    world.go();
    assert_eq!(world.runs(), [], "the pause is not over");
    world.after(100);
    assert_eq!(world.runs().len(), 1);
    world.tell(0, 0, Ok(()), None);
    world.go();
    assert!(world.is_answered(0));
    assert_eq!(world.spent(), (2, 20));
}

#[test]
fn a_hedge_does_not_begin_when_the_deadline_has_come_in_the_meantime() {
    let mut world = world(CallPolicy { hedge_after: Some(Duration::from_millis(200)), ..policy() });
    world.ask(Request { due_ms: Some(300), ..request("ann", "a") });
    world.go();
    world.after(400);
    assert_eq!(world.members[0].calls.stats().attempts, 1);
    assert_eq!(world.kind(0), Some(FailureKind::Expired));
}

#[test]
fn a_reserved_attempt_does_not_begin_at_a_route_that_has_failed_meanwhile() {
    let routes = vec![Route { breaker: Some(breaker()), ..Route::named("a") }, Route::named("b")];
    let mut world = world(CallPolicy { keep_ledger: true, routes, ..policy() });
    world.ask(request("ann", "a"));
    world.go();
    world.ask(request("ann", "b"));
    world.read_requests(0);
    world.turn(0);
    world.tell(0, 0, Err(CallError::transient("down")), None);
    world.go();
    assert_eq!(world.runs(), [(1, 1)]);
    world.tell(0, 0, Ok(()), Some(3));
    world.go();
    assert_eq!(world.spent(), (2, 13));
}

#[test]
fn calls_that_wait_for_a_failing_route_start_as_soon_as_a_probe_succeeds() {
    let mut world =
        world(CallPolicy { routes: vec![Route { breaker: Some(breaker()), ..Route::named("a") }], ..policy() });
    (0..5).for_each(|lane| world.ask(request("ann", &lane.to_string())));
    world.read_requests(0);
    world.policy.max_in_flight = 1;
    world.members[0].calls.policy.max_in_flight = 1;
    world.turn(0);
    world.tell(0, 0, Err(CallError::transient("down")), None);
    world.members[0].calls.policy.max_in_flight = 16;
    world.go();
    assert_eq!(world.runs(), []);
    world.after(5_000);
    assert_eq!(world.runs().len(), 1, "one probe");
    world.tell(0, 0, Ok(()), None);
    world.go();
    assert_eq!(world.runs().len(), 4);
}

pub(super) fn fallback() -> CallPolicy {
    let routes = vec![Route { breaker: Some(breaker()), ..Route::named("a") }];
    CallPolicy { routes, when_exhausted: WhenExhausted::Fallback, ..policy() }
}

#[test]
fn a_pause_that_the_service_asks_for_is_waited_for_if_there_is_time() {
    let mut world = world(fallback());
    world.ask(request("ann", "a"));
    world.go();
    let overloaded = CallError::retry_after("too many requests", Duration::from_secs(7));
    world.tell(0, 0, Err(overloaded), None);
    world.ask(request("ann", "b"));
    world.ask(Request { due_ms: Some(world.now.monotonic_ms + 6_000), ..request("ann", "c") });
    world.go();
    assert_eq!(world.runs(), []);
    assert_eq!(world.kind(2), Some(FailureKind::Unavailable), "its answer would come after its deadline");
    world.after(7_000);
    assert_eq!(world.runs().len(), 1, "one probe");
    world.tell(0, 0, Ok(()), None);
    world.go();
    world.tell(0, 0, Ok(()), None);
    assert!(world.is_answered(0) && world.is_answered(1));
}

#[test]
fn the_outcome_of_a_probe_is_waited_for_but_not_for_long() {
    let mut world = world(fallback());
    world.ask(request("ann", "a"));
    world.go();
    world.tell(0, 0, Err(CallError::transient("down")), None);
    world.after(100);
    assert_eq!(world.kind(0), Some(FailureKind::Unavailable), "a route that fails is not waited for");
    world.after(4_900);
    (0..3).for_each(|lane| world.ask(request("ann", &lane.to_string())));
    world.go();
    assert_eq!((world.runs().len(), world.kind(2)), (1, None), "one is the probe, and the others wait");
    world.after(99);
    assert_eq!((world.kind(2), world.kind(3)), (None, None));
    world.after(1);
    assert_eq!((world.kind(2), world.kind(3)), (Some(FailureKind::Unavailable), Some(FailureKind::Unavailable)));
    world.tell(0, 0, Ok(()), None);
    world.ask(request("ann", "d"));
    world.go();
    assert_eq!(world.runs().len(), 1, "the probe has closed the breaker");
}

/// Ten attempts that run, of a policy whose breaker opens after a failure.
fn ten_run() -> World {
    let mut world = world(CallPolicy { max_attempts: 9, ..fallback() });
    (0..10).for_each(|lane| world.ask(request("ann", &lane.to_string())));
    world.go();
    assert_eq!(world.runs().len(), 10);
    world
}

#[test]
fn failures_that_come_before_the_first_answers_say_nothing_about_the_route() {
    let mut world = ten_run();
    (0..4).for_each(|_| world.tell(0, 0, Err(CallError::transient("overloaded")), None));
    world.after(100);
    assert_eq!(world.runs().len(), 10, "those that failed run again");
    (0..10).for_each(|_| world.tell(0, 0, Err(CallError::transient("overloaded")), None));
    world.after(200);
    assert_eq!(world.runs(), [], "none has an answer, and most have failed");
    assert_eq!(world.kind(0), Some(FailureKind::Unavailable));
}

#[test]
fn the_pause_that_is_asked_of_one_of_many_attempts_is_its_own() {
    let mut world = ten_run();
    world.tell(0, 0, Err(CallError::retry_after("too many requests", Duration::from_secs(7))), None);
    world.ask(request("ann", "another"));
    world.go();
    assert_eq!(world.runs().len(), 10, "another call takes its place");
    world.after(900);
    assert!(!world.runs().iter().any(|(request, _)| *request == 0), "it comes back after its pause");
}

#[test]
fn a_request_does_not_wait_for_the_exhausted_tenant_of_one_with_the_same_content() {
    let limits = vec![Limit::micros_per_day(5).of_tenant("ann"), Limit::micros_per_day(15).of_tenant("eve")];
    let mut world = world(CallPolicy { limits, max_attempts: 1, ..policy() });
    world.ask(Request { most: 5, ..request("ann", "a") });
    world.go();
    world.tell(0, 0, Ok(()), None);
    world.ask(Request { most: 5, content: Some(1), ..request("ann", "a") });
    world.ask(Request { most: 5, content: Some(1), ..request("bob", "b") });
    world.go();
    assert_eq!(world.runs(), [(2, 0)]);
    world.tell(0, 0, Ok(()), None);
    assert!(world.is_answered(2));
}

#[test]
fn an_exhausted_limit_is_no_answer_for_others_with_the_same_content() {
    let limits = vec![Limit::micros_per_day(5).of_tenant("ann")];
    let mut world = world(CallPolicy { limits, when_exhausted: WhenExhausted::Fallback, ..policy() });
    world.ask(Request { content: Some(1), ..request("ann", "a") });
    world.ask(Request { content: Some(1), ..request("bob", "b") });
    world.go();
    assert_eq!(world.kind(0), Some(FailureKind::Exhausted));
    assert_eq!(world.runs(), [(1, 0)]);
}

#[test]
fn an_executor_that_stops_starts_nothing_and_answers_those_that_joined_what_runs() {
    let routes = vec![Route::named("a"), Route::named("b")];
    let mut world = world(CallPolicy { routes, ..policy() });
    world.ask(request("ann", "a"));
    world.ask(Request { content: Some(1), ..request("ann", "b") });
    world.ask(Request { content: Some(1), ..request("ann", "c") });
    world.go();
    let calls = &mut world.members[0].calls;
    calls.close();
    assert_eq!((calls.len(), calls.busy()), (3, 2));
    let first = world.members[0].running.iter().position(|it| it.request == 0).expect("it runs");
    world.tell(0, first, Err(CallError::permanent("no")), None);
    world.tell(0, 0, Ok(()), None);
    world.turn(0);
    assert_eq!(world.runs(), [], "the other route is not tried");
    assert!(world.is_answered(1) && world.is_answered(2));
}

#[test]
fn a_route_that_was_slow_once_is_tried_again_by_calls_with_a_short_deadline() {
    let mut world = world(CallPolicy { timeout: Duration::from_secs(60), ..policy() });
    world.ask(request("ann", "a"));
    world.go();
    world.pass(20_000);
    world.tell(0, 0, Ok(()), None);
    let now_ms = world.now.monotonic_ms;
    world.ask(Request { due_ms: Some(now_ms + 5_000), ..request("ann", "a") });
    world.go();
    assert_eq!(world.kind(1), Some(FailureKind::Expired), "its answer would come too late");
    world.pass(90_000);
    let now_ms = world.now.monotonic_ms;
    world.ask(Request { due_ms: Some(now_ms + 5_000), ..request("ann", "a") });
    world.go();
    assert_eq!(world.runs(), [(2, 0)]);
}

#[test]
fn a_deadline_that_ends_an_attempt_says_nothing_about_its_route() {
    let routes = vec![Route { breaker: Some(breaker()), ..Route::named("a") }];
    let mut world = world(CallPolicy { routes, ..policy() });
    world.ask(Request { due_ms: Some(500), ..request("ann", "a") });
    world.go();
    world.after(500);
    assert_eq!(world.kind(0), Some(FailureKind::Expired));
    let snapshot = world.members[0].calls.snapshot(world.now);
    assert_eq!(snapshot.routes[0].breaker, Some(BreakerState::Closed));
}

#[test]
fn the_timer_of_a_pause_that_ended_sooner_does_not_end_the_next_one() {
    let shut = Route { breaker: Some(breaker()), max_attempts: Some(3), ..Route::named("a") };
    let routes = vec![shut, Route { max_attempts: Some(1), ..Route::named("b") }];
    let mut world = world(CallPolicy { routes, first_backoff: Duration::from_secs(8), ..policy() });
    world.ask(request("ann", "a"));
    world.go();
    world.tell(0, 0, Err(CallError::transient("down")), None);
    world.after(8_000);
    assert_eq!(world.runs(), [(0, 0)]);
    world.tell(0, 0, Err(CallError::transient("down")), None);
    let resumes = world.members[0].calls.calls[&0].pauses_until_ms;
    world.members[0].calls.pause(0, world.now.monotonic_ms + 60_000);
    world.pass(resumes - world.now.monotonic_ms);
    world.go();
    assert_eq!(world.runs(), [], "the longer pause counts");
}

#[test]
fn the_timer_of_a_pause_that_ended_sooner_does_not_part_a_call_from_the_one_that_it_joined() {
    let mut world = world(policy());
    world.ask(Request { content: Some(1), ..request("ann", "a") });
    world.go();
    world.ask(Request { content: Some(1), ..request("ann", "b") });
    world.read_requests(0);
    // It pauses, is woken before its time, and joins the first.
    let calls = &mut world.members[0].calls;
    assert!(calls.queue.remove(1));
    calls.pause(1, 500);
    calls.wait(1);
    world.go();
    world.after(600);
    world.tell(0, 0, Ok(()), None);
    world.go();
    assert!(world.is_answered(0) && world.is_answered(1));
    assert_eq!(world.members[0].calls.stats().attempts, 1);
}

#[test]
fn an_answer_that_takes_no_call_waits_for_no_limit_and_no_route() {
    let mut world = world(CallPolicy { limits: vec![Limit::in_flight(1)], ..policy() });
    (0..3).for_each(|lane| world.ask(request("ann", &lane.to_string())));
    world.ask(Request { most: KNOWN, ..request("ann", "known") });
    world.go();
    assert_eq!(world.runs().len(), 1, "the limit holds");
    assert!(world.is_answered(3));
    assert_eq!(world.members[0].calls.stats().attempts, 1);
}

#[test]
fn failures_of_a_route_that_do_not_pass_open_its_breaker() {
    let routes = vec![Route { breaker: Some(breaker()), ..Route::named("a") }, Route::named("b")];
    let mut world = world(CallPolicy { routes, ..policy() });
    world.ask(request("ann", "a"));
    world.go();
    world.tell(0, 0, Err(CallError::of_route("no such model")), None);
    world.go();
    assert_eq!(world.runs(), [(0, 1)], "the next route is asked at once");
    world.ask(request("ann", "b"));
    world.go();
    assert_eq!(world.runs(), [(0, 1), (1, 1)], "nobody pays for another attempt at the first route");
}

#[test]
fn waiting_calls_of_a_withdrawn_lane_end_and_those_that_run_go_on() {
    let mut world = world(CallPolicy { max_in_flight_per_key: 1, ..policy() });
    for lane in ["ann", "ann", "eve"] {
        world.ask(request("t", lane));
    }
    world.go();
    assert_eq!(world.runs(), [(0, 0), (2, 0)]);
    let (now, partition) = (world.now, TopicPartition::new("requests", 0));
    let effects = world.members[0].calls.withdraw_lane(&partition, &Bytes::from_static(b"ann"), now);
    assert_eq!(effects.len(), 1, "only the second one of the lane waits");
    world.carry_out(0, effects);
    assert_eq!(world.requests[1].answer, Some(Ended::Dropped));
    world.tell(0, 0, Ok(()), None);
    world.go();
    assert!(world.is_answered(0));
}
