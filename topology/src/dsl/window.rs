//! Window kinds, grace, and when a window's result is emitted.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use tidemill_state::{Codec, CodecError, Coded};

use crate::clock::millis;

/// A window's bounds in event time, milliseconds: `start` belongs to it, `end` does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Window {
    /// First millisecond of the window.
    pub start: i64,
    /// First millisecond after the window.
    pub end: i64,
}

/// A key and the window that its value belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Windowed<K> {
    /// The grouping key.
    pub key: K,
    /// The window.
    pub window: Window,
}

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
    /// own records, or, with [`EmitStrategy::idle_after`], by its own silence; without that, the last windows of a key
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
    /// use tidemill_topology::{EmitStrategy, StreamsBuilder, TimeWindows};
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
    /// # Ok::<(), tidemill_topology::TopologyError>(())
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

/// When a windowed operator emits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EmitStrategy {
    /// Every update of a window's result is emitted at once.
    #[default]
    OnWindowUpdate,
    /// Each window emits one final result, when it closes (KIP-825).
    OnWindowClose {
        /// See [`EmitStrategy::idle_after`].
        idle_ms: Option<i64>,
    },
}

impl EmitStrategy {
    /// Every update is emitted at once.
    pub const fn on_window_update() -> Self {
        Self::OnWindowUpdate
    }

    /// One final result, when stream time reaches the window's end plus grace.
    pub const fn on_window_close() -> Self {
        Self::OnWindowClose { idle_ms: None }
    }

    /// Keeps time moving while a partition is silent, so that its last windows close without a further record.
    ///
    /// When the task has read everything there is and its operator saw no record for `idle`, stream time advances from
    /// where the last record left it by as much time as passed since. A window then closes no later than `grace + idle`
    /// and one tick after its end. The advance is committed with the results: a replay never takes it back.
    ///
    /// Only time in which the task's thread waited for records passes: while it processes, restores or commits, for this
    /// task or another one, nobody knows whether there are more. Below a repartition topic, time passes while all tasks
    /// above it are silent, which they tell through the topic: every half of `idle`, later less often. One that
    /// restores, hangs, has stopped, or whose transaction is open, tells nothing, and keeps windows open. One that was
    /// silent for so long that everything below is closed rests: it tells nothing more and keeps nothing open, until it
    /// sends a record.
    ///
    /// Has no effect on [`EmitStrategy::OnWindowUpdate`].
    pub fn idle_after(self, idle: Duration) -> Self {
        match self {
            Self::OnWindowUpdate => self,
            Self::OnWindowClose { .. } => Self::OnWindowClose { idle_ms: Some(millis(idle)) },
        }
    }

    /// Final results, for operators that emit nothing else, with the idle time that was asked for.
    pub(crate) fn or_on_close(self) -> Self {
        if self.is_final() { self } else { Self::on_window_close() }
    }

    /// The same with the other's idle time if that is shorter, or the only one.
    pub(crate) fn earlier_idle(self, other: Self) -> Self {
        match (self.idle_ms(), other.idle_ms()) {
            (mine, Some(theirs)) if mine.is_none_or(|mine| theirs < mine) => {
                Self::OnWindowClose { idle_ms: Some(theirs) }
            }
            _ => self,
        }
    }

    pub(crate) fn idle_ms(self) -> Option<i64> {
        match self {
            Self::OnWindowUpdate => None,
            Self::OnWindowClose { idle_ms } => idle_ms,
        }
    }

    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::OnWindowClose { .. })
    }
}

/// Bytes of a windowed key: the inner key's bytes, then start and end as eight bytes each.
///
/// Records are partitioned by the inner key, so that they stay where the key's other records are.
#[derive(Debug, Clone, Copy, Default)]
pub struct WindowedCodec<C>(C);

impl<C> WindowedCodec<C> {
    /// Wraps the inner key's codec.
    pub const fn new(inner: C) -> Self {
        Self(inner)
    }
}

const BOUNDS: usize = 16;

impl<K, C: Codec<K>> Codec<Windowed<K>> for WindowedCodec<C> {
    fn encode_into(&self, value: &Windowed<K>, out: &mut Vec<u8>) -> Result<(), CodecError> {
        self.0.encode_into(&value.key, out)?;
        out.extend_from_slice(&value.window.start.to_be_bytes());
        out.extend_from_slice(&value.window.end.to_be_bytes());
        Ok(())
    }

    fn size_hint(&self, value: &Windowed<K>) -> usize {
        self.0.size_hint(&value.key) + BOUNDS
    }

    fn decode(&self, bytes: Bytes) -> Result<Windowed<K>, CodecError> {
        let split = bytes.len().checked_sub(BOUNDS).ok_or_else(|| CodecError::Malformed {
            expected: "windowed key",
            reason: format!("{} bytes are fewer than the {BOUNDS} of its bounds", bytes.len()),
        })?;
        let bound = |at: usize| {
            let mut raw = [0; 8];
            raw.copy_from_slice(&bytes[at..at + 8]);
            i64::from_be_bytes(raw)
        };
        let window = Window { start: bound(split), end: bound(split + 8) };
        Ok(Windowed { key: self.0.decode(bytes.slice(..split))?, window })
    }

    fn name(&self) -> Option<Cow<'static, str>> {
        Some(format!("windowed({})", self.0.name()?).into())
    }

    fn partition_bytes<'a>(&self, encoded: &'a [u8]) -> &'a [u8] {
        self.0.partition_bytes(&encoded[..encoded.len().saturating_sub(BOUNDS)])
    }
}

impl<K: Coded> Coded for Windowed<K> {
    type Codec = WindowedCodec<K::Codec>;
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
    fn windowed_keys_are_partitioned_by_their_inner_key() {
        let codec = <Windowed<String> as Coded>::Codec::default();
        let key = Windowed { key: "stream-1".to_owned(), window: Window { start: 60_000, end: 120_000 } };
        let bytes = codec.encode(&key).expect("encodes").expect("not null");
        assert_eq!(codec.partition_bytes(&bytes), b"stream-1");
        assert_eq!(codec.decode(bytes).expect("decodes"), key);
    }
}
