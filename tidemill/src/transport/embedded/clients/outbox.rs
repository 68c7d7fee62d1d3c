//! A producer's records that will be appended together.

use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;

use crate::transport::embedded::{
    log::broker::{Batch, Broker},
    storage::{Change, Stored},
};
use crate::transport::{
    Acknowledged, CleanupPolicy, ConsumedRecord, ProducerRecord, Topic, TopicPartition, TransportError,
};

/// Batches by partition. Each topic is looked up once. Later it is found by the address of its name.
pub(in crate::transport::embedded) struct Outbox {
    pub(in crate::transport::embedded) broker: Arc<Broker>,
    batches: Vec<Batch>,
    routes: HashMap<Topic, Route>,
    last: Option<(Topic, Route)>,
    records: usize,
    bytes: usize,
}

/// The position of a topic's batches.
#[derive(Clone, Copy)]
struct Route {
    first: usize,
    partitions: usize,
}

impl Outbox {
    pub(in crate::transport::embedded) fn new(broker: Arc<Broker>) -> Self {
        Self { broker, batches: Vec::new(), routes: HashMap::new(), last: None, records: 0, bytes: 0 }
    }

    /// Adds a record, or returns an error if the log could not append it.
    pub(in crate::transport::embedded) fn push(&mut self, record: ProducerRecord) -> Result<(), TransportError> {
        let ProducerRecord { topic, partition, timestamp, key, value, headers } = record;
        let bytes = key.as_ref().map_or(0, Bytes::len) + value.as_ref().map_or(0, Bytes::len);
        if let Some(most) = self.broker.record_bytes_max.filter(|most| bytes + headers.size() > *most) {
            let bytes = bytes + headers.size();
            let text =
                format!("a record of {bytes} bytes for topic '{topic}' is larger than the log takes: {most} bytes");
            return Err(TransportError::Invalid(text.into()));
        }
        let batch = self.batch(&topic, partition)?;
        if key.is_none() && batch.partition.cleanup != CleanupPolicy::Delete {
            let name = &batch.partition.name;
            return Err(TransportError::Invalid(format!("{name} is compacted, so its records need a key").into()));
        }
        let record = ConsumedRecord { offset: 0, timestamp, key, value, headers };
        batch.records.push(Stored { record, appended_at_ms: 0 });
        self.records += 1;
        self.bytes += bytes;
        Ok(())
    }

    /// The number of waiting records, and the size of their keys and values in bytes.
    pub(in crate::transport::embedded) fn waiting(&self) -> (usize, usize) {
        (self.records, self.bytes)
    }

    /// Appends all records and makes the other changes, atomically.
    pub(in crate::transport::embedded) fn deliver(&mut self, others: Vec<Change<'_>>) -> Result<(), TransportError> {
        self.broker.append(&mut self.batches, others)?;
        (self.records, self.bytes) = (0, 0);
        Ok(())
    }

    /// Drops all waiting records.
    pub(in crate::transport::embedded) fn clear(&mut self) {
        self.batches.iter_mut().for_each(|batch| batch.records.clear());
        (self.records, self.bytes) = (0, 0);
    }

    /// Drops the waiting records of deleted topics.
    pub(in crate::transport::embedded) fn clear_deleted(&mut self) {
        self.batches.iter_mut().filter(|batch| batch.partition.is_deleted()).for_each(|batch| batch.records.clear());
    }

    /// The end offsets of the records appended since the last call, by partition.
    pub(in crate::transport::embedded) fn take_acknowledged(&mut self) -> Acknowledged {
        let acknowledged = |batch: &mut Batch| Some((batch.partition.name.clone(), batch.acknowledged.take()?));
        self.batches.iter_mut().filter_map(acknowledged).collect()
    }

    fn batch(&mut self, topic: &Topic, partition: i32) -> Result<&mut Batch, TransportError> {
        let known = match &self.last {
            Some((last, route)) if Arc::ptr_eq(last, topic) => Some(*route),
            _ => self.routes.get(topic).copied(),
        };
        let route = match known {
            Some(route) if !self.batches[route.first].partition.is_deleted() => route,
            _ => self.open(topic)?,
        };
        if !self.last.as_ref().is_some_and(|(last, _)| Arc::ptr_eq(last, topic)) || known.is_none() {
            self.last = Some((Arc::clone(topic), route));
        }
        let number = usize::try_from(partition).ok().filter(|number| *number < route.partitions);
        let number = number
            .ok_or_else(|| TransportError::UnknownPartition(TopicPartition::new(Arc::clone(topic), partition)))?;
        Ok(&mut self.batches[route.first + number])
    }

    fn open(&mut self, topic: &Topic) -> Result<Route, TransportError> {
        let log = Arc::clone(self.broker.lock().topics.get(topic)?);
        let route = Route { first: self.batches.len(), partitions: log.partitions.len() };
        let batch =
            |partition: &Arc<_>| Batch { partition: Arc::clone(partition), records: Vec::new(), acknowledged: None };
        self.batches.extend(log.partitions.iter().map(batch));
        self.routes.insert(Arc::clone(topic), route);
        self.last = None;
        Ok(route)
    }
}
