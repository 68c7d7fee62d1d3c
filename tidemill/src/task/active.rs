//! A running task: takes records in event-time order, punctuates, and prepares commits.

mod commit;
mod open;
mod process;
mod time;

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use tidemill_state::{BoxError, CodecError};

use super::{
    TaskSettings, TaskStores, Waiting,
    expiry::Expiry,
    idle_clock::IdleClock,
    noting::Noting,
    operating::Operating,
    partition_group::{Input, PartitionGroup},
};
use crate::{
    error::{Position, TaskError, panic_text},
    graph::{NodeId, NodeName},
    operators::processor::MetricValue,
    operators::{Failure, Lifecycle, Outcome, TaskContext},
    plan::TaskId,
    transport::{ConsumedRecord, ProducerRecord, TopicPartition},
};

/// A task that owns its stores and processes records.
pub(crate) struct ActiveTask {
    pub(crate) id: TaskId,
    pub(super) settings: TaskSettings,
    pub(crate) group: PartitionGroup,
    lifecycles: Operating,
    pub(crate) stores: TaskStores,
    pub(crate) ctx: TaskContext,
    /// Records taken from the inputs since the task began.
    pub(crate) processed: u64,
    /// Whether the task took no record in its last turn although it has some: it waits for another input.
    pub(crate) waits: bool,
    /// The clock that advances while all inputs are silent.
    clock: IdleClock,
    /// The idle notes that the task sends, by topic.
    notings: Vec<Noting>,
    /// Records to send, including notes.
    ready: Vec<ProducerRecord>,
    /// The input whose last record is still in work. Its offset counts as the next one to take.
    held_back: Option<usize>,
    expiry: Expiry,
    /// Whether something was taken or sent since the last commit was begun.
    acted: bool,
    /// Whether the handlers need the raw record if an operator fails.
    needs_record: bool,
}

impl ActiveTask {
    /// Buffers records.
    pub(crate) fn push(&mut self, partition: &TopicPartition, records: Vec<ConsumedRecord>) {
        self.group.push(partition, records);
    }

    /// The number of records fetched from a partition but not processed.
    pub(crate) fn buffered_of(&self, partition: &TopicPartition) -> usize {
        self.group.inputs.iter().find(|input| input.partition == *partition).map_or(0, |input| input.queue.len())
    }

    /// Records that had no effect: operator, reason, number.
    pub(crate) fn dropped(&self) -> Vec<(String, &'static str, u64)> {
        let name = |id: &NodeId| self.settings.plan.graph().node(*id).name.to_string();
        self.ctx.dropped.iter().map(|((id, reason), count)| (name(id), reason.label(), *count)).collect()
    }

    /// The metrics of the task's processors.
    pub(crate) fn processor_metrics(&self) -> Vec<(String, String, MetricValue)> {
        let name = |id: NodeId| self.settings.plan.graph().node(id).name.to_string();
        self.ctx.metrics.read().into_iter().map(|(id, metric, value)| (name(id), metric, value)).collect()
    }

    /// Begins a batch. The time and the empty inputs found here hold for the whole batch.
    pub(crate) fn begin(&mut self, waiting: &mut Waiting<'_>) {
        self.ctx.monotonic_ms = waiting.now_ms;
        self.group.begin(waiting);
    }

    /// Bytes in memory that wait for a commit.
    pub(crate) fn held_bytes(&self) -> usize {
        self.stores.overlay_bytes() + self.ctx.cached_bytes
    }

    /// Whether these bytes are so many that a commit should come first.
    pub(crate) fn holds_too_much(&self) -> bool {
        self.held_bytes() >= self.settings.uncommitted_max_bytes
    }

    fn each_lifecycle(&mut self, mut call: impl FnMut(&mut dyn Lifecycle, &mut TaskContext) -> Outcome) -> Outcome {
        for (id, node) in self.lifecycles.iter() {
            self.ctx.node = *id;
            call(&mut *node.borrow_mut(), &mut self.ctx)?;
        }
        Ok(())
    }

    /// Runs operators. An error or panic becomes the task's error, with the operator's name and the record's position.
    fn guarded<R>(&mut self, run: impl FnOnce(&mut Self) -> Result<R, Box<Failure>>) -> Result<R, TaskError> {
        // After a panic the task is only used to return its rolled-back stores.
        let ended = catch_unwind(AssertUnwindSafe(|| run(self)));
        failed(ended, self.id, &self.settings.plan.graph().node(self.ctx.node).name, self.position())
    }

    /// Fails the task if the refused record comes next.
    pub(crate) fn check_head(&self, refused: &Position, reason: &str) -> Result<(), TaskError> {
        let comes_next =
            |input: &Input| input.partition == refused.partition && input.queue.head_offset() == Some(refused.offset);
        let Some(at) = self.group.inputs.iter().position(comes_next) else { return Ok(()) };
        let node = self.settings.plan.graph().node(self.group.inputs[at].source).name.clone();
        Err(TaskError::Failed { task: self.id, node, position: Some(refused.clone()), source: reason.into() })
    }

    /// The position of the last record taken.
    pub(crate) fn position(&self) -> Option<Position> {
        let partition = self.group.inputs.get(self.ctx.queue?)?.partition.clone();
        Some(Position { partition, offset: self.ctx.offset })
    }
}

/// The result of operators that ran. Their error or panic becomes the error of the task.
pub(super) fn failed<R>(
    ended: std::thread::Result<Result<R, Box<Failure>>>,
    task: TaskId,
    node: &NodeName,
    position: Option<Position>,
) -> Result<R, TaskError> {
    let source = match ended {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(failure)) => match *failure {
            Failure::User(error) => error,
            Failure::Codec(CodecError::NotYet { reason }) => {
                return Err(TaskError::NotYet { task, node: node.clone(), position, reason });
            }
            Failure::Codec(error) => error.into(),
            Failure::Store(error) => return Err(TaskError::of_store(task, error)),
            Failure::Refused(refused) => refused.into(),
            Failure::Decided { replaces, failure } => {
                // A global store has no stream thread that could be replaced.
                let replaces = replaces && task != TaskId::GLOBAL;
                return failed(Ok(Err(failure)), task, node, position).map_err(|error| match error {
                    TaskError::Failed { task, node, position, source } if replaces => {
                        TaskError::ReplaceThread { task, node, position, source }
                    }
                    other => other,
                });
            }
        },
        Err(panic) => panicked(panic.as_ref()),
    };
    Err(TaskError::Failed { task, node: node.clone(), position, source })
}

pub(super) fn panicked(panic: &(dyn Any + Send)) -> BoxError {
    format!("it panicked: {}", panic_text(panic)).into()
}
