//! A topic and members for tests.

use bytes::Bytes;

use super::super::{Claim, Ledger, Limit, Refusal, Ticket};
use crate::async_op::Usage;

pub(super) const SECOND: i64 = 1_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;
/// The beginning of some day.
pub(super) const START: i64 = 20_000 * DAY;

pub(super) type Written = (Bytes, Option<Bytes>);

/// A topic whose readers are always up to date.
pub(super) struct Room {
    pub(super) now_ms: i64,
    pub(super) log: Vec<Written>,
    members: Vec<(Ledger, usize)>,
}

impl Room {
    pub(super) fn new(members: &[&str], limits: &[Limit]) -> Self {
        let members = members.iter().map(|name| (Ledger::new(*name, limits.to_vec()), 0)).collect();
        Self { now_ms: START, log: Vec::new(), members }
    }

    pub(super) fn member(&mut self, member: usize) -> &mut Ledger {
        &mut self.members[member].0
    }

    /// Writes what a member has to write.
    pub(super) fn write(&mut self, member: usize) -> usize {
        let changes = self.members[member].0.changes(self.now_ms);
        let count = changes.len();
        self.log.extend(changes);
        count
    }

    /// Lets a member read up to the end.
    pub(super) fn read(&mut self, member: usize) -> Vec<(Ticket, Result<(), Refusal>)> {
        let (ledger, position) = &mut self.members[member];
        for (key, value) in &self.log[*position..] {
            ledger.read(key, value.as_deref(), self.now_ms);
        }
        *position = self.log.len();
        ledger.decided()
    }

    pub(super) fn reserve(&mut self, member: usize, tenant: &str, most: u64) -> Result<Ticket, Refusal> {
        let now_ms = self.now_ms;
        let id = self.log.len() as u64;
        self.member(member).reserve(Claim { id, tenant, route: "r", most: micros(most) }, now_ms)
    }

    /// Reserves, writes, reads and expects a grant.
    pub(super) fn start(&mut self, member: usize, tenant: &str, most: u64) -> Ticket {
        let ticket = self.reserve(member, tenant, most).expect("there is room");
        self.write(member);
        assert_eq!(self.read(member), [(ticket, Ok(()))]);
        ticket
    }

    /// Settles, writes, and lets all read.
    pub(super) fn settle(&mut self, member: usize, ticket: Ticket, used: u64) {
        let now_ms = self.now_ms;
        self.member(member).settle(ticket, micros(used), now_ms);
        self.write(member);
        (0..self.members.len()).for_each(|member| drop(self.read(member)));
    }
}

/// So many micros, and as many tokens.
pub(super) fn micros(cost_micros: u64) -> Usage {
    Usage { input_tokens: cost_micros / 3, output_tokens: cost_micros - cost_micros / 3, cost_micros }
}
