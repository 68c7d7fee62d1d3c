//! A commit or flush as a value: a producer begins it, and the caller polls it until the log has answered.

use std::{collections::BTreeMap, time::Duration};

use super::{CommittedOffset, GroupMetadata, Offset, TopicPartition, TransportError};

/// The result of a commit or flush: for each written partition, the offset after its last record.
pub type Acknowledged = BTreeMap<TopicPartition, Offset>;

/// How long [`PendingCommit::wait`] waits in each poll.
const PATIENCE: Duration = Duration::from_millis(100);

/// Offsets of consumed records, and the member that consumed them.
#[derive(Debug, Clone, Copy)]
pub struct Consumed<'a> {
    /// The next offset to read in each partition.
    pub offsets: &'a [(TopicPartition, CommittedOffset)],
    /// The member that consumed the records. The log refuses offsets of a replaced member.
    pub member: &'a GroupMetadata,
}

/// A commit or flush that a producer began and whose answer has not been read yet.
///
/// A poll consumes the value and returns it only while there is no answer. This prevents a second poll after the
/// answer. If the caller drops the value before the answer, the outcome of the commit is unknown, as after an error
/// other than a refusal.
pub trait PendingCommit: Send {
    /// Waits up to `timeout` for the log's answer.
    ///
    /// After [`TransportError::Abort`] and [`TransportError::Fenced`], no record of the transaction is visible, and
    /// [`Producer::abort_transaction`](super::Producer::abort_transaction) ends it. After any other error the outcome
    /// of a commit is unknown, and only a new producer with the same transactional id settles it. After a failed flush
    /// it is unknown which records arrived, and [`Producer::discard`](super::Producer::discard) drops the other
    /// records.
    fn poll(self: Box<Self>, timeout: Duration) -> Result<Progress, TransportError>;
    /// Whether the producer already accepts more records. During a commit, these records belong to the next
    /// transaction, which must be begun first. They become visible only after this commit. If this commit is aborted,
    /// they are aborted too.
    fn may_send_ahead(&mut self) -> bool {
        false
    }
}

impl dyn PendingCommit {
    /// Waits until the log has answered. There is no time limit.
    ///
    /// # Errors
    ///
    /// As [`PendingCommit::poll`].
    ///
    /// ```
    /// # use tidemill::transport::embedded::EmbeddedLog;
    /// # use tidemill::transport::{Headers, ProducerConfig, ProducerRecord, Transport as _};
    /// # let log = EmbeddedLog::in_memory();
    /// # log.create("orders", 1)?;
    /// # let (key, value, headers) = (Some("ann".into()), Some("tea".into()), Headers::new());
    /// # let record = ProducerRecord { topic: "orders".into(), partition: 0, timestamp: 0, key, value, headers };
    /// let mut producer = log.producer(&ProducerConfig::default())?;
    /// producer.send(record)?;
    /// let acknowledged = producer.begin_flush()?.wait()?;
    /// assert_eq!(acknowledged.into_values().collect::<Vec<_>>(), [1], "the offset after the record");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait(mut self: Box<Self>) -> Result<Acknowledged, TransportError> {
        loop {
            match self.poll(PATIENCE)? {
                Progress::Pending(pending) => self = pending,
                Progress::Done(acknowledged) => return Ok(acknowledged),
            }
        }
    }
}

/// The result of polling a commit or flush.
pub enum Progress {
    /// There is no answer yet.
    Pending(Box<dyn PendingCommit>),
    /// All records are in the log and visible. The value does not include records that were sent later.
    Done(Acknowledged),
}

/// The commit or flush of a log that answers immediately.
#[derive(Debug, Default)]
pub struct Answered(pub Acknowledged);

impl PendingCommit for Answered {
    fn poll(self: Box<Self>, _timeout: Duration) -> Result<Progress, TransportError> {
        Ok(Progress::Done(self.0))
    }
}
