//! A commit on its way: the request to the log, and the changes in tasks after the log's answer.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::tasks::Tasks;
use crate::{
    error::TaskError,
    plan::TaskId,
    task::TaskCommit,
    transport::{Acknowledged, CommittedOffset, Consumer, PendingCommit, Progress, TopicPartition, TransportError},
};

/// The request, and the state of the tasks when the commit was begun.
///
/// If the commit fails or is dropped, tasks do not change state. They are rolled back, including the changes that they
/// set apart.
pub(crate) struct Commit {
    pub(crate) pending: Box<dyn PendingCommit>,
    /// The offsets to commit once all records are in the log. `None` with exactly once: then the transaction commits
    /// the offsets.
    pub(crate) offsets: Option<Vec<(TopicPartition, CommittedOffset)>>,
    pub(crate) tasks: BTreeMap<TaskId, TaskCommit>,
}

/// The result of polling a commit.
pub(crate) enum Found {
    OnItsWay(Commit),
    Committed(Committed),
}

impl Commit {
    /// Waits up to `timeout` for the log's answer.
    pub(crate) fn poll(self, consumer: &mut dyn Consumer, timeout: Duration) -> Result<Found, TransportError> {
        let Self { pending, offsets, tasks } = self;
        match pending.poll(timeout)? {
            Progress::Pending(pending) => Ok(Found::OnItsWay(Self { pending, offsets, tasks })),
            Progress::Done(acknowledged) => {
                let is_flush = offsets.is_some();
                if let Some(offsets) = offsets {
                    consumer.commit(&offsets)?;
                }
                Ok(Found::Committed(Committed { acknowledged, tasks, is_flush }))
            }
        }
    }

    /// Whether the log accepts more records before the commit is answered.
    pub(crate) fn may_send_ahead(&mut self) -> bool {
        self.pending.may_send_ahead()
    }

    /// Removes lost partitions and their tasks. The partitions belong to another member now, or to a new membership of
    /// this thread, which began at the committed offsets. For a transaction, the log itself refuses an old generation.
    /// For a flush, this step is needed, because a flush names its member only at its end. The flush may also end
    /// behind changelog records of the next owner. A store that took it up could lack those that were compacted since.
    pub(crate) fn lose(&mut self, partitions: &[TopicPartition], lost: &BTreeSet<TaskId>) {
        if let Some(offsets) = &mut self.offsets {
            offsets.retain(|(partition, _)| !partitions.contains(partition));
            self.tasks.retain(|task, _| !lost.contains(task));
        }
    }
}

/// A commit that the log has confirmed.
#[must_use = "the tasks have not taken up the commit yet"]
pub(crate) struct Committed {
    acknowledged: Acknowledged,
    tasks: BTreeMap<TaskId, TaskCommit>,
    /// Whether it was a flush and not a transaction.
    is_flush: bool,
}

impl Committed {
    /// Takes the commit up in each task: its state and the committed offsets of its inputs.
    pub(crate) fn apply(mut self, tasks: &mut Tasks) -> Result<(), TaskError> {
        for task in tasks.running() {
            if let Some(commit) = self.tasks.remove(&task.id) {
                task.committed(commit, &self.acknowledged, self.is_flush)?;
            }
        }
        Ok(())
    }
}
