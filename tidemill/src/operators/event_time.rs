//! Checks which numbers are valid event times.

use super::{Failure, Outcome};

/// The latest event time. It is half of the largest integer, so that window ends plus grace cannot overflow.
const LAST: i64 = i64::MAX / 2;

/// A number that is not an event time: it is negative, or too large for windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("timestamp {0} is no time: it must be milliseconds since the epoch, from 0 to {LAST}")]
pub(crate) struct InvalidTime(pub(crate) i64);

/// Returns the timestamp if records may have it.
#[inline]
pub(crate) fn event_time(timestamp: i64) -> Result<i64, InvalidTime> {
    if (0..=LAST).contains(&timestamp) { Ok(timestamp) } else { Err(InvalidTime(timestamp)) }
}

/// The same check for a record that user code made. A failure is an error of the operator that runs the code.
#[inline]
pub(crate) fn check_event_time(timestamp: i64) -> Outcome {
    event_time(timestamp)
        .map(drop)
        .map_err(|invalid| Box::new(Failure::User(format!("it forwarded a record whose {invalid}").into())))
}
