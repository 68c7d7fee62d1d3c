//! The limits that all executors of a call keep together: a state machine without I/O, replicated by a topic.
//!
//! ```text
//! member A: reserve → changes ─┐                        ┌─→ read → decided, settle → changes …
//! member B: reserve → changes ─┼─→ topic, one partition ┼─→ read → decided
//!                              └── one order for all ───┘
//! ```
//!
//! Each member writes under keys of its own, so a record replaces only what the same member wrote before, and a write
//! that comes twice does no harm. An entry holds what one member did in one hour for one tenant at one route: sums of
//! settled attempts, and reservations of open ones. Compaction keeps the last record of each key, so nothing that
//! counts is lost.
//!
//! A reservation is decided when its member reads its own record back. Everything that other members had open before
//! that record counts against it. What they write behind the record has the reservation before it. So of two members
//! that reserve the last room at the same time, exactly the first in the topic gets it. A refused reservation still
//! counts for others until it is withdrawn; `reserve` looks at what is known, so members do not refuse each other for
//! ever.
//!
//! What the topic and its user must keep:
//!
//! - One partition; `cleanup.policy=compact`; `min.compaction.lag.ms` of at least a minute. Else compaction could
//!   remove a record that stands before a reservation while that is decided.
//! - `member` is unique for each start of a process.
//! - Records are written in the order of `changes`. A record may come twice, but not behind a later record of the same
//!   key. A record that was lost is written again after some seconds.
//! - `changes` is called every few seconds, also if nothing happens. A member without a word for a minute counts as
//!   dead while it is silent: its open reservations stay spent, but they are no longer in flight. If
//!   another member has read one of its requests, 20 s of silence are enough.
//! - Clocks of members differ by seconds at most.

mod limit;
mod time;
mod wire;

mod tally;

mod book;
mod others;
mod refusal;
mod spending;

mod limit_use;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub(crate) use book::Ticket;
use book::{Book, Held};
use bytes::Bytes;
pub use limit::Limit;
pub use limit_use::LimitUse;
use others::Others;
use refusal::Asking;
pub(crate) use refusal::{Again, Refusal};
use spending::Sums;
pub use spending::{Spending, Spent};
use tally::Totals;
use time::{ALIVE_MS, FRESH_MS, MINUTE_MS, hour_of, minute, minute_of, minute_of_hour};
use wire::{Alive, Body, EntryKey, Open, Record};

use super::Usage;

/// An attempt that wants to start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim<'a> {
    /// The request.
    pub(crate) id: u64,
    pub(crate) tenant: &'a str,
    pub(crate) route: &'a str,
    /// The most that the attempt may use.
    pub(crate) most: Usage,
}

/// One member's view of the ledger.
#[derive(Debug)]
pub(crate) struct Ledger {
    limits: Vec<Limit>,
    own: Book,
    others: Others,
    /// What others wrote, and what this member settled and was granted.
    known: Totals,
    /// This member's reservations without a decision.
    asked: Totals,
    decided: Vec<(Ticket, Result<(), Refusal>)>,
    written_ms: Option<i64>,
    cleaned_ms: Option<i64>,
    malformed: u64,
}

impl Ledger {
    /// A ledger that has read nothing yet. Read the whole topic before the first reservation.
    pub(crate) fn new(member: impl Into<Arc<str>>, limits: Vec<Limit>) -> Self {
        let (known, asked) = (Totals::new(&limits), Totals::new(&limits));
        let (own, others, decided) = (Book::new(member.into()), Others::default(), Vec::new());
        Self { limits, own, others, known, asked, decided, written_ms: None, cleaned_ms: None, malformed: 0 }
    }

    /// Notes a reservation, if what is known leaves room. It is written with the next changes and decided later.
    pub(crate) fn reserve(&mut self, claim: Claim<'_>, now_ms: i64) -> Result<Ticket, Refusal> {
        let (member, tenant, route) = (self.own.member().clone(), claim.tenant.into(), claim.route.into());
        let key = EntryKey { member, tenant, route, hour: hour_of(now_ms), block: 0 };
        let open = Open { id: claim.id, minute: minute_of_hour(now_ms), most: claim.most };
        self.check(&key, &open, &[&self.known, &self.asked], now_ms)?;
        Ok(self.own.note(key, open, &mut self.asked))
    }

    /// What to write now, in this order.
    pub(crate) fn changes(&mut self, now_ms: i64) -> Vec<(Bytes, Option<Bytes>)> {
        let mut changes = Vec::new();
        if is_due(self.cleaned_ms, MINUTE_MS, now_ms) {
            self.cleaned_ms = Some(now_ms);
            changes.extend(self.own.clean(now_ms, &mut self.known));
            changes.extend(self.others.clean(now_ms, &mut self.known));
        }
        let entries = self.own.write(now_ms, &mut self.known, &mut self.asked);
        if !entries.is_empty() {
            self.written_ms = Some(now_ms);
        } else if self.own.has_open() && is_due(self.written_ms, ALIVE_MS, now_ms) {
            self.written_ms = Some(now_ms);
            changes.push((Alive::key(self.own.member()), Some(Alive { at_ms: now_ms }.encode())));
        }
        changes.extend(entries);
        changes
    }

    /// Takes in a record of the topic, in its order: others' records and this member's own.
    pub(crate) fn read(&mut self, key: &[u8], value: Option<&[u8]>, now_ms: i64) {
        match Record::parse(key, value) {
            Some(Record::Alive(member, Some(alive))) => self.others.hear(&member, alive.at_ms, now_ms),
            Some(Record::Alive(member, None)) => self.others.forget(&member, now_ms),
            Some(Record::Entry(key, Some(body))) if key.member == *self.own.member() => {
                self.read_back(&key, &body, now_ms);
            }
            Some(Record::Entry(key, Some(body))) => self.others.fold(key, body, now_ms, &mut self.known),
            Some(Record::Entry(key, None)) => self.others.remove(&key, &mut self.known),
            None => self.malformed += 1,
        }
    }

    /// The decisions since the last call.
    pub(crate) fn decided(&mut self) -> Vec<(Ticket, Result<(), Refusal>)> {
        std::mem::take(&mut self.decided)
    }

    /// Replaces a reservation by what its attempt used. Only the first call for a ticket counts.
    pub(crate) fn settle(&mut self, ticket: Ticket, used: Usage, now_ms: i64) {
        self.own.settle(ticket, used, now_ms, &mut self.known, &mut self.asked);
    }

    /// Takes back a reservation whose attempt never started, decided or not.
    pub(crate) fn withdraw(&mut self, ticket: Ticket) {
        self.own.withdraw(ticket, &mut self.known, &mut self.asked);
    }

    /// This member has read a request. If another member had begun it, that one has lost its partition, and counts as dead
    /// after 20 s of silence.
    pub(crate) fn taken_over(&mut self, id: u64) {
        self.others.taken_over(id);
    }

    /// Whether another member has or had an open reservation for a request, so its call may be paid twice. What ended
    /// is remembered for some thousand requests, and only if it was read while it was open.
    pub(crate) fn begun_elsewhere(&self, id: u64) -> bool {
        self.others.begun(id)
    }

    /// What was spent in the current hour and on the current day, by tenant and route.
    pub(crate) fn spending(&self, now_ms: i64) -> Vec<Spending> {
        let mut sums = Sums::new(now_ms);
        for (key, calls, used, open) in self.own.entries() {
            sums.add(key, calls, used, &open, true);
        }
        for (key, body) in self.others.entries() {
            sums.add(key, body.calls, body.used, &body.open, self.others.is_alive(&key.member, now_ms));
        }
        sums.finish()
    }

    /// How much of each limit is used, given what was spent.
    pub(crate) fn limit_uses(&self, spending: &[Spending]) -> Vec<LimitUse> {
        self.limits.iter().flat_map(|limit| LimitUse::of(limit, spending)).collect()
    }

    /// The number of records that could not be understood.
    pub(crate) fn malformed(&self) -> u64 {
        self.malformed
    }

    /// Decides the reservations that a record of this member placed in the topic's order.
    fn read_back(&mut self, key: &EntryKey, body: &Body, now_ms: i64) {
        for ticket in self.own.read_back(key, body.seq) {
            let Some(Held { key, open, .. }) = self.own.held(ticket) else { continue };
            // Others count a minute's attempts exactly for that minute and the next.
            let minutes = minute_of(body.at_ms) - minute(key.hour, open.minute);
            if now_ms.saturating_sub(body.at_ms) > FRESH_MS || minutes > 1 {
                self.own.note_again(ticket);
                continue;
            }
            let decision = self.check(key, open, &[&self.known], body.at_ms);
            match &decision {
                Ok(()) => self.own.grant(ticket, &mut self.known, &mut self.asked),
                Err(_) => drop(self.own.withdraw(ticket, &mut self.known, &mut self.asked)),
            }
            self.decided.push((ticket, decision));
        }
    }

    fn check(&self, key: &EntryKey, open: &Open, totals: &[&Totals], at_ms: i64) -> Result<(), Refusal> {
        let (tenant, route, hour) = (&key.tenant, &key.route, key.hour);
        let asking = Asking { tenant, route, most: &open.most, hour, minute_of_hour: open.minute, at_ms };
        let alive = |member: &str| *member == **self.own.member() || self.others.is_alive(member, at_ms);
        asking.check(&self.limits, totals, alive)
    }
}

/// Whether something that comes at least each `period_ms` is due. A clock that went back must not delay it.
fn is_due(last_ms: Option<i64>, period_ms: i64, now_ms: i64) -> bool {
    last_ms.is_none_or(|last_ms| now_ms < last_ms || now_ms - last_ms >= period_ms)
}
