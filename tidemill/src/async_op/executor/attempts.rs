//! Starts attempts, takes their answers, and retries failed attempts.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::Ordering,
};

use bytes::Bytes;
use tidemill_state::CodecError;

use super::{
    CallExecutor, Caller,
    pending_call::{CallStage, NoRequest, PendingCall},
};
use crate::{
    async_op::{
        CallError, CallFailure, FailureKind, Reply,
        reply::{Answer, Message},
        request,
    },
    error::panic_text,
    record::Data,
    transport::{ProducerRecord, TransportError},
};

/// How long to wait before a request that cannot be decoded yet is tried again.
const NOT_YET_MS: i64 = 1_000;

impl<K: Data, V: Data, R: Send + 'static> CallExecutor<K, V, R> {
    pub(super) fn start(&mut self, caller: &mut dyn Caller<K, V, R>, now_ms: i64) -> Result<(), TransportError> {
        while self.calling < self.policy.max_in_flight.max(1) {
            let Some(id) = self.queue.pop_front() else { break };
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            job.attempt += 1;
            let timeout_ms = i64::try_from(self.policy.timeout.as_millis()).unwrap_or(i64::MAX);
            job.stage = CallStage::Calling { deadline_ms: now_ms.saturating_add(timeout_ms) };
            self.calling += 1;
            let attempt = job.attempt;
            match coded(|| job.request(&self.call)).unwrap_or_else(|panicked| Err(NoRequest::Ever(panicked))) {
                Ok(request) => {
                    let reply = Reply::new(id, attempt, self.policy.timeout, self.answers.0.clone());
                    self.counters.attempts.fetch_add(1, Ordering::Relaxed);
                    // A caller that panics drops its reply. The dropped reply reports the attempt as failed.
                    if catch_unwind(AssertUnwindSafe(|| caller.call(request, reply))).is_err() {
                        tracing::error!(call = %self.call.name, "the caller panicked");
                    }
                }
                Err(NoRequest::Yet(reason)) => {
                    tracing::warn!(call = %self.call.name, %reason, "a request cannot be decoded yet; it is retried");
                    // This does not count as an attempt, because no call was made.
                    job.attempt -= 1;
                    job.stage = CallStage::Pausing { until_ms: now_ms.saturating_add(NOT_YET_MS) };
                    self.calling -= 1;
                }
                Err(NoRequest::Ever(message)) => {
                    self.fail(id, FailureKind::Undecodable, &CallError::permanent(message), now_ms)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn take_answers(&mut self, now_ms: i64) -> Result<usize, TransportError> {
        let mut taken = 0;
        while let Ok(message) = self.answers.1.try_recv() {
            let Message::Answer(Answer { job: id, attempt, outcome, .. }) = message else { continue };
            let current = self.jobs.get(&id).filter(|job| job.attempt == attempt);
            if !current.is_some_and(|job| matches!(job.stage, CallStage::Calling { .. })) {
                continue;
            }
            taken += 1;
            match outcome {
                Ok(response) => self.succeed(id, &response, now_ms)?,
                Err(error) => self.fail(id, FailureKind::Error, &error, now_ms)?,
            }
        }
        Ok(taken)
    }

    pub(super) fn expire(&mut self, now_ms: i64) -> Result<usize, TransportError> {
        let late = |job: &PendingCall| matches!(job.stage, CallStage::Calling { deadline_ms } if deadline_ms <= now_ms);
        let late: Vec<_> = self.jobs.iter().filter(|(_, job)| late(job)).map(|(id, _)| *id).collect();
        let error = CallError::transient(format!("no answer within {:?}", self.policy.timeout));
        for id in &late {
            self.fail(*id, FailureKind::Timeout, &error, now_ms)?;
        }
        Ok(late.len())
    }

    pub(super) fn wake(&mut self, now_ms: i64) -> usize {
        let mut woken = 0;
        for (id, job) in &mut self.jobs {
            if matches!(job.stage, CallStage::Pausing { until_ms } if until_ms <= now_ms) {
                job.stage = CallStage::Waiting;
                self.queue.push_back(*id);
                woken += 1;
            }
        }
        woken
    }

    fn succeed(&mut self, id: u64, response: &R, now_ms: i64) -> Result<(), TransportError> {
        let malformed = |reason| Err(CodecError::Malformed { expected: "an answer", reason });
        match coded(|| self.call.response.encode(response)).unwrap_or_else(malformed) {
            Ok(value) => {
                self.counters.succeeded.fetch_add(1, Ordering::Relaxed);
                self.respond(id, value, None)
            }
            Err(error) => self.fail(id, FailureKind::Undecodable, &CallError::permanent(error.to_string()), now_ms),
        }
    }

    fn fail(&mut self, id: u64, kind: FailureKind, error: &CallError, now_ms: i64) -> Result<(), TransportError> {
        let Some(job) = self.jobs.get_mut(&id) else { return Ok(()) };
        let key = job.record.key.clone().unwrap_or_default();
        if let Some(pause) = self.policy.pause(job.attempt, error, &key) {
            tracing::debug!(call = %self.call.name, attempt = job.attempt, ?pause, %error, "attempt failed");
            let until_ms = now_ms.saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
            job.stage = CallStage::Pausing { until_ms };
            self.calling -= 1;
            return Ok(());
        }
        tracing::warn!(call = %self.call.name, attempts = job.attempt, %kind, %error, "call failed");
        self.counters.failed.fetch_add(1, Ordering::Relaxed);
        let failure = CallFailure { kind, message: error.message.clone(), attempts: job.attempt };
        self.respond(id, None, Some(&failure))
    }

    fn respond(&mut self, id: u64, value: Option<Bytes>, failure: Option<&CallFailure>) -> Result<(), TransportError> {
        let Some(PendingCall { partition, record, stage, .. }) = self.jobs.remove(&id) else { return Ok(()) };
        self.calling -= usize::from(matches!(stage, CallStage::Calling { .. }));
        let headers = match failure {
            Some(failure) => request::with_failure(record.headers, failure),
            None => record.headers,
        };
        self.producer.send(ProducerRecord {
            topic: self.responses.clone(),
            partition: partition.partition,
            timestamp: record.timestamp,
            key: record.key,
            value,
            headers,
        })?;
        if let Some(progress) = self.progress.get_mut(&partition) {
            progress.answered(record.offset);
        }
        self.sent = true;
        Ok(())
    }
}

/// Runs a codec, which is user code. A codec's panic must not end the thread that makes all calls.
fn coded<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| format!("the codec panicked: {}", panic_text(&*panic)))
}
