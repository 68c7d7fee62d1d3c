//! The band of plausible event times.

use std::{fmt, ops::RangeInclusive, time::Duration};

use super::TimeUnit;
use crate::clock::millis;

/// 2000-01-01 and 2100-01-01, in milliseconds since the epoch. Times of the years 2000 to 2100 that are in a wrong unit
/// lie outside: seconds are in 1970, microseconds and nanoseconds are after the year 30000.
const YEAR_2000: i64 = 946_684_800_000;
const YEAR_2100: i64 = 4_102_444_800_000;

/// Which event times are plausible. A record with another time is bad, as a record that does not decode. Give the band
/// to [`Consumed::plausible_times`](crate::Consumed::plausible_times). Kafka Streams has nothing like it.
///
/// One record of the year 33658 would otherwise close every window of its task, and all records after it would be late.
/// Most such times are microseconds that were taken for milliseconds. A band depends on the record alone and not on a
/// clock. So a record is judged in the same way if it is processed again.
///
/// ```
/// # use std::time::Duration;
/// use tidemill::TimeBand;
///
/// let recent = TimeBand::recent_years();
/// assert!(recent.contains(1_700_000_000_000, 0));
/// assert!(!recent.contains(1_700_000_000, 0), "seconds: 1970");
/// assert!(!recent.contains(1_700_000_000_000_000, 0), "microseconds: the year 55840");
///
/// let (day, minute) = (Duration::from_hours(24), Duration::from_mins(1));
/// let near = TimeBand::around_record_time(day, minute);
/// let logged_at = 1_700_000_000_000;
/// assert!(near.contains(logged_at - 3_600_000, logged_at));
/// assert!(!near.contains(logged_at + 3_600_000, logged_at), "an hour in the future");
///
/// let both = recent.and(near);
/// assert!(!both.contains(0, 0) && both.contains(logged_at, logged_at));
/// assert_eq!(TimeBand::from(5..=9).to_string(), "from 5 to 9");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeBand {
    from: i64,
    to: i64,
    /// How far a time may be before and after the record's timestamp on the log.
    before: i64,
    after: i64,
}

impl TimeBand {
    /// The years 2000 to 2099. It catches times in a wrong unit: seconds, microseconds or nanoseconds that were taken
    /// for milliseconds. See the example of [`TimeBand`].
    pub const fn recent_years() -> Self {
        Self { from: YEAR_2000, to: YEAR_2100 - 1, before: i64::MAX, after: i64::MAX }
    }

    /// Times that are at most `before` earlier and at most `after` later than the timestamp that the record has on the
    /// log. This is of use if an extractor takes the event time from somewhere else. If the topic's timestamps are the
    /// times at which the log appended the records (`message.timestamp.type=LogAppendTime`), the band does not depend
    /// on a producer's clock. See the example of [`TimeBand`].
    pub fn around_record_time(before: Duration, after: Duration) -> Self {
        Self { from: i64::MIN, to: i64::MAX, before: millis(before), after: millis(after) }
    }

    /// The times that are in both bands. See the example of [`TimeBand`].
    pub fn and(self, other: Self) -> Self {
        Self {
            from: self.from.max(other.from),
            to: self.to.min(other.to),
            before: self.before.min(other.before),
            after: self.after.min(other.after),
        }
    }

    /// Whether a record may have this event time, if it has the timestamp `record_time` on the log. Both are
    /// milliseconds since the epoch. See the example of [`TimeBand`].
    pub fn contains(&self, time: i64, record_time: i64) -> bool {
        let (from, to) = self.of_record(record_time);
        (from..=to).contains(&time)
    }

    /// The earliest and the latest time of a record with this timestamp.
    fn of_record(&self, record_time: i64) -> (i64, i64) {
        let from = if self.before == i64::MAX { i64::MIN } else { record_time.saturating_sub(self.before) };
        let to = record_time.saturating_add(self.after);
        (self.from.max(from), self.to.min(if self.after == i64::MAX { i64::MAX } else { to }))
    }

    /// Returns the time if it is plausible.
    pub(crate) fn check(&self, time: i64, record_time: i64) -> Result<i64, ImplausibleTime> {
        if self.contains(time, record_time) {
            return Ok(time);
        }
        let (from, to) = self.of_record(record_time);
        let would_fit = |unit: &&(TimeUnit, &str)| self.contains(unit.0.to_ms(time), record_time);
        let unit = UNITS.iter().find(would_fit).map(|(_, name)| *name);
        Err(ImplausibleTime { time, from, to, unit })
    }

    /// Whether no time is in the band.
    pub(crate) const fn is_empty(&self) -> bool {
        self.from > self.to
    }
}

/// The units that are taken for milliseconds by mistake.
const UNITS: [(TimeUnit, &str); 3] =
    [(TimeUnit::Seconds, "Seconds"), (TimeUnit::Microseconds, "Microseconds"), (TimeUnit::Nanoseconds, "Nanoseconds")];

impl From<RangeInclusive<i64>> for TimeBand {
    fn from(times: RangeInclusive<i64>) -> Self {
        Self { from: *times.start(), to: *times.end(), before: i64::MAX, after: i64::MAX }
    }
}

impl fmt::Display for TimeBand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.from != i64::MIN || self.to != i64::MAX {
            parts.push(format!("from {} to {}", self.from, self.to));
        }
        if self.before != i64::MAX {
            parts.push(format!("{} ms before to {} ms after record time", self.before, self.after));
        }
        f.write_str(&parts.join(", "))
    }
}

/// A time outside of its band.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ImplausibleTime {
    time: i64,
    from: i64,
    to: i64,
    /// The unit in which the number would be plausible.
    unit: Option<&'static str>,
}

impl std::error::Error for ImplausibleTime {}

impl fmt::Display for ImplausibleTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { time, from, to, unit } = self;
        write!(f, "timestamp {time} is not plausible: it must be from {from} to {to} (milliseconds since the epoch)")?;
        match unit {
            Some(unit) => {
                write!(f, ". It fits if it is in {}: then set TimeUnit::{unit}", unit.to_lowercase())
            }
            None => Ok(()),
        }
    }
}
