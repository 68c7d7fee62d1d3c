//! How long a thread may process before it polls again.
//!
//! A member that does not poll for too long loses its partitions, and what it did is done again. So a turn ends in good
//! time, whatever its records cost; the clock is looked at between some of them.

use std::time::Duration;

use crate::{
    clock::{Clock, millis},
    error::Position,
};

/// No turn need be longer: commits and queries wait for its end.
const TURN_MS: i64 = 100;

/// A turn takes at most this part of the time that is allowed between two polls.
const PART: i64 = 4;

/// Records taken between two looks at the clock, which cost more than the quickest of records.
const STRIDE: usize = 16;

/// Records taken one by one after some that were slow.
const CAREFUL: usize = 10_000;

/// The time since the last poll, and how much of it records take.
#[derive(Debug)]
pub(super) struct Pace {
    /// Who goes without a poll for this long may lose its partitions.
    limit_ms: i64,
    /// A turn ends when it took this long.
    turn_ms: i64,
    polled_ms: i64,
    /// When the clock was last looked at.
    looked_ms: i64,
    /// Records that are still taken one by one.
    careful: usize,
    /// The record that last took longer than is allowed.
    outlasted: Option<Position>,
    /// A record that did so twice, and why no task gets past it.
    refused: Option<(Position, String)>,
}

impl Pace {
    pub(super) fn new(limit: Duration, now_ms: i64) -> Self {
        let limit_ms = millis(limit);
        Self {
            limit_ms,
            turn_ms: (limit_ms / PART).min(TURN_MS),
            polled_ms: now_ms,
            looked_ms: now_ms,
            careful: STRIDE,
            outlasted: None,
            refused: None,
        }
    }

    /// The thread has polled.
    pub(super) fn polled(&mut self, now_ms: i64) {
        self.polled_ms = now_ms;
    }

    /// What follows, a stride takes.
    pub(super) fn look(&mut self, clock: &dyn Clock) {
        self.looked_ms = clock.monotonic_ms();
    }

    /// How many records to take before the next look.
    pub(super) fn stride(&self) -> usize {
        if self.careful > 0 { 1 } else { STRIDE }
    }

    /// So many records were taken. How long they took, if that was longer than is allowed.
    pub(super) fn took(&mut self, records: usize, clock: &dyn Clock) -> Option<Duration> {
        let now_ms = clock.monotonic_ms();
        let took_ms = now_ms - self.looked_ms;
        self.looked_ms = now_ms;
        if took_ms >= self.limit_ms {
            // They come again, maybe after more quick ones than anybody would count.
            self.careful = usize::MAX;
            return Some(Duration::from_millis(took_ms.unsigned_abs()));
        }
        if took_ms * PART >= self.turn_ms {
            self.careful = self.careful.max(CAREFUL);
        } else if self.careful < usize::MAX {
            self.careful = self.careful.saturating_sub(records);
        }
        None
    }

    /// Whether the turn should end.
    pub(super) fn is_over(&self) -> bool {
        self.looked_ms - self.polled_ms >= self.turn_ms
    }

    /// Whether something beside records has taken so long that the turn should end.
    pub(super) fn is_long(&self, took_ms: i64) -> bool {
        took_ms >= self.turn_ms
    }

    /// So many records, the last of them this one, took longer than is allowed, so that they may come again. One that
    /// does so alone, and did so before, would come again for ever: it is refused from now on. Once may be an accident,
    /// for a machine may sleep.
    pub(super) fn outlasted(&mut self, records: usize, last: Option<Position>, took: Duration) {
        let limit = Duration::from_millis(self.limit_ms.unsigned_abs());
        tracing::warn!(
            records, record = ?last, ?took, ?limit,
            "processing took longer than a member may go without a poll: the work may be repeated"
        );
        let record = last.filter(|_| records == 1);
        if let Some(record) = record.clone().filter(|_| record == self.outlasted) {
            self.refused = Some((record, reason(took, limit)));
        }
        self.outlasted = record;
    }

    /// The record that no task gets past, and why.
    pub(super) fn refused(&self) -> Option<&(Position, String)> {
        self.refused.as_ref()
    }
}

fn reason(took: Duration, limit: Duration) -> String {
    format!(
        "the record takes {took:?}, and a member that does not poll within {limit:?} loses its work to another: it would \
         be repeated for ever. Raise session_timeout (and the log's transaction timeout, if that is shorter), or make \
         what is slow a call outside the task, with map_async"
    )
}
