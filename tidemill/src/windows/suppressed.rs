//! When a table's updates are held back, and how many of them.

use std::time::Duration;

use super::Windowed;
use crate::clock::millis;

/// How much a suppression may hold back, and what happens when that is too little (`Suppressed.BufferConfig` in Kafka
/// Streams). See the example of [`Suppressed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BufferConfig {
    pub(crate) max_records: Option<usize>,
    pub(crate) max_bytes: Option<usize>,
    pub(crate) emits_early: bool,
}

impl BufferConfig {
    /// No bound. The rows are in a store, and the memory holds their keys alone. See the example of [`Suppressed`].
    pub const fn unbounded() -> Self {
        Self { max_records: None, max_bytes: None, emits_early: false }
    }

    /// At most this many keys. When there are more, [`shut_down_when_full`](Self::shut_down_when_full) or
    /// [`emit_early_when_full`](Self::emit_early_when_full) says what happens. See the example of [`Suppressed::until_time_limit`].
    pub const fn max_records(records: usize) -> Self {
        Self { max_records: Some(records), ..Self::unbounded() }
    }

    /// At most this many bytes of keys and values. See [`max_records`](Self::max_records).
    ///
    /// ```
    /// use tidemill::BufferConfig;
    ///
    /// let small = BufferConfig::max_bytes(1 << 20).emit_early_when_full();
    /// assert_ne!(small, BufferConfig::max_bytes(1 << 20).shut_down_when_full());
    /// ```
    pub const fn max_bytes(bytes: usize) -> Self {
        Self { max_bytes: Some(bytes), ..Self::unbounded() }
    }

    /// Adds a bound of bytes (`withMaxBytes` in Kafka Streams).
    #[must_use]
    pub const fn with_max_bytes(self, bytes: usize) -> Self {
        Self { max_bytes: Some(bytes), ..self }
    }

    /// Adds a bound of keys (`withMaxRecords` in Kafka Streams).
    #[must_use]
    pub const fn with_max_records(self, records: usize) -> Self {
        Self { max_records: Some(records), ..self }
    }

    /// When the buffer is full, the oldest updates are emitted before their time (`emitEarlyWhenFull` in Kafka Streams).
    /// Not possible for final results: they would not be final.
    #[must_use]
    pub const fn emit_early_when_full(self) -> Self {
        Self { emits_early: true, ..self }
    }

    /// When the buffer is full, the record that finds no room is an error (`shutDownWhenFull` in Kafka Streams). This is
    /// the default. The task fails, unless the [`processing_handler`](crate::StreamsConfig::processing_handler) leaves
    /// the record out: then neither the buffer nor the steps above it know the record, and its update is lost.
    #[must_use]
    pub const fn shut_down_when_full(self) -> Self {
        Self { emits_early: false, ..self }
    }
}

/// Which updates of a table are held back, and until when (`Suppressed` in Kafka Streams, KIP-328).
/// [`KTable::suppress`](crate::KTable::suppress) takes it.
///
/// ```
/// # use std::time::Duration;
/// # use tidemill::{BufferConfig, StreamsBuilder, Suppressed, TimeWindows, Windowed, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// let minutes = TimeWindows::of_size_and_grace(Duration::from_secs(60), Duration::from_secs(10));
/// let counts = builder.stream::<u64, String>("views").group_by_key().windowed_by(minutes).count("counts");
/// let finals = counts.suppress("finals", Suppressed::until_window_closes(BufferConfig::unbounded()));
/// finals.filter(|_, count| *count > 1).to_stream().to("busy");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// let views = [(1, "/".into(), 0), (1, "/a".into(), 65_000), (1, "/b".into(), 59_000), (2, "/".into(), 70_000)];
/// driver.input::<u64, String>("views").pipe_all(views)?;
/// assert_eq!(driver.output::<Windowed<u64>, i64>("busy").read_values()?, [2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Suppressed<K> {
    /// The time from which an update waits: of the record, or the end of the key's window.
    pub(crate) time_of: fn(&K, i64) -> i64,
    /// How long an update waits; `None` until the window closes.
    pub(crate) wait_ms: Option<i64>,
    pub(crate) buffer: BufferConfig,
    pub(crate) idle_ms: Option<i64>,
}

impl<K> Suppressed<K> {
    /// Holds the updates of a key back until stream time has passed by `wait` since the first of them; the last of them
    /// is emitted then (`Suppressed.untilTimeLimit` in Kafka Streams).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{BufferConfig, StreamsBuilder, Suppressed, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let buffer = BufferConfig::max_records(1_000).emit_early_when_full();
    /// let calm = Suppressed::until_time_limit(Duration::from_millis(10), buffer);
    /// builder.table::<u64, i64>("prices", "prices").suppress("calm", calm).to_stream().to("calm-prices");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("prices").pipe_all([(1, 300, 0), (1, 310, 5), (1, 320, 9), (2, 100, 10)])?;
    /// assert_eq!(driver.output::<u64, i64>("calm-prices").read()?, [(1, 320, 9)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn until_time_limit(wait: Duration, buffer: BufferConfig) -> Self {
        Self { time_of: |_, timestamp| timestamp, wait_ms: Some(millis(wait)), buffer, idle_ms: None }
    }

    /// Lets time advance while the input is silent, as [`EmitStrategy::idle_after`](crate::EmitStrategy::idle_after)
    /// does: what is held back then comes out without a further record. Kafka Streams has no such setting.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{BufferConfig, StreamsBuilder, Suppressed, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let calm = Suppressed::until_time_limit(Duration::from_secs(10), BufferConfig::unbounded());
    /// let calm = calm.idle_after(Duration::from_secs(5));
    /// builder.table::<u64, i64>("prices", "prices").suppress("calm", calm).to_stream().to("calm-prices");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("prices").pipe(1, 300, 0)?;
    /// driver.advance_wall_clock(Duration::from_secs(11))?;
    /// assert_eq!(driver.output::<u64, i64>("calm-prices").read_values()?, [300]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn idle_after(self, idle: Duration) -> Self {
        Self { idle_ms: Some(millis(idle)), ..self }
    }
}

impl<K> Suppressed<Windowed<K>> {
    /// Holds the updates of a window back until the window is closed; one final result is emitted then
    /// (`Suppressed.untilWindowCloses` in Kafka Streams). Tombstones are not emitted. The buffer must not
    /// [emit early](BufferConfig::emit_early_when_full).
    ///
    /// Where nothing stands between the window and the suppression,
    /// [`EmitStrategy::on_window_close`](crate::EmitStrategy::on_window_close) gives the same results and keeps no second
    /// copy. See the example of [`Suppressed`].
    pub fn until_window_closes(buffer: BufferConfig) -> Self {
        Self { time_of: |key, _| key.window.end, wait_ms: None, buffer, idle_ms: None }
    }
}
