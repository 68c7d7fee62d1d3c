//! Tests that run single turns of a thread.

mod arrivals;
mod clocks;
mod erasing;
mod memory;
mod odd_log;
mod pace;
mod replaced;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

mod idle;

use tidemill_state::BoxError;

use super::StreamThread;
use crate::{
    EmitStrategy, KStream, ProcessingGuarantee, StreamsBuilder, StreamsConfig, TimeWindows,
    clock::ManualClock,
    names::ThreadName,
    processor::{Processor, ProcessorContext, Punctuation, PunctuationType, Record},
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

    /// A thread on this log, whose producers only record their calls.
    fn noted_thread(&self, notes: &Notes, builder: &StreamsBuilder, config: StreamsConfig) -> StreamThread {
        self.thread_on(Arc::new(Noted { log: self.log.clone(), notes: notes.clone() }), builder, config)
    }

    fn append(&self, partition: i32, count: usize) {
        self.log.append("in", partition, (0..count).map(|_| Entry::new("k", "v", 0))).expect("appends");
    }

    fn outputs(&self) -> usize {
        self.log.read_all("out").expect("reads").len()
    }

    /// A member that takes everything over from members whose sessions have ended.
    fn successor(&self, session_timeout: Duration) -> Box<dyn Consumer> {
        let (group, client_id, instance_id) = ("app".to_owned(), "b-0".to_owned(), None);
        let config = ConsumerConfig { group, client_id, instance_id, session_timeout, max_poll_records: 10 };
        let mut successor = self.log.consumer(&config).expect("opens");
        successor.subscribe(&["in".into()]).expect("joins");
        assert!(!successor.poll(Duration::ZERO).expect("polls").rebalances.is_empty(), "it has taken over");
        successor
    }
}

/// Turns until nothing is left to do.
fn run(thread: &mut StreamThread) {
    while thread.step(Duration::ZERO).expect("turns") > 0 {}
}

/// Counts by second, which close after five seconds of silence, to `out`.
fn count_by_second(stream: &KStream<String, String>) {
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(1));
    let emit = EmitStrategy::on_window_close().idle_after(Duration::from_secs(5));
    stream.group_by_key().windowed_by(windows).emit(emit).count("counts").to_stream().to("out");
}

/// A processor that calls a function with each punctuation. The wall clock gives one every second.
struct EverySecond<F>(F);

impl<F> Processor<String, String, String, String> for EverySecond<F>
where
    F: FnMut(&mut ProcessorContext<'_, String, String>, Punctuation, i64),
{
    fn init(&mut self, ctx: &mut ProcessorContext<'_, String, String>) -> Result<(), BoxError> {
        ctx.schedule(Duration::from_secs(1), PunctuationType::WallClockTime);
        Ok(())
    }

    fn process(
        &mut self,
        _ctx: &mut ProcessorContext<'_, String, String>,
        _record: Record<String, String>,
    ) -> Result<(), BoxError> {
        Ok(())
    }

    fn punctuate(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, String>,
        punctuation: Punctuation,
        time_ms: i64,
    ) -> Result<(), BoxError> {
        (self.0)(ctx, punctuation, time_ms);
        Ok(())
    }
}

#[test]
fn time_alone_does_not_let_a_member_commit_that_was_replaced() {
    let (world, builder) = (World::new(1), StreamsBuilder::new());
    count_by_second(&builder.stream("in"));
    // Only requested commits.
    let config = StreamsConfig { commit_interval: Duration::from_hours(1), ..StreamsConfig::new("app") };
    let session_timeout = config.session_timeout;
    let mut thread = world.thread(&builder, config);
    world.append(0, 1);
    run(&mut thread);
    thread.commit_now().expect("commits");
    assert_eq!(thread.status.commits, 1);

    // Only time closes the window. The commit also sends offsets that did not move, because the log refuses a replaced
    // member by its offsets.
    world.clock.advance(Duration::from_secs(10));
    thread.step(Duration::ZERO).expect("ticks");
    let work = thread.tasks.running().next().expect("it runs").prepare_commit().expect("prepares");
    assert_eq!((work.changelog.is_empty(), work.offsets.len()), (false, 1));

    world.clock.advance(session_timeout);
    let _successor = world.successor(session_timeout);
    thread.commit_now().expect("is no end");
    assert_eq!((thread.status.commits, thread.status.fenced), (1, 1));
    assert_eq!(world.outputs(), 0, "the window is its successor's to close");
}

#[test]
fn after_a_restart_time_alone_names_the_offsets_of_inputs_that_bring_nothing() {
    let (world, builder) = (World::new(1), StreamsBuilder::new());
    count_by_second(&builder.stream("in"));
    let hour = Duration::from_hours(1);
    let config = || StreamsConfig { commit_interval: hour, session_timeout: hour, ..StreamsConfig::new("app") };
    let mut before = world.thread(&builder, config());
    world.append(0, 1);
    run(&mut before);
    before.commit_now().expect("commits");
    drop(before);

    let mut thread = world.thread(&builder, config());
    run(&mut thread);
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
    run(&mut thread);

    world.clock.advance(session_timeout);
    let _successor = world.successor(session_timeout);
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
        let (world, builder, notes) = (World::new(1), StreamsBuilder::new(), Notes::default());
        builder.stream::<String, String>("in").group_by_key().count("counts").to_stream().to("out");
        let config = StreamsConfig { processing_guarantee, ..StreamsConfig::new("app") };
        let mut thread = world.noted_thread(&notes, &builder, config);
        // Drops the calls that the start made for the store's note.
        notes.asked.lock().expect("nobody panicked").clear();
        world.append(0, 1);
        run(&mut thread);
        thread.commit_now().expect("commits");
        assert_eq!(*notes.asked.lock().expect("nobody panicked"), expected, "{processing_guarantee:?}");
    }
}

#[test]
fn a_commit_on_its_way_leaves_out_what_was_lost_meanwhile() {
    let (world, builder, notes) = (World::new(1), StreamsBuilder::new(), Notes::default());
    builder.stream::<String, String>("in").to("out");
    let processing_guarantee = ProcessingGuarantee::AtLeastOnce;
    let config = StreamsConfig { processing_guarantee, ..StreamsConfig::new("app") };
    let session_timeout = config.session_timeout;
    let mut thread = world.noted_thread(&notes, &builder, config);
    world.append(0, 1);
    run(&mut thread);
    // The flush is not done at its begin, and not before the next poll.
    notes.flush_takes.store(2, Ordering::SeqCst);
    thread.begin_commit().expect("begins");

    world.clock.advance(session_timeout);
    let mut successor = world.successor(session_timeout);
    let partition = TopicPartition::new("in", 0);
    let further = CommittedOffset { offset: 5, metadata: String::new() };
    successor.commit(&[(partition, further)]).expect("commits");
    drop(successor);

    thread.step(Duration::ZERO).expect("loses its partition and gets it again");
    let committed = world.log.group_lag("app")[0].committed;
    assert_eq!((thread.status.commits, committed), (1, Some(5)), "what was committed does not go back");
}

#[test]
fn large_outputs_are_sent_before_many_of_them_are_held() {
    const LARGE: usize = 64 << 10;
    let (world, builder, notes) = (World::new(1), StreamsBuilder::new(), Notes::default());
    let (made, most, sent) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)), notes.clone());
    let most_held = most.clone();
    let stream = builder.stream::<String, String>("in").map_values(move |_| {
        let sent = sent.asked.lock().expect("nobody panicked").len();
        most_held.fetch_max(made.fetch_add(1, Ordering::SeqCst) - sent, Ordering::SeqCst);
        "x".repeat(LARGE)
    });
    stream.to("out");
    let mut thread = world.noted_thread(&notes, &builder, StreamsConfig::new("app"));
    world.append(0, 1000);
    run(&mut thread);
    assert_eq!(notes.asked.lock().expect("nobody panicked").len(), 1000);
    let held = most.load(Ordering::SeqCst) * LARGE;
    assert!(held <= 2 << 20, "{held} bytes were held before one was sent");
}
