//! The commit of a task: its outputs, changelog records and offsets.

use super::ActiveTask;
use crate::{
    error::TaskError,
    task::{
        TaskStores,
        commit::{CommitWork, TaskCommit, committed_offset},
        silence::Silence,
    },
    transport::{Acknowledged, ProducerRecord},
};

impl ActiveTask {
    /// The records sent since the last call, in order.
    pub(crate) fn take_outputs(&mut self) -> impl Iterator<Item = ProducerRecord> + '_ {
        (self.ctx.sent_bytes, self.ctx.results) = (0, 0);
        self.stage_outputs();
        self.acted |= !self.ready.is_empty();
        self.ready.drain(..)
    }

    /// Makes the operators' records ready to be sent, after the notes that must come before them.
    pub(super) fn stage_outputs(&mut self) {
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
}
