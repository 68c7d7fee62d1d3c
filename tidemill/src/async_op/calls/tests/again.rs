//! Requests that somebody asks again: they wait for a route that works, within a bound.

use std::time::Duration;

use super::{
    super::super::{CallError, CallPolicy, FailureKind},
    singles::{fallback, request, world},
    world::{Request, World},
};

/// A world whose only route has just failed, and is closed for five seconds.
fn closed() -> World {
    let mut world = world(CallPolicy { max_attempts: 1, ..fallback() });
    world.ask(request("ann", "first"));
    world.go();
    world.tell(0, 0, Err(CallError::transient("down")), None);
    world.go();
    world
}

fn again(lane: &str) -> Request {
    Request { again: true, ..request("ann", lane) }
}

#[test]
fn a_request_that_is_asked_again_waits_for_the_route_to_open() {
    let mut world = closed();
    world.ask(again("a"));
    world.ask(request("ann", "b"));
    world.go();
    assert_eq!(world.kind(2), Some(FailureKind::Unavailable), "somebody waits for the result of a new window");
    assert_eq!((world.kind(1), world.runs().len()), (None, 0), "nobody waits for that of an old one");
    world.after(5_000);
    assert_eq!(world.runs(), [(1, 0)], "its try is the probe");
    world.tell(0, 0, Ok(()), None);
    world.go();
    assert!(world.is_answered(1));
}

#[test]
fn it_does_not_wait_for_a_route_that_opens_after_its_deadline() {
    let mut world = closed();
    world.ask(Request { due_ms: Some(world.now.monotonic_ms + 4_000), ..again("a") });
    world.go();
    assert_eq!(world.kind(1), Some(FailureKind::Unavailable));
}

#[test]
fn it_waits_for_five_minutes_at_most() {
    let mut world = world(CallPolicy { max_attempts: 1, ..fallback() });
    world.ask(request("ann", "first"));
    world.go();
    world.tell(0, 0, Err(CallError::retry_after("down", Duration::from_secs(400))), None);
    world.ask(again("a"));
    world.go();
    assert_eq!(world.kind(1), Some(FailureKind::Unavailable));
    world.after(101_000);
    world.ask(again("b"));
    world.go();
    assert_eq!(world.kind(2), None);
    world.after(299_000);
    assert_eq!(world.runs(), [(2, 0)]);
}

#[test]
fn what_joined_a_request_that_does_not_wait_waits_for_itself() {
    let mut world = closed();
    world.after(5_000);
    world.ask(Request { content: Some(1), ..request("ann", "a") });
    world.ask(Request { content: Some(1), ..again("b") });
    world.go();
    assert_eq!(world.runs(), [(1, 0)], "one is the probe, and the other gets its answer");
    world.tell(0, 0, Err(CallError::transient("still down")), None);
    world.go();
    assert_eq!((world.kind(1), world.kind(2)), (Some(FailureKind::Error), Some(FailureKind::Error)));
}
