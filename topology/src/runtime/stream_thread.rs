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

/// Committed offsets of a task's inputs, and what its stores have to replay.
type Place = (BTreeMap<TopicPartition, CommittedOffset>, Vec<StoreRestore>);

/// Why a thread ended.
pub(crate) type ThreadError = TaskError;

/// What an error left to do before the next turn. The log may refuse it for the moment; then it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repair {
    /// Abort the transaction, and open every task again at its last commit.
    RollBack,
    /// Begin anew as another member.
    Rejoin,
}

/// A stream thread. `step` is one turn of its loop, so that tests and simulation can turn it by hand.
pub(crate) struct StreamThread {
    name: String,
    app: Prepared,
    clients: Clients,
    tasks: Tasks,
    transaction: Transaction,
    repair: Option<Repair>,
    /// A task could not be opened yet.
    waits_for_stores: bool,
    paused: BTreeSet<TopicPartition>,
    /// Partitions whose fetch position is no longer the committed offset.
    fetched: BTreeSet<TopicPartition>,
    /// Partitions to give back once their tasks are closed.
    releasing: Vec<TopicPartition>,
    last_commit_ms: i64,
    last_tick_ms: i64,
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
            repair: None,
            waits_for_stores: false,
            paused: BTreeSet::new(),
            fetched: BTreeSet::new(),
            releasing: Vec::new(),
            last_commit_ms: now,
            last_tick_ms: now,
            status,
        })
    }

    /// One turn. Returns how many records were fetched, restored or processed: 0 means there was nothing to do.
    pub(crate) fn step(&mut self, timeout: Duration) -> Result<usize, ThreadError> {
        let turned = match self.repair {
            Some(repair) => self.mend(repair).map(|()| 1),
            None => self.turn(timeout),
        };
        match turned {
            Ok(done) => Ok(done),
            Err(error) => self.recover(error).map(|()| 1),
        }
    }

    fn turn(&mut self, timeout: Duration) -> Result<usize, TaskError> {
        let timeout = if self.tasks.is_restoring() || self.has_buffered() { Duration::ZERO } else { timeout };
        let polled = match self.clients.consumer.poll(timeout) {
            Err(TransportError::Retriable(reason)) => return Ok(self.wait_for_log(&reason, timeout)),
            polled => polled?,
        };
        let mut done = polled.rebalances.len();
        for rebalance in polled.rebalances {
            // One that fails must not hide the next.
            if let Err(error) = self.rebalance(rebalance) {
                self.recover(error)?;
            }
            if self.repair == Some(Repair::Rejoin) {
                // The rest is about a member that this thread is no longer.
                return Ok(done);
            }
        }
        done += self.buffer(polled.batches)?;
        if self.repair.is_some() {
            return Ok(done);
        }
        done += match self.restore() {
            Err(TaskError::Transport(TransportError::Retriable(reason))) => self.wait_for_log(&reason, timeout),
            restored => restored?,
        };
        done += self.process()?;
        self.resume_drained()?;
        let now = self.app.clock.now_ms();
        if now - self.last_tick_ms >= TICK.as_millis() as i64 {
            self.tick(now)?;
            if self.waits_for_stores {
                self.open_tasks()?;
            }
        }
        if self.commit_is_due(now) {
            self.commit()?;
        }
        Ok(done)
    }

    /// The log is away and nothing was begun: the next turn tries again.
    fn wait_for_log(&self, reason: &str, timeout: Duration) -> usize {
        tracing::warn!(thread = %self.name, %reason, "the log is temporarily unavailable");
        std::thread::sleep(timeout);
        0
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
    fn release(&mut self) -> Result<(), TaskError> {
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
    fn open_tasks(&mut self) -> Result<(), TaskError> {
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
        for Fetched { partition, records } in self.clients.reader.read(Duration::ZERO, RESTORE_BATCH)? {
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

    /// Lets go of changelogs that are read to their end, which need not be a record. Whether a task has all of them.
    fn finish_restores(&mut self) -> Result<bool, TaskError> {
        let now_ms = self.app.clock.now_ms();
        let Self { tasks, clients, .. } = self;
        let mut finished = false;
        for (_, task) in tasks.restoring() {
            let RestoringTask { stores, restores, .. } = task;
            // One by one: an error in between must not make an unfinished one look finished.
            let mut at = 0;
            while at < restores.len() {
                let position = clients.reader.position(&restores[at].changelog)?;
                if restores[at].reach(stores, position, now_ms)? {
                    restores.remove(at);
                } else {
                    at += 1;
                }
            }
            // Also one that was done when an error of another came between.
            finished |= restores.is_empty();
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
                self.run_task(id, stores, &committed)?;
                let inputs = self.app.plan.input_partitions(id);
                self.clients.consumer.resume(&inputs)?;
                self.paused.retain(|partition| !inputs.contains(partition));
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
            if !self.fetched.contains(&partition) {
                self.fetched.insert(partition.clone());
            }
            let id = self.app.plan.task_of(&partition);
            if let Some(Slot::Running(task)) = id.and_then(|id| self.tasks.slots.get_mut(&id)) {
                task.push(&partition, records);
                if task.buffered_of(&partition) >= self.app.config.max_buffered_records {
                    full.push(partition);
                }
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
        if self.repair.is_some() {
            // What the transaction holds is half of something.
            return Ok(());
        }
        if self.transaction != Transaction::Open && !self.tasks.running().any(|task| task.needs_commit()) {
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

    // ---- errors ----

    /// What each error means, in one place. What there is to do about it is left to the next turn.
    fn recover(&mut self, error: TaskError) -> Result<(), ThreadError> {
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
            TaskError::Fenced | TaskError::Transport(TransportError::Fenced(_)) => {
                tracing::warn!(thread = %self.name, "a newer instance took over, rejoining");
                self.status.fenced += 1;
                self.drop_tasks();
                self.repair = Some(Repair::Rejoin);
                Ok(())
            }
            TaskError::Aborted { source } | TaskError::Transport(source @ TransportError::Abort(_)) => {
                tracing::warn!(thread = %self.name, error = %source, "transaction aborted, processing again");
                self.fall_back();
                Ok(())
            }
            TaskError::Transport(TransportError::Retriable(reason)) => {
                // How much was done is unknown: only the last commit is a place to go on from.
                tracing::warn!(thread = %self.name, %reason, "the log is temporarily unavailable, processing again");
                self.fall_back();
                Ok(())
            }
            failed @ TaskError::Failed { task, .. } => {
                let text = failed.chain();
                tracing::error!(thread = %self.name, "{text}");
                match self.app.config.on_task_failure {
                    TaskFailureAction::StopInstance => Err(failed),
                    TaskFailureAction::StopTask => {
                        self.fall_back();
                        self.tasks.parked.remove(&task);
                        self.tasks.slots.insert(task, Slot::Failed(text));
                        self.pause(self.app.plan.input_partitions(task))
                    }
                }
            }
            fatal @ (TaskError::State { .. } | TaskError::Transport(_)) => Err(fatal),
        }
    }

    /// Drops everything uncommitted. Tasks are opened again at their last commit once that is mended.
    fn fall_back(&mut self) {
        self.status.aborts += 1;
        let Tasks { slots, parked, .. } = &mut self.tasks;
        for (id, slot) in slots.extract_if(.., |_, slot| matches!(slot, Slot::Running(_))) {
            if let Slot::Running(task) = slot {
                parked.insert(id, task.into_rolled_back_stores());
            }
        }
        self.repair.get_or_insert(Repair::RollBack);
    }

    fn mend(&mut self, repair: Repair) -> Result<(), TaskError> {
        match repair {
            Repair::RollBack => {
                if self.transaction == Transaction::Unknown {
                    // Its predecessor's transaction is over once this one may begin, and offsets tell how it ended.
                    self.clients.producer = Clients::producer(&self.app, &self.name)?;
                    self.transaction = Transaction::new(self.app.config.processing_guarantee);
                }
                self.transaction.abort(&mut *self.clients.producer)?;
                self.release()?;
                self.open_tasks()?;
                // A changelog read that failed half-way is read again.
                self.read_changelogs()?;
            }
            Repair::Rejoin => {
                self.clients = Clients::open(&self.app, &self.name)?;
                self.transaction = Transaction::new(self.app.config.processing_guarantee);
            }
        }
        self.repair = None;
        Ok(())
    }

    /// Owns nothing any more, and keeps nothing uncommitted.
    fn drop_tasks(&mut self) {
        for task in std::mem::take(&mut self.tasks.slots).into_values() {
            if let Slot::Running(task) = task {
                drop(task.into_rolled_back_stores());
            }
        }
        self.tasks.parked.clear();
        self.tasks.owned.clear();
        self.paused.clear();
        self.fetched.clear();
        self.releasing.clear();
        self.waits_for_stores = false;
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
        self.repair.is_none()
            && !self.waits_for_stores
            && !self.tasks.is_restoring()
            && self.tasks.running().all(|task| task.group.buffered() == 0)
    }
}
