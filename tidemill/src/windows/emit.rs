//! When a window's result is emitted.

use std::time::Duration;

use crate::clock::millis;

/// When a windowed operator emits (`EmitStrategy` in Kafka Streams, KIP-825).
///
/// ```
/// # use std::time::Duration;
/// # use tidemill::{EmitStrategy, TimeWindows, Windowed};
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
/// let views = builder.stream::<u64, String>("views").group_by_key();
/// views.windowed_by(minutes).emit(EmitStrategy::on_window_update()).count("updates").to_stream().to("updates");
/// views.windowed_by(minutes).emit(EmitStrategy::on_window_close()).count("finals").to_stream().to("finals");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// let views = [(1, "/".into(), 0), (1, "/a".into(), 1), (1, "/b".into(), 60_000)];
/// driver.input::<u64, String>("views").pipe_all(views)?;
/// assert_eq!(driver.output::<Windowed<u64>, i64>("updates").read_values()?, [1, 2, 1]);
/// assert_eq!(driver.output::<Windowed<u64>, i64>("finals").read_values()?, [2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    /// Every update is emitted at once (`EmitStrategy.onWindowUpdate` in Kafka Streams). This is the default. See the
    /// example of [`EmitStrategy`].
    pub const fn on_window_update() -> Self {
        Self::OnWindowUpdate
    }

    /// One final result, when stream time reaches the window's end plus grace (`EmitStrategy.onWindowClose` in Kafka
    /// Streams). See the example of [`EmitStrategy`].
    ///
    /// Windows are emitted by start, then by the bytes of the key; sessions by end, start and key. A session closes when
    /// stream time is later than its end plus gap and grace. Kafka Streams emits closed windows at most once a
    /// second by default (`__emit.interval.ms.kstreams.windowed.aggregation__`); here each record that closes windows
    /// emits them.
    pub const fn on_window_close() -> Self {
        Self::OnWindowClose { idle_ms: None }
    }

    /// Keeps time moving while a partition is silent: its last windows then close without a further record. Kafka
    /// Streams has no such setting: there, the last windows stay open until a record comes.
    ///
    /// If the task has read all available records and the operator saw no record for `idle`, stream time advances. It
    /// then equals the stream time after the last record plus the time that has passed since. A window closes no later
    /// than `grace + idle` and one tick after its end. The advance is committed with the results: a replay never takes
    /// it back.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{EmitStrategy, TimeWindows, Windowed};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// let emit = EmitStrategy::on_window_close().idle_after(Duration::from_secs(10));
    /// let chat = builder.stream::<u64, String>("chat").group_by_key().windowed_by(minutes).emit(emit);
    /// chat.count("per-minute").to_stream().to("counts");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("chat").pipe(7, "anybody here?".into(), 55_000)?;
    /// let counts = driver.output::<Windowed<u64>, i64>("counts");
    /// driver.advance_wall_clock(Duration::from_secs(4))?;
    /// assert!(counts.read()?.is_empty(), "silent for less than 10 s");
    /// driver.advance_wall_clock(Duration::from_secs(6))?;
    /// assert_eq!(counts.read_values()?, [1]); // Stream time is now 55 s + 10 s.
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # How idle time counts
    ///
    /// Idle time is wall time. It counts while the task's thread waits for records or processes records of other tasks,
    /// if the task had no records before and after. Each turn of the thread counts for at most
    /// [`poll_timeout`](crate::StreamsConfig::poll_timeout). Time in which the thread restores or commits does not
    /// count, because unread records may exist then.
    ///
    /// Below a repartition topic, idle time counts while all upstream tasks are silent. Upstream tasks report their
    /// silence through the topic: every half of `idle`, later less often. A task that restores, hangs, has stopped or
    /// has an open transaction sends no report, and keeps windows open. If a task was silent until everything below it
    /// is closed, it sends no more reports until it sends a record: it rests. If other tasks open a window after that,
    /// Tidemill asks the log whether all input of the resting task is committed. Idle time counts only if it is. This
    /// check delays the close by at most one second.
    ///
    /// This method has no effect on [`EmitStrategy::OnWindowUpdate`].
    pub fn idle_after(self, idle: Duration) -> Self {
        match self {
            Self::OnWindowUpdate => self,
            Self::OnWindowClose { .. } => Self::OnWindowClose { idle_ms: Some(millis(idle)) },
        }
    }

    /// Final results with this strategy's idle time, for operators that emit nothing else.
    pub(crate) fn or_on_close(self) -> Self {
        if self.is_final() { self } else { Self::on_window_close() }
    }

    /// This strategy, with the idle time of `other` if that is shorter or `self` has none.
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
