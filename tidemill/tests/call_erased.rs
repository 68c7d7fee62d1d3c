//! Requests of an erased key: what waits in an executor goes to no service.

mod common;

use common::executors::{School, work};
use tidemill::{CallPolicy, Limit};

#[test]
fn what_waits_for_an_erased_key_is_not_called() {
    let school = School::new(CallPolicy { limits: vec![Limit::in_flight(1)], ..CallPolicy::default() });
    let mut seat = school.seat();
    school.ask(&[("ann", "one"), ("ann", "two"), ("eve", "three")]);
    school.pass(100, &mut [&mut seat]);
    assert_eq!(seat.texts(), ["one"]);
    school.driver.input::<String, ()>("forget").pipe("ann".into(), (), 9).expect("processes");
    seat.answer("one", "A");
    school.pass(100, &mut [&mut seat]);
    assert_eq!(seat.texts(), ["three"], "nobody wants an answer to the second request of the erased key");
    seat.answer("three", "C");
    school.pass(200, &mut [&mut seat]);
    assert_eq!(school.answers(), ["three: C (default Called 1)"]);

    // The next executor finds nothing to repeat.
    drop(seat);
    let mut next = school.seat();
    work(&mut [&mut next]);
    school.pass(1_000, &mut [&mut next]);
    assert!(next.texts().is_empty());
}

#[test]
fn a_request_after_the_erasure_is_called() {
    let school = School::new(CallPolicy::default());
    let mut seat = school.seat();
    school.ask(&[("ann", "one")]);
    school.driver.input::<String, ()>("forget").pipe("ann".into(), (), 9).expect("processes");
    school.ask(&[("ann", "two")]);
    school.pass(100, &mut [&mut seat]);
    // Both were read at once, before anything could start.
    assert_eq!(seat.texts(), ["two"]);
    seat.answer("two", "B");
    school.pass(200, &mut [&mut seat]);
    assert_eq!(school.answers(), ["two: B (default Called 1)"]);
}
