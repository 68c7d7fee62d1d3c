//! Metrics of model calls, read from the executors at each request for metrics.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use prometheus::{
    core::{Collector, Desc},
    proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType},
};
use tidemill::{BreakerState, CallSnapshot, CallStats, Spent};

use crate::server::engine::Engine;

use MetricType::{COUNTER, GAUGE, HISTOGRAM};

/// Each metric: its name, its kind, what it tells, and its labels beside `application`.
const METRICS: &[(&str, MetricType, &str, &[&str])] = &[
    ("tidemill_calls_in_flight", GAUGE, "Attempts that run", &[]),
    ("tidemill_calls_waiting", GAUGE, "Requests that wait for an attempt", &[]),
    ("tidemill_calls_tenant_waiting", GAUGE, "Requests that wait for an attempt, by who pays", &["tenant"]),
    ("tidemill_calls_oldest_waiting_seconds", GAUGE, "Age of the oldest waiting request; 0 if none waits", &[]),
    ("tidemill_calls_attempts_total", COUNTER, "Attempts", &[]),
    ("tidemill_calls_retries_total", COUNTER, "Attempts after the first one of their request", &[]),
    ("tidemill_calls_timeouts_total", COUNTER, "Attempts that took too long", &[]),
    ("tidemill_calls_hedged_total", COUNTER, "Attempts beside a slow one", &[]),
    ("tidemill_calls_succeeded_total", COUNTER, "Requests with an answer", &[]),
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
        "tidemill_calls_limit",
        GAUGE,
        "What a limit allows: calls, tokens, or millionths of the currency",
        &["limit", "tenant"],
    ),
    ("tidemill_calls_limit_left", GAUGE, "What is left of a limit", &["limit", "tenant"]),
    ("tidemill_calls_route_in_flight", GAUGE, "Attempts that run on a route", &["route"]),
    ("tidemill_calls_route_expected_seconds", GAUGE, "Moving average of the time to an answer", &["route"]),
    ("tidemill_calls_breaker_state", GAUGE, "A route's breaker: 0 closed, 1 half-open, 2 open", &["route"]),
];

/// The tenant of requests whose payer is no tenant of the configuration. No metric holds the id of a stream or user.
const OTHER: &str = "other";

/// Collects the metrics of calls.
pub(super) struct CallMetrics {
    engine: Arc<Engine>,
    described: Vec<Desc>,
}

impl CallMetrics {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        let described = METRICS.iter().map(|(name, _, help, labels)| {
            let labels = ["application"].iter().chain(*labels).map(|label| (*label).to_owned()).collect();
            let described = Desc::new((*name).to_owned(), (*help).to_owned(), labels, HashMap::new());
            described.expect("names and labels are valid")
        });
        Self { engine, described: described.collect() }
    }
}

impl Collector for CallMetrics {
    fn desc(&self) -> Vec<&Desc> {
        self.described.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let tenants: Vec<_> = self.engine.settings().tenants.iter().map(|tenant| tenant.name.as_str()).collect();
        let mut rows = Rows { tenants, ..Rows::default() };
        for app in self.engine.apps().iter().filter(|app| app.app.calls.is_some()) {
            rows.read(app.app.id, &app.calls());
        }
        rows.families()
    }
}

/// Names and values of a row's labels.
type Labels = Vec<(&'static str, String)>;

/// The rows of metrics, by name.
#[derive(Default)]
struct Rows<'a> {
    /// The tenants that may be named.
    tenants: Vec<&'a str>,
    found: BTreeMap<&'static str, Vec<Metric>>,
    /// Rows of several payers that are told as one.
    sums: BTreeMap<(&'static str, Labels), f64>,
}

impl Rows<'_> {
    fn read(&mut self, app: &str, snapshot: &CallSnapshot) {
        let stats = &snapshot.stats;
        let mut add = |name, value| self.add(name, app, &[], value);
        add("tidemill_calls_in_flight", stats.in_flight as f64);
        add("tidemill_calls_waiting", stats.waiting as f64);
        add("tidemill_calls_oldest_waiting_seconds", seconds(snapshot.oldest_waiting_ms.unwrap_or(0)));
        for (name, count) in counters(stats) {
            add(name, count as f64);
        }
        add("tidemill_calls_cost_total", money(stats.usage.cost_micros));
        for (direction, tokens) in [("input", stats.usage.input_tokens), ("output", stats.usage.output_tokens)] {
            self.add("tidemill_calls_tokens_total", app, &[("direction", direction)], tokens as f64);
        }
        self.latency(app, stats);
        for (tenant, waiting) in &snapshot.waiting {
            let tenant = self.named(tenant);
            self.add("tidemill_calls_tenant_waiting", app, &[("tenant", &tenant)], *waiting as f64);
        }
        for spending in &snapshot.spending {
            let tenant = self.named(&spending.tenant);
            for (period, spent) in [("hour", &spending.hour), ("day", &spending.day)] {
                self.spent(app, &[("tenant", &tenant), ("route", &spending.route), ("period", period)], spent);
            }
        }
        for limit in &snapshot.limits {
            // What is left to somebody who may not be named is not told: the sum of several would be wrong.
            let tenant = limit.tenant.as_deref().unwrap_or_default();
            let Some(left) = limit.left().filter(|_| self.named(tenant) == tenant) else { continue };
            let labels = [("limit", limit.limit.as_str()), ("tenant", tenant)];
            self.add("tidemill_calls_limit", app, &labels, limit.most as f64);
            self.add("tidemill_calls_limit_left", app, &labels, left as f64);
        }
        for route in &snapshot.routes {
            let labels = [("route", route.name.as_str())];
            self.add("tidemill_calls_route_in_flight", app, &labels, route.in_flight as f64);
            self.add("tidemill_calls_route_expected_seconds", app, &labels, seconds(route.expected_ms));
            if let Some(state) = route.breaker {
                let number = match state {
                    BreakerState::Closed => 0.0,
                    BreakerState::HalfOpen => 1.0,
                    BreakerState::Open { .. } => 2.0,
                };
                self.add("tidemill_calls_breaker_state", app, &labels, number);
            }
        }
    }

    fn spent(&mut self, app: &str, labels: &[(&'static str, &str)], spent: &Spent) {
        self.add("tidemill_calls_spent_calls", app, labels, spent.calls as f64);
        self.add("tidemill_calls_spent_cost", app, labels, money(spent.usage.cost_micros));
        for (direction, tokens) in [("input", spent.usage.input_tokens), ("output", spent.usage.output_tokens)] {
            let labels = [labels, &[("direction", direction)]].concat();
            self.add("tidemill_calls_spent_tokens", app, &labels, tokens as f64);
        }
    }

    fn latency(&mut self, app: &str, stats: &CallStats) {
        let (mut buckets, mut count) = (Vec::new(), 0);
        for (bound_ms, calls) in CallStats::LATENCY_MS.iter().zip(stats.latency) {
            count += calls;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(seconds(*bound_ms));
            bucket.set_cumulative_count(count);
            buckets.push(bucket);
        }
        let mut histogram = Histogram::default();
        histogram.set_bucket(buckets);
        histogram.set_sample_count(stats.latency.iter().sum());
        histogram.set_sample_sum(seconds(stats.latency_sum_ms));
        let mut metric = Metric::from_label(labelled(&[("application", app.to_owned())]));
        metric.set_histogram(histogram);
        self.found.entry("tidemill_calls_latency_seconds").or_default().push(metric);
    }

    /// The name of a tenant, if it may be told.
    fn named(&self, tenant: &str) -> String {
        let is_known = tenant.is_empty() || self.tenants.contains(&tenant);
        if is_known { tenant.to_owned() } else { OTHER.to_owned() }
    }

    fn add(&mut self, name: &'static str, app: &str, labels: &[(&'static str, &str)], value: f64) {
        let own = labels.iter().map(|(label, text)| (*label, (*text).to_owned()));
        let labels = [("application", app.to_owned())].into_iter().chain(own).collect();
        *self.sums.entry((name, labels)).or_default() += value;
    }

    fn families(self) -> Vec<MetricFamily> {
        let Self { mut found, sums, .. } = self;
        for ((name, labels), value) in sums {
            let mut metric = Metric::from_label(labelled(&labels));
            let (mut gauge, mut counter) = (Gauge::default(), Counter::default());
            gauge.set_value(value);
            counter.set_value(value);
            metric.set_gauge(gauge);
            metric.set_counter(counter);
            found.entry(name).or_default().push(metric);
        }
        let families = METRICS.iter().filter_map(|(name, kind, help, _)| {
            let mut family = MetricFamily::default();
            family.set_name((*name).to_owned());
            family.set_help((*help).to_owned());
            family.set_field_type(*kind);
            family.set_metric(found.remove(name)?);
            Some(family)
        });
        families.collect()
    }
}

fn counters(stats: &CallStats) -> [(&'static str, u64); 14] {
    [
        ("tidemill_calls_attempts_total", stats.attempts),
        ("tidemill_calls_retries_total", stats.retries),
        ("tidemill_calls_timeouts_total", stats.timeouts),
        ("tidemill_calls_hedged_total", stats.hedged),
        ("tidemill_calls_succeeded_total", stats.succeeded),
        ("tidemill_calls_fallbacks_total", stats.fallbacks),
        ("tidemill_calls_cached_total", stats.cached),
        ("tidemill_calls_joined_total", stats.joined),
        ("tidemill_calls_failed_total", stats.failed),
        ("tidemill_calls_superseded_total", stats.superseded),
        ("tidemill_calls_expired_total", stats.expired),
        ("tidemill_calls_exhausted_total", stats.exhausted),
        ("tidemill_calls_dropped_total", stats.dropped),
        ("tidemill_calls_repeated_total", stats.repeated),
    ]
}

fn labelled(labels: &[(&'static str, String)]) -> Vec<LabelPair> {
    let pair = |(name, value): &(&'static str, String)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value(value.clone());
        pair
    };
    labels.iter().map(pair).collect()
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}

fn money(micros: u64) -> f64 {
    micros as f64 / 1_000_000.0
}

#[cfg(test)]
mod tests {
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
        let mut stats = CallStats { attempts: 5, fallbacks: 1, usage, latency_sum_ms: 1_560, ..CallStats::default() };
        (stats.latency[0], stats.latency[2], stats.latency[11]) = (1, 2, 1);
        let spent = Spent { calls: 3, usage, ..Spent::default() };
        let route = RouteSnapshot {
            name: "large".to_owned(),
            breaker: Some(BreakerState::Open { until_ms: 5 }),
            opened: 1,
            in_flight: 2,
            expected_ms: 1_500,
        };
        let limit = LimitUse {
            limit: "at most 9 calls per hour".to_owned(),
            tenant: None,
            route: None,
            quantity: "calls",
            period: "hour",
            most: 9,
            used: Some(3),
        };
        let told = text(
            &CallSnapshot {
                stats,
                routes: vec![route],
                waiting: vec![("ann".to_owned(), 2)],
                oldest_waiting_ms: Some(2_500),
                spending: vec![Spending {
                    tenant: "ann".to_owned(),
                    route: "large".to_owned(),
                    hour: spent,
                    day: spent,
                }],
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
            "tidemill_calls_route_expected_seconds{application=\"app\",route=\"large\"} 1.5",
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
}
