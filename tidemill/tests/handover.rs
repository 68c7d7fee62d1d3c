//! Threads of one instance hand tasks over: a store is closed before another thread may open it.
#![cfg(feature = "rocksdb")]

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use tidemill::{
    Streams, StreamsBuilder, StreamsConfig, StreamsState,
    state::{RocksDbBackend, RocksDbOptions, RocksDbShared},
    transport::{
        Admin, CommittedOffset, Consumer, ConsumerConfig, GroupMetadata, Offset, Polled, Producer, ProducerConfig,
        Reader, Rebalance, Topic, TopicPartition, Transport, TransportError, Watermarks,
        embedded::{EmbeddedLog, Entry},
    },
};

/// A log that looks, whenever a consumer gives partitions up, whether their stores are closed.
#[derive(Clone)]
struct Watched {
    log: EmbeddedLog,
    state: PathBuf,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    consumers: AtomicUsize,
    assigned: AtomicUsize,
    released: AtomicUsize,
    left: AtomicUsize,
    still_open: Mutex<Vec<String>>,
}

struct WatchedConsumer {
    inner: Box<dyn Consumer>,
    log: Watched,
    owned: BTreeSet<TopicPartition>,
}

impl WatchedConsumer {
    fn check_closed<'a>(&self, when: &str, partitions: impl Iterator<Item = &'a TopicPartition>) {
        for TopicPartition { partition, .. } in partitions {
            let path = self.log.state.join(format!("handover/0_{partition}/counts"));
            let opened = RocksDbBackend::open(&path, &RocksDbOptions::default(), &RocksDbShared::default(), false);
            if let Err(error) = opened {
                let mut still_open = self.log.seen.still_open.lock().unwrap_or_else(PoisonError::into_inner);
                still_open.push(format!("{when}, partition {partition}: {error}"));
            }
        }
    }
}

impl Transport for Watched {
    fn consumer(&self, config: &ConsumerConfig) -> Result<Box<dyn Consumer>, TransportError> {
        // The second thread joins when the first owns everything, so that there is something to hand over.
        if self.seen.consumers.fetch_add(1, Ordering::SeqCst) > 0 {
            while self.seen.assigned.load(Ordering::SeqCst) < 2 {
                thread::yield_now();
            }
        }
        Ok(Box::new(WatchedConsumer { inner: self.log.consumer(config)?, log: self.clone(), owned: BTreeSet::new() }))
    }

    fn reader(&self) -> Result<Box<dyn Reader>, TransportError> {
        self.log.reader()
    }

    fn producer(&self, config: &ProducerConfig) -> Result<Box<dyn Producer>, TransportError> {
        self.log.producer(config)
    }

    fn admin(&self) -> Result<Box<dyn Admin>, TransportError> {
        self.log.admin()
    }
}

impl Consumer for WatchedConsumer {
    fn subscribe(&mut self, topics: &[Topic]) -> Result<(), TransportError> {
        self.inner.subscribe(topics)
    }

    fn poll(&mut self, timeout: Duration) -> Result<Polled, TransportError> {
        let polled = self.inner.poll(timeout)?;
        for rebalance in &polled.rebalances {
            if let Rebalance::Assigned(partitions) = rebalance {
                self.owned.extend(partitions.iter().cloned());
                self.log.seen.assigned.fetch_add(partitions.len(), Ordering::SeqCst);
            }
        }
        Ok(polled)
    }

    fn release(&mut self, partitions: &[TopicPartition]) -> Result<(), TransportError> {
        self.check_closed("released", partitions.iter());
        self.owned.retain(|partition| !partitions.contains(partition));
        self.log.seen.released.fetch_add(partitions.len(), Ordering::SeqCst);
        self.inner.release(partitions)
    }

    fn committed(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<CommittedOffset>>, TransportError> {
        self.inner.committed(partitions)
    }

    fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> Result<(), TransportError> {
        self.inner.seek(partition, offset)
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), TransportError> {
        self.inner.pause(partitions)
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), TransportError> {
        self.inner.resume(partitions)
    }

    fn watermarks(&mut self, partition: &TopicPartition) -> Result<Watermarks, TransportError> {
        self.inner.watermarks(partition)
    }

    fn is_caught_up(&mut self, partition: &TopicPartition) -> bool {
        self.inner.is_caught_up(partition)
    }

    fn commit(&mut self, offsets: &[(TopicPartition, CommittedOffset)]) -> Result<(), TransportError> {
        self.inner.commit(offsets)
    }

    fn group_metadata(&self) -> GroupMetadata {
        self.inner.group_metadata()
    }
}

impl Drop for WatchedConsumer {
    fn drop(&mut self) {
        self.check_closed("left", self.owned.iter());
        self.log.seen.left.fetch_add(self.owned.len(), Ordering::SeqCst);
    }
}

#[test]
fn a_store_is_closed_before_its_partition_is_free() {
    let state = tempfile::tempdir().expect("a folder");
    let log = EmbeddedLog::in_memory();
    for topic in ["in", "out"] {
        log.create(topic, 2).expect("creates");
    }
    for partition in 0..2 {
        log.append("in", partition, [Entry::new("key", "value", 0)]).expect("appends");
    }
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").group_by_key().count("counts").to_stream().to("out");

    let seen = Arc::new(Seen::default());
    let watched = Watched { log, state: state.path().to_owned(), seen: seen.clone() };
    let config = StreamsConfig {
        num_stream_threads: 2,
        state_dir: Some(state.path().to_owned()),
        poll_timeout: Duration::from_millis(5),
        ..StreamsConfig::new("handover")
    };
    let streams = Streams::start(&builder.build().expect("is valid"), config, watched).expect("starts");
    // Both partitions go to the first thread, and one of them then to the second.
    while seen.assigned.load(Ordering::SeqCst) < 3 && streams.state() == StreamsState::Running {
        thread::yield_now();
    }
    streams.close().expect("ends well");

    let count = |of: &AtomicUsize| of.load(Ordering::SeqCst);
    assert_eq!((count(&seen.released), count(&seen.left)), (1, 2), "partitions released, and left with");
    let still_open = seen.still_open.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(*still_open, [] as [String; 0]);
}
