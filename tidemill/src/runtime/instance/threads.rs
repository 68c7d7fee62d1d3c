//! The threads of an instance: how they begin, what they have in common, how they end.

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
    runtime::{
        MemberThread, Prepared, StreamThread, ThreadStatus,
        query::{Bell, Job, Line},
    },
    transport::TransportError,
};

/// How often a thread reports.
const REPORT_MS: i64 = 100;
/// How long to leave brokers alone that could not let a thread begin.
const START_PAUSE: Duration = Duration::from_millis(200);

/// Dropped, it stops them and waits for them.
pub(super) struct Threads {
    shared: Arc<Shared>,
    lines: Vec<Line>,
    stream: Vec<JoinHandle<()>>,
    member: Option<JoinHandle<()>>,
}

/// That a thread can work, or that it waits for brokers; else what it was refused.
type Beginning = Result<(), String>;

/// What a thread is asked, and what lets it look.
struct Requests {
    jobs: Receiver<Job>,
    bell: Bell,
}

impl Requests {
    /// Answers what has been asked until now.
    fn answer(&self, thread: &mut StreamThread) -> Result<(), TaskError> {
        let asked = self.jobs.len();
        if asked > 0 {
            let stores = thread.stores()?;
            self.jobs.try_iter().take(asked).for_each(|job| job(&stores));
        }
        Ok(())
    }
}

/// What threads and handle have in common.
struct Shared {
    stop: AtomicBool,
    statuses: Mutex<Vec<ThreadStatus>>,
    failure: Mutex<Option<TaskError>>,
    live: AtomicU64,
}

impl Threads {
    /// Starts them, and waits until each can work, or finds that it must wait for brokers. What one of them is refused
    /// ends all.
    pub(super) fn start(app: &Prepared) -> Result<Self, TopologyError> {
        let count = app.config.num_stream_threads;
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            statuses: Mutex::new(vec![ThreadStatus::default(); count]),
            failure: Mutex::new(None),
            live: AtomicU64::new(0),
        });
        let mut threads = Self { shared, lines: Vec::new(), stream: Vec::new(), member: None };
        let (begun, beginnings) = unbounded();
        for index in 0..count {
            threads.start_stream_thread(app, index, begun.clone())?;
        }
        drop(begun);
        beginnings.iter().take(count).collect::<Result<(), _>>().map_err(TopologyError::of)?;
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
        let name = format!("{}-{index}", app.client_id);
        let ring = bell.clone();
        let spawned = std::thread::Builder::new().name(name.clone()).spawn(move || {
            let asked = Requests { jobs: receiver, bell: ring };
            let ended = catch_unwind(AssertUnwindSafe(|| run(app, name.clone(), index, &shared, &asked, begun)));
            // A thread that panics must not leave the handle in the belief that it runs.
            shared.finish(ended.unwrap_or_else(|panic| {
                let message = panic_text(panic.as_ref()).to_owned();
                Err(TaskError::Panicked { thread: name, message })
            }));
        });
        let spawned = spawned.map_err(|error| no_thread(&error))?;
        self.shared.live.fetch_add(1, Ordering::SeqCst);
        self.lines.push(Line { thread: spawned.thread().id(), jobs, bell });
        self.stream.push(spawned);
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

    /// Where each of them takes questions about its stores.
    pub(super) fn lines(&self) -> Vec<Line> {
        self.lines.clone()
    }

    pub(super) fn stop(&self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.lines.iter().for_each(Line::wake);
    }

    /// Waits until all have ended, and tells with what the first of them did. None of them can wait for itself: then
    /// they end without being waited for.
    pub(super) fn join(&mut self) -> Result<(), TaskError> {
        if let Some(thread) = self.this_thread() {
            self.stream.clear();
            self.member = None;
            return Err(TaskError::WaitsForItself { thread });
        }
        for thread in self.stream.drain(..) {
            // Its panics are caught where it begins.
            drop(thread.join());
        }
        if let Some(member) = self.member.take() {
            member.thread().unpark();
            drop(member.join());
        }
        lock(&self.shared.failure).take().map_or(Ok(()), Err)
    }

    /// The name of the present thread, if it is one of them.
    fn this_thread(&self) -> Option<String> {
        let present = std::thread::current();
        let mut threads = self.stream.iter().chain(&self.member);
        let is_ours = threads.any(|thread| thread.thread().id() == present.id());
        is_ours.then(|| present.name().unwrap_or_default().to_owned())
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop();
        // Whoever wants to know waits.
        drop(self.join());
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

fn run(
    app: Prepared,
    name: String,
    index: usize,
    shared: &Shared,
    asked: &Requests,
    begun: Sender<Beginning>,
) -> Result<(), TaskError> {
    let (clock, timeout): (_, Duration) = (app.clock.clone(), app.config.poll_timeout);
    let Some(mut thread) = begin(&app, &name, shared, asked, &begun)? else { return Ok(()) };
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
            lock(&shared.statuses)[index] = thread.report();
        }
    }
    lock(&shared.statuses)[index] = thread.report();
    thread.close()
}

/// The thread. Brokers that served when the application was checked and do not now will again, unless it is stopped.
fn begin(
    app: &Prepared,
    name: &str,
    shared: &Shared,
    asked: &Requests,
    begun: &Sender<Beginning>,
) -> Result<Option<StreamThread>, TaskError> {
    while !shared.stop.load(Ordering::SeqCst) {
        let started = StreamThread::start(app.clone(), name.to_owned());
        let waits = matches!(&started, Err(TaskError::Transport(TransportError::Retriable(_))));
        let beginning = match &started {
            Err(refused) if !waits => Err(refused.chain()),
            _ => Ok(()),
        };
        // Nobody listens for it twice.
        let _ = begun.send(beginning);
        if !waits {
            return started.map(Some);
        }
        if let Err(error) = started {
            tracing::warn!(thread = name, error = %error.chain(), "the thread cannot begin, trying again");
        }
        // Whoever asks about stores must not wait as long: there are none here yet.
        if let Ok(job) = asked.jobs.recv_timeout(START_PAUSE) {
            job(&[]);
            asked.jobs.try_iter().for_each(|job| job(&[]));
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
    TopologyError::of(format!("a thread cannot be started: {error}"))
}

/// A poisoned lock guards values that are replaced whole: they are as good as before.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
