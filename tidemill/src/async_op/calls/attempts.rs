//! Attempts: what runs, what is given up, what was consumed.

use bytes::Bytes;

use super::{Ask, CallId, Calls, Effect, Stage, timers::Timer};
use crate::{
    async_op::{CallError, FailureKind, Usage, breaker, ledger::Ticket},
    clock::Moment,
};

/// An attempt that has not told its outcome, or the reservation for one (number 0).
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) route: usize,
    /// The permission of the route's breaker.
    pub(super) admission: Option<breaker::Ticket>,
    /// The most that it may consume.
    pub(super) most: Usage,
    pub(super) ticket: Option<Ticket>,
    pub(super) began_ms: i64,
    /// When it has run for too long.
    pub(super) until_ms: i64,
    /// Whether it runs beside a slow one.
    pub(super) hedge: bool,
    /// Whether its outcome no longer matters: it took too long, or its call has ended.
    pub(super) given_up: bool,
}

/// A route that lets an attempt through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Admitted {
    pub(super) route: usize,
    pub(super) admission: Option<breaker::Ticket>,
    pub(super) hedge: bool,
}

impl Calls {
    /// Makes room for another attempt: the outcome of this one no longer matters. What it consumes still counts.
    pub(super) fn abandon(&mut self, id: CallId, number: u32, lane: &Bytes) {
        if let Some(attempt) = self.attempts.get_mut(&(id, number))
            && !std::mem::replace(&mut attempt.given_up, true)
        {
            let route = &mut self.routes[attempt.route];
            route.in_flight -= 1;
            route.abandon(attempt.admission);
            self.busy -= 1;
            self.leave_lane(lane);
        }
    }

    /// Takes back a reservation whose attempt was not begun.
    pub(super) fn withdraw(&mut self, id: CallId, lane: &Bytes) {
        if let Some(attempt) = self.attempts.remove(&(id, 0)) {
            self.routes[attempt.route].abandon(attempt.admission);
            self.busy -= 1;
            self.leave_lane(lane);
            if let (Some(ledger), Some(ticket)) = (&mut self.ledger, attempt.ticket) {
                self.tickets.remove(&ticket);
                ledger.withdraw(ticket);
            }
        }
    }

    /// Ends an attempt that has run for too long.
    pub(super) fn time_out(&mut self, id: CallId, number: u32, now: Moment, effects: &mut Vec<Effect>) {
        let Some(attempt) = self.attempts.get_mut(&(id, number)) else { return };
        let route = attempt.route;
        let state = &mut self.routes[route];
        // Its caller still has some time to tell what it consumed.
        let until_ms = now.monotonic_ms.saturating_add(state.timeout_ms);
        self.timers.set(until_ms, Timer::GivenUp(id, number));
        if std::mem::replace(&mut attempt.given_up, true) {
            return;
        }
        let took_ms = now.monotonic_ms - attempt.began_ms;
        state.in_flight -= 1;
        state.failed(attempt.admission, None, now.monotonic_ms);
        self.stats.timeouts += 1;
        self.vacate(id);
        let error = CallError::transient(format!("no answer within {took_ms} ms"));
        self.attempt_failed(id, number, route, FailureKind::Timeout, error, now, effects);
    }

    /// Counts the most for an attempt that never told what it consumed.
    pub(super) fn give_up(&mut self, id: CallId, number: u32, now: Moment) {
        if let Some(attempt) = self.attempts.remove(&(id, number)) {
            self.settle(&attempt, None, now);
        }
    }

    /// Counts what an attempt consumed: what it told, or the most that it may have consumed.
    pub(super) fn settle(&mut self, attempt: &Attempt, told: Option<Usage>, now: Moment) -> Usage {
        let usage = told.unwrap_or(attempt.most);
        if told.is_none() {
            self.stats.untold += 1;
            self.stats.untold_usage += usage;
        }
        self.stats.usage += usage;
        if let (Some(ledger), Some(ticket)) = (&mut self.ledger, attempt.ticket) {
            ledger.settle(ticket, usage, now.wall_ms);
        }
        usage
    }

    /// Starts a second attempt beside a slow one, if there is room for it.
    pub(super) fn hedge(&mut self, id: CallId, number: u32, now: Moment, ask: &mut dyn Ask, effects: &mut Vec<Effect>) {
        let Some(call) = self.calls.get(&id) else { return };
        let alone = call.stage == Stage::Calling && call.running == [number];
        let (Some(slow), true) = (self.attempts.get(&(id, number)), alone) else { return };
        if slow.until_ms <= now.monotonic_ms {
            // Time has passed for long. The attempt times out, or its call's deadline comes, in this turn.
            return;
        }
        let route = slow.route;
        let spent = call.routes[route].attempts >= self.routes[route].max_attempts;
        let lane_is_full =
            self.lane_running.get(&call.arrival.lane).is_some_and(|count| *count >= self.policy.max_in_flight_per_key);
        if spent || lane_is_full || self.closing || self.busy >= self.policy.max_in_flight.max(1) {
            return;
        }
        let Ok(admission) = self.routes[route].admit(now.monotonic_ms) else { return };
        // A refused limit is no reason to end the call: its first attempt still runs.
        let _ = self.reserve(id, Admitted { route, admission, hedge: true }, now, ask, effects);
    }
}
