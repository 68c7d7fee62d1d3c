//! A member that was replaced while it flushed.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;

use super::{
    StreamThread, World,
    odd_log::{OddLog, Oddities},
};
use crate::{
    ProcessingGuarantee, StreamsBuilder, StreamsConfig,
    error::TaskError,
    operators::StoreHandle,
    runtime::stream_thread::commit::Commit,
    transport::{
        Acknowledged, Admin, Answered, CommittedOffset, Consumed, Consumer, ConsumerConfig, Offset, PendingCommit,
        Producer, ProducerConfig, ProducerRecord, Progress, Reader, TopicPartition, Transport, TransportError,
        embedded::{EmbeddedLog, Entry},
    },
};

const SESSION: Duration = Duration::from_millis(500);

/// A log to which records leave only while somebody waits for them, and the last producer opened on it.
#[derive(Clone)]
struct LazyLog(EmbeddedLog, Arc<Mutex<Option<LazyProducer>>>);

/// Its producer.
#[derive(Clone)]
struct LazyProducer(Arc<Mutex<Lazy>>);

struct Lazy {
    inner: Box<dyn Producer>,
    /// Records that have not left.
    waiting: Vec<ProducerRecord>,
}

impl LazyProducer {
    fn lock(&self) -> MutexGuard<'_, Lazy> {
        self.0.lock().expect("nobody panicked")
    }

    fn send_all(&self) -> Result<Acknowledged, TransportError> {
        let Lazy { inner, waiting } = &mut *self.lock();
        waiting.drain(..).try_for_each(|record| inner.send(record))?;
        inner.flush()
    }
}

impl Transport for LazyLog {
    fn consumer(&self, config: &ConsumerConfig) -> Result<Box<dyn Consumer>, TransportError> {
        self.0.consumer(config)
    }

    fn reader(&self) -> Result<Box<dyn Reader>, TransportError> {
        self.0.reader()
    }

    fn producer(&self, config: &ProducerConfig) -> Result<Box<dyn Producer>, TransportError> {
        let lazy = Lazy { inner: self.0.producer(config)?, waiting: Vec::new() };
        let producer = LazyProducer(Arc::new(Mutex::new(lazy)));
        *self.1.lock().expect("nobody panicked") = Some(producer.clone());
        Ok(Box::new(producer))
    }

    fn admin(&self) -> Result<Box<dyn Admin>, TransportError> {
        self.0.admin()
    }
}

impl Producer for LazyProducer {
    fn init_transactions(&mut self) -> Result<(), TransportError> {
        self.lock().inner.init_transactions()
    }

    fn begin_transaction(&mut self) -> Result<(), TransportError> {
        self.lock().inner.begin_transaction()
    }

    fn send(&mut self, record: ProducerRecord) -> Result<(), TransportError> {
        self.lock().waiting.push(record);
        Ok(())
    }

    fn send_offsets(&mut self, consumed: Consumed<'_>) -> Result<(), TransportError> {
        self.lock().inner.send_offsets(consumed)
    }

    fn begin_commit(&mut self, consumed: Option<Consumed<'_>>) -> Result<Box<dyn PendingCommit>, TransportError> {
        self.lock().inner.begin_commit(consumed)
    }

    fn abort_transaction(&mut self) -> Result<(), TransportError> {
        self.lock().inner.abort_transaction()
    }

    fn begin_flush(&mut self) -> Result<Box<dyn PendingCommit>, TransportError> {
        Ok(Box::new(self.clone()))
    }

    fn discard(&mut self) {
        self.lock().waiting.clear();
    }
}

impl PendingCommit for LazyProducer {
    fn poll(self: Box<Self>, timeout: Duration) -> Result<Progress, TransportError> {
        if timeout.is_zero() {
            return Ok(Progress::Pending(self));
        }
        self.send_all().map(Progress::Done)
    }
}

fn turn(thread: &mut StreamThread) {
    for _ in 0..10 {
        thread.step(Duration::ZERO).expect("turns");
    }
}

/// Whether a thread's store has a key.
fn has(thread: &mut StreamThread, store: &str, key: &str) -> bool {
    thread.stores().expect("has its stores").iter().any(|stores| {
        let StoreHandle::KeyValue(store) = &stores.handles[store] else { return false };
        store.borrow().get(key.as_bytes()).expect("reads").is_some()
    })
}

fn checkpoint(thread: &mut StreamThread) -> Option<Offset> {
    thread.stores().expect("has its stores")[0].handles["counts"].with_store(|store| store.checkpoint().expect("reads"))
}

fn append(world: &World, key: &'static str) {
    world.log.append("in", 0, [Entry::new(key, "v", 0)]).expect("appends");
}

/// The keys and values of the changelog, in order.
fn changes(world: &World) -> Vec<(Bytes, Bytes)> {
    let changes = world.log.read_all("app-counts-changelog").expect("reads").into_iter();
    changes.map(|(_, change)| (change.key.unwrap_or_default(), change.value.unwrap_or_default())).collect()
}

/// A member that hangs in a flush, and the heir of its task.
struct Replaced {
    world: World,
    member: StreamThread,
    producer: LazyProducer,
    heir: StreamThread,
    /// How the heir's log behaves.
    oddities: Oddities,
}

impl Replaced {
    /// The tasks count.
    fn new() -> Self {
        let builder = StreamsBuilder::new();
        builder.stream::<String, String>("in").group_by_key().count("counts").to_stream().to("out");
        Self::behind(&builder, &[])
    }

    /// The member has committed these keys before.
    fn behind(builder: &StreamsBuilder, committed: &[&'static str]) -> Self {
        let world = World::new(1);
        let processing_guarantee = ProcessingGuarantee::AtLeastOnce;
        let config = StreamsConfig { processing_guarantee, session_timeout: SESSION, ..StreamsConfig::new("app") };
        // A member with standbys keeps the stores of a lost task. Commits come only when a test asks for them.
        let config = StreamsConfig { num_standby_replicas: 1, commit_interval: Duration::from_hours(1), ..config };
        let log = LazyLog(world.log.clone(), Arc::default());
        let mut member = world.thread_on(Arc::new(log.clone()), builder, config.clone());
        for key in committed {
            append(&world, key);
        }
        turn(&mut member);
        member.commit_now().expect("commits");
        append(&world, "first");
        turn(&mut member);
        member.begin_commit().expect("begins");
        world.clock.advance(SESSION * 2);
        let oddities = Oddities::default();
        let heirs_log = OddLog { log: world.log.clone(), oddities: oddities.clone() };
        let heir = world.thread_on(Arc::new(heirs_log), builder, config);
        let producer = log.1.lock().expect("nobody panicked").clone().expect("it has one");
        Self { world, member, producer, heir, oddities }
    }

    /// The heir commits a newer count of the same key, and the member's older count comes behind it. Returns the newer
    /// change.
    fn write_behind(&mut self) -> (Bytes, Bytes) {
        append(&self.world, "first");
        turn(&mut self.heir);
        self.heir.commit_now().expect("commits");
        self.producer.send_all().expect("leave");
        let [.., newer, older] = &changes(&self.world)[..] else { panic!("two changes") };
        assert_eq!((&newer.0, &older.0), (&"first".into(), &"first".into()));
        assert_ne!(newer.1, older.1, "the older count came last");
        newer.clone()
    }

    /// The heir's next flush, which finds the change of the member.
    fn find(&mut self) {
        append(&self.world, "second");
        turn(&mut self.heir);
        self.heir.begin_commit().expect("begins");
    }
}

#[test]
fn a_flush_behind_the_next_owners_records_does_not_hide_them_from_the_store() {
    let Replaced { world, mut member, mut heir, .. } = Replaced::new();
    append(&world, "second");
    turn(&mut heir);
    heir.close().expect("closes");
    turn(&mut member);
    assert!(has(&mut member, "counts", "first"), "it has the partition again");
    assert!(has(&mut member, "counts", "second"), "it read what the heir wrote");
    let changes = changes(&world);
    let keys: Vec<_> = changes.iter().map(|(key, _)| &key[..]).collect();
    assert_eq!(keys, [&b"first"[..], b"second", b"first"], "its own flush came last");
}

/// The records that the changelog has left are all known to the store, but it never saw the deletion.
#[test]
fn deletions_that_the_log_forgot_before_a_replaced_members_flush_ended_are_not_missed() {
    let builder = StreamsBuilder::new();
    builder.table::<String, String>("in", "rows");
    let Replaced { world, mut member, mut heir, .. } = Replaced::behind(&builder, &["kept", "deleted"]);
    world.log.append("in", 0, [Entry::tombstone("deleted", 0), Entry::new("kept", "v", 0)]).expect("appends");
    turn(&mut heir);
    heir.close().expect("closes");
    world.clock.advance(Duration::from_hours(25));
    world.log.maintain().expect("compacts");
    let changes = world.log.read_all("app-rows-changelog").expect("reads").into_iter();
    let keys: Vec<_> = changes.filter_map(|(_, change)| change.key).collect();
    assert_eq!(keys, ["first", "kept"], "the deletion is gone, too");
    turn(&mut member);
    assert!(has(&mut member, "rows", "first"), "it has the partition again");
    assert!(!has(&mut member, "rows", "deleted"));
}

#[test]
fn what_a_replaced_member_wrote_behind_its_heir_is_written_over() {
    let mut replaced = Replaced::new();
    let newer = replaced.write_behind();
    let Replaced { world, mut heir, .. } = replaced;
    append(&world, "second");
    turn(&mut heir);
    heir.commit_now().expect("commits");
    assert_eq!(changes(&world).last(), Some(&newer));
}

#[test]
fn strays_are_answered_at_once_however_rare_commits_are() {
    let mut replaced = Replaced::new();
    let newer = replaced.write_behind();
    replaced.find();
    turn(&mut replaced.heir);
    assert_eq!(changes(&replaced.world).last(), Some(&newer));
}

#[test]
fn strays_that_cannot_be_read_for_a_moment_do_not_roll_their_task_back() {
    let mut replaced = Replaced::new();
    let newer = replaced.write_behind();
    replaced.oddities.set(|odd| odd.loses_read = true);
    replaced.find();
    turn(&mut replaced.heir);
    replaced.heir.commit_now().expect("commits");
    assert_eq!(changes(&replaced.world).last(), Some(&newer));
    assert_eq!(replaced.heir.status.aborts, 0);
}

#[test]
fn a_rollback_before_the_answer_does_not_take_up_strays() {
    let mut replaced = Replaced::new();
    let newer = replaced.write_behind();
    replaced.find();
    replaced.heir.recover(TaskError::Transport(TransportError::Retriable("away".into()))).expect("recovers");
    turn(&mut replaced.heir);
    replaced.heir.commit_now().expect("commits");
    append(&replaced.world, "second");
    turn(&mut replaced.heir);
    replaced.heir.commit_now().expect("commits");
    let changes = changes(&replaced.world);
    let last = changes.iter().rfind(|(key, _)| *key == newer.0);
    assert_eq!(last, Some(&newer));
}

#[test]
fn strays_that_the_changelog_has_lost_need_no_answer() {
    let mut replaced = Replaced::new();
    replaced.write_behind();
    replaced.find();
    let changelog = TopicPartition::new("app-counts-changelog", 0);
    let end = replaced.world.log.end_offsets(&changelog.topic).expect("reads")[0];
    replaced.world.log.admin().and_then(|mut admin| admin.delete_records(&changelog, end - 1)).expect("deletes");
    turn(&mut replaced.heir);
    assert_eq!(checkpoint(&mut replaced.heir), Some(end));
    assert_eq!((changes(&replaced.world).len(), replaced.heir.status.aborts), (1, 0));
}

#[test]
fn a_flush_does_not_take_up_what_was_lost() {
    let Replaced { mut member, .. } = Replaced::new();
    let task = member.tasks.running().next().expect("it runs");
    let (id, task, partition) = (task.id, task.seal(), TopicPartition::new("in", 0));
    let offset = CommittedOffset { offset: 1, metadata: String::new() };
    let offsets = Some(vec![(partition.clone(), offset)]);
    let mut commit = Commit { pending: Box::new(Answered::default()), offsets, tasks: [(id, task)].into() };
    commit.lose(&[partition], &[id].into());
    assert_eq!((commit.offsets, commit.tasks.len()), (Some(Vec::new()), 0));
}
