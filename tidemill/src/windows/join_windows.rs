//! The largest distance in time between two records that are joined.

use std::time::Duration;

use crate::clock::millis;

/// The largest distance in event time between two joined records of one key, and how long the join waits for late
/// records.
///
/// A left record at `t` is joined with right records from `t - before` to `t + after`, both inclusive. Stream time is
/// the highest timestamp of both sides in one task. A record's join window closes when stream time has passed the end
/// of that span by more than the grace period. Until then partners can match the record. After that, a new record for
/// the window is late, and a record without a partner is unmatched. The grace period has no default, because a
/// forgotten grace period and a generous default both lose results (see KIP-633).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinWindows {
    pub(crate) before_ms: i64,
    pub(crate) after_ms: i64,
    pub(crate) grace_ms: i64,
    pub(crate) idle_ms: Option<i64>,
    pub(crate) by_key: bool,
}

impl JoinWindows {
    /// Joins records that are at most `difference` apart in either direction. The join accepts late records until
    /// stream time is `grace` past that.
    pub fn of_time_difference_and_grace(difference: Duration, grace: Duration) -> Self {
        let difference_ms = millis(difference);
        let grace_ms = millis(grace);
        Self { before_ms: difference_ms, after_ms: difference_ms, grace_ms, idle_ms: None, by_key: false }
    }

    /// Joins records that are at most `difference` apart in either direction. The join accepts no late records.
    pub fn of_time_difference_with_no_grace(difference: Duration) -> Self {
        Self::of_time_difference_and_grace(difference, Duration::ZERO)
    }

    /// Sets how much earlier than the left record the right record may be.
    pub fn before(self, difference: Duration) -> Self {
        Self { before_ms: millis(difference), ..self }
    }

    /// Sets how much later than the left record the right record may be.
    pub fn after(self, difference: Duration) -> Self {
        Self { after_ms: millis(difference), ..self }
    }

    /// Keeps time moving while both sides are silent: the last records without a partner are then emitted without a
    /// further record. [`EmitStrategy::idle_after`](super::EmitStrategy::idle_after) describes how idle time counts.
    pub fn idle_after(self, idle: Duration) -> Self {
        Self { idle_ms: Some(millis(idle)), ..self }
    }

    /// Gives each key an event time of its own, as [`TimeWindows::event_time_by_key`](super::TimeWindows) does for
    /// windows. The store `<name>-times` keeps the times.
    pub fn event_time_by_key(self) -> Self {
        Self { by_key: true, ..self }
    }

    /// The length of the buckets that hold rows. It equals the span of a lookup: a lookup reads at most two buckets.
    pub(crate) fn bucket_ms(self) -> i64 {
        self.before_ms + self.after_ms + 1
    }
}
