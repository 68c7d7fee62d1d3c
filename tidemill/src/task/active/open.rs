//! The opening of a task: operators on top of restored stores.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::{ActiveTask, panicked};
use crate::{
    clock::Moment,
    error::TaskError,
    operators::{Assembly, Parts, SharedSource, SourceQueue, TaskContext, Undo},
    plan::TaskId,
    task::{
        TaskSettings, TaskStores,
        commit::{kept_silence, partition_time_ms},
        expiry::Expiry,
        idle_clock::IdleClock,
        noting::Noting,
        operating::Operating,
        partition_group::{Input, PartitionGroup},
        silence::{Heard, Silence, Writers},
    },
    transport::{CommittedOffset, TopicPartition},
};

impl ActiveTask {
    /// Builds the operators on top of restored stores.
    pub(crate) fn new(
        settings: TaskSettings,
        id: TaskId,
        stores: TaskStores,
        partitions: Vec<TopicPartition>,
        committed: &BTreeMap<TopicPartition, CommittedOffset>,
        now: Moment,
    ) -> Result<Self, TaskError> {
        let plan = settings.plan.clone();
        let rules = settings.rules(id);
        let (leaves_out, needs_record) = (rules.leaves_out(), rules.needs_record());
        let parts = Parts {
            graph: plan.graph(),
            builders: plan.builders(),
            stores: &stores.handles,
            globals: &settings.globals,
            topic: &|topic| plan.topic_and_partitions(topic),
            undeclared: plan.undeclared_topics(),
            limits: &settings.limits,
            partitions: partitions.clone(),
            application: settings.application.clone(),
        };
        let mut assembly = Assembly::new(parts, id, leaves_out);
        let mut inputs = Vec::new();
        for node in &plan.subtopologies()[id.subtopology as usize].nodes {
            // The build runs user code: the suppliers of processors.
            catch_unwind(AssertUnwindSafe(|| assembly.build(*node))).unwrap_or_else(|panic| {
                let node = plan.graph().node(assembly.building).name.clone();
                Err(TaskError::Failed { task: id, node, position: None, source: panicked(panic.as_ref()) })
            })?;
        }
        for partition in partitions {
            let sources: Vec<_> = plan.sources_of_topic(id.subtopology, &partition.topic).collect();
            let source = sources[0];
            let mut readers = sources.iter().map(|source| (*source, assembly.sources[source].fresh()));
            let (shared, queue) = match (readers.next(), sources.len()) {
                (Some((_, only)), 1) => (false, only),
                (first, _) => {
                    let readers = first.into_iter().chain(readers).collect();
                    (true, Box::new(SharedSource::new(readers)) as Box<dyn SourceQueue>)
                }
            };
            let committed = committed.get(&partition);
            let silence = match plan.idle_notes_in(&partition.topic) {
                Some(notes) => {
                    let writers = usize::try_from(plan.task_count(notes.writer)).unwrap_or(0);
                    Silence::Told(Writers::new(notes, writers, committed.and_then(kept_silence)))
                }
                None => Silence::Heard(Heard::default()),
            };
            inputs.push(Input {
                silence,
                source,
                shared,
                timeless: sources.iter().all(|source| plan.graph().brings_only_erasures(*source)),
                queue,
                partition_time_ms: committed.map_or(-1, partition_time_ms),
                position: None,
                committed: committed.map(|committed| committed.offset),
                empty_since_ms: None,
                learnt: None,
                partition,
            });
        }
        let mut ctx = TaskContext::new(now);
        (ctx.leaves_out, ctx.rules) = (leaves_out, rules);
        ctx.undo = Undo::new(stores.handles.values().cloned().collect());
        ctx.cache_max_bytes = settings.cache_max_bytes;
        if plan.tells_inputs(id.subtopology) {
            ctx.taken = inputs.iter().map(|input| input.committed.unwrap_or(0) - 1).collect();
        }
        // Work that was unfinished when the task was closed comes first.
        ctx.unfinished = true;
        let times = inputs.iter().filter(|input| !input.timeless).map(|input| input.partition_time_ms);
        ctx.stream_time_ms = times.max().unwrap_or(-1);
        let lifecycles = Operating::new(std::mem::take(&mut assembly.lifecycles));
        let expiry = Expiry::open(assembly.take_times_to_live()).map_err(|error| stores.error(error))?;
        let clock = IdleClock::new(&inputs, |_| true);
        let notings = plan.idle_notes_of(id.subtopology).map(|notes| {
            let clock = IdleClock::new(&inputs, |input| notes.above.contains(&input.partition.topic));
            Noting::new(notes.clone(), plan.partitions(&notes.topic).unwrap_or(0), id.partition, clock)
        });
        let notings = notings.collect();
        let group = PartitionGroup::new(inputs);
        let (processed, ready) = (0, Vec::new());
        // A start that the log's records do not tell again is committed before anything is read.
        let begins = |(partition, offset): (&TopicPartition, &CommittedOffset)| {
            offset.metadata.is_empty() && plan.offset_reset_of(&partition.topic).is_some()
        };
        let acted = committed.iter().any(begins);
        let mut task = Self {
            id,
            settings,
            group,
            lifecycles,
            stores,
            ctx,
            processed,
            waits: false,
            clock,
            notings,
            ready,
            held_back: None,
            expiry,
            acted,
            needs_record,
        };
        task.lifecycles.values().for_each(|node| node.borrow_mut().connect(&task.lifecycles));
        task.guarded(|task| task.each_lifecycle(|node, ctx| node.init(ctx)))?;
        Ok(task)
    }
}
