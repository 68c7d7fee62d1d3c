//! The loop: poll, restore, process, punctuate, commit. The only place that decides what an error means.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tidemill_state::StoreError;

use super::{
    Prepared, ThreadStatus,
    clients::Clients,
    preparation::TICK,
    tasks::{RestoringTask, Slot, Tasks},
    transaction::Transaction,
};
use crate::{
    config::TaskFailureAction,
    error::TaskError,
    plan::TaskId,
    task::{ActiveTask, StoreRestore, TaskStores, Waiting},
    transport::{CommittedOffset, Fetched, Rebalance, TopicPartition, TransportError},
};

/// Records that one task takes before the next has its turn.
const BATCH: usize = 1000;

/// Changelog records applied before running tasks have their turn.
const RESTORE_BATCH: usize = 10_000;

/// How often records that nobody needs are deleted (`repartition.purge.interval.ms` in Kafka Streams).
const PURGE_MS: i64 = 30_000;

/// Why a thread ended.
pub(crate) type ThreadError = TaskError;

/// A stream thread. `step` is one turn of its loop, so that tests and simulation can turn it by hand.
pub(crate) struct StreamThread {
    name: String,
    app: Prepared,
    /// Before the clients, for fields are dropped in this order: a thread that leaves the group has closed its stores,
    /// which another thread of this instance may open at once.
    tasks: Tasks,
    clients: Clients,
    transaction: Transaction,
    paused: BTreeSet<TopicPartition>,
    last_commit_ms: i64,
    last_tick_ms: i64,
    last_purge_ms: i64,
    /// A task's state folder is still in use by the thread that had it before.
    open_later: bool,
    pub(crate) status: ThreadStatus,
}

impl StreamThread {
    pub(crate) fn start(app: Prepared, name: String) -> Result<Self, ThreadError> {
        let clients = Clients::open(&app, &name)?;
        let now = app.clock.now_ms();
        let transaction = Transaction::new(app.config.processing_guarantee);
        let status = ThreadStatus { name: name.clone(), ..ThreadStatus::default() };
        Ok(Self {
            name,
            app,
            clients,
            tasks: Tasks::default(),
            transaction,
            paused: BTreeSet::new(),
            last_commit_ms: now,
            last_tick_ms: now,
            last_purge_ms: now,
            open_later: false,
            status,
        })
    }

    /// One turn. Returns how many records were fetched, restored or processed: 0 means there was nothing to do.
    pub(crate) fn step(&mut self, timeout: Duration) -> Result<usize, ThreadError> {
        match self.turn(timeout) {
            Ok(done) => Ok(done),
            Err(error) => self.recover(error).map(|()| 1),
        }
    }

    fn turn(&mut self, timeout: Duration) -> Result<usize, TaskError> {
        let timeout = if self.tasks.is_restoring() || self.has_buffered() { Duration::ZERO } else { timeout };
        if self.open_later {
            self.open_tasks()?;
        }
        let polled = self.clients.consumer.poll(timeout)?;
        let mut done = polled.rebalances.len();
        // What one change of ownership fails at must not make the thread miss the others, nor what was fetched.
        let mut handled = Ok(());
        for rebalance in polled.rebalances {
            handled = handled.and(self.rebalance(rebalance));
        }
        if self.tasks.locked {
            handled = handled.and(self.open_tasks());
        }
        done += self.buffer(polled.batches)?;
        handled?;
        done += self.restore()?;
        done += self.process()?;
        self.resume_drained()?;
        let now = self.app.clock.now_ms();
        if now - self.last_tick_ms >= TICK.as_millis() as i64 {
            self.tick(now)?;
        }
        if self.commit_is_due(now) {
            self.commit()?;
        }
        if now - self.last_purge_ms >= PURGE_MS {
            self.purge(now);
        }
        Ok(done)
    }

    // ---- ownership ----

    fn rebalance(&mut self, rebalance: Rebalance) -> Result<(), TaskError> {
        tracing::debug!(thread = %self.name, ?rebalance, "partitions change hands");
        match rebalance {
            Rebalance::Assigned(partitions) => {
                self.tasks.owned.extend(partitions);
                self.open_tasks()
            }
            Rebalance::Revoked(partitions) => {
                let committed = self.commit();
                let closed = self.forget(&partitions);
                let flushed = closed.iter().try_for_each(TaskStores::flush);
                // The next owner may be a thread of this process, and waits for the state folders.
                drop(closed);
                self.clients.consumer.release(&partitions)?;
                committed.and(flushed)
            }
            Rebalance::Lost(partitions) => {
                let aborted = self.transaction.abort(&mut *self.clients.producer);
                drop(self.forget(&partitions));
                aborted?;
                self.roll_back(None)
            }
        }
    }

    /// Drops the tasks of partitions that go, and gives back the stores of those that ran.
    fn forget(&mut self, partitions: &[TopicPartition]) -> Vec<TaskStores> {
        let mut closed = Vec::new();
        for partition in partitions {
            self.tasks.owned.remove(partition);
            self.paused.remove(partition);
            let slot = self.app.plan.task_of(partition).and_then(|id| self.tasks.slots.remove(&id));
            if let Some(Slot::Running(task)) = slot {
                closed.push(task.into_rolled_back_stores());
            }
        }
        closed
    }

    /// Opens every task whose inputs are all owned. One whose stores another thread has not closed yet is tried again
    /// with the next turn.
    fn open_tasks(&mut self) -> Result<(), TaskError> {
        self.open_later = false;
        let tasks: BTreeSet<_> =
            self.tasks.owned.iter().filter_map(|partition| self.app.plan.task_of(partition)).collect();
        for id in tasks {
            let inputs = self.app.plan.input_partitions(id);
            if !self.tasks.slots.contains_key(&id) && inputs.iter().all(|input| self.tasks.owned.contains(input)) {
                match TaskStores::open(&self.app.plan, id, &*self.app.stores) {
                    Ok(stores) => self.open_task(id, stores)?,
                    Err(TaskError::State { source: StoreError::Locked { path }, .. }) => {
                        tracing::debug!(task = %id, path = %path.display(), "state folder still in use, waiting");
                        self.open_later = true;
                        self.pause(inputs)?;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Lets a task run, or first restore.
    fn open_task(&mut self, id: TaskId, stores: TaskStores) -> Result<(), TaskError> {
        let inputs = self.app.plan.input_partitions(id);
        let committed = self.clients.consumer.committed(&inputs)?;
        let committed: BTreeMap<_, _> =
            inputs.iter().cloned().zip(committed).filter_map(|(input, offset)| Some((input, offset?))).collect();
        let restores = StoreRestore::plan(&stores, &mut *self.clients.reader)?;
        if restores.is_empty() {
            stores.restored()?;
            return self.run_task(id, stores, &committed);
        }
        let mut task = RestoringTask { stores, restores, committed, total: 0 };
        task.total = task.remaining();
        tracing::info!(task = %id, records = task.total, "restoring");
        self.pause(inputs)?;
        self.tasks.slots.insert(id, Slot::Restoring(task));
        self.read_changelogs()
    }

    fn run_task(
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

    // ---- restore ----

    fn read_changelogs(&mut self) -> Result<(), TaskError> {
        let restores = self.tasks.restoring().flat_map(|(_, task)| {
            task.restores.iter().map(|restore| (restore.changelog.clone(), restore.next)).collect::<Vec<_>>()
        });
        let restores: Vec<_> = restores.collect();
        Ok(self.clients.reader.assign(&restores)?)
    }

    fn restore(&mut self) -> Result<usize, TaskError> {
        if !self.tasks.is_restoring() {
            return Ok(0);
        }
        let mut restored = 0;
        for Fetched { partition, records } in self.read_changelog_records()? {
            restored += records.len();
            for (_, task) in self.tasks.restoring() {
                let RestoringTask { stores, restores, .. } = task;
                if let Some(restore) = restores.iter_mut().find(|restore| restore.changelog == partition) {
                    restore.apply(stores, records)?;
                    break;
                }
            }
        }
        self.status.records_restored += restored as u64;
        let finished = self.finish_restores()?;
        if finished {
            self.run_restored()?;
        }
        Ok(restored + usize::from(finished))
    }

    /// Retention may drop what a restore was about to read: then nothing of it is needed, and the store begins anew
    /// where the changelog now begins.
    fn read_changelog_records(&mut self) -> Result<Vec<Fetched>, TaskError> {
        match self.clients.reader.read(Duration::ZERO, RESTORE_BATCH) {
            Err(TransportError::OffsetOutOfRange { partition, low, .. }) => {
                for (_, task) in self.tasks.restoring() {
                    let RestoringTask { stores, restores, .. } = task;
                    if let Some(restore) = restores.iter_mut().find(|restore| restore.changelog == partition) {
                        restore.start_over(stores, low)?;
                    }
                }
                self.read_changelogs().map(|()| Vec::new())
            }
            read => Ok(read?),
        }
    }

    /// Lets go of changelogs that are read to their end, which need not be a record. Whether there were any.
    fn finish_restores(&mut self) -> Result<bool, TaskError> {
        let Self { tasks, clients, .. } = self;
        let mut finished = false;
        for (_, task) in tasks.restoring() {
            let RestoringTask { stores, restores, .. } = task;
            // One by one: an error in between must not make an unfinished one look finished.
            let mut at = 0;
            while at < restores.len() {
                let position = clients.reader.position(&restores[at].changelog)?;
                if restores[at].reach(stores, position)? {
                    restores.remove(at);
                    finished = true;
                } else {
                    at += 1;
                }
            }
        }
        Ok(finished)
    }

    fn run_restored(&mut self) -> Result<(), TaskError> {
        let ready: Vec<_> =
            self.tasks.restoring().filter(|(_, task)| task.restores.is_empty()).map(|(id, _)| id).collect();
        for id in ready {
            if let Some(Slot::Restoring(RestoringTask { stores, committed, total, .. })) = self.tasks.slots.remove(&id)
            {
                tracing::info!(task = %id, records = total, "restored");
                stores.restored()?;
                self.run_task(id, stores, &committed)?;
                let inputs = self.app.plan.input_partitions(id);
                self.paused.retain(|partition| !inputs.contains(partition));
                self.clients.consumer.resume(&inputs)?;
            }
        }
        self.read_changelogs()
    }

    // ---- records ----

    fn has_buffered(&mut self) -> bool {
        self.tasks.running().any(|task| task.group.buffered() > 0 && !task.waits)
    }

    fn buffer(&mut self, batches: Vec<Fetched>) -> Result<usize, TaskError> {
        let mut fetched = 0;
        let mut full = Vec::new();
        for Fetched { partition, records } in batches {
            fetched += records.len();
            let id = self.app.plan.task_of(&partition);
            if let Some(Slot::Running(task)) = id.and_then(|id| self.tasks.slots.get_mut(&id)) {
                task.push(&partition, records);
                if task.buffered_of(&partition) >= self.app.config.max_buffered_records {
                    full.push(partition);
                }
            } else if let Some(first) = records.first() {
                // Fetched before the pause took hold: to be fetched again when the task runs.
                self.clients.consumer.seek(&partition, first.offset)?;
                full.push(partition);
            }
        }
        self.pause(full)?;
        Ok(fetched)
    }

    fn pause(&mut self, partitions: Vec<TopicPartition>) -> Result<(), TaskError> {
        let partitions: Vec<_> = partitions.into_iter().filter(|one| self.paused.insert(one.clone())).collect();
        if !partitions.is_empty() {
            self.clients.consumer.pause(&partitions)?;
        }
        Ok(())
    }

    /// Fetches again what a running task has worked off.
    fn resume_drained(&mut self) -> Result<(), TaskError> {
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

    fn process(&mut self) -> Result<usize, TaskError> {
        let now_ms = self.app.clock.now_ms();
        let max_idle_ms = self.app.config.max_task_idle.map(|idle| idle.as_millis() as i64);
        let Self { tasks, clients, transaction, .. } = self;
        let Clients { consumer, producer, .. } = clients;
        let mut processed = 0;
        for task in tasks.running() {
            let mut caught_up = |partition: &TopicPartition| consumer.is_caught_up(partition);
            let mut waiting = Waiting { caught_up: &mut caught_up, max_idle_ms, now_ms };
            let taken = task.process(BATCH, &mut waiting)?;
            task.waits = taken == 0;
            processed += taken;
            for record in task.take_outputs() {
                transaction.send(&mut **producer, record)?;
            }
        }
        Ok(processed)
    }

    fn tick(&mut self, now_ms: i64) -> Result<(), TaskError> {
        self.last_tick_ms = now_ms;
        let Self { tasks, clients, transaction, .. } = self;
        let Clients { consumer, producer, .. } = clients;
        for task in tasks.running() {
            let caught_up = task.group.inputs.iter().all(|input| consumer.is_caught_up(&input.partition));
            task.tick(now_ms, caught_up)?;
            for record in task.take_outputs() {
                transaction.send(&mut **producer, record)?;
            }
        }
        Ok(())
    }

    // ---- commit ----

    fn commit_is_due(&mut self, now_ms: i64) -> bool {
        let interval = self.app.config.commit_interval.as_millis() as i64;
        if now_ms - self.last_commit_ms >= interval {
            return true;
        }
        let limit = self.app.config.max_uncommitted_bytes;
        let requested = self.tasks.running().any(|task| task.ctx.commit_requested);
        requested || self.tasks.running().map(|task| task.stores.overlay_bytes()).sum::<usize>() >= limit
    }

    /// Commits all tasks' outputs, changelog records and offsets together; then their state follows.
    fn commit(&mut self) -> Result<(), TaskError> {
        self.last_commit_ms = self.app.clock.now_ms();
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

    /// Commits between turns; what goes wrong is dealt with as in a turn.
    pub(crate) fn commit_now(&mut self) -> Result<(), ThreadError> {
        self.commit().or_else(|error| self.recover(error))
    }

    /// Ticks between turns; what goes wrong is dealt with as in a turn.
    pub(crate) fn tick_now(&mut self) -> Result<(), ThreadError> {
        let now_ms = self.app.clock.now_ms();
        self.tick(now_ms).or_else(|error| self.recover(error))
    }

    // ---- purge ----

    /// Deletes what nobody reads any more: processed records of repartition topics, and changelogs of expired windows.
    /// A failure is not one of the application: the next purge tries again.
    fn purge(&mut self, now_ms: i64) {
        self.last_purge_ms = now_ms;
        let Self { tasks, clients, app, .. } = self;
        let mut dead = Vec::new();
        for task in tasks.running() {
            dead.extend(task.stores.take_dead());
            let repartitioned =
                task.group.inputs.iter().filter(|input| app.plan.is_repartition_topic(&input.partition.topic));
            dead.extend(repartitioned.filter_map(|input| Some((input.partition.clone(), input.committed?))));
        }
        for (partition, offset) in dead {
            if let Err(error) = clients.admin.delete_records(&partition, offset) {
                tracing::warn!(%partition, offset, %error, "records that nobody needs were not deleted");
            }
        }
    }

    // ---- errors ----

    /// Deals with an error, and with those that come up meanwhile: an abort may find that it is fenced, a task that is
    /// opened again that its store is damaged.
    fn recover(&mut self, error: TaskError) -> Result<(), ThreadError> {
        let mut error = error;
        let mut attempts = 0;
        loop {
            let stops_task = self.app.config.on_task_failure == TaskFailureAction::StopTask;
            // Each task fails once; anything else that does not end is given up.
            attempts += u32::from(!matches!(error, TaskError::Failed { .. }));
            match self.act_on(error) {
                Ok(()) => return Ok(()),
                Err(next @ TaskError::Failed { .. }) if stops_task => error = next,
                Err(next) if next.is_recoverable() && attempts < RECOVERIES => error = next,
                Err(fatal) => return Err(fatal),
            }
        }
    }

    /// What each error means, in one place.
    fn act_on(&mut self, error: TaskError) -> Result<(), ThreadError> {
        match error {
            TaskError::Corrupted { task, store, source } => {
                tracing::warn!(%task, %store, error = %source, "store is corrupted, rebuilding it");
                self.roll_back(Some(task))?;
                // It may have been restoring.
                drop(self.tasks.slots.remove(&task));
                if let Some(spec) = self.app.plan.graph().stores.get(&store) {
                    let failed = |source| TaskError::State { task, source };
                    self.app.stores.quarantine(task, spec).map_err(failed)?;
                }
                self.open_tasks()
            }
            TaskError::Fenced | TaskError::Transport(TransportError::Fenced(_)) => {
                tracing::warn!(thread = %self.name, "a newer instance took over, rejoining");
                self.status.fenced += 1;
                self.rejoin()
            }
            TaskError::Aborted { source } | TaskError::Transport(source @ TransportError::Abort(_)) => {
                tracing::warn!(thread = %self.name, error = %source, "transaction aborted, processing again");
                self.roll_back(None)?;
                self.open_tasks()
            }
            TaskError::Transport(TransportError::Retriable(reason)) => {
                // What was to be sent may be lost half-way.
                tracing::warn!(thread = %self.name, %reason, "the log is temporarily unavailable, processing again");
                self.roll_back(None)?;
                self.open_tasks()
            }
            failed @ TaskError::Failed { task, .. } => {
                let text = failed.chain();
                tracing::error!(thread = %self.name, "{text}");
                match self.app.config.on_task_failure {
                    TaskFailureAction::StopInstance => {
                        self.transaction.abort(&mut *self.clients.producer)?;
                        Err(failed)
                    }
                    TaskFailureAction::StopTask => {
                        self.roll_back(Some(task))?;
                        let inputs = self.app.plan.input_partitions(task);
                        if inputs.iter().all(|input| self.tasks.owned.contains(input)) {
                            self.pause(inputs)?;
                            self.tasks.slots.insert(task, Slot::Failed(text));
                        }
                        Ok(())
                    }
                }
            }
            fatal @ (TaskError::State { .. } | TaskError::Bug(_) | TaskError::Transport(_)) => Err(fatal),
        }
    }

    /// Drops everything uncommitted and continues every task but `except`, which is closed, from its last commit.
    fn roll_back(&mut self, except: Option<TaskId>) -> Result<(), TaskError> {
        self.status.aborts += 1;
        self.transaction.abort(&mut *self.clients.producer)?;
        let running: Vec<_> = self.tasks.running().map(|task| task.id).collect();
        for id in running {
            let Some(Slot::Running(task)) = self.tasks.slots.remove(&id) else { continue };
            let stores = task.into_rolled_back_stores();
            let inputs = self.app.plan.input_partitions(id);
            for (input, committed) in inputs.iter().zip(self.clients.consumer.committed(&inputs)?) {
                let offset = match committed {
                    Some(committed) => committed.offset,
                    None => self.clients.consumer.watermarks(input)?.0,
                };
                self.clients.consumer.seek(input, offset)?;
            }
            if Some(id) != except {
                self.open_task(id, stores)?;
            }
        }
        Ok(())
    }

    /// Drops every task and begins anew as another member.
    fn rejoin(&mut self) -> Result<(), TaskError> {
        for task in std::mem::take(&mut self.tasks.slots).into_values() {
            if let Slot::Running(task) = task {
                drop(task.into_rolled_back_stores());
            }
        }
        self.tasks.owned.clear();
        self.paused.clear();
        self.transaction = Transaction::new(self.app.config.processing_guarantee);
        self.clients = Clients::open(&self.app, &self.name)?;
        Ok(())
    }

    /// Commits, and makes the stores survive a crash without a replay.
    pub(crate) fn close(mut self) -> Result<(), ThreadError> {
        self.commit()?;
        self.tasks.running().try_for_each(|task| task.stores.flush())
    }

    // ---- inspection ----

    pub(crate) fn report(&mut self) -> ThreadStatus {
        ThreadStatus { tasks: self.tasks.statuses(), ..self.status.clone() }
    }

    /// The stores of running tasks, caches flushed into them.
    pub(crate) fn stores(&mut self) -> Result<Vec<&TaskStores>, ThreadError> {
        let mut stores = Vec::new();
        for task in self.tasks.running() {
            task.flush_caches()?;
            stores.push(&task.stores);
        }
        Ok(stores)
    }

    pub(crate) fn is_idle(&mut self) -> bool {
        // A task that waits for another input has nothing to do before time passes.
        !self.tasks.is_restoring() && self.tasks.running().all(|task| task.waits || task.group.buffered() == 0)
    }
}
