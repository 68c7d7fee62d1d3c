//! The largest distance in time between two records that are joined.

use std::time::Duration;

use crate::clock::millis;

/// The largest distance in event time between two joined records of one key, and how long the join waits for late
/// records (`JoinWindows` in Kafka Streams).
///
/// A left record at `t` is joined with right records from `t - before` to `t + after`, both inclusive. Stream time is
/// the highest timestamp of both sides in one task. A record's join window closes when stream time has passed the end
/// of that span by more than the grace period. Until then partners can match the record. After that, a new record for
/// the window is late, and a record without a partner is unmatched. The grace period has no default, because a
/// forgotten grace period and a generous default both lose results (see KIP-633).
///
/// ```
/// # use std::time::Duration;
/// # use tidemill::JoinWindows;
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// let (orders, paid) = (builder.stream::<u64, String>("orders"), builder.stream::<u64, i64>("payments"));
/// let windows = JoinWindows::of_time_difference_and_grace(Duration::from_secs(10), Duration::from_secs(5));
/// orders.join_stream(&paid, windows, "paid-orders", |_, item, cents| format!("{item} {cents}")).to("paid");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// driver.input::<u64, String>("orders").pipe_all([(1, "tea".into(), 0), (2, "jam".into(), 15_000)])?;
/// driver.input::<u64, i64>("payments").pipe(1, 300, 10_000)?; // Late, but within grace.
/// driver.input::<u64, String>("orders").pipe(2, "rice".into(), 15_001)?;
/// driver.input::<u64, i64>("payments").pipe(1, 300, 0)?; // Stream time has passed 10 s + 5 s.
/// assert_eq!(driver.output::<u64, String>("paid").read()?, [(1, "tea 300".to_owned(), 10_000)]);
/// assert_eq!(driver.status()?.tasks[0].records_dropped, [("paid-orders-right".to_owned(), "late", 1)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    /// stream time is `grace` past that (`JoinWindows.ofTimeDifferenceAndGrace` in Kafka Streams). Both are event time
    /// and are cut to milliseconds. See the example of [`JoinWindows`].
    pub fn of_time_difference_and_grace(difference: Duration, grace: Duration) -> Self {
        let difference_ms = millis(difference);
        let grace_ms = millis(grace);
        Self { before_ms: difference_ms, after_ms: difference_ms, grace_ms, idle_ms: None, by_key: false }
    }

    /// Joins records that are at most `difference` apart in either direction. The join accepts no late records
    /// (`JoinWindows.ofTimeDifferenceWithNoGrace` in Kafka Streams). This is
    /// [`of_time_difference_and_grace`](Self::of_time_difference_and_grace) with a grace period of zero.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::JoinWindows;
    /// let second = Duration::from_secs(1);
    /// let windows = JoinWindows::of_time_difference_with_no_grace(second);
    /// assert_eq!(windows, JoinWindows::of_time_difference_and_grace(second, Duration::ZERO));
    /// ```
    pub fn of_time_difference_with_no_grace(difference: Duration) -> Self {
        Self::of_time_difference_and_grace(difference, Duration::ZERO)
    }

    /// Sets how much earlier than the left record the right record may be (`JoinWindows.before` in Kafka Streams). Zero
    /// allows no earlier right record. In Kafka Streams it may be negative, for partners that must be later by at least
    /// some time; here it cannot.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::JoinWindows;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let (orders, paid) = (builder.stream::<u64, String>("orders"), builder.stream::<u64, i64>("payments"));
    /// let after = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(10)).before(Duration::ZERO);
    /// orders.join_stream(&paid, after, "paid-orders", |_, item, cents| format!("{item} {cents}")).to("paid");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("payments").pipe(1, 300, 4_999)?; // A payment before the order does not count.
    /// driver.input::<u64, String>("orders").pipe(1, "tea".into(), 5_000)?;
    /// driver.input::<u64, i64>("payments").pipe(1, 250, 6_000)?;
    /// assert_eq!(driver.output::<u64, String>("paid").read_values()?, ["tea 250"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn before(self, difference: Duration) -> Self {
        Self { before_ms: millis(difference), ..self }
    }

    /// Sets how much later than the left record the right record may be (`JoinWindows.after` in Kafka Streams). Zero
    /// allows no later right record.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::JoinWindows;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let (orders, coupons) = (builder.stream::<u64, String>("orders"), builder.stream::<u64, String>("coupons"));
    /// let before = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(10)).after(Duration::ZERO);
    /// orders.join_stream(&coupons, before, "cheaper", |_, item, coupon| format!("{item}: {coupon}")).to("cheaper");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("coupons").pipe(1, "-10 %".into(), 4_000)?;
    /// driver.input::<u64, String>("orders").pipe(1, "tea".into(), 5_000)?;
    /// driver.input::<u64, String>("coupons").pipe(1, "-50 %".into(), 6_000)?; // Too late for this order.
    /// assert_eq!(driver.output::<u64, String>("cheaper").read_values()?, ["tea: -10 %"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn after(self, difference: Duration) -> Self {
        Self { after_ms: millis(difference), ..self }
    }

    /// Keeps time moving while both sides are silent: the last records without a partner are then emitted without a
    /// further record. [`EmitStrategy::idle_after`](super::EmitStrategy::idle_after) describes how idle time counts.
    /// Kafka Streams has no such setting. It has no effect on an inner join, which emits no record without a partner.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::JoinWindows;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let (orders, paid) = (builder.stream::<u64, String>("orders"), builder.stream::<u64, i64>("payments"));
    /// let windows = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(10));
    /// let status = |_: &u64, item: &String, cents: Option<&i64>| format!("{item} {cents:?}");
    /// let windows = windows.idle_after(Duration::from_secs(30));
    /// orders.left_join_stream(&paid, windows, "order-payment", status).to("statuses");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("orders").pipe(1, "tea".into(), 0)?;
    /// driver.advance_wall_clock(Duration::from_secs(30))?;
    /// assert_eq!(driver.output::<u64, String>("statuses").read_values()?, ["tea None"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn idle_after(self, idle: Duration) -> Self {
        Self { idle_ms: Some(millis(idle)), ..self }
    }

    /// Gives each key an event time of its own, as
    /// [`TimeWindows::event_time_by_key`](super::TimeWindows::event_time_by_key) does for windows. By default, as in
    /// Kafka Streams, all keys of a partition share one. The store `<name>-times` keeps the times.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::JoinWindows;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let (orders, paid) = (builder.stream::<u64, String>("orders"), builder.stream::<u64, i64>("payments"));
    /// let windows = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(10)).event_time_by_key();
    /// orders.join_stream(&paid, windows, "paid-orders", |_, item, cents| format!("{item} {cents}")).to("paid");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// // The clock of customer 2 is a day ahead. That closes no window of customer 1.
    /// driver.input::<u64, String>("orders").pipe_all([(1, "tea".into(), 0), (2, "jam".into(), 86_400_000)])?;
    /// driver.input::<u64, i64>("payments").pipe(1, 300, 1_000)?;
    /// assert_eq!(driver.output::<u64, String>("paid").read_values()?, ["tea 300"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn event_time_by_key(self) -> Self {
        Self { by_key: true, ..self }
    }

    /// The length of the buckets that hold rows. It equals the span of a lookup: a lookup reads at most two buckets.
    pub(crate) fn bucket_ms(self) -> i64 {
        self.before_ms + self.after_ms + 1
    }
}
