//! Orders, fairness and costs.

mod model;
mod starvation;

use std::collections::BTreeSet;

use super::*;

fn lane(name: &str) -> Bytes {
    Bytes::copy_from_slice(name.as_bytes())
}

/// A queue of calls, each as tenant and lane. The first has the id 0.
fn queue<'a>(calls: impl IntoIterator<Item = (&'a str, &'a str)>) -> FairQueue {
    let mut queue = FairQueue::default();
    for (id, (tenant, name)) in (0..).zip(calls) {
        queue.push(id, tenant.into(), lane(name));
    }
    queue
}

fn anyone(_: Candidate<'_>) -> Turn {
    Turn::Start
}

fn drained(queue: &mut FairQueue) -> Vec<u64> {
    std::iter::from_fn(|| queue.pop(anyone)).collect()
}

#[test]
fn tenants_take_turns_and_so_do_their_lanes_and_in_a_lane_the_oldest_goes_first() {
    let calls = [("a", "x"), ("a", "x"), ("a", "y"), ("b", "z"), ("a", "y"), ("b", "z")];
    // a: x0 x1, y2 y4. b: z3 z5.
    assert_eq!(drained(&mut queue(calls)), [0, 3, 2, 5, 1, 4]);
}

#[test]
fn a_call_that_comes_back_goes_before_the_others_of_its_lane() {
    let mut queue = queue([("a", "x"), ("a", "x"), ("a", "x")]);
    assert_eq!((queue.pop(anyone), queue.pop(anyone)), (Some(0), Some(1)));
    // The younger one comes back first, which changes nothing.
    queue.push(1, "a".into(), lane("x"));
    queue.push(0, "a".into(), lane("x"));
    assert_eq!(drained(&mut queue), [0, 1, 2]);
}

#[test]
fn who_is_skipped_keeps_its_place() {
    let mut queue = queue([("a", "w"), ("a", "x"), ("b", "y"), ("c", "z")]);
    let without_a = |call: Candidate<'_>| if call.tenant == "a" { Turn::SkipTenant } else { Turn::Start };
    let without_w = |call: Candidate<'_>| if call.lane == b"w" { Turn::SkipLane } else { Turn::Start };
    assert_eq!(queue.pop(without_a), Some(2));
    assert_eq!(queue.pop(without_w), Some(1));
    queue.push(4, "a".into(), lane("x"));
    // c was passed by no one. In a, the lane w is still before x.
    assert_eq!(drained(&mut queue), [3, 0, 4]);
}

#[test]
fn nothing_starts_if_no_one_may() {
    let mut queue = queue([("a", "x"), ("b", "y")]);
    assert_eq!(queue.pop(|_| Turn::SkipLane), None);
    assert_eq!(queue.pop(|_| Turn::SkipTenant), None);
    assert_eq!(queue.len(), 2);
}

#[test]
fn a_call_that_is_too_large_for_what_is_left_is_skipped_with_its_lane() {
    let mut queue = queue([("a", "x"), ("a", "x"), ("a", "y"), ("b", "z")]);
    let too_large = |call: Candidate<'_>| if call.id == 0 { Turn::SkipLane } else { Turn::Start };
    // Call 1 is small, but call 0 goes before it.
    assert_eq!([queue.pop(too_large), queue.pop(too_large), queue.pop(too_large)], [Some(2), Some(3), None]);
    assert_eq!(drained(&mut queue), [0, 1]);
}

#[test]
fn a_lane_keeps_its_order_across_tenants() {
    let mut queue = queue([("a", "x"), ("b", "x"), ("b", "y")]);
    let without_a = |call: Candidate<'_>| if call.tenant == "a" { Turn::SkipTenant } else { Turn::Start };
    // Call 1 is b's, but it is behind call 0 of a.
    assert_eq!(queue.pop(without_a), Some(2));
    assert_eq!(queue.pop(without_a), None);
    assert_eq!(queue.len_of("b"), 1);
    assert_eq!(drained(&mut queue), [0, 1]);
}

#[test]
fn a_held_lane_waits_until_it_is_released() {
    let mut queue = queue([("a", "x"), ("a", "x"), ("a", "y")]);
    assert_eq!(queue.pop(anyone), Some(0));
    queue.hold(&lane("x"));
    assert_eq!(drained(&mut queue), [2]);
    queue.push(3, "a".into(), lane("x"));
    assert_eq!((queue.pop(anyone), queue.len(), queue.lanes()), (None, 2, 1));
    queue.release(&lane("x"));
    assert_eq!(drained(&mut queue), [1, 3]);
    // A lane may be held before its first call, and released after its last.
    queue.hold(&lane("z"));
    queue.push(4, "a".into(), lane("z"));
    assert_eq!(queue.pop(anyone), None);
    assert!(queue.remove(4));
    queue.release(&lane("z"));
    queue.release(&lane("unknown"));
    assert_eq!((queue.is_empty(), queue.lanes()), (true, 0));
}

#[test]
fn what_leaves_is_forgotten() {
    let mut queue = queue([("a", "x"), ("b", "y"), ("b", "y")]);
    assert!(queue.remove(0));
    assert!(!queue.remove(0));
    assert_eq!((queue.len(), queue.len_of("a"), queue.len_of("b"), queue.lanes()), (2, 0, 2, 1));
    assert_eq!(drained(&mut queue), [1, 2]);
    assert!(queue.is_empty() && queue.lanes.is_empty() && queue.tenants.is_empty() && queue.line.is_empty());
}

#[test]
fn quiet_tenants_are_served_within_one_round_of_a_noisy_one() {
    let mut queue = FairQueue::default();
    for id in 0..10_000 {
        queue.push(id, "noisy".into(), lane(&format!("noisy-{}", id % 50)));
    }
    for quiet in 0..99_u64 {
        queue.push(10_000 + quiet, format!("quiet-{quiet}").into(), lane(&format!("quiet-{quiet}")));
    }
    let served: BTreeSet<_> = (0..100).filter_map(|_| queue.pop(anyone)).collect();
    assert_eq!(served.into_iter().filter(|id| *id >= 10_000).count(), 99);
    assert_eq!((queue.len(), queue.len_of("noisy")), (9_999, 9_999));
}

#[test]
fn a_burst_of_one_stream_does_not_delay_the_other_streams_of_its_tenant() {
    let mut queue = FairQueue::default();
    for id in 0..1_000 {
        queue.push(id, "".into(), lane("popular"));
    }
    for id in 1_000..1_010 {
        queue.push(id, "".into(), lane(&format!("small-{id}")));
    }
    let first: Vec<_> = (0..11).filter_map(|_| queue.pop(anyone)).collect();
    assert_eq!(first, [0, 1_000, 1_001, 1_002, 1_003, 1_004, 1_005, 1_006, 1_007, 1_008, 1_009]);
}

#[test]
fn a_limited_tenant_with_many_calls_costs_one_question() {
    let mut queue = FairQueue::default();
    for id in 0..100_000 {
        queue.push(id, "limited".into(), lane(&format!("stream-{id}")));
    }
    queue.push(100_000, "other".into(), lane("other"));
    let mut asked = 0;
    let found = queue.pop(|call| {
        asked += 1;
        if call.tenant == "limited" { Turn::SkipTenant } else { Turn::Start }
    });
    assert_eq!((found, asked), (Some(100_000), 2));
    let many = |queue: &mut FairQueue| (0..50_000).filter_map(|_| queue.pop(anyone)).count();
    assert_eq!(many(&mut queue), 50_000);
    assert_eq!(queue.len(), 50_000);
}

#[test]
fn many_calls_of_one_lane_cost_one_question() {
    let mut queue = FairQueue::default();
    for id in 0..100_000 {
        queue.push(id, "a".into(), lane("running"));
    }
    let mut asked = 0;
    let refuse = |_: Candidate<'_>| {
        asked += 1;
        Turn::SkipLane
    };
    assert_eq!((queue.pop(refuse), asked), (None, 1));
    queue.hold(&lane("running"));
    assert_eq!(queue.pop(|_| unreachable!("a held lane is not asked")), None);
}
