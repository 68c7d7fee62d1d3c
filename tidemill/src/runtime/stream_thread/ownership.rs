//! Assigned and revoked partitions, and the tasks that open and close with them.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_state::StoreError;

use super::{StreamThread, recovery::Repair, restoring_task::RestoringTask, tasks::Slot};
use crate::{
    clock::{Moment, millis},
    error::TaskError,
    plan::TaskId,
    runtime::{Prepared, restore_meter::RestoreMeter},
    task::{ActiveTask, Followed, StoreRestore, TaskStores},
    transport::{AutoOffsetReset, CommittedOffset, Consumer, Rebalance, TopicPartition},
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
                self.tasks.owned.extend(partitions.iter().cloned());
                self.close_grown(&partitions)?;
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
                        // A task may go on with the inputs that stay.
                        self.open_tasks()?;
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

    /// Closes running tasks that got more inputs. They are opened again with all of them, at their last commit.
    fn close_grown(&mut self, assigned: &[TopicPartition]) -> Result<(), TaskError> {
        let ids: BTreeSet<_> = assigned.iter().filter_map(|partition| self.app.plan.task_of(partition)).collect();
        let runs = |id: &TaskId| matches!(self.tasks.slots.get(id), Some(Slot::Running(_)));
        let grown: Vec<_> = ids.into_iter().filter(|id| self.app.plan.splits(id.subtopology) && runs(id)).collect();
        if grown.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.commit() {
            return self.recover(error);
        }
        for id in grown {
            if let Some(Slot::Running(task)) = self.tasks.slots.remove(&id) {
                self.tasks.parked.insert(id, task.into_rolled_back_stores());
            }
        }
        Ok(())
    }

    /// The inputs with which a task runs here: all of them; or, if a group may give them to several members, those that
    /// this thread owns. `None` while this thread has too few of them.
    pub(super) fn inputs_here(&self, id: TaskId) -> Option<Vec<TopicPartition>> {
        let mut inputs = self.app.plan.input_partitions(id);
        if self.app.plan.splits(id.subtopology) {
            inputs.retain(|input| self.tasks.owned.contains(input));
            return (!inputs.is_empty()).then_some(inputs);
        }
        inputs.iter().all(|input| self.tasks.owned.contains(input)).then_some(inputs)
    }

    /// Opens every task whose inputs are all owned. If another thread of this instance does not know yet that it lost a
    /// task, it still has the task's stores open. The task then waits until that thread closes them.
    pub(super) fn open_tasks(&mut self) -> Result<(), TaskError> {
        let tasks: BTreeSet<_> =
            self.tasks.owned.iter().filter_map(|partition| self.app.plan.task_of(partition)).collect();
        // Operators may read global stores from their first moment on.
        self.waits_for_stores = !self.app.settings.globals.are_whole();
        if self.waits_for_stores {
            return self.pause(self.tasks.owned.iter().cloned().collect());
        }
        for id in tasks {
            if let Some(inputs) = self.inputs_here(id)
                && !self.tasks.slots.contains_key(&id)
            {
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
        let TaskStart { committed, restores } = match self.find_start(id, &stores, followed, &inputs) {
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
        id: TaskId,
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
            let offset = match app.plan.offset_reset_of(&input.topic).filter(|_| offset.is_none()) {
                Some(reset) => Some(begin(app, &mut *clients.consumer, id, input, reset)?),
                None => offset,
            };
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
        let inputs = self.inputs_here(id).unwrap_or_default();
        let now = Moment::of(&*self.app.clock);
        let task = ActiveTask::new(self.app.settings.clone(), id, stores, inputs, committed, now)?;
        tracing::debug!(task = %id, "running");
        self.tasks.slots.insert(id, Slot::Running(Box::new(task)));
        Ok(())
    }
}

/// Where a source begins in a partition that the application has never read. The next poll reads from there.
fn begin(
    app: &Prepared,
    consumer: &mut dyn Consumer,
    id: TaskId,
    input: &TopicPartition,
    reset: AutoOffsetReset,
) -> Result<CommittedOffset, TaskError> {
    let bounds = consumer.watermarks(input)?;
    let offset = match reset {
        AutoOffsetReset::Earliest => bounds.low,
        AutoOffsetReset::Latest => bounds.high,
        AutoOffsetReset::ByDuration(ago) => {
            let since_ms = app.clock.now_ms().saturating_sub(millis(ago));
            consumer.offset_at(input, since_ms)?.unwrap_or(bounds.high)
        }
        AutoOffsetReset::None => {
            let node = app.plan.sources_of_topic(id.subtopology, &input.topic).next();
            let node = node.map_or_else(|| (*input.topic).into(), |node| app.plan.graph().node(node).name.clone());
            let source = format!(
                "{input} has no committed offset, and its source has the offset reset `None`: commit an offset, or \
                 choose another reset"
            );
            return Err(TaskError::Failed { task: id, node, position: None, source: source.into() });
        }
    };
    tracing::debug!(%input, offset, %reset, "begins a partition that was never read");
    consumer.seek(input, offset)?;
    Ok(CommittedOffset { offset, metadata: String::new() })
}
