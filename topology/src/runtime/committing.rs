//! What was done becomes visible, all of it or nothing; what nobody needs any more is deleted.

use std::time::Duration;

use super::{StreamThread, clients::Clients};
use crate::error::TaskError;

impl StreamThread {
    /// How long a poll may wait without keeping back what was done.
    pub(super) fn time_to_commit(&self) -> Duration {
        if !self.transaction.is_pending() {
            return Duration::MAX;
        }
        let since_ms = self.app.clock.now_ms() - self.last_commit_ms;
        self.app.config.commit_interval.saturating_sub(Duration::from_millis(since_ms.max(0).unsigned_abs()))
    }

    pub(super) fn commit_is_due(&mut self, now_ms: i64) -> bool {
        let interval = self.app.config.commit_interval.as_millis() as i64;
        if now_ms - self.last_commit_ms >= interval {
            return true;
        }
        let limit = self.app.config.max_uncommitted_bytes;
        let requested = self.tasks.running().any(|task| task.ctx.commit_requested);
        requested || self.tasks.running().map(|task| task.stores.overlay_bytes()).sum::<usize>() >= limit
    }

    /// Commits all tasks' outputs, changelog records and offsets together; then their state follows.
    pub(super) fn commit(&mut self) -> Result<(), TaskError> {
        self.last_commit_ms = self.app.clock.now_ms();
        if self.repair.is_some() {
            // What the transaction holds is half of something.
            return Ok(());
        }
        if !self.transaction.is_pending() && !self.tasks.running().any(|task| task.needs_commit()) {
            return Ok(());
        }
        let Self { tasks, clients, transaction, .. } = self;
        let Clients { consumer, producer, .. } = clients;
        let mut offsets = Vec::new();
        for task in tasks.running() {
            let work = task.prepare_commit()?;
            offsets.extend(work.offsets);
            for record in work.changelog {
                transaction.send(&mut **producer, record)?;
            }
        }
        let acknowledged = transaction.commit(&mut **producer, &mut **consumer, &offsets)?;
        for task in tasks.running() {
            task.committed(&acknowledged)?;
        }
        self.status.commits += 1;
        Ok(())
    }

    /// Deletes what nobody reads any more: processed records of repartition topics, processed responses, and changelogs
    /// of expired windows.
    /// A failure is not one of the application: the next purge tries again.
    pub(super) fn purge(&mut self, now_ms: i64) {
        self.last_purge_ms = now_ms;
        let Self { tasks, clients, app, .. } = self;
        let mut dead = Vec::new();
        for task in tasks.running() {
            dead.extend(task.stores.take_dead());
            let in_transit = task.group.inputs.iter().filter(|input| app.plan.is_transit_topic(&input.partition.topic));
            dead.extend(in_transit.filter_map(|input| Some((input.partition.clone(), input.committed?))));
        }
        for (partition, offset) in dead {
            if let Err(error) = clients.admin.delete_records(&partition, offset) {
                tracing::warn!(%partition, offset, %error, "records that nobody needs were not deleted");
            }
        }
    }
}
