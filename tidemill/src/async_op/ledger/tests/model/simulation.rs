//! The log, the processes and the attempts.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::Value;

use super::{
    super::{
        super::{Claim, Ledger, Limit, Ticket},
        log::{DAY, MINUTE, SECOND, START, Written, micros},
    },
    Again, ROUTES, Step, TENANTS,
};
use crate::async_op::Usage;

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Asked,
    Refused,
    Running,
    Withdrawn,
    Settled(Usage),
}

#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) process: usize,
    ticket: Ticket,
    pub(super) tenant: &'static str,
    pub(super) route: &'static str,
    pub(super) most: Usage,
    pub(super) fate: Fate,
    /// The key, the hour and the minute of the hour of the record that granted it.
    pub(super) place: Option<(Vec<u8>, i64, i64)>,
    /// Its process was silent while it ran, so it is not in flight for others.
    pub(super) silent: bool,
}

struct Member {
    process: usize,
    ledger: Ledger,
    position: usize,
    outbox: VecDeque<Written>,
    skew_ms: i64,
}

struct Record {
    key: Vec<u8>,
    value: Option<Vec<u8>>,
    at_ms: i64,
}

pub(super) struct Simulation {
    pub(super) limits: Vec<Limit>,
    pub(super) now_ms: i64,
    /// `None` was removed by compaction.
    log: Vec<Option<Record>>,
    members: Vec<Member>,
    /// The number in the list is the request's id.
    pub(super) attempts: Vec<Attempt>,
    /// What a reader of the whole log ends with.
    pub(super) latest: HashMap<Vec<u8>, Value>,
    /// When each process last wrote a word that arrived, by the true clock.
    heard_ms: Vec<(i64, i64)>,
}

impl Simulation {
    pub(super) fn new(limits: Vec<Limit>, skews_ms: [i64; 3], offset_ms: i64) -> Self {
        let (log, members, attempts, latest) = (Vec::new(), Vec::new(), Vec::new(), HashMap::new());
        let now_ms = START + offset_ms;
        let mut simulation = Self { limits, now_ms, log, members, attempts, latest, heard_ms: Vec::new() };
        for skew_ms in skews_ms {
            let member = simulation.process(skew_ms);
            simulation.members.push(member);
        }
        simulation
    }

    fn process(&mut self, skew_ms: i64) -> Member {
        let process = self.heard_ms.len();
        self.heard_ms.push((i64::MIN / 2, skew_ms));
        let ledger = Ledger::new(process.to_string(), self.limits.clone());
        Member { process, ledger, position: 0, outbox: VecDeque::new(), skew_ms }
    }

    pub(super) fn step(&mut self, step: &Step) {
        match *step {
            Step::Reserve { member, tenant, route, most } => drop(self.reserve(member, tenant, route, most)),
            Step::Write(member) => self.write(member),
            Step::Deliver { member, count, again } => self.deliver(member, count, again),
            Step::Lose(member) => drop(self.members[member].outbox.pop_front()),
            Step::Read { member, count } => self.read(member, count),
            Step::Settle { member, which, percent, times } => {
                let running = self.of_member(member, |fate| fate == Fate::Running);
                if let Some(id) = running.get(which) {
                    self.settle(member, *id, percent, times);
                }
            }
            Step::Withdraw { member, which } => {
                let open = self.of_member(member, |fate| matches!(fate, Fate::Running | Fate::Asked));
                if let Some(id) = open.get(which) {
                    self.members[member].ledger.withdraw(self.attempts[*id].ticket);
                    self.attempts[*id].fate = Fate::Withdrawn;
                }
            }
            Step::Crash(member) => self.members[member] = self.process(self.members[member].skew_ms),
            Step::Wait(wait_ms) => self.wait(wait_ms),
            Step::Work { work_ms, paused } => {
                for _ in 0..(work_ms / (4 * SECOND)).max(1) {
                    self.work_without(paused);
                    self.wait(work_ms.min(4 * SECOND));
                }
                if work_ms > MINUTE {
                    self.check_signs_of_life(paused);
                }
            }
            Step::Compact => self.compact(),
        }
        self.check_log();
    }

    /// All attempts end, then what must be true of a ledger at rest is checked.
    pub(super) fn finish(&mut self) {
        for _ in 0..40 {
            self.work();
            for member in 0..3 {
                for id in self.of_member(member, |fate| fate == Fate::Running) {
                    self.settle(member, id, 90, 1);
                }
            }
            self.wait(SECOND);
        }
        assert!((0..3).all(|member| self.of_member(member, |fate| fate == Fate::Asked).is_empty()), "all are decided");
        self.wait(2 * MINUTE);
        self.work();
        self.check_rest(&self.living());
        self.check_spending();
        self.compact();
        self.check_spending();
        self.check_progress();
        self.wait(3 * DAY);
        (0..2).for_each(|_| self.work());
        let left: Vec<_> = self.latest.iter().filter(|(_, value)| !value.is_null()).collect();
        assert!(left.is_empty(), "old records were not deleted: {left:?}");
        for member in &self.members {
            assert!(member.ledger.spending(self.now_ms).is_empty());
            assert!(format!("{:?}", member.ledger.known).ends_with("scopes: {} }"), "{:?}", member.ledger.known);
            assert!(format!("{:?}", member.ledger.asked).ends_with("scopes: {} }"), "{:?}", member.ledger.asked);
            assert_eq!(member.ledger.malformed(), 0);
        }
    }

    /// On the next day, each member gets a small claim for each tenant and route.
    fn check_progress(&mut self) {
        self.now_ms = (self.now_ms / DAY + 1) * DAY + 2 * MINUTE;
        for member in 0..3 {
            for tenant in TENANTS {
                for route in ROUTES {
                    self.wait(2 * MINUTE);
                    let id = self.reserve(member, tenant, route, 1).expect("nothing runs and nothing is spent");
                    self.work();
                    assert_eq!(self.attempts[id].fate, Fate::Running);
                    self.settle(member, id, 100, 1);
                    self.work();
                }
            }
            // The limit of a tenant's calls in an hour.
            self.wait(61 * MINUTE);
        }
    }

    /// What members know is what a new member reads, and what truly happened.
    fn check_spending(&self) {
        let mut fresh = Ledger::new("fresh", self.limits.clone());
        for record in self.log.iter().flatten() {
            fresh.read(&record.key, record.value.as_deref(), self.now_ms);
        }
        let spending = fresh.spending(self.now_ms);
        for member in &self.members {
            let other = member.ledger.spending(self.now_ms);
            assert_eq!(other, spending, "process {} and a new one", member.process);
        }
        self.check_truth(&spending);
    }

    /// Who works and has something open was heard lately.
    fn check_signs_of_life(&self, paused: Option<usize>) {
        let working = (0..3).filter(|member| Some(*member) != paused);
        for member in working.filter(|member| !self.of_member(*member, |fate| fate == Fate::Running).is_empty()) {
            assert!(self.now_ms - self.heard_ms[self.members[member].process].0 <= 12 * SECOND);
        }
    }

    fn living(&self) -> HashSet<String> {
        self.members.iter().map(|member| member.process.to_string()).collect()
    }

    fn of_member(&self, member: usize, fits: impl Fn(Fate) -> bool) -> Vec<usize> {
        let process = self.members[member].process;
        let attempts = self.attempts.iter().enumerate();
        attempts.filter(|(_, it)| it.process == process && fits(it.fate)).map(|(id, _)| id).collect()
    }

    fn reserve(&mut self, member: usize, tenant: &'static str, route: &'static str, most: u64) -> Option<usize> {
        let (id, most) = (self.attempts.len(), micros(most));
        let Member { process, ledger, skew_ms, .. } = &mut self.members[member];
        let ticket = ledger.reserve(Claim { id: id as u64, tenant, route, most }, self.now_ms + *skew_ms).ok()?;
        let (process, fate, place) = (*process, Fate::Asked, None);
        self.attempts.push(Attempt { process, ticket, tenant, route, most, fate, place, silent: false });
        Some(id)
    }

    fn settle(&mut self, member: usize, id: usize, percent: u64, times: usize) {
        let attempt = &mut self.attempts[id];
        let used = micros(attempt.most.cost_micros * percent / 100);
        attempt.fate = Fate::Settled(used);
        let Member { ledger, skew_ms, .. } = &mut self.members[member];
        ledger.settle(attempt.ticket, used, self.now_ms + *skew_ms);
        for time in 1..times {
            ledger.settle(attempt.ticket, micros(1_000 * time as u64), self.now_ms + *skew_ms);
        }
    }

    /// Each member writes and reads all that there is.
    fn work(&mut self) {
        self.work_without(None);
    }

    fn work_without(&mut self, paused: Option<usize>) {
        for member in (0..3).filter(|member| Some(*member) != paused) {
            self.write(member);
            self.deliver(member, usize::MAX, Again::Nothing);
            self.read(member, usize::MAX);
        }
    }

    fn write(&mut self, member: usize) {
        let Member { ledger, outbox, skew_ms, .. } = &mut self.members[member];
        outbox.extend(ledger.changes(self.now_ms + *skew_ms));
    }

    fn deliver(&mut self, member: usize, count: usize, again: Again) {
        let Member { outbox, process, .. } = &mut self.members[member];
        let mut batch: Vec<_> = outbox.drain(..count.min(outbox.len())).collect();
        match again {
            Again::Nothing => {}
            Again::Last => batch.last().into_iter().for_each(|last| outbox.push_front(last.clone())),
            Again::All => batch.extend_from_within(..),
        }
        let process = *process;
        for (key, value) in batch {
            self.append(key.to_vec(), value.map(|value| value.to_vec()), process);
        }
    }

    fn append(&mut self, key: Vec<u8>, value: Option<Vec<u8>>, process: usize) {
        let parsed: Value = value.as_deref().map_or(Value::Null, |it| serde_json::from_slice(it).expect("JSON"));
        if let Some(at_ms) = parsed["t"].as_i64() {
            let (heard_ms, skew_ms) = &mut self.heard_ms[process];
            *heard_ms = (*heard_ms).max(at_ms - *skew_ms);
        }
        self.latest.insert(key.clone(), parsed);
        self.log.push(Some(Record { key, value, at_ms: self.now_ms }));
    }

    fn read(&mut self, member: usize, count: usize) {
        for _ in 0..count {
            let Member { ledger, position, skew_ms, .. } = &mut self.members[member];
            let Some(record) = self.log.get(*position) else { return };
            *position += 1;
            let Some(Record { key, value, .. }) = record else { continue };
            ledger.read(key, value.as_deref(), self.now_ms + *skew_ms);
            let decided = ledger.decided();
            if decided.is_empty() {
                continue;
            }
            let body: Value = serde_json::from_slice(value.as_deref().unwrap_or_default()).expect("JSON");
            let names: Value = serde_json::from_slice(key).expect("JSON");
            let (key, hour) = (key.clone(), names[3].as_i64().expect("an hour"));
            let process = self.members[member].process;
            for (ticket, decision) in decided {
                let mut attempts = self.attempts.iter_mut().enumerate();
                let own = attempts.find(|(_, it)| it.process == process && it.ticket == ticket);
                let (id, attempt) = own.expect("the ticket was given to an attempt");
                assert_eq!(attempt.fate, Fate::Asked, "one decision for each attempt");
                let rows = body["o"].as_array().expect("a list");
                let row = rows.iter().find(|row| row[0] == id).expect("it stands in the record that decided it");
                attempt.place = Some((key.clone(), hour, row[1].as_i64().expect("a minute")));
                attempt.fate = if decision.is_ok() { Fate::Running } else { Fate::Refused };
            }
            self.check_limits();
        }
    }

    fn wait(&mut self, wait_ms: i64) {
        self.now_ms += wait_ms;
        for attempt in self.attempts.iter_mut().filter(|attempt| attempt.fate == Fate::Running) {
            // Ten seconds less than a minute, because clocks differ.
            attempt.silent |= self.now_ms - self.heard_ms[attempt.process].0 > 50 * SECOND;
        }
    }

    /// Removes what a later record replaces, among records that are older than a minute, and old tombstones.
    fn compact(&mut self) {
        let old = self.log.iter().take_while(|record| record.as_ref().is_none_or(|it| self.now_ms - it.at_ms > MINUTE));
        let mut seen = HashSet::new();
        for place in (0..old.count()).rev() {
            let Some(record) = &self.log[place] else { continue };
            let is_last = seen.insert(record.key.clone());
            if !is_last || record.value.is_none() && self.now_ms - record.at_ms > DAY {
                self.log[place] = None;
            }
        }
    }
}
