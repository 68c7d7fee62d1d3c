//! Buffers a task's inputs and picks the earliest record.

use super::silence::Silence;
use crate::{
    operators::{Head, SourceQueue, TaskContext},
    transport::{ConsumedRecord, Offset, TopicPartition},
};

/// An input partition of a task.
pub(crate) struct Input {
    pub(crate) partition: TopicPartition,
    /// The source that reads it; the first one if several do.
    pub(crate) source: crate::graph::NodeId,
    /// Whether several sources read it.
    pub(crate) shared: bool,
    /// Its records are no events: they do not move the task's time.
    pub(crate) timeless: bool,
    pub(crate) queue: Box<dyn SourceQueue>,
    /// The highest timestamp taken from the input; never falls.
    pub(crate) partition_time_ms: i64,
    /// The offset after the last record taken.
    pub(crate) position: Option<Offset>,
    /// The last committed offset.
    pub(crate) committed: Option<Offset>,
    /// What is known of the input's silence.
    pub(crate) silence: Silence,
    /// The answer about resting writers, kept until it counts.
    pub(crate) learnt: Option<Learnt>,
    /// Since when the input has been empty.
    pub(crate) empty_since_ms: Option<i64>,
}

/// The answer of an inquiry: the input's resting writers had no work at this wall time. All records that they had sent
/// by then are before this offset.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Learnt {
    pub(crate) at_ms: i64,
    pub(crate) up_to: Offset,
}

impl Input {
    /// The offset after the last record taken, including records taken before the task was opened.
    pub(crate) fn place(&self) -> Option<Offset> {
        self.position.or(self.committed)
    }

    /// The answer about resting writers, once all records sent by then are taken.
    pub(super) fn take_learnt(&mut self) -> Option<Learnt> {
        let place = self.place().unwrap_or(0);
        self.learnt.take_if(|learnt| learnt.up_to <= place)
    }
}

/// How a task waits for empty inputs while other inputs have records.
pub(crate) struct Waiting<'a> {
    /// Whether all records of a partition have been fetched.
    pub(crate) caught_up: &'a mut dyn FnMut(&TopicPartition) -> bool,
    /// How long to wait after that; `None` never waits.
    pub(crate) max_idle_ms: Option<i64>,
    pub(crate) now_ms: i64,
}

/// The next step of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pick {
    /// Process the record at the head of this input, which has this timestamp.
    Record(usize, i64),
    /// The record at this input's head cannot be processed.
    Bad(usize),
    /// The record at this input's head is an idle note.
    Note(usize),
    /// No record can be taken now.
    Nothing,
}

/// A task's inputs.
pub(crate) struct PartitionGroup {
    pub(crate) inputs: Vec<Input>,
    /// Inputs that were known to be empty when the batch began.
    skipped: Vec<bool>,
}

impl PartitionGroup {
    pub(crate) fn new(inputs: Vec<Input>) -> Self {
        let skipped = vec![false; inputs.len()];
        Self { inputs, skipped }
    }

    pub(crate) fn push(&mut self, partition: &TopicPartition, records: Vec<ConsumedRecord>) {
        if let Some(input) = self.inputs.iter_mut().find(|input| input.partition == *partition) {
            input.queue.push(records);
            input.empty_since_ms = None;
        }
    }

    pub(crate) fn buffered(&self) -> usize {
        self.inputs.iter().map(|input| input.queue.len()).sum()
    }

    /// Decides for which empty inputs the task need not wait. Once per batch, because it may ask the log.
    pub(crate) fn begin(&mut self, waiting: &mut Waiting<'_>) {
        let Waiting { caught_up, max_idle_ms, now_ms } = waiting;
        for (input, skipped) in self.inputs.iter_mut().zip(&mut self.skipped) {
            *skipped = input.queue.len() == 0
                && match max_idle_ms {
                    None => true,
                    Some(idle_ms) => {
                        caught_up(&input.partition)
                            && *now_ms - *input.empty_since_ms.get_or_insert(*now_ms) >= *idle_ms
                    }
                };
        }
    }

    /// The input whose head has the lowest timestamp; the first one if several have it. No input while the task waits
    /// for an empty input, or while a head cannot be decoded yet: later records must not overtake that head.
    #[inline]
    pub(crate) fn pick(&mut self, ctx: &mut TaskContext) -> Pick {
        let mut best = None;
        for (at, input) in self.inputs.iter_mut().enumerate() {
            // Decoding runs user code, so an error in it must name this record.
            ctx.queue = Some(at);
            ctx.node = input.source;
            if let Some(offset) = input.queue.head_offset() {
                ctx.offset = offset;
            }
            match input.queue.head(input.partition_time_ms) {
                Head::Empty if self.skipped[at] => {}
                Head::Empty | Head::NotYet => return Pick::Nothing,
                Head::Bad => return Pick::Bad(at),
                Head::Note => return Pick::Note(at),
                Head::Ready(timestamp) => {
                    if best.is_none_or(|(_, lowest)| timestamp < lowest) {
                        best = Some((at, timestamp));
                    }
                }
            }
        }
        best.map_or(Pick::Nothing, |(at, timestamp)| Pick::Record(at, timestamp))
    }
}
