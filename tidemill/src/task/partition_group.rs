//! Buffers a task's inputs and picks the earliest record.

use super::silence::Silence;
use crate::{
    operators::{Head, SourceQueue, TaskContext},
    transport::{ConsumedRecord, Offset, TopicPartition},
};

/// An input partition of a task.
pub(crate) struct Input {
    pub(crate) partition: TopicPartition,
    pub(crate) source: crate::graph::NodeId,
    /// Its records are no events: they do not move the task's time.
    pub(crate) timeless: bool,
    pub(crate) queue: Box<dyn SourceQueue>,
    /// Highest timestamp taken from it; never falls.
    pub(crate) partition_time: i64,
    /// The offset after the last record taken.
    pub(crate) position: Option<Offset>,
    /// The offset committed last.
    pub(crate) committed: Option<Offset>,
    /// For how long it has been silent.
    pub(crate) silence: Silence,
    /// What the log told of those that write it and rest, until it counts.
    pub(crate) learnt: Option<Learnt>,
    /// Wall time since which it has been empty.
    pub(crate) empty_since_ms: Option<i64>,
}

/// The tasks that write an input and rest had nothing to do at this wall time, and all that they had sent by then stands
/// before this offset.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Learnt {
    pub(crate) at_ms: i64,
    pub(crate) up_to: Offset,
}

impl Input {
    /// The offset after the last record taken, in this life of the task or before.
    pub(crate) fn place(&self) -> Option<Offset> {
        self.position.or(self.committed)
    }

    /// What was learnt, once everything was taken that had been sent by then.
    pub(super) fn take_learnt(&mut self) -> Option<Learnt> {
        let place = self.place().unwrap_or(0);
        self.learnt.take_if(|learnt| learnt.up_to <= place)
    }
}

/// How a task deals with inputs that are empty while others are not.
pub(crate) struct Waiting<'a> {
    /// Whether everything that a partition holds has been fetched.
    pub(crate) caught_up: &'a mut dyn FnMut(&TopicPartition) -> bool,
    /// How long to wait beyond that; `None` never waits at all.
    pub(crate) max_idle_ms: Option<i64>,
    pub(crate) now_ms: i64,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pick {
    /// The record at the head of this input, with this timestamp.
    Record(usize, i64),
    /// This input's head is bad.
    Bad(usize),
    /// This input's head is a note of idle time.
    Note(usize),
    /// Nothing can be taken now.
    Nothing,
}

/// A task's inputs.
pub(crate) struct PartitionGroup {
    pub(crate) inputs: Vec<Input>,
    /// Inputs that were empty, and known to be so, when the batch began.
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

    /// Decides which empty inputs need not be waited for. Once a batch, for it may ask the log.
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

    /// The input whose head has the lowest timestamp, the first of them if several have.
    /// Nothing, while an input is empty that more may come from, or has a head that decodes later: what came after it
    /// must not overtake it.
    #[inline]
    pub(crate) fn pick(&mut self, ctx: &mut TaskContext) -> Pick {
        let mut best = None;
        for (at, input) in self.inputs.iter_mut().enumerate() {
            // Decoding runs the user's code: an error in it must name this record.
            ctx.queue = Some(at);
            ctx.node = input.source;
            if let Some(offset) = input.queue.head_offset() {
                ctx.offset = offset;
            }
            match input.queue.head(input.partition_time) {
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
