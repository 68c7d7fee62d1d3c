//! How attempts and calls end.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{Call, CallId, Calls, Effect, Ended, Stage, timers::Timer};
use crate::{
    async_op::{AnswerSource, CallError, CallFailure, CallReport, FailureKind, Retry, Usage},
    clock::{Moment, millis},
    transport::TopicPartition,
};

/// What an attempt told: its encoded answer, or why there is none.
pub(in crate::async_op) type Told = Result<Option<Bytes>, (FailureKind, CallError)>;

impl Calls {
    /// Takes the outcome of an attempt. `usage` is `None` if the attempt does not know what it consumed: then the most
    /// that it may have consumed counts.
    pub(in crate::async_op) fn ended(
        &mut self,
        id: CallId,
        number: u32,
        told: Told,
        usage: Option<Usage>,
        details: String,
        now: Moment,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        let Some(attempt) = self.attempts.remove(&(id, number)) else { return effects };
        self.timers.clear(attempt.until_ms, Timer::Timeout(id, number));
        let usage = self.settle(&attempt, usage, now);
        if attempt.given_up {
            return effects;
        }
        let state = &mut self.routes[attempt.route];
        state.in_flight -= 1;
        match &told {
            Ok(_) => {
                state.answered(now.monotonic_ms - attempt.began_ms, now.monotonic_ms);
                state.succeeded(attempt.admission);
            }
            Err((_, error)) => match error.retry {
                Retry::Never => state.abandon(attempt.admission),
                Retry::Backoff | Retry::OtherRoute => state.failed(attempt.admission, None, now.monotonic_ms),
                Retry::After(pause) => state.failed(attempt.admission, Some(pause), now.monotonic_ms),
            },
        }
        self.vacate(id);
        if let Some(call) = self.calls.get_mut(&id) {
            call.usage += usage;
            call.details = details;
            call.route = attempt.route;
            call.hedged = attempt.hedge && told.is_ok();
        }
        match told {
            Ok(answer) => self.succeed(id, number, answer, now, &mut effects),
            Err((kind, error)) => self.attempt_failed(id, number, attempt.route, kind, error, now, &mut effects),
        }
        effects
    }

    fn succeed(&mut self, id: CallId, number: u32, answer: Option<Bytes>, now: Moment, effects: &mut Vec<Effect>) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.running.retain(|running| *running != number);
        self.stats.succeeded += 1;
        self.succeeded[call.route] += 1;
        self.stats.fallbacks += u64::from(call.route > 0);
        if let (Some(cache), Some(content), Some(answer)) = (&mut self.cache, call.content.clone(), &answer)
            // A fallback's answer is not what the first choice would say.
            && call.route == 0
        {
            cache.put(content.clone(), Some(answer.clone()), now.wall_ms, now.wall_ms);
            effects.push(Effect::Keep { content, answer: answer.clone() });
        }
        self.end(id, Ended::Answer(answer), now, effects);
    }

    /// Decides what follows a failed attempt: the other attempt's outcome, another attempt, another route, the end.
    #[expect(clippy::too_many_arguments, reason = "an attempt's failure is told once, in full")]
    pub(super) fn attempt_failed(
        &mut self,
        id: CallId,
        number: u32,
        route: usize,
        kind: FailureKind,
        error: CallError,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.running.retain(|running| *running != number);
        let (retry, key) = (error.retry, call.arrival.record.key.clone().unwrap_or_default());
        call.failed = Some((kind, error));
        if matches!(retry, Retry::Never | Retry::OtherRoute) {
            call.routes[route].ruled_out = true;
        }
        if !call.running.is_empty() {
            return;
        }
        call.stage = Stage::Pausing;
        self.calling -= 1;
        let lane = call.arrival.lane.clone();
        // A hedge that waits for the ledger has nothing to run beside any more.
        self.withdraw(id, &lane);
        let Some(call) = self.calls.get_mut(&id) else { return };
        let is_left = |(tried, state): &(&super::call::Tried, &super::RouteState)| {
            !tried.ruled_out && tried.attempts < state.max_attempts
        };
        let left = call.routes.iter().zip(&self.routes).enumerate().filter(|(_, route)| is_left(route));
        let left: Vec<_> = left.map(|(at, _)| at).collect();
        let attempts = call.routes[route].attempts;
        if left.is_empty() {
            return self.fail_as_last(id, now, effects);
        }
        let pause = self.policy.pause(attempts, retry, &key);
        let until_ms = now.monotonic_ms.saturating_add(millis(pause));
        let due_ms = call.arrival.due_ms.unwrap_or(i64::MAX);
        // Another route answers sooner than one that asks for a long pause, and than one whose next attempt may take
        // all the time that is left.
        let others = left.iter().filter(|other| **other != route).map(|other| self.routes[*other].timeout_ms);
        let elsewhere = others.min().is_some_and(|other_ms| {
            let end_ms = until_ms.saturating_add(self.routes[route].timeout_ms).saturating_add(other_ms);
            pause > self.policy.max_backoff || end_ms > due_ms
        });
        if !left.contains(&route) || elsewhere {
            if left.contains(&route) {
                call.routes[route].ruled_out = true;
            }
            self.resume(id);
        } else if until_ms >= due_ms {
            // Nobody waits for an attempt that cannot begin before the deadline, and the last failure tells more.
            self.fail_as_last(id, now, effects);
        } else {
            self.pause(id, until_ms);
        }
    }

    /// Ends a call whose deadline is over.
    pub(super) fn expire(&mut self, id: CallId, now: Moment, effects: &mut Vec<Effect>) {
        self.expired(id, "no answer came before the deadline", now, effects);
    }

    /// Ends the older calls of a lane that are not being called.
    pub(super) fn supersede(&mut self, lane: &Bytes, newest: CallId, now: Moment) -> Vec<Effect> {
        let older = self.lanes.get(lane).into_iter().flat_map(|ids| ids.range(..newest)).copied();
        let older: Vec<_> = older.filter(|id| self.calls.get(id).is_some_and(Call::waits)).collect();
        let mut effects = Vec::new();
        for id in older {
            self.stats.superseded += 1;
            let attempts = self.calls.get(&id).map_or(0, |call| call.attempts);
            let message = "a newer request took its place".to_owned();
            let failure = CallFailure { kind: FailureKind::Superseded, message, attempts };
            self.end(id, Ended::Failure(failure), now, &mut effects);
        }
        effects
    }

    /// Drops the calls of a lane that are not being called: nobody wants their answers.
    pub(in crate::async_op) fn withdraw_lane(
        &mut self,
        partition: &TopicPartition,
        lane: &Bytes,
        now: Moment,
    ) -> Vec<Effect> {
        let unwanted =
            |id: &CallId| self.calls.get(id).is_some_and(|call| call.waits() && call.arrival.partition == *partition);
        let unwanted: Vec<_> = self.lanes.get(lane).into_iter().flatten().copied().filter(unwanted).collect();
        let mut effects = Vec::new();
        for id in unwanted {
            self.end(id, Ended::Dropped, now, &mut effects);
        }
        effects
    }

    pub(super) fn fail_for_good(
        &mut self,
        id: CallId,
        kind: FailureKind,
        message: String,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        let attempts = self.calls.get(&id).map_or(0, |call| call.attempts);
        if let Some(left_out) = self.failures.is_logged(now.monotonic_ms, kind) {
            tracing::warn!(attempts, %kind, %message, left_out, "a call failed; others like it in the next 10 s are not logged");
        }
        self.stats.failed += 1;
        self.end(id, Ended::Failure(CallFailure { kind, message, attempts }), now, effects);
    }

    pub(super) fn end(&mut self, id: CallId, outcome: Ended, now: Moment, effects: &mut Vec<Effect>) {
        let Some(call) = self.calls.get(&id) else { return };
        let tried = call.attempts > 0;
        let report = CallReport {
            route: if tried { self.routes[call.route].name.to_string() } else { String::new() },
            fallback: if tried { call.route as u32 } else { 0 },
            details: call.details.clone(),
            ..CallReport::default()
        };
        self.end_as(id, outcome, report, now, effects);
    }

    /// Ends a call, and those that joined it.
    pub(super) fn end_as(
        &mut self,
        id: CallId,
        outcome: Ended,
        report: CallReport,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        // These ends say nothing about the content: they come from the call's deadline, lane or tenant, or from how long
        // it waits for a route. Others with it are called for themselves.
        let own = |failure: &CallFailure| {
            use FailureKind::{Exhausted, Expired, Superseded, Unavailable};
            matches!(failure.kind, Superseded | Expired | Exhausted | Unavailable)
        };
        let shared = match &outcome {
            Ended::Answer(_) => true,
            Ended::Failure(failure) => !own(failure),
            Ended::Dropped => false,
        };
        let followers = if shared { std::mem::take(&mut call.followers) } else { BTreeSet::new() };
        let untold = self.attempts.range((id, 1)..=(id, u32::MAX)).count() as u32;
        let Some(call) = self.remove(id) else { return };
        if let Ended::Failure(failure) = &outcome {
            self.failures.note(now.wall_ms, &report.route, failure);
        }
        let waited_ms = call.arrival.asked_ms.map_or(0, |asked_ms| now.wall_ms - asked_ms);
        let own = CallReport {
            attempts: call.attempts,
            usage: call.usage,
            untold,
            latency_ms: u64::try_from(waited_ms).unwrap_or(0),
            repeated: call.repeated,
            hedged: call.hedged,
            ..report.clone()
        };
        if matches!(outcome, Ended::Answer(_)) {
            self.stats.took(own.latency_ms);
        }
        let call = Box::new(call);
        effects.push(Effect::Respond { id, call, outcome: outcome.clone(), report: own });
        let report = CallReport { source: AnswerSource::Joined, ..report };
        let route = self.routes.iter().position(|route| *route.name == *report.route);
        for follower in followers {
            match &outcome {
                Ended::Answer(_) => {
                    self.stats.succeeded += 1;
                    if let Some(route) = route {
                        self.succeeded[route] += 1;
                    }
                }
                _ => self.stats.failed += 1,
            }
            self.stats.joined += 1;
            self.end_as(follower, outcome.clone(), report.clone(), now, effects);
        }
    }
}
