//! The records of a task: each goes through the operators, or is left out.

use super::ActiveTask;
use crate::{
    error::TaskError,
    handlers::ErrorOrigin,
    operators::{Failure, Outcome, processor::PunctuationType},
    task::{
        left_out::{error_record, leave_out, leave_out_bad},
        partition_group::Pick,
    },
};

impl ActiveTask {
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
}
