//! Commits make work visible, all or nothing. Purges delete records that are no longer needed.

use std::time::Duration;

use super::{StreamThread, clients::Clients};
use crate::{clock::millis, error::TaskError};

/// How often an idle thread checks whether the log has committed.
const LOOK: Duration = Duration::from_millis(1);

/// The time of one wait for a commit that must end first.
const PATIENCE: Duration = Duration::from_millis(100);

/// The most bytes of records that may wait for a commit. Beyond this, processing waits.
const HELD_MAX_BYTES: usize = 16 << 20;

impl StreamThread {
    /// How long a poll may wait without delaying a commit.
    pub(super) fn time_to_commit(&mut self) -> Duration {
        if self.transaction.is_committing() {
            return LOOK;
        }
        // Records may change only state. Then nothing is sent before the commit.
        if !self.transaction.is_pending() && !self.tasks.running().any(|task| task.needs_commit()) {
            return Duration::MAX;
        }
        let since_ms = self.app.clock.monotonic_ms() - self.last_commit_ms;
        self.app.config.commit_interval.saturating_sub(Duration::from_millis(since_ms.max(0).unsigned_abs()))
    }

    pub(super) fn commit_is_due(&mut self, now_ms: i64) -> bool {
        if self.transaction.is_committing() {
            return false;
        }
        let interval = millis(self.app.config.commit_interval);
        if now_ms - self.last_commit_ms >= interval {
            return true;
        }
        self.tasks.running().any(|task| task.ctx.commit_requested) || self.holds_too_much()
    }

    pub(super) fn holds_too_much(&mut self) -> bool {
        let held = self.tasks.running().map(|task| task.held_bytes());
        held.sum::<usize>() >= self.app.config.max_uncommitted_bytes
    }

    /// Commits all tasks' outputs, changelog records and offsets together. Then the tasks' stores take up the commit.
    pub(super) fn commit(&mut self) -> Result<(), TaskError> {
        self.settle_commit()?;
        loop {
            self.begin_commit()?;
            self.settle_commit()?;
            // The commit may have found strays. Then another one brings the answer to the changelogs.
            if !self.answer_all_strays()? {
                return Ok(());
            }
        }
    }

    /// Begins a commit. Records processed from here on belong to the next commit.
    pub(super) fn begin_commit(&mut self) -> Result<(), TaskError> {
        self.last_commit_ms = self.app.clock.monotonic_ms();
        if self.repair.is_some() {
            // The transaction holds incomplete work.
            return Ok(());
        }
        if !self.transaction.is_pending() && !self.tasks.running().any(|task| task.needs_commit()) {
            return Ok(());
        }
        let Self { tasks, clients, transaction, .. } = self;
        let Clients { consumer, producer, .. } = clients;
        for task in tasks.running() {
            task.forward_waiting()?;
            for record in task.take_outputs() {
                transaction.send(&mut **producer, record)?;
            }
        }
        let (mut offsets, mut changes) = (Vec::new(), false);
        for task in tasks.running() {
            let work = task.prepare_commit()?;
            offsets.extend(work.offsets);
            if !work.changelog.is_empty() && !std::mem::replace(&mut changes, true) {
                transaction.await_outputs(&mut **producer)?;
            }
            for record in work.changelog {
                transaction.send(&mut **producer, record)?;
            }
        }
        let seal = || tasks.running().map(|task| (task.id, task.seal())).collect();
        transaction.begin_commit(&mut **producer, &mut **consumer, offsets, seal)?;
        self.finish_commit(Duration::ZERO).map(drop)
    }

    /// Waits up to `timeout` for the log, then updates the tasks' stores. `true` if no commit is on its way any more.
    pub(super) fn finish_commit(&mut self, timeout: Duration) -> Result<bool, TaskError> {
        let Self { tasks, clients, transaction, .. } = self;
        if !transaction.is_committing() {
            return Ok(true);
        }
        let Some(committed) = transaction.poll_commit(&mut *clients.consumer, timeout)? else { return Ok(false) };
        committed.apply(tasks)?;
        self.status.commits += 1;
        self.replace_producer()?;
        self.transaction.send_held(&mut *self.clients.producer)?;
        Ok(true)
    }

    /// Updates the tasks' stores if the log has committed. Otherwise sends the waiting records that the log accepts
    /// already.
    pub(super) fn attend_commit(&mut self) -> Result<(), TaskError> {
        if !self.finish_commit(Duration::ZERO)? {
            self.transaction.send_held(&mut *self.clients.producer)?;
        }
        Ok(())
    }

    /// Waits until no commit is on its way. An error comes from the commit itself or from a step after it.
    pub(super) fn settle_commit(&mut self) -> Result<(), TaskError> {
        while !self.finish_commit(PATIENCE)? {}
        Ok(())
    }

    /// Waits for the commit on its way if too many bytes wait for it.
    pub(super) fn bound_memory(&mut self) -> Result<(), TaskError> {
        let is_full = self.transaction.is_committing()
            && (self.transaction.held_bytes() > HELD_MAX_BYTES || self.holds_too_much());
        if is_full { self.settle_commit() } else { Ok(()) }
    }

    /// Starts to flush committed and restored state that has waited long enough.
    pub(super) fn flush_waiting(&mut self, now_ms: i64) -> Result<(), TaskError> {
        let wait_ms = millis(self.app.config.state_flush_interval);
        self.tasks.all_stores().try_for_each(|stores| stores.flush_waiting(now_ms, wait_ms))
    }

    /// Deletes records that are no longer needed: processed records of repartition topics, processed responses, and
    /// changelog records of expired windows. An error does not stop the application: the next purge tries again.
    pub(super) fn purge(&mut self, now_ms: i64) {
        self.last_purge_ms = now_ms;
        let Self { tasks, clients, app, purged, .. } = self;
        let wall_ms = app.clock.now_ms();
        let mut dead = Vec::new();
        for task in tasks.running() {
            if let Err(error) = task.stores.note_all_current(wall_ms) {
                tracing::warn!(task = %task.id, %error, "the current state of the stores could not be noted");
            }
            dead.extend(task.stores.take_dead());
            let in_transit = task.group.inputs.iter().filter(|input| {
                let topic = &input.partition.topic;
                app.plan.is_transit_topic(topic) && !(app.config.keep_responses && app.plan.is_response_topic(topic))
            });
            dead.extend(in_transit.filter_map(|input| Some((input.partition.clone(), input.committed?))));
        }
        dead.retain(|(partition, offset)| purged.get(partition) != Some(offset));
        for (partition, offset) in dead {
            match clients.admin.delete_records(&partition, offset) {
                Ok(()) => drop(purged.insert(partition, offset)),
                Err(error) => {
                    tracing::warn!(%partition, offset, %error, "unneeded records could not be deleted");
                }
            }
        }
    }
}
