//! Reads committed requests, passes them to a [`Caller`], and writes the responses. It has no async runtime of its own:
//! a [`Caller`] may run the call anywhere and may reply from any thread.

mod attempts;
mod caller;
mod pending_call;
mod requests;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use crossbeam_channel::{Receiver, Select, Sender, unbounded};

pub use self::caller::{CallRequest, Caller};
use self::pending_call::PendingCall;
use super::{AsyncCall, CallPolicy, handle::Counters, progress::Progress, reply::Message};
use crate::{
    clock::Clock,
    record::Data,
    transport::{
        Admin, CommittedOffset, Consumer, ConsumerConfig, Producer, ProducerConfig, Topic, TopicPartition, Transport,
        TransportError,
    },
};

/// How often the offsets of answered requests are committed.
const COMMIT_MS: i64 = 100;
/// How often answered requests are deleted.
const PURGE_MS: i64 = 10_000;
/// The longest wait for an answer while requests are open.
const WAIT: Duration = Duration::from_millis(5);

/// A member of the executors' consumer group. `step` is one turn of its loop. Tests call `step` themselves;
/// [`CallExecutor::spawn`] calls it in a thread.
///
/// After an error of `step`, open calls are in an unknown state. Drop the executor and open another one, which begins
/// at the last commit.
///
/// Executors may run in other processes than the application, and several share the requests. They read committed
/// requests only. If an executor dies, another one makes its unanswered calls again.
///
/// ```
/// # use std::{sync::Arc, time::Duration};
/// # use tidemill::{AsyncCall, CallError, CallExecutor, CallPolicy, CallRequest, Reply, SystemClock};
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// let call = AsyncCall::<u64, String, i64>::named("grade");
/// let answers = builder.stream::<u64, String>("essays").map_async(&call);
/// answers.map_values(|it| it.outcome.map_or_else(|error| error.to_string(), |grade| grade.to_string())).to("grades");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// driver.input::<u64, String>("essays").pipe_all([(1, "To be".into(), 0), (2, String::new(), 1)])?;
///
/// let log = Arc::new(driver.log().clone());
/// let mut executor = CallExecutor::open(&call, "test", log, CallPolicy::default(), Arc::new(SystemClock))?;
/// let mut model = |essay: CallRequest<u64, String>, reply: Reply<i64>| match essay.value.len() {
///     0 => reply.send(Err(CallError::permanent("the essay is empty"))),
///     length => reply.send(Ok(length as i64)),
/// };
/// # for _ in 0..10 {
/// executor.step(&mut model, Duration::ZERO)?;
/// # }
/// let mut grades = driver.output::<u64, String>("grades").read_values()?;
/// grades.sort();
/// assert_eq!(grades, ["5", "no answer after 1 attempt(s): the essay is empty"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CallExecutor<K, V, R> {
    call: AsyncCall<K, V, R>,
    policy: CallPolicy,
    pub(super) clock: Arc<dyn Clock>,
    transport: Arc<dyn Transport>,
    responses: Topic,
    consumer: Box<dyn Consumer>,
    producer: Box<dyn Producer>,
    /// Opened at the first purge.
    admin: Option<Box<dyn Admin>>,
    /// Whether responses were sent since the last flush.
    sent: bool,
    jobs: BTreeMap<u64, PendingCall>,
    queue: VecDeque<u64>,
    next_job: u64,
    calling: usize,
    progress: BTreeMap<TopicPartition, Progress>,
    owned: Vec<TopicPartition>,
    paused: bool,
    committed_ms: i64,
    purged_ms: i64,
    answers: (Sender<Message<R>>, Receiver<Message<R>>),
    pub(super) counters: Arc<Counters>,
}

impl<K: Data, V: Data, R: Send + 'static> CallExecutor<K, V, R> {
    /// Joins the executors of an application's step. The step's topics must exist: start the application first. See the
    /// example of [`CallExecutor`].
    ///
    /// # Errors
    ///
    /// If the log refuses the consumer or the producer.
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

    /// Like [`CallExecutor::open`], but with its own client id. It tells executors of several processes apart in the
    /// group's member list.
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
            // A static member would keep its requests while it is away. The other executors must take them over.
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

    /// One turn: reads requests and answers, starts calls, writes responses and commits. Waits up to `timeout` if there
    /// is nothing to do. Returns the number of things done. See the example of [`CallExecutor`].
    ///
    /// # Errors
    ///
    /// If the log fails. The executor cannot be used after that: open another one.
    pub fn step(&mut self, caller: &mut dyn Caller<K, V, R>, timeout: Duration) -> Result<usize, TransportError> {
        // With open requests, wait for answers rather than for requests: answers make room for new requests.
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
        // `take_answers` finds out whether an answer came.
        let _ = select.ready_timeout(timeout);
    }

    /// A turn that reads and starts nothing and only ends running calls. Returns how many attempts still run.
    pub(super) fn drain(&mut self, caller: &mut dyn Caller<K, V, R>) -> Result<usize, TransportError> {
        self.queue.clear();
        self.turn(caller)?;
        Ok(self.calling)
    }

    fn turn(&mut self, caller: &mut dyn Caller<K, V, R>) -> Result<usize, TransportError> {
        let now = self.clock.monotonic_ms();
        let done = self.take_answers(now)? + self.expire(now)? + self.wake(now);
        self.start(caller, now)?;
        // The receivers of responses must not have to wait until the next commit.
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

    /// Flushes the responses first and then commits the offsets: a crash between the two repeats calls but loses none.
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
                // No call depends on the purge, and the next purge tries again.
                Err(error) => {
                    tracing::warn!(call = %self.call.name, %error, "answered requests were not deleted");
                    self.admin = None;
                }
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Deletes the requests below the committed offsets.
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
