//! Executors without I/O that share a ledger's topic, and callers that the test plays.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use bytes::Bytes;

use super::super::{
    super::{
        BreakerState, CallError, CallOrder, CallPolicy, FailureKind, Usage,
        ledger::{Claim, Ledger},
    },
    Arrival, Ask, Call, CallId, Calls, Effect, Ended, Known, NoRequest,
};
use crate::{
    clock::Moment,
    transport::{ConsumedRecord, Headers, TopicPartition},
};

/// Noon of some day: a test stays within it.
pub(super) const START_MS: i64 = (20_000 * 24 + 12) * 3_600_000;
/// The longest that a record is on its way to the topic.
const LONGEST_DELAY_MS: i64 = 15_000;

/// A request that may use exactly so much takes no call.
pub(super) const KNOWN: u64 = 77_777;

/// A request on the topic.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) partition: i32,
    pub(super) tenant: &'static str,
    pub(super) lane: String,
    pub(super) content: Option<u8>,
    pub(super) due_ms: Option<i64>,
    /// The most that an attempt uses.
    pub(super) most: u64,
    /// Whether it failed before and is asked again.
    pub(super) again: bool,
    pub(super) answer: Option<Ended>,
}

/// An attempt that was handed to the caller.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) call: CallId,
    pub(super) attempt: u32,
    pub(super) request: usize,
    pub(super) route: usize,
    /// Openings of the breaker, if the attempt is a probe.
    probe_of: Option<u64>,
}

/// Calls and micros by tenant and route.
pub(super) type Used = BTreeMap<(String, usize), (u64, u64)>;

/// An executor.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) calls: Calls,
    read: usize,
    /// Records on their way to the topic, and since when.
    outbox: VecDeque<(i64, Bytes, Option<Bytes>)>,
    requests: BTreeMap<CallId, usize>,
    /// What attempts of the callers have not told, also those that were given up.
    pub(super) running: Vec<Running>,
    /// What this member's attempts used.
    pub(super) used: Used,
}

pub(super) struct World {
    pub(super) policy: CallPolicy,
    pub(super) order: CallOrder,
    pub(super) now: Moment,
    pub(super) requests: Vec<Request>,
    /// The owner of each partition, and its next request.
    pub(super) partitions: Vec<(usize, usize)>,
    pub(super) members: Vec<Member>,
    topic: Vec<(Bytes, Option<Bytes>)>,
    pub(super) starts: usize,
    /// What attempts of dead members used, those that ran with their most.
    pub(super) dead: Used,
    /// Requests that cannot be decoded before this time.
    pub(super) undecodable_until_ms: i64,
}

pub(super) fn usage(micros: u64) -> Usage {
    Usage { input_tokens: micros, output_tokens: 0, cost_micros: micros }
}

/// Knows all requests.
struct Knowing<'a> {
    requests: &'a [Request],
    undecodable: bool,
}

fn index(call: &Call) -> usize {
    call.arrival.record.offset as usize
}

impl Ask for Knowing<'_> {
    fn known(&mut self, _id: CallId, call: &Call) -> Result<Known, NoRequest> {
        let request = &self.requests[index(call)];
        if self.undecodable && request.most % 5 == 4 {
            return Err(NoRequest::Yet("later".to_owned()));
        }
        if request.most % 17 == 16 {
            return Err(NoRequest::Ever("never".to_owned()));
        }
        let end = (request.most == KNOWN).then(|| Ended::Answer(Some(Bytes::from_static(b"known"))));
        Ok(Known { end, content: request.content.map(|content| Bytes::copy_from_slice(&[content])) })
    }

    fn most(&mut self, _id: CallId, call: &Call, _route: &Arc<str>) -> Usage {
        usage(self.requests[index(call)].most)
    }
}

impl World {
    pub(super) fn new(policy: CallPolicy, order: CallOrder, members: usize) -> Self {
        let mut world = Self {
            policy,
            order,
            now: Moment { wall_ms: START_MS, monotonic_ms: 0 },
            requests: Vec::new(),
            partitions: (0..3).map(|partition| (partition % members, 0)).collect(),
            members: Vec::new(),
            topic: Vec::new(),
            starts: 0,
            dead: Used::new(),
            undecodable_until_ms: 0,
        };
        for _ in 0..members {
            let member = world.start();
            world.members.push(member);
        }
        world
    }

    fn start(&mut self) -> Member {
        self.starts += 1;
        let name = format!("member-{}", self.starts);
        let ledger = self.policy.has_ledger().then(|| Ledger::new(name, self.policy.limits.clone()));
        let calls = Calls::new(self.policy.clone(), self.order, ledger);
        let (requests, running, used) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        let mut member = Member { calls, read: 0, outbox: VecDeque::new(), requests, running, used };
        self.read_topic(&mut member);
        member
    }

    fn read_topic(&self, member: &mut Member) {
        let from = std::mem::replace(&mut member.read, self.topic.len());
        if let Some(ledger) = member.calls.ledger() {
            for (key, value) in &self.topic[from..] {
                ledger.read(key, value.as_deref(), self.now.wall_ms);
            }
        }
    }

    /// An owner reads the next requests of its partitions.
    pub(super) fn read_requests(&mut self, at: usize) {
        for partition in 0..self.partitions.len() {
            let (owner, next) = self.partitions[partition];
            if owner != at {
                continue;
            }
            let end = self.requests.len();
            self.partitions[partition].1 = end;
            for number in next..end {
                let request = &self.requests[number];
                if request.partition == partition as i32 && request.answer.is_none() {
                    self.take(at, number);
                }
            }
        }
    }

    fn take(&mut self, at: usize, number: usize) {
        let Request { partition, tenant, lane, content: _, due_ms, most, again, .. } = self.requests[number].clone();
        let value = Some(Bytes::from(vec![0; most as usize]));
        let key = Some(Bytes::from(number.to_string()));
        let (timestamp, headers) = (0, Headers::default());
        let arrival = Arrival {
            partition: TopicPartition::new("requests", partition),
            record: ConsumedRecord { offset: number as i64, timestamp, key, value, headers },
            fingerprint: number as u64,
            lane: lane.into_bytes().into(),
            tenant: tenant.into(),
            asked_ms: Some(self.now.wall_ms),
            due_ms,
            steps: Vec::new(),
            again,
        };
        let id = self.members[at].calls.next;
        self.members[at].requests.insert(id, number);
        let effects = self.members[at].calls.take(arrival, self.now);
        self.carry_out(at, effects);
    }

    /// One turn of an executor: it reads the topic, starts what may start, and writes.
    pub(super) fn turn(&mut self, at: usize) {
        let (now, mut member) = (self.now, self.members.remove(at));
        self.read_topic(&mut member);
        self.members.insert(at, member);
        let before = self.states(at);
        let member = &mut self.members[at];
        let undecodable = now.monotonic_ms < self.undecodable_until_ms;
        let effects = member.calls.advance(now, &mut Knowing { requests: &self.requests, undecodable });
        let after = self.states(at);
        for effect in &effects {
            if let Effect::Begin { call, attempt, route, .. } = effect {
                let route = self.policy.routes.iter().position(|it| it.name == *route).expect("a route of the policy");
                let hedge = self.members[at].calls.attempts.get(&(*call, *attempt)).is_some_and(|it| it.hedge);
                let open = |state: &Option<BreakerState>| matches!(state, Some(BreakerState::Open { .. }));
                assert!(!open(&before[route]), "an attempt begins at an open breaker");
                assert!(hedge || !open(&after[route]), "an attempt begins at a breaker that has just opened");
            }
        }
        self.carry_out(at, effects);
        let member = &mut self.members[at];
        // Given up for good: the most counts.
        let gone = |it: &Running| !member.calls.attempts.contains_key(&(it.call, it.attempt));
        for silent in member.running.extract_if(.., |it| gone(it)) {
            let request = &self.requests[silent.request];
            let used = member.used.entry((request.tenant.to_owned(), silent.route)).or_default();
            *used = (used.0 + 1, used.1 + request.most);
        }
        if let Some(ledger) = member.calls.ledger() {
            let changes = ledger.changes(now.wall_ms);
            member.outbox.extend(changes.into_iter().map(|(key, value)| (now.monotonic_ms, key, value)));
        }
        let late = |since_ms: i64| now.monotonic_ms - since_ms >= LONGEST_DELAY_MS;
        while self.members[at].outbox.front().is_some_and(|(since_ms, ..)| late(*since_ms)) {
            self.deliver(at, 1, false);
        }
        self.check(at);
    }

    fn states(&self, at: usize) -> Vec<Option<BreakerState>> {
        let routes = self.members[at].calls.routes.iter();
        routes.map(|route| route.breaker.as_ref().map(|breaker| breaker.state(self.now.monotonic_ms))).collect()
    }

    /// Records reach the topic; one of them perhaps twice.
    pub(super) fn deliver(&mut self, at: usize, count: usize, twice: bool) {
        let outbox = &mut self.members[at].outbox;
        let count = count.min(outbox.len());
        let records: Vec<_> = outbox.drain(..count).map(|(_, key, value)| (key, value)).collect();
        let again = records.last().cloned().filter(|_| twice);
        self.topic.extend(records);
        self.topic.extend(again);
    }

    pub(super) fn carry_out(&mut self, at: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Begin { call, attempt, route, timeout_ms } => self.begun(at, call, attempt, &route, timeout_ms),
                Effect::Respond { id, outcome, .. } => {
                    let number = self.members[at].requests.remove(&id).expect("each call ends once");
                    let request = &self.requests[number];
                    assert_eq!(self.partitions[request.partition as usize].0, at, "an answer of one that is no owner");
                    assert_eq!(request.answer, None, "a second answer");
                    if let Ended::Failure(failure) = &outcome
                        && failure.kind == FailureKind::Superseded
                    {
                        let runs = |it: &Running| it.call == id && !self.members[at].calls.given_up(it);
                        assert!(!self.members[at].running.iter().any(runs), "a running call was superseded");
                        let newer = |it: &Request| it.lane == request.lane;
                        assert!(self.requests[number + 1..].iter().any(newer), "the newest was superseded");
                    }
                    self.requests[number].answer = Some(outcome);
                }
                Effect::Keep { .. } => {}
            }
        }
    }

    fn begun(&mut self, at: usize, call: CallId, attempt: u32, route: &Arc<str>, timeout_ms: i64) {
        let now_ms = self.now.monotonic_ms;
        let member = &mut self.members[at];
        let route = self.policy.routes.iter().position(|it| it.name == *route).expect("a route of the policy");
        let Some(request) = member.requests.get(&call).copied() else { return };
        let due_ms = self.requests[request].due_ms.unwrap_or(i64::MAX);
        assert!(due_ms > now_ms && timeout_ms <= due_ms - now_ms, "a call begins after its deadline");
        let breaker = member.calls.routes[route].breaker.as_ref();
        let probes = breaker.filter(|breaker| breaker.state(i64::MIN) == BreakerState::HalfOpen);
        let probe_of = probes.map(|breaker| breaker.changes().opened);
        member.running.push(Running { call, attempt, request, route, probe_of });
        if let (Some(_), Some(policy)) = (probe_of, &self.policy.routes[route].breaker) {
            let probes = |it: &&Running| it.route == route && it.probe_of == probe_of && !member.calls.given_up(it);
            let probes = member.running.iter().filter(probes).count();
            assert!(probes <= policy.probes.max(1) as usize, "{probes} probes run");
        }
    }

    /// An attempt tells its outcome.
    pub(super) fn tell(&mut self, at: usize, which: usize, outcome: Result<(), CallError>, used: Option<u64>) {
        let member = &mut self.members[at];
        if member.running.is_empty() {
            return;
        }
        let told = member.running.swap_remove(which % member.running.len());
        let request = &self.requests[told.request];
        let micros = used.map_or(request.most, |used| used % (request.most + 1));
        let sum = member.used.entry((request.tenant.to_owned(), told.route)).or_default();
        *sum = (sum.0 + 1, sum.1 + micros);
        let outcome = match outcome {
            Ok(()) => Ok(Some(Bytes::from_static(b"answer"))),
            Err(error) => Err((FailureKind::Error, error)),
        };
        let used = used.map(|_| usage(micros));
        let effects = member.calls.ended(told.call, told.attempt, outcome, used, String::new(), self.now);
        self.carry_out(at, effects);
        self.check(at);
    }

    pub(super) fn keep_step(&mut self, at: usize, which: usize) {
        let member = &mut self.members[at];
        let Some(it) = member.running.get(which % member.running.len().max(1)).cloned() else { return };
        let counts = !member.calls.given_up(&it);
        assert_eq!(member.calls.keep_step(it.call, it.attempt, Bytes::from_static(b"step")), counts);
        if counts {
            assert_eq!(member.calls.calls[&it.call].running, [it.attempt], "one attempt goes on");
        }
        self.check(at);
    }

    pub(super) fn pass(&mut self, ms: i64) {
        self.now.wall_ms += ms;
        self.now.monotonic_ms += ms;
    }

    /// Another executor gets a partition, and reads what has no answer.
    pub(super) fn give(&mut self, partition: usize, to: usize) {
        let owner = self.partitions[partition].0;
        let member = &mut self.members[owner];
        member.calls.forget(&[TopicPartition::new("requests", partition as i32)]);
        member.requests.retain(|_, number| self.requests[*number].partition != partition as i32);
        self.partitions[partition] = (to, 0);
        self.check(owner);
    }

    /// An executor dies with what it had not written, and another one takes its seat.
    pub(super) fn crash(&mut self, at: usize) {
        let new = self.start();
        let dead = std::mem::replace(&mut self.members[at], new);
        let open = dead.running.iter().map(|it| {
            let request = &self.requests[it.request];
            ((request.tenant.to_owned(), it.route), (1, request.most))
        });
        for (scope, (calls, micros)) in dead.used.into_iter().chain(open) {
            let sum = self.dead.entry(scope).or_default();
            *sum = (sum.0 + calls, sum.1 + micros);
        }
        for partition in &mut self.partitions {
            if partition.0 == at {
                partition.1 = 0;
            }
        }
    }

    fn check(&self, at: usize) {
        self.members[at].calls.check_books();
        let ids: BTreeSet<_> = self.members[at].calls.calls.keys().collect();
        assert_eq!(self.members[at].requests.keys().collect::<BTreeSet<_>>(), ids, "calls without an end");
        let micros: u64 = self.members[at].used.values().map(|(_, micros)| micros).sum();
        assert_eq!(self.members[at].calls.stats().usage.cost_micros, micros, "what was used");
    }

    /// Attempts of members that live, whether they count for their call or not.
    pub(super) fn in_flight(&self, counts: impl Fn(&str, usize) -> bool) -> usize {
        let running = self.members.iter().flat_map(|member| &member.running);
        running.filter(|it| counts(self.requests[it.request].tenant, it.route)).count()
    }

    /// What the topic says was spent, settled and unknown or open, in micros and calls.
    pub(super) fn spent(&self) -> (u64, u64) {
        let mut observer = Ledger::new("observer", Vec::new());
        for (key, value) in &self.topic {
            observer.read(key, value.as_deref(), self.now.wall_ms);
        }
        assert_eq!(observer.malformed(), 0);
        observer.spending(self.now.wall_ms).into_iter().fold((0, 0), |(calls, micros), it| {
            let day = it.day;
            let open = day.usage + day.open + day.unknown;
            (calls + day.calls + day.open_calls + day.unknown_calls, micros + open.cost_micros)
        })
    }

    /// Whether a limit keeps a waiting call back, on every route that is left for it.
    pub(super) fn is_exhausted(&mut self, at: usize, id: CallId) -> bool {
        let wall_ms = self.now.wall_ms;
        let request = &self.requests[self.members[at].requests[&id]];
        let calls = &mut self.members[at].calls;
        let (routes, ledger) = (&calls.routes, calls.ledger.as_mut());
        let Some(ledger) = ledger else { return false };
        let left = calls.calls[&id].routes.iter().zip(routes).filter(|(tried, _)| !tried.ruled_out);
        left.into_iter().any(|(_, route)| {
            let claim = Claim { id: 0, tenant: request.tenant, route: &route.name, most: usage(request.most) };
            match ledger.reserve(claim, wall_ms) {
                Ok(ticket) => {
                    ledger.withdraw(ticket);
                    false
                }
                Err(refusal) => !refusal.limit.passes_soon(),
            }
        })
    }
}

impl Calls {
    /// Whether the outcome of an attempt no longer matters.
    fn given_up(&self, it: &Running) -> bool {
        self.attempts.get(&(it.call, it.attempt)).is_none_or(|attempt| attempt.given_up)
    }
}
