//! The replay after a process was killed: no store was closed, and only durable state is left.

use std::{sync::Arc, time::Duration};

use super::StreamThread;
use crate::{
    StreamsBuilder, StreamsConfig,
    clock::{Clock as _, ManualClock},
    names::ThreadName,
    runtime::Prepared,
    testing::{Fate, FaultRates, Process, SimulatedDisk},
    transport::embedded::{EmbeddedLog, Entry},
};

/// A machine that counts words. Its disk outlives its process.
struct Machine {
    log: EmbeddedLog,
    clock: ManualClock,
    app: Prepared,
    disk: SimulatedDisk,
    process: Process,
    thread: StreamThread,
}

impl Machine {
    fn new() -> Self {
        let clock = ManualClock::new(0);
        let log_clock = clock.clone();
        let log = EmbeddedLog::builder().clock(log_clock).in_memory();
        log.create("in", 1).expect("the log is empty");
        let builder = StreamsBuilder::new();
        let _counts = builder.stream::<String, String>("in").group_by_key().count("counts");
        let topology = builder.build().expect("is valid");
        let config = StreamsConfig { session_timeout: Duration::MAX, ..StreamsConfig::new("app") };
        let (transport, wall) = (Arc::new(log.clone()), Arc::new(clock.clone()));
        let mut app = Prepared::new(&topology, config, transport, wall, "a".to_owned()).expect("can start");
        let process = Process::new("a", Fate::new(0, FaultRates::NONE, clock.clone()));
        let disk = SimulatedDisk::new(process.clone());
        app.stores = Arc::new(disk.clone());
        let thread = StreamThread::start(app.clone(), ThreadName::new("a", 0)).expect("starts");
        Self { log, clock, app, disk, process, thread }
    }

    fn count(&mut self, keys: std::ops::Range<i32>) {
        let entries = keys.map(|key| Entry::new(key.to_string(), "x", 0));
        self.log.append("in", 0, entries).expect("appends");
        self.run();
        self.thread.commit_now().expect("commits");
    }

    fn run(&mut self) {
        while self.thread.step(Duration::ZERO).expect("processes") > 0 {}
    }

    /// Lets time pass. The thread runs turns at intervals, as usual.
    fn pass(&mut self, time: Duration, step: Duration) {
        for _ in 0..time.div_duration_f64(step).round() as u64 {
            self.clock.advance(step);
            self.run();
        }
    }

    /// Kills the process and starts it again.
    fn restart(&mut self) {
        self.process.kill();
        self.process = Process::new("a", Fate::new(0, FaultRates::NONE, self.clock.clone()));
        self.disk = self.disk.reopen(self.process.clone());
        self.app = self.app.afresh();
        self.app.stores = Arc::new(self.disk.clone());
        self.thread = StreamThread::start(self.app.clone(), ThreadName::new("a", 0)).expect("starts");
    }

    /// Kills the process and starts it again. Returns how many changelog records were replayed until its task runs.
    fn kill(&mut self) -> u64 {
        self.restart();
        self.run();
        assert!(self.thread.tasks.running().next().is_some(), "it runs again");
        self.thread.status.records_restored
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_kill_costs_a_replay_of_half_a_minute_however_little_a_store_is_written() {
    let mut machine = Machine::new();
    machine.count(0..1000);
    machine.pass(30 * SECOND, SECOND);
    machine.count(0..3);
    assert_eq!(machine.kill(), 3);
}

#[test]
fn a_store_that_is_written_all_the_time_is_flushed_all_the_time() {
    let mut machine = Machine::new();
    for second in 0..100 {
        machine.count(second * 10..second * 10 + 10);
        machine.pass(SECOND, SECOND);
    }
    let replayed = machine.kill();
    assert!(replayed <= 300, "{replayed} of 1,000 changes, ten a second");
}

#[test]
fn a_store_that_nobody_wrote_to_for_a_day_is_not_rebuilt_after_a_kill() {
    let mut machine = Machine::new();
    machine.count(0..1000);
    machine.pass(25 * 3600 * SECOND, 60 * SECOND);
    machine.count(0..3);
    assert_eq!(machine.kill(), 3);
}

#[test]
fn a_rebuild_that_is_killed_goes_on_from_its_last_flush() {
    let mut machine = Machine::new();
    for batch in 0..3 {
        machine.count(batch * 10_000..batch * 10_000 + 10_000);
    }
    // No store was flushed, so all records must be replayed. The process is killed half-way.
    machine.restart();
    while machine.thread.status.records_restored == 0 {
        machine.thread.step(Duration::ZERO).expect("restores");
    }
    assert!(machine.thread.tasks.is_restoring());
    for _ in 0..2 {
        machine.clock.advance(30 * SECOND);
        machine.thread.flush_waiting(machine.clock.monotonic_ms()).expect("flushes");
    }
    machine.clock.advance(SECOND);
    let rest = machine.kill();
    assert!(rest <= 20_000, "{rest} of 30,000 were replayed once more");
}
