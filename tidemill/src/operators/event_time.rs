//! Which numbers are times of events.

use super::{Failure, Outcome};

/// Half of what fits, so that the ends of windows, with their grace, do as well.
const LAST: i64 = i64::MAX / 2;

/// A number that is not the time of an event: it is negative, or beyond what windows can count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("timestamp {0} is no time: it must be milliseconds since the epoch, from 0 to {LAST}")]
pub(crate) struct InvalidTime(pub(crate) i64);

/// Whether records may have this timestamp.
#[inline]
pub(crate) fn event_time(timestamp: i64) -> Result<i64, InvalidTime> {
    if (0..=LAST).contains(&timestamp) { Ok(timestamp) } else { Err(InvalidTime(timestamp)) }
}

/// The same of a record that the user's code made: an error of the operator that it runs in.
#[inline]
pub(crate) fn check_event_time(timestamp: i64) -> Outcome {
    event_time(timestamp)
        .map(drop)
        .map_err(|invalid| Box::new(Failure::User(format!("it forwarded a record whose {invalid}").into())))
}
