//! What a handler sees of an error.

use std::{error::Error, fmt};

use bytes::Bytes;
use tidemill_state::{Codec as _, CodecError, Coded};

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
/// [`key_as`](Self::key_as) and [`value_as`](Self::value_as) decode it. It is the record of the source, also if a later
/// operator failed: that operator's function has consumed what it got, and its error can carry what matters. Kafka
/// Streams also passes the record of the failing operator, without its types.
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

impl ErrorRecord {
    /// The key, decoded by the default codec of its type. For another codec, use [`Codec::decode`](tidemill_state::Codec::decode) with the bytes.
    ///
    /// ```
    /// # use tidemill::{ErrorHandler, ErrorHandlerResponse, StreamsConfig, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let refuse = |cents: i64| if cents < 1_000 { Ok(cents) } else { Err("too much") };
    /// builder.stream::<u64, i64>("orders").try_map_values(refuse).to("accepted");
    ///
    /// // Orders of tests have the number 0. Other large ones are for somebody to look at.
    /// let handler = ErrorHandler::new(|failed| match failed.record.map(|record| (record.key_as(), record.value_as())) {
    ///     Some((Ok(0_u64), _)) => ErrorHandlerResponse::Continue,
    ///     Some((_, Ok(1_000..=9_999_i64))) => ErrorHandlerResponse::DeadLetter("large".into()),
    ///     _ => ErrorHandlerResponse::Fail,
    /// });
    /// let config = StreamsConfig {
    ///     processing_handler: handler.dead_letters_to("large").into(),
    ///     ..StreamsConfig::new("test")
    /// };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// let orders = driver.input::<u64, i64>("orders");
    /// orders.pipe_all([(0, 50_000, 0), (1, 2_500, 1), (2, 250, 2)])?;
    /// assert_eq!(driver.output::<u64, i64>("accepted").read()?, [(2, 250, 2)]);
    /// assert_eq!(driver.output::<u64, i64>("large").read()?, [(1, 2_500, 1)]);
    /// assert!(orders.pipe(3, 50_000, 3).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn key_as<K: Coded>(&self) -> Result<K, CodecError> {
        decoded(self.key.as_ref())
    }

    /// The value, decoded by the default codec of its type. See the example of [`key_as`](Self::key_as).
    pub fn value_as<V: Coded>(&self) -> Result<V, CodecError> {
        decoded(self.value.as_ref())
    }
}

fn decoded<T: Coded>(bytes: Option<&Bytes>) -> Result<T, CodecError> {
    let codec = T::Codec::default();
    bytes.map_or_else(|| codec.decode_null(), |bytes| codec.decode(bytes.clone()))
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
