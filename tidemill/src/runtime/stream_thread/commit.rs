//! A commit on its way: what the log was asked, and what follows in tasks once it has answered.

use std::{collections::BTreeMap, time::Duration};

use super::tasks::Tasks;
use crate::{
    error::TaskError,
    plan::TaskId,
    task::TaskCommit,
    transport::{Acknowledged, CommittedOffset, Consumer, PendingCommit, Progress, TopicPartition, TransportError},
};

/// What was sent, and the tasks that it was made in, as they were when the commit was begun.
///
/// Where it fails, or is dropped, nothing of it follows: tasks are rolled back with what they set apart.
pub(crate) struct Commit {
    pub(crate) pending: Box<dyn PendingCommit>,
    /// What the group commits once everything is in the log, where no transaction does both.
    pub(crate) offsets: Option<Vec<(TopicPartition, CommittedOffset)>>,
    pub(crate) tasks: BTreeMap<TaskId, TaskCommit>,
}

/// What a look at a commit found.
pub(crate) enum Found {
    OnItsWay(Commit),
    Committed(Committed),
}

impl Commit {
    /// Waits up to `timeout` for the log.
    pub(crate) fn poll(self, consumer: &mut dyn Consumer, timeout: Duration) -> Result<Found, TransportError> {
        let Self { pending, offsets, tasks } = self;
        match pending.poll(timeout)? {
            Progress::Pending(pending) => Ok(Found::OnItsWay(Self { pending, offsets, tasks })),
            Progress::Done(acknowledged) => {
                if let Some(offsets) = offsets {
                    consumer.commit(&offsets)?;
                }
                Ok(Found::Committed(Committed { acknowledged, tasks }))
            }
        }
    }

    /// Whether the log takes more beside it.
    pub(crate) fn may_send_ahead(&mut self) -> bool {
        self.pending.may_send_ahead()
    }

    /// Commits no offsets of these any more: they belong to another member, or to another life of this one, which began
    /// at what is committed. What a transaction holds is refused by the generation that it was begun with; a flush names
    /// its member only when it is done.
    pub(crate) fn lose(&mut self, partitions: &[TopicPartition]) {
        if let Some(offsets) = &mut self.offsets {
            offsets.retain(|(partition, _)| !partitions.contains(partition));
        }
    }
}

/// A commit that the log has answered.
#[must_use = "tasks have not followed yet"]
pub(crate) struct Committed {
    acknowledged: Acknowledged,
    tasks: BTreeMap<TaskId, TaskCommit>,
}

impl Committed {
    /// Lets each task follow: its state, and how far its inputs are committed.
    pub(crate) fn apply(mut self, tasks: &mut Tasks) -> Result<(), TaskError> {
        for task in tasks.running() {
            if let Some(commit) = self.tasks.remove(&task.id) {
                task.committed(commit, &self.acknowledged)?;
            }
        }
        Ok(())
    }
}
