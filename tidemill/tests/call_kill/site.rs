//! The log of a run: embedded on disk, or Kafka.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tidemill::transport::{
    CleanupPolicy, ConsumedRecord, ProducerConfig, ProducerRecord, TopicPartition, TopicSpec, Transport,
    embedded::EmbeddedLog,
};

use crate::{
    Tested,
    work::{INPUT, OUTPUT, PARTITIONS},
};

/// Where the log is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Site {
    Embedded(PathBuf),
    Kafka(String),
}

impl Site {
    pub(crate) fn open(&self) -> Tested<Arc<dyn Transport>> {
        match self {
            Self::Embedded(path) => Ok(Arc::new(embedded(path)?)),
            #[cfg(feature = "kafka")]
            Self::Kafka(servers) => {
                use tidemill::transport::kafka::{KafkaConfig, KafkaTransport};
                let config = KafkaConfig::new(servers).transaction_timeout(Duration::from_millis(1_500));
                Ok(Arc::new(KafkaTransport::new(config)?))
            }
            #[cfg(not(feature = "kafka"))]
            Self::Kafka(_) => Err("built without Kafka".into()),
        }
    }
}

/// A killed process may still be dying when the next one wants its log.
pub(crate) fn embedded(path: &Path) -> Tested<EmbeddedLog> {
    let began = Instant::now();
    loop {
        match EmbeddedLog::open(path) {
            Err(_) if began.elapsed() < Duration::from_secs(10) => std::thread::sleep(Duration::from_millis(5)),
            opened => return Ok(opened?),
        }
    }
}

pub(crate) fn create_topics(log: &dyn Transport) -> Tested {
    for name in [INPUT, OUTPUT] {
        let cleanup = CleanupPolicy::Delete;
        log.admin()?.create_topic(&TopicSpec {
            name: name.into(),
            partitions: PARTITIONS,
            cleanup,
            retention: None,
        })?;
    }
    Ok(())
}

pub(crate) fn append(log: &dyn Transport, records: Vec<ProducerRecord>) -> Tested {
    let mut producer = log.producer(&ProducerConfig { transactional_id: None })?;
    for record in records {
        producer.send(record)?;
    }
    // The records are on their way also if a busy broker lets them wait.
    patiently(|| Ok(producer.flush()?))?;
    Ok(())
}

/// Tries again for a while: on a busy machine, brokers answer late.
pub(crate) fn patiently<T>(mut attempt: impl FnMut() -> Tested<T>) -> Tested<T> {
    let began = Instant::now();
    loop {
        match attempt() {
            Err(_) if began.elapsed() < Duration::from_secs(120) => std::thread::sleep(Duration::from_millis(100)),
            outcome => return outcome,
        }
    }
}

/// Everything that a committed read sees of a topic now, by partition, in order. A topic that does not exist is empty.
pub(crate) fn read_all(log: &dyn Transport, topic: &str) -> Tested<Vec<(i32, ConsumedRecord)>> {
    patiently(|| try_read_all(log, topic))
}

fn try_read_all(log: &dyn Transport, topic: &str) -> Tested<Vec<(i32, ConsumedRecord)>> {
    let mut records = Vec::new();
    let Some(spec) = log.admin()?.describe_topic(topic)? else { return Ok(records) };
    let mut reader = log.reader()?;
    let (mut starts, mut ends) = (Vec::new(), Vec::new());
    for number in 0..spec.partitions {
        let partition = TopicPartition::new(topic, number);
        let bounds = reader.watermarks(&partition)?;
        starts.push((partition.clone(), bounds.low));
        ends.push((partition, bounds.high));
    }
    reader.assign(&starts)?;
    let began = Instant::now();
    loop {
        let mut missing = false;
        for (partition, end) in &ends {
            missing |= reader.position(partition)? < *end;
        }
        if !missing {
            break;
        }
        if began.elapsed() > Duration::from_secs(60) {
            return Err(format!("{topic} cannot be read to its end").into());
        }
        for fetched in reader.read(Duration::from_millis(20), 5_000)? {
            let number = fetched.partition.partition;
            records.extend(fetched.records.into_iter().map(|record| (number, record)));
        }
    }
    records.sort_by_key(|(partition, record)| (*partition, record.offset));
    Ok(records)
}
