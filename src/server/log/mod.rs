//! The log that the applications run on, embedded or Kafka, and the server's access to it.
//!
//! Methods block, except [`Log::write`] and [`Log::partitions`] of a known topic. Call them on threads that may wait.

mod lag;
mod reach;
mod readers;
mod scan;
mod writer;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tidemill::transport::{
    Admin, ConsumedRecord, Offset, ProducerRecord, Reader, Topic, TopicPartition, Transport, TransportError,
    embedded::EmbeddedLog,
    kafka::{KafkaConfig, KafkaTransport},
};

use self::{lag::Groups, readers::Readers, writer::Writer};
use super::{error::EngineError, settings::Settings};

pub(super) use lag::PartitionLag;
pub(super) use scan::scan;
pub(super) use writer::WriteError;

/// A log with clients that are kept open. Clones share the clients.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
}

struct Shared {
    transport: Arc<dyn Transport>,
    embedded: Option<EmbeddedLog>,
    readers: Readers,
    writer: Writer,
    groups: Groups,
    admin: Mutex<Option<Box<dyn Admin>>>,
    /// The number of partitions by topic. The number never changes, because keys would change their partition.
    partitions: Mutex<HashMap<Topic, i32>>,
}

impl Log {
    /// Opens the log that the settings name.
    ///
    /// # Errors
    /// If the log cannot be opened, or Kafka does not answer within ten seconds.
    pub fn open(settings: &Settings) -> Result<Self, EngineError> {
        if let Some(kafka) = &settings.kafka {
            return Self::kafka(kafka);
        }
        let embedded = match &settings.data_dir {
            Some(data_dir) => {
                let builder = EmbeddedLog::builder().sync(settings.sync).memory_bytes(settings.log_memory_bytes());
                builder.open(data_dir.join("log"))?
            }
            None => EmbeddedLog::in_memory(),
        };
        Self::embedded(embedded)
    }

    /// A log in this process that other instances may use, too.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn embedded(embedded: EmbeddedLog) -> Result<Self, EngineError> {
        // Readers of an embedded log are only positions, so their number needs no limit.
        Self::new(Arc::new(embedded.clone()), Some(embedded), usize::MAX)
    }

    fn kafka(config: &KafkaConfig) -> Result<Self, EngineError> {
        let transport: Arc<dyn Transport> = Arc::new(KafkaTransport::new(config.clone())?);
        reach::wait(&transport, &config.bootstrap_servers)?;
        Self::new(transport, None, readers::OPEN)
    }

    fn new(transport: Arc<dyn Transport>, embedded: Option<EmbeddedLog>, readers: usize) -> Result<Self, EngineError> {
        let shared = Shared {
            readers: Readers::new(transport.clone(), readers),
            writer: Writer::spawn(transport.clone())?,
            groups: Groups::default(),
            admin: Mutex::default(),
            partitions: Mutex::default(),
            transport,
            embedded,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The transport of the log.
    pub fn transport(&self) -> Arc<dyn Transport> {
        self.shared.transport.clone()
    }

    /// Whether the log is in this process, so that requests to it are cheap.
    pub(super) fn is_embedded(&self) -> bool {
        self.shared.embedded.is_some()
    }

    /// The number of a topic's partitions. The log is asked only once.
    ///
    /// # Errors
    /// If there is no such topic, or the log does not answer.
    pub fn partitions(&self, topic: &str) -> Result<i32, TransportError> {
        let known = || self.shared.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = known().get(topic) {
            return Ok(*count);
        }
        let described = self.administrate(|admin| admin.describe_topic(topic))?;
        let spec = described.ok_or_else(|| TransportError::UnknownTopic(topic.to_owned()))?;
        known().insert(spec.name, spec.partitions);
        Ok(spec.partitions)
    }

    /// The next offset of each partition of a topic.
    ///
    /// # Errors
    /// If there is no such topic, or the log does not answer.
    pub fn end_offsets(&self, topic: &str) -> Result<Vec<Offset>, TransportError> {
        if let Some(embedded) = &self.shared.embedded {
            return embedded.end_offsets(topic);
        }
        let partitions = 0..self.partitions(topic)?;
        self.read(|reader| {
            let end = |partition| Ok(reader.watermarks(&TopicPartition::new(topic, partition))?.high);
            partitions.map(end).collect()
        })
    }

    /// All records of a topic, partition by partition.
    ///
    /// # Errors
    /// If there is no such topic, or the log does not answer.
    pub fn read_all(&self, topic: &str) -> Result<Vec<(i32, ConsumedRecord)>, TransportError> {
        let mut records = Vec::new();
        for partition in 0..self.partitions(topic)? {
            self.read(|reader| {
                scan(reader, &TopicPartition::new(topic, partition), 0, |record| {
                    records.push((partition, record));
                    true
                })
            })?;
        }
        Ok(records)
    }

    /// Reads with a reader that is kept open between reads.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&mut dyn Reader) -> Result<T, TransportError>,
    ) -> Result<T, TransportError> {
        self.shared.readers.with(read)
    }

    /// Writes records. They are on the log when this returns.
    pub(super) async fn write(&self, records: Vec<ProducerRecord>) -> Result<(), WriteError> {
        self.shared.writer.write(records).await.unwrap_or(Err(WriteError::Closed))
    }

    /// Like [`Log::write`], for threads that may block.
    pub(super) fn append(&self, records: Vec<ProducerRecord>) -> Result<(), WriteError> {
        if records.is_empty() {
            return Ok(());
        }
        self.shared.writer.write(records).blocking_recv().unwrap_or(Err(WriteError::Closed))
    }

    /// The lag of a group on topics that it reads.
    pub(super) fn group_lag(&self, group: &str, topics: &[Topic]) -> Result<Vec<PartitionLag>, TransportError> {
        if let Some(embedded) = &self.shared.embedded {
            return Ok(lag::of_embedded(embedded, group));
        }
        let mut partitions = Vec::new();
        for topic in topics {
            partitions.extend((0..self.partitions(topic)?).map(|number| TopicPartition::new(topic.clone(), number)));
        }
        self.shared.groups.lag(&*self.shared.transport, group, partitions)
    }

    /// The groups that this instance may not use, each with the reason. Without this check, threads would start and
    /// then stop because of missing rights.
    pub(super) fn check_groups(&self, groups: &[String]) -> Result<Vec<String>, TransportError> {
        let mut problems = Vec::new();
        for group in groups {
            match self.administrate(|admin| admin.check_group(group)) {
                Err(TransportError::Invalid(reason)) => problems.push(reason.to_string()),
                checked => checked?,
            }
        }
        Ok(problems)
    }

    /// Deletes the records below an offset.
    pub(super) fn delete_records(&self, partition: &TopicPartition, before: Offset) -> Result<(), TransportError> {
        self.administrate(|admin| admin.delete_records(partition, before))
    }

    /// Applies retention and compaction now if the log is embedded. Kafka's brokers do this themselves.
    pub(super) fn maintain(&self) -> Result<(), TransportError> {
        self.shared.embedded.as_ref().map_or(Ok(()), EmbeddedLog::maintain)
    }

    /// Takes deleted records off the disk if the log is embedded. Blocks while the log is rewritten. Kafka's brokers
    /// delete and merge by their own settings.
    pub(super) fn scrub(&self) -> Result<(), TransportError> {
        self.shared.embedded.as_ref().map_or(Ok(()), EmbeddedLog::scrub)
    }

    fn administrate<T>(
        &self,
        ask: impl FnOnce(&mut dyn Admin) -> Result<T, TransportError>,
    ) -> Result<T, TransportError> {
        let mut admin = self.shared.admin.lock().unwrap_or_else(PoisonError::into_inner);
        let admin = match &mut *admin {
            Some(admin) => admin,
            none => none.insert(self.shared.transport.admin()?),
        };
        ask(&mut **admin)
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("embedded", &self.is_embedded()).finish_non_exhaustive()
    }
}
