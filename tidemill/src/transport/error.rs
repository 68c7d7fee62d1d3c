//! Errors of a log, sorted by the reaction that they need.

use thiserror::Error;

use super::{Offset, TopicPartition};

/// An error of a transport. The runtime decides by the variant, never by the message.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TransportError {
    /// A newer producer or member took over: drop every task and rejoin.
    #[error("a newer instance took over: {0}")]
    Fenced(String),
    /// The transaction cannot commit: abort it and process again.
    #[error("the transaction must be aborted: {0}")]
    Abort(String),
    /// The position does not exist, or not any more: start over from `low`, or rebuild the state.
    #[error("offset {offset} of {partition} is outside {low}..={high}")]
    OffsetOutOfRange {
        /// The partition.
        partition: TopicPartition,
        /// The requested offset.
        offset: Offset,
        /// The first existing offset.
        low: Offset,
        /// The next offset to be written.
        high: Offset,
    },
    /// The topic does not exist: create it first.
    #[error("topic '{0}' does not exist; create it before starting")]
    UnknownTopic(String),
    /// The topic does not have this partition.
    #[error("partition {0} does not exist")]
    UnknownPartition(TopicPartition),
    /// The topic exists already.
    #[error("topic '{0}' exists already")]
    TopicExists(String),
    /// The request can never succeed.
    #[error("{0}")]
    Invalid(String),
    /// The request may succeed after a wait or a retry.
    #[error("temporarily unavailable: {0}")]
    Retriable(String),
    /// The log's own storage failed.
    #[error("the log's storage failed: {0}")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl TransportError {
    /// Converts an error that came before the commit request: at that point the log cannot have committed anything.
    pub(crate) fn before_commit(self) -> Self {
        match self {
            Self::Retriable(reason) => Self::Abort(reason),
            lasting => lasting,
        }
    }
}
