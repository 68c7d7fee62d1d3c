//! The tasks that a thread owns, each in its state.

use std::collections::{BTreeMap, BTreeSet};

use super::restoring_task::RestoringTask;
use crate::{
    plan::TaskId,
    runtime::status::{PartitionStatus, TaskState, TaskStatus, processor_metrics, store_statuses},
    task::{ActiveTask, TaskStores},
    transport::TopicPartition,
};

/// The states of a task: it restores, runs, and may fail. A closed task is dropped.
///
/// ```text
/// Restoring → Running → Failed
///     ↑__________|  (rolled back with a store to rebuild)
/// ```
pub(crate) enum Slot {
    Restoring(Box<RestoringTask>),
    Running(Box<ActiveTask>),
    /// The task could not process a record. It stays stopped until its partitions move.
    Failed(String),
}

/// The partitions and tasks that a thread owns.
#[derive(Default)]
pub(crate) struct Tasks {
    pub(crate) owned: BTreeSet<TopicPartition>,
    pub(crate) slots: BTreeMap<TaskId, Slot>,
    /// Stores of tasks that an error stopped, in the state of the last commit. They stay here until the tasks are
    /// opened again.
    pub(crate) parked: BTreeMap<TaskId, TaskStores>,
}

impl Tasks {
    pub(crate) fn running(&mut self) -> impl Iterator<Item = &mut ActiveTask> {
        self.slots.values_mut().filter_map(|slot| match slot {
            Slot::Running(task) => Some(&mut **task),
            Slot::Restoring(_) | Slot::Failed(_) => None,
        })
    }

    pub(crate) fn restoring(&mut self) -> impl Iterator<Item = (TaskId, &mut RestoringTask)> {
        self.slots.iter_mut().filter_map(|(id, slot)| match slot {
            Slot::Restoring(task) => Some((*id, &mut **task)),
            Slot::Running(_) | Slot::Failed(_) => None,
        })
    }

    /// The stores of every task, in any state.
    pub(crate) fn all_stores(&self) -> impl Iterator<Item = &TaskStores> {
        let in_use = self.slots.values().filter_map(|slot| match slot {
            Slot::Restoring(task) => Some(&task.stores),
            Slot::Running(task) => Some(&task.stores),
            Slot::Failed(_) => None,
        });
        in_use.chain(self.parked.values())
    }

    pub(crate) fn is_restoring(&self) -> bool {
        self.slots.values().any(|slot| matches!(slot, Slot::Restoring(_)))
    }

    pub(crate) fn statuses(&self, now_ms: i64) -> Vec<TaskStatus> {
        self.slots.iter().map(|(id, slot)| status(*id, slot, now_ms)).collect()
    }
}

fn status(id: TaskId, slot: &Slot, now_ms: i64) -> TaskStatus {
    let empty = TaskStatus { id, ..TaskStatus::default() };
    match slot {
        Slot::Restoring(task) => TaskStatus {
            state: TaskState::Restoring { remaining: task.remaining(), total: task.total },
            restore: Some(task.progress(now_ms)),
            stores: store_statuses(&task.stores),
            ..empty
        },
        Slot::Failed(error) => TaskStatus { state: TaskState::Failed { error: error.clone() }, ..empty },
        Slot::Running(task) => TaskStatus {
            state: TaskState::Running,
            stream_time_ms: task.ctx.stream_time_ms,
            records_processed: task.processed,
            records_dropped: task.dropped(),
            processor_metrics: processor_metrics(task.processor_metrics()),
            partitions: task
                .group
                .inputs
                .iter()
                .map(|input| PartitionStatus {
                    partition: input.partition.clone(),
                    position: input.position,
                    buffered: input.queue.len(),
                    waits_for: input.queue.waits_for().map(ToOwned::to_owned),
                })
                .collect(),
            stores: store_statuses(&task.stores),
            ..empty
        },
    }
}
