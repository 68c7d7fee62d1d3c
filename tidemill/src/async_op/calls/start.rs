//! Which call starts next, and on which route.

use super::{
    Ask, CallId, Calls, Effect, Ended, NoRequest, Stage,
    attempts::{Admitted, Attempt},
    route::Closed,
    timers::Timer,
};
use crate::{
    async_op::{
        AnswerSource, CallError, CallFailure, CallReport, FailureKind, WhenExhausted, breaker,
        fair_queue::Candidate,
        ledger::{Claim, Ledger, Refusal},
    },
    clock::{Moment, millis},
};

/// How long to wait before a request that cannot be decoded yet is tried again.
const NOT_YET_MS: i64 = 1_000;

/// How long a request that is asked again waits for a route, if its deadline does not come first. It is longer than the
/// pause of a breaker, so that a probe decides.
const PATIENCE_MS: i64 = 5 * 60 * 1_000;

/// What the routes say to a call.
enum Choice {
    Route(usize, Option<breaker::Ticket>),
    /// All routes that are left are closed until then. `all` means that no other call has one left that is open;
    /// `soon`, that an answer after this time is worth waiting for.
    Later {
        until_ms: i64,
        all: bool,
        soon: bool,
    },
    /// No route's answer would come before the deadline.
    TooLate,
    /// No route is left.
    None,
}

impl Calls {
    /// Starts what may start.
    pub(super) fn start(&mut self, now: Moment, ask: &mut dyn Ask, effects: &mut Vec<Effect>) {
        self.blocked.pass(now.monotonic_ms);
        // Each route is asked, because asking takes the note away.
        let ended = self.routes.iter_mut().filter_map(|route| route.take_probe_ended().then_some(())).count();
        if ended > 0 {
            self.blocked.routes_ms = None;
            for id in std::mem::take(&mut self.shut) {
                self.resume(id);
            }
        }
        if self.closing {
            return;
        }
        while self.busy < self.policy.max_in_flight.max(1) && !self.blocked.all() {
            let Self { queue, blocked, .. } = self;
            let Some(id) = queue.pop(|Candidate { tenant, .. }| blocked.turn(tenant)) else { break };
            if self.prepare(id, now, ask, effects) && !self.shares(id, now, effects) {
                self.begin_somewhere(id, now, ask, effects);
            }
        }
    }

    /// Answers the new requests that take no call. They wait for no route and no limit.
    pub(super) fn answer_known(&mut self, now: Moment, ask: &mut dyn Ask, effects: &mut Vec<Effect>) {
        for id in std::mem::take(&mut self.unasked) {
            let Some(call) = self.calls.get_mut(&id).filter(|call| !self.closing && !call.prepared) else { continue };
            // A request that cannot be decoded has its turn later.
            let Ok(known) = ask.known(id, call) else { continue };
            (call.content, call.prepared) = (known.content, true);
            match known.end {
                Some(end) => self.end_without_a_call(id, end, AnswerSource::Known, now, effects),
                None => drop(self.answered_by_cache(id, now, effects)),
            }
        }
    }

    pub(super) fn end_without_a_call(
        &mut self,
        id: CallId,
        end: Ended,
        source: AnswerSource,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        self.stats.succeeded += 1;
        self.stats.known += u64::from(source == AnswerSource::Known);
        let report = CallReport { source, ..CallReport::default() };
        self.end_as(id, end, report, now, effects);
    }

    /// Asks once what is known of the request. Returns whether it can be called.
    fn prepare(&mut self, id: CallId, now: Moment, ask: &mut dyn Ask, effects: &mut Vec<Effect>) -> bool {
        let Some(call) = self.calls.get_mut(&id) else { return false };
        if call.prepared {
            return true;
        }
        match ask.known(id, call) {
            Ok(known) => {
                (call.content, call.prepared) = (known.content, true);
                let Some(end) = known.end else { return true };
                self.end_without_a_call(id, end, AnswerSource::Known, now, effects);
                false
            }
            Err(NoRequest::Yet(reason)) => {
                tracing::warn!(%reason, "a request cannot be decoded yet; it is retried");
                self.pause(id, now.monotonic_ms + NOT_YET_MS);
                false
            }
            Err(NoRequest::Ever(message)) => {
                self.fail_for_good(id, FailureKind::Undecodable, message, now, effects);
                false
            }
        }
    }

    /// Starts an attempt on the first route that takes it, or ends the call, or lets it wait.
    pub(super) fn begin_somewhere(&mut self, id: CallId, now: Moment, ask: &mut dyn Ask, effects: &mut Vec<Effect>) {
        loop {
            match self.choose(id, now) {
                Choice::Route(route, admission) => {
                    let admitted = Admitted { route, admission, hedge: false };
                    let Err(refusal) = self.reserve(id, admitted, now, ask, effects) else { return };
                    if !self.goes_on(id, route, &refusal, now, effects) {
                        return;
                    }
                }
                Choice::Later { until_ms, all, soon } if soon || self.policy.when_exhausted == WhenExhausted::Wait => {
                    if all {
                        self.blocked.routes_ms = Some(until_ms);
                        self.wait(id);
                    } else {
                        self.shut.insert(id);
                        self.pause(id, until_ms);
                    }
                    return;
                }
                // A route without a budget would not take the call either if it were open.
                Choice::Later { .. } if self.is_exhausted(id) => return self.fail_as_last(id, now, effects),
                Choice::Later { until_ms, .. } if self.is_patient(id, until_ms, now) => {
                    self.shut.insert(id);
                    return self.pause(id, until_ms);
                }
                Choice::Later { until_ms, .. } => {
                    let left = (until_ms - now.monotonic_ms).max(0) as u64;
                    let message = format!(
                        "no route takes calls at the moment: too many attempts failed, and the next one may start in {} s",
                        left.div_ceil(1_000)
                    );
                    return self.fail_for_good(id, FailureKind::Unavailable, message, now, effects);
                }
                Choice::TooLate => return self.expired(id, "the answer would come after the deadline", now, effects),
                Choice::None => return self.fail_as_last(id, now, effects),
            }
        }
    }

    fn choose(&mut self, id: CallId, now: Moment) -> Choice {
        let Some(call) = self.calls.get(&id) else { return Choice::None };
        let (mut later, mut soon, mut too_late, mut closed) = (None::<i64>, None::<i64>, false, 0);
        let (short_ms, long_ms) = (millis(self.policy.first_backoff), millis(self.policy.max_backoff));
        let due_ms = call.arrival.due_ms.unwrap_or(i64::MAX);
        for (at, (tried, route)) in call.routes.iter().zip(&mut self.routes).enumerate() {
            if tried.ruled_out || tried.attempts >= route.max_attempts {
                continue;
            }
            let expected_ms = route.expected_ms(now.monotonic_ms);
            if now.monotonic_ms + expected_ms >= due_ms {
                too_late = true;
                continue;
            }
            match route.admit(now.monotonic_ms) {
                Ok(admitted) => return Choice::Route(at, admitted),
                Err(why) => {
                    let (Closed::Failing(until_ms) | Closed::Pausing(until_ms) | Closed::Probing(until_ms)) = why;
                    let wait_ms = until_ms - now.monotonic_ms;
                    // A pause that is as short as one between attempts is no outage. A service that asks for a pause
                    // works after it.
                    let is_soon = wait_ms <= short_ms
                        || match why {
                            Closed::Failing(_) => false,
                            Closed::Pausing(_) => wait_ms <= long_ms && until_ms.saturating_add(expected_ms) < due_ms,
                            Closed::Probing(_) => true,
                        };
                    let first = |known: Option<i64>| Some(known.map_or(until_ms, |known| known.min(until_ms)));
                    later = first(later);
                    soon = if is_soon { first(soon) } else { soon };
                    closed += 1;
                }
            }
        }
        match (soon.or(later), too_late) {
            (Some(until_ms), _) => {
                let (until_ms, soon) = (until_ms.max(now.monotonic_ms + 1), soon.is_some());
                // Others may not have the time to wait for a long pause.
                let all = closed == self.routes.len() && !(soon && until_ms - now.monotonic_ms > short_ms);
                Choice::Later { until_ms, all, soon }
            }
            (None, true) => Choice::TooLate,
            (None, false) => Choice::None,
        }
    }

    /// Whether a call waits for a route until then, although routes fail. Somebody asks its request again: nobody has
    /// waited for a plainer result meanwhile, and an answer at once that there is no route would only use up the try.
    fn is_patient(&mut self, id: CallId, until_ms: i64, now: Moment) -> bool {
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.arrival.again) else { return false };
        let longest_ms = *call.patient_until_ms.get_or_insert(now.monotonic_ms.saturating_add(PATIENCE_MS));
        until_ms < longest_ms.min(call.arrival.due_ms.unwrap_or(i64::MAX))
    }

    fn is_exhausted(&self, id: CallId) -> bool {
        let failed = self.calls.get(&id).and_then(|call| call.failed.as_ref());
        failed.is_some_and(|(kind, _)| *kind == FailureKind::Exhausted)
    }

    /// Reserves an attempt in the ledger, or begins it at once if there is no ledger.
    pub(super) fn reserve(
        &mut self,
        id: CallId,
        admitted: Admitted,
        now: Moment,
        ask: &mut dyn Ask,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let Admitted { route, admission, hedge } = admitted;
        let Some(call) = self.calls.get_mut(&id) else { return Ok(()) };
        let name = self.routes[route].name.clone();
        let most = ask.most(id, call, &name);
        let began_ms = now.monotonic_ms;
        let mut attempt =
            Attempt { route, admission, most, ticket: None, began_ms, until_ms: i64::MAX, hedge, given_up: false };
        let Some(ledger) = &mut self.ledger else {
            self.occupy(id);
            self.begin(id, attempt, now, effects);
            return Ok(());
        };
        ledger.taken_over(call.arrival.fingerprint);
        let claim = Claim { id: call.arrival.fingerprint, tenant: &call.arrival.tenant, route: &name, most };
        match ledger.reserve(claim, now.wall_ms) {
            Ok(ticket) => {
                if call.stage != Stage::Calling {
                    call.stage = Stage::Reserving;
                }
                attempt.ticket = Some(ticket);
                self.tickets.insert(ticket, id);
                self.attempts.insert((id, 0), attempt);
                self.occupy(id);
                Ok(())
            }
            Err(refusal) => {
                self.routes[route].abandon(admission);
                Err(refusal)
            }
        }
    }

    /// Begins the attempts that the ledger has granted.
    pub(super) fn take_decisions(&mut self, now: Moment, ask: &mut dyn Ask, effects: &mut Vec<Effect>) {
        let decided = self.ledger.as_mut().map(Ledger::decided).unwrap_or_default();
        for (ticket, decision) in decided {
            let Some(id) = self.tickets.remove(&ticket) else { continue };
            let Some(attempt) = self.attempts.remove(&(id, 0)) else { continue };
            let route = attempt.route;
            self.routes[route].abandon(attempt.admission);
            // The route may have failed while the reservation waited, so it is asked again.
            if decision.is_ok()
                && let Ok(admission) = self.routes[route].admit(now.monotonic_ms)
            {
                self.begin(id, Attempt { admission, ..attempt }, now, effects);
                continue;
            }
            self.vacate(id);
            if let (Some(ledger), Ok(())) = (&mut self.ledger, &decision) {
                ledger.withdraw(ticket);
            }
            let runs = self.calls.get(&id).is_some_and(|call| call.stage == Stage::Calling);
            let goes_on = |calls: &mut Self, effects: &mut Vec<Effect>| match &decision {
                Ok(()) => true,
                Err(refusal) => calls.goes_on(id, route, refusal, now, effects),
            };
            if !runs && goes_on(self, effects) {
                self.begin_somewhere(id, now, ask, effects);
            }
        }
    }

    /// Begins an attempt, for which there is room.
    fn begin(&mut self, id: CallId, attempt: Attempt, now: Moment, effects: &mut Vec<Effect>) {
        let route = attempt.route;
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.attempts == 0 {
            let elsewhere = self.ledger.as_ref().is_some_and(|it| it.begun_elsewhere(call.arrival.fingerprint));
            let begun = elsewhere || !call.arrival.steps.is_empty();
            self.stats.repeated += u64::from(begun);
            call.repeated |= begun;
        }
        call.attempts += 1;
        call.route = route;
        call.routes[route].attempts += 1;
        call.running.push(call.attempts);
        self.calling += usize::from(call.stage != Stage::Calling);
        call.stage = Stage::Calling;
        let (number, state) = (call.attempts, &mut self.routes[route]);
        state.in_flight += 1;
        let left_ms = call.arrival.due_ms.map_or(i64::MAX, |due_ms| due_ms - now.monotonic_ms);
        let timeout_ms = state.timeout_ms.min(left_ms).max(1);
        let until_ms = now.monotonic_ms.saturating_add(timeout_ms);
        self.timers.set(until_ms, Timer::Timeout(id, number));
        if let Some(after) = self.policy.hedge_after
            && call.running.len() == 1
        {
            self.timers.set(now.monotonic_ms + millis(after), Timer::Hedge(id, number));
        }
        self.stats.attempts += 1;
        self.stats.retries += u64::from(number > 1);
        self.stats.hedged += u64::from(attempt.hedge);
        let route = state.name.clone();
        self.attempts.insert((id, number), Attempt { began_ms: now.monotonic_ms, until_ms, ..attempt });
        effects.push(Effect::Begin { call: id, attempt: number, route, timeout_ms });
    }

    /// Counts an attempt or a reservation. A lane that is at its limit waits.
    pub(super) fn occupy(&mut self, id: CallId) {
        self.busy += 1;
        if let Some(call) = self.calls.get(&id) {
            let lane = call.arrival.lane.clone();
            let running = self.lane_running.entry(lane.clone()).or_default();
            *running += 1;
            if *running >= self.policy.max_in_flight_per_key {
                self.queue.hold(&lane);
            }
        }
    }

    pub(super) fn vacate(&mut self, id: CallId) {
        self.busy -= 1;
        if let Some(lane) = self.calls.get(&id).map(|call| call.arrival.lane.clone()) {
            self.leave_lane(&lane);
        }
    }

    pub(super) fn leave_lane(&mut self, lane: &bytes::Bytes) {
        if let Some(running) = self.lane_running.get_mut(lane) {
            *running -= 1;
            if *running == 0 {
                self.lane_running.remove(lane);
            }
            self.queue.release(lane);
        }
    }

    pub(super) fn expired(&mut self, id: CallId, message: &str, now: Moment, effects: &mut Vec<Effect>) {
        let Some(call) = self.calls.get(&id) else { return };
        let attempts = call.attempts;
        self.stats.expired += 1;
        let failure = CallFailure { kind: FailureKind::Expired, message: message.to_owned(), attempts };
        self.end(id, Ended::Failure(failure), now, effects);
    }

    /// Ends a call for which no route is left, with the last failure.
    pub(super) fn fail_as_last(&mut self, id: CallId, now: Moment, effects: &mut Vec<Effect>) {
        let failed = self.calls.get_mut(&id).and_then(|call| call.failed.take());
        let none = || (FailureKind::Error, CallError::permanent("the policy has no route"));
        let (kind, error) = failed.unwrap_or_else(none);
        self.fail_for_good(id, kind, error.message, now, effects);
    }
}
