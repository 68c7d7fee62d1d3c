//! Carries out what the calls decide: hands attempts to the caller, writes responses.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use tidemill_state::CodecError;

use super::{
    CallExecutor, CallRequest, Caller,
    request::{Asking, guarded, read},
    takeover::step_key,
};
use crate::{
    async_op::{
        CallError, CallReport, FailureKind, Reply, Usage,
        calls::{Call, CallId, Effect, Ended, NoRequest},
        reply::{Answer, Message, Step},
        request,
    },
    clock::Moment,
    record::Data,
    transport::{Headers, ProducerRecord, Topic, TransportError},
};

/// Attempts for one route that are handed to the caller together.
pub(super) struct Gathered<K, V, R> {
    pub(super) since_ms: i64,
    pub(super) attempts: Vec<(CallRequest<K, V>, Reply<R>)>,
}

impl<K: Data, V: Data, R: Send + 'static> CallExecutor<K, V, R> {
    /// Lets time pass for the calls.
    pub(super) fn advance(&mut self, caller: &mut dyn Caller<K, V, R>, now: Moment) -> Result<(), TransportError> {
        let mut asking = Asking { call: &self.call, caller, decoded: &mut self.decoded };
        let effects = self.calls.advance(now, &mut asking);
        self.carry_out(caller, effects, now)
    }

    pub(super) fn carry_out(
        &mut self,
        caller: &mut dyn Caller<K, V, R>,
        effects: Vec<Effect>,
        now: Moment,
    ) -> Result<(), TransportError> {
        for effect in effects {
            match effect {
                Effect::Begin { call, attempt, route, timeout_ms } => {
                    self.begin(caller, call, attempt, &route, timeout_ms, now)?;
                }
                Effect::Respond { id, call, outcome, report } => {
                    self.decoded.remove(&id);
                    self.respond(*call, outcome, report)?;
                }
                Effect::Keep { content, answer } => {
                    self.send(self.topics.cache.clone(), 0, now.wall_ms, content, Some(answer), Headers::new())?;
                }
            }
        }
        Ok(())
    }

    fn begin(
        &mut self,
        caller: &mut dyn Caller<K, V, R>,
        id: CallId,
        attempt: u32,
        route: &Arc<str>,
        timeout_ms: i64,
        now: Moment,
    ) -> Result<(), TransportError> {
        let Some(call) = self.calls.get(id).filter(|call| call.runs(attempt)) else {
            // Its deadline came in the same turn.
            let told = Err((FailureKind::Error, CallError::transient("the attempt was given up before it began")));
            let effects = self.calls.ended(id, attempt, told, Some(Usage::default()), String::new(), now);
            return self.carry_out(caller, effects, now);
        };
        let request = match self.decoded.remove(&id) {
            Some(decoded) => Ok(CallRequest { route: route.clone(), attempt, steps: call.steps().to_vec(), ..decoded }),
            None => read(&self.call, call, route),
        };
        let request = match request {
            Ok(request) => request,
            Err(NoRequest::Yet(message) | NoRequest::Ever(message)) => {
                let told = Err((FailureKind::Undecodable, CallError::permanent(message)));
                let effects = self.calls.ended(id, attempt, told, Some(Usage::default()), String::new(), now);
                return self.carry_out(caller, effects, now);
            }
        };
        let timeout = Duration::from_millis(timeout_ms.max(0) as u64);
        let reply = Reply::new(id, attempt, timeout, self.messages.0.clone());
        if self.policy.batch.is_some() {
            let empty = || Gathered { since_ms: now.monotonic_ms, attempts: Vec::new() };
            self.gathered.entry(route.clone()).or_insert_with(empty).attempts.push((request, reply));
        } else if let Err(panicked) = guarded("the caller", || caller.call(request, reply)) {
            // The caller has dropped its reply, which reports the attempt as failed.
            tracing::error!(call = %self.call.name, "{panicked}");
        }
        Ok(())
    }

    /// Hands gathered attempts to the caller, if they are enough or have waited long enough.
    pub(super) fn hand_over(&mut self, caller: &mut dyn Caller<K, V, R>, now: Moment) {
        let Some(batch) = self.policy.batch else { return };
        let linger_ms = crate::clock::millis(batch.linger);
        let is_due = |gathered: &Gathered<K, V, R>| {
            gathered.attempts.len() >= batch.max.max(1) || now.monotonic_ms - gathered.since_ms >= linger_ms
        };
        for (_, gathered) in self.gathered.extract_if(.., |_, gathered| is_due(gathered)) {
            let calls = &self.calls;
            let runs = |reply: &Reply<R>| {
                let (call, attempt) = reply.attempt();
                calls.get(call).is_some_and(|call| call.runs(attempt))
            };
            let (live, given_up): (Vec<_>, Vec<_>) = gathered.attempts.into_iter().partition(|(_, reply)| runs(reply));
            for (_, reply) in given_up {
                reply.not_made();
            }
            let mut attempts = live.into_iter().peekable();
            while attempts.peek().is_some() {
                let part: Vec<_> = attempts.by_ref().take(batch.max.max(1)).collect();
                if let Err(panicked) = guarded("the caller", || caller.call_batch(part)) {
                    tracing::error!(call = %self.call.name, "{panicked}");
                }
            }
        }
    }

    /// Takes what attempts have told. Returns the number of messages.
    pub(super) fn take_messages(
        &mut self,
        caller: &mut dyn Caller<K, V, R>,
        now: Moment,
    ) -> Result<usize, TransportError> {
        let mut taken = 0;
        while let Ok(message) = self.messages.1.try_recv() {
            taken += 1;
            match message {
                Message::Answer(answer) => self.take_answer(caller, answer, now)?,
                Message::Step(step) => self.take_step(step, now)?,
            }
        }
        Ok(taken)
    }

    fn take_answer(
        &mut self,
        caller: &mut dyn Caller<K, V, R>,
        answer: Answer<R>,
        now: Moment,
    ) -> Result<(), TransportError> {
        let Answer { call, attempt, outcome, usage, details } = answer;
        let told = match outcome {
            Ok(response) => {
                let malformed = |reason| Err(CodecError::Malformed { expected: "an answer", reason });
                let encoded = guarded("the codec", || self.call.response.encode(&response)).unwrap_or_else(malformed);
                encoded.map_err(|error| (FailureKind::Undecodable, CallError::permanent(error.to_string())))
            }
            Err(error) => Err((FailureKind::Error, error)),
        };
        let effects = self.calls.ended(call, attempt, told, usage, details, now);
        self.carry_out(caller, effects, now)
    }

    /// Writes a step. Its attempt goes on when the step is in the log.
    fn take_step(&mut self, step: Step, now: Moment) -> Result<(), TransportError> {
        let Some(call) = self.calls.get(step.call).filter(|call| call.runs(step.attempt)) else {
            (step.done)(false);
            return Ok(());
        };
        // The first attempt that keeps a step goes on alone.
        if self.steps.iter().any(|(other, _)| other.call == step.call && other.attempt != step.attempt) {
            (step.done)(false);
            return Ok(());
        }
        let written = self.steps.iter().filter(|(other, _)| other.call == step.call).count();
        let number = (call.steps().len() + written) as u32;
        let (partition, id) = (call.arrival.partition.partition, call.arrival.record.key.clone().unwrap_or_default());
        self.ensure_steps()?;
        let (key, value) = (step_key(&id, number), Some(step.content.clone()));
        self.send(self.topics.steps.clone(), partition, now.wall_ms, key.clone(), value, Headers::new())?;
        self.steps.push((step, (partition, key)));
        Ok(())
    }

    /// Tells attempts that their steps are in the log. A step whose attempt was given up meanwhile is deleted.
    pub(super) fn steps_are_kept(&mut self) {
        for (Step { call, attempt, content, done }, place) in std::mem::take(&mut self.steps) {
            let kept = self.calls.keep_step(call, attempt, content);
            if !kept {
                self.done_steps.push(place);
            }
            if guarded("the caller", || done(kept)).is_err() {
                tracing::error!(call = %self.call.name, "the caller panicked when it was told of a step");
            }
        }
    }

    /// Deletes the steps of answered requests, after the answers are in the log.
    pub(super) fn delete_steps(&mut self, now: Moment) -> Result<(), TransportError> {
        for (partition, key) in std::mem::take(&mut self.done_steps) {
            self.send(self.topics.steps.clone(), partition, now.wall_ms, key, None, Headers::new())?;
        }
        Ok(())
    }

    fn respond(&mut self, call: Call, outcome: Ended, report: CallReport) -> Result<(), TransportError> {
        let steps = call.steps().len() as u32;
        let (partition, record) = (call.arrival.partition, call.arrival.record);
        let inputs = request::inputs(&record.headers);
        let headers = request::with_report(record.headers, &CallReport { inputs, ..report });
        let (value, headers) = match outcome {
            Ended::Answer(value) => (value, headers),
            Ended::Failure(failure) => (None, request::with_failure(headers, &failure)),
            Ended::Dropped => (None, request::with_dropped(headers)),
        };
        let id = record.key.clone().unwrap_or_default();
        self.done_steps.extend((0..steps).map(|number| (partition.partition, step_key(&id, number))));
        let topic = self.topics.responses.clone();
        self.send(topic, partition.partition, record.timestamp, id, value, headers)?;
        if let Some(progress) = self.progress.get_mut(&partition) {
            progress.answered(record.offset);
            progress.responded();
        }
        Ok(())
    }

    pub(super) fn send(
        &mut self,
        topic: Topic,
        partition: i32,
        timestamp: i64,
        key: Bytes,
        value: Option<Bytes>,
        headers: Headers,
    ) -> Result<(), TransportError> {
        self.sent = true;
        self.producer.send(ProducerRecord { topic, partition, timestamp, key: Some(key), value, headers })
    }
}

/// Requests between the first question and their first attempt.
pub(super) type Decoded<K, V> = HashMap<CallId, CallRequest<K, V>>;
