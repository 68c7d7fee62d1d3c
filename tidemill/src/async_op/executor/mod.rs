//! The executor: reads committed requests, makes calls, retries them, and writes responses.

mod caller;
mod commit;
mod effects;
mod intake;
mod progress;
mod request;
mod shared;
mod snapshot;
mod takeover;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Select, Sender, unbounded};

pub use self::caller::{CallRequest, Caller};
pub use self::snapshot::{CallSnapshot, FailedCall, RouteSnapshot};
use self::{
    effects::{Decoded, Gathered},
    progress::Progress,
    shared::{Shared, ensure_topic},
    takeover::Takeover,
};
use super::{
    AsyncCall, CallPolicy,
    calls::Calls,
    ledger::Ledger,
    reply::{Message, Step},
};
use crate::{
    clock::{Clock, Moment},
    names::made_up_id,
    record::Data,
    transport::{
        Admin, CleanupPolicy, Consumer, ConsumerConfig, Headers, Producer, ProducerConfig, Reader, Topic,
        TopicPartition, Transport, TransportError,
    },
};

/// How often the offsets of answered requests are committed.
const COMMIT_MS: i64 = 100;
/// The longest wait for an answer while requests are open.
const WAIT: Duration = Duration::from_millis(5);
/// The longest wait for the ledger's decision.
const DECISION: Duration = Duration::from_millis(1);
/// How many requests one poll returns.
const POLL_RECORDS: usize = 500;

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
    topics: Topics,
    consumer: Box<dyn Consumer>,
    producer: Box<dyn Producer>,
    /// Opened when it is first needed.
    admin: Option<Box<dyn Admin>>,
    /// Tells where response partitions end. Opened when it is first needed.
    ends: Option<Box<dyn Reader>>,
    shared: Option<Shared>,
    /// Whether records were sent since the last flush.
    sent: bool,
    calls: Calls,
    decoded: Decoded<K, V>,
    gathered: BTreeMap<Arc<str>, Gathered<K, V, R>>,
    progress: BTreeMap<TopicPartition, Progress>,
    takeovers: BTreeMap<TopicPartition, Takeover>,
    owned: Vec<TopicPartition>,
    /// Revoked partitions whose calls still run, and until when they may.
    leaving: Vec<(Vec<TopicPartition>, i64)>,
    paused: bool,
    /// Steps that were sent and are not flushed, and where they are kept.
    steps: Vec<(Step, (i32, Bytes))>,
    /// Steps to delete: of requests whose answers were sent, and of attempts that were given up.
    done_steps: Vec<(i32, Bytes)>,
    has_steps_topic: bool,
    committed_ms: i64,
    purged_ms: i64,
    marked_ms: i64,
    messages: (Sender<Message<R>>, Receiver<Message<R>>),
    pub(super) snapshot: Arc<Mutex<CallSnapshot>>,
    seen_ms: i64,
}

/// The topics of a step that its executors use.
struct Topics {
    requests: Topic,
    responses: Topic,
    steps: Topic,
    ledger: Topic,
    cache: Topic,
}

impl<K: Data, V: Data, R: Send + 'static> CallExecutor<K, V, R> {
    /// Joins the executors of an application's step. The step's topics must exist: start the application first. See the
    /// example of [`CallExecutor`].
    ///
    /// # Errors
    ///
    /// If the log refuses the consumer or the producer, or the policy has no route.
    pub fn open(
        call: &AsyncCall<K, V, R>,
        application_id: &str,
        transport: Arc<dyn Transport>,
        policy: CallPolicy,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TransportError> {
        let client_id = format!("{}-{}", call.executor_group(application_id), made_up_id());
        Self::open_as(client_id, call, application_id, transport, policy, clock)
    }

    /// Like [`CallExecutor::open`], but with its own client id. It tells executors of several processes apart in the
    /// group's member list and in the ledger, so each start needs another one.
    pub(crate) fn open_as(
        client_id: String,
        call: &AsyncCall<K, V, R>,
        application_id: &str,
        transport: Arc<dyn Transport>,
        policy: CallPolicy,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TransportError> {
        policy.check().map_err(|problem| TransportError::Invalid(problem.into()))?;
        let topics = Topics {
            requests: call.request_topic(application_id),
            responses: call.response_topic(application_id),
            steps: call.step_topic(application_id),
            ledger: call.ledger_topic(application_id),
            cache: call.cache_topic(application_id),
        };
        let mut admin = None;
        let shared = open_shared(&*transport, &policy, &topics, &mut admin)?;
        let member: Arc<str> = client_id.as_str().into();
        let ledger = policy.has_ledger().then(|| Ledger::new(member, policy.limits.clone()));
        let mut consumer = transport.consumer(&ConsumerConfig {
            client_id,
            group: call.executor_group(application_id),
            // A static member would keep its requests while it is away. The other executors must take them over.
            instance_id: None,
            session_timeout: Duration::from_secs(45),
            max_poll_records: POLL_RECORDS.min(policy.max_read_ahead.max(1)),
        })?;
        consumer.subscribe(std::slice::from_ref(&topics.requests))?;
        let producer = transport.producer(&ProducerConfig { transactional_id: None })?;
        let now = clock.monotonic_ms();
        Ok(Self {
            calls: Calls::new(policy.clone(), call.order, ledger),
            call: call.clone(),
            policy,
            clock,
            transport,
            topics,
            consumer,
            producer,
            admin,
            ends: None,
            shared,
            sent: false,
            decoded: Decoded::new(),
            gathered: BTreeMap::new(),
            progress: BTreeMap::new(),
            takeovers: BTreeMap::new(),
            owned: Vec::new(),
            leaving: Vec::new(),
            paused: false,
            steps: Vec::new(),
            done_steps: Vec::new(),
            has_steps_topic: false,
            committed_ms: now,
            purged_ms: now,
            marked_ms: i64::MIN / 2,
            messages: unbounded(),
            snapshot: Arc::default(),
            seen_ms: i64::MIN / 2,
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
        let idle = self.calls.len() == 0 && self.calls.busy() == 0;
        let mut done = self.poll(caller, if idle { timeout } else { Duration::ZERO })?;
        if done == 0 && !idle && !timeout.is_zero() {
            self.await_answer(timeout.min(WAIT));
        }
        done += self.turn(caller)?;
        Ok(done)
    }

    /// Waits for an answer, or until something is due.
    fn await_answer(&self, timeout: Duration) {
        if self.calls.awaits_decision() {
            return;
        }
        let due_ms = self.calls.next_ms().map_or(i64::MAX, |due_ms| due_ms - self.clock.monotonic_ms());
        let timeout = timeout.min(Duration::from_millis(due_ms.clamp(0, 1_000) as u64));
        let mut select = Select::new();
        select.recv(&self.messages.1);
        // `take_messages` finds out whether an answer came.
        let _ = select.ready_timeout(timeout);
    }

    /// A turn that reads and starts nothing and only ends running calls. Returns how many attempts still run, or have
    /// not told what they consumed.
    pub(super) fn drain(&mut self, caller: &mut dyn Caller<K, V, R>) -> Result<usize, TransportError> {
        self.calls.close();
        self.forget_decoded();
        self.turn(caller)?;
        // Nobody comes any more with whom they could be handed over.
        self.hand_over(caller, Moment { monotonic_ms: i64::MAX / 2, ..Moment::of(&*self.clock) });
        Ok(self.calls.unsettled())
    }

    fn turn(&mut self, caller: &mut dyn Caller<K, V, R>) -> Result<usize, TransportError> {
        let now = Moment::of(&*self.clock);
        let may_start = self.read_shared(now)?;
        self.delete_steps(now)?;
        let done = self.take_messages(caller, now)?;
        if may_start {
            self.advance(caller, now)?;
        }
        self.hand_over(caller, now);
        self.write_ledger(now)?;
        // The receivers of responses must not have to wait until the next commit.
        if std::mem::take(&mut self.sent) {
            self.producer.flush()?;
        }
        self.steps_are_kept();
        if !self.leaving.is_empty() {
            self.hand_back(now)?;
        }
        if now.monotonic_ms - self.committed_ms >= COMMIT_MS {
            self.commit(now)?;
        }
        self.show(now);
        Ok(done)
    }

    /// Reads what the other executors have written. Returns whether attempts may start.
    fn read_shared(&mut self, now: Moment) -> Result<bool, TransportError> {
        let Some(shared) = &mut self.shared else { return Ok(true) };
        let mut timeout = if self.calls.awaits_decision() { DECISION } else { Duration::ZERO };
        while shared.read(&mut self.calls, timeout, now)? > 0 {
            timeout = Duration::ZERO;
        }
        shared.caught_up()
    }

    fn write_ledger(&mut self, now: Moment) -> Result<(), TransportError> {
        let changes = self.calls.ledger().map(|ledger| ledger.changes(now.wall_ms)).unwrap_or_default();
        for (key, value) in changes {
            self.send(self.topics.ledger.clone(), 0, now.wall_ms, key, value, Headers::new())?;
        }
        Ok(())
    }

    fn admin(&mut self) -> Result<&mut dyn Admin, TransportError> {
        let admin = match &mut self.admin {
            Some(admin) => admin,
            none => none.insert(self.transport.admin()?),
        };
        Ok(&mut **admin)
    }

    /// Whether some executor has ever kept a step.
    fn steps_exist(&mut self) -> Result<bool, TransportError> {
        if !self.has_steps_topic {
            let topic = self.topics.steps.clone();
            self.has_steps_topic = self.admin()?.describe_topic(&topic)?.is_some();
        }
        Ok(self.has_steps_topic)
    }

    fn ensure_steps(&mut self) -> Result<(), TransportError> {
        if !self.has_steps_topic {
            let (topic, requests) = (self.topics.steps.clone(), self.topics.requests.clone());
            let admin = self.admin()?;
            let partitions = admin.describe_topic(&requests)?.map_or(1, |spec| spec.partitions);
            ensure_topic(admin, &topic, partitions, CleanupPolicy::Compact, None)?;
            self.has_steps_topic = true;
        }
        Ok(())
    }
}

/// Opens the topics that executors share, as far as the policy needs them.
fn open_shared(
    transport: &dyn Transport,
    policy: &CallPolicy,
    topics: &Topics,
    admin: &mut Option<Box<dyn Admin>>,
) -> Result<Option<Shared>, TransportError> {
    let mut shared = Vec::new();
    let mut wanted = Vec::new();
    if policy.has_ledger() {
        wanted.push((topics.ledger.clone(), CleanupPolicy::Compact, None));
    }
    if let Some(cache) = policy.cache {
        wanted.push((topics.cache.clone(), CleanupPolicy::CompactDelete, Some(cache.time_to_live)));
    }
    if wanted.is_empty() {
        return Ok(None);
    }
    let opened = match admin {
        Some(admin) => admin,
        none => none.insert(transport.admin()?),
    };
    for (topic, cleanup, retention) in wanted {
        ensure_topic(&mut **opened, &topic, 1, cleanup, retention)?;
        shared.push(topic);
    }
    Shared::open(transport, &topics.ledger, &shared).map(Some)
}
