//! A request whose deadline is over gets its outcome from the task, whether an executor runs or not.

mod common;

use std::time::Duration;

use common::{
    calls::{Call, answer, call, dropped, fail, graded, header, out, pending, pipe, request, skipping},
    driver,
    not_bad::NotBad,
};
use tidemill::{StreamsBuilder, testing::TopologyTestDriver};

const SECOND: Duration = Duration::from_secs(1);

fn hurried() -> Call {
    call().deadline(3 * SECOND)
}

fn pass(driver: &TopologyTestDriver, time: Duration) {
    driver.advance_wall_clock(time).expect("runs");
}

#[test]
fn a_request_expires_though_no_executor_runs() {
    let driver = graded(&hurried());
    pipe(&driver, "k", &["one"]);
    pass(&driver, 2 * SECOND);
    pipe(&driver, "l", &["two"]);
    pass(&driver, Duration::from_millis(999));
    assert!(out(&driver).is_empty());
    pass(&driver, Duration::from_millis(1));
    assert_eq!(out(&driver), ["one: expired"]);
    pass(&driver, 2 * SECOND);
    assert_eq!(out(&driver), ["one: expired", "two: expired"]);
    assert_eq!(pending(&driver), 0);
}

#[test]
fn an_answer_after_the_deadline_has_no_effect() {
    let driver = graded(&hurried());
    pipe(&driver, "k", &["one"]);
    pass(&driver, 3 * SECOND);
    answer(&driver, "one", "A");
    fail(&driver, "one", "expired");
    assert_eq!(out(&driver), ["one: expired"]);
    assert_eq!(dropped(&driver), [("duplicate", 2)]);
}

#[test]
fn an_answer_in_time_is_final() {
    let driver = graded(&hurried());
    pipe(&driver, "k", &["one"]);
    answer(&driver, "one", "A");
    pass(&driver, 9 * SECOND);
    assert_eq!(out(&driver), ["one: A"]);
}

#[test]
fn an_answer_in_time_does_not_expire_while_it_waits_for_a_slow_one() {
    let driver = graded(&hurried());
    pipe(&driver, "k", &["slow"]);
    pass(&driver, SECOND);
    pipe(&driver, "k", &["quick", "slow too"]);
    answer(&driver, "quick", "A");
    pass(&driver, 2 * SECOND);
    assert_eq!(out(&driver), ["slow: expired", "quick: A"]);
    pass(&driver, SECOND);
    assert_eq!(out(&driver), ["slow: expired", "quick: A", "slow too: expired"]);
}

#[test]
fn a_crash_neither_forgets_a_deadline_nor_begins_it_anew() {
    let driver = graded(&hurried());
    pipe(&driver, "k", &["one", "two"]);
    answer(&driver, "two", "B");
    pass(&driver, 2 * SECOND);
    driver.crash();
    pass(&driver, Duration::from_millis(999));
    assert!(out(&driver).is_empty());
    pass(&driver, Duration::from_millis(1));
    assert_eq!(out(&driver), ["one: expired", "two: B"]);
}

#[test]
fn a_deadline_that_ends_while_nothing_runs_ends_at_the_start() {
    let driver = graded(&hurried());
    pipe(&driver, "k", &["one"]);
    driver.crash();
    pass(&driver, SECOND);
    driver.crash();
    pass(&driver, 9 * SECOND);
    assert_eq!(out(&driver), ["one: expired"]);
    driver.crash();
    pass(&driver, 9 * SECOND);
    assert_eq!(out(&driver), ["one: expired"]);
}

#[test]
fn many_deadlines_end_together_in_the_order_of_requests() {
    let driver = graded(&hurried());
    let entries = (0..20_000).map(|number| tidemill::transport::embedded::Entry::new("k", format!("{number}"), 0));
    driver.log().append("in", 0, entries).expect("appends");
    pass(&driver, 3 * SECOND);
    let expected: Vec<_> = (0..20_000).map(|number| format!("{number}: expired")).collect();
    for _ in 0..3 {
        pass(&driver, SECOND);
    }
    assert!(out(&driver) == expected);
}

#[test]
fn the_outcome_tells_what_was_waited_for() {
    let builder = StreamsBuilder::new();
    let answered = builder.stream::<String, String>("in").map_async(&hurried());
    answered
        .map_values(|it| {
            let failure = it.outcome.expect_err("it expires");
            format!("{failure}; after {} ms; inputs {:?}", it.report.latency_ms, it.report.inputs.len())
        })
        .to("out");
    let driver = driver(&builder);
    pipe(&driver, "k", &["one"]);
    let headers = request(&driver, "one").headers;
    assert!(header(&headers, "tidemill.call.asked").is_some_and(|text| text.parse::<i64>().is_ok()));
    assert_eq!(header(&headers, "tidemill.call.deadline").as_deref(), Some("3000"));
    pass(&driver, 3 * SECOND);
    let expected = "no answer after 0 attempt(s): no answer came within 3s of the request; after 3000 ms; inputs 1";
    assert_eq!(out(&driver), [expected]);
}

#[test]
fn the_deadline_of_a_refused_record_ends_nothing() {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in");
    stream.map_async(&hurried()).map_values(|it| it.request).to("out");
    stream.process("not-bad", &[], || NotBad).to("good");
    let driver = skipping(&builder);
    pipe(&driver, "k", &["bad"]);
    pass(&driver, 2 * SECOND);
    // It gets the number that the refused one had.
    pipe(&driver, "k", &["good"]);
    pass(&driver, SECOND);
    assert!(out(&driver).is_empty());
    pass(&driver, 2 * SECOND);
    assert_eq!(out(&driver), ["good"]);
}
