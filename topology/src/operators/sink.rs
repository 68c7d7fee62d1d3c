//! Turns records into bytes for a topic, and chooses their partition.

use std::sync::Arc;

use bytes::Bytes;
use tidemill_state::Codec;

use super::{Outcome, Receive, TaskContext};
use crate::{
    partitioner::partition_for,
    record::{Data, Record},
    transport::{ProducerRecord, Topic},
};

/// Chooses a partition from key, value and the number of partitions.
pub(crate) type Partitioner<K, V> = Arc<dyn Fn(&K, &V, i32) -> i32 + Send + Sync>;

/// Writes a topic.
pub(crate) struct Sink<K, V> {
    pub(crate) topic: Topic,
    pub(crate) partitions: i32,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    pub(crate) partitioner: Option<Partitioner<K, V>>,
}

impl<K: Data, V: Data> Sink<K, V> {
    fn partition(&self, record: &Record<K, V>, key: Option<&Bytes>) -> i32 {
        match &self.partitioner {
            Some(choose) => choose(&record.key, &record.value, self.partitions).clamp(0, self.partitions - 1),
            None => partition_for(key.map(|key| self.key.partition_bytes(key)), self.partitions),
        }
    }
}

impl<K: Data, V: Data> Receive<K, V> for Sink<K, V> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
        let key = self.key.encode(&record.key)?;
        let value = self.value.encode(&record.value)?;
        let partition = self.partition(&record, key.as_ref());
        ctx.send(ProducerRecord {
            topic: self.topic.clone(),
            partition,
            timestamp: record.timestamp,
            key,
            value,
            headers: record.headers,
        });
        Ok(())
    }
}
