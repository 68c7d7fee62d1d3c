//! What an executor knows of a route: its breaker, and how long its answers take.

use std::{sync::Arc, time::Duration};

use crate::{
    async_op::{
        BreakerState, CallPolicy, Route, RouteSnapshot,
        breaker::{Admission, Breaker, Ticket},
    },
    clock::millis,
};

/// An expectation becomes half as long in this time without an answer. A route that was slow once is tried again.
const HALVED_MS: i64 = 30_000;
/// The weight of the newest answer in the expected time of an answer.
const NEWEST: f64 = 0.2;

/// A route and its state.
#[derive(Debug)]
pub(super) struct RouteState {
    pub(super) name: Arc<str>,
    pub(super) max_attempts: u32,
    pub(super) timeout_ms: i64,
    pub(super) breaker: Option<Breaker>,
    pub(super) in_flight: usize,
    /// A moving average of the time to an answer; `None` before the first answer.
    latency_ms: Option<f64>,
    answered_ms: i64,
    /// Whether a probe has ended. Calls that wait for the route may ask again.
    probe_ended: bool,
    /// When the last probe was admitted.
    probe_ms: i64,
    /// The end of the longest pause that the service asked for.
    asked_until_ms: i64,
    /// How long a probe's outcome is waited for at least.
    patience_ms: i64,
    /// The number of failures since the last answer.
    failed_in_a_row: usize,
}

/// Why a route takes no attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    /// It fails. It is tried again at this time.
    Failing(i64),
    /// Its service asked for a pause until this time.
    Pausing(i64),
    /// A probe runs. If the route works, the probe has told so by this time.
    Probing(i64),
}

impl RouteState {
    pub(super) fn new(route: &Route, policy: &CallPolicy) -> Self {
        Self {
            name: route.name.clone(),
            max_attempts: route.max_attempts.unwrap_or(policy.max_attempts).max(1),
            timeout_ms: millis(route.timeout.unwrap_or(policy.timeout)),
            breaker: route.breaker.clone().map(Breaker::new),
            in_flight: 0,
            latency_ms: None,
            answered_ms: 0,
            probe_ended: false,
            probe_ms: 0,
            asked_until_ms: i64::MIN,
            patience_ms: millis(policy.first_backoff),
            failed_in_a_row: 0,
        }
    }

    /// Asks for an attempt. Returns its ticket, which is `None` without a breaker.
    pub(super) fn admit(&mut self, now_ms: i64) -> Result<Option<Ticket>, Closed> {
        let expected_ms = self.expected_ms(now_ms);
        let Some(breaker) = &mut self.breaker else { return Ok(None) };
        // The attempt may wait for the ledger first.
        match breaker.admit(now_ms, now_ms.saturating_add(self.timeout_ms.saturating_mul(2))) {
            Admission::Yes(ticket) => Ok(Some(ticket)),
            Admission::Probe(ticket) => {
                self.probe_ms = now_ms;
                Ok(Some(ticket))
            }
            Admission::Not { until_ms } if breaker.state(now_ms) == BreakerState::HalfOpen => {
                let tells_ms = self.probe_ms.saturating_add(self.patience_ms.max(2 * expected_ms));
                Err(if tells_ms > now_ms { Closed::Probing(tells_ms.min(until_ms)) } else { Closed::Failing(until_ms) })
            }
            Admission::Not { until_ms } if until_ms <= self.asked_until_ms => Err(Closed::Pausing(until_ms)),
            Admission::Not { until_ms } => Err(Closed::Failing(until_ms)),
        }
    }

    /// How long an answer will probably take.
    pub(super) fn expected_ms(&self, now_ms: i64) -> i64 {
        let halvings = (now_ms - self.answered_ms).max(0) as f64 / HALVED_MS as f64;
        (self.latency_ms.unwrap_or(0.0) * (-halvings).exp2()) as i64
    }

    pub(super) fn succeeded(&mut self, ticket: Option<Ticket>) {
        self.failed_in_a_row = 0;
        let running = self.in_flight;
        self.report(ticket, |breaker, ticket| breaker.succeeded(ticket, running));
    }

    /// Notes a failure. The route's service may have asked for a pause. The pause that is asked of a few attempts among
    /// many that run is their own: it does not close the route to all.
    pub(super) fn failed(&mut self, ticket: Option<Ticket>, pause: Option<Duration>, now_ms: i64) {
        self.failed_in_a_row += 1;
        let closed = self.breaker.as_ref().is_some_and(|breaker| breaker.state(now_ms) == BreakerState::Closed);
        let few = closed && self.failed_in_a_row < self.in_flight;
        let pause = pause.filter(|_| !few);
        let asked_until_ms = pause.map_or(i64::MIN, |pause| now_ms.saturating_add(millis(pause)));
        self.asked_until_ms = self.asked_until_ms.max(asked_until_ms);
        let running = self.in_flight;
        self.report(ticket, |breaker, ticket| match pause {
            Some(pause) => breaker.failed_until(now_ms, now_ms.saturating_add(millis(pause)), ticket, running),
            None => breaker.failed(now_ms, ticket, running),
        });
    }

    /// Takes back an admission: its attempt says nothing about the route.
    pub(super) fn abandon(&mut self, ticket: Option<Ticket>) {
        self.report(ticket, Breaker::abandoned);
    }

    fn report(&mut self, ticket: Option<Ticket>, outcome: impl FnOnce(&mut Breaker, Ticket)) {
        if let (Some(breaker), Some(ticket)) = (&mut self.breaker, ticket) {
            // At the beginning of time, only a breaker whose probes have begun is half-open.
            self.probe_ended |= breaker.state(i64::MIN) == BreakerState::HalfOpen;
            outcome(breaker, ticket);
        }
    }

    /// Whether a probe has ended since the last question.
    pub(super) const fn take_probe_ended(&mut self) -> bool {
        std::mem::replace(&mut self.probe_ended, false)
    }

    pub(super) fn snapshot(&self, now_ms: i64) -> RouteSnapshot {
        let breaker = self.breaker.as_ref().map(|breaker| breaker.state(now_ms));
        let opened = self.breaker.as_ref().map_or(0, |breaker| breaker.changes().opened);
        let (latency_ms, last_answer_ago_ms) = match self.latency_ms {
            // A sum of milliseconds that are not negative is not negative.
            Some(latency_ms) => (Some(latency_ms as u64), Some((now_ms - self.answered_ms).max(0).unsigned_abs())),
            None => (None, None),
        };
        let (name, in_flight) = (self.name.to_string(), self.in_flight);
        RouteSnapshot { name, breaker, opened, in_flight, latency_ms, last_answer_ago_ms, succeeded: 0 }
    }

    /// Notes an answer, after so many milliseconds.
    pub(super) fn answered(&mut self, after_ms: i64, now_ms: i64) {
        let after_ms = after_ms.max(0) as f64;
        self.latency_ms = Some(self.latency_ms.map_or(after_ms, |known| known + NEWEST * (after_ms - known)));
        self.answered_ms = now_ms;
    }
}
