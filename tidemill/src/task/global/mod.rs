//! Fills a global store from all partitions of its topic.

mod places;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
};

use tidemill_state::{ByteStore, StoreError};

use super::{
    StoreSupplier, TaskSettings,
    active::{failed, panicked},
    left_out::{error_record, leave_out, leave_out_bad},
    operating::Operating,
    written_by::compare_writers,
};
use crate::{
    clock::Moment,
    error::{Position, TaskError},
    graph::{NodeId, StoreName},
    handlers::ErrorOrigin,
    operators::{Assembly, Failure, Head, Outcome, Parts, SourceQueue, StoreHandle},
    operators::{TaskContext, Undo, processor::MetricValue},
    plan::TaskId,
    transport::{ConsumedRecord, Offset, ProducerRecord, TopicPartition},
};

/// The operators of a global store, and its place in the topic.
pub(crate) struct GlobalTask {
    settings: TaskSettings,
    source: NodeId,
    store: Rc<RefCell<ByteStore>>,
    ctx: TaskContext,
    inputs: Vec<GlobalInput>,
    lifecycles: Operating,
    /// Dead letters that are not written yet, each with the place of its record.
    letters: Vec<(Position, ProducerRecord)>,
    pub(crate) processed: u64,
}

/// A partition of the topic.
pub(crate) struct GlobalInput {
    pub(crate) partition: TopicPartition,
    /// The next offset whose effect is not in the store.
    pub(crate) next: Offset,
    pub(crate) queue: Box<dyn SourceQueue>,
    time_ms: i64,
}

impl GlobalTask {
    /// Opens the store and builds its operators.
    pub(crate) fn open(
        settings: TaskSettings,
        name: &StoreName,
        stores: &dyn StoreSupplier,
    ) -> Result<Self, TaskError> {
        let plan = settings.plan.clone();
        let global = &plan.graph().globals[name];
        let backend = stores.open(TaskId::GLOBAL, &global.spec).map_err(of_store)?;
        let rows = settings.globals.open(name, backend);
        let mut store = ByteStore::new(name.clone(), Box::new(rows));
        match compare_writers(&global.spec, &mut store) {
            Err(StoreError::WrittenByAnother { difference, .. }) => {
                tracing::info!(store = %name, %difference, "the global store is filled again");
                let begun = store.clear().and_then(|()| store.set_written_by(&global.spec.format.encode()));
                begun.map_err(of_store)?;
            }
            compared => compared.map_err(of_store)?,
        }
        let store = Rc::new(RefCell::new(store));
        let handles = BTreeMap::from([(name.clone(), StoreHandle::KeyValue(store.clone()))]);
        let count = plan.partitions(&global.topic).unwrap_or(0);
        let partitions: Vec<_> = (0..count).map(|number| TopicPartition::new(global.topic.clone(), number)).collect();
        let parts = Parts {
            graph: plan.graph(),
            builders: plan.builders(),
            stores: &handles,
            globals: &settings.globals,
            topic: &|topic| plan.topic_and_partitions(topic),
            undeclared: plan.undeclared_topics(),
            limits: &settings.limits,
            partitions: partitions.clone(),
            application: settings.application.clone(),
        };
        let rules = settings.rules(TaskId::GLOBAL);
        let leaves_out = rules.leaves_out();
        let mut assembly = Assembly::new(parts, TaskId::GLOBAL, leaves_out);
        // The build runs user code: the supplier of a processor.
        catch_unwind(AssertUnwindSafe(|| assembly.build(global.source))).unwrap_or_else(|panic| {
            let node = plan.graph().node(assembly.building).name.clone();
            Err(TaskError::Failed { task: TaskId::GLOBAL, node, position: None, source: panicked(panic.as_ref()) })
        })?;
        let input = |partition| {
            let queue = assembly.sources[&global.source].fresh();
            GlobalInput { partition, next: 0, queue, time_ms: -1 }
        };
        let inputs = partitions.into_iter().map(input).collect();
        let mut ctx = TaskContext::new(Moment { wall_ms: 0, monotonic_ms: 0 });
        (ctx.leaves_out, ctx.rules) = (leaves_out, rules);
        ctx.undo = Undo::new(handles.values().cloned().collect());
        let (source, lifecycles) = (global.source, Operating::new(std::mem::take(&mut assembly.lifecycles)));
        let mut task = Self { settings, source, store, ctx, inputs, lifecycles, letters: Vec::new(), processed: 0 };
        task.guarded(|task| task.lifecycles.values().try_for_each(|node| node.borrow_mut().init(&mut task.ctx)))?;
        Ok(task)
    }

    pub(crate) fn inputs(&self) -> &[GlobalInput] {
        &self.inputs
    }

    /// Records without an effect: operator, reason, number.
    pub(crate) fn dropped(&self) -> Vec<(String, &'static str, u64)> {
        let name = |id: &NodeId| self.settings.plan.graph().node(*id).name.to_string();
        self.ctx.dropped.iter().map(|((id, reason), count)| (name(id), reason.label(), *count)).collect()
    }

    /// The metrics of the store's processor.
    pub(crate) fn processor_metrics(&self) -> Vec<(String, String, MetricValue)> {
        let name = |id: NodeId| self.settings.plan.graph().node(id).name.to_string();
        self.ctx.metrics.read().into_iter().map(|(id, metric, value)| (name(id), metric, value)).collect()
    }

    pub(crate) fn stream_time_ms(&self) -> i64 {
        self.ctx.stream_time_ms
    }

    pub(crate) fn stats(&self) -> tidemill_state::StoreStats {
        self.store.borrow().stats()
    }

    pub(crate) fn push(&mut self, partition: &TopicPartition, records: Vec<ConsumedRecord>) {
        if let Some(input) = self.inputs.iter_mut().find(|input| input.partition == *partition) {
            input.queue.push(records);
        }
    }

    /// Processes what was pushed, partition by partition. A partition stops at a record that will decode later. Returns
    /// the number of records.
    pub(crate) fn process(&mut self, wall_ms: i64) -> Result<usize, TaskError> {
        self.ctx.wall_ms = wall_ms;
        let before = self.processed;
        self.guarded(|task| {
            for at in 0..task.inputs.len() {
                loop {
                    let input = &mut task.inputs[at];
                    match input.queue.head(input.time_ms) {
                        Head::Ready(timestamp) => task.process_record(at, timestamp)?,
                        Head::Bad => task.handle_bad(at)?,
                        Head::Empty | Head::NotYet | Head::Note => break,
                    }
                    task.processed += 1;
                }
            }
            Ok(())
        })?;
        Ok((self.processed - before) as usize)
    }

    /// Whether a record waits that will decode later.
    pub(crate) fn waits(&self) -> bool {
        self.inputs.iter().any(|input| input.queue.len() > 0)
    }

    fn process_record(&mut self, at: usize, timestamp: i64) -> Outcome {
        let input = &mut self.inputs[at];
        let offset = input.queue.head_offset().unwrap_or_default();
        let raw = if self.ctx.rules.needs_record() { input.queue.head_raw() } else { None };
        (self.ctx.queue, self.ctx.offset, self.ctx.node) = (Some(at), offset, self.source);
        let before = (input.time_ms, self.ctx.stream_time_ms);
        input.time_ms = input.time_ms.max(timestamp);
        self.ctx.stream_time_ms = self.ctx.stream_time_ms.max(timestamp);
        let queue = &mut input.queue;
        let outcome = self.ctx.all_or_nothing(|ctx| queue.process(ctx));
        input.next = offset + 1;
        if let Err(failure) = outcome {
            (input.time_ms, self.ctx.stream_time_ms) = before;
            let record = raw.map(|raw| error_record(input.partition.clone(), raw));
            let letter = leave_out(&self.settings, &mut self.ctx, failure, ErrorOrigin::Processing, record)?;
            self.keep(at, offset, letter);
        }
        Ok(())
    }

    fn handle_bad(&mut self, at: usize) -> Outcome {
        let input = &mut self.inputs[at];
        let Some((raw, bad)) = input.queue.take_bad() else { return Ok(()) };
        (self.ctx.queue, self.ctx.offset, self.ctx.node) = (Some(at), raw.offset, self.source);
        input.next = raw.offset + 1;
        let (offset, record) = (raw.offset, error_record(input.partition.clone(), raw));
        let letter = leave_out_bad(&self.settings, &mut self.ctx, bad, self.source, record)?;
        self.keep(at, offset, letter);
        Ok(())
    }

    fn keep(&mut self, at: usize, offset: Offset, letter: Option<ProducerRecord>) {
        let partition = self.inputs[at].partition.clone();
        self.letters.extend(letter.map(|letter| (Position { partition, offset }, letter)));
    }

    /// The dead letters that must be written before [`commit`](Self::commit).
    pub(crate) fn letters(&self) -> &[(Position, ProducerRecord)] {
        &self.letters
    }

    /// Notes the time at which the store had everything.
    pub(crate) fn note_whole(&mut self, wall_ms: i64) -> Result<(), TaskError> {
        self.store.borrow_mut().set_current_at(wall_ms).map_err(of_store)
    }

    /// Begins to make rows durable that have waited for long.
    pub(crate) fn flush_waiting(&mut self, now_ms: i64, wait_ms: i64) -> Result<(), TaskError> {
        let mut store = self.store.borrow_mut();
        if store.has_waited(now_ms, wait_ms) { store.begin_flush().map_err(of_store) } else { Ok(()) }
    }

    pub(crate) fn flush(&mut self) -> Result<(), TaskError> {
        self.store.borrow_mut().flush().map_err(of_store)
    }

    /// Runs operators. An error or panic becomes the error of the task.
    fn guarded<R>(&mut self, run: impl FnOnce(&mut Self) -> Result<R, Box<Failure>>) -> Result<R, TaskError> {
        let ended = catch_unwind(AssertUnwindSafe(|| run(self)));
        let position = self.ctx.queue.and_then(|at| self.inputs.get(at)).map(|input| {
            let (partition, offset) = (input.partition.clone(), self.ctx.offset);
            Position { partition, offset }
        });
        let node = &self.settings.plan.graph().node(self.ctx.node).name;
        failed(ended, TaskId::GLOBAL, node, position)
    }
}

fn of_store(source: StoreError) -> TaskError {
    TaskError::of_store(TaskId::GLOBAL, source)
}
