//! The library's errors. Each variant says how to react to it.

use std::{any::Any, fmt};

use thiserror::Error;
use tidemill_state::{BoxError, StoreError};

use crate::{
    names::{NodeName, StoreName, TaskId},
    transport::{Offset, TopicPartition, TransportError},
};

/// All problems of a topology, its configuration and its topics together (`TopologyException` in Kafka Streams, which
/// tells the first). See the example of [`StreamsBuilder::build`](crate::StreamsBuilder::build).
#[derive(Clone, PartialEq, Eq)]
pub struct TopologyError {
    problems: Vec<String>,
}

impl TopologyError {
    pub(crate) fn check(problems: Vec<String>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self { problems }) }
    }

    pub(crate) fn of(problem: String) -> Self {
        Self { problems: vec![problem] }
    }

    /// The problems, one sentence each. Each sentence says what to do. See the example of
    /// [`StreamsBuilder::build`](crate::StreamsBuilder::build).
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Display for TopologyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the application cannot start; {} problem(s):", self.problems.len())?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}

/// The text of `Display`: a `main` that returns this error prints its `Debug` form.
impl fmt::Debug for TopologyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for TopologyError {}

/// The record that a task was processing.
///
/// See the example of [`ProcessingContext::record_metadata`](crate::processor::ProcessingContext::record_metadata).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The record's topic and partition.
    pub partition: TopicPartition,
    /// The record's offset.
    pub offset: Offset,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "topic '{}', partition {}, offset {}", self.partition.topic, self.partition.partition, self.offset)
    }
}

/// An error of a task or of its thread. The runtime matches the variants in one place.
#[derive(Error)]
#[non_exhaustive]
pub enum TaskError {
    /// A store is corrupted. Set the store aside and rebuild it from its changelog.
    #[error("task {task}: store '{store}' is corrupted")]
    Corrupted {
        /// The task.
        task: TaskId,
        /// The store.
        store: StoreName,
        /// The store's error.
        source: StoreError,
    },
    /// A value that an operator needs cannot be decoded yet. Pause, then process again from the last commit.
    #[error("task {task}, operator '{node}', {}: {reason}", position_text(position.as_ref()))]
    NotYet {
        /// The task.
        task: TaskId,
        /// The operator that needs the value.
        node: NodeName,
        /// The record; `None` if the error happened between records.
        position: Option<Position>,
        /// What is missing.
        reason: String,
    },
    /// The task cannot process a record. Stop the task or the instance, as configured.
    #[error("task {task}, operator '{node}', {}", position_text(position.as_ref()))]
    Failed {
        /// The task.
        task: TaskId,
        /// The operator that failed.
        node: NodeName,
        /// The record; `None` if the operator failed between records.
        position: Option<Position>,
        /// The panic's message, or the error that the operator returned.
        source: BoxError,
    },
    /// A handler wants a new thread for a record. Replace the thread, and process again from the last commit.
    #[error("task {task}, operator '{node}', {}", position_text(position.as_ref()))]
    ReplaceThread {
        /// The task.
        task: TaskId,
        /// The operator that failed.
        node: NodeName,
        /// The record; `None` if the operator failed between records.
        position: Option<Position>,
        /// The error that the handler saw.
        source: BoxError,
    },
    /// The task's state cannot be used. Stop the thread.
    #[error("task {task}: its state cannot be used")]
    State {
        /// The task.
        task: TaskId,
        /// The store's error.
        source: StoreError,
    },
    /// A source topic was deleted. Stop the instance, because its tasks would wait for ever without the topic.
    #[error(
        "source topic '{0}' is gone: it was deleted while the application ran; create it again or remove it from the \
         topology, then restart the application"
    )]
    MissingSourceTopic(String),
    /// A stream thread panicked outside its tasks. Stop the instance.
    #[error("stream thread '{thread}' panicked: {message}")]
    Panicked {
        /// The thread.
        thread: String,
        /// The panic's message.
        message: String,
    },
    /// One of the application's own threads waited for the application's end. The thread would wait for itself. The
    /// application stops all the same.
    #[error(
        "thread '{thread}' belongs to the application and cannot wait for the application's end: call Streams::stop \
         on this thread, and wait on another thread"
    )]
    WaitsForItself {
        /// The thread.
        thread: String,
    },
    /// The topology has no such store. Only the test driver returns it.
    #[error("the topology has no store '{0}': Topology::stores has the names of its stores")]
    UnknownStore(String),
    /// A store was asked for as what it is not. Only the test driver returns it.
    #[error(transparent)]
    WrongStoreTypes(#[from] WrongStoreTypes),
    /// The log returned an error. Rejoin the group after [`TransportError::Fenced`]. Process again from the last commit
    /// after [`TransportError::Abort`] and [`TransportError::Retriable`]. Stop the thread after all other errors.
    #[error("the log returned an error")]
    Transport(#[from] TransportError),
}

/// A store was asked for as what it is not: with types that are not its own, or as another kind of store
/// (`ClassCastException` or `InvalidStateStoreException` in Kafka Streams). See the example of
/// [`QueryError`](crate::QueryError).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
#[error("store '{store}' is a {declared}: ask with {method} instead of {asked}")]
pub struct WrongStoreTypes {
    /// The store.
    pub store: String,
    /// The method that was called, with its types.
    pub asked: String,
    /// What the store is: its kind, its types and their codecs.
    pub declared: String,
    /// The method that fits, with its types.
    pub method: String,
}

/// A panic's message.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("the panic has no message")
}

fn position_text(position: Option<&Position>) -> String {
    position.map_or_else(|| "between records".to_owned(), ToString::to_string)
}

/// The text of [`TaskError::chain`]: a `main` that returns this error prints its `Debug` form.
impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.chain())
    }
}

impl TaskError {
    /// Turns a store's error into the task's error.
    pub(crate) fn of_store(task: TaskId, source: StoreError) -> Self {
        match &source {
            StoreError::Corrupted { store, .. } => Self::Corrupted { task, store: store.as_str().into(), source },
            _ => Self::State { task, source },
        }
    }

    /// Turns an error of the consumer into the task's error.
    pub(crate) fn of_sources(source: TransportError) -> Self {
        match source {
            TransportError::UnknownTopic(topic) => Self::MissingSourceTopic(topic),
            other => Self::Transport(other),
        }
    }

    /// The error and its causes in one line. A cause is left out if the text already contains it.
    ///
    /// ```
    /// use tidemill::{TaskError, transport::TransportError};
    ///
    /// let full = std::io::Error::other("disk full");
    /// let error = TaskError::Transport(TransportError::Storage(Box::new(full)));
    /// assert_eq!(error.chain(), "the log returned an error: the log's storage failed: disk full");
    /// ```
    pub fn chain(&self) -> String {
        chain(self)
    }
}

/// An error and its causes in one line. A cause is left out if the text already contains it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let full = std::io::Error::other("disk full");
        let error = TaskError::Transport(TransportError::Storage(Box::new(full)));
        assert_eq!(error.chain(), "the log returned an error: the log's storage failed: disk full");
        assert_eq!(format!("{error:?}"), error.chain());
    }
}
