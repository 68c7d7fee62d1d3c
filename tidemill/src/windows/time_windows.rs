//! Windows of a fixed size, and their grace.

use std::time::Duration;

use super::Window;
use crate::clock::millis;

/// Epoch-aligned windows of a fixed size: tumbling, or hopping when they advance by less than their size.
///
/// A window `[start, end)` accepts records until stream time reaches `end + grace`. There is no default for the
/// grace period, because both a forgotten and a generous one lose results (see KIP-633).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeWindows {
    pub(crate) size_ms: i64,
    pub(crate) advance_ms: i64,
    pub(crate) grace_ms: i64,
    pub(crate) by_key: bool,
}

impl TimeWindows {
    /// Tumbling windows that accept no late records.
    pub fn of_size_with_no_grace(size: Duration) -> Self {
        Self::of_size_and_grace(size, Duration::ZERO)
    }

    /// Tumbling windows that accept late records until stream time is `grace` past their end.
    pub fn of_size_and_grace(size: Duration, grace: Duration) -> Self {
        let size_ms = millis(size);
        Self { size_ms, advance_ms: size_ms, grace_ms: millis(grace), by_key: false }
    }

    /// Makes them hopping: a window starts every `advance`, so that a record belongs to several.
    pub fn advance_by(self, advance: Duration) -> Self {
        Self { advance_ms: millis(advance), ..self }
    }

    /// Gives each key an event time of its own, instead of one to all keys of a partition, as Kafka Streams has it.
    ///
    /// For keys that are independent sources, such as devices, users or streams: one whose clock is ahead then closes
    /// no window of the others, and one whose records come late loses none to them. A key's windows close by the key's
    /// own records, or, with [`EmitStrategy::idle_after`](super::EmitStrategy::idle_after), by its own silence; without that, the last windows of a key
    /// that falls silent stay open. Results of different keys come in the order in which their keys close.
    ///
    /// Times are kept in a store beside the operator's, `<store>-times`: a row of 24 bytes for each key and commit that
    /// has records of it. A key's time is forgotten when no record of it came for the retention of the store, at least
    /// for a day of wall time; a record that is later than that may open a window anew. Where windows are kept for queries beyond size and grace, each kept window
    /// of each key takes some 40 bytes of memory.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use tidemill::{EmitStrategy, StreamsBuilder, TimeWindows};
    ///
    /// let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_and_grace(Duration::from_secs(60), Duration::from_secs(5));
    /// builder
    ///     .stream::<String, i64>("readings")
    ///     .group_by_key()
    ///     .windowed_by(minutes.event_time_by_key())
    ///     .emit(EmitStrategy::on_window_close().idle_after(Duration::from_secs(30)))
    ///     .count("readings-per-minute");
    /// builder.build()?;
    /// # Ok::<(), tidemill::TopologyError>(())
    /// ```
    pub fn event_time_by_key(self) -> Self {
        Self { by_key: true, ..self }
    }

    /// The windows that a timestamp belongs to, by start, earliest first.
    pub fn windows_for(&self, timestamp: i64) -> impl Iterator<Item = Window> + use<> {
        let Self { size_ms, advance_ms, .. } = *self;
        let first = (timestamp - size_ms + advance_ms).max(0) / advance_ms * advance_ms;
        (0..)
            .map(move |i| first + i * advance_ms)
            .take_while(move |start| *start <= timestamp)
            .map(move |start| Window { start, end: start + size_ms })
    }

    /// How long a window's rows are needed: its size and grace.
    pub fn retention_ms(&self) -> i64 {
        self.size_ms + self.grace_ms
    }

    /// What is wrong with these windows, if anything.
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
}
