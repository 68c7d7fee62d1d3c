//! How long a thread may process before it polls again.
//!
//! A member that does not poll for too long loses its partitions, and its work is repeated. So a turn ends in time,
//! however long its records take. The thread checks the clock between records.

use std::time::Duration;

use crate::{
    clock::{Clock, millis},
    error::Position,
};

/// The longest useful turn: commits and queries wait for its end.
const TURN_MS: i64 = 100;

/// A turn takes at most one part in this many of the time that is allowed between two polls.
const PART: i64 = 4;

/// Records taken between two clock reads. A clock read costs more than a fast record.
const STRIDE: usize = 16;

/// Records taken one by one after slow records.
const CAREFUL: usize = 10_000;

/// The time since the last poll, and the time that records take.
#[derive(Debug)]
pub(super) struct Pace {
    /// A member that does not poll for this long may lose its partitions.
    limit_ms: i64,
    /// A turn ends after this time.
    turn_ms: i64,
    polled_ms: i64,
    /// The time of the last clock read.
    looked_ms: i64,
    /// The number of records that are still taken one by one.
    careful: usize,
    /// The last record that took longer than `limit_ms`.
    outlasted: Option<Position>,
    /// A record that did so twice, and the reason for its refusal.
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

    /// Starts the measurement of the next stride.
    pub(super) fn look(&mut self, clock: &dyn Clock) {
        self.looked_ms = clock.monotonic_ms();
    }

    /// How many records to take before the next clock read.
    pub(super) fn stride(&self) -> usize {
        if self.careful > 0 { 1 } else { STRIDE }
    }

    /// Counts the records taken. Returns the time that they took if it reached the limit.
    pub(super) fn took(&mut self, records: usize, clock: &dyn Clock) -> Option<Duration> {
        let now_ms = clock.monotonic_ms();
        let took_ms = now_ms - self.looked_ms;
        self.looked_ms = now_ms;
        if took_ms >= self.limit_ms {
            // The records come again, possibly after any number of fast ones.
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

    /// Whether other work than records has taken so long that the turn should end.
    pub(super) fn is_long(&self, took_ms: i64) -> bool {
        took_ms >= self.turn_ms
    }

    /// Notes that these records took longer than the limit, so that they may come again. If a single record does this
    /// twice in a row, it would be repeated for ever, so it is refused from now on. One time may be an accident, for
    /// example if the machine slept.
    pub(super) fn outlasted(&mut self, records: usize, last: Option<Position>, took: Duration) {
        let limit = Duration::from_millis(self.limit_ms.unsigned_abs());
        tracing::warn!(
            records, record = ?last, ?took, ?limit,
            "processing took longer than the limit between two polls: the work may be repeated"
        );
        let record = last.filter(|_| records == 1);
        if let Some(record) = record.clone().filter(|_| record == self.outlasted) {
            self.refused = Some((record, reason(took, limit)));
        }
        self.outlasted = record;
    }

    /// The refused record and the reason.
    pub(super) fn refused(&self) -> Option<&(Position, String)> {
        self.refused.as_ref()
    }
}

fn reason(took: Duration, limit: Duration) -> String {
    format!(
        "the record takes {took:?}, but a member must poll every {limit:?}, or it loses its partitions and the record \
         is repeated for ever. Raise session_timeout (and the log's transaction timeout, if that is shorter), or move \
         the slow work into a call outside the task, with map_async"
    )
}
