//! Starts, watches and stops threads.

use std::{
    hash::{BuildHasher as _, RandomState},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::{
    Prepared, StreamThread, ThreadStatus,
    query::{Job, KeyValueQuery, WindowQuery},
};
use crate::{
    clock::{Clock, SystemClock},
    config::StreamsConfig,
    error::{TaskError, TopologyError, panic_text},
    graph::Topology,
    plan::Plan,
    transport::Transport,
};

/// Where an application is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamsState {
    /// Threads run; tasks may still be restoring.
    Running,
    /// Threads are finishing their work.
    PendingShutdown,
    /// All threads ended well.
    NotRunning,
    /// A thread ended with an error, and the others with it.
    Error,
}

/// A running application: stream threads that share the work of its group.
///
/// Dropping it stops it as [`Streams::close`] does.
///
/// ```
/// use tidemill_topology::{Streams, StreamsBuilder, StreamsConfig, transport::embedded::EmbeddedLog};
///
/// let log = EmbeddedLog::in_memory();
/// log.create("lines", 1)?;
/// log.create("shouted", 1)?;
///
/// let builder = StreamsBuilder::new();
/// builder.stream::<String, String>("lines").map_values(|line| line.to_uppercase()).to("shouted");
///
/// let streams = Streams::start(&builder.build()?, StreamsConfig::new("shout"), log)?;
/// streams.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Streams {
    plan: Arc<Plan>,
    shared: Arc<Shared>,
    jobs: Vec<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

/// What threads and handle have in common.
struct Shared {
    stop: AtomicBool,
    statuses: Mutex<Vec<ThreadStatus>>,
    failure: Mutex<Option<TaskError>>,
    live: AtomicU64,
}

impl Streams {
    /// Checks topology, configuration and topics, creates internal topics, and starts the threads.
    ///
    /// # Errors
    /// With all problems together, before any thread starts.
    pub fn start(topology: &Topology, config: StreamsConfig, transport: impl Transport) -> Result<Self, TopologyError> {
        Self::start_with_clock(topology, config, Arc::new(transport), Arc::new(SystemClock))
    }

    /// The same with another clock.
    ///
    /// # Errors
    /// With all problems together, before any thread starts.
    pub fn start_with_clock(
        topology: &Topology,
        config: StreamsConfig,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TopologyError> {
        let client_id = config.client_id.clone().unwrap_or_else(made_up_id);
        let app = Prepared::new(topology, config, transport, clock, client_id)?;
        let count = app.config.num_stream_threads;
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            statuses: Mutex::new(vec![ThreadStatus::default(); count]),
            failure: Mutex::new(None),
            live: AtomicU64::new(count as u64),
        });
        let plan = app.plan.clone();
        let (mut jobs, mut threads) = (Vec::new(), Vec::new());
        for index in 0..count {
            let (sender, receiver) = unbounded();
            let (app, worker) = (app.clone(), shared.clone());
            let name = format!("{}-{index}", app.client_id);
            let spawned = std::thread::Builder::new().name(name.clone()).spawn(move || {
                let ended = catch_unwind(AssertUnwindSafe(|| run(app, name.clone(), index, &worker, &receiver)));
                // A thread that panics must not leave the handle in the belief that it runs.
                worker.finish(ended.unwrap_or_else(|panic| {
                    let message = panic_text(panic.as_ref()).to_owned();
                    Err(TaskError::Panicked { thread: name, message })
                }));
            });
            match spawned {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    shared.stop.store(true, Ordering::SeqCst);
                    return TopologyError::check(vec![format!("a stream thread cannot be started: {error}")])
                        .map(|()| unreachable!("one problem is not none"));
                }
            }
            jobs.push(sender);
        }
        Ok(Self { plan, shared, jobs, threads })
    }

    /// Where the application is in its life.
    pub fn state(&self) -> StreamsState {
        let live = self.shared.live.load(Ordering::SeqCst) > 0;
        if lock(&self.shared.failure).is_some() {
            StreamsState::Error
        } else if !live {
            StreamsState::NotRunning
        } else if self.shared.stop.load(Ordering::SeqCst) {
            StreamsState::PendingShutdown
        } else {
            StreamsState::Running
        }
    }

    /// The plan that runs.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Threads, tasks, positions and stores, at most some 100 ms old.
    pub fn status(&self) -> Vec<ThreadStatus> {
        lock(&self.shared.statuses).clone()
    }

    /// Asks a key-value store of this instance.
    pub fn key_value_store<K, V>(&self, store: &str) -> KeyValueQuery<K, V> {
        KeyValueQuery::new(self.jobs.clone(), store)
    }

    /// Asks a window store of this instance.
    pub fn window_store<K, V>(&self, store: &str) -> WindowQuery<K, V> {
        WindowQuery::new(self.jobs.clone(), store)
    }

    /// Asks the threads to finish, without waiting for them.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::SeqCst);
    }

    /// Waits until all threads have ended.
    ///
    /// # Errors
    /// With the error that ended the first of them.
    pub fn wait(mut self) -> Result<(), TaskError> {
        self.join();
        lock(&self.shared.failure).take().map_or(Ok(()), Err)
    }

    /// Commits what is done, closes the stores and stops.
    ///
    /// # Errors
    /// With the error that ended the first thread, if one did not end well.
    pub fn close(self) -> Result<(), TaskError> {
        self.stop();
        self.wait()
    }

    fn join(&mut self) {
        for thread in self.threads.drain(..) {
            // Its panics are caught where it begins.
            drop(thread.join());
        }
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.stop();
        self.join();
    }
}

impl Shared {
    fn finish(&self, ended: Result<(), TaskError>) {
        if let Err(error) = ended {
            tracing::error!("a stream thread ended: {}", error.chain());
            self.stop.store(true, Ordering::SeqCst);
            lock(&self.failure).get_or_insert(error);
        }
        self.live.fetch_sub(1, Ordering::SeqCst);
    }
}

/// How often a thread reports.
const REPORT_MS: i64 = 100;

fn run(app: Prepared, name: String, index: usize, shared: &Shared, jobs: &Receiver<Job>) -> Result<(), TaskError> {
    let (clock, timeout): (_, Duration) = (app.clock.clone(), app.config.poll_timeout);
    let mut thread = StreamThread::start(app, name)?;
    let mut reported_ms = i64::MIN;
    while !shared.stop.load(Ordering::SeqCst) {
        thread.step(timeout)?;
        while let Ok(job) = jobs.try_recv() {
            job(&thread.stores()?);
        }
        let now_ms = clock.now_ms();
        if now_ms.saturating_sub(reported_ms) >= REPORT_MS {
            reported_ms = now_ms;
            lock(&shared.statuses)[index] = thread.report();
        }
    }
    lock(&shared.statuses)[index] = thread.report();
    thread.close()
}

/// A poisoned lock guards values that are replaced whole: they are as good as before.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Unique among the members of a group: in containers, process ids repeat and start times may.
pub(crate) fn made_up_id() -> String {
    let random = RandomState::new().hash_one((std::process::id(), SystemClock.now_ms()));
    format!("tidemill-{random:016x}")
}
