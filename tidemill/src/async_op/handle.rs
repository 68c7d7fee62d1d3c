//! Runs an executor in its own thread and reopens it after errors.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use super::{AsyncCall, CallExecutor, CallPolicy, CallSnapshot, CallStats, Caller};
use crate::{
    clock::{Clock, Moment, SystemClock},
    names::made_up_id,
    record::Data,
    transport::{Reason, Transport, TransportError},
};

/// A running executor. Dropping the handle stops the executor without waiting for calls. [`CallExecutorHandle::close`]
/// waits for running calls first.
pub struct CallExecutorHandle {
    name: String,
    stop: Arc<AtomicBool>,
    grace_ms: Arc<AtomicU64>,
    snapshot: Arc<Mutex<CallSnapshot>>,
    failed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl<K: Data, V: Data, R: Send + 'static> CallExecutor<K, V, R> {
    /// Runs an executor in a thread. The step's topics must exist: start the application first. After an error of the
    /// log, the thread opens the executor again and continues from its last commit.
    ///
    /// # Errors
    ///
    /// [`TransportError::Invalid`] if the log does not let the executor into the executors' group, or if no thread can
    /// be started. An unreachable log is not an error: the thread retries until the log is available.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{AsyncCall, CallExecutor, CallPolicy, CallRequest, Reply};
    /// # use tidemill::{Streams, StreamsBuilder, StreamsConfig};
    /// # use tidemill::transport::embedded::{EmbeddedLog, Entry};
    /// # let (log, builder) = (EmbeddedLog::in_memory(), StreamsBuilder::new());
    /// # (log.create("essays", 1)?, log.create("grades", 1)?);
    /// # log.append("essays", 0, [Entry::new("ann", "To be, or not to be", 0)])?;
    /// let call = AsyncCall::<String, String, i64>::named("grade");
    /// let answers = builder.stream::<String, String>("essays").map_async(&call);
    /// answers.map_values(|it| it.outcome.unwrap_or(-1)).to("grades");
    /// let streams = Streams::start(&builder.build()?, StreamsConfig::new("school"), log.clone())?;
    ///
    /// let model = |essay: CallRequest<String, String>, reply: Reply<i64>| reply.send(Ok(essay.value.len() as i64));
    /// let executor = CallExecutor::spawn(&call, "school", log.clone(), CallPolicy::default(), model)?;
    /// # while log.end_offsets("grades")? != [1] {
    /// #     std::thread::yield_now();
    /// # }
    /// assert_eq!(executor.group(), "school-grade-executor");
    /// assert_eq!((executor.stats().attempts, executor.stats().succeeded), (1, 1));
    /// executor.close(Duration::from_secs(5));
    /// streams.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn(
        call: &AsyncCall<K, V, R>,
        application_id: &str,
        transport: impl Transport,
        policy: CallPolicy,
        mut caller: impl Caller<K, V, R>,
    ) -> Result<CallExecutorHandle, TransportError> {
        let transport: Arc<dyn Transport> = Arc::new(transport);
        let (stop, grace_ms) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let snapshot = Arc::<Mutex<CallSnapshot>>::default();
        let failed = Arc::new(AtomicBool::new(false));
        let (call, application_id) = (call.clone(), application_id.to_owned());
        let name = call.executor_group(&application_id);
        let checked = transport.admin().and_then(|mut admin| admin.check_group(&name));
        if let Err(refused @ TransportError::Invalid(_)) = checked {
            return Err(refused);
        }
        let (stopping, grace, shown, fails) = (stop.clone(), grace_ms.clone(), snapshot.clone(), failed.clone());
        let group = name.clone();
        let open = move || -> Result<Self, TransportError> {
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let (transport, policy) = (transport.clone(), policy.clone());
            let client_id = format!("{group}-{}", made_up_id());
            let mut executor = Self::open_as(client_id, &call, &application_id, transport, policy, clock)?;
            executor.take_stats(shown.clone());
            Ok(executor)
        };
        let spawned = std::thread::Builder::new().name(name.clone()).spawn(move || {
            while !stopping.load(Ordering::SeqCst) {
                let turns = || {
                    let executor = open()?;
                    fails.store(false, Ordering::SeqCst);
                    executor.run(&mut caller, &stopping, &grace)
                };
                match catch_unwind(AssertUnwindSafe(turns)) {
                    Ok(Ok(())) => continue,
                    Ok(Err(error)) => {
                        tracing::warn!(%error, "the executor failed; it reopens and continues from its last commit");
                    }
                    // Without an executor, every request would wait for its deadline, and nobody would know why.
                    Err(_) => {
                        tracing::error!("the executor panicked; it reopens and continues from its last commit");
                    }
                }
                fails.store(true, Ordering::SeqCst);
                std::thread::park_timeout(REOPEN);
            }
        });
        let thread = spawned.map_err(|error| {
            TransportError::Invalid(Reason::new(format!("cannot start the thread: {error}"), error))
        })?;
        Ok(CallExecutorHandle { name, stop, grace_ms, snapshot, failed, thread: Some(thread) })
    }

    fn run(
        mut self,
        caller: &mut impl Caller<K, V, R>,
        stop: &AtomicBool,
        grace_ms: &AtomicU64,
    ) -> Result<(), TransportError> {
        while !stop.load(Ordering::SeqCst) {
            self.step(caller, IDLE)?;
        }
        let (stopped, grace) = (Instant::now(), Duration::from_millis(grace_ms.load(Ordering::SeqCst)));
        while self.drain(caller)? > 0 && stopped.elapsed() < grace {
            std::thread::park_timeout(Duration::from_millis(5));
        }
        self.commit(Moment::of(&*self.clock))
    }
}

/// How long an executor without requests waits in one step.
const IDLE: Duration = Duration::from_millis(100);
/// How long the thread waits before it reopens the executor.
const REOPEN: Duration = Duration::from_secs(1);

impl CallExecutorHandle {
    /// The executor's counters at this moment, since [`CallExecutor::spawn`]. See the example of
    /// [`CallExecutor::spawn`].
    pub fn stats(&self) -> CallStats {
        self.lock().stats
    }

    /// The executor at about this moment: its routes, what waits, what was spent.
    ///
    /// ```
    /// # use tidemill::CallExecutorHandle;
    /// fn print(executor: &CallExecutorHandle) {
    ///     let snapshot = executor.snapshot();
    ///     for route in &snapshot.routes {
    ///         println!("{}: {} attempts run", route.name, route.in_flight);
    ///     }
    ///     println!("{} micros spent", snapshot.stats.usage.cost_micros);
    /// }
    /// ```
    pub fn snapshot(&self) -> CallSnapshot {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, CallSnapshot> {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the executor has failed and was not opened again since. Requests wait meanwhile.
    ///
    /// ```
    /// # use tidemill::CallExecutorHandle;
    /// fn is_ready(executor: &CallExecutorHandle) -> bool {
    ///     !executor.has_failed()
    /// }
    /// ```
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    /// The name of the executors' consumer group. See the example of [`CallExecutor::spawn`].
    pub fn group(&self) -> &str {
        &self.name
    }

    /// Starts no more calls, waits up to `grace` (wall time) for running calls to end, commits, and stops the thread. With
    /// limits that executors share, it also waits for what attempts that took too long tell of their use. Calls that are still unanswered are made again by the next executor. If the executor's own [`Caller`] calls this
    /// method, it returns without waiting. See the example of [`CallExecutor::spawn`].
    pub fn close(mut self, grace: Duration) {
        self.grace_ms.store(u64::try_from(grace.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
        self.end();
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            if thread.thread().id() == std::thread::current().id() {
                tracing::error!(call = %self.name, "the executor's own caller closed it; it ends in the background");
                return;
            }
            thread.thread().unpark();
            // A thread that panicked has printed its message to standard error.
            drop(thread.join());
        }
    }
}

impl Drop for CallExecutorHandle {
    fn drop(&mut self) {
        self.end();
    }
}
