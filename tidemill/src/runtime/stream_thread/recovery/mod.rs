//! The reaction to each error. Only this module decides it.

mod replacement;

pub(super) use replacement::Replacements;

use super::{
    StreamThread,
    clients::Clients,
    tasks::{Slot, Tasks},
    transaction::Transaction,
};
use crate::{config::TaskFailureAction, error::TaskError, transport::TransportError};

/// The repair that an error requires before the next turn. If the log refuses it for the moment, it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repair {
    /// Abort the transaction, and open every task again at its last commit.
    RollBack,
    /// Rejoin the group as a new member.
    Rejoin,
}

impl StreamThread {
    /// Reacts to an error. The next turn does the repair.
    pub(in crate::runtime) fn recover(&mut self, error: TaskError) -> Result<(), TaskError> {
        // The error does not concern the commit on its way: its work was done before.
        if let Err(failed) = self.settle_commit() {
            self.deal_with(failed)?;
        }
        self.deal_with(error)
    }

    /// Reacts to each kind of error.
    fn deal_with(&mut self, error: TaskError) -> Result<(), TaskError> {
        match error {
            TaskError::Corrupted { task, store, source } => {
                tracing::warn!(%task, %store, error = %source, "store is corrupted, rebuilding it");
                self.fall_back();
                self.tasks.parked.remove(&task);
                self.tasks.slots.remove(&task);
                if let Some(spec) = self.app.plan.graph().stores.get(&store) {
                    let failed = |source| TaskError::State { task, source };
                    self.app.stores.quarantine(task, spec).map_err(failed)?;
                }
                Ok(())
            }
            TaskError::Transport(TransportError::Fenced(_)) => {
                tracing::warn!(thread = %self.name, "a newer instance took over, rejoining");
                self.status.fenced += 1;
                self.drop_tasks();
                self.repair = Some(Repair::Rejoin);
                Ok(())
            }
            TaskError::Transport(source @ TransportError::Abort(_)) => {
                tracing::warn!(thread = %self.name, error = %source, "transaction aborted, processing again");
                self.fall_back();
                Ok(())
            }
            TaskError::Transport(TransportError::Retriable(reason)) => {
                // It is unknown how much was done. So the thread continues from the last commit.
                tracing::warn!(thread = %self.name, %reason, "the log is temporarily unavailable, processing again");
                self.fall_back();
                Ok(())
            }
            waiting @ TaskError::NotYet { .. } => {
                tracing::warn!(thread = %self.name, "{}, processing again", waiting.chain());
                self.fall_back();
                // The missing data is on its way. Retries without a pause would not help.
                self.app.clock.sleep(self.app.config.poll_timeout);
                Ok(())
            }
            TaskError::ReplaceThread { task, node, position, source } => {
                if self.replaces_thread(task, position.as_ref(), &source) {
                    return Ok(());
                }
                self.fail(TaskError::Failed { task, node, position, source })
            }
            failed @ TaskError::Failed { .. } => self.fail(failed),
            fatal @ (TaskError::State { .. }
            | TaskError::MissingSourceTopic(_)
            | TaskError::Panicked { .. }
            | TaskError::WaitsForItself { .. }
            | TaskError::UnknownStore(_)
            | TaskError::WrongStoreTypes(_)
            | TaskError::Transport(_)) => {
                self.give_up();
                Err(fatal)
            }
        }
    }

    /// Reacts to a task that cannot process a record.
    fn fail(&mut self, failed: TaskError) -> Result<(), TaskError> {
        let TaskError::Failed { task, position, source, .. } = &failed else { return Err(failed) };
        let (task, text) = (*task, failed.chain());
        let action = self.app.config.on_task_failure;
        if action == TaskFailureAction::ReplaceThread && self.replaces_thread(task, position.as_ref(), source) {
            return Ok(());
        }
        tracing::error!(thread = %self.name, "{text}");
        match action {
            TaskFailureAction::StopInstance | TaskFailureAction::ReplaceThread => {
                // The task's error is returned, and not an error of the abort.
                self.give_up();
                Err(failed)
            }
            TaskFailureAction::StopTask => {
                self.fall_back();
                self.tasks.parked.remove(&task);
                if let Some(inputs) = self.inputs_here(task) {
                    self.tasks.slots.insert(task, Slot::Failed(text));
                    self.pause(inputs)?;
                }
                Ok(())
            }
        }
    }

    /// Drops everything uncommitted. The repair then opens the tasks again at their last commit.
    pub(super) fn fall_back(&mut self) {
        self.status.aborts += 1;
        let Tasks { slots, parked, .. } = &mut self.tasks;
        for (id, slot) in slots.extract_if(.., |_, slot| matches!(slot, Slot::Running(_))) {
            if let Slot::Running(task) = slot {
                parked.insert(id, task.into_rolled_back_stores());
            }
        }
        self.repair.get_or_insert(Repair::RollBack);
    }

    pub(super) fn mend(&mut self, repair: Repair) -> Result<(), TaskError> {
        match repair {
            Repair::RollBack => {
                self.transaction.abort(&mut *self.clients.producer)?;
                self.replace_producer()?;
                self.release()?;
                self.open_tasks()?;
                // A changelog read may have failed half-way, so it is repeated.
                self.read_changelogs()?;
            }
            Repair::Rejoin => {
                self.clients = Clients::open(&self.app, &self.name).map_err(TaskError::of_sources)?;
                self.reopened += 1;
                self.transaction = Transaction::new(self.app.config.processing_guarantee);
            }
        }
        self.repair = None;
        Ok(())
    }

    /// Replaces the producer by a new one, which fences it, if the old one must not begin another transaction.
    pub(super) fn replace_producer(&mut self) -> Result<(), TransportError> {
        if self.transaction.needs_new_producer(&mut *self.clients.producer) {
            tracing::warn!(thread = %self.name, "the end of a transaction is uncertain, replacing the producer");
            // The old transaction has ended once the new producer may begin. The committed offsets show how it ended.
            self.clients.producer = Clients::producer(&self.app, &self.name)?;
            self.transaction.begin_anew();
        }
        Ok(())
    }

    /// Drops all tasks and partitions, and all uncommitted work.
    fn drop_tasks(&mut self) {
        for task in std::mem::take(&mut self.tasks.slots).into_values() {
            if let Slot::Running(task) = task {
                drop(task.into_rolled_back_stores());
            }
        }
        self.tasks.parked.clear();
        self.app.standbys.unclaim_all(self.name.as_str());
        self.tasks.owned.clear();
        self.paused.clear();
        self.fetched.clear();
        self.releasing.clear();
        self.waits_for_stores = false;
    }
}

#[cfg(test)]
mod tests;
