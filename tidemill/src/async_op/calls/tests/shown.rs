//! What an executor shows of itself: whose answers they were, how long they took, what was not told.

use super::{
    super::super::{CallError, CallPolicy, FailureKind, Limit, Route, WhenExhausted},
    singles::{policy, request, world},
    world::{KNOWN, Request, World},
};

fn shown(world: &World) -> crate::CallSnapshot {
    world.members[0].calls.snapshot(world.now)
}

#[test]
fn answers_are_counted_for_the_route_that_gave_them() {
    let routes = vec![Route::named("model"), Route::named("offline")];
    let mut world = world(CallPolicy { routes, max_attempts: 1, ..policy() });
    world.ask(Request { content: Some(1), ..request("ann", "a") });
    world.ask(Request { content: Some(1), ..request("ann", "b") });
    world.ask(Request { most: KNOWN, ..request("ann", "c") });
    world.go();
    world.tell(0, 0, Err(CallError::permanent("no")), None);
    world.go();
    world.tell(0, 0, Ok(()), None);
    world.ask(request("ann", "d"));
    world.go();
    world.tell(0, 0, Ok(()), None);
    let shown = shown(&world);
    assert_eq!((shown.stats.succeeded, shown.stats.known, shown.stats.joined), (4, 1, 1));
    let by_route: Vec<_> = shown.routes.iter().map(|route| (&*route.name, route.succeeded)).collect();
    assert_eq!(by_route, [("model", 1), ("offline", 2)], "one took no call");
}

#[test]
fn the_measured_time_of_answers_stays_as_it_was_and_has_an_age() {
    let mut world = world(policy());
    assert_eq!((shown(&world).routes[0].latency_ms, shown(&world).routes[0].last_answer_ago_ms), (None, None));
    world.ask(request("ann", "a"));
    world.go();
    world.after(400);
    world.tell(0, 0, Ok(()), None);
    world.after(600_000);
    assert_eq!(
        (shown(&world).routes[0].latency_ms, shown(&world).routes[0].last_answer_ago_ms),
        (Some(400), Some(600_000))
    );
}

#[test]
fn attempts_that_never_tell_what_they_used_are_counted_with_their_most() {
    let mut world = world(policy());
    world.ask(request("ann", "a"));
    world.ask(request("ann", "b"));
    world.go();
    world.tell(0, 0, Ok(()), None);
    world.tell(0, 0, Ok(()), Some(3));
    let stats = shown(&world).stats;
    assert_eq!((stats.untold, stats.untold_usage.cost_micros, stats.usage.cost_micros), (1, 10, 13));
}

#[test]
fn a_limit_below_what_one_call_may_use_is_marked() {
    for when_exhausted in [WhenExhausted::Fallback, WhenExhausted::Wait, WhenExhausted::Drop] {
        let limits = vec![Limit::micros_per_day(9), Limit::micros_per_hour(100)];
        let mut world = world(CallPolicy { limits, when_exhausted, ..policy() });
        world.ask(request("ann", "a"));
        world.ask(request("ann", "b"));
        world.go();
        let never_fit: Vec<_> = shown(&world).limits.iter().map(|used| used.never_fit).collect();
        assert_eq!(never_fit, [2, 0], "{when_exhausted:?}");
        assert!(world.kind(0).is_none_or(|kind| kind == FailureKind::Exhausted));
    }
}
