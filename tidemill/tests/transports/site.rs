//! One transport, with names that no other scenario uses.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tidemill::transport::{
    CleanupPolicy, ConsumedRecord, Headers, Offset, Producer, ProducerConfig, ProducerRecord, Reader, Topic,
    TopicPartition, TopicSpec, Transport, embedded::EmbeddedLog,
};

use crate::{Tested, patiently, wait_for};

pub(crate) struct Site {
    pub(crate) transport: Arc<dyn Transport>,
    name: String,
}

impl Site {
    pub(crate) fn new(transport: impl Transport, scenario: &str) -> Self {
        // `LOG=tidemill=debug cargo test …` shows what the engine has to say.
        let filter = std::env::var("LOG").unwrap_or_default();
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
        // A topic's name has its limit.
        Self { transport: Arc::new(transport), name: scenario.chars().take(100).collect() }
    }

    pub(crate) fn embedded(scenario: &str) -> Self {
        Self::new(EmbeddedLog::in_memory(), scenario)
    }

    /// The broker that all scenarios share; `None` if there is none.
    #[cfg(feature = "kafka")]
    pub(crate) fn kafka(scenario: &str) -> Tested<Option<Self>> {
        use tidemill::transport::kafka::{KafkaConfig, KafkaTransport};
        use tidemill_broker::Broker;

        let Some(broker) = Broker::shared() else { return Ok(None) };
        Ok(Some(Self::new(KafkaTransport::new(KafkaConfig::new(broker.bootstrap_servers()))?, scenario)))
    }

    /// A name of this scenario's own: for topics, groups, transactional ids.
    pub(crate) fn named(&self, name: &str) -> String {
        format!("{}.{name}", self.name)
    }

    pub(crate) fn topic(&self, name: &str) -> Topic {
        self.named(name).into()
    }

    pub(crate) fn partition(&self, topic: &str, partition: i32) -> TopicPartition {
        TopicPartition::new(self.topic(topic), partition)
    }

    pub(crate) fn create(&self, topic: &str, partitions: i32) -> Tested {
        Ok(self.transport.admin()?.create_topic(&TopicSpec {
            name: self.topic(topic),
            partitions,
            cleanup: CleanupPolicy::Delete,
            retention: None,
        })?)
    }

    pub(crate) fn producer(&self) -> Tested<Box<dyn Producer>> {
        Ok(self.transport.producer(&ProducerConfig::default())?)
    }

    /// One that was initialised.
    pub(crate) fn transactional(&self, id: &str) -> Tested<Box<dyn Producer>> {
        let config = ProducerConfig { transactional_id: Some(self.named(id)) };
        let mut producer = self.transport.producer(&config)?;
        producer.init_transactions()?;
        Ok(producer)
    }

    pub(crate) fn record(&self, topic: &str, partition: i32, value: &str) -> ProducerRecord {
        ProducerRecord {
            topic: self.topic(topic),
            partition,
            timestamp: 1_000,
            key: Some("key".into()),
            value: Some(Bytes::copy_from_slice(value.as_bytes())),
            headers: Headers::new(),
        }
    }

    /// Sends these to one partition and waits until they are there.
    pub(crate) fn send(&self, topic: &str, partition: i32, values: &[&str]) -> Tested {
        let mut producer = self.producer()?;
        for value in values {
            producer.send(self.record(topic, partition, value))?;
        }
        Ok(producer.flush().map(drop)?)
    }

    /// Everything that a committed read sees of a topic now, by partition.
    pub(crate) fn read_all(&self, topic: &str) -> Tested<Vec<(i32, ConsumedRecord)>> {
        patiently("a topic is read", || self.try_read_all(topic))
    }

    fn try_read_all(&self, topic: &str) -> Tested<Vec<(i32, ConsumedRecord)>> {
        let name = self.topic(topic);
        let spec = self.transport.admin()?.describe_topic(&name)?.ok_or("the topic does not exist")?;
        let mut reader = self.transport.reader()?;
        let partitions = (0..spec.partitions).map(|number| TopicPartition::new(name.clone(), number));
        let (mut starts, mut ends) = (Vec::new(), Vec::new());
        for partition in partitions {
            let low = reader.watermarks(&partition)?.low;
            starts.push((partition, low));
        }
        reader.assign(&starts)?;
        for (partition, _) in starts {
            let high = reader.watermarks(&partition)?.high;
            ends.push((partition, high));
        }
        let mut records = read_until(reader.as_mut(), &ends)?;
        records.sort_by_key(|(partition, record)| (*partition, record.offset));
        Ok(records)
    }

    /// The values of [`Site::read_all`], as text.
    pub(crate) fn values(&self, topic: &str) -> Tested<Vec<String>> {
        Ok(self.read_all(topic)?.iter().map(|(_, record)| text(record)).collect())
    }
}

/// Reads until every position is there.
pub(crate) fn read_until(
    reader: &mut dyn Reader,
    ends: &[(TopicPartition, Offset)],
) -> Tested<Vec<(i32, ConsumedRecord)>> {
    let mut records = Vec::new();
    wait_for("the reader reaches the end", || {
        for batch in reader.read(Duration::from_millis(50), 1000)? {
            let partition = batch.partition.partition;
            records.extend(batch.records.into_iter().map(|record| (partition, record)));
        }
        for (partition, end) in ends {
            if reader.position(partition)? < *end {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })?;
    Ok(records)
}

pub(crate) fn text(record: &ConsumedRecord) -> String {
    String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned()
}
