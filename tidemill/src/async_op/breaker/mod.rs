//! A route's circuit breaker: keeps attempts away from a route that fails, and probes when it works again.
//!
//! Every attempt is admitted first and reported afterwards, with the ticket that the admission gave. A ticket belongs to
//! one term: the time between two changes of the breaker's state. The outcome of an attempt of an earlier term says how
//! the route was, not how it is, and changes nothing.

mod policy;
mod recent;

use std::collections::BTreeMap;

pub use policy::{BreakerPolicy, BreakerState};
use recent::Recent;

/// A service may ask for a longer pause than this, for example by a wrong date. The breaker is not closed for ever.
const LONGEST_ASKED_MS: i64 = 24 * 60 * 60 * 1000;

#[derive(Debug)]
pub(super) struct Breaker {
    policy: BreakerPolicy,
    phase: Phase,
    /// The number of changes of the phase.
    term: u64,
    /// The number of tickets given.
    tickets: u64,
    /// Openings by failures without a close in between. The pause depends on it.
    openings: u32,
    changes: BreakerChanges,
}

#[derive(Debug)]
enum Phase {
    Closed(Recent),
    Open {
        until_ms: i64,
    },
    HalfOpen {
        succeeded: usize,
        /// The probes without an outcome: ticket number and deadline. Past its deadline a probe counts as lost and makes
        /// room for another one.
        running: BTreeMap<u64, i64>,
    },
}

/// Permission for one attempt. Whoever gets it reports the attempt's outcome once: [`Breaker::succeeded`],
/// [`Breaker::failed`], [`Breaker::failed_until`] or [`Breaker::abandoned`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    term: u64,
    number: u64,
}

/// Whether an attempt may start now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    Yes(Ticket),
    /// Yes, and its outcome decides about the route.
    Probe(Ticket),
    /// Ask again at this moment. While probes run, an outcome may allow it earlier.
    Not {
        until_ms: i64,
    },
}

/// How often a breaker changed its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct BreakerChanges {
    pub(super) opened: u64,
    /// Counted when the first probe is admitted.
    pub(super) half_opened: u64,
    pub(super) closed: u64,
}

impl Breaker {
    pub(super) fn new(policy: BreakerPolicy) -> Self {
        let phase = Phase::Closed(Recent::default());
        Self { policy, phase, term: 0, tickets: 0, openings: 0, changes: BreakerChanges::default() }
    }

    /// Asks for an attempt. It has an outcome by `deadline_ms`: a probe that has none by then keeps no other probe back.
    pub(super) fn admit(&mut self, now_ms: i64, deadline_ms: i64) -> Admission {
        if matches!(self.phase, Phase::Open { until_ms } if now_ms >= until_ms) {
            self.phase = Phase::HalfOpen { succeeded: 0, running: BTreeMap::new() };
            self.term += 1;
            self.changes.half_opened += 1;
        }
        let ticket = Ticket { term: self.term, number: self.tickets };
        match &mut self.phase {
            Phase::Closed(_) => {
                self.tickets += 1;
                Admission::Yes(ticket)
            }
            Phase::Open { until_ms } => Admission::Not { until_ms: *until_ms },
            Phase::HalfOpen { succeeded, running } => {
                let deadlines = running.values().copied().filter(|deadline_ms| *deadline_ms > now_ms);
                match deadlines.clone().min() {
                    // No more probes than are needed to close: they may all wait for a service that hangs.
                    Some(first_ms) if deadlines.count() + *succeeded >= self.policy.places() => {
                        Admission::Not { until_ms: first_ms }
                    }
                    _ => {
                        self.tickets += 1;
                        running.insert(ticket.number, deadline_ms);
                        Admission::Probe(ticket)
                    }
                }
            }
        }
    }

    /// The attempt got an answer, while `running` other attempts at the route have no outcome yet.
    pub(super) fn succeeded(&mut self, ticket: Ticket, running: usize) {
        if ticket.term != self.term {
            return;
        }
        match &mut self.phase {
            Phase::Closed(recent) => recent.succeeded(&self.policy, running),
            Phase::Open { .. } => {}
            Phase::HalfOpen { succeeded, running } => {
                *succeeded += usize::from(running.remove(&ticket.number).is_some());
                if *succeeded >= self.policy.places() {
                    self.phase = Phase::Closed(Recent::default());
                    self.term += 1;
                    self.openings = 0;
                    self.changes.closed += 1;
                }
            }
        }
    }

    /// The attempt failed in a way that says something about the route, while `running` other attempts at the route
    /// have no outcome yet.
    pub(super) fn failed(&mut self, now_ms: i64, ticket: Ticket, running: usize) {
        self.failed_until(now_ms, now_ms, ticket, running);
    }

    /// As [`Breaker::failed`], and the service asks for a pause. Its word counts at once and whenever the attempt began:
    /// it is about the future. It makes the breaker's own pause longer but never shorter.
    pub(super) fn failed_until(&mut self, now_ms: i64, asked_until_ms: i64, ticket: Ticket, running: usize) {
        let mut until_ms = asked_until_ms.min(now_ms.saturating_add(LONGEST_ASKED_MS));
        let counts = ticket.term == self.term;
        let opens = counts
            && match &mut self.phase {
                Phase::Closed(recent) => recent.failed(&self.policy, running),
                Phase::Open { .. } => false,
                Phase::HalfOpen { running, .. } => running.remove(&ticket.number).is_some(),
            };
        if opens {
            until_ms = until_ms.max(now_ms.saturating_add(self.policy.pause_ms(self.openings)));
            self.openings = self.openings.saturating_add(1);
        } else if until_ms <= now_ms {
            return;
        }
        match &mut self.phase {
            Phase::Open { until_ms: open_until_ms } => *open_until_ms = until_ms.max(*open_until_ms),
            Phase::Closed(_) | Phase::HalfOpen { .. } => {
                self.phase = Phase::Open { until_ms };
                self.term += 1;
                self.changes.opened += 1;
            }
        }
    }

    /// The attempt has no outcome that says something about the route: it was not made, it was stopped, or the service
    /// refused this request. Another probe takes its place.
    pub(super) fn abandoned(&mut self, ticket: Ticket) {
        if let Phase::HalfOpen { running, .. } = &mut self.phase {
            // Numbers are unique, so a ticket of an earlier term removes nothing.
            running.remove(&ticket.number);
        }
    }

    /// The state at this moment. An open breaker is half-open as soon as its pause is over, even if no one has asked.
    pub(super) fn state(&self, now_ms: i64) -> BreakerState {
        match self.phase {
            Phase::Closed(_) => BreakerState::Closed,
            Phase::Open { until_ms } if now_ms < until_ms => BreakerState::Open { until_ms },
            Phase::Open { .. } | Phase::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    pub(super) fn changes(&self) -> BreakerChanges {
        self.changes
    }
}

#[cfg(test)]
mod tests;
