//! What is told of a snapshot.

use prometheus::{Encoder as _, TextEncoder};
use tidemill::{LimitUse, RouteSnapshot, Spending, Usage};

use super::*;

fn text(snapshot: &CallSnapshot, tenants: &[&str]) -> String {
    let mut rows = Rows { tenants: tenants.to_vec(), ..Rows::default() };
    rows.read("app", snapshot);
    let mut text = Vec::new();
    TextEncoder::new().encode(&rows.families(), &mut text).expect("encodes");
    String::from_utf8(text).expect("text")
}

#[test]
fn a_snapshot_is_told_in_full() {
    let usage = Usage { input_tokens: 100, output_tokens: 20, cost_micros: 2_500_000 };
    let mut stats = CallStats {
        attempts: 5,
        succeeded: 4,
        known: 1,
        fallbacks: 1,
        usage,
        latency_sum_ms: 1_560,
        ..CallStats::default()
    };
    (stats.latency[0], stats.latency[2], stats.latency[11]) = (1, 2, 1);
    let spent = Spent { calls: 3, usage, unknown_calls: 1, unknown: usage, ..Spent::default() };
    let route = RouteSnapshot {
        name: "large".to_owned(),
        breaker: Some(BreakerState::Open { until_ms: 5 }),
        opened: 1,
        in_flight: 2,
        latency_ms: Some(1_500),
        last_answer_ago_ms: Some(60_000),
        succeeded: 3,
    };
    let limit = LimitUse {
        limit: "at most 9 calls per hour".to_owned(),
        tenant: None,
        route: None,
        quantity: "calls",
        period: "hour",
        most: 9,
        used: Some(3),
        never_fit: 7,
    };
    let told = text(
        &CallSnapshot {
            stats,
            routes: vec![route],
            waiting: vec![("ann".to_owned(), 2)],
            oldest_waiting_ms: Some(2_500),
            spending: vec![Spending { tenant: "ann".to_owned(), route: "large".to_owned(), hour: spent, day: spent }],
            limits: vec![limit],
            failures: Vec::new(),
            malformed: 0,
        },
        &["ann"],
    );
    for line in [
        "# TYPE tidemill_calls_attempts_total counter",
        "tidemill_calls_attempts_total{application=\"app\"} 5",
        "tidemill_calls_oldest_waiting_seconds{application=\"app\"} 2.5",
        "tidemill_calls_tenant_waiting{application=\"app\",tenant=\"ann\"} 2",
        "tidemill_calls_latency_seconds_bucket{application=\"app\",le=\"0.01\"} 1",
        "tidemill_calls_latency_seconds_bucket{application=\"app\",le=\"30\"} 3",
        "tidemill_calls_latency_seconds_bucket{application=\"app\",le=\"+Inf\"} 4",
        "tidemill_calls_latency_seconds_sum{application=\"app\"} 1.56",
        "tidemill_calls_latency_seconds_count{application=\"app\"} 4",
        "tidemill_calls_tokens_total{application=\"app\",direction=\"output\"} 20",
        "tidemill_calls_cost_total{application=\"app\"} 2.5",
        "tidemill_calls_spent_cost{application=\"app\",tenant=\"ann\",route=\"large\",period=\"day\"} 2.5",
        "tidemill_calls_limit_left{application=\"app\",limit=\"at most 9 calls per hour\",tenant=\"\"} 6",
        "tidemill_calls_breaker_state{application=\"app\",route=\"large\"} 2",
        "tidemill_calls_route_latency_seconds{application=\"app\",route=\"large\"} 1.5",
        "tidemill_calls_route_last_answer_age_seconds{application=\"app\",route=\"large\"} 60",
        "tidemill_calls_succeeded_total{application=\"app\",route=\"large\"} 3",
        "tidemill_calls_succeeded_total{application=\"app\",route=\"\"} 1",
        "tidemill_calls_known_total{application=\"app\"} 1",
        "tidemill_calls_unknown_calls{application=\"app\",tenant=\"ann\",route=\"large\",period=\"day\"} 1",
        "tidemill_calls_unknown_cost{application=\"app\",tenant=\"ann\",route=\"large\",period=\"day\"} 2.5",
        "tidemill_calls_limit_too_small_total{application=\"app\",limit=\"at most 9 calls per hour\",tenant=\"\"} 7",
    ] {
        assert!(told.lines().any(|told| told == line), "{line} in {told}");
    }
}

#[test]
fn payers_that_are_no_tenants_are_told_as_one() {
    let waiting = vec![("ada".to_owned(), 2), ("bob".to_owned(), 3), (String::new(), 1)];
    let told = text(&CallSnapshot { waiting, ..CallSnapshot::default() }, &["somebody"]);
    assert!(told.contains("tidemill_calls_tenant_waiting{application=\"app\",tenant=\"other\"} 5\n"), "{told}");
    assert!(told.contains("tidemill_calls_tenant_waiting{application=\"app\",tenant=\"\"} 1\n"), "{told}");
    assert!(!told.contains("ada"), "{told}");
}
