//! Sessions: windows that records of a key make, and their grace.

use std::time::Duration;

use crate::clock::millis;

/// Sessions (`SessionWindows` in Kafka Streams): records of a key belong to one session while the time between two of
/// them is at most the inactivity gap.
///
/// A session is from the timestamp of its first record to that of its last record; both are inclusive. A record that
/// comes between two sessions, at most a gap from each, merges them. A session accepts records until stream time is
/// later than its end plus gap and grace. Gap and grace are event time and are cut to milliseconds. With a gap of 0, only
/// records of the same millisecond belong together.
///
/// ```
/// # use std::time::Duration;
/// # use tidemill::{SessionWindows, Window, Windowed};
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(30));
/// let views = builder.stream::<u64, String>("views").group_by_key().windowed_by(visits);
/// views.collect("visits").to("pages-of-visits");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// let views = [(7, "/".into(), 0), (7, "/cart".into(), 30_000), (7, "/".into(), 60_001)];
/// driver.input::<u64, String>("views").pipe_all(views)?;
/// let (visit, pages, _) = driver.output::<Windowed<u64>, Vec<String>>("pages-of-visits").read()?.remove(0);
/// assert_eq!(visit, Windowed { key: 7, window: Window { start: 0, end: 30_000 } });
/// assert_eq!(pages, ["/", "/cart"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionWindows {
    pub(crate) gap_ms: i64,
    pub(crate) grace_ms: i64,
    pub(crate) by_key: bool,
}

impl SessionWindows {
    /// Sessions that accept no late records (`SessionWindows.ofInactivityGapWithNoGrace` in Kafka Streams). A record is
    /// late if it would be a session that ended more than the gap before stream time.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::SessionWindows;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(30));
    /// builder.stream::<u64, String>("views").group_by_key().windowed_by(visits).count("visits");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let views = [(7, "/".into(), 60_000), (8, "/".into(), 30_000), (8, "late by 1 ms".into(), 29_999)];
    /// driver.input::<u64, String>("views").pipe_all(views)?;
    /// // The last record is at most a gap from the session of its key, so it is not late.
    /// assert!(driver.status()?.tasks[0].records_dropped.is_empty());
    /// driver.input::<u64, String>("views").pipe(9, "late by 1 ms".into(), 29_999)?;
    /// assert_eq!(driver.status()?.tasks[0].records_dropped, [("visits".to_owned(), "late", 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_inactivity_gap_with_no_grace(gap: Duration) -> Self {
        Self::of_inactivity_gap_and_grace(gap, Duration::ZERO)
    }

    /// Sessions that accept late records until stream time is later than their end plus gap and `grace`
    /// (`SessionWindows.ofInactivityGapAndGrace` in Kafka Streams).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{SessionWindows, Windowed};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let visits = SessionWindows::of_inactivity_gap_and_grace(Duration::from_secs(30), Duration::from_secs(5));
    /// builder.stream::<u64, String>("views").group_by_key().windowed_by(visits).collect("visits").to("pages");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let views = driver.input::<u64, String>("views");
    /// views.pipe_all([(7, "/".into(), 10_000), (8, "/".into(), 45_000), (7, "late".into(), 5_000)])?;
    /// let pages = driver.output::<Windowed<u64>, Vec<String>>("pages");
    /// assert!(pages.read()?.is_empty(), "stream time is 45 s, and the session of 7 is open at 10 s + 30 s + 5 s");
    /// views.pipe(8, "/cart".into(), 45_001)?;
    /// assert_eq!(pages.read_values()?, [["late", "/"]]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_inactivity_gap_and_grace(gap: Duration, grace: Duration) -> Self {
        Self { gap_ms: millis(gap), grace_ms: millis(grace), by_key: false }
    }

    /// Gives each key an event time of its own, as [`TimeWindows::event_time_by_key`](super::TimeWindows::event_time_by_key)
    /// does. By default, as in Kafka Streams, all keys of a partition share one.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{EmitStrategy, SessionWindows, Windowed};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let rides = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(30)).event_time_by_key();
    /// let positions = builder.stream::<u64, f64>("positions").group_by_key().windowed_by(rides);
    /// positions.emit(EmitStrategy::on_window_close()).count("rides").to_stream().to("counts");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// // The clock of bicycle 2 is a day ahead. Only its own records close the ride of bicycle 1.
    /// let positions = [(1, 0.1, 0), (2, 0.2, 86_400_000), (1, 0.3, 20_000), (1, 0.4, 60_000)];
    /// driver.input::<u64, f64>("positions").pipe_all(positions)?;
    /// assert_eq!(driver.output::<Windowed<u64>, i64>("counts").read_values()?, [2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn event_time_by_key(self) -> Self {
        Self { by_key: true, ..self }
    }

    /// How long a session is needed, in milliseconds of stream time from its end: the gap plus the grace period. A store
    /// keeps sessions that long by default.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::SessionWindows;
    /// let visits = SessionWindows::of_inactivity_gap_and_grace(Duration::from_secs(30), Duration::from_secs(5));
    /// assert_eq!(visits.retention_ms(), 35_000);
    /// ```
    pub fn retention_ms(&self) -> i64 {
        self.gap_ms.saturating_add(self.grace_ms)
    }
}
