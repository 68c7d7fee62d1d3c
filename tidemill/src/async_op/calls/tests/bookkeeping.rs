//! Counts anew what `Calls` keeps up to date.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Calls, Stage, Timer};

impl Calls {
    /// Panics if a counter or an index differs from what it stands for, or a bound does not hold.
    pub(super) fn check_books(&self) {
        let running = || self.attempts.iter().filter(|(_, attempt)| !attempt.given_up);
        assert_eq!(self.busy, running().count(), "busy");
        assert!(self.busy <= self.policy.max_in_flight.max(1), "{} attempts run", self.busy);
        let mut lanes = BTreeMap::<_, usize>::new();
        for ((id, _), _) in running() {
            *lanes.entry(self.calls[id].arrival.lane.clone()).or_default() += 1;
        }
        assert_eq!(self.lane_running, lanes, "attempts by lane");
        let per_key = self.policy.max_in_flight_per_key.max(1);
        assert!(lanes.values().all(|count| *count <= per_key), "attempts of a lane: {lanes:?}");
        for (at, route) in self.routes.iter().enumerate() {
            let begun = running().filter(|((_, number), attempt)| *number > 0 && attempt.route == at).count();
            assert_eq!(route.in_flight, begun, "attempts of a route");
        }
        let bytes: usize = self.calls.values().map(|call| call.arrival.record.size()).sum();
        assert_eq!(self.bytes, bytes, "bytes");
        let mut lanes = BTreeMap::<_, BTreeSet<_>>::new();
        for (id, call) in &self.calls {
            lanes.entry(call.arrival.lane.clone()).or_default().insert(*id);
        }
        assert_eq!(self.lanes, lanes, "calls by lane");
        let waiting = self.calls.values().filter(|call| call.stage == Stage::Waiting);
        let mut tenants = BTreeMap::<_, usize>::new();
        waiting.for_each(|call| *tenants.entry(call.arrival.tenant.to_string()).or_default() += 1);
        let queued: BTreeMap<_, _> = self.queue.tenants().map(|(name, count)| (name.to_owned(), count)).collect();
        assert_eq!(queued, tenants, "the queue");
        let calling = self.calls.values().filter(|call| call.stage == Stage::Calling).count();
        assert_eq!(self.calling, calling, "calls with a running attempt");
        let reserved = self.attempts.iter().filter(|((_, number), _)| *number == 0);
        let reserved: BTreeMap<_, _> =
            reserved.map(|((id, _), attempt)| (attempt.ticket.expect("it waits for the ledger"), *id)).collect();
        assert_eq!(self.tickets, reserved, "tickets");
        self.check_calls();
        self.check_timers();
    }

    fn check_calls(&self) {
        for (id, call) in &self.calls {
            let numbers = self.attempts.range((*id, 1)..=(*id, u32::MAX));
            let numbers = numbers.filter(|(_, attempt)| !attempt.given_up).map(|((_, number), _)| *number);
            let running: BTreeSet<_> = numbers.collect();
            assert_eq!(call.running.iter().copied().collect::<BTreeSet<_>>(), running, "running attempts");
            assert_eq!(call.stage == Stage::Calling, !running.is_empty(), "{id}: {:?}", call.stage);
            let reserved = self.attempts.contains_key(&(*id, 0));
            match call.stage {
                Stage::Reserving => assert!(reserved, "{id} reserves"),
                Stage::Calling => {}
                _ => assert!(!reserved, "{id} reserves"),
            }
            if let Stage::Joined(leader) = call.stage {
                assert!(self.calls[&leader].followers.contains(id), "{id} is stranded");
                assert_eq!(call.content, self.calls[&leader].content);
            }
            assert!(call.followers.iter().all(|it| self.calls[it].stage == Stage::Joined(*id)), "followers of {id}");
            if !call.followers.is_empty() {
                assert_eq!(self.leaders.get(call.content.as_ref().expect("it leads")), Some(id));
            }
            for (tried, route) in call.routes.iter().zip(&self.routes) {
                assert!(tried.attempts <= route.max_attempts, "attempts of {id} on a route");
            }
        }
        for (content, leader) in &self.leaders {
            let call = &self.calls[leader];
            assert_eq!(call.content.as_ref(), Some(content));
            assert!(matches!(call.stage, Stage::Reserving | Stage::Calling | Stage::Pausing), "{:?}", call.stage);
        }
        assert!(self.shut.iter().all(|id| self.calls[id].stage == Stage::Pausing), "calls at closed routes");
    }

    /// Whatever waits for time has a timer, and nothing else has a long one.
    fn check_timers(&self) {
        let timers = self.timers.all();
        for (id, call) in &self.calls {
            if call.stage == Stage::Pausing {
                assert!(timers.contains(&(call.pauses_until_ms, Timer::Resume(*id))), "{id} pauses for ever");
            }
            if let Some(due_ms) = call.arrival.due_ms {
                assert!(timers.contains(&(due_ms, Timer::Deadline(*id))), "{id} has no deadline");
            }
        }
        for ((id, number), attempt) in self.attempts.iter().filter(|((_, number), _)| *number > 0) {
            let timeout = timers.contains(&(attempt.until_ms, Timer::Timeout(*id, *number)));
            let given_up = timers.iter().any(|(_, timer)| *timer == Timer::GivenUp(*id, *number));
            assert!(timeout || given_up && attempt.given_up, "attempt {number} of {id} stays for ever");
        }
        for (_, timer) in timers {
            match timer {
                Timer::Deadline(id) => assert!(self.calls.contains_key(id), "a deadline of nothing"),
                Timer::Timeout(id, number) => assert!(self.attempts.contains_key(&(*id, *number)), "a stale timeout"),
                _ => {}
            }
        }
    }
}
