//! What a call does with the time until its deadline.

use std::time::Duration;

use super::{
    super::{
        super::{CallError, CallOrder, CallPolicy, FailureKind, Limit, Route, WhenExhausted},
        Ended,
    },
    world::{Request, World},
};

const ONE_ATTEMPT: u64 = 10;

fn ask(world: &mut World, due_ms: Option<i64>) {
    let (lane, content, answer) = (world.requests.len().to_string(), None, None);
    world.requests.push(Request {
        partition: 0,
        tenant: "ann",
        lane,
        content,
        due_ms,
        most: ONE_ATTEMPT,
        again: false,
        answer,
    });
    world.read_requests(0);
    turn(world);
}

/// A turn, and another one with the ledger's decisions.
fn turn(world: &mut World) {
    for _ in 0..2 {
        world.turn(0);
        world.deliver(0, usize::MAX, false);
    }
    world.turn(0);
}

fn failure(world: &World, number: usize) -> Option<FailureKind> {
    match &world.requests[number].answer {
        Some(Ended::Failure(failure)) => Some(failure.kind),
        _ => None,
    }
}

fn routes(world: &World) -> Vec<usize> {
    world.members[0]
        .running
        .iter()
        .filter(|it| world.members[0].calls.get(it.call).is_some_and(|call| call.runs(it.attempt)))
        .map(|it| it.route)
        .collect()
}

#[test]
fn a_call_does_not_wait_for_a_pause_that_ends_after_its_deadline() {
    let mut world = World::new(CallPolicy::default(), CallOrder::Unordered, 1);
    ask(&mut world, Some(30_000));
    world.tell(0, 0, Err(CallError::retry_after("busy", Duration::from_secs(40))), Some(0));
    assert_eq!(failure(&world, 0), Some(FailureKind::Error), "it fails at once, for the reason that it has");
}

#[test]
fn a_route_that_hangs_leaves_time_for_the_next_one() {
    let timeout = Some(Duration::from_millis(2_250));
    let routes_of =
        |names: &[&'static str]| names.iter().map(|name| Route { timeout, ..Route::named(*name) }).collect();
    let policy = CallPolicy { routes: routes_of(&["first", "second"]), ..CallPolicy::default() };
    let mut world = World::new(policy, CallOrder::Unordered, 1);
    ask(&mut world, Some(5_000));
    assert_eq!(routes(&world), [0]);
    world.pass(2_250);
    turn(&mut world);
    assert_eq!(routes(&world), [1]);
}

#[test]
fn a_quick_failure_is_tried_again_on_the_same_route() {
    let timeout = Some(Duration::from_millis(2_000));
    let routes_of =
        |names: &[&'static str]| names.iter().map(|name| Route { timeout, ..Route::named(*name) }).collect();
    let policy = CallPolicy { routes: routes_of(&["first", "second"]), ..CallPolicy::default() };
    let first_backoff = policy.first_backoff;
    let mut world = World::new(policy, CallOrder::Unordered, 1);
    ask(&mut world, Some(9_000));
    world.tell(0, 0, Err(CallError::transient("busy")), Some(0));
    world.pass(first_backoff.as_millis() as i64);
    turn(&mut world);
    assert_eq!(routes(&world), [0]);
}

#[test]
fn a_budget_that_is_only_reserved_is_waited_for_and_not_told_as_exhausted() {
    for when_exhausted in [WhenExhausted::Fallback, WhenExhausted::Drop] {
        let limits = vec![Limit::micros_per_day(ONE_ATTEMPT + 5)];
        let policy = CallPolicy { limits, when_exhausted, ..CallPolicy::default() };
        let mut world = World::new(policy, CallOrder::Unordered, 1);
        ask(&mut world, None);
        ask(&mut world, None);
        assert_eq!(routes(&world), [0], "the second one has no room beside the first one's reservation");
        assert_eq!(world.requests[1].answer, None);
        world.tell(0, 0, Ok(()), Some(1));
        world.pass(20);
        turn(&mut world);
        assert_eq!(routes(&world), [0], "the first one has used less than it reserved");
        world.tell(0, 0, Ok(()), Some(9));
        ask(&mut world, None);
        let ended = world.requests[2].answer.clone();
        assert!(matches!(ended, Some(Ended::Dropped | Ended::Failure(_))), "{when_exhausted:?}: {ended:?}");
    }
}
