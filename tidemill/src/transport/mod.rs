//! The interface between the engine and a log: group consumers, readers, transactional producers, topic administration.
//!
//! All code outside this folder uses only these traits. Apache Kafka and the embedded log are therefore
//! interchangeable, and a simulator can replace either.

mod commit;
mod error;
mod producer;
mod reason;
mod record;
mod reset;
mod scan;
mod waker;

pub mod embedded;
#[cfg(feature = "kafka")]
pub mod kafka;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

pub use commit::{Acknowledged, Answered, Consumed, PendingCommit, Progress};
pub use error::TransportError;
pub use producer::Producer;
pub use reason::Reason;
pub use record::{
    CommittedOffset, ConsumedRecord, Fetched, GroupMetadata, Header, Headers, Offset, ProducerRecord, Topic,
    TopicPartition, Watermarks,
};
pub use reset::AutoOffsetReset;
pub(crate) use scan::read_to_end;
pub use waker::Waker;

/// A log of partitioned topics. Cheap to share. Every thread opens its own clients. Kafka Streams has
/// `KafkaClientSupplier` for this purpose.
///
/// Tidemill brings two: [`EmbeddedLog`](embedded::EmbeddedLog), and `KafkaTransport` with the feature `kafka`.
/// Implement it to run applications on another log, or to put faults or counters in front of one:
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
/// use tidemill::transport::{Admin, Consumer, ConsumerConfig, Producer, ProducerConfig, Reader};
/// use tidemill::transport::{Transport, TransportError, embedded::EmbeddedLog};
///
/// /// Counts the producers that are opened.
/// struct Counting {
///     log: EmbeddedLog,
///     producers: Arc<AtomicU32>,
/// }
///
/// impl Transport for Counting {
///     fn consumer(&self, config: &ConsumerConfig) -> Result<Box<dyn Consumer>, TransportError> {
///         self.log.consumer(config)
///     }
///     fn reader(&self) -> Result<Box<dyn Reader>, TransportError> {
///         self.log.reader()
///     }
///     fn producer(&self, config: &ProducerConfig) -> Result<Box<dyn Producer>, TransportError> {
///         self.producers.fetch_add(1, Ordering::Relaxed);
///         self.log.producer(config)
///     }
///     fn admin(&self) -> Result<Box<dyn Admin>, TransportError> {
///         self.log.admin()
///     }
/// }
///
/// # use tidemill::{Streams, StreamsBuilder, StreamsConfig};
/// # let (log, producers) = (EmbeddedLog::in_memory(), Arc::new(AtomicU32::new(0)));
/// # log.create("lines", 1)?;
/// # let builder = StreamsBuilder::new();
/// # builder.stream_values::<String>("lines");
/// let counting = Counting { log, producers: producers.clone() };
/// Streams::start(&builder.build()?, StreamsConfig::new("shout"), counting)?.close()?;
/// assert!(producers.load(Ordering::Relaxed) >= 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Transport: Send + Sync + 'static {
    /// Opens a member of a consumer group. It reads committed records only.
    fn consumer(&self, config: &ConsumerConfig) -> Result<Box<dyn Consumer>, TransportError>;
    /// Opens a reader outside any group. It reads committed records only.
    fn reader(&self) -> Result<Box<dyn Reader>, TransportError>;
    /// Opens a producer, transactional if the configuration names a transactional id.
    fn producer(&self, config: &ProducerConfig) -> Result<Box<dyn Producer>, TransportError>;
    /// Opens an administration client for topics and groups.
    fn admin(&self) -> Result<Box<dyn Admin>, TransportError>;
    /// How long a transaction may stay open before the log aborts it. `None`, the default, means that there is no
    /// limit.
    fn transaction_timeout(&self) -> Option<Duration> {
        None
    }
}

impl<T: Transport + ?Sized> Transport for Arc<T> {
    fn consumer(&self, config: &ConsumerConfig) -> Result<Box<dyn Consumer>, TransportError> {
        (**self).consumer(config)
    }

    fn reader(&self) -> Result<Box<dyn Reader>, TransportError> {
        (**self).reader()
    }

    fn producer(&self, config: &ProducerConfig) -> Result<Box<dyn Producer>, TransportError> {
        (**self).producer(config)
    }

    fn admin(&self) -> Result<Box<dyn Admin>, TransportError> {
        (**self).admin()
    }

    fn transaction_timeout(&self) -> Option<Duration> {
        (**self).transaction_timeout()
    }
}

/// The settings of a group member.
#[derive(Debug, Clone)]
pub struct ConsumerConfig {
    /// The group, which is the `application.id`.
    pub group: String,
    /// The client's name in logs and member lists. It must be unique within the group.
    pub client_id: String,
    /// Makes the consumer a static member (KIP-345). A static member that returns under this name within its session
    /// timeout keeps its partitions, and no other partitions move. A log without static membership ignores this id.
    pub instance_id: Option<String>,
    /// A member that has not polled for this long loses its partitions. Default 45 s.
    pub session_timeout: Duration,
    /// The maximum number of records that one poll returns. Default 1000.
    pub max_poll_records: usize,
}

/// The settings of a producer.
#[derive(Debug, Clone, Default)]
pub struct ProducerConfig {
    /// `None` sends without transactions. A newer producer with the same id fences the older one.
    pub transactional_id: Option<String>,
}

/// The result of one poll.
#[derive(Debug, Default)]
pub struct Polled {
    /// Changes of ownership, in order. Handle them before `batches`.
    pub rebalances: Vec<Rebalance>,
    /// Records of owned, unpaused partitions, in offset order within a partition.
    pub batches: Vec<Fetched>,
}

/// A change of the partitions that a member owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rebalance {
    /// The member now owns these partitions. Fetching starts at the committed offset, or at the beginning if there is
    /// none.
    Assigned(Vec<TopicPartition>),
    /// The group wants these partitions back. The member owns them until [`Consumer::release`], so it can commit its
    /// work first.
    Revoked(Vec<TopicPartition>),
    /// These partitions already belong to another member. The old owner can no longer commit their offsets.
    Lost(Vec<TopicPartition>),
}

/// A member of a consumer group. Closing (dropping) it leaves the group.
///
/// ```
/// # use std::time::Duration;
/// # use tidemill::transport::embedded::{EmbeddedLog, Entry};
/// use tidemill::transport::{CommittedOffset, ConsumerConfig, Rebalance, TopicPartition, Transport as _};
/// # let log = EmbeddedLog::in_memory();
/// # log.create("chat", 1)?;
/// # log.append("chat", 0, [Entry::new("ann", "hi", 0)])?;
///
/// let mut consumer = log.consumer(&ConsumerConfig {
///     group: "readers".into(),
///     client_id: "reader-1".into(),
///     instance_id: None,
///     session_timeout: Duration::from_secs(45),
///     max_poll_records: 1_000,
/// })?;
/// consumer.subscribe(&["chat".into()])?;
/// let chat = TopicPartition::new("chat", 0);
/// assert_eq!(consumer.poll(Duration::ZERO)?.rebalances, [Rebalance::Assigned(vec![chat.clone()])]);
/// assert_eq!(consumer.poll(Duration::ZERO)?.batches[0].records[0].offset, 0);
/// consumer.commit(&[(chat.clone(), CommittedOffset { offset: 1, metadata: String::new() })])?;
/// assert_eq!(log.group_lag("readers")[0].lag, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Consumer: Send {
    /// Joins the group with these topics. Partitions arrive through [`Consumer::poll`].
    fn subscribe(&mut self, topics: &[Topic]) -> Result<(), TransportError>;
    /// Waits up to `timeout` for records or a change of ownership. Returns [`TransportError::UnknownTopic`] if a
    /// subscribed topic was deleted.
    fn poll(&mut self, timeout: Duration) -> Result<Polled, TransportError>;
    /// Gives revoked partitions back after their work is committed.
    fn release(&mut self, partitions: &[TopicPartition]) -> Result<(), TransportError>;
    /// The group's committed offset of each partition, in the order requested.
    fn committed(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<CommittedOffset>>, TransportError>;
    /// Like [`Consumer::committed`], but also for partitions that other members own, and without waiting for open
    /// transactions. Returns [`TransportError::Retriable`] if an open transaction is about to change the offsets.
    fn committed_now(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<CommittedOffset>>, TransportError> {
        self.committed(partitions)
    }
    /// Moves the fetch position of an owned partition to `offset`.
    fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> Result<(), TransportError>;
    /// Stops fetching these partitions until [`Consumer::resume`]. The member still owns them.
    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), TransportError>;
    /// Fetches these paused partitions again.
    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), TransportError>;
    /// A partition's bounds, as a committed read sees them.
    fn watermarks(&mut self, partition: &TopicPartition) -> Result<Watermarks, TransportError>;
    /// The first offset of a partition whose record has this timestamp or a later one, as a committed read sees it;
    /// `None` if there is no such record. `timestamp` is milliseconds since the epoch. The default, for a log that cannot
    /// find it, returns [`TransportError::Invalid`].
    fn offset_at(&mut self, partition: &TopicPartition, timestamp: i64) -> Result<Option<Offset>, TransportError> {
        Err(TransportError::Invalid(format!("this log finds no offset of {partition} by time ({timestamp})").into()))
    }
    /// Whether `poll` has returned every record of an owned partition that a committed read can see. The engine calls
    /// this often, so it must be cheap: the answer may come from the last poll.
    fn is_caught_up(&mut self, partition: &TopicPartition) -> bool;
    /// Commits offsets without a transaction (at-least-once). A replaced member gets [`TransportError::Fenced`].
    fn commit(&mut self, offsets: &[(TopicPartition, CommittedOffset)]) -> Result<(), TransportError>;
    /// This member and its generation. The log uses them to refuse a transaction after the member was replaced.
    fn group_metadata(&self) -> GroupMetadata;
    /// A handle that ends this consumer's poll early and without records. The default is `None`: other threads then
    /// have to wait until the poll returns.
    fn waker(&self) -> Option<Waker> {
        None
    }
}

/// Reads chosen partitions from chosen offsets, outside any group: for restoration, tests and dashboards.
///
/// ```
/// # use std::time::Duration;
/// # use tidemill::transport::embedded::{EmbeddedLog, Entry};
/// use tidemill::transport::{TopicPartition, Transport as _, Watermarks};
/// # let log = EmbeddedLog::in_memory();
/// # log.create("chat", 1)?;
/// # log.append("chat", 0, ["hi", "you", "bye"].map(|text| Entry::new("ann", text, 0)))?;
///
/// let (mut reader, chat) = (log.reader()?, TopicPartition::new("chat", 0));
/// reader.assign(&[(chat.clone(), 1)])?;
/// let batch = reader.read(Duration::ZERO, 1)?.remove(0);
/// assert_eq!((batch.records[0].offset, batch.records[0].value.as_deref()), (1, Some(&b"you"[..])));
/// assert_eq!((reader.position(&chat)?, reader.watermarks(&chat)?), (2, Watermarks { low: 0, high: 3 }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Reader: Send {
    /// Replaces the assignment: each partition with its start offset. `read` returns
    /// [`TransportError::OffsetOutOfRange`] if a position does not exist.
    fn assign(&mut self, partitions: &[(TopicPartition, Offset)]) -> Result<(), TransportError>;
    /// Waits up to `timeout` for records and returns at most `max` of them. An empty result does not mean that the end
    /// was reached: records may still arrive.
    fn read(&mut self, timeout: Duration, max: usize) -> Result<Vec<Fetched>, TransportError>;
    /// The offset at which the next `read` of an assigned partition starts. The position also moves past offsets
    /// without a visible record: compacted records, transaction markers and aborted records.
    fn position(&mut self, partition: &TopicPartition) -> Result<Offset, TransportError>;
    /// A partition's bounds, as a committed read sees them.
    fn watermarks(&mut self, partition: &TopicPartition) -> Result<Watermarks, TransportError>;
    /// The offset after the last record, including records of open transactions. A committed read reaches this offset
    /// when those transactions have ended. A transaction whose commit was acknowledged may still count as open if its
    /// marker is not yet on every partition.
    ///
    /// The default returns the high watermark, which is right for a log that commits to all partitions at once.
    fn end(&mut self, partition: &TopicPartition) -> Result<Offset, TransportError> {
        Ok(self.watermarks(partition)?.high)
    }
}

/// How a topic removes old records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CleanupPolicy {
    /// Drop records older than the retention.
    #[default]
    Delete,
    /// Keep the last record of each key.
    Compact,
    /// Keep the last record of each key, and drop records older than the retention.
    CompactDelete,
    /// Keep the last record of each key. Earlier records of a key stay for at least this long after they were appended
    /// (`min.compaction.lag.ms` in Kafka, which counts from the timestamps of records).
    CompactAfter(Duration),
}

/// The settings of a topic: of a new topic, or of an existing one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: Topic,
    /// Number of partitions, at least one.
    pub partitions: i32,
    /// How old records are removed.
    pub cleanup: CleanupPolicy,
    /// How long records are kept after they were appended, in wall time rather than event time. `None` keeps them for
    /// ever.
    pub retention: Option<Duration>,
}

/// Creates, describes, alters and deletes topics.
///
/// ```
/// # use std::time::Duration;
/// # use tidemill::transport::embedded::EmbeddedLog;
/// use tidemill::transport::{CleanupPolicy, TopicSpec, Transport as _};
///
/// let mut admin = EmbeddedLog::in_memory().admin()?;
/// let retention = Some(Duration::from_hours(1));
/// let chat = TopicSpec { name: "chat".into(), partitions: 3, cleanup: CleanupPolicy::Delete, retention };
/// admin.create_topic(&chat)?;
/// assert_eq!(admin.describe_topic("chat")?, Some(chat));
/// admin.alter_retention("chat", None)?;
/// admin.delete_topic("chat")?;
/// assert!(admin.list_topics()?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Admin: Send {
    /// Creates a topic. Returns [`TransportError::TopicExists`] if the topic exists already.
    fn create_topic(&mut self, spec: &TopicSpec) -> Result<(), TransportError>;
    /// As [`create_topic`](Self::create_topic), with further settings by their names on the broker. A log without such
    /// settings ignores them; that is the default.
    fn create_topic_with(
        &mut self,
        spec: &TopicSpec,
        _config: &BTreeMap<String, String>,
    ) -> Result<(), TransportError> {
        self.create_topic(spec)
    }
    /// The settings of a topic, or `None` if the topic does not exist.
    fn describe_topic(&mut self, topic: &str) -> Result<Option<TopicSpec>, TransportError>;
    /// The most bytes that the key, the value and the headers of a record may have together on an existing topic.
    /// `None` if there is no limit or if it is not known; that is the default.
    fn max_record_bytes(&mut self, _topic: &str) -> Result<Option<usize>, TransportError> {
        Ok(None)
    }
    /// The names of all topics, sorted.
    fn list_topics(&mut self) -> Result<Vec<Topic>, TransportError>;
    /// Changes how long an existing topic keeps its records; `None` keeps them for ever. Returns
    /// [`TransportError::UnknownTopic`] if the topic does not exist. The next clean-up deletes records that are older
    /// than the new retention. Deleted records do not come back.
    fn alter_retention(&mut self, topic: &str, retention: Option<Duration>) -> Result<(), TransportError>;
    /// Deletes a topic with its records and committed offsets.
    fn delete_topic(&mut self, topic: &str) -> Result<(), TransportError>;
    /// Deletes the records of a partition below offset `before`.
    fn delete_records(&mut self, partition: &TopicPartition, before: Offset) -> Result<(), TransportError>;
    /// Checks that this client may join a group. The group need not exist. Returns [`TransportError::Invalid`] if the
    /// log denies access. The default, for a log without access control, allows every group.
    fn check_group(&mut self, _group: &str) -> Result<(), TransportError> {
        Ok(())
    }
    /// Deletes a group's committed offsets. Returns [`TransportError::Invalid`] while the group has members. Deleting a
    /// group that does not exist is not an error.
    fn delete_group(&mut self, group: &str) -> Result<(), TransportError>;
}
