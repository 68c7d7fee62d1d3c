//! A partition's buffered records. The head is decoded in advance, so that the task can compare head timestamps.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use tidemill_state::{Codec, CodecError};

use super::{BadRecord, Next, Outcome, RecordPart, TaskContext, Undecodable, event_time};
use crate::{
    graph::NodeId,
    idle_note::IdleNote,
    record::{Data, Record},
    times::Times,
    transport::{ConsumedRecord, Offset},
};

/// The state of a queue's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Head {
    Empty,
    /// A valid record with this timestamp.
    Ready(i64),
    /// A record for the deserialization handler.
    Bad,
    /// A record that will decode later. It must not be skipped before.
    NotYet,
    /// An idle note, which is not a record of the stream.
    Note,
}

/// The queue of one partition, with erased types.
pub(crate) trait SourceQueue {
    /// A queue of the same source for another partition.
    fn fresh(&self) -> Box<dyn SourceQueue>;
    fn push(&mut self, records: Vec<ConsumedRecord>);
    fn len(&self) -> usize;
    /// Decodes the head if it is not decoded yet.
    fn head(&mut self, partition_time_ms: i64) -> Head;
    fn head_offset(&self) -> Option<Offset>;
    /// The undecoded head. Its bytes are shared.
    fn head_raw(&self) -> Option<ConsumedRecord>;
    /// Sends the valid head through the topology.
    fn process(&mut self, ctx: &mut TaskContext) -> Outcome;
    /// Drops the head.
    fn skip(&mut self);
    /// Takes the bad head, undecoded, with its problem.
    fn take_bad(&mut self) -> Option<(ConsumedRecord, BadRecord)>;
    /// Whether the head is known to be bad.
    fn is_bad(&self) -> bool;
    /// The source for which the head is bad, if several sources share the queue.
    fn bad_for(&mut self) -> Option<NodeId> {
        None
    }
    /// Takes the idle note at the head.
    fn take_note(&mut self) -> Option<ConsumedRecord>;
    /// What a head that will decode later waits for.
    fn waits_for(&self) -> Option<&str>;
}

/// A source node's queue for one partition.
pub(crate) struct Source<K, V> {
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    pub(crate) times: Times<K, V>,
    pub(crate) next: std::rc::Rc<Next<K, V>>,
    /// Whether the records may include idle notes.
    carries_notes: bool,
    fifo: VecDeque<ConsumedRecord>,
    head: Option<Result<Record<K, V>, BadRecord>>,
    waits_for: Option<String>,
}

impl<K: Data, V: Data> Source<K, V> {
    pub(crate) fn new(
        key: Arc<dyn Codec<K>>,
        value: Arc<dyn Codec<V>>,
        times: Times<K, V>,
        next: std::rc::Rc<Next<K, V>>,
        carries_notes: bool,
    ) -> Self {
        Self { key, value, times, next, carries_notes, fifo: VecDeque::new(), head: None, waits_for: None }
    }

    fn decode(&self, raw: &ConsumedRecord, partition_time_ms: i64) -> Result<Record<K, V>, BadRecord> {
        let bytes = |bytes: &Option<Bytes>| bytes.clone();
        let undecodable = |part| move |error| Undecodable { part, error };
        let key = self.key.decode_opt(bytes(&raw.key)).map_err(undecodable(RecordPart::Key))?;
        let value = self.value.decode_opt(bytes(&raw.value)).map_err(undecodable(RecordPart::Value))?;
        let timestamp = self.times.of((&key, &value), raw, partition_time_ms)?;
        Ok(Record { key, value, timestamp: event_time(timestamp)?, headers: raw.headers.clone() })
    }
}

impl<K: Data, V: Data> SourceQueue for Source<K, V> {
    fn fresh(&self) -> Box<dyn SourceQueue> {
        let Self { key, value, times, next, carries_notes, .. } = self;
        Box::new(Self::new(key.clone(), value.clone(), times.clone(), next.clone(), *carries_notes))
    }

    fn push(&mut self, records: Vec<ConsumedRecord>) {
        if self.fifo.is_empty() {
            self.fifo = records.into();
        } else {
            self.fifo.extend(records);
        }
    }

    fn len(&self) -> usize {
        self.fifo.len()
    }

    #[inline]
    fn head(&mut self, partition_time_ms: i64) -> Head {
        if self.head.is_none() {
            let Some(raw) = self.fifo.front() else { return Head::Empty };
            if self.carries_notes && IdleNote::is(raw) {
                return Head::Note;
            }
            let decoded = self.decode(raw, partition_time_ms);
            if let Err(BadRecord::Undecodable(Undecodable { error: CodecError::NotYet { reason }, .. })) = decoded {
                self.waits_for = Some(reason);
                return Head::NotYet;
            }
            self.waits_for = None;
            self.head = Some(decoded);
        }
        match &self.head {
            Some(Ok(record)) => Head::Ready(record.timestamp),
            Some(Err(_)) => Head::Bad,
            None => Head::Empty,
        }
    }

    fn head_offset(&self) -> Option<Offset> {
        self.fifo.front().map(|raw| raw.offset)
    }

    fn head_raw(&self) -> Option<ConsumedRecord> {
        self.fifo.front().cloned()
    }

    #[inline]
    fn process(&mut self, ctx: &mut TaskContext) -> Outcome {
        match self.head.take() {
            Some(Ok(record)) => {
                self.fifo.pop_front();
                self.next.forward(ctx, record)
            }
            bad => {
                self.head = bad;
                Ok(())
            }
        }
    }

    fn skip(&mut self) {
        self.head = None;
        self.fifo.pop_front();
    }

    fn is_bad(&self) -> bool {
        matches!(self.head, Some(Err(_)))
    }

    fn take_bad(&mut self) -> Option<(ConsumedRecord, BadRecord)> {
        match self.head.take() {
            Some(Err(bad)) => self.fifo.pop_front().map(|raw| (raw, bad)),
            good => {
                self.head = good;
                None
            }
        }
    }

    fn take_note(&mut self) -> Option<ConsumedRecord> {
        self.fifo.pop_front_if(|raw| self.head.is_none() && IdleNote::is(raw))
    }

    fn waits_for(&self) -> Option<&str> {
        self.waits_for.as_deref()
    }
}
