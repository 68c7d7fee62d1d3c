//! A member that was replaced while it flushed.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;

use super::{StreamThread, World};
use crate::{
    ProcessingGuarantee, StreamsBuilder, StreamsConfig,
    operators::StoreHandle,
    transport::{
        Acknowledged, Admin, Consumed, Consumer, ConsumerConfig, PendingCommit, Producer, ProducerConfig,
        ProducerRecord, Progress, Reader, Transport, TransportError,
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

/// Whether a thread's store of counts has a key.
fn counts(thread: &mut StreamThread, key: &str) -> bool {
    thread.stores().expect("has its stores").iter().any(|stores| {
        let StoreHandle::KeyValue(store) = &stores.handles["counts"] else { return false };
        store.borrow().get(key.as_bytes()).expect("reads").is_some()
    })
}

fn append(world: &World, key: &'static str) {
    world.log.append("in", 0, [Entry::new(key, "v", 0)]).expect("appends");
}

/// The keys and values of the changelog, in order.
fn changes(world: &World) -> Vec<(Bytes, Bytes)> {
    let changes = world.log.read_all("app-counts-changelog").expect("reads").into_iter();
    changes.map(|(_, change)| (change.key.unwrap_or_default(), change.value.unwrap_or_default())).collect()
}

/// A member that hangs in its first flush, and the heir of its task.
struct Replaced {
    world: World,
    member: StreamThread,
    producer: LazyProducer,
    heir: StreamThread,
}

impl Replaced {
    fn new() -> Self {
        let world = World::new(1);
        let builder = StreamsBuilder::new();
        builder.stream::<String, String>("in").group_by_key().count("counts").to_stream().to("out");
        let processing_guarantee = ProcessingGuarantee::AtLeastOnce;
        let config = StreamsConfig { processing_guarantee, session_timeout: SESSION, ..StreamsConfig::new("app") };
        // A member with standbys keeps the stores of a lost task.
        let config = StreamsConfig { num_standby_replicas: 1, ..config };
        append(&world, "first");
        let log = LazyLog(world.log.clone(), Arc::default());
        let mut member = world.thread_on(Arc::new(log.clone()), &builder, config.clone());
        turn(&mut member);
        member.begin_commit().expect("begins");
        world.clock.advance(SESSION * 2);
        let heir = world.thread(&builder, config);
        let producer = log.1.lock().expect("nobody panicked").clone().expect("it has one");
        Self { world, member, producer, heir }
    }
}

#[test]
fn a_flush_behind_the_next_owners_records_does_not_hide_them_from_the_store() {
    let Replaced { world, mut member, mut heir, .. } = Replaced::new();
    append(&world, "second");
    turn(&mut heir);
    heir.close().expect("closes");
    turn(&mut member);
    assert!(counts(&mut member, "first"), "it has the partition again");
    assert!(counts(&mut member, "second"), "it read what the heir wrote");
    let changes = changes(&world);
    let keys: Vec<_> = changes.iter().map(|(key, _)| &key[..]).collect();
    assert_eq!(keys, [&b"first"[..], b"second", b"first"], "its own flush came last");
}

#[test]
fn what_a_replaced_member_wrote_behind_its_heir_is_written_over() {
    let Replaced { world, producer, mut heir, .. } = Replaced::new();
    append(&world, "first");
    turn(&mut heir);
    heir.commit_now().expect("commits");
    producer.send_all().expect("leave");
    let [.., newer, older] = &changes(&world)[..] else { panic!("two changes") };
    assert_eq!((&newer.0, &older.0), (&"first".into(), &"first".into()));
    assert_ne!(newer.1, older.1, "the older count came last");
    append(&world, "second");
    turn(&mut heir);
    heir.commit_now().expect("commits");
    assert_eq!(changes(&world).last(), Some(newer));
}
