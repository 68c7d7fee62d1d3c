//! Tasks that replay their changelogs while other tasks run.

use std::time::Duration;

use super::{StreamThread, restoring_task::RestoringTask, tasks::Slot};
use crate::{
    clock::Moment,
    error::TaskError,
    task::changelog_bounds,
    transport::{ConsumedRecord, Fetched, TransportError},
};

/// Changelog records that one turn applies at most, before running tasks have their turn.
const RESTORE_BATCH: usize = 10_000;

/// How long to wait for changelog records while no running task has work.
const RESTORE_WAIT: Duration = Duration::from_millis(5);

impl StreamThread {
    pub(super) fn read_changelogs(&mut self) -> Result<(), TaskError> {
        let restores = self.tasks.restoring().flat_map(|(_, task)| {
            task.restores.iter().map(|restore| (restore.changelog.clone(), restore.next)).collect::<Vec<_>>()
        });
        let restores: Vec<_> = restores.collect();
        Ok(self.clients.reader.assign(&restores)?)
    }

    /// Reads changelogs: for tasks that restore, and for tasks that find strays.
    pub(super) fn read_state(&mut self, timeout: Duration) -> Result<usize, TaskError> {
        Ok(self.restore(timeout)? + self.answer_strays()?)
    }

    fn restore(&mut self, timeout: Duration) -> Result<usize, TaskError> {
        if !self.tasks.is_restoring() {
            return Ok(0);
        }
        let mut restored = 0;
        let wait = if self.has_buffered() { Duration::ZERO } else { timeout.min(RESTORE_WAIT) };
        for Fetched { partition, records } in self.read_changelog_records(wait)? {
            restored += records.len();
            for (_, task) in self.tasks.restoring() {
                let RestoringTask { stores, restores, meter, .. } = task;
                if let Some(restore) = restores.iter_mut().find(|restore| restore.changelog == partition) {
                    meter.count(records.len(), records.iter().map(ConsumedRecord::size).sum());
                    restore.apply(stores, records)?;
                    break;
                }
            }
        }
        let now_ms = self.app.clock.monotonic_ms();
        self.tasks.restoring().for_each(|(_, task)| task.tell(now_ms));
        self.status.records_restored += restored as u64;
        let finished = self.finish_restores()?;
        if finished {
            self.run_restored()?;
        }
        Ok(restored + usize::from(finished))
    }

    /// Reads changelog records. Retention may have deleted the next records of a restore. Then the deleted records are
    /// not needed, and the store begins again from empty at the changelog's new start.
    fn read_changelog_records(&mut self, wait: Duration) -> Result<Vec<Fetched>, TaskError> {
        match self.clients.reader.read(wait, RESTORE_BATCH) {
            Err(TransportError::OffsetOutOfRange { partition, .. }) => {
                // The changelog's end may have changed, too.
                let now_ms = self.app.clock.now_ms();
                let bounds = changelog_bounds(&mut *self.clients.reader, &partition)?;
                for (_, task) in self.tasks.restoring() {
                    let RestoringTask { stores, restores, .. } = task;
                    if let Some(restore) = restores.iter_mut().find(|restore| restore.changelog == partition) {
                        restore.start_over(stores, bounds, now_ms)?;
                    }
                }
                self.read_changelogs().map(|()| Vec::new())
            }
            read => Ok(read?),
        }
    }

    /// Removes the restores whose changelogs are read to their end. The end need not be a record. `true` if a task has
    /// all of its changelogs.
    fn finish_restores(&mut self) -> Result<bool, TaskError> {
        let Moment { wall_ms, monotonic_ms } = Moment::of(&*self.app.clock);
        let Self { tasks, clients, .. } = self;
        let (mut finished, mut elsewhere) = (false, false);
        for (_, task) in tasks.restoring() {
            let RestoringTask { stores, restores, .. } = task;
            // One by one: after an error, an unfinished restore must not count as finished.
            let mut at = 0;
            while at < restores.len() {
                let restore = &mut restores[at];
                let position = clients.reader.position(&restore.changelog)?;
                if restore.reach(stores, position, wall_ms)? {
                    if !restore.lacks_windows(stores)? {
                        restores.remove(at);
                        continue;
                    }
                    let bounds = changelog_bounds(&mut *clients.reader, &restore.changelog)?;
                    restore.start_over(stores, bounds, wall_ms)?;
                    elsewhere = true;
                } else if restore.stalls(position, monotonic_ms) {
                    let bounds = changelog_bounds(&mut *clients.reader, &restore.changelog)?;
                    elsewhere |= restore.cut(stores, bounds, wall_ms)?;
                }
                at += 1;
            }
            // Also a task that was finished when another task's error came.
            finished |= restores.is_empty();
        }
        if elsewhere {
            self.read_changelogs()?;
        }
        Ok(finished)
    }

    fn run_restored(&mut self) -> Result<(), TaskError> {
        let ready: Vec<_> =
            self.tasks.restoring().filter(|(_, task)| task.restores.is_empty()).map(|(id, _)| id).collect();
        for id in ready {
            if let Some(Slot::Restoring(task)) = self.tasks.slots.remove(&id) {
                task.tell_end(self.app.clock.monotonic_ms());
                let RestoringTask { stores, committed, .. } = *task;
                stores.restored()?;
                self.run_task(id, stores, &committed)?;
                let inputs = self.app.plan.input_partitions(id);
                self.clients.consumer.resume(&inputs)?;
                self.paused.retain(|partition| !inputs.contains(partition));
            }
        }
        self.read_changelogs()
    }
}
