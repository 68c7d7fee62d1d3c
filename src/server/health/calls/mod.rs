//! Metrics of model calls, read from the executors at each request for metrics.

mod described;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use prometheus::{
    core::{Collector, Desc},
    proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily},
};
use tidemill::{BreakerState, CallSnapshot, CallStats, Spent};

use self::described::METRICS;
use crate::server::engine::Engine;

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
        let without = ("", stats.known + stats.cached);
        let by_route = snapshot.routes.iter().map(|route| (&*route.name, route.succeeded)).chain([without]);
        for (route, succeeded) in by_route {
            self.add("tidemill_calls_succeeded_total", app, &[("route", route)], succeeded as f64);
        }
        let mut add = |name, value| self.add(name, app, &[], value);
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
            if self.named(tenant) != tenant {
                continue;
            }
            let labels = [("limit", limit.limit.as_str()), ("tenant", tenant)];
            self.add("tidemill_calls_limit_too_small_total", app, &labels, limit.never_fit as f64);
            let Some(left) = limit.left() else { continue };
            self.add("tidemill_calls_limit", app, &labels, limit.most as f64);
            self.add("tidemill_calls_limit_left", app, &labels, left as f64);
        }
        for route in &snapshot.routes {
            let labels = [("route", route.name.as_str())];
            self.add("tidemill_calls_route_in_flight", app, &labels, route.in_flight as f64);
            if let (Some(latency_ms), Some(ago_ms)) = (route.latency_ms, route.last_answer_ago_ms) {
                self.add("tidemill_calls_route_latency_seconds", app, &labels, seconds(latency_ms));
                self.add("tidemill_calls_route_last_answer_age_seconds", app, &labels, seconds(ago_ms));
            }
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
        self.add("tidemill_calls_unknown_calls", app, labels, spent.unknown_calls as f64);
        self.add("tidemill_calls_unknown_cost", app, labels, money(spent.unknown.cost_micros));
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

fn counters(stats: &CallStats) -> [(&'static str, u64); 15] {
    [
        ("tidemill_calls_attempts_total", stats.attempts),
        ("tidemill_calls_retries_total", stats.retries),
        ("tidemill_calls_timeouts_total", stats.timeouts),
        ("tidemill_calls_hedged_total", stats.hedged),
        ("tidemill_calls_known_total", stats.known),
        ("tidemill_calls_fallbacks_total", stats.fallbacks),
        ("tidemill_calls_cached_total", stats.cached),
        ("tidemill_calls_joined_total", stats.joined),
        ("tidemill_calls_failed_total", stats.failed),
        ("tidemill_calls_superseded_total", stats.superseded),
        ("tidemill_calls_expired_total", stats.expired),
        ("tidemill_calls_exhausted_total", stats.exhausted),
        ("tidemill_calls_dropped_total", stats.dropped),
        ("tidemill_calls_repeated_total", stats.repeated),
        ("tidemill_calls_untold_total", stats.untold),
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
