//! Partitions that come and go, and the tasks that open and close with them.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_state::StoreError;

use super::{
    StreamThread,
    recovery::Repair,
    tasks::{RestoringTask, Slot},
};
use crate::{
    error::TaskError,
    plan::TaskId,
    task::{ActiveTask, StoreRestore, TaskStores},
    transport::{CommittedOffset, Rebalance, TopicPartition},
};

/// Committed offsets of a task's inputs, and what its stores have to replay.
type Place = (BTreeMap<TopicPartition, CommittedOffset>, Vec<StoreRestore>);

impl StreamThread {
    pub(super) fn rebalance(&mut self, rebalance: Rebalance) -> Result<(), TaskError> {
        tracing::debug!(thread = %self.name, ?rebalance, "partitions change hands");
        match rebalance {
            Rebalance::Assigned(partitions) => {
                self.tasks.owned.extend(partitions);
                self.open_tasks()
            }
            Rebalance::Revoked(partitions) => {
                // What could not be committed is done again by the next owner; giving back does not wait for it.
                if let Err(error) = self.commit() {
                    self.recover(error)?;
                }
                if self.repair != Some(Repair::Rejoin) {
                    // Closed before they are given back: the next owner may be another thread of this instance.
                    let flushed = self.forget(&partitions).iter().try_for_each(TaskStores::flush);
                    self.releasing.extend(partitions);
                    if self.repair.is_none() {
                        self.release()?;
                    }
                    flushed?;
                }
                Ok(())
            }
            Rebalance::Lost(partitions) => {
                drop(self.forget(&partitions));
                self.fall_back();
                Ok(())
            }
        }
    }

    /// Gives back what was asked back, once nothing that was sent for it can still come after the next owner's.
    pub(super) fn release(&mut self) -> Result<(), TaskError> {
        if !self.releasing.is_empty() {
            self.clients.consumer.release(&self.releasing)?;
            self.releasing.clear();
        }
        Ok(())
    }

    /// Drops the tasks of partitions that go, and gives back the stores of those that ran.
    fn forget(&mut self, partitions: &[TopicPartition]) -> Vec<TaskStores> {
        let mut closed = Vec::new();
        for partition in partitions {
            self.tasks.owned.remove(partition);
            self.paused.remove(partition);
            self.fetched.remove(partition);
            let Some(id) = self.app.plan.task_of(partition) else { continue };
            closed.extend(self.tasks.parked.remove(&id));
            if let Some(Slot::Running(task)) = self.tasks.slots.remove(&id) {
                closed.push(task.into_rolled_back_stores());
            }
        }
        closed
    }

    /// Opens every task whose inputs are all owned. One whose stores another thread of this instance still has open,
    /// because it does not know yet that it lost them, waits until that thread lets go.
    pub(super) fn open_tasks(&mut self) -> Result<(), TaskError> {
        let tasks: BTreeSet<_> =
            self.tasks.owned.iter().filter_map(|partition| self.app.plan.task_of(partition)).collect();
        self.waits_for_stores = false;
        for id in tasks {
            let inputs = self.app.plan.input_partitions(id);
            if !self.tasks.slots.contains_key(&id) && inputs.iter().all(|input| self.tasks.owned.contains(input)) {
                let stores = match self.tasks.parked.remove(&id) {
                    Some(stores) => stores,
                    None => match TaskStores::open(&self.app.plan, id, &*self.app.stores) {
                        Err(TaskError::State { source: StoreError::Locked { path }, .. }) => {
                            tracing::debug!(task = %id, path = %path.display(), "another thread has its stores open");
                            self.waits_for_stores = true;
                            self.pause(inputs)?;
                            continue;
                        }
                        opened => opened?,
                    },
                };
                self.open_task(id, stores, inputs)?;
            }
        }
        Ok(())
    }

    /// Lets a task run, or first restore.
    fn open_task(&mut self, id: TaskId, stores: TaskStores, inputs: Vec<TopicPartition>) -> Result<(), TaskError> {
        let (committed, restores) = match self.find_place(&stores, &inputs) {
            Ok(place) => place,
            Err(error) => {
                // Stores without a changelog have no other copy.
                self.tasks.parked.insert(id, stores);
                return Err(error);
            }
        };
        if restores.is_empty() {
            stores.restored()?;
            return self.run_task(id, stores, &committed);
        }
        let mut task = RestoringTask { stores, restores, committed, total: 0 };
        task.total = task.remaining();
        tracing::info!(task = %id, records = task.total, "restoring");
        self.tasks.slots.insert(id, Slot::Restoring(task));
        self.pause(inputs)?;
        self.read_changelogs()
    }

    /// Where a task begins: at what is committed, after what its stores have to replay.
    fn find_place(&mut self, stores: &TaskStores, inputs: &[TopicPartition]) -> Result<Place, TaskError> {
        let Self { app, clients, fetched, .. } = self;
        let mut committed = BTreeMap::new();
        for (input, offset) in inputs.iter().zip(clients.consumer.committed(inputs)?) {
            if fetched.contains(input) {
                let start = match &offset {
                    Some(committed) => committed.offset,
                    None => clients.consumer.watermarks(input)?.0,
                };
                clients.consumer.seek(input, start)?;
                fetched.remove(input);
            }
            committed.extend(offset.map(|offset| (input.clone(), offset)));
        }
        Ok((committed, StoreRestore::plan(stores, &mut *clients.reader, app.clock.now_ms())?))
    }

    pub(super) fn run_task(
        &mut self,
        id: TaskId,
        stores: TaskStores,
        committed: &BTreeMap<TopicPartition, CommittedOffset>,
    ) -> Result<(), TaskError> {
        let task = ActiveTask::new(self.app.settings.clone(), id, stores, committed, self.app.clock.now_ms())?;
        tracing::debug!(task = %id, "running");
        self.tasks.slots.insert(id, Slot::Running(Box::new(task)));
        Ok(())
    }
}
