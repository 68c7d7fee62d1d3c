//! The ledger's hours, minutes and patience.

pub(super) const MINUTE_MS: i64 = 60_000;
pub(super) const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(super) const DAY_HOURS: i64 = 24;

/// A member that has something open writes at least this often.
pub(super) const ALIVE_MS: i64 = 5_000;
/// A member that was silent for longer is dead.
pub(super) const DEAD_MS: i64 = 60_000;
/// A member that was silent for longer and has lost a request's partition is dead. Signs of life may be on their way for
/// some seconds.
pub(super) const LOST_MS: i64 = 20_000;
/// A member decides only on records that it wrote less than this ago. Others then still count it as alive, and the
/// broker's compaction has not yet removed what stood before the record.
pub(super) const FRESH_MS: i64 = 30_000;
/// A record that was not read back within this time is written again.
pub(super) const REWRITE_MS: i64 = 10_000;
/// Entries are kept for so many hours after theirs.
pub(super) const KEEP_HOURS: i64 = 2 * DAY_HOURS;
/// The minutes before the current one that an entry keeps. The second serves readers whose clock is behind.
pub(super) const KEEP_MINUTES: i64 = 2;

pub(super) const fn hour_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(HOUR_MS)
}

pub(super) const fn minute_of_hour(at_ms: i64) -> u8 {
    (at_ms.rem_euclid(HOUR_MS) / MINUTE_MS) as u8
}

pub(super) const fn minute_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(MINUTE_MS)
}

/// The minute since 1970.
pub(super) const fn minute(hour: i64, minute_of_hour: u8) -> i64 {
    hour * 60 + minute_of_hour as i64
}

/// Whether a number is an hour that arithmetic can bear.
pub(super) const fn is_hour(hour: i64) -> bool {
    hour >= 0 && hour <= i64::MAX / HOUR_MS / 2
}
