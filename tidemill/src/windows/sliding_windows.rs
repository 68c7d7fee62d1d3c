//! Windows that move with the records, and their grace.

use std::time::Duration;

use super::TimeWindows;
use crate::clock::millis;

/// Windows that move with the records of a key (`SlidingWindows` in Kafka Streams, KIP-450).
///
/// Records of a key are in one window if their timestamps are at most the time difference apart. A record at `t` ends a
/// window, `[t - difference, t]`, and a window begins behind it, `[t + 1, t + 1 + difference]`, if it has records. Both
/// ends are inclusive. So there is a window for each set of records that fits into the time difference, and none without
/// records. No window starts below 0: records that are earlier than the time difference share the window
/// `[0, difference]`.
///
/// New windows are built on those that the key has. With
/// [`AtLeastOnce`](crate::ProcessingGuarantee::AtLeastOnce), a crash may leave windows of which some are newer than others.
/// A window may then miss records, hold records from outside, or not be there; this is so in Kafka Streams, too. With
/// exactly-once, windows are as if there had been no crash.
///
/// A window accepts records until stream time has passed its end by more than the grace period. The grace period has no
/// default, as that of [`TimeWindows`]. Both durations are event time and are cut to milliseconds.
///
/// ```
/// # use std::time::Duration;
/// # use tidemill::{SlidingWindows, Window, Windowed};
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// let ten_seconds = SlidingWindows::of_time_difference_with_no_grace(Duration::from_secs(10));
/// let payments = builder.stream::<String, i64>("payments").group_by_key();
/// payments.windowed_by(ten_seconds).count("payments-in-10-s").to_stream().to("counts");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// driver.input::<String, i64>("payments").pipe_all([("ann".into(), 5, 20_000), ("ann".into(), 7, 30_000)])?;
/// let counts = driver.output::<Windowed<String>, i64>("counts").read()?;
/// let counts: Vec<_> = counts.into_iter().map(|(at, count, _)| (at.window.start, at.window.end, count)).collect();
/// // The first payment alone, the second alone, and both.
/// assert_eq!(counts, [(10_000, 20_000, 1), (20_001, 30_001, 1), (20_000, 30_000, 2)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlidingWindows {
    pub(crate) difference_ms: i64,
    pub(crate) grace_ms: i64,
    pub(crate) by_key: bool,
}

impl SlidingWindows {
    /// Windows of records that are at most `difference` apart, which accept no late records
    /// (`SlidingWindows.ofTimeDifferenceWithNoGrace` in Kafka Streams). See the example of [`SlidingWindows`].
    pub fn of_time_difference_with_no_grace(difference: Duration) -> Self {
        Self::of_time_difference_and_grace(difference, Duration::ZERO)
    }

    /// Windows of records that are at most `difference` apart, which accept late records until stream time is more than
    /// `grace` past their end (`SlidingWindows.ofTimeDifferenceAndGrace` in Kafka Streams).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{SlidingWindows, Windowed};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let windows = SlidingWindows::of_time_difference_and_grace(Duration::from_secs(10), Duration::from_secs(5));
    /// let orders = builder.stream::<u64, i64>("orders").group_by_key();
    /// orders.windowed_by(windows).count("in-10-s").to_stream().to("counts");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let orders = driver.input::<u64, i64>("orders");
    /// orders.pipe_all([(1, 250, 20_000), (1, 50, 35_000)])?;
    /// orders.pipe(1, 10, 20_000)?; // Late, but the window up to 20 s is open until stream time has passed 25 s + 10 s.
    /// assert_eq!(driver.status()?.tasks[0].records_dropped, [("in-10-s".to_owned(), "late", 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_time_difference_and_grace(difference: Duration, grace: Duration) -> Self {
        Self { difference_ms: millis(difference), grace_ms: millis(grace), by_key: false }
    }

    /// Gives each key an event time of its own, as [`TimeWindows::event_time_by_key`] does, with the same price.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{EmitStrategy, SlidingWindows, Windowed};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let windows = SlidingWindows::of_time_difference_with_no_grace(Duration::from_secs(10)).event_time_by_key();
    /// let readings = builder.stream::<u64, f64>("readings").group_by_key().windowed_by(windows);
    /// readings.emit(EmitStrategy::on_window_close()).count("in-10-s").to_stream().to("counts");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// // The clock of device 2 is a day ahead. Device 1 loses no record, and only its own records close its windows.
    /// let readings = [(1, 19.5, 20_000), (2, 20.0, 86_400_000), (1, 19.6, 25_000), (1, 19.7, 60_000)];
    /// driver.input::<u64, f64>("readings").pipe_all(readings)?;
    /// assert_eq!(driver.output::<Windowed<u64>, i64>("counts").read_values()?, [1, 2, 1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn event_time_by_key(self) -> Self {
        Self { by_key: true, ..self }
    }

    /// The largest difference in time between two records of a window, in milliseconds
    /// (`SlidingWindows.timeDifferenceMs` in Kafka Streams).
    ///
    /// ```
    /// # use std::time::Duration;
    /// let windows = tidemill::SlidingWindows::of_time_difference_with_no_grace(Duration::from_secs(10));
    /// assert_eq!((windows.time_difference_ms(), windows.grace_period_ms()), (10_000, 0));
    /// ```
    pub fn time_difference_ms(&self) -> i64 {
        self.difference_ms
    }

    /// How long windows accept late records, in milliseconds of stream time after their end
    /// (`SlidingWindows.gracePeriodMs` in Kafka Streams). See the example of
    /// [`time_difference_ms`](Self::time_difference_ms).
    pub fn grace_period_ms(&self) -> i64 {
        self.grace_ms
    }

    /// How long a store must keep windows at least, in milliseconds of stream time from their start: twice the time
    /// difference, because a record builds on the windows before it, plus the grace period.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::SlidingWindows;
    /// let windows = SlidingWindows::of_time_difference_and_grace(Duration::from_secs(10), Duration::from_secs(5));
    /// assert_eq!(windows.retention_ms(), 25_000);
    /// ```
    pub fn retention_ms(&self) -> i64 {
        self.difference_ms.saturating_mul(2).saturating_add(self.grace_ms)
    }

    /// Windows with the same bounds that may start at each millisecond, their end exclusive. Time closes them at the
    /// same moment.
    pub(crate) fn spans(self) -> TimeWindows {
        let Self { difference_ms, grace_ms, by_key } = self;
        TimeWindows { size_ms: difference_ms.saturating_add(1), advance_ms: 1, grace_ms, by_key }
    }
}
