//! Tests that run single turns of a thread.

mod arrivals;
mod clocks;
mod erasing;
mod memory;
mod odd_log;
mod pace;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

mod idle;

use super::StreamThread;
use crate::{
    EmitStrategy, ProcessingGuarantee, StreamsBuilder, StreamsConfig, TimeWindows,
    clock::ManualClock,
    names::ThreadName,
    runtime::Prepared,
    transport::{
        Acknowledged, Admin, Answered, CommittedOffset, Consumed, Consumer, ConsumerConfig, PendingCommit, Producer,
        ProducerConfig, ProducerRecord, Progress, Reader, TopicPartition, Transport, TransportError,
        embedded::{EmbeddedLog, Entry},
    },
};

/// A log with one input topic and one output topic, and its clock.
struct World {
    clock: ManualClock,
    log: EmbeddedLog,
}

impl World {
    fn new(partitions: i32) -> Self {
        let clock = ManualClock::new(1_700_000_000_000);
        let log = EmbeddedLog::builder().clock(clock.clone()).in_memory();
        for topic in ["in", "out"] {
            log.create(topic, partitions).expect("the log is empty");
        }
        Self { clock, log }
    }

    fn thread(&self, builder: &StreamsBuilder, config: StreamsConfig) -> StreamThread {
        self.thread_on(Arc::new(self.log.clone()), builder, config)
    }

    fn thread_on(&self, log: Arc<dyn Transport>, builder: &StreamsBuilder, config: StreamsConfig) -> StreamThread {
        let topology = builder.build().expect("is valid");
        let clock = Arc::new(self.clock.clone());
        let app = Prepared::new(&topology, config, log, clock, "a".to_owned()).expect("can start");
        StreamThread::start(app, ThreadName::new("a", 0)).expect("starts")
    }

    fn append(&self, partition: i32, count: usize) {
        self.log.append("in", partition, (0..count).map(|_| Entry::new("k", "v", 0))).expect("appends");
    }

    fn outputs(&self) -> usize {
        self.log.read_all("out").expect("reads").len()
    }
}

#[test]
fn time_alone_does_not_let_a_member_commit_that_was_replaced() {
    let clock = ManualClock::new(0);
    let log = EmbeddedLog::builder().clock(clock.clone()).in_memory();
    for topic in ["in", "out"] {
        log.create(topic, 1).expect("the log is empty");
    }
    let builder = StreamsBuilder::new();
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(1));
    let grouped = builder.stream::<String, String>("in").group_by_key().windowed_by(windows);
    let emit = EmitStrategy::on_window_close().idle_after(Duration::from_secs(5));
    grouped.emit(emit).count("counts").to_stream().to("out");
    let topology = builder.build().expect("is valid");
    // Only requested commits.
    let config = StreamsConfig { commit_interval: Duration::from_hours(1), ..StreamsConfig::new("app") };
    let (session, transport) = (config.session_timeout, Arc::new(log.clone()));
    let app = Prepared::new(&topology, config, transport, Arc::new(clock.clone()), "a".to_owned()).expect("can start");
    let mut thread = StreamThread::start(app, ThreadName::new("a", 0)).expect("starts");

    log.append("in", 0, [Entry::new("k", "v", 0)]).expect("appends");
    while thread.step(Duration::ZERO).expect("processes") > 0 {}
    thread.commit_now().expect("commits");
    assert_eq!(thread.status.commits, 1);

    // Only time closes the window. The commit also sends offsets that did not move, because the log refuses a replaced
    // member by its offsets.
    clock.advance(Duration::from_secs(10));
    thread.step(Duration::ZERO).expect("ticks");
    let work = thread.tasks.running().next().expect("it runs").prepare_commit().expect("prepares");
    assert_eq!((work.changelog.is_empty(), work.offsets.len()), (false, 1));

    clock.advance(session);
    let mut successor = log
        .consumer(&ConsumerConfig {
            group: "app".to_owned(),
            client_id: "b-0".to_owned(),
            instance_id: None,
            session_timeout: session,
            max_poll_records: 10,
        })
        .expect("joins");
    successor.subscribe(&["in".into()]).expect("joins");
    assert!(!successor.poll(Duration::ZERO).expect("polls").rebalances.is_empty(), "it has taken over");

    thread.commit_now().expect("is no end");
    assert_eq!((thread.status.commits, thread.status.fenced), (1, 1));
    let out = log.read_all("out").expect("reads");
    assert!(out.is_empty(), "the window is its successor's to close: {out:?}");
}

#[test]
fn after_a_restart_time_alone_names_the_offsets_of_inputs_that_bring_nothing() {
    let (world, builder) = (World::new(1), StreamsBuilder::new());
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(1));
    let grouped = builder.stream::<String, String>("in").group_by_key().windowed_by(windows);
    let emit = EmitStrategy::on_window_close().idle_after(Duration::from_secs(5));
    grouped.emit(emit).count("counts").to_stream().to("out");
    let hour = Duration::from_hours(1);
    let config = || StreamsConfig { commit_interval: hour, session_timeout: hour, ..StreamsConfig::new("app") };
    let mut before = world.thread(&builder, config());
    world.append(0, 1);
    while before.step(Duration::ZERO).expect("processes") > 0 {}
    before.commit_now().expect("commits");
    drop(before);

    let mut thread = world.thread(&builder, config());
    while thread.step(Duration::ZERO).expect("restores") > 0 {}
    world.clock.advance(Duration::from_secs(10));
    thread.step(Duration::ZERO).expect("ticks");
    let work = thread.tasks.running().next().expect("it runs").prepare_commit().expect("prepares");
    let offsets: Vec<_> = work.offsets.iter().map(|(_, committed)| committed.offset).collect();
    assert_eq!((work.changelog.is_empty(), offsets), (false, vec![1]));
}

#[test]
fn without_transactions_a_member_that_was_replaced_commits_nothing() {
    let (world, builder) = (World::new(1), StreamsBuilder::new());
    builder.stream::<String, String>("in").to("out");
    let processing_guarantee = ProcessingGuarantee::AtLeastOnce;
    let commit_interval = Duration::from_hours(1);
    let config = StreamsConfig { processing_guarantee, commit_interval, ..StreamsConfig::new("app") };
    let session_timeout = config.session_timeout;
    let mut thread = world.thread(&builder, config);
    world.append(0, 3);
    while thread.step(Duration::ZERO).expect("processes") > 0 {}

    world.clock.advance(session_timeout);
    let (group, client_id, instance_id) = ("app".to_owned(), "b-0".to_owned(), None);
    let config = ConsumerConfig { group, client_id, instance_id, session_timeout, max_poll_records: 10 };
    let mut successor = world.log.consumer(&config).expect("opens");
    successor.subscribe(&["in".into()]).expect("joins");
    assert!(!successor.poll(Duration::ZERO).expect("polls").rebalances.is_empty(), "it has taken over");
    thread.commit_now().expect("is no end");
    assert_eq!((thread.status.fenced, world.log.group_lag("app")[0].committed), (1, None));
}

/// A log whose producers only record their calls.
struct Noted {
    log: EmbeddedLog,
    notes: Notes,
}

#[derive(Clone, Default)]
struct Notes {
    asked: Arc<Mutex<Vec<String>>>,
    /// How many polls a flush needs before it is done.
    flush_takes: Arc<AtomicUsize>,
    /// The time that the sending of a record takes.
    send_takes: Option<(ManualClock, Duration)>,
}

impl Notes {
    fn add(&self, note: &str) {
        self.asked.lock().expect("nobody panicked").push(note.to_owned());
    }
}

impl Transport for Noted {
    fn consumer(&self, config: &ConsumerConfig) -> Result<Box<dyn Consumer>, TransportError> {
        self.log.consumer(config)
    }

    fn reader(&self) -> Result<Box<dyn Reader>, TransportError> {
        self.log.reader()
    }

    fn producer(&self, _config: &ProducerConfig) -> Result<Box<dyn Producer>, TransportError> {
        Ok(Box::new(self.notes.clone()))
    }

    fn admin(&self) -> Result<Box<dyn Admin>, TransportError> {
        self.log.admin()
    }
}

impl Producer for Notes {
    fn init_transactions(&mut self) -> Result<(), TransportError> {
        Ok(())
    }

    fn begin_transaction(&mut self) -> Result<(), TransportError> {
        Ok(())
    }

    fn send(&mut self, record: ProducerRecord) -> Result<(), TransportError> {
        if let Some((clock, time)) = &self.send_takes {
            clock.advance(*time);
        }
        self.add(&record.topic);
        Ok(())
    }

    fn send_offsets(&mut self, _consumed: Consumed<'_>) -> Result<(), TransportError> {
        Ok(())
    }

    fn begin_commit(&mut self, _consumed: Option<Consumed<'_>>) -> Result<Box<dyn PendingCommit>, TransportError> {
        self.add("commit");
        Ok(Box::new(Answered::default()))
    }

    fn abort_transaction(&mut self) -> Result<(), TransportError> {
        Ok(())
    }

    fn begin_flush(&mut self) -> Result<Box<dyn PendingCommit>, TransportError> {
        self.add("flush");
        Ok(Box::new(NotedFlush { takes: self.flush_takes.clone() }))
    }

    fn discard(&mut self) {}
}

/// A flush that needs `takes` polls before it is done.
struct NotedFlush {
    takes: Arc<AtomicUsize>,
}

impl PendingCommit for NotedFlush {
    fn poll(self: Box<Self>, _timeout: Duration) -> Result<Progress, TransportError> {
        let left = self.takes.load(Ordering::SeqCst);
        self.takes.store(left.saturating_sub(1), Ordering::SeqCst);
        Ok(if left == 0 { Progress::Done(Acknowledged::new()) } else { Progress::Pending(self) })
    }
}

#[test]
fn without_transactions_changes_leave_once_the_outputs_are_in_the_log() {
    for (processing_guarantee, expected) in [
        (ProcessingGuarantee::AtLeastOnce, &["out", "flush", "app-counts-changelog", "flush"][..]),
        (ProcessingGuarantee::ExactlyOnce, &["out", "app-counts-changelog", "commit"]),
    ] {
        let (log, notes) = (EmbeddedLog::in_memory(), Notes::default());
        for topic in ["in", "out"] {
            log.create(topic, 1).expect("the log is empty");
        }
        let builder = StreamsBuilder::new();
        builder.stream::<String, String>("in").group_by_key().count("counts").to_stream().to("out");
        let topology = builder.build().expect("is valid");
        let config = StreamsConfig { processing_guarantee, ..StreamsConfig::new("app") };
        let transport = Arc::new(Noted { log: log.clone(), notes: notes.clone() });
        let clock = Arc::new(ManualClock::new(0));
        let app = Prepared::new(&topology, config, transport, clock, "a".to_owned()).expect("can start");
        // Drops the calls that the start made for the store's note.
        notes.asked.lock().expect("nobody panicked").clear();
        let mut thread = StreamThread::start(app, ThreadName::new("a", 0)).expect("starts");
        log.append("in", 0, [Entry::new("k", "v", 0)]).expect("appends");
        while thread.step(Duration::ZERO).expect("processes") > 0 {}
        thread.commit_now().expect("commits");
        assert_eq!(*notes.asked.lock().expect("nobody panicked"), expected, "{processing_guarantee:?}");
    }
}

#[test]
fn a_commit_on_its_way_leaves_out_what_was_lost_meanwhile() {
    let clock = ManualClock::new(0);
    let log = EmbeddedLog::builder().clock(clock.clone()).in_memory();
    for topic in ["in", "out"] {
        log.create(topic, 1).expect("the log is empty");
    }
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").to("out");
    let topology = builder.build().expect("is valid");
    let processing_guarantee = ProcessingGuarantee::AtLeastOnce;
    let config = StreamsConfig { processing_guarantee, ..StreamsConfig::new("app") };
    let (session, notes) = (config.session_timeout, Notes::default());
    let transport = Arc::new(Noted { log: log.clone(), notes: notes.clone() });
    let app = Prepared::new(&topology, config, transport, Arc::new(clock.clone()), "a".to_owned()).expect("can start");
    let mut thread = StreamThread::start(app, ThreadName::new("a", 0)).expect("starts");
    let committed = || log.group_lag("app")[0].committed;

    log.append("in", 0, [Entry::new("k", "v", 0)]).expect("appends");
    while thread.step(Duration::ZERO).expect("processes") > 0 {}
    // The flush is not done at its begin, and not before the next poll.
    notes.flush_takes.store(2, Ordering::SeqCst);
    thread.begin_commit().expect("begins");

    clock.advance(session);
    let mut successor = log
        .consumer(&ConsumerConfig {
            group: "app".to_owned(),
            client_id: "b-0".to_owned(),
            instance_id: None,
            session_timeout: session,
            max_poll_records: 10,
        })
        .expect("joins");
    successor.subscribe(&["in".into()]).expect("joins");
    successor.poll(Duration::ZERO).expect("polls");
    let partition = TopicPartition::new("in", 0);
    let further = CommittedOffset { offset: 5, metadata: String::new() };
    successor.commit(&[(partition, further)]).expect("commits");
    drop(successor);

    thread.step(Duration::ZERO).expect("loses its partition and gets it again");
    assert_eq!((thread.status.commits, committed()), (1, Some(5)), "what was committed does not go back");
}

#[test]
fn large_outputs_are_sent_before_many_of_them_are_held() {
    const LARGE: usize = 64 << 10;
    let (log, notes) = (EmbeddedLog::in_memory(), Notes::default());
    for topic in ["in", "out"] {
        log.create(topic, 1).expect("the log is empty");
    }
    let (made, most, sent) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)), notes.clone());
    let most_held = most.clone();
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in").map_values(move |_| {
        let sent = sent.asked.lock().expect("nobody panicked").len();
        most_held.fetch_max(made.fetch_add(1, Ordering::SeqCst) - sent, Ordering::SeqCst);
        "x".repeat(LARGE)
    });
    stream.to("out");
    let topology = builder.build().expect("is valid");
    let transport = Arc::new(Noted { log: log.clone(), notes: notes.clone() });
    let clock = Arc::new(ManualClock::new(0));
    let app = Prepared::new(&topology, StreamsConfig::new("app"), transport, clock, "a".to_owned()).expect("can start");
    let mut thread = StreamThread::start(app, ThreadName::new("a", 0)).expect("starts");
    log.append("in", 0, (0..1000).map(|_| Entry::new("k", "v", 0))).expect("appends");
    while thread.step(Duration::ZERO).expect("processes") > 0 {}
    assert_eq!(notes.asked.lock().expect("nobody panicked").len(), 1000);
    let held = most.load(Ordering::SeqCst) * LARGE;
    assert!(held <= 2 << 20, "{held} bytes were held before one was sent");
}
