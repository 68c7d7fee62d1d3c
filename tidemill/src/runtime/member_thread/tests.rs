//! Tests that run single turns of several machines: their member records, their standbys, and the replay of a takeover.

use std::{collections::BTreeMap, ops::Bound, sync::Arc, time::Duration};

use bytes::Bytes;
use tidemill_state::{Codec, Coded, Direction, KeyValueStore, Row};

use super::MemberThread;
use crate::{
    EmitStrategy, JoinWindows, Materialized, StreamsBuilder, StreamsConfig, TimeWindows,
    clock::{Clock as _, ManualClock},
    names::ThreadName,
    operators::StoreHandle,
    partitioner::partition_for,
    plan::TaskId,
    runtime::{Prepared, StreamThread, ThreadStatus, status::TaskState},
    task::TaskStores,
    testing::{Fate, FaultRates, Process, SimulatedDisk},
    topology::Topology,
    transport::{
        TopicPartition, Transport as _, TransportError, Watermarks,
        embedded::{EmbeddedLog, Entry},
    },
};

const PARTITIONS: i32 = 4;

struct World {
    log: EmbeddedLog,
    clock: ManualClock,
    topology: Topology,
}

/// A process: one stream thread and the member thread.
struct Machine {
    app: Prepared,
    thread: Option<StreamThread>,
    member: Option<MemberThread>,
}

impl World {
    fn new(topology: Topology) -> Self {
        let clock = ManualClock::new(0);
        let log = EmbeddedLog::builder().clock(clock.clone()).in_memory();
        for topic in ["in", "out"] {
            log.create(topic, PARTITIONS).expect("the log is empty");
        }
        Self { log, clock, topology }
    }

    fn counting() -> Self {
        let builder = StreamsBuilder::new();
        builder.stream::<String, i64>("in").group_by_key().count("counts").to_stream().to("out");
        Self::new(builder.build().expect("is valid"))
    }

    fn machine(&self, name: &str) -> Machine {
        let config = StreamsConfig {
            num_standby_replicas: 1,
            application_server: Some(format!("{name}.example:80")),
            session_timeout: Duration::from_hours(1),
            ..StreamsConfig::new("app")
        };
        let (transport, clock) = (Arc::new(self.log.clone()), Arc::new(self.clock.clone()));
        let app = Prepared::new(&self.topology, config, transport, clock, name.to_owned()).expect("it can start");
        let thread = StreamThread::start(app.clone(), ThreadName::new(name, 0)).expect("it starts");
        Machine { thread: Some(thread), member: Some(MemberThread::new(app.clone())), app }
    }

    /// Sends a record for each key.
    fn send(&self, keys: std::ops::Range<i32>) {
        for key in keys {
            let key = key.to_string();
            let partition = partition_for(Some(key.as_bytes()), PARTITIONS);
            let value = <i64 as Coded>::Codec::default().encode(&1_i64).expect("encodes").expect("is not null");
            self.log.append("in", partition, [Entry::new(key, value, 0)]).expect("the topic exists");
        }
    }

    /// Lets one heartbeat interval pass.
    fn heartbeat(&self) {
        self.clock.advance(Duration::from_secs(3));
    }
}

impl Machine {
    /// Processes and commits until all work is done.
    fn process(&mut self) -> ThreadStatus {
        let thread = self.thread.as_mut().expect("it runs");
        let mut quiet = 0;
        while quiet < 3 {
            quiet = if thread.step(Duration::ZERO).expect("steps") == 0 && thread.is_idle() { quiet + 1 } else { 0 };
            thread.commit_now().expect("commits");
        }
        thread.report()
    }

    /// Runs turns of the member thread until its standbys are up to date.
    fn talk(&mut self) {
        let member = self.member.as_mut().expect("it runs");
        while member.step() > 0 {}
    }

    fn close(mut self) {
        if let Some(thread) = self.thread.take() {
            thread.close().expect("closes");
        }
        if let Some(member) = self.member.take() {
            member.close();
        }
    }

    fn active(&self) -> Vec<TaskId> {
        self.app.standbys.claimed().into_iter().collect()
    }

    fn lags(&self) -> BTreeMap<TaskId, i64> {
        self.app.standbys.lags()
    }

    /// The rows of the standbys' stores.
    fn standby_rows(&self) -> Vec<(String, i64)> {
        let rows = self.app.standbys.read("counts", None, |handle| match handle {
            StoreHandle::KeyValue(store) => {
                let codecs =
                    (Arc::new(<String as Coded>::Codec::default()), Arc::new(<i64 as Coded>::Codec::default()));
                Some(
                    KeyValueStore::<String, i64>::new(store.clone(), codecs.0, codecs.1)
                        .all()
                        .read_all()
                        .expect("reads"),
                )
            }
            _ => None,
        });
        let mut rows: Vec<_> = rows.into_iter().flatten().collect();
        rows.sort();
        rows
    }
}

/// Two machines: one runs all tasks, the other joined and keeps only standbys. All standbys are up to date.
fn warmed(world: &World, records: std::ops::Range<i32>) -> (Machine, Machine) {
    let mut owner = world.machine("owner");
    owner.process();
    world.send(records);
    owner.process();
    owner.talk();
    let mut other = Machine { thread: None, ..world.machine("other") };
    // The second machine's stream thread joined and left, so the machine owns no tasks.
    owner.process();
    owner.talk();
    other.talk();
    (owner, other)
}

#[test]
fn a_takeover_replays_only_what_the_standby_had_not_read() {
    let world = World::counting();
    let (mut owner, mut other) = warmed(&world, 0..100);
    assert_eq!(other.lags().values().copied().collect::<Vec<_>>(), [0; PARTITIONS as usize]);
    world.send(0..7);
    owner.process();
    owner.close();

    other.thread = Some(StreamThread::start(other.app.clone(), ThreadName::new("other", 0)).expect("it starts"));
    let status = other.process();
    assert_eq!(status.tasks.iter().filter(|task| task.state == TaskState::Running).count(), PARTITIONS as usize);
    assert_eq!(status.records_restored, 7, "the rest was there");
    assert_eq!(other.lags(), BTreeMap::new(), "what runs is no standby");

    world.send(0..100);
    other.process();
    let counts: BTreeMap<_, _> = world
        .log
        .read_all("out")
        .expect("reads")
        .into_iter()
        .map(|(_, record)| {
            let value: i64 = <i64 as Coded>::Codec::default().decode_opt(record.value).expect("decodes");
            (record.key.expect("has a key"), value)
        })
        .collect();
    for key in 0..100 {
        assert_eq!(counts[key.to_string().as_bytes()], if key < 7 { 3 } else { 2 }, "{key}");
    }
}

#[test]
fn a_standby_tells_how_far_it_is_behind() {
    let world = World::counting();
    let (mut owner, mut other) = warmed(&world, 0..10);
    world.send(0..10);
    owner.process();
    // The standby reads the changelogs in the same turn in which it looks at their ends. Between two looks it counts as
    // current.
    assert_eq!(other.lags().values().sum::<i64>(), 0);
    let ends: Vec<_> = other.app.standbys.positions().into_keys().collect();
    for changelog in ends {
        let end = world.log.end_offsets(&changelog.topic).expect("reads")[changelog.partition as usize];
        other
            .app
            .standbys
            .look(&changelog, Watermarks { low: 0, high: end }, 1)
            .map_err(|(_, error)| error)
            .expect("looks");
    }
    assert_eq!(other.lags().values().sum::<i64>(), 10);
    other.talk();
    assert_eq!(other.lags().values().sum::<i64>(), 0);
    assert_eq!(other.standby_rows(), (0..10).map(|key| (key.to_string(), 2)).collect::<Vec<_>>());
}

#[test]
fn what_is_not_committed_does_not_reach_a_standby() {
    let world = World::counting();
    let (mut owner, mut other) = warmed(&world, 0..10);
    world.send(0..10);
    let thread = owner.thread.as_mut().expect("it runs");
    while thread.step(Duration::ZERO).expect("steps") > 0 {}
    other.talk();
    assert_eq!(other.standby_rows(), (0..10).map(|key| (key.to_string(), 1)).collect::<Vec<_>>());
    owner.process();
    other.talk();
    assert_eq!(other.standby_rows(), (0..10).map(|key| (key.to_string(), 2)).collect::<Vec<_>>());
}

#[test]
fn a_member_is_gone_when_it_says_goodbye_or_nothing() {
    let world = World::counting();
    let (mut a, mut b, mut c) = (world.machine("a"), world.machine("b"), world.machine("c"));
    let known = |machine: &Machine| {
        let members = machine.app.live_members(world.clock.monotonic_ms());
        members.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for machine in [&mut a, &mut b, &mut c] {
        machine.talk();
    }
    a.talk();
    assert_eq!(known(&a), ["a", "b", "c"]);
    b.close();
    a.talk();
    assert_eq!(known(&a), ["a", "c"]);
    let last = world.log.read_all("app-members").expect("reads").pop().expect("there is one").1;
    assert_eq!((last.key.as_deref(), last.value), (Some(&b"b"[..]), None), "a tombstone");
    // The third machine is silent from now on. The first one goes on.
    for _ in 0..5 {
        world.heartbeat();
        a.talk();
    }
    assert_eq!(known(&a), ["a", "c"]);
    world.heartbeat();
    a.talk();
    assert_eq!(known(&a), ["a"]);
    c.talk();
    a.talk();
    assert_eq!(known(&a), ["a", "c"], "one that was only slow is back with its next word");
    // A machine that starts later does not count an old record as a sign of life.
    for _ in 0..6 {
        world.heartbeat();
    }
    a.talk();
    let mut d = world.machine("d");
    d.talk();
    d.talk();
    assert_eq!(known(&d), ["a", "d"]);
    // After a day the silent machine's record is deleted, because the machine will not delete it itself.
    world.clock.advance(Duration::from_hours(24));
    a.talk();
    let records = world.log.read_all("app-members").expect("reads");
    let gone = records.iter().filter(|(_, record)| record.value.is_none());
    let gone: Vec<_> = gone.filter_map(|(_, record)| record.key.as_deref()).collect();
    assert!(gone.contains(&&b"c"[..]), "{gone:?}");
}

#[test]
fn a_wall_clock_that_is_set_back_silences_nobody() {
    let world = World::counting();
    let (mut a, mut b) = (world.machine("a"), world.machine("b"));
    let known = |machine: &Machine| {
        let members = machine.app.live_members(world.clock.monotonic_ms());
        members.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for machine in [&mut a, &mut b] {
        machine.talk();
    }
    world.clock.set_back(Duration::from_hours(1));
    for _ in 0..7 {
        world.heartbeat();
        a.talk();
    }
    b.member.as_mut().expect("it runs").step();
    assert_eq!(known(&b), ["a", "b"], "it went on telling that it lives");
    assert_eq!(known(&a), ["a"], "and noticed that the other did not");
}

#[test]
fn standbys_follow_their_tasks_owners() {
    let world = World::counting();
    let (mut a, mut b) = (world.machine("a"), world.machine("b"));
    for _ in 0..3 {
        for machine in [&mut a, &mut b] {
            machine.process();
            machine.talk();
        }
    }
    assert_eq!((a.active().len(), b.active().len()), (2, 2));
    assert_eq!(a.lags().into_keys().collect::<Vec<_>>(), b.active());
    assert_eq!(b.lags().into_keys().collect::<Vec<_>>(), a.active());
    b.close();
    a.process();
    a.talk();
    assert_eq!((a.active().len(), a.lags().len()), (PARTITIONS as usize, 0));
}

#[test]
fn a_task_that_moves_is_claimed_by_its_new_owner_alone() {
    let world = World::counting();
    let mut a = world.machine("a");
    a.process();
    assert_eq!(a.active().len(), PARTITIONS as usize);
    let mut b = world.machine("b");
    for _ in 0..3 {
        a.process();
        b.process();
    }
    assert_eq!((a.active().len(), b.active().len()), (2, 2));
    let fenced = TransportError::Fenced("a newer one".into());
    a.thread.as_mut().expect("it runs").recover(fenced.into()).expect("is no end");
    assert_eq!(a.active(), [], "whoever is replaced has nothing any more");
}

#[test]
fn a_standby_that_is_behind_is_as_whole_as_when_it_was_last_current() {
    const HOUR_MS: i64 = 3_600_000;
    let world = World::counting();
    let (mut owner, other) = warmed(&world, 0..40);
    world.send(0..40);
    owner.process();
    let look = |changelog: &TopicPartition, hours: i64| {
        let end = world.log.end_offsets(&changelog.topic).expect("reads")[changelog.partition as usize];
        let looked = other.app.standbys.look(changelog, Watermarks { low: 0, high: end }, hours * HOUR_MS);
        looked.map_err(|(_, error)| error).expect("looks")
    };
    let positions = other.app.standbys.positions();
    for hours in [1, 10, 19] {
        assert!(positions.keys().all(|changelog| !look(changelog, hours)), "it still tells of every deletion");
    }
    let (changelog, position) = positions.iter().next().expect("there are some");
    let task = TaskId { subtopology: 0, partition: changelog.partition };
    let (_stores, followed) = other.app.standbys.claim(task, "a thread").expect("it is kept warm");
    assert_eq!(followed[0].place(), (Some(position.next), Some(0)), "whoever takes it over is told so");
    assert!(positions.keys().skip(1).all(|changelog| look(changelog, 21)), "they may have missed deletions");
}

#[test]
fn a_standby_whose_changelog_lost_what_it_needs_begins_anew() {
    let world = World::counting();
    let (mut owner, mut other) = warmed(&world, 0..40);
    world.send(0..40);
    owner.process();
    let mut admin = world.log.admin().expect("opens");
    for changelog in other.app.standbys.positions().into_keys() {
        let end = world.log.end_offsets(&changelog.topic).expect("reads")[changelog.partition as usize];
        admin.delete_records(&changelog, end).expect("deletes");
    }
    world.send(0..20);
    owner.process();
    other.talk();
    other.talk();
    assert_eq!(other.standby_rows().len(), 20, "what was deleted is not there, and what came after is");
}

#[test]
fn a_standby_that_was_closed_and_opened_between_two_turns_reads_what_it_lost() {
    let world = World::counting();
    let (_owner, mut other) = warmed(&world, 0..40);
    for task in other.lags().into_keys() {
        drop(other.app.standbys.claim(task, "a thread that is fenced at once"));
    }
    other.app.standbys.unclaim_all("a thread that is fenced at once");
    assert_eq!(other.standby_rows(), []);
    other.talk();
    assert_eq!(other.standby_rows().len(), 40);
}

#[test]
fn windows_that_the_owner_expired_leave_the_standby() {
    let builder = StreamsBuilder::new();
    let windows = TimeWindows::of_size_and_grace(Duration::from_millis(10), Duration::ZERO);
    let grouped = builder.stream::<String, i64>("in").group_by_key().windowed_by(windows);
    grouped.emit(EmitStrategy::on_window_close()).count("windows").to_stream().to("out");
    let world = World::new(builder.build().expect("is valid"));
    let mut owner = world.machine("owner");
    owner.process();
    owner.talk();
    let mut other = Machine { thread: None, ..world.machine("other") };
    owner.process();
    owner.talk();
    other.talk();
    let starts = |machine: &Machine| -> Vec<i64> {
        let rows = machine.app.standbys.read("windows", None, |handle| match handle {
            StoreHandle::Window(store) => {
                let store = store.borrow();
                let rows = store.scan(0, i64::MAX).expect("scans");
                Some(rows.map(|row| row.expect("reads").0.start).collect::<Vec<_>>())
            }
            _ => None,
        });
        rows.into_iter().flatten().collect()
    };
    let mut kept = Vec::new();
    for timestamp in [5, 15, 25, 35] {
        let value = <i64 as Coded>::Codec::default().encode(&1_i64).expect("encodes").expect("is not null");
        world.log.append("in", 0, [Entry::new("key", value, timestamp)]).expect("the topic exists");
        owner.process();
        other.talk();
        kept.push(starts(&other));
    }
    assert_eq!(kept, [[0], [10], [20], [30]], "closed windows are gone");
}

/// Collects, counts and joins one stream that has its own time for each key.
fn by_key() -> World {
    let builder = StreamsBuilder::new();
    let windows = TimeWindows::of_size_and_grace(Duration::from_millis(100), Duration::ZERO).event_time_by_key();
    let apart = JoinWindows::of_time_difference_and_grace(Duration::from_millis(50), Duration::ZERO);
    let stream = builder.stream::<String, i64>("in");
    let other = stream.filter(|_, value| value % 2 == 0);
    stream.group_by_key().windowed_by(windows).collect("lists").to("lists-out");
    let kept = Materialized::<String, i64>::named("kept").retention(Duration::from_millis(300));
    stream.group_by_key().windowed_by(windows).count(kept);
    let pair = |_: &String, left: Option<&i64>, right: Option<&i64>| format!("{left:?} {right:?}");
    stream.outer_join_stream(&other, apart.event_time_by_key(), "pairs", pair).to("pairs-out");
    let world = World::new(builder.build().expect("is valid"));
    for topic in ["lists-out", "pairs-out"] {
        world.log.create(topic, PARTITIONS).expect("it is not there");
    }
    world
}

/// The rows of window stores, by task and store.
type WindowRows = BTreeMap<(TaskId, String), Vec<(Bytes, Row)>>;

fn window_rows(stores: &TaskStores, into: &mut WindowRows) {
    for (name, handle, _) in stores.logged().filter(|(_, handle, _)| matches!(handle, StoreHandle::Window(_))) {
        let rows = handle.with_store(|store| {
            let rows = store.scan(Bound::Unbounded, Bound::Unbounded, Direction::Forward).expect("scans");
            rows.collect::<Result<Vec<_>, _>>().expect("reads")
        });
        into.insert((stores.task, name.to_string()), rows);
    }
}

#[test]
fn standbys_by_key_that_lag_behind_a_purge_or_come_after_it_keep_nothing_that_their_owner_deleted() {
    let world = by_key();
    let mut owner = world.machine("owner");
    owner.process();
    owner.talk();
    let mut other = Machine { thread: None, ..world.machine("other") };
    owner.process();
    owner.talk();
    other.talk();
    let send = |keys: &[&str], times: std::ops::Range<i64>, owner: &mut Machine| {
        for time in times {
            for key in keys {
                let value = <i64 as Coded>::Codec::default().encode(&time).expect("encodes").expect("is not null");
                world.log.append("in", 0, [Entry::new((*key).to_owned(), value, time * 30)]).expect("the topic exists");
            }
            owner.process();
        }
    };
    let low = || {
        let records = world.log.read_all("app-lists-changelog").expect("reads");
        records.iter().map(|(_, record)| record.offset).min().expect("there are some")
    };
    send(&["a", "b"], 0..40, &mut owner);
    other.talk();
    let standby_rows = |machine: &Machine| {
        let mut rows = WindowRows::new();
        machine.app.standbys.each(|stores| window_rows(stores, &mut rows));
        rows
    };
    let held = |rows: &WindowRows| rows.values().map(Vec::len).sum::<usize>();
    assert!(held(&standby_rows(&other)) > 0);
    // One key goes on, and the other key's windows close. The standby does not learn of it.
    send(&["b"], 60..61, &mut owner);
    send(&["a"], 40..300, &mut owner);
    send(&["b"], 300..301, &mut owner);
    send(&["a", "b"], 301..303, &mut owner);
    world.clock.advance(Duration::from_secs(31));
    owner.process();
    assert!(low() > 200, "the changelog begins at {}", low());

    let mut expected = WindowRows::new();
    for stores in owner.thread.as_mut().expect("it runs").stores().expect("reads") {
        window_rows(stores, &mut expected);
    }
    other.talk();
    other.talk();
    assert_eq!(standby_rows(&other), expected, "one that lagged");

    other.close();
    let mut late = Machine { thread: None, ..world.machine("late") };
    for _ in 0..3 {
        owner.process();
        owner.talk();
        late.talk();
    }
    assert_eq!(standby_rows(&late), expected, "one that came after");
}

#[test]
fn a_standby_that_is_killed_goes_on_from_its_last_flush() {
    let world = World::counting();
    let process = |world: &World| Process::new("other", Fate::new(0, FaultRates::NONE, world.clock.clone()));
    let first = process(&world);
    let disk = SimulatedDisk::new(first.clone());
    let (mut owner, mut other) = (world.machine("owner"), Machine { thread: None, ..world.machine("other") });
    other.app.stores = Arc::new(disk.clone());
    other.member = Some(MemberThread::new(other.app.clone()));
    owner.process();
    world.send(0..100);
    owner.process();
    for _ in 0..12 {
        owner.talk();
        other.talk();
        world.heartbeat();
        owner.process();
    }
    assert_eq!(other.standby_rows().len(), 100);
    world.send(0..7);
    owner.process();
    owner.talk();
    other.talk();

    first.kill();
    (other.member, other.app) = (None, other.app.afresh());
    other.app.stores = Arc::new(disk.reopen(process(&world)));
    let mut member = MemberThread::new(other.app.clone());
    let mut replayed = 0;
    for _ in 0..10 {
        replayed += member.step();
    }
    other.member = Some(member);
    assert_eq!(other.lags().values().copied().collect::<Vec<_>>(), [0; PARTITIONS as usize]);
    assert_eq!((other.standby_rows().len(), replayed), (100, 7));
}
