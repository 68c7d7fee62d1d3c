//! The path of records: fetched, buffered within bounds, processed. Also the passing of time between them.

use super::{StreamThread, clients::Clients, pace::Pace, tasks::Slot};
use crate::{
    clock::{Clock, Moment, millis},
    error::TaskError,
    task::{ActiveTask, Rest, Waiting},
    transport::{Fetched, ProducerRecord, TopicPartition, TransportError},
};

/// The most records that one task takes before the next task has its turn.
const BATCH: usize = 1000;

impl StreamThread {
    pub(super) fn has_buffered(&mut self) -> bool {
        self.tasks.running().any(|task| task.ctx.unfinished || (task.group.buffered() > 0 && !task.waits))
    }

    /// Counts silence for tasks that had no work before and after the poll. The thread's wait counts as silence. The
    /// time for other tasks' records counts, too: a task without work beside a busy task is idle. In one turn, at most
    /// `poll_timeout` of that time counts, because a stopped process does not fetch. None counts if the poll returned
    /// its maximum, because the poll may not have reached some partitions.
    pub(super) fn rest(&mut self, waited_ms: i64, polled_ms: i64, batches: &[Fetched]) {
        let app = &self.app;
        let brought_all = batches.iter().map(|batch| batch.records.len()).sum::<usize>() < app.max_poll_records();
        let worked_ms = match self.worked_since_ms.take().filter(|_| brought_all) {
            Some(since_ms) => (polled_ms - since_ms).min(millis(app.config.poll_timeout)) - waited_ms,
            None => 0,
        };
        let rest = Rest { waited_ms, worked_ms: worked_ms.max(0), wall_ms: app.clock.now_ms() };
        let Self { tasks, clients, .. } = self;
        let brought = |partition: &TopicPartition| batches.iter().any(|batch| batch.partition == *partition);
        let mut silent = |partition: &TopicPartition| !brought(partition) && clients.consumer.is_caught_up(partition);
        tasks.running().for_each(|task| task.rest(rest, &mut silent));
    }

    pub(super) fn buffer(&mut self, batches: Vec<Fetched>) -> Result<usize, TaskError> {
        let mut fetched = 0;
        let mut full = Vec::new();
        // First for all batches: an error below must not hide that a partition was read beyond its commit.
        for Fetched { partition, records } in &batches {
            if let Some(first) = records.first().filter(|_| !self.fetched.contains_key(partition)) {
                self.fetched.insert(partition.clone(), first.offset);
            }
        }
        for Fetched { partition, records } in batches {
            fetched += records.len();
            let id = self.app.plan.task_of(&partition);
            if let Some(Slot::Running(task)) = id.and_then(|id| self.tasks.slots.get_mut(&id)) {
                task.push(&partition, records);
                if task.buffered_of(&partition) >= self.app.config.max_buffered_records {
                    full.push(partition);
                }
            } else if self.tasks.owned.contains(&partition)
                && let Some(first) = records.first()
            {
                // The partition's task does not run yet and will need these records.
                self.clients.consumer.seek(&partition, first.offset)?;
                full.push(partition);
            }
        }
        self.pause(full)?;
        Ok(fetched)
    }

    pub(super) fn pause(&mut self, partitions: Vec<TopicPartition>) -> Result<(), TaskError> {
        let partitions: Vec<_> = partitions.into_iter().filter(|one| self.paused.insert(one.clone())).collect();
        if !partitions.is_empty() {
            self.clients.consumer.pause(&partitions)?;
        }
        Ok(())
    }

    /// Resumes the partitions whose buffers running tasks have drained.
    pub(super) fn resume_drained(&mut self) -> Result<(), TaskError> {
        if self.paused.is_empty() {
            return Ok(());
        }
        let low = self.app.config.max_buffered_records / 2;
        let (plan, slots) = (&self.app.plan, &self.tasks.slots);
        let drained = self.paused.iter().filter(|partition| {
            let slot = plan.task_of(partition).and_then(|id| slots.get(&id));
            matches!(slot, Some(Slot::Running(task)) if task.buffered_of(partition) <= low)
        });
        let drained: Vec<_> = drained.cloned().collect();
        if !drained.is_empty() {
            self.clients.consumer.resume(&drained)?;
            self.paused.retain(|partition| !drained.contains(partition));
        }
        Ok(())
    }

    /// Lets each task process a batch, or less if the next poll is due. The next turn then begins with the task after
    /// the last one served.
    pub(super) fn process(&mut self) -> Result<usize, TaskError> {
        let now = Moment::of(&*self.app.clock);
        let max_idle_ms = self.app.config.max_task_idle.map(millis);
        let last = self.last_served.take();
        let Self { tasks, clients, transaction, pace, app, last_served, .. } = self;
        let Clients { consumer, producer, .. } = clients;
        let mut processed = 0;
        for comes_first in [true, false] {
            for task in tasks.running().filter(|task| last.is_none_or(|last| task.id > last) == comes_first) {
                if last_served.is_some() {
                    // The task's own turn will show whether it has work.
                    task.waits = false;
                    continue;
                }
                task.ctx.wall_ms = now.wall_ms;
                let mut caught_up = |partition: &TopicPartition| consumer.is_caught_up(partition);
                task.begin(&mut Waiting { caught_up: &mut caught_up, max_idle_ms, now_ms: now.monotonic_ms });
                let taken = take_batch(task, pace, &*app.clock, |record| transaction.send(&mut **producer, record))?;
                task.waits = taken == 0;
                processed += taken;
                if pace.is_over() {
                    *last_served = Some(task.id);
                }
            }
        }
        Ok(processed)
    }

    /// Ticks each task. If the next poll is due, the other tasks get their tick after it.
    pub(super) fn tick(&mut self, now_ms: i64) -> Result<(), TaskError> {
        self.last_tick_ms = now_ms;
        let wall_ms = self.app.clock.now_ms();
        let last = self.last_ticked.take();
        let Self { tasks, clients, transaction, app, pace, last_ticked, .. } = self;
        let Clients { producer, .. } = clients;
        for task in tasks.running().filter(|task| last.is_none_or(|last| task.id > last)) {
            task.ctx.wall_ms = wall_ms;
            task.tick(now_ms)?;
            for record in task.take_outputs() {
                transaction.send(&mut **producer, record)?;
            }
            if pace.is_long(app.clock.monotonic_ms() - now_ms) {
                *last_ticked = Some(task.id);
                break;
            }
        }
        Ok(())
    }
}

/// Processes a task's records in strides while there is time. Returns their number.
fn take_batch(
    task: &mut ActiveTask,
    pace: &mut Pace,
    clock: &dyn Clock,
    mut send: impl FnMut(ProducerRecord) -> Result<(), TransportError>,
) -> Result<usize, TaskError> {
    let mut taken = 0;
    pace.look(clock);
    while taken < BATCH {
        let stride = pace.stride().min(BATCH - taken);
        if let Some((record, reason)) = pace.refused() {
            task.check_head(record, reason)?;
        }
        let took = task.process(stride)?;
        taken += took;
        if let Some(time) = pace.took(took, clock) {
            pace.outlasted(took, task.position(), time);
        }
        let mut sent = false;
        task.take_outputs().inspect(|_| sent = true).try_for_each(&mut send)?;
        if sent {
            // The time of a slow log does not count for the records.
            pace.look(clock);
        }
        if took < stride || task.ctx.unfinished || pace.is_over() || task.holds_too_much() {
            break;
        }
    }
    Ok(taken)
}
