//! What can go wrong, by who must act.

use std::{any::Any, fmt};

use thiserror::Error;
use tidemill_state::{BoxError, StoreError};

use crate::{
    names::{NodeName, StoreName, TaskId},
    transport::{Offset, TopicPartition, TransportError},
};

/// Everything that is wrong with a topology, its configuration or its topics, together.
#[derive(Debug, Clone, PartialEq, Eq)]
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

    /// One sentence a problem, each saying what to do.
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

impl std::error::Error for TopologyError {}

/// Which record a task was working on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Its topic and partition.
    pub partition: TopicPartition,
    /// Its offset.
    pub offset: Offset,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "topic '{}', partition {}, offset {}", self.partition.topic, self.partition.partition, self.offset)
    }
}

/// An error of a task or of its thread. The runtime matches the variants in one place.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TaskError {
    /// Set the store aside and rebuild it from its changelog.
    #[error("task {task}: store '{store}' is corrupted")]
    Corrupted {
        /// The task.
        task: TaskId,
        /// The store.
        store: StoreName,
        /// What the store said.
        source: StoreError,
    },
    /// A value that an operator needs cannot be decoded yet: process again from the last commit, after a pause.
    #[error("task {task}, operator '{node}', {}: {reason}", position_text(position.as_ref()))]
    NotYet {
        /// The task.
        task: TaskId,
        /// The operator that needs it.
        node: NodeName,
        /// The record, unless it happened between records.
        position: Option<Position>,
        /// What is missing.
        reason: String,
    },
    /// The task cannot get past a record: stop it, or the instance, as configured.
    #[error("task {task}, operator '{node}', {}", position_text(position.as_ref()))]
    Failed {
        /// The task.
        task: TaskId,
        /// The operator that failed.
        node: NodeName,
        /// The record, unless the operator failed between records.
        position: Option<Position>,
        /// The panic's message, or the error returned.
        source: BoxError,
    },
    /// The task's state cannot be used: stop the thread.
    #[error("task {task}: its state cannot be used")]
    State {
        /// The task.
        task: TaskId,
        /// What the store said.
        source: StoreError,
    },
    /// A topic that the topology reads was deleted: stop the instance. Without it, its tasks would wait for ever.
    #[error(
        "source topic '{0}' is gone: it was deleted while the application ran; create it again, or take it out of the topology, and start again"
    )]
    MissingSourceTopic(String),
    /// Something panicked outside every task: stop the instance.
    #[error("stream thread '{thread}' panicked: {message}")]
    Panicked {
        /// The thread.
        thread: String,
        /// The panic's message.
        message: String,
    },
    /// The application's end was waited for on one of its own threads, which would wait for itself. It stops all the
    /// same.
    #[error(
        "thread '{thread}' cannot wait for its own end: call Streams::stop there, and wait for it on another thread"
    )]
    WaitsForItself {
        /// The thread.
        thread: String,
    },
    /// The log refused something: rejoin after [`TransportError::Fenced`], process again from the last commit after
    /// [`TransportError::Abort`] and [`TransportError::Retriable`], and stop the thread after the others.
    #[error("the log cannot be used")]
    Transport(#[from] TransportError),
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it gave no message")
}

fn position_text(position: Option<&Position>) -> String {
    position.map_or_else(|| "between records".to_owned(), ToString::to_string)
}

impl TaskError {
    /// Says who must act on a store's error.
    pub(crate) fn of_store(task: TaskId, source: StoreError) -> Self {
        match &source {
            StoreError::Corrupted { store, .. } => Self::Corrupted { task, store: store.as_str().into(), source },
            _ => Self::State { task, source },
        }
    }

    /// An error of what reads the sources.
    pub(crate) fn of_sources(source: TransportError) -> Self {
        match source {
            TransportError::UnknownTopic(topic) => Self::MissingSourceTopic(topic),
            other => Self::Transport(other),
        }
    }

    /// The error and its causes in one line.
    pub fn chain(&self) -> String {
        chain(self)
    }
}

/// An error and its causes in one line; a cause that the text tells already is not told again.
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
        assert_eq!(error.chain(), "the log cannot be used: the log's storage failed: disk full");
    }
}
