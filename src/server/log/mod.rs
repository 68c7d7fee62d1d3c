//! The log that the applications run on, embedded or Kafka, and what the server asks of it.
//!
//! Everything here blocks, except [`Log::write`] and what is known already: it belongs on threads that may wait.

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

/// A log with clients that are kept open. Clones share them.
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
    /// A topic keeps its partitions: keys would move otherwise.
    partitions: Mutex<HashMap<Topic, i32>>,
}

impl Log {
    /// Opens the log that the settings name.
    ///
    /// # Errors
    /// If it cannot be opened, or Kafka does not answer within ten seconds.
    pub fn open(settings: &Settings) -> Result<Self, EngineError> {
        if let Some(kafka) = &settings.kafka {
            return Self::kafka(kafka);
        }
        let embedded = match &settings.data_dir {
            Some(data_dir) => EmbeddedLog::builder().sync(settings.sync).open(data_dir.join("log"))?,
            None => EmbeddedLog::in_memory(),
        };
        Self::embedded(embedded)
    }

    /// A log in this process that others use, too.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn embedded(embedded: EmbeddedLog) -> Result<Self, EngineError> {
        // Its readers are positions and nothing more.
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

    /// What the engine runs on.
    pub fn transport(&self) -> Arc<dyn Transport> {
        self.shared.transport.clone()
    }

    /// Whether asking costs nothing, because the log is in this process.
    pub(super) fn is_embedded(&self) -> bool {
        self.shared.embedded.is_some()
    }

    /// How many partitions a topic has. Asked of the log once.
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
            let end = |partition| Ok(reader.watermarks(&TopicPartition::new(topic, partition))?.1);
            partitions.map(end).collect()
        })
    }

    /// Every record of a topic, partition by partition.
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

    /// The same for threads that may wait.
    pub(super) fn append(&self, records: Vec<ProducerRecord>) -> Result<(), WriteError> {
        if records.is_empty() {
            return Ok(());
        }
        self.shared.writer.write(records).blocking_recv().unwrap_or(Err(WriteError::Closed))
    }

    /// How far a group is with topics that it reads.
    pub(super) fn group_lag(&self, group: &str, topics: &[Topic]) -> Result<Vec<PartitionLag>, TransportError> {
        match &self.shared.embedded {
            Some(embedded) => Ok(lag::of_embedded(embedded, group)),
            None => self.shared.groups.lag(self, group, topics),
        }
    }

    /// Which of these groups this instance may not read as. Missing rights are told before threads start, which would
    /// only stop again.
    pub(super) fn check_groups(&self, groups: &[String]) -> Result<Vec<String>, TransportError> {
        let mut problems = Vec::new();
        for group in groups {
            match self.administrate(|admin| admin.check_group(group)) {
                Err(TransportError::Invalid(reason)) => problems.push(reason),
                checked => checked?,
            }
        }
        Ok(problems)
    }

    /// Drops the records below an offset.
    pub(super) fn delete_records(&self, partition: &TopicPartition, before: Offset) -> Result<(), TransportError> {
        self.administrate(|admin| admin.delete_records(partition, before))
    }

    /// Applies retention and compaction now, where that is ours to do.
    pub(super) fn maintain(&self) -> Result<(), TransportError> {
        self.shared.embedded.as_ref().map_or(Ok(()), EmbeddedLog::maintain)
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
