//! Assigned and revoked partitions, and the tasks that open and close with them.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_state::StoreError;

use super::{StreamThread, recovery::Repair, restore_meter::RestoreMeter, restoring_task::RestoringTask, tasks::Slot};
use crate::{
    clock::Moment,
    error::TaskError,
    plan::TaskId,
    task::{ActiveTask, Followed, StoreRestore, TaskStores},
    transport::{CommittedOffset, Rebalance, TopicPartition},
};

/// Where a task starts.
struct TaskStart {
    /// The committed offsets of its inputs.
    committed: BTreeMap<TopicPartition, CommittedOffset>,
    /// The changelogs that its stores must replay first.
    restores: Vec<StoreRestore>,
}

impl StreamThread {
    pub(super) fn rebalance(&mut self, rebalance: Rebalance) -> Result<(), TaskError> {
        tracing::debug!(thread = %self.name, ?rebalance, "partitions change hands");
        match rebalance {
            Rebalance::Assigned(partitions) => {
                self.tasks.owned.extend(partitions);
                // After an error, tasks are opened only when the end of the transaction is known.
                if self.repair.is_none() { self.open_tasks() } else { Ok(()) }
            }
            Rebalance::Revoked(partitions) => {
                // The next owner repeats work that could not be committed. The return of the partitions does not wait
                // for it.
                if let Err(error) = self.commit() {
                    self.recover(error)?;
                }
                if self.repair != Some(Repair::Rejoin) {
                    // The stores close before the partitions are given back: the next owner may be another thread of
                    // this instance.
                    let flushed = self.forget(&partitions);
                    self.releasing.extend(partitions);
                    if self.repair.is_none() {
                        self.release()?;
                    }
                    flushed?;
                }
                Ok(())
            }
            Rebalance::Lost(partitions) => {
                if let Err(error) = self.settle_commit() {
                    self.recover(error)?;
                }
                let flushed = self.forget(&partitions);
                self.fall_back();
                flushed
            }
        }
    }

    /// Gives back the revoked partitions. By then no record of this thread may reach the log after the next owner's
    /// records.
    pub(super) fn release(&mut self) -> Result<(), TaskError> {
        if !self.releasing.is_empty() {
            self.clients.consumer.release(&self.releasing)?;
            self.releasing.clear();
        }
        Ok(())
    }

    /// Drops the tasks of these partitions. The stores of running tasks are flushed. Then they are closed, or kept for
    /// a standby if standbys are configured.
    fn forget(&mut self, partitions: &[TopicPartition]) -> Result<(), TaskError> {
        let mut flushed = Ok(());
        for partition in partitions {
            self.tasks.owned.remove(partition);
            self.paused.remove(partition);
            self.fetched.remove(partition);
            let Some(id) = self.app.plan.task_of(partition) else { continue };
            let running = match self.tasks.slots.remove(&id) {
                Some(Slot::Running(task)) => Some(task.into_rolled_back_stores()),
                Some(Slot::Restoring(_) | Slot::Failed(_)) | None => None,
            };
            for stores in self.tasks.parked.remove(&id).into_iter().chain(running) {
                flushed = flushed.and(stores.flush());
                if self.app.config.num_standby_replicas > 0 && self.app.plan.has_changelogs(id) {
                    self.app.standbys.rest(stores);
                }
            }
            self.app.standbys.unclaim(id, self.name.as_str());
        }
        flushed
    }

    /// Opens every task whose inputs are all owned. If another thread of this instance does not know yet that it lost a
    /// task, it still has the task's stores open. The task then waits until that thread closes them.
    pub(super) fn open_tasks(&mut self) -> Result<(), TaskError> {
        let tasks: BTreeSet<_> =
            self.tasks.owned.iter().filter_map(|partition| self.app.plan.task_of(partition)).collect();
        self.waits_for_stores = false;
        for id in tasks {
            let inputs = self.app.plan.input_partitions(id);
            if !self.tasks.slots.contains_key(&id) && inputs.iter().all(|input| self.tasks.owned.contains(input)) {
                let warm = self.app.standbys.claim(id, self.name.as_str());
                self.status.standbys_taken += u64::from(warm.is_some());
                let parked = self.tasks.parked.remove(&id).map(|stores| (stores, Vec::new()));
                let (stores, followed) = match parked.or(warm) {
                    Some(found) => found,
                    None => match TaskStores::open(&self.app.plan, id, &*self.app.stores) {
                        Err(TaskError::State { source: StoreError::Locked { path }, .. }) => {
                            tracing::debug!(task = %id, path = %path.display(), "another thread uses the stores");
                            self.waits_for_stores = true;
                            self.pause(inputs)?;
                            continue;
                        }
                        opened => (opened?, Vec::new()),
                    },
                };
                self.open_task(id, stores, &followed, inputs)?;
            }
        }
        Ok(())
    }

    /// Starts a task: it restores first if its stores need that.
    fn open_task(
        &mut self,
        id: TaskId,
        stores: TaskStores,
        followed: &[Followed],
        inputs: Vec<TopicPartition>,
    ) -> Result<(), TaskError> {
        let TaskStart { committed, restores } = match self.find_start(&stores, followed, &inputs) {
            Ok(start) => start,
            Err(error) => {
                // Stores without a changelog have no other copy, so they are kept.
                self.tasks.parked.insert(id, stores);
                return Err(error);
            }
        };
        if restores.is_empty() {
            stores.restored()?;
            return self.run_task(id, stores, &committed);
        }
        let meter = RestoreMeter::start(self.app.clock.monotonic_ms());
        let mut task = RestoringTask { stores, restores, committed, total: 0, meter };
        task.total = task.remaining();
        let warm = !followed.is_empty();
        tracing::info!(task = %id, left = task.total, warm, "restoring");
        self.tasks.slots.insert(id, Slot::Restoring(Box::new(task)));
        self.pause(inputs)?;
        self.read_changelogs()
    }

    fn find_start(
        &mut self,
        stores: &TaskStores,
        followed: &[Followed],
        inputs: &[TopicPartition],
    ) -> Result<TaskStart, TaskError> {
        let Self { app, clients, fetched, .. } = self;
        let mut committed = BTreeMap::new();
        for (input, offset) in inputs.iter().zip(clients.consumer.committed(inputs)?) {
            if let Some(first) = fetched.get(input) {
                // Without a commit the task began where the log's reset policy says. This may not be the partition's
                // first offset.
                let start = offset.as_ref().map_or(*first, |committed| committed.offset);
                clients.consumer.seek(input, start)?;
                fetched.remove(input);
            }
            committed.extend(offset.map(|offset| (input.clone(), offset)));
        }
        let restores = StoreRestore::plan(stores, followed, &mut *clients.reader, Moment::of(&*app.clock))?;
        Ok(TaskStart { committed, restores })
    }

    pub(super) fn run_task(
        &mut self,
        id: TaskId,
        stores: TaskStores,
        committed: &BTreeMap<TopicPartition, CommittedOffset>,
    ) -> Result<(), TaskError> {
        let task = ActiveTask::new(self.app.settings.clone(), id, stores, committed, Moment::of(&*self.app.clock))?;
        tracing::debug!(task = %id, "running");
        self.tasks.slots.insert(id, Slot::Running(Box::new(task)));
        Ok(())
    }
}
