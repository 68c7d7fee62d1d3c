//! The id of a task.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// One subtopology for one partition: the unit of work, of state and of assignment (`TaskId` in Kafka Streams).
///
/// ```
/// use tidemill::TaskId;
///
/// let task: TaskId = "1_12".parse()?;
/// assert_eq!(task, TaskId { subtopology: 1, partition: 12 });
/// assert_eq!(task.to_string(), "1_12");
/// # Ok::<(), tidemill::ParseTaskIdError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId {
    /// The number of the subtopology.
    pub subtopology: u32,
    /// The number of the partition.
    pub partition: i32,
}

impl TaskId {
    /// Stands for the global stores of an instance, in errors, logs and folders. No partition belongs to it.
    pub(crate) const GLOBAL: Self = Self { subtopology: u32::MAX, partition: 0 };
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::GLOBAL {
            return f.write_str("global");
        }
        write!(f, "{}_{}", self.subtopology, self.partition)
    }
}

/// The error for a text that is not a task id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("'{0}' is not a task id: write SUBTOPOLOGY_PARTITION, for example 0_3")]
pub struct ParseTaskIdError(String);

impl FromStr for TaskId {
    type Err = ParseTaskIdError;

    fn from_str(text: &str) -> Result<Self, ParseTaskIdError> {
        let parts = text.split_once('_').and_then(|(subtopology, partition)| {
            Some(Self { subtopology: subtopology.parse().ok()?, partition: partition.parse().ok()? })
        });
        parts.filter(|task| task.partition >= 0).ok_or_else(|| ParseTaskIdError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        let task = TaskId { subtopology: 3, partition: 12 };
        assert_eq!(task.to_string().parse(), Ok(task));
        for text in ["", "3", "3-12", "3_", "_12", "3_-1", "a_b"] {
            assert!(text.parse::<TaskId>().is_err(), "{text}");
        }
    }
}
