//! What an executor knows of a route: its breaker, and how long its answers take.

use std::{sync::Arc, time::Duration};

use crate::{
    async_op::{
        CallPolicy, Route, RouteSnapshot,
        breaker::{Admission, Breaker, Ticket},
    },
    clock::millis,
};

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
        }
    }

    /// Asks for an attempt. Returns its ticket, which is `None` without a breaker, or when to ask again.
    pub(super) fn admit(&mut self, now_ms: i64) -> Result<Option<Ticket>, i64> {
        let Some(breaker) = &mut self.breaker else { return Ok(None) };
        // The attempt may wait for the ledger first.
        match breaker.admit(now_ms, now_ms.saturating_add(self.timeout_ms.saturating_mul(2))) {
            Admission::Yes(ticket) | Admission::Probe(ticket) => Ok(Some(ticket)),
            Admission::Not { until_ms } => Err(until_ms),
        }
    }

    /// How long an answer will probably take.
    pub(super) fn expected_ms(&self) -> i64 {
        self.latency_ms.unwrap_or(0.0) as i64
    }

    pub(super) fn succeeded(&mut self, ticket: Option<Ticket>) {
        if let (Some(breaker), Some(ticket)) = (&mut self.breaker, ticket) {
            breaker.succeeded(ticket);
        }
    }

    /// Notes a failure. The route's service may have asked for a pause.
    pub(super) fn failed(&mut self, ticket: Option<Ticket>, pause: Option<Duration>, now_ms: i64) {
        if let (Some(breaker), Some(ticket)) = (&mut self.breaker, ticket) {
            match pause {
                Some(pause) => breaker.failed_until(now_ms, now_ms.saturating_add(millis(pause)), ticket),
                None => breaker.failed(now_ms, ticket),
            }
        }
    }

    /// Takes back an admission: its attempt says nothing about the route.
    pub(super) fn abandon(&mut self, ticket: Option<Ticket>) {
        if let (Some(breaker), Some(ticket)) = (&mut self.breaker, ticket) {
            breaker.abandoned(ticket);
        }
    }

    pub(super) fn snapshot(&self, now_ms: i64) -> RouteSnapshot {
        let breaker = self.breaker.as_ref().map(|breaker| breaker.state(now_ms));
        let expected_ms = self.expected_ms().max(0) as u64;
        RouteSnapshot { name: self.name.to_string(), breaker, in_flight: self.in_flight, expected_ms }
    }

    pub(super) fn answered(&mut self, after_ms: i64) {
        let after_ms = after_ms.max(0) as f64;
        self.latency_ms = Some(self.latency_ms.map_or(after_ms, |known| known + NEWEST * (after_ms - known)));
    }
}
