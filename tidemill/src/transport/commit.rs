//! A commit or flush as a value: begun by a producer, polled until the log has answered.

use std::{collections::BTreeMap, time::Duration};

use super::{CommittedOffset, GroupMetadata, Offset, TopicPartition, TransportError};

/// What a commit or flush brought out: for each partition written, the offset after its last record.
pub type Acknowledged = BTreeMap<TopicPartition, Offset>;

/// How long [`PendingCommit::wait`] waits at a time.
const PATIENCE: Duration = Duration::from_millis(100);

/// Offsets of consumed records, and the member that consumed them.
#[derive(Debug, Clone, Copy)]
pub struct Consumed<'a> {
    /// The offset to go on from in each partition.
    pub offsets: &'a [(TopicPartition, CommittedOffset)],
    /// The log refuses the offsets of a member that was replaced.
    pub member: &'a GroupMetadata,
}

/// A commit or flush that a producer began, and that the log has not answered as far as anybody asked.
///
/// A poll takes the value and gives it back only while there is no answer, so that nobody asks for a second one.
/// Whoever drops the value without an answer does not know how the commit ended, as after an error that is no refusal.
pub trait PendingCommit: Send {
    /// Waits up to `timeout` for the log's answer.
    ///
    /// After [`TransportError::Abort`] and [`TransportError::Fenced`] nothing of a transaction is visible, and
    /// [`Producer::abort_transaction`](super::Producer::abort_transaction) ends it. After any other error nobody knows,
    /// and only a new producer of the same transactional id settles it. After an error of a flush nobody knows which
    /// records arrived, and [`Producer::discard`](super::Producer::discard) forgets the others.
    fn poll(self: Box<Self>, timeout: Duration) -> Result<Progress, TransportError>;
    /// Whether the producer takes more already: for a commit, the next transaction, begun then. What is sent ahead comes
    /// after everything that this commit brings out. It is committed after that, and aborted with it.
    fn may_send_ahead(&mut self) -> bool {
        false
    }
}

impl dyn PendingCommit {
    /// Waits until the log has answered.
    pub fn wait(mut self: Box<Self>) -> Result<Acknowledged, TransportError> {
        loop {
            match self.poll(PATIENCE)? {
                Progress::Pending(pending) => self = pending,
                Progress::Done(acknowledged) => return Ok(acknowledged),
            }
        }
    }
}

/// What a poll of a commit learned.
pub enum Progress {
    /// There is no answer yet.
    Pending(Box<dyn PendingCommit>),
    /// Everything is in the log, and visible. What was sent later is not told of.
    Done(Acknowledged),
}

/// The commit or flush of a log that answers at once.
#[derive(Debug, Default)]
pub struct Answered(pub Acknowledged);

impl PendingCommit for Answered {
    fn poll(self: Box<Self>, _timeout: Duration) -> Result<Progress, TransportError> {
        Ok(Progress::Done(self.0))
    }
}
