//! The Processor API: custom operators with stores, punctuations and full control over forwarded records.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tidemill_state::{BoxError, Codec, Coded, KeyValueStore, WindowStore};

use super::{Failure, Next, Schedule, StoreHandle, TaskContext, check_event_time};
use crate::{
    clock::millis,
    error::Position,
    graph::StoreName,
    record::{Data, Record},
    transport::TopicPartition,
};

/// A custom operator. One instance serves one task. Threads never share an instance.
///
/// A processor must be deterministic: it takes the time from the record or from [`ProcessorContext`], never from a
/// clock. An error stops the task unless the processing handler decides otherwise; a panic always stops it. In both
/// cases nothing of that record is committed.
pub trait Processor<KIn, VIn, KOut: Data, VOut: Data> {
    /// Called once, before the first record. Fetch stores and schedule punctuations here.
    fn init(&mut self, _ctx: &mut ProcessorContext<'_, KOut, VOut>) -> Result<(), BoxError> {
        Ok(())
    }

    /// Called for each record.
    fn process(&mut self, ctx: &mut ProcessorContext<'_, KOut, VOut>, record: Record<KIn, VIn>)
    -> Result<(), BoxError>;

    /// Called when a punctuation is due. `time_ms` is stream time or wall time, as scheduled, in milliseconds since the
    /// epoch.
    fn punctuate(
        &mut self,
        _ctx: &mut ProcessorContext<'_, KOut, VOut>,
        _punctuation: Punctuation,
        _time_ms: i64,
    ) -> Result<(), BoxError> {
        Ok(())
    }
}

/// Identifies a scheduled punctuation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Punctuation(pub(crate) u32);

/// The time that a punctuation follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PunctuationType {
    /// The task's stream time. Punctuations are aligned to the epoch; the first call comes with the first record.
    StreamTime,
    /// The wall clock. The first call comes one interval after scheduling. The call gets the time of the wall clock,
    /// but a monotonic clock measures the interval: punctuations continue if the wall clock is set back.
    WallClockTime,
}

/// The operations that a processor can use while it is called.
pub struct ProcessorContext<'a, K: Data, V: Data> {
    pub(crate) task: &'a mut TaskContext,
    pub(crate) next: &'a Next<K, V>,
    pub(crate) stores: &'a BTreeMap<StoreName, StoreHandle>,
    pub(crate) partitions: &'a [TopicPartition],
    pub(crate) failure: &'a mut Option<Box<Failure>>,
}

impl<K: Data, V: Data> ProcessorContext<'_, K, V> {
    /// Passes a record to the operators after this one. If the record's timestamp is negative or more than half of the
    /// largest 64-bit integer, this processor fails with an error.
    pub fn forward(&mut self, record: Record<K, V>) {
        if self.failure.is_none() {
            let valid = check_event_time(record.timestamp);
            *self.failure = valid.and_then(|()| self.next.forward(self.task, record)).err();
        }
    }

    /// The highest timestamp that the task has taken from any input, in milliseconds since the epoch; -1 before the
    /// first record.
    pub fn stream_time_ms(&self) -> i64 {
        self.task.stream_time_ms
    }

    /// The wall time that the runtime last reported to the task, in milliseconds since the epoch. It changes only
    /// between records.
    pub fn wall_time_ms(&self) -> i64 {
        self.task.wall_ms
    }

    /// The position of the record that is being processed; `None` in a punctuation.
    pub fn position(&self) -> Option<Position> {
        let partition = self.partitions.get(self.task.queue?)?.clone();
        Some(Position { partition, offset: self.task.offset })
    }

    /// Calls [`Processor::punctuate`] every `interval`; the shortest is 1 ms. Missed calls are combined into one.
    pub fn schedule(&mut self, interval: Duration, kind: PunctuationType) -> Punctuation {
        let id = Punctuation(self.task.next_punctuation);
        self.task.next_punctuation += 1;
        let interval_ms = millis(interval).max(1);
        let due_ms = match kind {
            PunctuationType::StreamTime => 0,
            PunctuationType::WallClockTime => self.task.monotonic_ms + interval_ms,
        };
        let schedule = Schedule { node: self.task.node, id, kind, interval_ms, due_ms };
        self.task.change_schedules(|schedules| schedules.push(schedule));
        id
    }

    /// Cancels a punctuation.
    pub fn cancel(&mut self, punctuation: Punctuation) {
        self.task.change_schedules(|schedules| schedules.retain(|schedule| schedule.id != punctuation));
    }

    /// Asks for a commit as soon as the current record is done.
    pub fn request_commit(&mut self) {
        self.task.commit_requested = true;
    }

    /// A key-value store that is connected to this processor, with the default codecs of the types.
    ///
    /// # Errors
    /// If no store of this name is connected, or the store is a window store.
    pub fn key_value_store<SK: Coded, SV: Coded>(&self, name: &str) -> Result<KeyValueStore<SK, SV>, BoxError> {
        self.key_value_store_with(name, SK::Codec::default(), SV::Codec::default())
    }

    /// A key-value store that is connected to this processor, with the given codecs.
    ///
    /// # Errors
    /// If no store of this name is connected, or the store is a window store.
    pub fn key_value_store_with<SK: 'static, SV: 'static>(
        &self,
        name: &str,
        key: impl Codec<SK>,
        value: impl Codec<SV>,
    ) -> Result<KeyValueStore<SK, SV>, BoxError> {
        match self.store(name)? {
            StoreHandle::KeyValue(store) => Ok(KeyValueStore::new(store.clone(), Arc::new(key), Arc::new(value))),
            StoreHandle::Window(_) => Err(format!("store '{name}' is a window store").into()),
        }
    }

    /// A window store that is connected to this processor, with the default codecs of the types.
    ///
    /// # Errors
    /// If no store of this name is connected, or the store is a key-value store.
    pub fn window_store<SK: Coded, SV: Coded>(&self, name: &str) -> Result<WindowStore<SK, SV>, BoxError> {
        self.window_store_with(name, SK::Codec::default(), SV::Codec::default())
    }

    /// A window store that is connected to this processor, with the given codecs.
    ///
    /// # Errors
    /// If no store of this name is connected, or the store is a key-value store.
    pub fn window_store_with<SK: 'static, SV: 'static>(
        &self,
        name: &str,
        key: impl Codec<SK>,
        value: impl Codec<SV>,
    ) -> Result<WindowStore<SK, SV>, BoxError> {
        match self.store(name)? {
            StoreHandle::Window(store) => Ok(WindowStore::new(store.clone(), Arc::new(key), Arc::new(value))),
            StoreHandle::KeyValue(_) => Err(format!("store '{name}' is a key-value store").into()),
        }
    }

    fn store(&self, name: &str) -> Result<&StoreHandle, BoxError> {
        self.stores.get(name).ok_or_else(|| {
            let known: Vec<_> = self.stores.keys().map(|name| &**name).collect();
            format!("store '{name}' is not connected to this processor; connected are [{}]", known.join(", ")).into()
        })
    }
}
