//! Turns records into bytes for a topic, and chooses their partition.

use std::sync::Arc;

use bytes::Bytes;
use tidemill_state::Codec;

use super::{Failure, Outcome, Receive, TaskContext};
use crate::{
    partitioner::{partition_for, partition_of_origin},
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
    pub(crate) keyless: Keyless,
}

impl<K: Data, V: Data> Sink<K, V> {
    fn partition(
        &mut self,
        ctx: &TaskContext,
        record: &Record<K, V>,
        key: Option<&Bytes>,
    ) -> Result<i32, Box<Failure>> {
        match (&self.partitioner, key) {
            (Some(choose), _) => {
                let chosen = choose(&record.key, &record.value, self.partitions);
                if (0..self.partitions).contains(&chosen) { Ok(chosen) } else { Err(self.no_partition(chosen).into()) }
            }
            (None, Some(key)) => Ok(partition_for(Some(self.key.partition_bytes(key)), self.partitions)),
            (None, None) => Ok(self.keyless.partition(ctx, record.timestamp, self.partitions)),
        }
    }

    #[cold]
    fn no_partition(&self, chosen: i32) -> Failure {
        let last = self.partitions - 1;
        let text = format!(
            "the partitioner of topic '{}' chose partition {chosen}: it must choose one from 0 to {last}",
            self.topic
        );
        Failure::User(text.into())
    }
}

impl<K: Data, V: Data> Receive<K, V> for Sink<K, V> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
        let key = self.key.encode(&record.key)?;
        let value = self.value.encode(&record.value)?;
        let partition = self.partition(ctx, &record, key.as_ref())?;
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

/// Spreads records without a key evenly over the partitions of a topic. The input record decides the first partition;
/// if one input record produces several records, they go to the partitions that follow in turn. A record that is
/// processed again goes to the same partition as before.
pub(crate) struct Keyless {
    task: i32,
    /// The queue and offset of the input record. Between records: no queue, and the record's timestamp.
    origin: (Option<usize>, i64),
    first: i32,
    sent: i32,
}

impl Keyless {
    /// For the task with this partition number.
    pub(crate) fn new(task: i32) -> Self {
        Self { task, origin: (None, -1), first: 0, sent: 0 }
    }

    fn partition(&mut self, ctx: &TaskContext, timestamp: i64, partitions: i32) -> i32 {
        let origin = (ctx.queue, if ctx.queue.is_some() { ctx.offset } else { timestamp });
        if origin != self.origin {
            let (queue, at) = (origin.0.map_or(0, |queue| queue + 1), origin.1);
            self.origin = origin;
            (self.first, self.sent) = (partition_of_origin(self.task, queue, at, partitions), 0);
        }
        let partition = (self.first + self.sent) % partitions;
        self.sent = (self.sent + 1) % partitions;
        partition
    }
}
