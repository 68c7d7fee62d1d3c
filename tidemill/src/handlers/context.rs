//! What a handler sees of an error.

use std::{error::Error, fmt};

use bytes::Bytes;

use crate::{error::Position, names::TaskId, transport::Headers};

/// Where an error came from.
///
/// ```
/// assert_eq!(tidemill::ErrorOrigin::Production.to_string(), "production");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorOrigin {
    /// The bytes of a record do not decode (`DeserializationExceptionHandler` in Kafka Streams).
    Deserialization,
    /// An operator returned an error for a record, or for a result of several records
    /// (`ProcessingExceptionHandler` in Kafka Streams).
    Processing,
    /// The log does not take an output: it is too large, or the topic refuses it (`ProductionExceptionHandler` in
    /// Kafka Streams).
    Production,
    /// A punctuation returned an error (`ProcessingExceptionHandler` in Kafka Streams).
    Punctuation,
}

impl fmt::Display for ErrorOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deserialization => "deserialization",
            Self::Processing => "processing",
            Self::Production => "production",
            Self::Punctuation => "punctuation",
        })
    }
}

/// The input record of a task that an error is about, as it came from the log. See the example of [`ErrorHandler`].
///
/// [`ErrorHandler`]: crate::ErrorHandler
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorRecord {
    /// Its topic, partition and offset.
    pub position: Position,
    /// Its timestamp, in milliseconds since the epoch.
    pub timestamp: i64,
    /// The bytes of its key; `None` for null (`sourceRawKey` in Kafka Streams).
    pub key: Option<Bytes>,
    /// The bytes of its value; `None` for null (`sourceRawValue` in Kafka Streams).
    pub value: Option<Bytes>,
    /// Its headers.
    pub headers: Headers,
}

/// An error, and what it is about (`ErrorHandlerContext` in Kafka Streams, KIP-1033). See the example of
/// [`ErrorHandler`].
///
/// [`ErrorHandler`]: crate::ErrorHandler
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ErrorHandlerContext<'a> {
    /// Where the error came from.
    pub origin: ErrorOrigin,
    /// The task.
    pub task: TaskId,
    /// The name of the operator that failed (`processorNodeId` in Kafka Streams).
    pub node: &'a str,
    /// The task's input record; `None` for a punctuation, and for a result that belongs to no single record.
    pub record: Option<&'a ErrorRecord>,
    /// The error.
    pub error: &'a (dyn Error + 'static),
}
