//! The answer to strays in a changelog: the task's state is written again behind them, piece by piece.

use std::time::Duration;

use super::{StreamThread, tasks::Slot};
use crate::{
    error::TaskError,
    task::{Unanswered, changelog_bounds},
    transport::{ConsumedRecord, Offset, TransportError, Watermarks},
};

/// The time of one wait for records of a changelog, and the records of one piece.
const PATIENCE: Duration = Duration::from_millis(100);
const PIECE: usize = 1_000;

/// If so many reads in a row bring nothing, a commit does not wait for the answer.
const FRUITLESS_MAX: usize = 10;

impl StreamThread {
    /// Whether strays wait for an answer.
    pub(super) fn has_strays(&mut self) -> bool {
        self.tasks.running().any(|task| task.stores.has_unanswered())
    }

    /// Reads a piece of a changelog with strays, and lets its task answer. Returns how far it came.
    ///
    /// Not during a commit. So when a flush is done, it contains every answer that was given until then.
    pub(super) fn answer_strays(&mut self) -> Result<usize, TaskError> {
        if self.transaction.is_committing() {
            return Ok(0);
        }
        let found = self.tasks.running().find_map(|task| Some((task.id, task.stores.unanswered()?)));
        let Some((id, strays)) = found else { return Ok(0) };
        let piece = self.read_piece(&strays);
        if self.tasks.is_restoring() {
            // These tasks go on where they were. Otherwise the reader stays where the next piece begins.
            self.read_changelogs()?;
        }
        let (records, position) = match piece {
            Err(error @ (TransportError::Retriable(_) | TransportError::OffsetOutOfRange { .. })) => {
                tracing::warn!(task = %id, changelog = %strays.changelog, %error, "cannot be read, trying again");
                return Ok(0);
            }
            piece => piece?,
        };
        let Some(Slot::Running(task)) = self.tasks.slots.get_mut(&id) else { return Ok(0) };
        task.stores.answer(&strays, records, position)?;
        // Until the commit, nobody else could restore the right state.
        task.ctx.commit_requested |= !task.stores.has_unanswered() && task.stores.is_dirty();
        if !self.has_strays() {
            self.read_changelogs()?;
        }
        Ok(usize::try_from(position - strays.from).unwrap_or(0))
    }

    /// Answers strays until none is left, or until a commit must make room for the rest. Returns whether a commit has
    /// something to bring to a changelog.
    pub(super) fn answer_all_strays(&mut self) -> Result<bool, TaskError> {
        let (mut came, mut fruitless) = (false, 0);
        while fruitless < FRUITLESS_MAX && self.has_strays() && !(came && self.holds_too_much()) {
            fruitless = if self.answer_strays()? > 0 { 0 } else { fruitless + 1 };
            came |= fruitless == 0;
        }
        Ok(came)
    }

    /// Reads at most a piece. Returns its records and the offset behind it.
    fn read_piece(
        &mut self,
        Unanswered { changelog, from, to, .. }: &Unanswered,
    ) -> Result<(Vec<ConsumedRecord>, Offset), TransportError> {
        let reader = &mut self.clients.reader;
        // What the changelog has lost meanwhile needs no answer.
        let Watermarks { low, high } = changelog_bounds(&mut **reader, changelog)?;
        let (from, end) = (*from.max(&low), *to.min(&high));
        if from >= end {
            return Ok((Vec::new(), *to));
        }
        reader.assign(&[(changelog.clone(), from)])?;
        let records = reader.read(PATIENCE, PIECE)?.into_iter().flat_map(|batch| batch.records);
        let records = records.filter(|record| record.offset < end).collect();
        let position = reader.position(changelog)?;
        Ok((records, if position >= end { *to } else { position }))
    }
}
