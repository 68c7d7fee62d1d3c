//! The choices of handlers, and handlers that users write.

use std::{fmt, sync::Arc};

use super::ErrorHandlerContext;

/// The treatment of a record that cannot be processed, and of a punctuation that fails.
///
/// [`Skip`](Self::Skip) and [`DeadLetter`](Self::DeadLetter) undo everything that a refused record did to stores,
/// windows, times and outputs, in all branches. So the results are the same as for an input without the record. Windows
/// that the record would have closed close with the next record, or by silence. Some results come from more than one
/// record, for example the result of a window. If such a result is refused, only the result is left out and counted,
/// without a dead letter. If it is an update that waited in a cache or a suppression, the steps below do not know it: a
/// group takes it away with the next update all the same. Rows that expired by their time to live before the record stay
/// deleted. The fields of a custom processor are not undone: keep state that depends on records in a store.
///
/// This costs time: each change of a store is noted until the record is processed, and aggregates are encoded with each
/// record instead of once per commit. [`Fail`](Self::Fail) costs nothing.
///
/// In Kafka Streams, `Skip` is `LogAndContinueExceptionHandler` and `Fail` is `LogAndFailExceptionHandler`; dead
/// letters are KIP-1034. There, a skipped record may leave effects in stores.
///
/// ```
/// # use tidemill::{RecordHandler, StreamsConfig, testing::DriverOptions};
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// builder.stream::<u64, i64>("orders").map_values(|cents| cents / 100).to("euros");
///
/// let handler = RecordHandler::DeadLetter("bad-orders".into());
/// let config = StreamsConfig { deserialization_handler: handler, ..StreamsConfig::new("test") };
/// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
/// let orders = driver.input::<u64, i64>("orders");
/// orders.pipe_raw(0, Some(&1_u64.to_be_bytes()), Some(b"250"), 0)?; // Not an 8-byte integer.
/// orders.pipe(1, 250, 1)?;
/// assert_eq!(driver.output::<u64, i64>("euros").read_values()?, [2]);
/// let letter = driver.output::<u64, String>("bad-orders").read_records()?.remove(0);
/// assert_eq!(letter.value, "250");
/// assert_eq!(letter.headers.last("__streams.errors.topic").map(|topic| &topic[..]), Some(&b"orders"[..]));
/// assert_eq!(driver.status()?.tasks[0].records_dropped, [("orders".to_owned(), "undecodable", 1)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RecordHandler {
    /// The task fails, as [`StreamsConfig::on_task_failure`](crate::StreamsConfig::on_task_failure) says.
    #[default]
    Fail,
    /// The record is logged, counted and skipped.
    Skip,
    /// The unchanged record is sent to this topic in the same transaction, with headers that tell the reason
    /// (KIP-1034). The topic may be read, too. A record of the topic itself never goes there again: it fails the task.
    DeadLetter(String),
    /// A function of yours decides about each error.
    Custom(ErrorHandler),
}

impl RecordHandler {
    /// The topics that dead letters may go to.
    pub(crate) fn dead_letter_topics(&self) -> &[String] {
        match self {
            Self::DeadLetter(topic) => std::slice::from_ref(topic),
            Self::Custom(handler) => &handler.topics,
            Self::Fail | Self::Skip => &[],
        }
    }
}

impl From<ErrorHandler> for RecordHandler {
    fn from(handler: ErrorHandler) -> Self {
        Self::Custom(handler)
    }
}

/// The answer of an [`ErrorHandler`] (`Response` of the exception handlers in Kafka Streams 4.2, KIP-1034).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorHandlerResponse {
    /// Leave the record out and count it (`RESUME`; `CONTINUE` before 4.2). All its effects are undone, as with
    /// [`RecordHandler::Skip`].
    Continue,
    /// Send the unchanged input record to this topic, in the same transaction, and go on. The topic must be one of
    /// [`ErrorHandler::dead_letters_to`]; otherwise the task fails. Without an input record, this is
    /// [`Continue`](Self::Continue).
    DeadLetter(String),
    /// The task fails (`FAIL`).
    Fail,
    /// The thread is replaced, and the record is tried again (`REPLACE_THREAD` of `StreamsUncaughtExceptionHandler`,
    /// KIP-671). The new thread begins at the last commit with new clients and new processors. This happens at most
    /// [`max_thread_replacements`](crate::StreamsConfig::max_thread_replacements) times for one record. After that, the
    /// task fails. For a record of a global table this is [`Fail`](Self::Fail), as in Kafka Streams: its thread is not a
    /// stream thread.
    ReplaceThread,
}

/// The function that decides about an error.
type Decide = dyn Fn(&ErrorHandlerContext<'_>) -> ErrorHandlerResponse + Send + Sync;

/// A handler of errors that you write. In Kafka Streams, these are implementations of
/// `DeserializationExceptionHandler` (KIP-161), `ProductionExceptionHandler` (KIP-210) and `ProcessingExceptionHandler`
/// (KIP-1033).
///
/// The function sees the error, the operator and the input record. It must be deterministic and quick: it runs in the
/// task, again for a record that is processed again. If it panics, the task fails. Two handlers are equal if one is a
/// clone of the other.
///
/// ```
/// # use tidemill::{ErrorHandler, ErrorHandlerResponse, StreamsConfig, testing::DriverOptions};
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// builder.stream::<u64, String>("lines").try_map_values(|line| line.parse::<i64>()).to("numbers");
///
/// let handler = ErrorHandler::new(|failed| match failed.record {
///     Some(record) if record.value.as_ref().is_some_and(|value| value.is_empty()) => ErrorHandlerResponse::Continue,
///     _ => ErrorHandlerResponse::DeadLetter("not-a-number".into()),
/// })
/// .dead_letters_to("not-a-number");
///
/// let config = StreamsConfig { processing_handler: handler.into(), ..StreamsConfig::new("test") };
/// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
/// driver.input::<u64, String>("lines").pipe_all([(1, "".into(), 0), (1, "x".into(), 1), (1, "7".into(), 2)])?;
/// assert_eq!(driver.output::<u64, i64>("numbers").read_values()?, [7]);
/// assert_eq!(driver.output::<u64, String>("not-a-number").read_values()?, ["x"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ErrorHandler {
    decide: Arc<Decide>,
    topics: Vec<String>,
}

impl ErrorHandler {
    /// A handler that asks this function. See the example of [`ErrorHandler`].
    pub fn new(decide: impl Fn(&ErrorHandlerContext<'_>) -> ErrorHandlerResponse + Send + Sync + 'static) -> Self {
        Self { decide: Arc::new(decide), topics: Vec::new() }
    }

    /// Names a topic that the function may send dead letters to. The topic must exist; the start of the application
    /// checks it. Call this once for each topic. Kafka Streams has one topic for all dead letters
    /// (`errors.dead.letter.queue.topic.name`), or records that the handler makes itself. See the example of
    /// [`ErrorHandler`].
    #[must_use]
    pub fn dead_letters_to(mut self, topic: impl Into<String>) -> Self {
        self.topics.push(topic.into());
        self
    }

    pub(crate) fn decide(&self, failed: &ErrorHandlerContext<'_>) -> ErrorHandlerResponse {
        (self.decide)(failed)
    }
}

impl PartialEq for ErrorHandler {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.decide, &other.decide) && self.topics == other.topics
    }
}

impl Eq for ErrorHandler {}

impl fmt::Debug for ErrorHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrorHandler").field("topics", &self.topics).finish_non_exhaustive()
    }
}
