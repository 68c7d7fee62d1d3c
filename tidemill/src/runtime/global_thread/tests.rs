//! Tests that run single turns of the thread of a global store, on a disk that survives it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tidemill_state::{Backend, ByteStore, KeyValueStore, StoreError, Utf8};

use super::GlobalThread;
use crate::{
    StreamsBuilder, StreamsConfig,
    clock::ManualClock,
    error::TaskError,
    graph::StoreSpec,
    plan::TaskId,
    runtime::{Prepared, TaskState},
    task::StoreSupplier,
    testing::{Fate, FaultRates, Process, SimulatedDisk},
    transport::{
        TopicPartition, Transport as _,
        embedded::{EmbeddedLog, Entry},
    },
};

struct World {
    clock: ManualClock,
    log: EmbeddedLog,
    disk: SimulatedDisk,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::new(1_700_000_000_000);
        let log = EmbeddedLog::builder().clock(clock.clone()).in_memory();
        for topic in ["users", "in"] {
            log.create(topic, 2).expect("the log is empty");
        }
        let disk = SimulatedDisk::new(Process::new("a", Fate::new(0, FaultRates::NONE, clock.clone())));
        Self { clock, log, disk }
    }

    fn app(&self) -> Prepared {
        let builder = StreamsBuilder::new();
        builder.global_table::<String, String>("users", "names");
        drop(builder.stream::<String, String>("in"));
        let (log, clock) = (Arc::new(self.log.clone()), Arc::new(self.clock.clone()));
        let topology = builder.build().expect("is valid");
        let mut app =
            Prepared::new(&topology, StreamsConfig::new("app"), log, clock, "a".to_owned()).expect("can start");
        app.stores = Arc::new(self.disk.clone());
        app
    }

    fn append(&self, partition: i32, keys: &[&str]) {
        let entries = keys.iter().map(|key| Entry::new(key.to_string(), "here", 0));
        self.log.append("users", partition, entries).expect("appends");
    }
}

/// Runs a thread until it has read all.
fn run(app: &Prepared) -> GlobalThread {
    let mut thread = GlobalThread::start(app.clone(), "names".into()).expect("starts");
    settle(&mut thread);
    thread
}

fn settle(thread: &mut GlobalThread) {
    while thread.step(Duration::ZERO).expect("turns") > 0 || !thread.is_whole() {}
}

fn keys(app: &Prepared) -> Vec<String> {
    let store = app.settings.globals.reading("names").expect("it is whole");
    let utf8 = || Arc::new(Utf8);
    let store = KeyValueStore::<String, String>::new(store, utf8(), utf8());
    store.all().read_all().expect("reads").into_iter().map(|(key, _)| key).collect()
}

#[test]
fn a_store_on_disk_reads_only_what_is_new() {
    let (world, app) = (World::new(), World::app);
    world.append(0, &["a", "b"]);
    world.append(1, &["c"]);
    run(&app(&world)).close().expect("closes");
    world.append(1, &["d"]);
    let app = app(&world);
    let thread = run(&app);
    assert_eq!(thread.task.processed, 1);
    assert_eq!(keys(&app), ["a", "b", "c", "d"]);
}

#[test]
fn tasks_wait_while_the_store_is_filled_and_its_progress_is_reported() {
    let world = World::new();
    world.append(0, &["a", "b", "c"]);
    let app = world.app();
    assert!(!app.settings.globals.are_whole());
    let mut thread = GlobalThread::start(app.clone(), "names".into()).expect("starts");
    assert_eq!(thread.report().tasks[0].state, TaskState::Restoring { remaining: 3, total: 3 });
    assert!(app.settings.globals.reading("names").is_none());
    settle(&mut thread);
    assert_eq!(thread.report().tasks[0].state, TaskState::Running);
    assert!(app.settings.globals.are_whole());
}

#[test]
fn a_topic_that_loses_the_next_records_fills_the_store_again() {
    let world = World::new();
    world.append(0, &["a", "b"]);
    world.append(1, &["c"]);
    let app = world.app();
    let mut thread = run(&app);
    world.append(0, &["d", "e"]);
    let partition = TopicPartition::new("users", 0);
    world.log.admin().expect("opens").delete_records(&partition, 3).expect("deletes");
    settle(&mut thread);
    assert_eq!(keys(&app), ["c", "e"], "the deleted records may have been tombstones");

    // The same while the instance is away.
    thread.close().expect("closes");
    drop(app);
    world.append(0, &["f", "g"]);
    world.log.admin().expect("opens").delete_records(&partition, 5).expect("deletes");
    let again = world.app();
    drop(run(&again));
    assert_eq!(keys(&again), ["c", "g"]);
}

#[test]
fn a_store_that_was_away_for_longer_than_tombstones_are_kept_is_filled_again() {
    let world = World::new();
    world.append(0, &["a", "b"]);
    run(&world.app()).close().expect("closes");
    world.clock.advance(Duration::from_hours(30));
    world.append(0, &["c", "d"]);
    let thread = run(&world.app());
    assert_eq!(thread.task.processed, 4);
}

#[test]
fn a_store_that_follows_its_topic_stays_whole_however_long_nothing_comes() {
    let world = World::new();
    world.append(0, &["a", "b"]);
    let mut thread = run(&world.app());
    for _ in 0..30 {
        world.clock.advance(Duration::from_hours(1));
        settle(&mut thread);
    }
    thread.close().expect("closes");
    world.append(0, &["c", "d"]);
    assert_eq!(run(&world.app()).task.processed, 2);
}

#[test]
fn a_store_of_another_format_is_filled_again() {
    let world = World::new();
    world.append(0, &["a", "b"]);
    run(&world.app()).close().expect("closes");
    let app = world.app();
    let spec = &app.plan.graph().globals["names"].spec;
    let backend = app.stores.open(TaskId::GLOBAL, spec).expect("opens");
    ByteStore::new("names", backend).set_written_by("value=json").expect("writes");
    let thread = run(&app);
    assert_eq!((thread.task.processed, keys(&app).len()), (2, 2));
}

/// A disk that damages so many stores when they are opened.
struct Damaging(SimulatedDisk, AtomicUsize);

impl StoreSupplier for Damaging {
    fn open(&self, task: TaskId, spec: &StoreSpec) -> Result<Box<dyn Backend>, StoreError> {
        let left = self.1.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        match left {
            Ok(_) => Err(StoreError::Corrupted { store: spec.name.to_string(), source: "damaged".into() }),
            Err(_) => self.0.open(task, spec),
        }
    }

    fn quarantine(&self, task: TaskId, spec: &StoreSpec) -> Result<(), StoreError> {
        self.0.quarantine(task, spec)
    }
}

#[test]
fn a_start_goes_on_though_the_store_in_a_corrupted_ones_place_is_damaged_too() {
    let world = World::new();
    world.append(0, &["a", "b"]);
    let mut app = world.app();
    app.stores = Arc::new(Damaging(world.disk.clone(), AtomicUsize::new(3)));
    drop(run(&app));
    assert_eq!(keys(&app), ["a", "b"]);
}

#[test]
fn a_start_ends_on_a_disk_that_damages_every_store() {
    let mut app = World::new().app();
    let disk = World::new().disk;
    app.stores = Arc::new(Damaging(disk, AtomicUsize::new(usize::MAX)));
    let refused = GlobalThread::start(app, "names".into()).err();
    assert!(matches!(refused, Some(TaskError::Corrupted { .. })), "{refused:?}");
}
