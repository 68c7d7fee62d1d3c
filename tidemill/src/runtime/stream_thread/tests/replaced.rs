//! A member that was replaced while it flushed.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use super::{StreamThread, World};
use crate::{
    ProcessingGuarantee, StreamsBuilder, StreamsConfig,
    operators::StoreHandle,
    transport::{
        Admin, Consumed, Consumer, ConsumerConfig, PendingCommit, Producer, ProducerConfig, ProducerRecord, Progress,
        Reader, Transport, TransportError,
        embedded::{EmbeddedLog, Entry},
    },
};

const SESSION: Duration = Duration::from_millis(500);

/// A log to which records leave only while somebody waits for them.
struct LazyLog(EmbeddedLog);

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
        Ok(Box::new(LazyProducer(Arc::new(Mutex::new(lazy)))))
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
        let Lazy { inner, waiting } = &mut *self.lock();
        waiting.drain(..).try_for_each(|record| inner.send(record))?;
        inner.flush().map(Progress::Done)
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

#[test]
fn a_flush_behind_the_next_owners_records_does_not_hide_them_from_the_store() {
    let world = World::new(1);
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").group_by_key().count("counts").to_stream().to("out");
    let processing_guarantee = ProcessingGuarantee::AtLeastOnce;
    let config = StreamsConfig { processing_guarantee, session_timeout: SESSION, ..StreamsConfig::new("app") };
    // A member with standbys keeps the stores of a lost task.
    let config = StreamsConfig { num_standby_replicas: 1, ..config };
    world.log.append("in", 0, [Entry::new("first", "v", 0)]).expect("appends");
    let mut replaced = world.thread_on(Arc::new(LazyLog(world.log.clone())), &builder, config.clone());
    turn(&mut replaced);
    replaced.begin_commit().expect("begins");

    world.clock.advance(SESSION * 2);
    world.log.append("in", 0, [Entry::new("second", "v", 0)]).expect("appends");
    let mut heir = world.thread(&builder, config);
    turn(&mut heir);
    assert!(counts(&mut heir, "first") && counts(&mut heir, "second"));
    heir.close().expect("closes");

    turn(&mut replaced);
    assert!(counts(&mut replaced, "first"), "it has the partition again");
    assert!(counts(&mut replaced, "second"), "it read what the heir wrote");
    let changes = world.log.read_all("app-counts-changelog").expect("reads");
    let keys: Vec<_> = changes.iter().filter_map(|(_, change)| change.key.as_deref()).collect();
    assert_eq!(keys, [&b"first"[..], b"second", b"first"], "its own flush came last");
}
