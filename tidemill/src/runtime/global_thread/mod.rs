//! Follows the topic of one global store, from the bootstrap on.

mod letters;

use std::{collections::BTreeMap, time::Duration};

use letters::write_letters;

use super::{
    PartitionStatus, Prepared, StoreStatus, TaskState, TaskStatus, ThreadStatus, restore_meter::RestoreMeter,
    status::processor_metrics,
};
use crate::{
    clock::millis,
    error::TaskError,
    graph::StoreName,
    plan::TaskId,
    task::GlobalTask,
    transport::{Fetched, Offset, Reader, TopicPartition, TransportError},
};

/// Records of one turn.
const BATCH: usize = 10_000;

/// How often the store notes that it has everything. A store that notes nothing for long is filled again.
const WHOLE_EVERY_MS: i64 = 60_000;

/// How often a start sets a corrupted store aside. The store in its place may be damaged too, but a disk that damages all
/// of them must not hold the start up for ever.
const SET_ASIDE_MAX: usize = 5;

/// The thread of one global store (`GlobalStreamThread` in Kafka Streams, which has one thread for all stores).
pub(crate) struct GlobalThread {
    app: Prepared,
    store: StoreName,
    task: GlobalTask,
    reader: Box<dyn Reader>,
    /// The ends of the partitions when the bootstrap began, as far as they are not reached. Empty afterwards.
    ends: BTreeMap<TopicPartition, Offset>,
    total: i64,
    meter: RestoreMeter,
    noted_whole_ms: Option<i64>,
    /// Whether records were processed whose effects are not visible yet.
    unfinished: bool,
    /// Why the store must be opened again.
    corrupted: Option<TaskError>,
}

impl GlobalThread {
    /// One thread for each global store of the application.
    pub(crate) fn start_all(app: &Prepared) -> Result<Vec<Self>, TaskError> {
        app.plan.graph().globals.keys().map(|store| Self::start(app.clone(), store.clone())).collect()
    }

    /// Opens the store and begins its bootstrap. A corrupted store is set aside first.
    pub(crate) fn start(app: Prepared, store: StoreName) -> Result<Self, TaskError> {
        for _ in 0..SET_ASIDE_MAX {
            match Self::open(app.clone(), store.clone()) {
                Err(error @ TaskError::Corrupted { .. }) => set_aside(&app, &store, &error)?,
                opened => return opened,
            }
        }
        Self::open(app, store)
    }

    fn open(app: Prepared, store: StoreName) -> Result<Self, TaskError> {
        // An earlier start may have opened the store and failed later.
        app.settings.globals.forget(&store);
        let reader = app.transport.reader()?;
        let task = GlobalTask::open(app.settings.clone(), &store, &*app.stores)?;
        let meter = RestoreMeter::start(app.clock.monotonic_ms());
        let (ends, total, noted_whole_ms) = (BTreeMap::new(), 0, None);
        let (unfinished, corrupted) = (false, None);
        let mut thread = Self { app, store, task, reader, ends, total, meter, noted_whole_ms, unfinished, corrupted };
        thread.bootstrap()?;
        Ok(thread)
    }

    /// Finds the place to continue at. Tasks wait until the store has what the topic holds now.
    fn bootstrap(&mut self) -> Result<(), TaskError> {
        let Self { app, store, task, reader, .. } = self;
        app.settings.globals.set_whole(store, false);
        let mut highs = BTreeMap::new();
        task.find_start(app.clock.now_ms(), |partition| {
            let bounds = reader.watermarks(partition).map_err(TaskError::of_sources)?;
            highs.insert(partition.clone(), bounds.high);
            Ok(bounds)
        })?;
        let behind = |input: &&crate::task::GlobalInput| input.next < highs[&input.partition];
        let behind = task.inputs().iter().filter(behind);
        self.ends = behind.map(|input| (input.partition.clone(), highs[&input.partition])).collect();
        self.meter = RestoreMeter::start(self.app.clock.monotonic_ms());
        (self.noted_whole_ms, self.unfinished, self.total) = (None, false, self.remaining());
        if self.total > 0 {
            tracing::info!(store = %self.store, left = self.total, "filling a global store");
        }
        self.assign()?;
        self.finish_bootstrap()
    }

    /// Reads on from the first records that the store has not seen.
    fn assign(&mut self) -> Result<(), TaskError> {
        let places: Vec<_> = self.task.read_again().collect();
        Ok(self.reader.assign(&places)?)
    }

    /// Takes the next records. Returns how many it took.
    pub(crate) fn step(&mut self, timeout: Duration) -> Result<usize, TaskError> {
        let turned = match self.corrupted.take() {
            Some(error) => self.open_again(error),
            None => self.turn(timeout),
        };
        match turned {
            Err(error @ TaskError::Corrupted { .. }) => {
                self.app.settings.globals.set_whole(&self.store, false);
                self.corrupted = Some(error);
                Ok(1)
            }
            Err(TaskError::Transport(TransportError::Retriable(reason))) => {
                tracing::warn!(store = %self.store, %reason, "the topic of a global store is temporarily unavailable");
                // The reader may have passed records that were not processed.
                self.assign()?;
                self.app.clock.sleep(timeout);
                Ok(0)
            }
            Err(TaskError::Transport(TransportError::OffsetOutOfRange { partition, offset, low, high })) => {
                tracing::warn!(store = %self.store, %partition, offset, low, high, "the topic lost records");
                match self.bootstrap() {
                    Err(TaskError::Transport(TransportError::Retriable(_))) => Ok(0),
                    begun => begun.map(|()| 1),
                }
            }
            turned => turned,
        }
    }

    fn open_again(&mut self, error: TaskError) -> Result<usize, TaskError> {
        set_aside(&self.app, &self.store, &error)?;
        match Self::open(self.app.clone(), self.store.clone()) {
            Ok(opened) => *self = opened,
            Err(unavailable @ TaskError::Transport(TransportError::Retriable(_))) => {
                self.corrupted = Some(error);
                return Err(unavailable);
            }
            Err(lasting) => return Err(lasting),
        }
        Ok(1)
    }

    fn turn(&mut self, timeout: Duration) -> Result<usize, TaskError> {
        if self.unfinished {
            self.commit()?;
        }
        let mut taken = 0;
        if self.task.waits() {
            // A record that will decode later comes first.
            self.app.clock.sleep(timeout);
        } else {
            for Fetched { partition, records } in self.reader.read(timeout, BATCH)? {
                taken += records.len();
                self.meter.count(records.len(), records.iter().map(crate::transport::ConsumedRecord::size).sum());
                self.task.push(&partition, records);
            }
        }
        self.unfinished = true;
        let processed = self.task.process(self.app.clock.now_ms())?;
        self.commit()?;
        if taken == 0 {
            self.look_at_ends()?;
        }
        self.finish_bootstrap()?;
        self.keep(taken == 0)?;
        Ok(processed)
    }

    /// Writes dead letters, and then makes the effects of the processed records visible.
    fn commit(&mut self) -> Result<(), TaskError> {
        let Self { app, store, task, reader, .. } = self;
        write_letters(app, store, task.letters())?;
        task.commit(|partition| Ok(reader.position(partition)?))?;
        self.unfinished = false;
        Ok(())
    }

    /// A topic that loses its newest records ends earlier than it did.
    fn look_at_ends(&mut self) -> Result<(), TaskError> {
        for (partition, end) in &mut self.ends {
            *end = (*end).min(self.reader.watermarks(partition).map_err(TaskError::of_sources)?.high);
        }
        Ok(())
    }

    fn finish_bootstrap(&mut self) -> Result<(), TaskError> {
        if self.noted_whole_ms.is_some() {
            return Ok(());
        }
        let inputs = self.task.inputs();
        self.ends
            .retain(|partition, end| inputs.iter().any(|input| input.partition == *partition && input.next < *end));
        let now_ms = self.app.clock.monotonic_ms();
        if self.ends.is_empty() {
            self.task.note_whole(self.app.clock.now_ms())?;
            self.noted_whole_ms = Some(now_ms);
            self.app.settings.globals.set_whole(&self.store, true);
            tracing::debug!(store = %self.store, "the global store is whole");
        } else if self.meter.is_due(now_ms) {
            let progress = self.meter.progress(self.remaining(), self.total, now_ms);
            let seconds = progress.remaining_ms.map(|ms| ms / 1000);
            tracing::info!(store = %self.store, left = self.remaining(), ?seconds, "filling a global store");
        }
        Ok(())
    }

    /// Flushes now and then. Also notes that the store has everything, if it has.
    fn keep(&mut self, has_all: bool) -> Result<(), TaskError> {
        let now_ms = self.app.clock.monotonic_ms();
        if let Some(noted_ms) = self.noted_whole_ms.filter(|_| has_all)
            && now_ms - noted_ms >= WHOLE_EVERY_MS
        {
            self.noted_whole_ms = Some(now_ms);
            self.task.note_whole(self.app.clock.now_ms())?;
        }
        self.task.flush_waiting(now_ms, millis(self.app.config.state_flush_interval))
    }

    fn remaining(&self) -> i64 {
        let left = |input: &crate::task::GlobalInput| self.ends.get(&input.partition).map(|end| end - input.next);
        self.task.inputs().iter().filter_map(left).map(|left| left.max(0)).sum()
    }

    /// The name of the thread that follows a store.
    pub(crate) fn name_of(app: &Prepared, store: &str) -> String {
        format!("{}-global-{store}", app.client_id)
    }

    pub(crate) fn report(&self) -> ThreadStatus {
        let now_ms = self.app.clock.monotonic_ms();
        let (state, restore) = if self.noted_whole_ms.is_some() {
            (TaskState::Running, None)
        } else {
            let (remaining, total) = (self.remaining(), self.total);
            let progress = self.meter.progress(remaining, total, now_ms);
            (TaskState::Restoring { remaining, total }, Some(progress))
        };
        let partitions = self.task.inputs().iter().map(|input| PartitionStatus {
            partition: input.partition.clone(),
            position: Some(input.next),
            buffered: input.queue.len(),
            waits_for: input.queue.waits_for().map(ToOwned::to_owned),
        });
        let task = TaskStatus {
            id: TaskId::GLOBAL,
            state,
            restore,
            stream_time_ms: self.task.stream_time_ms(),
            records_processed: self.task.processed,
            records_dropped: self.task.dropped(),
            partitions: partitions.collect(),
            processor_metrics: processor_metrics(self.task.processor_metrics()),
            stores: vec![StoreStatus { name: self.store.to_string(), stats: self.task.stats() }],
        };
        ThreadStatus { name: Self::name_of(&self.app, &self.store), tasks: vec![task], ..ThreadStatus::default() }
    }

    /// Whether tasks may read the store.
    pub(crate) fn is_whole(&self) -> bool {
        self.noted_whole_ms.is_some()
    }

    /// Whether a record waits that will decode later.
    pub(crate) fn waits(&self) -> bool {
        self.task.waits()
    }

    /// Makes the rows durable.
    pub(crate) fn close(mut self) -> Result<(), TaskError> {
        self.task.flush()
    }
}

/// Moves a corrupted store away, so that an empty one takes its place.
fn set_aside(app: &Prepared, store: &StoreName, error: &TaskError) -> Result<(), TaskError> {
    tracing::warn!(%store, error = %error.chain(), "global store is corrupted, filling it again");
    app.settings.globals.forget(store);
    let spec = &app.plan.graph().globals[store].spec;
    app.stores.quarantine(TaskId::GLOBAL, spec).map_err(|source| TaskError::of_store(TaskId::GLOBAL, source))
}

#[cfg(test)]
mod tests;
