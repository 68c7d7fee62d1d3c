//! A log with behaviour that the contract allows but that the embedded log never shows.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::transport::{
    Admin, CommittedOffset, Consumer, ConsumerConfig, Fetched, GroupMetadata, Offset, Polled, Producer, ProducerConfig,
    Reader, Rebalance, Topic, TopicPartition, Transport, TransportError, Watermarks, embedded::EmbeddedLog,
};

/// The log. As in Kafka, its consumers know the ends of partitions as of their last poll.
pub(super) struct OddLog {
    pub(super) log: EmbeddedLog,
    pub(super) oddities: Oddities,
}

/// The present odd behaviours.
#[derive(Clone, Default)]
pub(super) struct Oddities(Arc<Mutex<Odd>>);

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is odd by itself, whatever the others are")]
pub(super) struct Odd {
    /// Polls return no records, even if there are some.
    pub(super) brings_nothing: bool,
    /// A poll returns records together with a rebalance.
    pub(super) brings_both: bool,
    /// Assignments of these partitions are reported later.
    pub(super) held: BTreeSet<TopicPartition>,
    /// The next read with records fails, and the assignment after it is refused.
    pub(super) loses_read: bool,
    refuses_assignment: bool,
}

impl Oddities {
    pub(super) fn set<R>(&self, set: impl FnOnce(&mut Odd) -> R) -> R {
        set(&mut self.0.lock().expect("nobody panicked"))
    }
}

impl Transport for OddLog {
    fn consumer(&self, config: &ConsumerConfig) -> Result<Box<dyn Consumer>, TransportError> {
        let (inner, oddities) = (self.log.consumer(config)?, self.oddities.clone());
        Ok(Box::new(OddConsumer { inner, oddities, caught_up: BTreeMap::new(), untold: Vec::new() }))
    }

    fn reader(&self) -> Result<Box<dyn Reader>, TransportError> {
        Ok(Box::new(OddReader { inner: self.log.reader()?, oddities: self.oddities.clone() }))
    }

    fn producer(&self, config: &ProducerConfig) -> Result<Box<dyn Producer>, TransportError> {
        self.log.producer(config)
    }

    fn admin(&self) -> Result<Box<dyn Admin>, TransportError> {
        self.log.admin()
    }
}

struct OddConsumer {
    inner: Box<dyn Consumer>,
    oddities: Oddities,
    caught_up: BTreeMap<TopicPartition, bool>,
    /// Partitions that are assigned but not reported yet.
    untold: Vec<TopicPartition>,
}

impl OddConsumer {
    /// Reports the assignments that are not held back.
    fn tell(&mut self, rebalances: &mut Vec<Rebalance>) -> Result<(), TransportError> {
        let held = self.oddities.set(|odd| odd.held.clone());
        for rebalance in &mut *rebalances {
            if let Rebalance::Assigned(assigned) = rebalance {
                self.untold.extend(assigned.extract_if(.., |partition| held.contains(partition)));
            }
        }
        rebalances.retain(|rebalance| *rebalance != Rebalance::Assigned(Vec::new()));
        let told: Vec<_> = self.untold.extract_if(.., |partition| !held.contains(partition)).collect();
        self.inner.pause(&self.untold)?;
        self.inner.resume(&told)?;
        rebalances.extend((!told.is_empty()).then_some(Rebalance::Assigned(told)));
        Ok(())
    }
}

impl Consumer for OddConsumer {
    fn subscribe(&mut self, topics: &[Topic]) -> Result<(), TransportError> {
        self.inner.subscribe(topics)
    }

    fn poll(&mut self, timeout: Duration) -> Result<Polled, TransportError> {
        let (nothing, both) = self.oddities.set(|odd| (odd.brings_nothing, odd.brings_both));
        let mut polled = if nothing { Polled::default() } else { self.inner.poll(timeout)? };
        self.tell(&mut polled.rebalances)?;
        if both && !polled.rebalances.is_empty() {
            polled.batches = self.inner.poll(Duration::ZERO)?.batches;
        }
        for rebalance in &polled.rebalances {
            if let Rebalance::Assigned(partitions) = rebalance {
                self.caught_up.extend(partitions.iter().map(|partition| (partition.clone(), false)));
            }
        }
        for (partition, caught_up) in &mut self.caught_up {
            *caught_up = self.inner.is_caught_up(partition);
        }
        Ok(polled)
    }

    fn release(&mut self, partitions: &[TopicPartition]) -> Result<(), TransportError> {
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
        self.caught_up.get(partition).is_some_and(|caught_up| *caught_up)
    }

    fn commit(&mut self, offsets: &[(TopicPartition, CommittedOffset)]) -> Result<(), TransportError> {
        self.inner.commit(offsets)
    }

    fn group_metadata(&self) -> GroupMetadata {
        self.inner.group_metadata()
    }
}

struct OddReader {
    inner: Box<dyn Reader>,
    oddities: Oddities,
}

impl Reader for OddReader {
    fn assign(&mut self, partitions: &[(TopicPartition, Offset)]) -> Result<(), TransportError> {
        if self.oddities.set(|odd| std::mem::take(&mut odd.refuses_assignment)) {
            return Err(TransportError::Retriable("the broker is away".into()));
        }
        self.inner.assign(partitions)
    }

    fn read(&mut self, timeout: Duration, max: usize) -> Result<Vec<Fetched>, TransportError> {
        let read = self.inner.read(timeout, max)?;
        if !read.is_empty() && self.oddities.set(|odd| std::mem::take(&mut odd.loses_read)) {
            self.oddities.set(|odd| odd.refuses_assignment = true);
            return Err(TransportError::Retriable("the reply is lost".into()));
        }
        Ok(read)
    }

    fn position(&mut self, partition: &TopicPartition) -> Result<Offset, TransportError> {
        self.inner.position(partition)
    }

    fn watermarks(&mut self, partition: &TopicPartition) -> Result<Watermarks, TransportError> {
        self.inner.watermarks(partition)
    }
}
