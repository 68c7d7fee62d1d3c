//! How far apart two records may be to be joined.

use std::time::Duration;

use crate::clock::millis;

/// How far apart in event time two records of one key may be to be joined, and for how long late ones are waited for.
///
/// A left record at `t` is joined with right records from `t - before` to `t + after`, both inclusive. A record's join
/// window closes when stream time, the highest timestamp of both sides in one task, has passed the end of that span by
/// more than the grace period. Until then partners find it; after that a record that comes is late, and one that found
/// no partner is unmatched. There is no default for the grace period, because both a forgotten and a generous one lose
/// results (see KIP-633).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinWindows {
    pub(crate) before_ms: i64,
    pub(crate) after_ms: i64,
    pub(crate) grace_ms: i64,
    pub(crate) idle_ms: Option<i64>,
    pub(crate) by_key: bool,
}

impl JoinWindows {
    /// Records at most `difference` apart, either way; late ones are waited for until stream time is `grace` past
    /// that.
    pub fn of_time_difference_and_grace(difference: Duration, grace: Duration) -> Self {
        let difference_ms = millis(difference);
        let grace_ms = millis(grace);
        Self { before_ms: difference_ms, after_ms: difference_ms, grace_ms, idle_ms: None, by_key: false }
    }

    /// Records at most `difference` apart, either way, of which no late ones are waited for.
    pub fn of_time_difference_with_no_grace(difference: Duration) -> Self {
        Self::of_time_difference_and_grace(difference, Duration::ZERO)
    }

    /// By how much the right record may be earlier than the left one.
    pub fn before(self, difference: Duration) -> Self {
        Self { before_ms: millis(difference), ..self }
    }

    /// By how much the right record may be later than the left one.
    pub fn after(self, difference: Duration) -> Self {
        Self { after_ms: millis(difference), ..self }
    }

    /// Keeps time moving while both sides are silent, so that the last records without a partner come out without a
    /// further record: as [`EmitStrategy::idle_after`](super::EmitStrategy::idle_after) does it for windows.
    pub fn idle_after(self, idle: Duration) -> Self {
        Self { idle_ms: Some(millis(idle)), ..self }
    }

    /// Gives each key an event time of its own, as [`TimeWindows::event_time_by_key`](super::TimeWindows) does it for
    /// windows. Times are kept in the store `<name>-times`.
    pub fn event_time_by_key(self) -> Self {
        Self { by_key: true, ..self }
    }

    /// Rows are kept in buckets as long as a probe's span: it touches two at most.
    pub(crate) fn bucket_ms(self) -> i64 {
        self.before_ms + self.after_ms + 1
    }
}
