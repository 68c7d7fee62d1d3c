//! Windows of a fixed size, and their grace.

use std::time::Duration;

use super::Window;
use crate::clock::millis;

/// Epoch-aligned windows of a fixed size (`TimeWindows` in Kafka Streams). They are tumbling, or hopping if they
/// advance by less than their size.
///
/// A window `[start, end)` accepts records until stream time reaches `end + grace`. The grace period has no default,
/// because a forgotten grace period and a generous default both lose results (see KIP-633). Size, advance and grace are
/// event time and are cut to milliseconds. [`StreamsBuilder::build`](crate::StreamsBuilder::build) returns an error if
/// the size is below 1 ms, or if the advance is not from 1 ms to the size.
///
/// ```
/// # use std::time::Duration;
/// use tidemill::TimeWindows;
///
/// let tumbling = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
/// let starts: Vec<_> = tumbling.windows_for(90_000).map(|window| window.start).collect();
/// assert_eq!(starts, [60_000]);
///
/// let hopping = tumbling.advance_by(Duration::from_secs(30));
/// let starts: Vec<_> = hopping.windows_for(90_000).map(|window| window.start).collect();
/// assert_eq!(starts, [60_000, 90_000]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeWindows {
    pub(crate) size_ms: i64,
    pub(crate) advance_ms: i64,
    pub(crate) grace_ms: i64,
    pub(crate) by_key: bool,
}

impl TimeWindows {
    /// Tumbling windows that accept no late records (`TimeWindows.ofSizeWithNoGrace` in Kafka Streams).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::TimeWindows;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// builder.stream::<u64, String>("chat").group_by_key().windowed_by(minutes).count("per-minute");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let chat = [(7, "hi".into(), 59_999), (7, "bye".into(), 60_000), (7, "late by 1 ms".into(), 59_999)];
    /// driver.input::<u64, String>("chat").pipe_all(chat)?;
    /// assert_eq!(driver.status()?.tasks[0].records_dropped, [("per-minute".to_owned(), "late", 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_size_with_no_grace(size: Duration) -> Self {
        Self::of_size_and_grace(size, Duration::ZERO)
    }

    /// Tumbling windows that accept late records until stream time is `grace` past their end
    /// (`TimeWindows.ofSizeAndGrace` in Kafka Streams).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{TimeWindows, Windowed};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_and_grace(Duration::from_secs(60), Duration::from_secs(5));
    /// let orders = builder.stream::<u64, i64>("orders").group_by_key();
    /// orders.windowed_by(minutes).count("per-minute").to_stream().to("counts");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let orders = driver.input::<u64, i64>("orders");
    /// orders.pipe_all([(1, 250, 0), (1, 50, 64_999), (1, 10, 59_000)])?; // The last one is late, but within grace.
    /// orders.pipe_all([(1, 20, 65_000), (1, 30, 59_000)])?; // Now the first minute is closed.
    /// assert_eq!(driver.output::<Windowed<u64>, i64>("counts").read_values()?, [1, 1, 2, 2]);
    /// assert_eq!(driver.status()?.tasks[0].records_dropped, [("per-minute".to_owned(), "late", 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_size_and_grace(size: Duration, grace: Duration) -> Self {
        let size_ms = millis(size);
        Self { size_ms, advance_ms: size_ms, grace_ms: millis(grace), by_key: false }
    }

    /// Makes the windows hopping: a window starts every `advance`, and a record can belong to several windows
    /// (`TimeWindows.advanceBy` in Kafka Streams). `advance` is from 1 ms to the size.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::TimeWindows;
    /// let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(60)).advance_by(Duration::from_secs(20));
    /// let windows: Vec<_> = windows.windows_for(65_000).map(|window| (window.start, window.end)).collect();
    /// assert_eq!(windows, [(20_000, 80_000), (40_000, 100_000), (60_000, 120_000)]);
    /// ```
    pub fn advance_by(self, advance: Duration) -> Self {
        Self { advance_ms: millis(advance), ..self }
    }

    /// Gives each key an event time of its own. By default, as in Kafka Streams, all keys of a partition share one.
    ///
    /// Use this for keys that are independent sources, such as devices, users or streams. A key whose clock is ahead
    /// then closes no windows of other keys, and a key whose records come late loses none because of other keys. A
    /// key's windows are closed by the key's own records or, with
    /// [`EmitStrategy::idle_after`](super::EmitStrategy::idle_after), by the key's own silence. Without `idle_after`,
    /// the last windows of a silent key stay open. Results of different keys come in the order in which the keys'
    /// windows close.
    ///
    /// The store `<store>-times`, beside the operator's store, keeps the times. Each commit writes a row of 24 bytes
    /// for each key that had records. A key's time is forgotten when no record of the key came for the store's
    /// retention, and at least for one day of wall time. A record that comes later than that may open a window again.
    /// If windows are kept for queries longer than size and grace, each kept window of each key takes about 40 bytes of
    /// memory.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{EmitStrategy, TimeWindows, Windowed};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60)).event_time_by_key();
    /// let readings = builder.stream::<u64, f64>("readings").group_by_key().windowed_by(minutes);
    /// readings.emit(EmitStrategy::on_window_close()).count("per-minute").to_stream().to("counts");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// // The clock of device 2 is a day ahead. Device 1 loses no record, and only its own records close its minute.
    /// let readings = [(1, 19.5, 0), (2, 20.0, 86_400_000), (1, 19.6, 30_000), (1, 19.7, 60_000)];
    /// driver.input::<u64, f64>("readings").pipe_all(readings)?;
    /// assert_eq!(driver.output::<Windowed<u64>, i64>("counts").read_values()?, [2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn event_time_by_key(self) -> Self {
        Self { by_key: true, ..self }
    }

    /// The windows that contain a timestamp (milliseconds since the epoch), ordered by start, earliest first
    /// (`TimeWindows.windowsFor` in Kafka Streams). No window starts before 0. Panics if the advance is below 1 ms.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::TimeWindows;
    /// let windows = TimeWindows::of_size_with_no_grace(Duration::from_millis(10));
    /// let windows = windows.advance_by(Duration::from_millis(4));
    /// let starts = |timestamp| windows.windows_for(timestamp).map(|window| window.start).collect::<Vec<_>>();
    /// assert_eq!(starts(9), [0, 4, 8]);
    /// assert_eq!(starts(12), [4, 8, 12]);
    /// ```
    pub fn windows_for(&self, timestamp: i64) -> impl Iterator<Item = Window> + use<> {
        let Self { size_ms, advance_ms, .. } = *self;
        let first = timestamp.saturating_sub(size_ms - advance_ms).max(0) / advance_ms * advance_ms;
        std::iter::successors(Some(first), move |start| start.checked_add(advance_ms))
            .take_while(move |start| *start <= timestamp)
            .map(move |start| Window { start, end: start.saturating_add(size_ms) })
    }

    /// How long a window's rows are needed, in milliseconds of stream time from the window's start: the size plus the
    /// grace period. A store keeps windows that long by default.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::TimeWindows;
    /// let windows = TimeWindows::of_size_and_grace(Duration::from_secs(60), Duration::from_secs(5));
    /// assert_eq!(windows.retention_ms(), 65_000);
    /// ```
    pub fn retention_ms(&self) -> i64 {
        self.size_ms + self.grace_ms
    }

    /// The problems of these windows; empty if they are valid.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.size_ms <= 0 {
            problems.push("a window must be at least one millisecond long".into());
        } else if self.advance_ms <= 0 || self.advance_ms > self.size_ms {
            problems.push(format!(
                "windows must advance by 1 to {} ms (their size), not {} ms",
                self.size_ms, self.advance_ms
            ));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(windows: TimeWindows, timestamp: i64) -> Vec<i64> {
        windows.windows_for(timestamp).map(|window| window.start).collect()
    }

    #[test]
    fn tumbling_windows_are_aligned_to_the_epoch() {
        let windows = TimeWindows::of_size_with_no_grace(Duration::from_millis(10));
        assert_eq!(starts(windows, 0), [0]);
        assert_eq!(starts(windows, 9), [0]);
        assert_eq!(starts(windows, 10), [10]);
    }

    #[test]
    fn hopping_windows_overlap_and_never_start_below_zero() {
        let windows =
            TimeWindows::of_size_with_no_grace(Duration::from_millis(10)).advance_by(Duration::from_millis(4));
        assert_eq!(starts(windows, 3), [0]);
        assert_eq!(starts(windows, 9), [0, 4, 8]);
        assert_eq!(starts(windows, 12), [4, 8, 12]);
    }

    #[test]
    fn times_that_are_far_away_have_windows_or_none() {
        let windows = TimeWindows::of_size_with_no_grace(Duration::from_millis(10));
        assert!(starts(windows, i64::MIN).is_empty());
        assert!(starts(windows, -1).is_empty());
        assert_eq!(starts(windows, i64::MAX), [i64::MAX - 7]);
        let hopping = windows.advance_by(Duration::from_millis(4));
        assert_eq!(starts(hopping, i64::MAX), [i64::MAX - 7, i64::MAX - 3]);
    }
}
