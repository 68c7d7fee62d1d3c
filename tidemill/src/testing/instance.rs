//! One simulated machine: a process that runs, hangs, dies and restarts, and a disk that survives the process.

use std::{sync::Arc, time::Duration};

use tidemill_state::StoreError;

use super::{
    SimulationError,
    comparison::difference,
    faults::{Fate, Process},
    faulty_transport::FaultyTransport,
    simulated_disk::SimulatedDisk,
};
use crate::{
    clock::Clock,
    config::ProcessingGuarantee,
    error::TaskError,
    names::ThreadName,
    runtime::{GlobalThread, MemberThread, Prepared, Standbys, StreamThread, TaskState},
    task::TaskStores,
    transport::{TopicPartition, embedded::EmbeddedLog},
};

/// A machine, with its process if one is running.
pub(super) struct Instance {
    name: String,
    prepared: Prepared,
    log: EmbeddedLog,
    fate: Fate,
    disk: SimulatedDisk,
    process: Process,
    threads: Vec<Seat>,
    /// Exists only in a process with standbys, because only standbys need the other members' reports.
    /// They take a turn before each turn of another thread.
    globals: Vec<GlobalThread>,
    member: Option<MemberThread>,
    standbys: Arc<Standbys>,
    /// The member thread's view of the process. It can be cut off from the log. The next field says until when that
    /// thread hangs.
    told: Process,
    member_paused_until_ms: i64,
    twin: Option<Twin>,
}

/// A process that was replaced by another one with the same name, and the number of its remaining turns.
struct Twin {
    process: Process,
    threads: Vec<Seat>,
    turns: u64,
}

/// A thread, and until when it hangs.
struct Seat {
    thread: StreamThread,
    paused_until_ms: Option<i64>,
}

impl Instance {
    pub(super) fn new(name: String, prepared: Prepared, log: EmbeddedLog, fate: Fate) -> Self {
        let process = Process::new(name.as_str(), fate.clone());
        let disk = SimulatedDisk::new(process.clone());
        let (threads, standbys) = (Vec::new(), Arc::default());
        let (globals, member, told, twin) = (Vec::new(), None, process.detachable(), None);
        Self {
            name,
            prepared,
            log,
            fate,
            disk,
            process,
            threads,
            globals,
            member,
            standbys,
            told,
            member_paused_until_ms: 0,
            twin,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        !self.threads.is_empty()
    }

    /// The number of threads: the stream threads and then the member thread.
    pub(super) fn threads(&self) -> usize {
        self.threads.len() + usize::from(self.member.is_some())
    }

    /// Starts a new process. If the process cannot reach the log, it dies again.
    pub(super) fn start(&mut self) -> Result<(), TaskError> {
        self.process = Process::new(self.name.as_str(), self.fate.clone());
        self.disk = self.disk.reopen(self.process.clone());
        self.process.note("starts");
        let mut app = self.prepared.afresh();
        app.transport = Arc::new(FaultyTransport { log: self.log.clone(), process: self.process.clone() });
        app.stores = Arc::new(self.disk.clone());
        self.standbys = app.standbys.clone();
        match GlobalThread::start_all(&app) {
            Ok(globals) => self.globals = globals,
            Err(error) if matches!(error, TaskError::Transport(_)) || is_full(&error) => {
                self.process.note(&format!("does not come up: {}", error.chain()));
                self.crash();
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        for index in 0..app.config.num_stream_threads {
            match StreamThread::start(app.clone(), ThreadName::new(&self.name, index)) {
                Ok(thread) => self.threads.push(Seat { thread, paused_until_ms: None }),
                Err(TaskError::Transport(error)) => {
                    self.process.note(&format!("does not come up: {error}"));
                    self.crash();
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        if self.is_up() && app.config.num_standby_replicas > 0 {
            self.told = self.process.detachable();
            app.transport = Arc::new(FaultyTransport { log: self.log.clone(), process: self.told.clone() });
            self.member = Some(MemberThread::new(app));
        }
        Ok(())
    }

    /// Kills the process at this point.
    pub(super) fn crash(&mut self) {
        self.process.note("dies");
        self.process.kill();
        self.clear();
    }

    fn clear(&mut self) {
        self.threads.clear();
        self.globals.clear();
        self.member = None;
    }

    /// Closes the process in an orderly way, as far as the log allows. With at-least-once, a process with a hanging
    /// thread is killed instead: nothing could stop that thread from writing changelog records later.
    pub(super) fn close(&mut self) {
        if !self.is_transactional() && self.threads.iter().any(|seat| seat.paused_until_ms.is_some()) {
            return self.crash();
        }
        self.process.note("closes");
        for Seat { thread, .. } in self.threads.drain(..) {
            if let Err(error) = thread.close() {
                self.process.note(&format!("does not close well: {}", error.chain()));
            }
        }
        for global in self.globals.drain(..) {
            if let Err(error) = global.close() {
                self.process.note(&format!("does not close well: {}", error.chain()));
            }
        }
        if let Some(member) = self.member.take() {
            member.close();
        }
        // Killing the process drops everything that a failed close left open.
        self.process.kill();
    }

    /// Stops the process and starts another process with the same name on another machine. The first process continues
    /// later.
    pub(super) fn duplicate(&mut self) -> Result<(), TaskError> {
        if !self.is_transactional() || self.twin.is_some() {
            return Ok(());
        }
        self.process.note("stops, and another one takes its name");
        let fresh = Process::new(self.name.as_str(), self.fate.clone());
        let process = std::mem::replace(&mut self.process, fresh.clone());
        let threads = std::mem::take(&mut self.threads);
        self.twin = Some(Twin { process, threads, turns: self.fate.below(8) });
        self.globals.clear();
        self.member = None;
        self.disk = SimulatedDisk::new(fresh);
        self.start()
    }

    /// One turn of the replaced process. It is killed after some turns.
    fn step_twin(&mut self) {
        let Some(twin) = &mut self.twin else { return };
        if twin.turns > 0 && self.fate.below(6) > 0 {
            return;
        }
        let mut goes_on = twin.turns > 0;
        twin.turns = twin.turns.saturating_sub(1);
        for Seat { thread, .. } in &mut twin.threads {
            if !goes_on {
                break;
            }
            twin.process.note("goes on beside the one that took its name");
            let done =
                if self.fate.below(2) == 0 { thread.commit_now() } else { thread.step(Duration::ZERO).map(drop) };
            goes_on = done.is_ok() && !twin.process.is_dead();
        }
        if !goes_on {
            self.end_twin();
        }
    }

    fn end_twin(&mut self) {
        if let Some(twin) = self.twin.take() {
            twin.process.note("dies at last");
            twin.process.kill();
        }
    }

    /// Cuts the member thread off from the log.
    pub(super) fn cut_off(&self, by: Duration) {
        if self.member.is_some() {
            self.told.cut_off(by);
        }
    }

    /// Makes a thread hang for a while. Time goes on, and the group may give its partitions to other members.
    pub(super) fn pause(&mut self, thread: usize, by: Duration) {
        if thread == self.threads.len() && self.member.is_some() {
            self.process.note(&format!("its member thread hangs for {} ms", by.as_millis()));
            self.member_paused_until_ms = self.fate.clock.monotonic_ms() + by.as_millis() as i64;
        }
        if let Some(seat) = self.threads.get_mut(thread)
            && seat.paused_until_ms.is_none()
        {
            self.process.note(&format!("{thread} hangs for {} ms", by.as_millis()));
            seat.paused_until_ms = Some(self.fate.clock.monotonic_ms() + by.as_millis() as i64);
        }
    }

    /// The largest uncommitted size of any thread, in bytes, and the most fetched records of any partition.
    pub(super) fn load(&mut self) -> (usize, usize) {
        let loads = self.threads.iter_mut().map(|seat| seat.thread.load());
        loads.fold((0, 0), |most, load| (most.0.max(load.0), most.1.max(load.1)))
    }

    /// The number of commits of its threads since they started.
    pub(super) fn commits(&self) -> u64 {
        self.threads.iter().map(|seat| seat.thread.status.commits).sum()
    }

    /// The input partitions of tasks that failed at a record.
    pub(super) fn stopped(&mut self) -> Vec<TopicPartition> {
        let tasks = self.threads.iter_mut().flat_map(|seat| seat.thread.report().tasks);
        let failed = tasks.filter(|task| matches!(task.state, TaskState::Failed { .. }));
        failed.flat_map(|task| self.prepared.plan.input_partitions(task.id)).collect()
    }

    /// Checks that only standbys that follow their changelogs answer queries to standbys.
    fn check_standbys(&self) -> Result<(), SimulationError> {
        let following = self.standbys.lags();
        for store in self.prepared.plan.graph().stores.keys() {
            let answers = self.standbys.read(store, None, |_| Some(())).len();
            let may = following.keys().filter(|task| self.prepared.plan.stores_of(**task).contains(store));
            if answers > may.count() {
                return Err(SimulationError::Differs(format!(
                    "{}: copies of store '{store}' answer queries but follow no changelog",
                    self.name
                )));
            }
        }
        Ok(())
    }

    /// Sends some waiting records of its threads, as a client's background thread does.
    pub(super) fn trickle(&self) {
        self.process.trickle();
    }

    /// Ends all planned faults, so every thread continues.
    pub(super) fn resume(&mut self) {
        self.process.spare();
        self.end_twin();
        self.told.cut_off(Duration::ZERO);
        self.member_paused_until_ms = 0;
        self.threads.iter_mut().for_each(|seat| seat.paused_until_ms = None);
    }

    /// One turn of a thread. Returns the amount of work done.
    pub(super) fn step(&mut self, thread: usize, timeout: Duration) -> Result<usize, SimulationError> {
        self.step_twin();
        let (now_ms, transactional) = (self.fate.clock.monotonic_ms(), self.is_transactional());
        let Some(seat) = self.threads.get_mut(thread) else {
            let done = self.step_member();
            self.check_standbys()?;
            return Ok(done);
        };
        let woke = match seat.paused_until_ms {
            Some(until) if until > now_ms => return Ok(0),
            paused => paused.is_some(),
        };
        seat.paused_until_ms = None;
        let mut followed = 0;
        for global in &mut self.globals {
            match global.step(timeout) {
                _ if self.process.is_dead() => {
                    self.clear();
                    return Ok(1);
                }
                Ok(taken) => followed += taken,
                Err(error) => return self.fail(thread, error),
            }
        }
        if followed > 0 {
            self.process.note(&format!("follows global topics by {followed}"));
        }
        // A thread may hang between processing and committing. It then continues with the commit, without a poll.
        let taken = seat.thread.status.standbys_taken;
        let done = if woke && transactional && self.fate.below(2) == 0 {
            self.process.note(&format!("{thread} wakes in a commit"));
            seat.thread.commit_now().map(|()| 1)
        } else {
            seat.thread.step(timeout)
        };
        if seat.thread.status.standbys_taken > taken {
            self.process.note(&format!("{thread} takes over a standby"));
        }
        match done {
            _ if self.process.is_dead() => {
                self.clear();
                Ok(1)
            }
            Ok(done) => {
                if done > 0 {
                    self.process.note(&format!("{thread} does {done}"));
                }
                Ok(done + followed)
            }
            Err(error) => self.fail(thread, error),
        }
    }

    fn fail(&mut self, thread: usize, error: TaskError) -> Result<usize, SimulationError> {
        self.process.note(&format!("{thread} fails: {}", error.chain()));
        self.crash();
        if is_full(&error) { Ok(1) } else { Err(error.into()) }
    }

    /// One turn of the member thread. Returns the number of changelog records applied.
    fn step_member(&mut self) -> usize {
        if self.fate.clock.monotonic_ms() < self.member_paused_until_ms {
            return 0;
        }
        let Some(member) = &mut self.member else { return 0 };
        let applied = member.step();
        if self.process.is_dead() {
            self.clear();
            return 1;
        }
        if applied > 0 {
            self.process.note(&format!("keeps standbys warm with {applied}"));
        }
        applied
    }

    fn is_transactional(&self) -> bool {
        self.prepared.config.processing_guarantee == ProcessingGuarantee::ExactlyOnce
    }

    /// Compares the stores of running tasks and standbys with their changelogs, after a commit.
    pub(super) fn compare_stores(&mut self) -> Result<(), SimulationError> {
        let Self { log, prepared, threads, standbys, .. } = self;
        let mut found = Vec::new();
        let mut look = |stores: &TaskStores| found.extend(difference(log, &prepared.plan, stores, false));
        for seat in threads {
            seat.thread.commit_now()?;
            seat.thread.stores()?.into_iter().for_each(&mut look);
        }
        let mut standby = Vec::new();
        standbys.each(|stores| standby.extend(difference(log, &prepared.plan, stores, true)));
        found.extend(standby.into_iter().map(|difference| format!("standby: {difference}")));
        found.into_iter().next().map_or(Ok(()), |difference| Err(SimulationError::Differs(difference)))
    }

    /// Whether every thread has processed all its fetched records.
    pub(super) fn is_idle(&mut self) -> bool {
        self.globals.iter().all(GlobalThread::is_whole) && self.threads.iter_mut().all(|seat| seat.thread.is_idle())
    }
}

/// A full disk is expected: the process restarts later, as after an operator freed some space.
fn is_full(error: &TaskError) -> bool {
    matches!(error, TaskError::State { source: StoreError::DiskFull { .. }, .. })
}
