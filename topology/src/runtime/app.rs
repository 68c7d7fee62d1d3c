//! Starts, watches and stops threads.

use std::{
    collections::BTreeSet,
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

use tidemill_state::{Codec as _, Coded};

use super::{
    HostInfo, KeyQueryMetadata, MemberThread, Prepared, StreamThread, StreamsMetadata, ThreadStatus,
    query::{Asked, Job, KeyValueQuery, QueryError, WindowQuery},
};
use crate::{
    clock::{Clock, SystemClock},
    config::StreamsConfig,
    error::{TaskError, TopologyError, panic_text},
    graph::{StoreName, Topology},
    members::Member,
    partitioner::partition_for,
    plan::{Plan, TaskId},
    transport::{Transport, TransportError},
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
    app: Prepared,
    shared: Arc<Shared>,
    jobs: Vec<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    member: Option<JoinHandle<()>>,
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
                    return Err(no_thread(&error));
                }
            }
            jobs.push(sender);
        }
        let (worker, watched) = (app.clone(), shared.clone());
        let member = std::thread::Builder::new().name(format!("{}-members", app.client_id));
        let member = member.spawn(move || run_member(worker, &watched)).map_err(|error| {
            shared.stop.store(true, Ordering::SeqCst);
            no_thread(&error)
        })?;
        Ok(Self { app, shared, jobs, threads, member: Some(member) })
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
        &self.app.plan
    }

    /// Threads, tasks, positions and stores, at most some 100 ms old. The standbys, if there are some, come last, as
    /// those of the thread that keeps them.
    pub fn status(&self) -> Vec<ThreadStatus> {
        let mut threads = lock(&self.shared.statuses).clone();
        threads.extend(self.app.standbys.report(format!("{}-members", self.app.client_id)));
        threads
    }

    /// The instances of the application, as far as this one knows, by id (`metadataForAllStreamsClients` in Kafka
    /// Streams). What is told of others may be some seconds old.
    pub fn metadata(&self) -> Vec<StreamsMetadata> {
        let now_ms = self.app.clock.now_ms();
        let mut all: Vec<_> = {
            let roster = self.app.roster();
            let others =
                roster.live(now_ms, self.app.member_timeout_ms()).filter(|(id, _)| ***id != *self.app.client_id);
            others.map(|(id, member)| self.describe(id, member)).collect()
        };
        all.push(self.describe(&self.app.client_id, &self.app.myself(now_ms)));
        all.sort_by(|a, b| a.host.cmp(&b.host));
        all
    }

    /// Which instance to ask for a key of a store, and which others keep it warm (`queryMetadataForKey` in Kafka
    /// Streams).
    ///
    /// # Errors
    /// If there is no such store, or the key cannot be encoded.
    pub fn query_metadata_for_key<K: Coded>(&self, store: &str, key: &K) -> Result<KeyQueryMetadata, QueryError> {
        let unknown = || QueryError::UnknownStore(store.to_owned());
        let (subtopology, partitions) = self.app.plan.place_of_store(store).ok_or_else(unknown)?;
        let codec = K::Codec::default();
        let raw = codec.encode(key)?;
        let partition = partition_for(raw.as_deref().map(|raw| codec.partition_bytes(raw)), partitions);
        let task = TaskId { subtopology, partition };
        let owner = self.app.owners(self.app.clock.now_ms()).remove(&task);
        let (mut active, mut standbys) = (None, Vec::new());
        for StreamsMetadata { host, standby_tasks, .. } in self.metadata() {
            if owner.as_ref().is_some_and(|owner| **owner == *host.instance) {
                active = Some(host);
            } else if let Some(lag) = standby_tasks.get(&task) {
                standbys.push((*lag, host));
            }
        }
        standbys.sort();
        let standbys = standbys.into_iter().map(|(_, host)| host).collect();
        Ok(KeyQueryMetadata { active, standbys, partition })
    }

    fn describe(&self, id: &str, member: &Member) -> StreamsMetadata {
        let Member { address, active, standby, .. } = member.clone();
        let stores = |tasks: &mut dyn Iterator<Item = &TaskId>| -> BTreeSet<StoreName> {
            tasks.flat_map(|task| self.app.plan.stores_of(*task)).cloned().collect()
        };
        StreamsMetadata {
            host: HostInfo { instance: id.to_owned(), address, is_here: *id == *self.app.client_id },
            stores: stores(&mut active.iter()),
            active_tasks: active,
            standby_stores: stores(&mut standby.keys()),
            standby_tasks: standby,
        }
    }

    /// Asks a key-value store of this instance.
    pub fn key_value_store<K, V>(&self, store: &str) -> KeyValueQuery<K, V> {
        KeyValueQuery::new(self.asked(), store)
    }

    /// Asks a window store of this instance.
    pub fn window_store<K, V>(&self, store: &str) -> WindowQuery<K, V> {
        WindowQuery::new(self.asked(), store)
    }

    fn asked(&self) -> Asked {
        Asked::new(self.jobs.clone(), self.app.standbys.clone())
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
        if let Some(member) = self.member.take() {
            member.thread().unpark();
            drop(member.join());
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
    let Some(mut thread) = start(&app, &name, shared)? else { return Ok(()) };
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

/// How long to leave brokers alone that could not let a thread begin.
const START_PAUSE: Duration = Duration::from_millis(200);

/// The thread. Brokers that served when the application was checked and do not now will again, unless it is stopped.
fn start(app: &Prepared, name: &str, shared: &Shared) -> Result<Option<StreamThread>, TaskError> {
    while !shared.stop.load(Ordering::SeqCst) {
        match StreamThread::start(app.clone(), name.to_owned()) {
            Err(TaskError::Transport(TransportError::Retriable(reason))) => {
                tracing::warn!(thread = name, %reason, "the thread cannot begin, trying again");
                std::thread::park_timeout(START_PAUSE);
            }
            started => return started.map(Some),
        }
    }
    Ok(None)
}

/// Tells and hears of instances until the last stream thread has ended.
fn run_member(app: Prepared, shared: &Shared) {
    let (name, pause) = (app.client_id.clone(), app.config.poll_timeout);
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let mut member = MemberThread::new(app);
        while shared.live.load(Ordering::SeqCst) > 0 {
            if member.step() == 0 {
                std::thread::park_timeout(pause);
            }
        }
        member.close();
    }));
    if let Err(panic) = ended {
        // The instance can do without it: the others will take it for gone, and restore from changelogs.
        tracing::error!(instance = %name, "the thread that talks to other instances panicked: {}", panic_text(&*panic));
    }
}

fn no_thread(error: &std::io::Error) -> TopologyError {
    TopologyError::check(vec![format!("a thread cannot be started: {error}")]).expect_err("one problem is not none")
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
