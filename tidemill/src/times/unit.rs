//! Units of times.

/// The unit of a number that is a time since the epoch.
///
/// ```
/// use tidemill::TimeUnit;
///
/// assert_eq!(TimeUnit::Seconds.to_ms(1_700_000_000), 1_700_000_000_000);
/// assert_eq!(TimeUnit::Microseconds.to_ms(1_700_000_000_000_999), 1_700_000_000_000);
/// assert_eq!(TimeUnit::Nanoseconds.to_ms(-1), -1, "a time before the epoch stays one");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeUnit {
    /// 1 s.
    Seconds,
    /// 1/1,000 s: the unit of Kafka's timestamps.
    #[default]
    Milliseconds,
    /// 1/1,000,000 s.
    Microseconds,
    /// 1/1,000,000,000 s.
    Nanoseconds,
}

impl TimeUnit {
    /// The time in milliseconds, rounded down. A time that is too large becomes the largest integer. See the example of
    /// [`TimeUnit`].
    pub const fn to_ms(self, time: i64) -> i64 {
        match self {
            Self::Seconds => time.saturating_mul(1_000),
            Self::Milliseconds => time,
            Self::Microseconds => time.div_euclid(1_000),
            Self::Nanoseconds => time.div_euclid(1_000_000),
        }
    }
}
