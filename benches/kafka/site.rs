//! The benchmark's access to the broker.

use std::time::Duration;

use bytes::Bytes;

use tidemill::{
    partition_for,
    transport::{
        CleanupPolicy, Headers, Producer, ProducerConfig, ProducerRecord, Reader, Topic, TopicPartition, TopicSpec,
        Transport,
        embedded::Entry,
        kafka::{KafkaConfig, KafkaTransport},
    },
};

use crate::BenchResult;

/// The default number of partitions of a topic.
pub(crate) const PARTITIONS: i32 = 4;

pub(crate) struct Site {
    pub(crate) servers: String,
    pub(crate) transport: KafkaTransport,
}

impl Site {
    pub(crate) fn new(servers: String) -> BenchResult<Self> {
        let transport = KafkaTransport::new(KafkaConfig::new(&servers))?;
        Ok(Self { servers, transport })
    }

    pub(crate) fn has(&self, topic: &str) -> BenchResult<bool> {
        Ok(self.transport.admin()?.describe_topic(topic)?.is_some())
    }

    pub(crate) fn create(&self, topic: &str, partitions: i32, cleanup: CleanupPolicy) -> BenchResult {
        let spec = TopicSpec { name: topic.into(), partitions, cleanup, retention: None };
        Ok(self.transport.admin()?.create_topic(&spec)?)
    }

    /// Deletes all topics with this prefix, so that the topics of one run do not slow down the next.
    pub(crate) fn delete(&self, prefix: &str) -> BenchResult {
        let mut admin = self.transport.admin()?;
        for topic in admin.list_topics()?.into_iter().filter(|topic| topic.starts_with(prefix)) {
            admin.delete_topic(&topic)?;
        }
        Ok(())
    }

    pub(crate) fn producer(&self) -> BenchResult<Box<dyn Producer>> {
        Ok(self.transport.producer(&ProducerConfig::default())?)
    }

    /// A producer with one changed setting.
    pub(crate) fn producer_with(&self, property: &str, value: &str) -> BenchResult<Box<dyn Producer>> {
        let config = KafkaConfig::new(&self.servers).set(property, value);
        Ok(KafkaTransport::new(config)?.producer(&ProducerConfig::default())?)
    }

    /// Sends each record to the partition of its key, like a Java producer. Returns the number of bytes sent.
    pub(crate) fn load(&self, topic: &str, entries: impl Iterator<Item = Entry>) -> BenchResult<u64> {
        let (topic, mut producer) = (Topic::from(topic), self.producer()?);
        let mut bytes = 0;
        for entry in entries {
            bytes += entry.key.as_ref().map_or(0, Bytes::len) as u64;
            bytes += entry.value.as_ref().map_or(0, Bytes::len) as u64;
            producer.send(record(&topic, PARTITIONS, entry))?;
        }
        producer.flush()?;
        Ok(bytes)
    }

    /// A reader of committed records that starts at the end of a topic.
    pub(crate) fn reader_at_end(&self, topic: &str, partitions: i32) -> BenchResult<Box<dyn Reader>> {
        let mut reader = self.transport.reader()?;
        let mut ends = Vec::new();
        for partition in (0..partitions).map(|number| TopicPartition::new(topic, number)) {
            let high = reader.watermarks(&partition)?.high;
            ends.push((partition, high));
        }
        reader.assign(&ends)?;
        // The first fetch finds the end.
        reader.read(Duration::from_millis(500), 1)?;
        Ok(reader)
    }
}

pub(crate) fn record(topic: &Topic, partitions: i32, entry: Entry) -> ProducerRecord {
    ProducerRecord {
        topic: topic.clone(),
        partition: partition_for(entry.key.as_deref(), partitions),
        timestamp: entry.timestamp,
        key: entry.key,
        value: entry.value,
        headers: Headers::new(),
    }
}
