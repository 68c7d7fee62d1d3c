//! The threads of an instance: their start, shared state and end.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::StreamsState;
use crate::{
    error::{TaskError, TopologyError, panic_text},
    graph::StoreName,
    names::ThreadName,
    operators::GlobalStores,
    runtime::{
        GlobalThread, MemberThread, Prepared, StreamThread, ThreadStatus,
        query::{Bell, Line, StoreQuery},
    },
    transport::TransportError,
};

/// How often a thread reports.
const REPORT_MS: i64 = 100;
/// The pause after brokers could not let a thread start.
const START_PAUSE: Duration = Duration::from_millis(200);

/// The threads. Dropping this value stops them and waits for them.
pub(super) struct Threads {
    shared: Arc<ThreadsShared>,
    lines: Vec<Line>,
    stream: Vec<JoinHandle<()>>,
    global: Vec<JoinHandle<()>>,
    globals: Arc<GlobalStores>,
    member: Option<JoinHandle<()>>,
}

/// `Ok` if a thread can work or waits for brokers; `Err` with the refusal otherwise.
type Beginning = Result<(), TopologyError>;

/// Queries for a thread, and the waker that makes the thread look at them.
struct Requests {
    jobs: Receiver<StoreQuery>,
    bell: Bell,
}

impl Requests {
    /// Answers the queries that have arrived.
    fn answer(&self, thread: &mut StreamThread) -> Result<(), TaskError> {
        let asked = self.jobs.len();
        if asked > 0 {
            let stores = thread.stores()?;
            self.jobs.try_iter().take(asked).for_each(|job| job(&stores));
        }
        Ok(())
    }
}

/// State that the threads and the handle share.
struct ThreadsShared {
    stop: AtomicBool,
    statuses: Mutex<Vec<ThreadStatus>>,
    failure: Mutex<Option<TaskError>>,
    live: AtomicU64,
}

impl Threads {
    /// Starts the threads. Waits until each thread can work, or finds that it must wait for brokers. A refusal for one
    /// thread ends all threads.
    pub(super) fn start(app: &Prepared) -> Result<Self, TopologyError> {
        let count = app.config.num_stream_threads;
        let followed: Vec<_> = app.plan.graph().globals.keys().cloned().collect();
        let shared = Arc::new(ThreadsShared {
            stop: AtomicBool::new(false),
            statuses: Mutex::new(vec![ThreadStatus::default(); count + followed.len()]),
            failure: Mutex::new(None),
            live: AtomicU64::new(0),
        });
        let (lines, stream, global, globals) = (Vec::new(), Vec::new(), Vec::new(), app.settings.globals.clone());
        let mut threads = Self { shared, lines, stream, global, globals, member: None };
        let (begun, beginnings) = unbounded();
        let all = count + followed.len();
        for (number, store) in followed.into_iter().enumerate() {
            threads.start_global_thread(app, count + number, store, begun.clone())?;
        }
        for index in 0..count {
            threads.start_stream_thread(app, index, begun.clone())?;
        }
        drop(begun);
        beginnings.iter().take(all).collect::<Beginning>()?;
        let (worker, watched) = (app.clone(), threads.shared.clone());
        let member = std::thread::Builder::new().name(format!("{}-members", app.client_id));
        threads.member = Some(member.spawn(move || run_member(worker, &watched)).map_err(|error| no_thread(&error))?);
        Ok(threads)
    }

    fn start_stream_thread(
        &mut self,
        app: &Prepared,
        index: usize,
        begun: Sender<Beginning>,
    ) -> Result<(), TopologyError> {
        let (jobs, receiver) = unbounded();
        let (app, shared, bell) = (app.clone(), self.shared.clone(), Bell::default());
        let name = ThreadName::new(&app.client_id, index);
        let ring = bell.clone();
        let spawned = std::thread::Builder::new().name(name.to_string()).spawn(move || {
            let asked = Requests { jobs: receiver, bell: ring };
            shared.watch(name.as_str(), || run(app, &name, &shared, &asked, begun));
        });
        let spawned = spawned.map_err(|error| no_thread(&error))?;
        self.shared.live.fetch_add(1, Ordering::SeqCst);
        self.lines.push(Line { thread: spawned.thread().id(), jobs, bell });
        self.stream.push(spawned);
        Ok(())
    }

    fn start_global_thread(
        &mut self,
        app: &Prepared,
        place: usize,
        store: StoreName,
        begun: Sender<Beginning>,
    ) -> Result<(), TopologyError> {
        let (app, shared, name) = (app.clone(), self.shared.clone(), GlobalThread::name_of(app, &store));
        let spawned = std::thread::Builder::new().name(name.clone()).spawn(move || {
            shared.watch(&name, || run_global(&app, &store, place, &shared, &begun));
        });
        let spawned = spawned.map_err(|error| no_thread(&error))?;
        self.shared.live.fetch_add(1, Ordering::SeqCst);
        self.global.push(spawned);
        Ok(())
    }

    pub(super) fn state(&self) -> StreamsState {
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

    pub(super) fn statuses(&self) -> Vec<ThreadStatus> {
        lock(&self.shared.statuses).clone()
    }

    /// The lines on which the threads take queries of their stores.
    pub(super) fn lines(&self) -> Vec<Line> {
        self.lines.clone()
    }

    pub(super) fn stop(&self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.lines.iter().for_each(Line::wake);
    }

    /// Waits until all threads have ended, and returns the first error. A thread of the application cannot wait for
    /// itself. If such a thread calls this method, the threads end without a wait.
    pub(super) fn join(&mut self) -> Result<(), TaskError> {
        if let Some(thread) = self.this_thread() {
            self.stream.clear();
            self.global.clear();
            self.member = None;
            return Err(TaskError::WaitsForItself { thread });
        }
        for thread in self.stream.drain(..).chain(self.global.drain(..)) {
            // The thread itself catches its panics.
            drop(thread.join());
        }
        if let Some(member) = self.member.take() {
            member.thread().unpark();
            drop(member.join());
        }
        self.globals.close();
        lock(&self.shared.failure).take().map_or(Ok(()), Err)
    }

    /// The name of the calling thread, if it belongs to the application.
    fn this_thread(&self) -> Option<String> {
        let present = std::thread::current();
        let mut threads = self.stream.iter().chain(&self.global).chain(&self.member);
        let is_ours = threads.any(|thread| thread.thread().id() == present.id());
        is_ours.then(|| present.name().unwrap_or_default().to_owned())
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop();
        // A caller that wants the error calls `join` first.
        drop(self.join());
    }
}

impl ThreadsShared {
    /// Runs a thread to its end, and notes the end. The handle must not show a thread as running after a panic.
    fn watch(&self, thread: &str, run: impl FnOnce() -> Result<(), TaskError>) {
        let ended = catch_unwind(AssertUnwindSafe(run));
        self.finish(ended.unwrap_or_else(|panic| {
            let message = panic_text(panic.as_ref()).to_owned();
            Err(TaskError::Panicked { thread: thread.to_owned(), message })
        }));
    }

    fn finish(&self, ended: Result<(), TaskError>) {
        if let Err(error) = ended {
            tracing::error!("a thread ended: {}", error.chain());
            self.stop.store(true, Ordering::SeqCst);
            lock(&self.failure).get_or_insert(error);
        }
        self.live.fetch_sub(1, Ordering::SeqCst);
    }
}

fn run(
    app: Prepared,
    name: &ThreadName,
    shared: &ThreadsShared,
    asked: &Requests,
    begun: Sender<Beginning>,
) -> Result<(), TaskError> {
    let (clock, timeout): (_, Duration) = (app.clock.clone(), app.config.poll_timeout);
    let Some(mut thread) = begin(&app, name, shared, asked, &begun)? else { return Ok(()) };
    let (mut reported_ms, mut opened) = (i64::MIN, None);
    while !shared.stop.load(Ordering::SeqCst) {
        if opened != Some(thread.reopened) {
            opened = Some(thread.reopened);
            *lock(&asked.bell) = thread.waker();
        }
        thread.step(timeout)?;
        asked.answer(&mut thread)?;
        thread.begin_to_rest();
        let now_ms = clock.monotonic_ms();
        if now_ms.saturating_sub(reported_ms) >= REPORT_MS {
            reported_ms = now_ms;
            lock(&shared.statuses)[name.number()] = thread.report();
        }
    }
    lock(&shared.statuses)[name.number()] = thread.report();
    thread.close()
}

/// Starts the thread. Brokers that were reachable during the checks may be away now. The thread waits for them until it
/// is stopped.
fn begin(
    app: &Prepared,
    name: &ThreadName,
    shared: &ThreadsShared,
    asked: &Requests,
    begun: &Sender<Beginning>,
) -> Result<Option<StreamThread>, TaskError> {
    while !shared.stop.load(Ordering::SeqCst) {
        let started = StreamThread::start(app.clone(), name.clone());
        let waits = matches!(&started, Err(TaskError::Transport(TransportError::Retriable(_))));
        let beginning = match &started {
            Err(refused) if !waits => Err(TopologyError::of(refused.chain())),
            _ => Ok(()),
        };
        // After the first message the receiver is gone.
        let _ = begun.send(beginning);
        if !waits {
            return started.map(Some);
        }
        if let Err(error) = started {
            tracing::warn!(thread = %name, error = %error.chain(), "the thread cannot start, trying again");
        }
        // A query must not wait for brokers: this thread has no stores yet.
        if let Ok(job) = asked.jobs.recv_timeout(START_PAUSE) {
            job(&[]);
            asked.jobs.try_iter().for_each(|job| job(&[]));
        }
    }
    Ok(None)
}

/// Follows the topic of a global store until the application stops.
fn run_global(
    app: &Prepared,
    store: &StoreName,
    place: usize,
    shared: &ThreadsShared,
    begun: &Sender<Beginning>,
) -> Result<(), TaskError> {
    let mut reported_ms = i64::MIN;
    let mut started = None;
    while !shared.stop.load(Ordering::SeqCst) {
        let thread = match &mut started {
            Some(thread) => thread,
            none => {
                let opened = GlobalThread::start(app.clone(), store.clone());
                let waits = matches!(&opened, Err(TaskError::Transport(TransportError::Retriable(_))));
                let beginning = match &opened {
                    Err(refused) if !waits => Err(TopologyError::of(refused.chain())),
                    _ => Ok(()),
                };
                // After the first message the receiver is gone.
                let _ = begun.send(beginning);
                if waits {
                    app.clock.sleep(START_PAUSE);
                    continue;
                }
                none.insert(opened?)
            }
        };
        thread.step(app.config.poll_timeout)?;
        let now_ms = app.clock.monotonic_ms();
        if now_ms.saturating_sub(reported_ms) >= REPORT_MS {
            reported_ms = now_ms;
            lock(&shared.statuses)[place] = thread.report();
        }
    }
    started.map_or(Ok(()), GlobalThread::close)
}

/// Runs the member thread until the last stream thread has ended.
fn run_member(app: Prepared, shared: &ThreadsShared) {
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
        // The instance works without this thread. The other instances will count it as gone, and restore from
        // changelogs.
        tracing::error!(instance = %name, "the member thread panicked: {}", panic_text(&*panic));
    }
}

fn no_thread(error: &std::io::Error) -> TopologyError {
    TopologyError::of(format!("a thread cannot be started: {error}"))
}

/// Locks, also after a panic: the guarded values are replaced as a whole, so they are never half-written.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
