//! Reads committed requests, has them called, and writes what comes back. Knows no runtime of its own: a [`Caller`]
//! starts the work wherever it likes and replies from any thread.

mod attempts;
mod caller;
mod job;
mod requests;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use crossbeam_channel::{Receiver, Select, Sender, unbounded};

pub use self::caller::{CallRequest, Caller};
use self::job::Job;
use super::{AsyncCall, CallPolicy, handle::Counters, progress::Progress, reply::Answer};
use crate::{
    clock::Clock,
    record::Data,
    transport::{
        Admin, CommittedOffset, Consumer, ConsumerConfig, Producer, ProducerConfig, Topic, TopicPartition, Transport,
        TransportError,
    },
};

/// How often answered requests are committed.
const COMMIT_MS: i64 = 100;
/// How often answered requests are deleted.
const PURGE_MS: i64 = 10_000;
/// The longest wait for requests while answers may come.
const WAIT: Duration = Duration::from_millis(5);

/// A member of the executors' group. `step` is one turn of its loop, so that tests turn it by hand;
/// [`CallExecutor::spawn`] turns it in a thread.
///
/// After an error of `step` nothing of what was in flight may be trusted: drop the executor and open another, which
/// begins at the last commit.
pub struct CallExecutor<K, V, R> {
    call: AsyncCall<K, V, R>,
    policy: CallPolicy,
    pub(super) clock: Arc<dyn Clock>,
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
    pub(crate) fn open_as(
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
        let now = clock.monotonic_ms();
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
        if done == 0 && !self.jobs.is_empty() && !timeout.is_zero() {
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
        let now = self.clock.monotonic_ms();
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
            match self.purge(now_ms) {
                Err(fenced @ TransportError::Fenced(_)) => return Err(fenced),
                // The next purge tries again: no call depends on it.
                Err(error) => {
                    tracing::warn!(call = %self.call.name, %error, "answered requests were not deleted");
                    self.admin = None;
                }
                Ok(()) => {}
            }
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
