//! How to read a topic: codecs, event times, and where to begin.

use std::sync::Arc;

use tidemill_state::{Codec, Coded};

use super::builder::SharedGraph;
use crate::{
    times::{TimeBand, TimeSource, TimeUnit, Times},
    transport::AutoOffsetReset,
};

/// How to read a topic (`Consumed` in Kafka Streams). A plain `&str` is enough if the types have default codecs.
///
/// ```
/// # use tidemill::{Consumed, state::{BigEndian, Json}};
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// let orders = Consumed::with("orders", BigEndian, Json::<Vec<String>>::default());
/// builder.stream::<u64, Vec<String>>(orders).map_values(|items| items.len() as i64).to("sizes");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// driver.input::<u64, String>("orders").pipe(1, r#"["tea", "jam"]"#.into(), 0)?;
/// assert_eq!(driver.output::<u64, i64>("sizes").read_values()?, [2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Consumed<K, V> {
    /// The topics; for a pattern, its only element.
    pub(crate) topics: Vec<String>,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    extract: Option<Extract<K, V>>,
    pub(crate) unit: TimeUnit,
    pub(crate) band: Option<TimeBand>,
    pub(crate) reset: Option<AutoOffsetReset>,
}

/// Returns a record's event time in the unit of the source.
type Extract<K, V> = Arc<dyn Fn(&TimeSource<'_, K, V>) -> i64 + Send + Sync>;

impl<K, V> Consumed<K, V> {
    /// Reads a topic with the given codecs (`Consumed.with` in Kafka Streams). See the example of [`Consumed`].
    pub fn with(topic: impl Into<String>, key: impl Codec<K>, value: impl Codec<V>) -> Self {
        Self::with_topics([topic], key, value)
    }

    /// Reads several topics as one stream, with the given codecs. An array of names is enough if the types have default
    /// codecs. See the example of [`StreamsBuilder::stream`](crate::StreamsBuilder::stream).
    pub fn with_topics(
        topics: impl IntoIterator<Item = impl Into<String>>,
        key: impl Codec<K>,
        value: impl Codec<V>,
    ) -> Self {
        Self::of(topics.into_iter().map(Into::into).collect(), Arc::new(key), Arc::new(value))
    }

    pub(crate) fn of(topics: Vec<String>, key: Arc<dyn Codec<K>>, value: Arc<dyn Codec<V>>) -> Self {
        Self { topics, key, value, extract: None, unit: TimeUnit::default(), band: None, reset: None }
    }

    /// Sets where to begin in a partition for which the application has no committed offset
    /// (`Consumed.withOffsetResetPolicy` in Kafka Streams, KIP-1106). By default it begins with the first record, unless
    /// `auto.offset.reset` of the Kafka settings says otherwise. Sources of one topic must agree.
    ///
    /// The chosen place is committed with the first commit, so a restart goes on from there. Records that were deleted
    /// before they were read are skipped, whatever is set here.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{Streams, StreamsConfig, transport::embedded::{EmbeddedLog, Entry}};
    /// # use tidemill::{Consumed, StreamsBuilder};
    /// use tidemill::{AutoOffsetReset, Clock as _, SystemClock};
    /// # let (log, builder) = (EmbeddedLog::in_memory(), StreamsBuilder::new());
    /// # (log.create("clicks", 1)?, log.create("copy", 1)?);
    ///
    /// let now = SystemClock.now_ms();
    /// let clicks = [("old", now - 7_200_000), ("new", now - 60_000)];
    /// log.append("clicks", 0, clicks.map(|(text, at)| Entry::new("ann", text, at)))?;
    ///
    /// let last_hour = AutoOffsetReset::ByDuration(Duration::from_hours(1));
    /// builder.stream(Consumed::<String, String>::from("clicks").with_offset_reset(last_hour)).to("copy");
    /// let streams = Streams::start(&builder.build()?, StreamsConfig::new("copies"), log.clone())?;
    /// # while log.end_offsets("copy")? != [1] {
    /// #     std::thread::yield_now();
    /// # }
    /// # streams.close()?;
    /// assert_eq!(log.read_all("copy")?[0].1.value.as_deref(), Some(&b"new"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_offset_reset(self, reset: AutoOffsetReset) -> Self {
        Self { reset: Some(reset), ..self }
    }

    /// Takes event time, in milliseconds since the epoch, from key and value instead of the record's timestamp. As
    /// [`with_timestamp_extractor`](Self::with_timestamp_extractor), for extractors that need no more.
    ///
    /// If the time is negative or more than half of the largest 64-bit integer, the record is dropped and counted as
    /// `invalid-timestamp`, as in Kafka Streams. If the
    /// [`deserialization_handler`](crate::StreamsConfig::deserialization_handler) is a dead-letter topic, the record
    /// also goes there.
    ///
    /// ```
    /// # use tidemill::Consumed;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// /// A value is the time at which a sensor was read.
    /// let readings = Consumed::<u64, i64>::from("readings").timestamp_from(|_, read_at| *read_at);
    /// builder.stream(readings).to("copy");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// // The records reached the log at times 5 and 6.
    /// driver.input::<u64, i64>("readings").pipe_all([(7, 2_000, 5), (7, -1, 6)])?;
    /// assert_eq!(driver.output::<u64, i64>("copy").read()?, [(7, 2_000, 2_000)]);
    /// assert_eq!(driver.status()?.tasks[0].records_dropped, [("readings".to_owned(), "invalid-timestamp", 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn timestamp_from(self, extract: impl Fn(&K, &V) -> i64 + Send + Sync + 'static) -> Self {
        self.with_timestamp_extractor(move |record| extract(record.key, record.value))
    }

    /// Takes event time from the whole record: key, value, headers, its timestamp on the log, and the time of its
    /// partition so far (`Consumed.withTimestampExtractor` in Kafka Streams). The time is in milliseconds since the
    /// epoch, unless [`time_unit`](Self::time_unit) says otherwise. Invalid times are treated as with
    /// [`timestamp_from`](Self::timestamp_from).
    ///
    /// The extractor must depend on its argument alone, and not on a clock: a record may be processed again.
    ///
    /// ```
    /// # use tidemill::Consumed;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// // A reading without a time counts as made at the time that the partition has reached.
    /// let readings = Consumed::<u64, i64>::from("readings");
    /// let readings = readings.with_timestamp_extractor(|record| match *record.value {
    ///     0 => record.partition_time.unwrap_or(record.timestamp),
    ///     read_at => read_at,
    /// });
    /// builder.stream(readings).to("copy");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("readings").pipe_all([(7, 0, 5), (7, 2_000, 6), (7, 0, 7)])?;
    /// assert_eq!(driver.output::<u64, i64>("copy").read()?, [(7, 0, 5), (7, 2_000, 2_000), (7, 0, 2_000)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_timestamp_extractor(
        self,
        extract: impl Fn(&TimeSource<'_, K, V>) -> i64 + Send + Sync + 'static,
    ) -> Self {
        Self { extract: Some(Arc::new(extract)), ..self }
    }

    /// Sets the unit of the times that the extractor returns. Without an extractor, it is the unit of the records'
    /// timestamps. Default: milliseconds. Kafka Streams always takes milliseconds.
    ///
    /// Inside the topology all times are milliseconds; parts of a millisecond are cut off.
    ///
    /// ```
    /// # use tidemill::{Consumed, TimeUnit};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let readings = Consumed::<u64, i64>::from("readings").timestamp_from(|_, read_at| *read_at);
    /// builder.stream(readings.time_unit(TimeUnit::Seconds)).to("copy");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("readings").pipe(7, 1_700_000_000, 0)?;
    /// assert_eq!(driver.output::<u64, i64>("copy").read()?, [(7, 1_700_000_000, 1_700_000_000_000)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn time_unit(self, unit: TimeUnit) -> Self {
        Self { unit, ..self }
    }

    /// Sets which event times are plausible: a [`TimeBand`], or a range of milliseconds since the epoch. By default all
    /// times from the epoch on are.
    ///
    /// A record with another time goes where the
    /// [`deserialization_handler`](crate::StreamsConfig::deserialization_handler) says: the task fails, or the record
    /// is left out and counted as `implausible-timestamp`, or it also goes to a dead-letter topic. It moves neither the
    /// partition's time nor stream time.
    ///
    /// ```
    /// # use tidemill::{Consumed, RecordHandler, StreamsConfig, TimeBand, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream(Consumed::<u64, String>::from("clicks").plausible_times(TimeBand::recent_years())).to("copy");
    ///
    /// let config = StreamsConfig { deserialization_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// let clicks = driver.input::<u64, String>("clicks");
    /// // The second time is in microseconds.
    /// clicks.pipe_all([(1, "a".into(), 1_700_000_000_000), (1, "b".into(), 1_700_000_000_000_000)])?;
    /// assert_eq!(driver.output::<u64, String>("copy").read_values()?, ["a"]);
    /// let task = &driver.status()?.tasks[0];
    /// assert_eq!(task.records_dropped, [("clicks".to_owned(), "implausible-timestamp", 1)]);
    /// assert_eq!(task.stream_time_ms, 1_700_000_000_000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn plausible_times(self, band: impl Into<TimeBand>) -> Self {
        Self { band: Some(band.into()), ..self }
    }

    /// Adds the problems of these options to the graph.
    pub(super) fn check(&self, graph: &SharedGraph) {
        if self.band.is_some_and(|band| band.is_empty()) {
            let topics = self.topics.join("', '");
            let problem = format!("the plausible times of topic '{topics}' have no time in them");
            graph.borrow_mut().graph.problems.push(problem);
        }
    }

    /// The topic of a table. Several topics are a problem.
    pub(super) fn only_topic(&self, graph: &SharedGraph) -> String {
        if let [topic] = &*self.topics {
            return topic.clone();
        }
        let problem = "a table reads one topic: name exactly one".to_owned();
        graph.borrow_mut().graph.problems.push(problem);
        self.topics.first().cloned().unwrap_or_else(|| "none".to_owned())
    }
}

impl<K: 'static, V: 'static> Consumed<K, V> {
    /// The event times of the source, in milliseconds.
    pub(crate) fn times(&self) -> Times<K, V> {
        let (unit, band) = (self.unit, self.band);
        // With an extractor, the unit is that of its times.
        let times = |log_unit, extract| Times { log_unit, extract, band };
        match self.extract.clone() {
            Some(extract) if unit == TimeUnit::Milliseconds => times(unit, Some(extract)),
            Some(extract) => times(TimeUnit::default(), Some(Arc::new(move |record| unit.to_ms(extract(record))))),
            None => times(unit, None),
        }
    }
}

impl<K: Coded, V: Coded> From<&str> for Consumed<K, V> {
    fn from(topic: &str) -> Self {
        Self::with(topic, K::Codec::default(), V::Codec::default())
    }
}

impl<K: Coded, V: Coded, const N: usize> From<[&str; N]> for Consumed<K, V> {
    fn from(topics: [&str; N]) -> Self {
        Self::with_topics(topics, K::Codec::default(), V::Codec::default())
    }
}

impl<K: Coded, V: Coded> From<Vec<String>> for Consumed<K, V> {
    fn from(topics: Vec<String>) -> Self {
        Self::with_topics(topics, K::Codec::default(), V::Codec::default())
    }
}
