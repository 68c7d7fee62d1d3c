//! How others were starved or overtaken: drained tenants, limits at the head, pauses, superseded calls.

use super::*;

fn except(tenant: &str) -> impl Fn(Candidate<'_>) -> Turn + '_ {
    move |call| if call.tenant == tenant { Turn::SkipTenant } else { Turn::Start }
}

#[test]
fn a_tenant_that_was_drained_and_comes_back_does_not_overtake() {
    let mut queue = queue([("a", "a"), ("b", "b"), ("c", "c")]);
    assert_eq!(queue.pop(anyone), Some(0));
    // The answer to a's call brings two more.
    queue.push(3, "a".into(), lane("a"));
    queue.push(4, "a".into(), lane("a"));
    assert_eq!(drained(&mut queue), [1, 2, 3, 4]);
}

#[test]
fn a_tenant_that_leaves_does_not_change_the_order_of_the_others() {
    let mut queue = queue([("a", "a"), ("b", "b"), ("c", "c"), ("d", "d"), ("e", "e")]);
    assert!(queue.remove(1));
    assert!(queue.remove(3));
    assert_eq!(drained(&mut queue), [0, 2, 4]);
}

#[test]
fn a_full_tenant_at_the_head_does_not_block_the_one_behind_it() {
    let mut queue = queue((0..500).map(|id| if id < 499 { ("full", "full") } else { ("free", "free") }));
    assert_eq!(queue.pop(except("full")), Some(499));
    assert_eq!(queue.pop(except("full")), None);
    assert_eq!(queue.len_of("full"), 499);
}

#[test]
fn a_tenant_that_is_skipped_every_time_goes_first_as_soon_as_it_may() {
    let mut queue = FairQueue::default();
    queue.push(0, "unlucky".into(), lane("unlucky"));
    for id in 1..200 {
        let name = format!("tenant-{}", id % 7);
        queue.push(id, name.as_str().into(), lane(&name));
    }
    for _ in 0..100 {
        assert!(queue.pop(except("unlucky")).is_some());
    }
    assert_eq!(queue.pop(anyone), Some(0));
}

#[test]
fn a_tenant_with_many_lanes_gets_no_more_turns_than_one_with_one() {
    let mut queue = FairQueue::default();
    for id in 0..300 {
        queue.push(id, "many".into(), lane(&format!("many-{id}")));
    }
    for id in 300..330 {
        queue.push(id, "one".into(), lane("one"));
    }
    let first = (0..60).filter_map(|_| queue.pop(anyone)).filter(|id| *id >= 300).count();
    assert_eq!(first, 30);
}

#[test]
fn an_idle_tenant_saves_no_turns() {
    // Ten calls at once after a long silence are served in turn with the others, not before them.
    let mut queue = FairQueue::default();
    for id in 0..100 {
        queue.push(id, "busy".into(), lane("busy"));
    }
    assert_eq!((0..50).filter_map(|_| queue.pop(anyone)).count(), 50);
    for id in 100..110 {
        queue.push(id, "idle".into(), lane("idle"));
    }
    let next: Vec<_> = (0..6).filter_map(|_| queue.pop(anyone)).collect();
    assert_eq!(next, [50, 100, 51, 101, 52, 102]);
}

#[test]
fn a_pause_keeps_the_newer_calls_of_its_lane_back_and_no_others() {
    let mut queue = queue([("a", "x"), ("a", "x"), ("a", "y")]);
    assert_eq!(queue.pop(anyone), Some(0));
    // It runs, fails and pauses. Nothing overtakes it in its lane, also what arrives meanwhile.
    queue.hold(&lane("x"));
    queue.push(3, "a".into(), lane("x"));
    assert_eq!((queue.pop(anyone), queue.pop(anyone)), (Some(2), None));
    queue.push(0, "a".into(), lane("x"));
    queue.release(&lane("x"));
    assert_eq!(drained(&mut queue), [0, 1, 3]);
}

#[test]
fn a_call_of_no_tenant_is_one_of_the_tenant_without_a_name() {
    let mut queue = queue([("", ""), ("", ""), ("a", "x")]);
    assert_eq!(queue.tenants().collect::<Vec<_>>(), [("", 2), ("a", 1)]);
    assert_eq!(drained(&mut queue), [0, 2, 1]);
}
