//! The calls that wait for an attempt: tenants take turns, in a tenant its lanes do, in a lane the oldest goes first.
//!
//! Each call counts one. A burst of one stream or tenant therefore delays another tenant's oldest call by at most one
//! call of each tenant. Who may not start is skipped and keeps its place. Nothing here knows time or chance: equal
//! operations give equal orders.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use hashbrown::HashMap;

/// The waiting calls. Ids grow with age: of two calls, the one with the smaller id is older. So a call that comes back
/// after a pause goes before the others of its lane, in whatever order calls come back.
///
/// A lane keeps its order across tenants: it stands among the lanes of the tenant of its oldest waiting call.
#[derive(Debug, Default)]
pub(super) struct FairQueue {
    /// The lane of each waiting call.
    calls: HashMap<u64, Bytes>,
    lanes: HashMap<Bytes, Lane>,
    /// Each tenant with a waiting call.
    tenants: BTreeMap<Arc<str>, Tenant>,
    /// The tenants with a lane that stands in line. The smallest number is the next one's.
    line: BTreeMap<u64, Arc<str>>,
    /// The number given last, to a tenant or to a lane.
    last_number: u64,
}

#[derive(Debug, Default)]
struct Lane {
    /// The tenant of each waiting call.
    calls: BTreeMap<u64, Arc<str>>,
    held: bool,
    /// The tenant in whose line the lane stands, and its number there.
    place: Option<(Arc<str>, u64)>,
}

#[derive(Debug, Default)]
struct Tenant {
    waiting: usize,
    /// The lanes that stand in line. The smallest number is the next one's.
    line: BTreeMap<u64, Bytes>,
    /// The tenant's number in the line of tenants, if `line` is not empty.
    number: u64,
}

/// The oldest waiting call of a lane, whose turn it is.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "lanes at their limit are held, so the executor asks by tenant alone")
)]
pub(super) struct Candidate<'a> {
    pub(super) id: u64,
    pub(super) tenant: &'a str,
    pub(super) lane: &'a [u8],
}

/// Whether a candidate may start now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(test), expect(dead_code, reason = "lanes at their limit are held, so the executor skips tenants alone"))]
pub(super) enum Turn {
    Start,
    /// The lane keeps its place, and the tenant's next lane is asked.
    SkipLane,
    /// The tenant keeps its place, and the next tenant is asked: one question, however many lanes the tenant has.
    SkipTenant,
}

impl FairQueue {
    /// Adds a call that was read, or one that comes back after a pause or a refused limit.
    ///
    /// # Panics
    ///
    /// If the call waits already.
    pub(super) fn push(&mut self, id: u64, tenant: Arc<str>, lane: Bytes) {
        let waits = self.calls.insert(id, lane.clone());
        assert!(waits.is_none(), "a call waits once, but call {id} was added twice");
        self.tenants.entry(tenant.clone()).or_default().waiting += 1;
        self.lanes.entry(lane.clone()).or_default().calls.insert(id, tenant);
        self.settle(&lane, false);
    }

    /// Removes a call wherever it waits. Places stay as they are. Returns whether the call waited.
    pub(super) fn remove(&mut self, id: u64) -> bool {
        self.take_out(id, false).is_some()
    }

    /// Takes out the call whose turn it is among those that may start. Its lane and its tenant go to the ends of their
    /// lines. `may_start` is asked once for each lane that is looked at.
    pub(super) fn pop(&mut self, mut may_start: impl FnMut(Candidate<'_>) -> Turn) -> Option<u64> {
        let (id, number) = self.find(&mut may_start)?;
        let tenant = self.take_out(id, true)?;
        // A tenant whose only lane left the line or came back to its end no longer has the number.
        if let Some(served) = self.tenants.get_mut(&tenant)
            && self.line.remove(&number).is_some()
        {
            self.last_number += 1;
            served.number = self.last_number;
            self.line.insert(self.last_number, tenant);
        }
        Some(id)
    }

    fn find(&self, may_start: &mut impl FnMut(Candidate<'_>) -> Turn) -> Option<(u64, u64)> {
        for (number, tenant) in &self.line {
            for lane in self.tenants[tenant].line.values() {
                let (id, _) = self.lanes[lane].calls.first_key_value().expect("a lane in line has a waiting call");
                match may_start(Candidate { id: *id, tenant, lane }) {
                    Turn::Start => return Some((*id, *number)),
                    Turn::SkipLane => {}
                    Turn::SkipTenant => break,
                }
            }
        }
        None
    }

    /// Takes a lane out of line until [`FairQueue::release`], for example while one of its calls runs or pauses and
    /// the others must wait. `pop` does not look at a held lane, so held lanes cost nothing.
    pub(super) fn hold(&mut self, lane: &Bytes) {
        self.lanes.entry(lane.clone()).or_default().held = true;
        self.settle(lane, false);
    }

    /// Puts a held lane at the end of the line.
    pub(super) fn release(&mut self, lane: &Bytes) {
        if let Some(held) = self.lanes.get_mut(lane) {
            held.held = false;
            self.settle(lane, false);
        }
    }

    /// The tenants with waiting calls, by name, and how many wait.
    pub(super) fn tenants(&self) -> impl Iterator<Item = (&str, usize)> + '_ {
        self.tenants.iter().map(|(name, tenant)| (name.as_ref(), tenant.waiting))
    }

    /// Removes a call and returns its tenant. `served` sends its lane to the end of the line.
    fn take_out(&mut self, id: u64, served: bool) -> Option<Arc<str>> {
        let lane = self.calls.remove(&id)?;
        let tenant = self.detach(&lane, id);
        self.settle(&lane, served);
        self.count_out(&tenant);
        Some(tenant)
    }

    fn detach(&mut self, lane: &Bytes, id: u64) -> Arc<str> {
        let calls = self.lanes.get_mut(lane).map(|lane| &mut lane.calls);
        calls.and_then(|calls| calls.remove(&id)).expect("the lane of a waiting call has it")
    }

    /// Counts one call of a tenant less. Its lane is settled already, because a forgotten tenant has no line.
    fn count_out(&mut self, tenant: &Arc<str>) {
        let left = self.tenants.get_mut(tenant).expect("the tenant of a waiting call is known");
        left.waiting -= 1;
        if left.waiting == 0 {
            self.tenants.remove(tenant);
        }
    }

    /// Puts a lane in the line of the tenant of its oldest call, at the end unless it stands there already. Forgets a
    /// lane without calls.
    fn settle(&mut self, lane: &Bytes, served: bool) {
        let Some(settled) = self.lanes.get_mut(lane) else { return };
        let oldest = settled.calls.first_key_value().map(|(_, tenant)| tenant.clone());
        let belongs = oldest.filter(|_| !settled.held);
        if served || settled.place.as_ref().map(|(tenant, _)| tenant) != belongs.as_ref() {
            if let Some((tenant, number)) = settled.place.take() {
                let left = self.tenants.get_mut(&tenant).expect("a tenant with a lane in line is known");
                left.line.remove(&number);
                if left.line.is_empty() {
                    self.line.remove(&left.number);
                }
            }
            if let Some(tenant) = belongs {
                let entered = self.tenants.get_mut(&tenant).expect("the tenant of a waiting call is known");
                self.last_number += 1;
                if entered.line.is_empty() {
                    entered.number = self.last_number;
                    self.line.insert(self.last_number, tenant.clone());
                }
                entered.line.insert(self.last_number, lane.clone());
                settled.place = Some((tenant, self.last_number));
            }
        }
        if settled.calls.is_empty() && !settled.held {
            self.lanes.remove(lane);
        }
    }
}

#[cfg(test)]
impl FairQueue {
    /// The number of waiting calls.
    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The number of a tenant's waiting calls.
    pub(super) fn len_of(&self, tenant: &str) -> usize {
        self.tenants.get(tenant).map_or(0, |tenant| tenant.waiting)
    }

    /// The number of lanes with a waiting call, and of held ones.
    pub(super) fn lanes(&self) -> usize {
        self.lanes.len()
    }
}

#[cfg(test)]
mod tests;
