//! A partitioned log inside the process: consumer groups, transactions, fencing, retention, compaction.
//!
//! The log in memory is made for tests and simulations. The log on `RocksDB` is made for programs that run without a
//! broker and must keep their data across restarts. Clients behave as Kafka's clients do, with one difference: the
//! records of a transaction reach the log only at the commit. Every record in the log is therefore committed.

mod storage;

mod group;
mod log;

mod clients;

mod inspect;
mod options;

use std::{fmt, sync::Arc};

pub use inspect::{Entry, GroupDescription, MemberDescription, PartitionLag};
pub use options::EmbeddedLogBuilder;
#[cfg(feature = "rocksdb")]
pub use storage::durable::LogLock;

use self::{
    clients::{
        admin::EmbeddedAdmin, consumer::EmbeddedConsumer, producer::PlainProducer, reader::EmbeddedReader,
        transactions::TransactionalProducer,
    },
    log::broker::Broker,
};
use super::{Admin, Consumer, ConsumerConfig, Producer, ProducerConfig, Reader, Transport, TransportError};

/// The embedded log. Clones share it. A log on disk is closed when its last clone and its last client are dropped.
///
/// ```
/// use tidemill::transport::embedded::{EmbeddedLog, Entry};
///
/// let log = EmbeddedLog::in_memory();
/// log.create("chat", 2)?;
/// log.append("chat", 0, [Entry::new("ann", "hi", 0), Entry::keyless("anybody here?", 1)])?;
/// log.append("chat", 1, [Entry::tombstone("bo", 2)])?;
/// assert_eq!(log.end_offsets("chat")?, [2, 1]);
/// let records = log.read_all("chat")?.into_iter();
/// let texts: Vec<_> = records.map(|(partition, record)| (partition, record.value)).collect();
/// assert_eq!(texts, [(0, Some("hi".into())), (0, Some("anybody here?".into())), (1, None)]);
/// # Ok::<(), tidemill::transport::TransportError>(())
/// ```
#[derive(Clone)]
pub struct EmbeddedLog {
    broker: Arc<Broker>,
}

impl EmbeddedLog {
    /// An empty log in memory, with the system clock. It exists as long as its clones and clients. See the example of
    /// [`EmbeddedLog`].
    pub fn in_memory() -> Self {
        Self::builder().in_memory()
    }

    /// Opens the log in a folder, which is created if it does not exist. Only one process at a time may open a folder.
    /// Needs the feature `rocksdb`.
    ///
    /// # Errors
    ///
    /// [`TransportError::Invalid`] if another process or log uses the folder, [`TransportError::Storage`] if the folder
    /// cannot be read or written.
    ///
    /// ```no_run
    /// # use tidemill::transport::embedded::EmbeddedLog;
    /// let log = EmbeddedLog::open("data/log")?;
    /// if log.end_offsets("chat").is_err() {
    ///     log.create("chat", 1)?; // The first start.
    /// }
    /// # Ok::<(), tidemill::transport::TransportError>(())
    /// ```
    #[cfg(feature = "rocksdb")]
    pub fn open(path: impl AsRef<std::path::Path>) -> Result<Self, TransportError> {
        Self::builder().open(path)
    }

    /// A builder for a log with other options. See the example of [`EmbeddedLogBuilder`].
    pub fn builder() -> EmbeddedLogBuilder {
        EmbeddedLogBuilder::default()
    }

    /// Applies retention and compaction now. The log also does this by itself while records are appended.
    ///
    /// # Errors
    ///
    /// If the log's storage fails.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use tidemill::ManualClock;
    /// use tidemill::transport::{CleanupPolicy, TopicSpec, Transport as _, embedded::{EmbeddedLog, Entry}};
    ///
    /// let clock = ManualClock::new(0);
    /// let log = EmbeddedLog::builder().clock(clock.clone()).in_memory();
    /// let (cleanup, retention) = (CleanupPolicy::Delete, Some(Duration::from_hours(1)));
    /// log.admin()?.create_topic(&TopicSpec { name: "chat".into(), partitions: 1, cleanup, retention })?;
    /// log.append("chat", 0, [Entry::new("ann", "hi", 0)])?;
    /// clock.advance(Duration::from_hours(2));
    /// log.append("chat", 0, [Entry::new("ann", "still here", 0)])?;
    /// log.maintain()?;
    /// assert_eq!(log.read_all("chat")?.len(), 1, "the first message was two hours old");
    /// # Ok::<(), tidemill::transport::TransportError>(())
    /// ```
    pub fn maintain(&self) -> Result<(), TransportError> {
        self.broker.maintain()
    }

    /// Removes deleted records from the disk: those below a partition's beginning, and those that a later record of
    /// their key replaced. A log on disk otherwise keeps their bytes until it merges their files, at most about a day.
    /// Blocks while all records are rewritten. Other clients go on meanwhile.
    ///
    /// # Errors
    ///
    /// If the log's storage fails.
    ///
    /// ```
    /// use tidemill::transport::{CleanupPolicy, TopicSpec, Transport as _, embedded::{EmbeddedLog, Entry}};
    ///
    /// let log = EmbeddedLog::in_memory();
    /// let spec = TopicSpec { name: "names".into(), partitions: 1, cleanup: CleanupPolicy::Compact, retention: None };
    /// log.admin()?.create_topic(&spec)?;
    /// log.append("names", 0, [Entry::new("u1", "Ann", 0), Entry::tombstone("u1", 1)])?;
    /// log.scrub()?;
    /// assert_eq!(log.read_all("names")?.len(), 1, "only the tombstone is left");
    /// # Ok::<(), tidemill::transport::TransportError>(())
    /// ```
    pub fn scrub(&self) -> Result<(), TransportError> {
        self.broker.scrub()
    }

    /// Locks the folder of a log without opening the log, so that the folder can be deleted, also if its files are
    /// damaged. Needs the feature `rocksdb`.
    ///
    /// # Errors
    ///
    /// [`TransportError::Invalid`] if another process or log uses the folder, [`TransportError::Storage`] if there is
    /// no folder or it cannot be written.
    ///
    /// ```no_run
    /// # use tidemill::transport::embedded::EmbeddedLog;
    /// let _lock = EmbeddedLog::lock("data/log")?;
    /// std::fs::remove_dir_all("data/log")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "rocksdb")]
    pub fn lock(path: impl AsRef<std::path::Path>) -> Result<LogLock, TransportError> {
        LogLock::take(path.as_ref())
    }

    fn new(broker: Broker) -> Self {
        Self { broker: Arc::new(broker) }
    }
}

impl Transport for EmbeddedLog {
    fn consumer(&self, config: &ConsumerConfig) -> Result<Box<dyn Consumer>, TransportError> {
        if config.group.is_empty() || config.max_poll_records == 0 {
            return Err(TransportError::Invalid("a consumer needs a group and at least one record a poll".into()));
        }
        Ok(Box::new(EmbeddedConsumer::new(Arc::clone(&self.broker), config.clone())))
    }

    fn reader(&self) -> Result<Box<dyn Reader>, TransportError> {
        Ok(Box::new(EmbeddedReader::new(Arc::clone(&self.broker))))
    }

    fn producer(&self, config: &ProducerConfig) -> Result<Box<dyn Producer>, TransportError> {
        let broker = Arc::clone(&self.broker);
        Ok(match &config.transactional_id {
            Some(id) => Box::new(TransactionalProducer::new(broker, id.clone())),
            None => Box::new(PlainProducer::new(broker)),
        })
    }

    fn admin(&self) -> Result<Box<dyn Admin>, TransportError> {
        Ok(Box::new(EmbeddedAdmin::new(Arc::clone(&self.broker))))
    }
}

impl fmt::Debug for EmbeddedLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedLog").finish_non_exhaustive()
    }
}
