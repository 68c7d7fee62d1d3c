//! Reads chosen partitions outside any group.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::fetch::{Cursor, fetch};
use crate::transport::embedded::log::broker::Broker;
use crate::transport::{Fetched, Offset, Reader, TopicPartition, TransportError, Watermarks};

/// A reader of the embedded log.
pub(in crate::transport::embedded) struct EmbeddedReader {
    broker: Arc<Broker>,
    cursors: Vec<Cursor>,
}

impl EmbeddedReader {
    pub(in crate::transport::embedded) fn new(broker: Arc<Broker>) -> Self {
        Self { broker, cursors: Vec::new() }
    }

    fn fetch(&mut self, max: usize) -> Result<Vec<Fetched>, TransportError> {
        for cursor in &self.cursors {
            let partition = &cursor.partition;
            if partition.is_deleted() {
                return Err(TransportError::UnknownTopic(partition.name.topic.to_string()));
            }
            if !(partition.low()..=partition.high()).contains(&cursor.position) {
                return Err(partition.out_of_range(cursor.position));
            }
        }
        if !self.cursors.is_empty() {
            self.cursors.rotate_left(1);
        }
        let ready = self.cursors.iter_mut().filter(|cursor| cursor.available() > 0).collect();
        fetch(&*self.broker.storage, ready, max)
    }
}

impl Reader for EmbeddedReader {
    fn assign(&mut self, partitions: &[(TopicPartition, Offset)]) -> Result<(), TransportError> {
        let coordinator = self.broker.lock();
        let open = |(name, position): &(TopicPartition, Offset)| {
            let partition = Arc::clone(coordinator.topics.partition(name)?);
            Ok(Cursor { partition, position: *position })
        };
        self.cursors = partitions.iter().map(open).collect::<Result<_, TransportError>>()?;
        Ok(())
    }

    fn read(&mut self, timeout: Duration, max: usize) -> Result<Vec<Fetched>, TransportError> {
        let started = Instant::now();
        loop {
            let seen = self.broker.arrivals.seen();
            let batches = self.fetch(max)?;
            let left = timeout.saturating_sub(started.elapsed());
            if !batches.is_empty() || left.is_zero() {
                return Ok(batches);
            }
            self.broker.arrivals.wait(seen, left);
        }
    }

    fn position(&mut self, name: &TopicPartition) -> Result<Offset, TransportError> {
        let cursor = self.cursors.iter().find(|cursor| cursor.partition.name == *name);
        let cursor =
            cursor.ok_or_else(|| TransportError::Invalid(format!("this reader does not read {name}").into()))?;
        Ok(cursor.position)
    }

    fn watermarks(&mut self, partition: &TopicPartition) -> Result<Watermarks, TransportError> {
        let coordinator = self.broker.lock();
        let partition = coordinator.topics.partition(partition)?;
        Ok(Watermarks { low: partition.low(), high: partition.high() })
    }
}
