//! A running task: takes records in event-time order, punctuates, and prepares commits.

use std::{
    any::Any,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use tidemill_state::{BoxError, CodecError};

use super::{
    TaskSettings, TaskStores, Waiting,
    commit::{CommitWork, TaskCommit, committed_offset, kept_silence, partition_time_ms},
    expiry::Expiry,
    idle_clock::{self, IdleClock},
    left_out::{error_record, leave_out, leave_out_bad},
    noting::Noting,
    operating::Operating,
    partition_group::{Input, Learnt, PartitionGroup, Pick},
    punctuation::take_due,
    silence::{Heard, Rest, Silence, Writers},
};
use crate::{
    clock::Moment,
    error::{Position, TaskError, panic_text},
    graph::{NodeId, NodeName},
    handlers::ErrorOrigin,
    idle_note::IdleNote,
    operators::processor::{MetricValue, PunctuationType},
    operators::{Assembly, Failure, Lifecycle, Outcome, Parts, SharedSource, SourceQueue, TaskContext, Undo},
    plan::TaskId,
    transport::{Acknowledged, CommittedOffset, ConsumedRecord, Offset, ProducerRecord, TopicPartition},
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

    /// Processes up to `max` records of the batch, earliest first. Returns their number.
    pub(crate) fn process(&mut self, max: usize) -> Result<usize, TaskError> {
        self.guarded(|task| {
            if task.ctx.unfinished && !task.resume()? {
                return Ok(1);
            }
            for taken in 0..max {
                match task.group.pick(&mut task.ctx) {
                    Pick::Nothing => return Ok(taken),
                    Pick::Note(at) => {
                        task.take_note(at);
                        continue;
                    }
                    Pick::Bad(at) => task.handle_bad(at)?,
                    Pick::Record(at, timestamp) => {
                        let is_event = !task.group.inputs[at].timeless;
                        if is_event && !task.expiry.before_record(&mut task.ctx, timestamp)? {
                            return Ok(taken + 1);
                        }
                        task.process_record(at, timestamp)?;
                    }
                }
                task.processed += 1;
                if task.ctx.unfinished || task.is_full() {
                    return Ok(taken + 1);
                }
            }
            Ok(max)
        })
    }

    /// Operators continue their unfinished work. `true` if all of it is done.
    fn resume(&mut self) -> Result<bool, Box<Failure>> {
        self.ctx.unfinished = false;
        self.ctx.queue = None;
        self.each_lifecycle(|node, ctx| ctx.all_or_nothing(|ctx| node.resume(ctx)))?;
        if self.ctx.held_by.is_none()
            && let Some(at) = self.held_back.take()
        {
            let input = &mut self.group.inputs[at];
            input.position = input.position.map(|held| held + 1);
            self.acted = true;
        }
        Ok(!self.ctx.unfinished)
    }

    /// Bytes in memory that wait for a commit.
    pub(crate) fn held_bytes(&self) -> usize {
        self.stores.overlay_bytes() + self.ctx.cached_bytes
    }

    /// Whether these bytes are so many that a commit should come first.
    pub(crate) fn holds_too_much(&self) -> bool {
        self.held_bytes() >= self.settings.uncommitted_max_bytes
    }

    /// Whether so much waits to be sent or committed that the next record should wait.
    fn is_full(&self) -> bool {
        self.ctx.is_full() || self.ctx.cached_bytes >= self.settings.uncommitted_max_bytes
    }

    #[inline]
    fn process_record(&mut self, at: usize, timestamp: i64) -> Outcome {
        if self.group.inputs[at].shared {
            // Sources for which the record is bad leave it out; the others take it.
            self.handle_bad(at)?;
        }
        let input = &mut self.group.inputs[at];
        let offset = input.queue.head_offset().unwrap_or_default();
        let raw = if self.needs_record { input.queue.head_raw() } else { None };
        (self.ctx.queue, self.ctx.offset, self.ctx.node) = (Some(at), offset, input.source);
        self.ctx.note_taken(at, offset);
        let before = (input.partition_time_ms, self.ctx.stream_time_ms);
        input.partition_time_ms = input.partition_time_ms.max(timestamp);
        if !input.timeless {
            self.ctx.stream_time_ms = self.ctx.stream_time_ms.max(timestamp);
        }
        let queue = &mut input.queue;
        let outcome = self.ctx.all_or_nothing(|ctx| queue.process(ctx));
        self.held_back = self.ctx.held_by.map(|_| at);
        input.position = Some(offset + 1);
        if self.held_back.is_some() {
            input.position = Some(offset);
        }
        self.acted = true;
        self.clock.act();
        self.notings.iter_mut().for_each(|noting| noting.clock.act());
        if let Err(failure) = outcome {
            let record = raw.map(|raw| error_record(self.group.inputs[at].partition.clone(), raw));
            let letter = leave_out(&self.settings, &mut self.ctx, failure, ErrorOrigin::Processing, record)?;
            if let Some(letter) = letter {
                self.ctx.send(letter);
            }
            // A refused record does not move time, either.
            (self.group.inputs[at].partition_time_ms, self.ctx.stream_time_ms) = before;
        }
        if !self.ctx.schedules.is_empty() && self.held_back.is_none() {
            self.punctuate(PunctuationType::StreamTime, self.ctx.stream_time_ms)?;
        }
        Ok(())
    }

    /// Leaves out the record at the head of an input, for each source for which it is bad.
    fn handle_bad(&mut self, at: usize) -> Outcome {
        let mut is_told = false;
        loop {
            let input = &mut self.group.inputs[at];
            let node = input.queue.bad_for().unwrap_or(input.source);
            let Some((raw, bad)) = input.queue.take_bad() else { return Ok(()) };
            input.position = Some(raw.offset + 1);
            (self.ctx.queue, self.ctx.offset, self.ctx.node) = (Some(at), raw.offset, node);
            self.ctx.note_taken(at, raw.offset);
            self.acted = true;
            let record = error_record(input.partition.clone(), raw);
            let letter = leave_out_bad(&self.settings, &mut self.ctx, bad, node, record)?;
            // One letter, also if the record is bad for several sources.
            if let Some(letter) = letter.filter(|_| !is_told) {
                is_told = true;
                self.ctx.send(letter);
            }
        }
    }

    /// A poll of the thread has returned. For each input without records in memory and on the log, the time until this
    /// poll counts as silence.
    pub(crate) fn rest(&mut self, rest: Rest, is_silent: &mut dyn FnMut(&TopicPartition) -> bool) {
        for Input { silence, queue, partition, .. } in &mut self.group.inputs {
            if let Silence::Heard(heard) = silence {
                heard.poll(queue.len() == 0 && is_silent(partition), rest);
            }
        }
        let Self { clock, notings, group, ctx, .. } = self;
        let mut clocks = Vec::with_capacity(1 + notings.len());
        clocks.push(&mut *clock);
        clocks.extend(notings.iter_mut().map(|noting| &mut noting.clock));
        for (number, input) in group.inputs.iter_mut().enumerate() {
            if let Some(learnt) = input.take_learnt() {
                for clock in &mut clocks {
                    clock.learn(number, learnt.at_ms);
                }
            }
        }
        for clock in clocks {
            clock.wait(&group.inputs, rest);
        }
        ctx.idle_ms = clock.now_ms;
    }

    /// The repartition topics for which the task must know whether resting writers have work. For each one: the task's
    /// partition, the task's position in it, and the resting writers.
    pub(crate) fn asks(&self, wall_ms: i64) -> impl Iterator<Item = (&TopicPartition, Option<Offset>, Vec<i32>)> {
        let clocks = move || std::iter::once(&self.clock).chain(self.notings.iter().map(|noting| &noting.clock));
        self.group.inputs.iter().enumerate().filter_map(move |(number, input)| {
            let Silence::Told(writers) = &input.silence else { return None };
            let asks = input.learnt.is_none() && clocks().any(|clock| clock.asks(number, wall_ms));
            asks.then(|| (&input.partition, input.place(), writers.resting()))
        })
    }

    /// Takes up the answer to an inquiry about these writers.
    pub(crate) fn learn(&mut self, partition: &TopicPartition, learnt: Learnt) {
        if let Some(input) = self.group.inputs.iter_mut().find(|input| input.partition == *partition) {
            input.learnt = Some(learnt);
        }
    }

    /// Takes a note: a task above a repartition topic tells how long it has been idle.
    fn take_note(&mut self, at: usize) {
        // Records sent before the note belong to an earlier idle time.
        self.stage_outputs();
        let input = &mut self.group.inputs[at];
        let Some(raw) = input.queue.take_note() else { return };
        input.position = Some(raw.offset + 1);
        self.ctx.note_taken(at, raw.offset);
        self.acted = true;
        if let Some(note) = IdleNote::read(&raw) {
            let Self { clock, notings, ctx, .. } = self;
            let clocks = std::iter::once(&mut *clock).chain(notings.iter_mut().map(|noting| &mut noting.clock));
            idle_clock::hear(clocks, input, at, note, raw.timestamp);
            ctx.idle_ms = clock.now_ms;
        }
    }

    /// Ticks the operators: idle windows close, and wall-clock punctuations are called.
    pub(crate) fn tick(&mut self, now_ms: i64) -> Result<(), TaskError> {
        self.ctx.monotonic_ms = now_ms;
        self.ctx.queue = None;
        if self.held_back.is_some() {
            // No time passes in the middle of a record.
            return Ok(());
        }
        self.guarded(|task| {
            task.ctx.end_undo();
            task.expiry.tick(&mut task.ctx)?;
            task.each_lifecycle(|node, ctx| ctx.all_or_nothing(|ctx| node.tick(ctx)))?;
            task.punctuate(PunctuationType::WallClockTime, now_ms)
        })?;
        self.stage_outputs();
        let wall_ms = self.ctx.wall_ms;
        self.notings.iter_mut().for_each(|noting| noting.rests(&mut self.ready, wall_ms));
        Ok(())
    }

    fn punctuate(&mut self, kind: PunctuationType, time_ms: i64) -> Outcome {
        let told_ms = match kind {
            PunctuationType::StreamTime => time_ms,
            PunctuationType::WallClockTime => self.ctx.wall_ms,
        };
        for schedule in take_due(&mut self.ctx, kind, time_ms) {
            // A punctuation called earlier may have cancelled this one.
            if self.ctx.schedules.iter().all(|live| live.id != schedule.id) {
                continue;
            }
            let queue = self.ctx.queue.take();
            self.ctx.node = schedule.node;
            let node = self.lifecycles[&schedule.node].clone();
            let outcome = self.ctx.all_or_nothing(|ctx| node.borrow_mut().punctuate(ctx, schedule.id, told_ms));
            if let Err(failure) = outcome {
                leave_out(&self.settings, &mut self.ctx, failure, ErrorOrigin::Punctuation, None)?;
            }
            self.ctx.queue = queue;
        }
        Ok(())
    }

    /// The records sent since the last call, in order.
    pub(crate) fn take_outputs(&mut self) -> impl Iterator<Item = ProducerRecord> + '_ {
        (self.ctx.sent_bytes, self.ctx.results) = (0, 0);
        self.stage_outputs();
        self.acted |= !self.ready.is_empty();
        self.ready.drain(..)
    }

    /// Makes the operators' records ready to be sent, after the notes that must come before them.
    fn stage_outputs(&mut self) {
        let Self { ctx, ready, notings, .. } = self;
        for noting in notings.iter_mut() {
            if ctx.outputs.iter().any(|record| noting.is_of(record)) {
                noting.sends(ready, ctx.wall_ms);
            }
        }
        if ready.is_empty() {
            std::mem::swap(ready, &mut ctx.outputs);
        } else {
            ready.append(&mut ctx.outputs);
        }
    }

    /// Whether the task has work to commit since the last commit was begun.
    pub(crate) fn needs_commit(&self) -> bool {
        self.acted || !self.ctx.outputs.is_empty() || self.stores.is_dirty()
    }

    /// Forwards what waited for the commit. The outputs belong to the commit, so they must be taken before
    /// [`prepare_commit`](Self::prepare_commit).
    pub(crate) fn forward_waiting(&mut self) -> Result<(), TaskError> {
        self.ctx.queue = None;
        let before = self.ctx.results;
        // Operators are ordered as records flow, so what one of them forwards does not wait in another.
        self.guarded(|task| task.each_lifecycle(|node, ctx| ctx.all_or_nothing(|ctx| node.before_commit(ctx))))?;
        if self.ctx.results != before {
            self.acted = true;
            self.clock.act();
            self.notings.iter_mut().for_each(|noting| noting.clock.act());
        }
        Ok(())
    }

    /// Flushes caches into the stores, so that the stores can be read.
    pub(crate) fn flush_caches(&mut self) -> Result<(), TaskError> {
        self.ctx.queue = None;
        self.ctx.end_undo();
        self.guarded(|task| task.each_lifecycle(|node, ctx| node.flush(ctx)))
    }

    /// The changelog records and offsets that belong into the transaction, in addition to the outputs.
    pub(crate) fn prepare_commit(&mut self) -> Result<CommitWork, TaskError> {
        self.flush_caches()?;
        let mut work = CommitWork::default();
        self.stores.changelog_records(|record| work.changelog.push(record))?;
        if self.needs_commit() {
            // Also offsets of inputs that did not move. Through the offsets the log refuses a member that was replaced,
            // and a task also writes when only time passes.
            for input in &self.group.inputs {
                if let Some(place) = input.place() {
                    let silence = match &input.silence {
                        Silence::Told(writers) => writers.kept(),
                        Silence::Heard(_) => None,
                    };
                    let offset = committed_offset(place, input.partition_time_ms, silence.as_deref());
                    work.offsets.push((input.partition.clone(), offset));
                }
            }
        }
        Ok(work)
    }

    /// A commit was begun. Later work belongs to the next commit.
    pub(crate) fn seal(&mut self) -> TaskCommit {
        self.ctx.commit_requested = false;
        self.acted = false;
        let positions = self.group.inputs.iter().map(|input| input.position).collect();
        TaskCommit { positions, stores: self.stores.seal() }
    }

    /// The log has committed. Takes up the sealed state and the committed positions.
    pub(crate) fn committed(
        &mut self,
        commit: TaskCommit,
        acknowledged: &Acknowledged,
        is_flush: bool,
    ) -> Result<(), TaskError> {
        for (input, position) in self.group.inputs.iter_mut().zip(commit.positions) {
            input.committed = position.or(input.committed);
        }
        self.stores.commit(commit.stores, acknowledged, self.ctx.wall_ms, is_flush)
    }

    /// Returns the stores, without uncommitted changes.
    pub(crate) fn into_rolled_back_stores(self) -> TaskStores {
        self.stores.roll_back();
        self.stores
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
