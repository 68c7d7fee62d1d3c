//! Errors of a log, sorted by the reaction that they need.

use std::{error::Error, fmt};

use super::{Offset, Reason, TopicPartition};

/// An error of a transport. The runtime decides by the variant, never by the message.
#[derive(Debug)]
#[non_exhaustive]
pub enum TransportError {
    /// A newer producer or member took over: drop every task and rejoin.
    Fenced(Reason),
    /// The transaction cannot commit: abort it and process again.
    Abort(Reason),
    /// The position does not exist, or not any more: start over from `low`, or rebuild the state.
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
    UnknownTopic(String),
    /// The topic does not have this partition.
    UnknownPartition(TopicPartition),
    /// The topic exists already.
    TopicExists(String),
    /// The request can never succeed.
    Invalid(Reason),
    /// The request may succeed after a wait or a retry.
    Retriable(Reason),
    /// The log's own storage failed.
    Storage(Box<dyn Error + Send + Sync>),
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fenced(reason) => write!(f, "a newer instance took over: {reason}"),
            Self::Abort(reason) => write!(f, "the transaction must be aborted: {reason}"),
            Self::OffsetOutOfRange { partition, offset, low, high } => {
                write!(f, "offset {offset} of {partition} is outside {low}..={high}")
            }
            Self::UnknownTopic(topic) => write!(f, "topic '{topic}' does not exist; create it before starting"),
            Self::UnknownPartition(partition) => write!(f, "partition {partition} does not exist"),
            Self::TopicExists(topic) => write!(f, "topic '{topic}' exists already"),
            Self::Invalid(reason) => write!(f, "{reason}"),
            Self::Retriable(reason) => write!(f, "temporarily unavailable: {reason}"),
            Self::Storage(error) => write!(f, "the log's storage failed: {error}"),
        }
    }
}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Fenced(reason) | Self::Abort(reason) | Self::Invalid(reason) | Self::Retriable(reason) => {
                reason.source()
            }
            Self::Storage(error) => Some(&**error),
            Self::OffsetOutOfRange { .. }
            | Self::UnknownTopic(_)
            | Self::UnknownPartition(_)
            | Self::TopicExists(_) => None,
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_library_is_the_source() {
        let refused = std::io::Error::other("no such host");
        let error = TransportError::Retriable(Reason::new(format!("no broker answers: {refused}"), refused));
        assert_eq!(error.to_string(), "temporarily unavailable: no broker answers: no such host");
        assert_eq!(error.before_commit().source().map(ToString::to_string).as_deref(), Some("no such host"));
    }
}
