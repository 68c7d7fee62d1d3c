//! What the engine asks of a log: consumers in a group, readers, transactional producers, topics.
//!
//! Everything above this folder speaks these traits alone, so that Apache Kafka and the embedded log are
//! interchangeable and a simulator can stand in for either.

mod commit;
mod error;
mod producer;
mod record;
mod waker;

pub mod embedded;
#[cfg(feature = "kafka")]
pub mod kafka;

use std::{sync::Arc, time::Duration};

pub use commit::{Acknowledged, Answered, Consumed, PendingCommit, Progress};
pub use error::TransportError;
pub use producer::Producer;
pub use record::{
    CommittedOffset, ConsumedRecord, Fetched, GroupMetadata, Header, Headers, Offset, ProducerRecord, Topic,
    TopicPartition,
};
pub use waker::Waker;

/// A log of partitioned topics. Cheap to share; every thread opens its own clients.
pub trait Transport: Send + Sync + 'static {
    /// Opens a member of a consumer group. It reads committed records only.
    fn consumer(&self, config: &ConsumerConfig) -> Result<Box<dyn Consumer>, TransportError>;
    /// Opens a reader outside any group. It reads committed records only.
    fn reader(&self) -> Result<Box<dyn Reader>, TransportError>;
    /// Opens a producer, transactional if the configuration names a transactional id.
    fn producer(&self, config: &ProducerConfig) -> Result<Box<dyn Producer>, TransportError>;
    /// Opens an administrator of topics.
    fn admin(&self) -> Result<Box<dyn Admin>, TransportError>;
    /// How long a transaction may be open before the log aborts it; `None` for ever.
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

/// How a group member presents itself.
#[derive(Debug, Clone)]
pub struct ConsumerConfig {
    /// The group, which is the `application.id`.
    pub group: String,
    /// A name for logs and member lists; unique within the group.
    pub client_id: String,
    /// Makes a static member (KIP-345): one that comes back under this name within its session keeps its partitions,
    /// and nobody else's move. A log without static members takes it for any member.
    pub instance_id: Option<String>,
    /// A member that has not polled for this long loses its partitions. Default 45 s.
    pub session_timeout: Duration,
    /// The most records one poll returns. Default 1000.
    pub max_poll_records: usize,
}

/// How a producer presents itself.
#[derive(Debug, Clone, Default)]
pub struct ProducerConfig {
    /// `None` sends without transactions. A newer producer with the same id fences the older one.
    pub transactional_id: Option<String>,
}

/// What a poll brought.
#[derive(Debug, Default)]
pub struct Polled {
    /// Changes of ownership, in order; to be handled before `batches`.
    pub rebalances: Vec<Rebalance>,
    /// Records of owned, unpaused partitions, in offset order within a partition.
    pub batches: Vec<Fetched>,
}

/// A change of the partitions that a member owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rebalance {
    /// These are now owned. Fetching starts at the committed offset, or at the beginning if there is none.
    Assigned(Vec<TopicPartition>),
    /// These are asked back. They stay owned until [`Consumer::release`], so that work can be committed first.
    Revoked(Vec<TopicPartition>),
    /// These belong to another member already: nothing of them can be committed any more.
    Lost(Vec<TopicPartition>),
}

/// A member of a consumer group. Closing (dropping) it leaves the group.
pub trait Consumer: Send {
    /// Joins the group with these topics. Partitions arrive through [`Consumer::poll`].
    fn subscribe(&mut self, topics: &[Topic]) -> Result<(), TransportError>;
    /// Waits up to `timeout` for records or a change of ownership. [`TransportError::UnknownTopic`] if a topic of the
    /// subscription is gone.
    fn poll(&mut self, timeout: Duration) -> Result<Polled, TransportError>;
    /// Gives revoked partitions back after their work is committed.
    fn release(&mut self, partitions: &[TopicPartition]) -> Result<(), TransportError>;
    /// The group's committed offset of each partition, in the order asked.
    fn committed(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<CommittedOffset>>, TransportError>;
    /// The same as of now, also of partitions that other members own. Waits for no transaction that is about to change
    /// them: [`TransportError::Retriable`] then.
    fn committed_now(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<CommittedOffset>>, TransportError> {
        self.committed(partitions)
    }
    /// Moves the fetch position of an owned partition.
    fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> Result<(), TransportError>;
    /// Stops fetching these until [`Consumer::resume`]. Ownership stays.
    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), TransportError>;
    /// Fetches these again.
    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), TransportError>;
    /// First and next-to-be-written offset that a committed read can see.
    fn watermarks(&mut self, partition: &TopicPartition) -> Result<(Offset, Offset), TransportError>;
    /// Whether every record of an owned partition that a committed read can see has been returned by `poll`.
    /// Asked often, so it must be cheap: what the last poll learned will do.
    fn is_caught_up(&mut self, partition: &TopicPartition) -> bool;
    /// Commits offsets without a transaction (at-least-once). A member that was replaced gets [`TransportError::Fenced`].
    fn commit(&mut self, offsets: &[(TopicPartition, CommittedOffset)]) -> Result<(), TransportError>;
    /// Names this member and its generation, so that a transaction can be refused after it was replaced.
    fn group_metadata(&self) -> GroupMetadata;
    /// What ends this consumer's poll, with nothing, when there is something else to do. Without one, as is the default,
    /// whoever has something for the thread that polls waits for as long as the poll does.
    fn waker(&self) -> Option<Waker> {
        None
    }
}

/// Reads chosen partitions from chosen offsets, outside any group: restore, tests, dashboards.
pub trait Reader: Send {
    /// Replaces what is read: each partition from an offset. [`TransportError::OffsetOutOfRange`] surfaces in `read`.
    fn assign(&mut self, partitions: &[(TopicPartition, Offset)]) -> Result<(), TransportError>;
    /// Waits up to `timeout` for records; at most `max` of them. None need not mean that there are none: they may be
    /// on their way.
    fn read(&mut self, timeout: Duration, max: usize) -> Result<Vec<Fetched>, TransportError>;
    /// The offset that the next `read` starts at in an assigned partition. It also passes what is no record for a
    /// committed read: what compaction removed, transaction markers, what was aborted.
    fn position(&mut self, partition: &TopicPartition) -> Result<Offset, TransportError>;
    /// First and next-to-be-written offset that a committed read can see.
    fn watermarks(&mut self, partition: &TopicPartition) -> Result<(Offset, Offset), TransportError>;
    /// The offset after everything that is there, undecided transactions included: a committed read gets that far once
    /// they are over. A commit that was acknowledged may be among them, its end not written to every partition yet.
    ///
    /// A log that commits everywhere at once has none of them, which is the default.
    fn end(&mut self, partition: &TopicPartition) -> Result<Offset, TransportError> {
        Ok(self.watermarks(partition)?.1)
    }
}

/// What happens to old records of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CleanupPolicy {
    /// Drop records older than the retention.
    #[default]
    Delete,
    /// Keep the last record of each key.
    Compact,
    /// Keep the last record of each key, and drop records older than the retention.
    CompactDelete,
}

/// A topic to create, or as it exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: Topic,
    /// Number of partitions, at least one.
    pub partitions: i32,
    /// What happens to old records.
    pub cleanup: CleanupPolicy,
    /// How long records are kept after they were appended (wall time, not event time); `None` keeps them for ever.
    pub retention: Option<Duration>,
}

/// Creates, describes, alters and deletes topics.
pub trait Admin: Send {
    /// Creates a topic; [`TransportError::TopicExists`] if there is one.
    fn create_topic(&mut self, spec: &TopicSpec) -> Result<(), TransportError>;
    /// The topic as it exists, or `None`.
    fn describe_topic(&mut self, topic: &str) -> Result<Option<TopicSpec>, TransportError>;
    /// Every topic's name, sorted.
    fn list_topics(&mut self) -> Result<Vec<Topic>, TransportError>;
    /// Changes how long an existing topic keeps its records, `None` for ever; [`TransportError::UnknownTopic`] if there
    /// is none. What is older by the new measure goes with the next clean-up; what is gone does not come back.
    fn alter_retention(&mut self, topic: &str, retention: Option<Duration>) -> Result<(), TransportError>;
    /// Deletes a topic with its records and committed offsets.
    fn delete_topic(&mut self, topic: &str) -> Result<(), TransportError>;
    /// Drops the records below an offset.
    fn delete_records(&mut self, partition: &TopicPartition, before: Offset) -> Result<(), TransportError>;
    /// Whether this client may be a member of a group, which need not exist: [`TransportError::Invalid`] if the log's
    /// administrators refuse it. A log without administrators lets everybody, as is the default.
    fn check_group(&mut self, _group: &str) -> Result<(), TransportError> {
        Ok(())
    }
    /// Forgets a group's committed offsets; [`TransportError::Invalid`] while it has members. A group that there is
    /// not is none.
    fn delete_group(&mut self, group: &str) -> Result<(), TransportError>;
}
