//! What can go wrong with a log, by who must act.

use thiserror::Error;

use super::{Offset, TopicPartition};

/// An error of a transport. The runtime matches variants, never messages.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TransportError {
    /// A newer producer or member took over: drop every task and rejoin.
    #[error("a newer instance took over: {0}")]
    Fenced(String),
    /// The transaction cannot commit: abort it and process again.
    #[error("the transaction must be aborted: {0}")]
    Abort(String),
    /// The position does not exist (any more): start over from `low`, or rebuild.
    #[error("offset {offset} of {partition} is outside {low}..={high}")]
    OffsetOutOfRange {
        /// Where.
        partition: TopicPartition,
        /// What was asked for.
        offset: Offset,
        /// First offset there is.
        low: Offset,
        /// Next offset to be written.
        high: Offset,
    },
    /// No such topic: create it first.
    #[error("topic '{0}' does not exist; create it before starting")]
    UnknownTopic(String),
    /// The topic has fewer partitions.
    #[error("partition {0} does not exist")]
    UnknownPartition(TopicPartition),
    /// The topic exists already.
    #[error("topic '{0}' exists already")]
    TopicExists(String),
    /// A request that can never succeed.
    #[error("{0}")]
    Invalid(String),
    /// Waiting or repeating may help.
    #[error("temporarily unavailable: {0}")]
    Retriable(String),
    /// The log's own storage failed.
    #[error("the log's storage failed: {0}")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl TransportError {
    /// What an error means that came before a commit was asked for: nothing can have been committed.
    pub(crate) fn before_commit(self) -> Self {
        match self {
            Self::Retriable(reason) => Self::Abort(reason),
            lasting => lasting,
        }
    }
}
