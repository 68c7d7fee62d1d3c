//! The loop: poll, restore, process, punctuate, commit.

mod clients;
mod commit;
mod committing;
mod inquiry;
mod ownership;
mod pace;
mod processing;
mod recovery;
mod restoring;
mod restoring_task;
mod strays;
mod tasks;
mod topic_refresh;
mod transaction;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use clients::Clients;
use inquiry::Inquirer;
use pace::Pace;
use recovery::{Repair, Replacements};
use tasks::Tasks;
use transaction::Transaction;

use crate::{
    clock::millis,
    error::TaskError,
    names::ThreadName,
    plan::TaskId,
    runtime::{Prepared, ThreadStatus, preparation::TICK},
    task::{ActiveTask, TaskStores},
    transport::{Offset, Rebalance, TopicPartition, TransportError, Waker},
};

/// A stream thread. `step` is one turn of its loop, so tests and a simulation can run single turns.
///
/// The field `tasks` is declared before `clients`, so it is dropped first. The tasks' stores then close before the
/// partitions go to another thread.
pub(crate) struct StreamThread {
    name: ThreadName,
    app: Prepared,
    tasks: Tasks,
    clients: Clients,
    transaction: Transaction,
    /// The repair that an error requires before the next turn.
    repair: Option<Repair>,
    replacements: Replacements,
    /// Whether a task could not be opened yet, because its stores are locked.
    waits_for_stores: bool,
    paused: BTreeSet<TopicPartition>,
    /// Partitions whose fetch position is no longer the committed offset, each with the first offset fetched since
    /// then.
    fetched: BTreeMap<TopicPartition, Offset>,
    /// Partitions to give back once their tasks are closed.
    releasing: Vec<TopicPartition>,
    pace: Pace,
    /// The last task that had a turn, if there was no time for the others.
    last_served: Option<TaskId>,
    /// The last task that got its tick, if the other tasks have not got theirs yet.
    last_ticked: Option<TaskId>,
    last_commit_ms: i64,
    last_tick_ms: i64,
    last_purge_ms: i64,
    last_refresh_ms: i64,
    /// Since when the thread has only waited for records.
    rests_since_ms: i64,
    /// When the last poll returned, if the thread processed records after it.
    pub(super) worked_since_ms: Option<i64>,
    /// Asks the log about resting tasks above.
    inquirer: Inquirer,
    /// The offsets up to which the log has deleted records. The same deletion is not requested twice.
    purged: BTreeMap<TopicPartition, Offset>,
    pub(crate) status: ThreadStatus,
    /// How often the thread has opened its clients again.
    pub(crate) reopened: u64,
}

impl StreamThread {
    pub(crate) fn start(app: Prepared, name: ThreadName) -> Result<Self, TaskError> {
        let clients = Clients::open(&app, &name)?;
        let now = app.clock.monotonic_ms();
        let transaction = Transaction::new(app.config.processing_guarantee);
        let pace = Pace::new(app.poll_limit(), now);
        let status = ThreadStatus { name: name.to_string(), ..ThreadStatus::default() };
        Ok(Self {
            name,
            app,
            clients,
            tasks: Tasks::default(),
            transaction,
            repair: None,
            replacements: Replacements::default(),
            waits_for_stores: false,
            paused: BTreeSet::new(),
            fetched: BTreeMap::new(),
            releasing: Vec::new(),
            pace,
            last_served: None,
            last_ticked: None,
            last_commit_ms: now,
            last_tick_ms: now,
            last_purge_ms: now,
            last_refresh_ms: now,
            rests_since_ms: now,
            worked_since_ms: None,
            inquirer: Inquirer::default(),
            purged: BTreeMap::new(),
            status,
            reopened: 0,
        })
    }

    /// Runs one turn. Returns how many records were fetched, restored or processed. 0 means that there was no work.
    pub(crate) fn step(&mut self, timeout: Duration) -> Result<usize, TaskError> {
        let turned = match self.repair {
            Some(repair) => self.mend(repair).map(|()| 1),
            None => self.turn(timeout),
        };
        let turned = turned.or_else(|error| self.recover(error).map(|()| 1));
        self.begin_to_rest();
        turned
    }

    fn turn(&mut self, timeout: Duration) -> Result<usize, TaskError> {
        // Before the poll, because an error here must not lose polled records.
        let began_ms = self.app.clock.monotonic_ms();
        self.attend_commit()?;
        let attended_ms = self.app.clock.monotonic_ms();
        let may_work = self.app.settings.globals.are_whole();
        let has_work = may_work && (self.has_buffered() || self.last_ticked.is_some());
        let works_on = self.tasks.is_restoring() || has_work || self.has_strays();
        let wait = if works_on { Duration::ZERO } else { timeout };
        let wait = wait.min(self.time_to_commit());
        let polled = match self.clients.consumer.poll(wait) {
            Err(TransportError::Retriable(reason)) => return Ok(self.wait_for_log(reason.as_str(), timeout)),
            Err(TransportError::UnknownTopic(topic)) if self.does_without(&topic)? => return Ok(1),
            polled => polled.map_err(TaskError::of_sources)?,
        };
        let polled_ms = self.app.clock.monotonic_ms();
        let waited_ms = polled_ms - attended_ms + (began_ms - self.rests_since_ms);
        self.rest(waited_ms.max(0), polled_ms, &polled.batches);
        self.pace.polled(polled_ms);
        let mut done = polled.rebalances.len();
        // Before any rebalance waits for the commit on its way: after this poll the thread is a new member, and may own
        // a lost partition again.
        for rebalance in &polled.rebalances {
            if let Rebalance::Lost(partitions) = rebalance {
                let tasks = partitions.iter().filter_map(|partition| self.app.plan.task_of(partition)).collect();
                self.transaction.lose(partitions, &tasks);
            }
        }
        for rebalance in polled.rebalances {
            // A failed rebalance must not hide the next one.
            if let Err(error) = self.rebalance(rebalance) {
                self.recover(error)?;
            }
            if self.repair == Some(Repair::Rejoin) {
                // The other rebalances are for a membership that has ended.
                return Ok(done);
            }
        }
        done += self.buffer(polled.batches)?;
        if self.repair.is_some() {
            return Ok(done);
        }
        done += match self.read_state(timeout) {
            Err(TaskError::Transport(TransportError::Retriable(reason))) => {
                // The reader may have passed records that were not applied. They are read again.
                self.read_changelogs()?;
                self.wait_for_log(reason.as_str(), timeout)
            }
            restored => restored?,
        };
        self.bound_memory()?;
        let processed = if may_work { self.process()? } else { 0 };
        self.worked_since_ms = (processed > 0).then_some(polled_ms);
        done += processed;
        self.resume_drained()?;
        let now = self.app.clock.monotonic_ms();
        if self.last_ticked.is_some() || now - self.last_tick_ms >= millis(TICK) {
            if may_work {
                self.tick(now)?;
            }
            self.inquire(now);
            self.flush_waiting(now)?;
            if self.waits_for_stores {
                self.open_tasks()?;
            }
        }
        if self.commit_is_due(now) {
            self.begin_commit()?;
        }
        if now - self.last_purge_ms >= millis(self.app.config.repartition_purge_interval) {
            self.purge(now);
        }
        self.refresh_topics_when_due(now)?;
        Ok(done)
    }

    /// The log is unreachable, and nothing was begun. The next turn tries again.
    fn wait_for_log(&self, reason: &str, timeout: Duration) -> usize {
        tracing::warn!(thread = %self.name, %reason, "the log is temporarily unavailable");
        self.app.clock.sleep(timeout);
        0
    }

    /// Marks the time until now as work, although it was outside a turn.
    pub(crate) fn begin_to_rest(&mut self) {
        self.rests_since_ms = self.app.clock.monotonic_ms();
    }

    /// Commits between turns. Errors are handled as in a turn.
    pub(crate) fn commit_now(&mut self) -> Result<(), TaskError> {
        let committed = self.commit().or_else(|error| self.recover(error));
        self.worked_since_ms = None;
        self.begin_to_rest();
        committed
    }

    /// Ticks between turns. Errors are handled as in a turn.
    pub(crate) fn tick_now(&mut self) -> Result<(), TaskError> {
        loop {
            let now_ms = self.app.clock.monotonic_ms();
            let ticked = self.tick(now_ms);
            if ticked.is_err() || self.last_ticked.is_none() {
                return ticked.or_else(|error| self.recover(error));
            }
        }
    }

    /// Commits, and flushes the stores, so that a restart needs no replay. Work that cannot be committed is aborted:
    /// otherwise readers of its topics would wait for it.
    pub(crate) fn close(mut self) -> Result<(), TaskError> {
        let committed = self.commit();
        self.give_up();
        let flushed = self.tasks.running().try_for_each(|task| task.stores.flush());
        committed.and(flushed)
    }

    /// Aborts the open transaction before the thread ends. Otherwise the next owner aborts it, or the log after a
    /// time-out.
    pub(crate) fn give_up(&mut self) {
        if let Err(error) = self.transaction.abort(&mut *self.clients.producer) {
            tracing::warn!(thread = %self.name, %error, "the transaction could not be aborted");
        }
    }

    pub(crate) fn report(&mut self) -> ThreadStatus {
        ThreadStatus { tasks: self.tasks.statuses(self.app.clock.monotonic_ms()), ..self.status.clone() }
    }

    /// The stores of running tasks, with their caches flushed. Empty if the flush failed and the tasks must be
    /// repaired.
    pub(crate) fn stores(&mut self) -> Result<Vec<&TaskStores>, TaskError> {
        let flushed = self.tasks.running().try_for_each(ActiveTask::flush_caches);
        if let Err(error) = flushed {
            self.recover(error)?;
        }
        Ok(self.tasks.running().map(|task| &task.stores).collect())
    }

    /// First: the bytes of uncommitted changes and of records that wait for a commit. Second: the number of fetched
    /// records of the fullest partition.
    pub(crate) fn load(&mut self) -> (usize, usize) {
        let held = self.transaction.held_bytes();
        let uncommitted = self.tasks.running().map(|task| task.stores.overlay_bytes()).sum::<usize>();
        let inputs = self.tasks.running().flat_map(|task| task.group.inputs.iter().map(|input| input.queue.len()));
        (held + uncommitted, inputs.max().unwrap_or(0))
    }

    /// The waker that ends the thread's poll; `None` if the log has no waker.
    pub(crate) fn waker(&self) -> Option<Waker> {
        self.clients.consumer.waker()
    }

    pub(crate) fn is_idle(&mut self) -> bool {
        self.repair.is_none()
            && !self.waits_for_stores
            && !self.tasks.is_restoring()
            && !self.has_strays()
            // A task that waits for another input has no work until time passes.
            && self.tasks.running().all(|task| !task.ctx.unfinished && (task.waits || task.group.buffered() == 0))
    }
}

#[cfg(test)]
mod kill_tests;
#[cfg(test)]
mod tests;
