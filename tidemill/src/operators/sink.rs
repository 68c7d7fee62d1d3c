//! Turns records into bytes for a topic, and chooses their partition.

use std::sync::Arc;

use bytes::Bytes;
use tidemill_state::Codec;

use super::{DropReason, Failure, Outcome, Receive, SinkLimits, TaskContext, TopicChoice};
use crate::{
    partitioner::{partition_for, partition_of_origin},
    record::{Data, Record},
    transport::{ProducerRecord, Topic},
};

/// Chooses a partition from key, value and the number of partitions.
pub(crate) type Partitioner<K, V> = Arc<dyn Fn(&K, &V, i32) -> i32 + Send + Sync>;

/// Chooses several partitions; `None` leaves the choice to the key.
pub(crate) type Multicast<K, V> = Arc<dyn Fn(&K, &V, i32) -> Option<Vec<i32>> + Send + Sync>;

/// How a sink chooses partitions.
pub(crate) enum Partitioning<K, V> {
    /// By the key's bytes.
    Key,
    /// One partition.
    One(Partitioner<K, V>),
    /// Any number of partitions.
    Many(Multicast<K, V>),
}

impl<K, V> Clone for Partitioning<K, V> {
    fn clone(&self) -> Self {
        match self {
            Self::Key => Self::Key,
            Self::One(choose) => Self::One(choose.clone()),
            Self::Many(choose) => Self::Many(choose.clone()),
        }
    }
}

/// Where a sink writes.
pub(crate) enum SinkTopic<K, V> {
    /// A topic with this number of partitions.
    One(Topic, i32),
    /// The topic that each record chooses.
    ByRecord(TopicChoice<K, V>),
}

/// Writes a topic.
pub(crate) struct Sink<K, V> {
    pub(crate) topic: SinkTopic<K, V>,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    pub(crate) partitioning: Partitioning<K, V>,
    pub(crate) keyless: Keyless,
    pub(crate) limits: SinkLimits,
}

impl<K: Data, V: Data> Sink<K, V> {
    /// The partition of the record's key.
    #[inline]
    fn by_key(&mut self, ctx: &TaskContext, record: &Record<K, V>, key: Option<&Bytes>, partitions: i32) -> i32 {
        match key {
            Some(key) => partition_for(Some(self.key.partition_bytes(key)), partitions),
            None => self.keyless.partition(ctx, record.timestamp, partitions),
        }
    }
}

/// Returns the chosen partition if the topic has it.
fn check(topic: &Topic, chosen: i32, partitions: i32) -> Result<i32, Box<Failure>> {
    if (0..partitions).contains(&chosen) { Ok(chosen) } else { Err(no_partition(topic, chosen, partitions).into()) }
}

#[cold]
fn no_partition(topic: &Topic, chosen: i32, partitions: i32) -> Failure {
    let last = partitions - 1;
    let text =
        format!("the partitioner of topic '{topic}' chose partition {chosen}: it must choose one from 0 to {last}");
    Failure::User(text.into())
}

impl<K: Data, V: Data> Receive<K, V> for Sink<K, V> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
        let (topic, partitions) = match &self.topic {
            SinkTopic::One(topic, partitions) => (topic.clone(), *partitions),
            SinkTopic::ByRecord(choice) => choice.topic_of(&record)?,
        };
        let key = self.key.encode(&record.key)?;
        let value = self.value.encode(&record.value)?;
        let partition = match &self.partitioning {
            Partitioning::Key => self.by_key(ctx, &record, key.as_ref(), partitions),
            Partitioning::One(choose) => check(&topic, choose(&record.key, &record.value, partitions), partitions)?,
            Partitioning::Many(choose) => match choose(&record.key, &record.value, partitions) {
                None => self.by_key(ctx, &record, key.as_ref(), partitions),
                Some(chosen) => {
                    return send_to_each(ctx, &self.limits, chosen, partitions, |partition| ProducerRecord {
                        topic: topic.clone(),
                        partition,
                        timestamp: record.timestamp,
                        key: key.clone(),
                        value: value.clone(),
                        headers: record.headers.clone(),
                    });
                }
            },
        };
        let Record { timestamp, headers, .. } = record;
        let record = ProducerRecord { topic, partition, timestamp, key, value, headers };
        self.limits.check(&record)?;
        ctx.send(record);
        Ok(())
    }
}

/// Sends a copy of a record to each chosen partition, once. Without any partition, the record is dropped.
fn send_to_each(
    ctx: &mut TaskContext,
    limits: &SinkLimits,
    mut chosen: Vec<i32>,
    partitions: i32,
    copy: impl Fn(i32) -> ProducerRecord,
) -> Outcome {
    if chosen.is_empty() {
        ctx.count_dropped(ctx.node, DropReason::NoPartition);
    }
    chosen.sort_unstable();
    chosen.dedup();
    for partition in &chosen {
        let copy = copy(*partition);
        check(&copy.topic, *partition, partitions)?;
        limits.check(&copy)?;
    }
    for partition in chosen {
        ctx.send(copy(partition));
    }
    Ok(())
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
