//! The time of a task: idle inputs, notes of other tasks, ticks and punctuations.

use super::ActiveTask;
use crate::{
    error::TaskError,
    handlers::ErrorOrigin,
    idle_note::IdleNote,
    operators::{Outcome, processor::PunctuationType},
    task::{
        idle_clock,
        left_out::leave_out,
        partition_group::{Input, Learnt},
        punctuation::take_due,
        silence::{Rest, Silence},
    },
    transport::{Offset, TopicPartition},
};

impl ActiveTask {
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
    pub(super) fn take_note(&mut self, at: usize) {
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

    pub(super) fn punctuate(&mut self, kind: PunctuationType, time_ms: i64) -> Outcome {
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
}
