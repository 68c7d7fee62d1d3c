//! Reads committed requests, has them called, and writes what comes back. Knows no runtime of its own: a [`Caller`]
//! starts the work wherever it likes and replies from any thread.

use std::{
    collections::{BTreeMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Select, Sender, unbounded};

use super::{
    AsyncCall, CallError, CallFailure, CallPolicy, FailureKind, Reply,
    handle::Counters,
    progress::Progress,
    reply::Answer,
    request::{self, RequestId},
};
use crate::{
    clock::Clock,
    record::Data,
    transport::{
        Admin, CommittedOffset, ConsumedRecord, Consumer, ConsumerConfig, Producer, ProducerConfig, ProducerRecord,
        Rebalance, Topic, TopicPartition, Transport, TransportError,
    },
};

/// How often answered requests are committed.
const COMMIT_MS: i64 = 100;
/// How often answered requests are deleted.
const PURGE_MS: i64 = 10_000;
/// The longest wait for requests while answers may come.
const WAIT: Duration = Duration::from_millis(5);

/// One attempt to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRequest<K, V> {
    /// The record's key.
    pub key: K,
    /// The request.
    pub value: V,
    /// Event time of the record, milliseconds since the epoch.
    pub timestamp: i64,
    /// Which attempt this is, from 1. After a crash it begins at 1 again.
    pub attempt: u32,
    /// Names the request, the same at every attempt: an idempotency key for services that take one.
    pub id: Bytes,
}

/// Makes calls. It must return at once: the work belongs on a runtime or a thread of its own.
pub trait Caller<K, V, R>: Send + 'static {
    /// Starts an attempt, which ends with `reply`.
    fn call(&mut self, request: CallRequest<K, V>, reply: Reply<R>);
}

impl<K, V, R, F: FnMut(CallRequest<K, V>, Reply<R>) + Send + 'static> Caller<K, V, R> for F {
    fn call(&mut self, request: CallRequest<K, V>, reply: Reply<R>) {
        self(request, reply);
    }
}

/// A request that was read and not answered.
struct Job {
    partition: TopicPartition,
    record: ConsumedRecord,
    /// Attempts begun.
    attempt: u32,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// In the queue.
    Waiting,
    /// An attempt runs until then.
    Calling { deadline_ms: i64 },
    /// The next attempt comes then.
    Pausing { until_ms: i64 },
}

/// A member of the executors' group. `step` is one turn of its loop, so that tests turn it by hand;
/// [`CallExecutor::spawn`] turns it in a thread.
///
/// After an error of `step` nothing of what was in flight may be trusted: drop the executor and open another, which
/// begins at the last commit.
pub struct CallExecutor<K, V, R> {
    call: AsyncCall<K, V, R>,
    policy: CallPolicy,
    clock: Arc<dyn Clock>,
    transport: Arc<dyn Transport>,
    responses: Topic,
    consumer: Box<dyn Consumer>,
    producer: Box<dyn Producer>,
    /// Opened when there is something to delete.
    admin: Option<Box<dyn Admin>>,
    /// Responses were sent and not flushed.
    sent: bool,
    jobs: BTreeMap<u64, Job>,
    queue: VecDeque<u64>,
    next_job: u64,
    calling: usize,
    progress: BTreeMap<TopicPartition, Progress>,
    owned: Vec<TopicPartition>,
    paused: bool,
    committed_ms: i64,
    purged_ms: i64,
    answers: (Sender<Answer<R>>, Receiver<Answer<R>>),
    pub(super) counters: Arc<Counters>,
}

impl<K: Data, V: Data, R: Send + 'static> CallExecutor<K, V, R> {
    /// Joins the executors of an application's step. Its topics must exist: start the application first.
    pub fn open(
        call: &AsyncCall<K, V, R>,
        application_id: &str,
        transport: Arc<dyn Transport>,
        policy: CallPolicy,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TransportError> {
        let client_id = call.executor_group(application_id);
        Self::open_as(client_id, call, application_id, transport, policy, clock)
    }

    /// The same under a name of its own, so that the group's member lists tell executors of several processes apart.
    pub(super) fn open_as(
        client_id: String,
        call: &AsyncCall<K, V, R>,
        application_id: &str,
        transport: Arc<dyn Transport>,
        policy: CallPolicy,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TransportError> {
        let mut consumer = transport.consumer(&ConsumerConfig {
            client_id,
            group: call.executor_group(application_id),
            // While one is away, the others shall ask what it was asked.
            instance_id: None,
            session_timeout: Duration::from_secs(45),
            max_poll_records: policy.max_in_flight.max(1),
        })?;
        consumer.subscribe(&[call.request_topic(application_id)])?;
        let producer = transport.producer(&ProducerConfig { transactional_id: None })?;
        let now = clock.now_ms();
        Ok(Self {
            responses: call.response_topic(application_id),
            call: call.clone(),
            policy,
            clock,
            transport,
            consumer,
            producer,
            admin: None,
            sent: false,
            jobs: BTreeMap::new(),
            queue: VecDeque::new(),
            next_job: 0,
            calling: 0,
            progress: BTreeMap::new(),
            owned: Vec::new(),
            paused: false,
            committed_ms: now,
            purged_ms: now,
            answers: unbounded(),
            counters: Arc::default(),
        })
    }

    /// One turn: takes answers and requests, starts calls, writes responses, commits. Waits up to `timeout` if there
    /// is nothing to do. Returns how much there was to do.
    pub fn step(&mut self, caller: &mut dyn Caller<K, V, R>, timeout: Duration) -> Result<usize, TransportError> {
        // Who has jobs waits for answers rather than for requests: answers are what makes room for these.
        let mut done = self.poll(if self.jobs.is_empty() { timeout } else { Duration::ZERO })?;
        if done == 0 && !self.jobs.is_empty() {
            self.await_answer(timeout.min(WAIT));
        }
        done += self.turn(caller)?;
        Ok(done)
    }

    fn await_answer(&self, timeout: Duration) {
        let mut select = Select::new();
        select.recv(&self.answers.1);
        // Whether one came shows when answers are taken.
        let _ = select.ready_timeout(timeout);
    }

    /// A turn without new requests: ends what runs. Returns how many attempts still run.
    pub(super) fn drain(&mut self, caller: &mut dyn Caller<K, V, R>) -> Result<usize, TransportError> {
        self.queue.clear();
        self.turn(caller)?;
        Ok(self.calling)
    }

    fn turn(&mut self, caller: &mut dyn Caller<K, V, R>) -> Result<usize, TransportError> {
        let now = self.clock.now_ms();
        let done = self.take_answers(now)? + self.expire(now)? + self.wake(now);
        self.start(caller, now)?;
        // Whoever waits for an answer should not wait for the next commit as well.
        if std::mem::take(&mut self.sent) {
            self.producer.flush()?;
        }
        if now - self.committed_ms >= COMMIT_MS {
            self.commit(now)?;
        }
        self.counters.in_flight.store(self.calling as u64, Ordering::Relaxed);
        self.counters.waiting.store((self.jobs.len() - self.calling) as u64, Ordering::Relaxed);
        Ok(done)
    }

    // ---- requests ----

    fn poll(&mut self, timeout: Duration) -> Result<usize, TransportError> {
        // What is read is bounded; the rest waits on the topic, not in memory.
        let full = self.jobs.len() >= self.policy.max_in_flight.saturating_mul(2);
        if full != self.paused && !self.owned.is_empty() {
            if full {
                self.consumer.pause(&self.owned)?;
            } else {
                self.consumer.resume(&self.owned)?;
            }
            self.paused = full;
        }
        let polled = self.consumer.poll(timeout)?;
        let mut done = polled.rebalances.len();
        for rebalance in polled.rebalances {
            self.rebalance(rebalance)?;
        }
        for batch in polled.batches {
            done += batch.records.len();
            for record in batch.records {
                self.progress.entry(batch.partition.clone()).or_default().taken(record.offset);
                let job = Job { partition: batch.partition.clone(), record, attempt: 0, stage: Stage::Waiting };
                self.jobs.insert(self.next_job, job);
                self.queue.push_back(self.next_job);
                self.next_job += 1;
            }
        }
        Ok(done)
    }

    fn rebalance(&mut self, rebalance: Rebalance) -> Result<(), TransportError> {
        match rebalance {
            Rebalance::Assigned(partitions) => {
                if self.paused {
                    self.consumer.pause(&partitions)?;
                }
                self.owned.extend(partitions);
            }
            Rebalance::Revoked(partitions) => {
                self.commit(self.clock.now_ms())?;
                self.forget(&partitions);
                self.consumer.release(&partitions)?;
            }
            Rebalance::Lost(partitions) => self.forget(&partitions),
        }
        Ok(())
    }

    /// The partitions' next owner asks again what is not answered; answers that still come here are not looked at.
    fn forget(&mut self, partitions: &[TopicPartition]) {
        self.owned.retain(|partition| !partitions.contains(partition));
        self.progress.retain(|partition, _| !partitions.contains(partition));
        self.jobs.retain(|_, job| !partitions.contains(&job.partition));
        self.queue.retain(|job| self.jobs.contains_key(job));
        self.calling = self.jobs.values().filter(|job| matches!(job.stage, Stage::Calling { .. })).count();
    }

    // ---- attempts ----

    fn start(&mut self, caller: &mut dyn Caller<K, V, R>, now_ms: i64) -> Result<(), TransportError> {
        while self.calling < self.policy.max_in_flight.max(1) {
            let Some(id) = self.queue.pop_front() else { break };
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            job.attempt += 1;
            let timeout_ms = i64::try_from(self.policy.timeout.as_millis()).unwrap_or(i64::MAX);
            job.stage = Stage::Calling { deadline_ms: now_ms.saturating_add(timeout_ms) };
            self.calling += 1;
            let attempt = job.attempt;
            match decode(&self.call, &job.record, attempt) {
                Ok(request) => {
                    let reply = Reply::new(id, attempt, self.policy.timeout, self.answers.0.clone());
                    self.counters.attempts.fetch_add(1, Ordering::Relaxed);
                    // A caller that panics drops its reply, which reports the attempt as failed.
                    if catch_unwind(AssertUnwindSafe(|| caller.call(request, reply))).is_err() {
                        tracing::error!(call = %self.call.name, "the caller panicked");
                    }
                }
                Err(message) => self.fail(id, FailureKind::Undecodable, &CallError::permanent(message), now_ms)?,
            }
        }
        Ok(())
    }

    fn take_answers(&mut self, now_ms: i64) -> Result<usize, TransportError> {
        let mut taken = 0;
        while let Ok(Answer { job: id, attempt, outcome }) = self.answers.1.try_recv() {
            let current = self.jobs.get(&id).filter(|job| job.attempt == attempt);
            if !current.is_some_and(|job| matches!(job.stage, Stage::Calling { .. })) {
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

    fn expire(&mut self, now_ms: i64) -> Result<usize, TransportError> {
        let late = |job: &Job| matches!(job.stage, Stage::Calling { deadline_ms } if deadline_ms <= now_ms);
        let late: Vec<_> = self.jobs.iter().filter(|(_, job)| late(job)).map(|(id, _)| *id).collect();
        let error = CallError::transient(format!("no answer within {:?}", self.policy.timeout));
        for id in &late {
            self.fail(*id, FailureKind::Timeout, &error, now_ms)?;
        }
        Ok(late.len())
    }

    fn wake(&mut self, now_ms: i64) -> usize {
        let mut woken = 0;
        for (id, job) in &mut self.jobs {
            if matches!(job.stage, Stage::Pausing { until_ms } if until_ms <= now_ms) {
                job.stage = Stage::Waiting;
                self.queue.push_back(*id);
                woken += 1;
            }
        }
        woken
    }

    fn succeed(&mut self, id: u64, response: &R, now_ms: i64) -> Result<(), TransportError> {
        match self.call.response.encode(response) {
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
            job.stage = Stage::Pausing { until_ms };
            self.calling -= 1;
            return Ok(());
        }
        tracing::warn!(call = %self.call.name, attempts = job.attempt, %kind, %error, "call failed");
        self.counters.failed.fetch_add(1, Ordering::Relaxed);
        let failure = CallFailure { kind, message: error.message.clone(), attempts: job.attempt };
        self.respond(id, None, Some(&failure))
    }

    // ---- responses ----

    fn respond(&mut self, id: u64, value: Option<Bytes>, failure: Option<&CallFailure>) -> Result<(), TransportError> {
        let Some(Job { partition, record, stage, .. }) = self.jobs.remove(&id) else { return Ok(()) };
        self.calling -= usize::from(matches!(stage, Stage::Calling { .. }));
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

    /// Responses first, then the offsets: a crash between them repeats calls, and loses none.
    pub(super) fn commit(&mut self, now_ms: i64) -> Result<(), TransportError> {
        self.committed_ms = now_ms;
        self.producer.flush()?;
        let moved = self.progress.iter().filter_map(|(partition, progress)| {
            let offset = progress.to_commit()?;
            Some((partition.clone(), CommittedOffset { offset, metadata: String::new() }))
        });
        let moved: Vec<_> = moved.collect();
        if !moved.is_empty() {
            self.consumer.commit(&moved)?;
            for (partition, CommittedOffset { offset, .. }) in &moved {
                if let Some(progress) = self.progress.get_mut(partition) {
                    progress.committed(*offset);
                }
            }
        }
        if self.policy.purge_requests && now_ms - self.purged_ms >= PURGE_MS {
            self.purge(now_ms)?;
        }
        Ok(())
    }

    /// Deletes what is answered.
    pub(super) fn purge(&mut self, now_ms: i64) -> Result<(), TransportError> {
        self.purged_ms = now_ms;
        let admin = match &mut self.admin {
            Some(admin) => admin,
            none => none.insert(self.transport.admin()?),
        };
        for (partition, committed) in self.owned.iter().zip(self.consumer.committed(&self.owned)?) {
            if let Some(committed) = committed {
                admin.delete_records(partition, committed.offset)?;
            }
        }
        Ok(())
    }
}

fn decode<K: Data, V: Data, R>(
    call: &AsyncCall<K, V, R>,
    record: &ConsumedRecord,
    attempt: u32,
) -> Result<CallRequest<K, V>, String> {
    let id = record.key.clone().and_then(RequestId::from_bytes).ok_or("the request has no id")?;
    let key = call.key.decode(id.key()).map_err(|error| format!("the request's key: {error}"))?;
    let value = call.request.decode_opt(record.value.clone()).map_err(|error| format!("the request: {error}"))?;
    Ok(CallRequest { key, value, timestamp: record.timestamp, attempt, id: id.bytes() })
}
