//! Durations as clocks count them.

use std::time::Duration;

/// A duration in milliseconds. One that is too long for the number counts as for ever.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
