//! The names of the metrics of calls, and what they tell.

use prometheus::proto::MetricType;

use MetricType::{COUNTER, GAUGE, HISTOGRAM};

/// Each metric: its name, its kind, what it tells, and its labels beside `application`.
pub(super) const METRICS: &[(&str, MetricType, &str, &[&str])] = &[
    ("tidemill_calls_in_flight", GAUGE, "Attempts that run", &[]),
    ("tidemill_calls_waiting", GAUGE, "Requests that wait for an attempt", &[]),
    ("tidemill_calls_tenant_waiting", GAUGE, "Requests that wait for an attempt, by who pays", &["tenant"]),
    ("tidemill_calls_oldest_waiting_seconds", GAUGE, "Age of the oldest waiting request; 0 if none waits", &[]),
    ("tidemill_calls_attempts_total", COUNTER, "Attempts", &[]),
    ("tidemill_calls_retries_total", COUNTER, "Attempts after the first one of their request", &[]),
    ("tidemill_calls_timeouts_total", COUNTER, "Attempts that took too long", &[]),
    ("tidemill_calls_hedged_total", COUNTER, "Attempts beside a slow one", &[]),
    (
        "tidemill_calls_succeeded_total",
        COUNTER,
        "Requests with an answer, by the route that gave it; no route: known without a call, or cached",
        &["route"],
    ),
    ("tidemill_calls_known_total", COUNTER, "Requests answered without a call, because the answer was known", &[]),
    ("tidemill_calls_fallbacks_total", COUNTER, "Requests answered by another route than the first", &[]),
    ("tidemill_calls_cached_total", COUNTER, "Requests answered from the cache", &[]),
    ("tidemill_calls_joined_total", COUNTER, "Requests that joined a call for the same content", &[]),
    ("tidemill_calls_failed_total", COUNTER, "Requests that failed for good", &[]),
    ("tidemill_calls_superseded_total", COUNTER, "Requests whose place a newer one took", &[]),
    ("tidemill_calls_expired_total", COUNTER, "Requests whose deadline was over", &[]),
    ("tidemill_calls_exhausted_total", COUNTER, "How often a request left a route because of a limit", &[]),
    ("tidemill_calls_dropped_total", COUNTER, "Requests dropped because of a limit", &[]),
    ("tidemill_calls_repeated_total", COUNTER, "Requests that a dead executor had begun", &[]),
    ("tidemill_calls_latency_seconds", HISTOGRAM, "Time from requests to their answers", &[]),
    ("tidemill_calls_tokens_total", COUNTER, "Tokens of all attempts", &["direction"]),
    ("tidemill_calls_cost_total", COUNTER, "Money of all attempts, in the currency of the prices", &[]),
    ("tidemill_calls_untold_total", COUNTER, "Attempts that never told what they used; their most counts", &[]),
    (
        "tidemill_calls_spent_calls",
        GAUGE,
        "Attempts of all instances in this hour or day, UTC",
        &["tenant", "route", "period"],
    ),
    (
        "tidemill_calls_spent_tokens",
        GAUGE,
        "Tokens of all instances in this hour or day, UTC",
        &["tenant", "route", "period", "direction"],
    ),
    (
        "tidemill_calls_spent_cost",
        GAUGE,
        "Money of all instances in this hour or day, UTC, in the currency of the prices",
        &["tenant", "route", "period"],
    ),
    (
        "tidemill_calls_unknown_calls",
        GAUGE,
        "Attempts of instances that died, in this hour or day, UTC: they may have been paid",
        &["tenant", "route", "period"],
    ),
    (
        "tidemill_calls_unknown_cost",
        GAUGE,
        "The most that these attempts may have cost; budgets count it",
        &["tenant", "route", "period"],
    ),
    (
        "tidemill_calls_limit",
        GAUGE,
        "What a limit allows: calls, tokens, or millionths of the currency",
        &["limit", "tenant"],
    ),
    ("tidemill_calls_limit_left", GAUGE, "What is left of a limit", &["limit", "tenant"]),
    (
        "tidemill_calls_limit_too_small_total",
        COUNTER,
        "Attempts never made, because one alone may use more than the limit",
        &["limit", "tenant"],
    ),
    ("tidemill_calls_route_in_flight", GAUGE, "Attempts that run on a route", &["route"]),
    (
        "tidemill_calls_route_latency_seconds",
        GAUGE,
        "Average time of the last answers of a route; it stays while none comes",
        &["route"],
    ),
    ("tidemill_calls_route_last_answer_age_seconds", GAUGE, "Time since the last answer of a route", &["route"]),
    ("tidemill_calls_breaker_state", GAUGE, "A route's breaker: 0 closed, 1 half-open, 2 open", &["route"]),
];
