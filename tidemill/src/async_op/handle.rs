//! Turns an executor in a thread of its own, and begins anew after errors.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use super::{AsyncCall, CallExecutor, CallPolicy, Caller};
use crate::{
    clock::{Clock, SystemClock},
    names::made_up_id,
    record::Data,
    transport::{Transport, TransportError},
};

/// What an executor has done, and does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallStats {
    /// Attempts started.
    pub attempts: u64,
    /// Requests answered.
    pub succeeded: u64,
    /// Requests given up.
    pub failed: u64,
    /// Attempts that run.
    pub in_flight: u64,
    /// Requests read that wait for an attempt.
    pub waiting: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) attempts: AtomicU64,
    pub(super) succeeded: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) in_flight: AtomicU64,
    pub(super) waiting: AtomicU64,
}

/// A running executor. Dropping it stops it at once; [`CallExecutorHandle::close`] lets calls end first.
pub struct CallExecutorHandle {
    name: String,
    stop: Arc<AtomicBool>,
    grace_ms: Arc<AtomicU64>,
    counters: Arc<Counters>,
    thread: Option<JoinHandle<()>>,
}

impl<K: Data, V: Data, R: Send + 'static> CallExecutor<K, V, R> {
    /// Runs an executor in a thread. Its topics must exist: start the application first.
    ///
    /// # Errors
    /// [`TransportError::Invalid`] if the log's administrators do not let it into the executors' group. A log that is
    /// away is none: the thread waits for it.
    pub fn spawn(
        call: &AsyncCall<K, V, R>,
        application_id: &str,
        transport: impl Transport,
        policy: CallPolicy,
        mut caller: impl Caller<K, V, R>,
    ) -> Result<CallExecutorHandle, TransportError> {
        let transport: Arc<dyn Transport> = Arc::new(transport);
        let (stop, grace_ms) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let counters = Arc::<Counters>::default();
        let (call, application_id) = (call.clone(), application_id.to_owned());
        let name = call.executor_group(&application_id);
        let checked = transport.admin().and_then(|mut admin| admin.check_group(&name));
        if let Err(refused @ TransportError::Invalid(_)) = checked {
            return Err(refused);
        }
        let (stopping, grace, shared) = (stop.clone(), grace_ms.clone(), counters.clone());
        let client_id = format!("{name}-{}", made_up_id());
        let open = move || -> Result<Self, TransportError> {
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let (transport, policy) = (transport.clone(), policy.clone());
            let mut executor = Self::open_as(client_id.clone(), &call, &application_id, transport, policy, clock)?;
            executor.counters = shared.clone();
            Ok(executor)
        };
        let spawned = std::thread::Builder::new().name(name.clone()).spawn(move || {
            while !stopping.load(Ordering::SeqCst) {
                let ended = open().and_then(|executor| executor.run(&mut caller, &stopping, &grace));
                if let Err(error) = ended {
                    tracing::warn!(%error, "the executor lost the log, beginning again from its last commit");
                    std::thread::park_timeout(REOPEN);
                }
            }
        });
        let thread = spawned.map_err(|error| TransportError::Invalid(format!("no thread for calls: {error}")))?;
        Ok(CallExecutorHandle { name, stop, grace_ms, counters, thread: Some(thread) })
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
        self.commit(self.clock.monotonic_ms())
    }
}

/// How long an executor without requests waits for one.
const IDLE: Duration = Duration::from_millis(100);
/// How long it waits before it opens the log again.
const REOPEN: Duration = Duration::from_secs(1);

impl CallExecutorHandle {
    /// What it has done, and does.
    pub fn stats(&self) -> CallStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CallStats {
            attempts: read(&self.counters.attempts),
            succeeded: read(&self.counters.succeeded),
            failed: read(&self.counters.failed),
            in_flight: read(&self.counters.in_flight),
            waiting: read(&self.counters.waiting),
        }
    }

    /// The executors' group.
    pub fn group(&self) -> &str {
        &self.name
    }

    /// Starts no further calls, lets those that run end for up to `grace`, commits, and ends. Called by the executor's own
    /// [`Caller`], it does not wait for that.
    pub fn close(mut self, grace: Duration) {
        self.grace_ms.store(u64::try_from(grace.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
        self.end();
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            if thread.thread().id() == std::thread::current().id() {
                tracing::error!(call = %self.name, "an executor's caller cannot wait for the executor's end, which comes without it");
                return;
            }
            thread.thread().unpark();
            // A thread that panicked has left its message on standard error.
            drop(thread.join());
        }
    }
}

impl Drop for CallExecutorHandle {
    fn drop(&mut self) {
        self.end();
    }
}
