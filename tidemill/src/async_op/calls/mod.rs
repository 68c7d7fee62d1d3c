//! What an executor decides: which call starts when, on which route, and how it ends. A pure state machine.
//!
//! ```text
//!  take ──▶ Waiting ──▶ Reserving ──▶ Calling ──▶ ended: answer, failure, nothing
//!              ▲  ▲          │ refused    │ failed
//!              │  └──────────┘            ▼
//!              └────────────────────── Pausing
//!           Joined: gets the answer of a call with the same content
//! ```
//!
//! Times come in as numbers, decisions go out as [`Effect`]s. [`CallExecutor`](super::CallExecutor) does what they say:
//! it reads and writes the log and hands attempts to the caller. So a test can check every order of events.

mod answer_cache;
mod attempts;
mod call;
mod joins;
mod last_failures;
mod limits;
mod outcomes;
mod route;
mod start;
mod timers;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;

pub(super) use self::call::{Arrival, Call, CallId};
use self::{
    answer_cache::CachedAnswers,
    attempts::Attempt,
    call::Stage,
    last_failures::LastFailures,
    limits::{Blocked, TooSmall},
    route::RouteState,
    timers::{Timer, Timers},
};
use super::{
    CallFailure, CallOrder, CallPolicy, CallReport, CallSnapshot, CallStats, RouteSnapshot, Usage,
    fair_queue::FairQueue,
    ledger::{Ledger, Ticket},
};
use crate::{clock::Moment, transport::TopicPartition};

/// What the executor does next.
#[derive(Debug)]
pub(super) enum Effect {
    /// Hand this attempt to the caller.
    Begin { call: CallId, attempt: u32, route: Arc<str>, timeout_ms: i64 },
    /// Write the response of this call, which has ended.
    Respond { id: CallId, call: Box<Call>, outcome: Ended, report: CallReport },
    /// Write this answer to the cache's topic.
    Keep { content: Bytes, answer: Bytes },
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    Answer(Option<Bytes>),
    Failure(CallFailure),
    /// Nothing is emitted for the request.
    Dropped,
}

/// What the caller knows of a request before it is called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// How the call ends, if its answer takes no attempt.
    pub(super) end: Option<Ended>,
    pub(super) content: Option<Bytes>,
}

/// Why a request cannot be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoRequest {
    /// It cannot be decoded yet, because the codec lacks something that is still to come.
    Yet(String),
    /// It can never be decoded.
    Ever(String),
}

/// Questions about a request, which only its caller can answer.
pub(super) trait Ask {
    /// Asked once for each request, before its first attempt.
    fn known(&mut self, id: CallId, call: &Call) -> Result<Known, NoRequest>;
    /// The most that an attempt on a route may consume.
    fn most(&mut self, id: CallId, call: &Call, route: &Arc<str>) -> Usage;
}

/// The calls of an executor.
#[derive(Debug)]
pub(super) struct Calls {
    policy: CallPolicy,
    order: CallOrder,
    calls: BTreeMap<CallId, Call>,
    next: CallId,
    queue: FairQueue,
    /// Calls whose caller was not asked yet what it knows of them.
    unasked: Vec<CallId>,
    /// All calls of a lane.
    lanes: BTreeMap<Bytes, BTreeSet<CallId>>,
    /// The attempts that run in each lane.
    lane_running: BTreeMap<Bytes, usize>,
    timers: Timers,
    routes: Vec<RouteState>,
    /// The requests that each route answered.
    succeeded: Vec<u64>,
    /// Attempts that have not told their outcome, also those of calls that have ended.
    attempts: BTreeMap<(CallId, u32), Attempt>,
    /// Attempts and reservations that count for [`CallPolicy::max_in_flight`].
    busy: usize,
    ledger: Option<Ledger>,
    /// The calls that wait for the ledger's decision.
    tickets: BTreeMap<Ticket, CallId>,
    blocked: Blocked,
    too_small: TooSmall,
    cache: Option<CachedAnswers>,
    /// The call for each content, which calls with the same content join.
    leaders: BTreeMap<Bytes, CallId>,
    /// The number of calls with a running attempt.
    calling: usize,
    /// Calls that pause because the routes that are left for them are closed.
    shut: BTreeSet<CallId>,
    bytes: usize,
    /// Whether the executor stops.
    closing: bool,
    stats: CallStats,
    failures: LastFailures,
}

impl Calls {
    pub(super) fn new(policy: CallPolicy, order: CallOrder, ledger: Option<Ledger>) -> Self {
        Self {
            routes: policy.routes.iter().map(|route| RouteState::new(route, &policy)).collect(),
            succeeded: vec![0; policy.routes.len()],
            cache: policy.cache.map(CachedAnswers::new),
            policy,
            order,
            calls: BTreeMap::new(),
            next: 0,
            queue: FairQueue::default(),
            unasked: Vec::new(),
            lanes: BTreeMap::new(),
            lane_running: BTreeMap::new(),
            timers: Timers::default(),
            attempts: BTreeMap::new(),
            busy: 0,
            ledger,
            tickets: BTreeMap::new(),
            blocked: Blocked::default(),
            too_small: TooSmall::default(),
            leaders: BTreeMap::new(),
            calling: 0,
            shut: BTreeSet::new(),
            bytes: 0,
            closing: false,
            stats: CallStats::default(),
            failures: LastFailures::default(),
        }
    }

    /// Takes a request that was read. With [`CallOrder::LatestWins`], older requests of its lane end here.
    pub(super) fn take(&mut self, arrival: Arrival, now: Moment) -> Vec<Effect> {
        let id = self.next;
        self.next += 1;
        let (tenant, lane) = (arrival.tenant.clone(), arrival.lane.clone());
        if let Some(due_ms) = arrival.due_ms {
            self.timers.set(due_ms, Timer::Deadline(id));
        }
        self.bytes += arrival.record.size();
        self.calls.insert(id, Call::new(arrival, self.routes.len()));
        self.queue.push(id, tenant, lane.clone());
        self.unasked.push(id);
        self.lanes.entry(lane.clone()).or_default().insert(id);
        if self.order == CallOrder::LatestWins { self.supersede(&lane, id, now) } else { Vec::new() }
    }

    /// Lets time pass: does what is due, and starts what may start.
    pub(super) fn advance(&mut self, now: Moment, ask: &mut dyn Ask) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some(timer) = self.timers.next(now.monotonic_ms) {
            self.fire(timer, now, ask, &mut effects);
        }
        self.answer_known(now, ask, &mut effects);
        self.take_decisions(now, ask, &mut effects);
        self.start(now, ask, &mut effects);
        effects
    }

    fn fire(&mut self, timer: Timer, now: Moment, ask: &mut dyn Ask, effects: &mut Vec<Effect>) {
        match timer {
            Timer::Resume(id) => {
                // The timer of an earlier pause, which ended sooner, means nothing.
                let ends = |call: &Call| call.stage == Stage::Pausing && call.pauses_until_ms <= now.monotonic_ms;
                if self.calls.get(&id).is_some_and(ends) {
                    self.wait(id);
                }
            }
            Timer::Timeout(id, attempt) => self.time_out(id, attempt, now, effects),
            Timer::Hedge(id, attempt) => self.hedge(id, attempt, now, ask, effects),
            Timer::Deadline(id) => self.expire(id, now, effects),
            Timer::GivenUp(id, attempt) => self.give_up(id, attempt, now),
        }
    }

    /// Drops the calls of partitions that now belong to another executor. Attempts that run still count, until they
    /// tell what they consumed.
    pub(super) fn forget(&mut self, partitions: &[TopicPartition]) {
        let gone = |call: &Call| partitions.contains(&call.arrival.partition);
        let gone: Vec<_> = self.calls.iter().filter(|(_, call)| gone(call)).map(|(id, _)| *id).collect();
        for id in gone {
            self.remove(id);
        }
    }

    /// Drops the calls of partitions that will belong to another executor, except those that run.
    pub(super) fn forget_idle(&mut self, partitions: &[TopicPartition]) {
        let idle = |call: &Call| call.stage != Stage::Calling && partitions.contains(&call.arrival.partition);
        let idle: Vec<_> = self.calls.iter().filter(|(_, call)| idle(call)).map(|(id, _)| *id).collect();
        for id in idle {
            self.remove(id);
        }
    }

    /// Whether calls of these partitions run.
    pub(super) fn run_in(&self, partitions: &[TopicPartition]) -> bool {
        let runs = |call: &Call| call.stage == Stage::Calling && partitions.contains(&call.arrival.partition);
        self.calls.values().any(runs)
    }

    /// Starts nothing from now on, and drops the calls that neither run nor get the answer of one that runs. The
    /// executor stops.
    pub(super) fn close(&mut self) {
        self.closing = true;
        let runs = |call: &Call| match call.stage {
            Stage::Joined(leader) => self.calls.get(&leader).is_some_and(|leader| leader.stage == Stage::Calling),
            stage => stage == Stage::Calling,
        };
        let idle: Vec<_> = self.calls.iter().filter(|(_, call)| !runs(call)).map(|(id, _)| *id).collect();
        for id in idle {
            self.remove(id);
        }
        let hedges: Vec<_> = self.tickets.values().copied().collect();
        for id in hedges {
            if let Some(lane) = self.calls.get(&id).map(|call| call.arrival.lane.clone()) {
                self.withdraw(id, &lane);
            }
        }
    }

    /// Removes a call from everywhere. Calls that joined it wait again.
    fn remove(&mut self, id: CallId) -> Option<Call> {
        let call = self.calls.remove(&id)?;
        self.queue.remove(id);
        self.shut.remove(&id);
        if let Some(due_ms) = call.arrival.due_ms {
            self.timers.clear(due_ms, Timer::Deadline(id));
        }
        self.calling -= usize::from(call.stage == Stage::Calling);
        self.bytes -= call.arrival.record.size();
        let lane = &call.arrival.lane;
        if let Some(ids) = self.lanes.get_mut(lane) {
            ids.remove(&id);
            if ids.is_empty() {
                self.lanes.remove(lane);
            }
        }
        self.withdraw(id, lane);
        for attempt in &call.running {
            self.abandon(id, *attempt, lane);
        }
        if let Some(content) = &call.content
            && self.leaders.get(content) == Some(&id)
        {
            self.leaders.remove(content);
        }
        if let Stage::Joined(leader) = call.stage
            && let Some(leader) = self.calls.get_mut(&leader)
        {
            leader.followers.remove(&id);
        }
        for follower in &call.followers {
            self.resume(*follower);
        }
        Some(call)
    }

    /// Puts a call that pauses or has joined back into the queue.
    fn resume(&mut self, id: CallId) {
        if self.calls.get(&id).is_some_and(|call| matches!(call.stage, Stage::Pausing | Stage::Joined(_))) {
            self.wait(id);
        }
    }

    /// Puts a call into the queue. Those that joined it go there too: it may have to wait for a limit of its tenant,
    /// which is not theirs.
    fn wait(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.stage = Stage::Waiting;
        self.shut.remove(&id);
        self.queue.push(id, call.arrival.tenant.clone(), call.arrival.lane.clone());
        if let Some(content) = &call.content
            && self.leaders.get(content) == Some(&id)
        {
            self.leaders.remove(content);
        }
        for follower in std::mem::take(&mut call.followers) {
            self.resume(follower);
        }
    }

    pub(super) fn get(&self, id: CallId) -> Option<&Call> {
        self.calls.get(&id)
    }

    /// Adds a step that is in the log now. Returns whether its attempt still counts. Other attempts that run for the
    /// call are given up: they do not know the step, so theirs would not fit to it.
    pub(super) fn keep_step(&mut self, id: CallId, attempt: u32, content: Bytes) -> bool {
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.running.contains(&attempt)) else { return false };
        call.arrival.steps.push(content);
        let lane = call.arrival.lane.clone();
        let others = std::mem::replace(&mut call.running, vec![attempt]);
        for other in others.into_iter().filter(|other| *other != attempt) {
            self.abandon(id, other, &lane);
        }
        self.withdraw(id, &lane);
        true
    }

    /// The number of requests without an answer.
    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    /// The bytes of their records.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the ledger has not decided about some reservation.
    pub(super) fn awaits_decision(&self) -> bool {
        !self.tickets.is_empty()
    }

    /// Whether attempts run, or reservations wait for their grant.
    pub(super) const fn busy(&self) -> usize {
        self.busy
    }

    /// Attempts that run. With a ledger also those that were given up and have not told what they consumed: until then,
    /// their reservations stand.
    pub(super) fn unsettled(&self) -> usize {
        if self.ledger.is_some() { self.attempts.len() } else { self.busy }
    }

    pub(super) fn ledger(&mut self) -> Option<&mut Ledger> {
        self.ledger.as_mut()
    }

    pub(super) fn cached(&mut self) -> Option<&mut CachedAnswers> {
        self.cache.as_mut()
    }

    /// When something is due next, on the monotonic clock.
    pub(super) fn next_ms(&self) -> Option<i64> {
        self.timers.next_ms().into_iter().chain(self.blocked.until_ms()).min()
    }

    /// Goes on with the counters of an earlier executor.
    pub(super) fn go_on_from(&mut self, earlier: &CallSnapshot) {
        self.stats = earlier.stats;
        for (state, succeeded) in self.routes.iter().zip(&mut self.succeeded) {
            let known = earlier.routes.iter().find(|route| *route.name == *state.name);
            *succeeded = known.map_or(0, |route| route.succeeded);
        }
    }

    pub(super) fn snapshot(&self, now: Moment) -> CallSnapshot {
        let routes = self.routes.iter().zip(&self.succeeded);
        let routes = routes
            .map(|(route, succeeded)| RouteSnapshot { succeeded: *succeeded, ..route.snapshot(now.monotonic_ms) });
        let routes = routes.collect();
        let oldest = self.calls.values().find(|call| call.waits()).and_then(|call| call.arrival.asked_ms);
        let spending = self.ledger.as_ref().map(|ledger| ledger.spending(now.wall_ms)).unwrap_or_default();
        let limits = self.ledger.as_ref().map(|ledger| ledger.limit_uses(&spending)).unwrap_or_default();
        CallSnapshot {
            stats: self.stats(),
            routes,
            waiting: self.queue.tenants().map(|(tenant, waiting)| (tenant.to_owned(), waiting)).collect(),
            oldest_waiting_ms: oldest.map(|asked_ms| u64::try_from(now.wall_ms - asked_ms).unwrap_or(0)),
            limits: self.too_small.mark(limits),
            malformed: self.ledger.as_ref().map_or(0, Ledger::malformed),
            spending,
            failures: self.failures.all(),
        }
    }

    /// The requests that each route answered.
    pub(super) fn succeeded(&self) -> &[u64] {
        &self.succeeded
    }

    pub(super) fn stats(&self) -> CallStats {
        let in_flight = self.routes.iter().map(|route| route.in_flight as u64).sum();
        CallStats { in_flight, waiting: (self.calls.len() - self.calling) as u64, ..self.stats }
    }
}
