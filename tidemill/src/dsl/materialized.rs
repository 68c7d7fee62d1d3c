//! How to keep a store.

use std::sync::Arc;

use tidemill_state::{Codec, Coded};

use crate::{
    clock::millis,
    graph::{Lifetime, StoreKind, StoreTypes, TopicConfig},
};

/// The default bound of a cache that merges updates.
const CACHE_MAX_BYTES: usize = 10 << 20;

/// How to keep a store (`Materialized` in Kafka Streams). The name is mandatory: it names the changelog, and state then
/// survives a change of the code.
///
/// A plain `&str` is enough if the types have default codecs. By default the store is on disk, if the application has a
/// [`state_dir`](crate::StreamsConfig::state_dir), and has a changelog. No update waits in a cache, unless
/// [`with_caching`](Self::with_caching) adds one.
///
/// ```
/// # use tidemill::{Materialized, state::{BigEndian, Json}};
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// let totals = Materialized::with("totals", BigEndian, Json::<i64>::default()).in_memory();
/// builder.stream::<u64, i64>("orders").group_by_key().reduce(totals, |sum, cents| sum + cents);
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 0), (1, 50, 1)])?;
/// assert_eq!(driver.key_value_store::<u64, String>("totals", 0)?.expect("it runs").get(&1)?, Some("300".into()));
/// // The changelog holds the rows that the last commits wrote.
/// assert!(!driver.log().read_all("test-totals-changelog")?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Materialized<K, V> {
    pub(crate) name: String,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    pub(crate) persistent: bool,
    pub(crate) logged: bool,
    pub(crate) changelog_config: TopicConfig,
    pub(crate) retention_ms: Option<i64>,
    /// The bound of the cache that merges updates, if there is one.
    pub(crate) cache_max_bytes: Option<usize>,
    pub(crate) live_ms: Option<i64>,
    /// How long versions are kept, if the store keeps versions.
    pub(crate) history_ms: Option<i64>,
    /// The silence after which the rows' time goes on.
    pub(crate) idle_ms: Option<i64>,
}

impl<K, V> Materialized<K, V> {
    /// Names the store and sets its codecs (`Materialized.as` with serdes in Kafka Streams). By default the store is on
    /// disk and has a changelog. See the example of [`Materialized`].
    ///
    /// Stores note the names of their codecs. If a later version of the topology has other codecs, the start returns an
    /// error.
    pub fn with(name: impl Into<String>, key: impl Codec<K>, value: impl Codec<V>) -> Self {
        Self {
            name: name.into(),
            key: Arc::new(key),
            value: Arc::new(value),
            persistent: true,
            logged: true,
            changelog_config: TopicConfig::new(),
            retention_ms: None,
            cache_max_bytes: None,
            live_ms: None,
            history_ms: None,
            idle_ms: None,
        }
    }

    /// Keeps the store in memory (`Materialized.withStoreType` in Kafka Streams). It is rebuilt from its changelog at
    /// every start. See the example of [`Materialized`].
    pub fn in_memory(self) -> Self {
        Self { persistent: false, ..self }
    }

    /// Writes no changelog (`Materialized.withLoggingDisabled` in Kafka Streams): if the machine is lost, the store is
    /// lost. A store in memory is then empty after every start.
    ///
    /// ```
    /// # use tidemill::Materialized;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let counts = Materialized::named("views").in_memory().without_logging();
    /// builder.stream::<u64, String>("page-views").group_by_key().count(counts).to_stream().to("counts");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let views = driver.input::<u64, String>("page-views");
    /// views.pipe_all([(7, "/".into(), 0), (7, "/".into(), 1)])?;
    /// driver.crash();
    /// views.pipe(7, "/".into(), 2)?;
    /// assert_eq!(driver.output::<u64, i64>("counts").read_values()?, [1, 2, 1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn without_logging(self) -> Self {
        Self { logged: false, ..self }
    }

    /// Creates the changelog topic with these settings (`Materialized.withLoggingEnabled` with a map in Kafka Streams). The
    /// names are those of Kafka's topic settings. A changelog that exists already is not altered.
    ///
    /// What decides which records stay cannot be set: `cleanup.policy`, `retention.ms`, `retention.bytes`,
    /// `min.compaction.lag.ms` and `message.timestamp.type` follow from the store.
    /// [`StreamsBuilder::build`](crate::StreamsBuilder::build) returns an error otherwise. The start returns the broker's
    /// error if it does not know a name. The embedded log has no such settings, and ignores them.
    ///
    /// ```
    /// # use tidemill::Materialized;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let counts = Materialized::named("views").with_logging([("min.insync.replicas", "2"), ("segment.ms", "3600000")]);
    /// builder.stream::<u64, String>("page-views").group_by_key().count(counts);
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let topics = driver.plan().internal_topics();
    /// let changelog = topics.iter().find(|topic| topic.is_changelog).expect("the store is logged");
    /// assert_eq!(changelog.config["min.insync.replicas"], "2");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_logging<S: Into<String>, T: Into<String>>(self, config: impl IntoIterator<Item = (S, T)>) -> Self {
        let config = config.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self { logged: true, changelog_config: config.collect(), ..self }
    }

    /// Keeps the store where `other` is kept, and logs it as `other` is logged.
    pub(crate) fn kept_as<K2, V2>(self, other: &Materialized<K2, V2>) -> Self {
        let changelog_config = other.changelog_config.clone();
        Self { persistent: other.persistent, logged: other.logged, changelog_config, ..self }
    }

    /// Deletes a row when its key was not written for so long, at least 1 ms. By default rows stay until something deletes
    /// them. Kafka Streams' stores of keys have no such time.
    ///
    /// Time is the stream time of the task: the highest timestamp of its records. A row's age counts from the row's
    /// timestamp. A record first moves the time, so it sees no row that is older. If many rows expire at once, they are
    /// deleted in parts over several turns, and the record waits.
    ///
    /// So the row of a silent key expires with the records of the other keys in its task. If the whole task is silent,
    /// its rows stay until its next record, however long that takes, unless [`idle_after`](Self::idle_after) lets time go
    /// on. `idle_after` of windows does not move this time. A store of windows or sessions has a
    /// [`retention`](Self::retention) instead, and a versioned store keeps its history: a time to live for them is an
    /// error of the topology.
    ///
    /// The changelog gets a tombstone for each expired row, and the steps behind a table get one, too: a count of a
    /// group, for example, loses what expired in it. The tombstone's timestamp is the time at which the row expired. If
    /// the [`processing_handler`](crate::StreamsConfig::processing_handler) leaves a record out, what expired before it
    /// stays deleted.
    ///
    /// A group of a table that expires before the values in it begins again without them. Later it takes values away that
    /// it no longer has. Give the table a time to live, not the group.
    ///
    /// The order of the keys by time is kept in memory: about 150 bytes and the key for each row. It is read from the
    /// store when a task opens. Aggregates with a time to live are not cached between commits.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::Materialized;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let visits = Materialized::named("visits").time_to_live(Duration::from_mins(30));
    /// builder.stream::<u64, String>("views").group_by_key().count(visits).to_stream().to("counts");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let views = driver.input::<u64, String>("views");
    /// views.pipe_all([(7, "/".into(), 0), (7, "/tea".into(), 60_000), (8, "/".into(), 1_860_000)])?;
    /// let counts = driver.output::<u64, Option<i64>>("counts").read()?;
    /// assert_eq!(counts, [(7, Some(1), 0), (7, Some(2), 60_000), (7, None, 1_860_000), (8, Some(1), 1_860_000)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn time_to_live(self, live: std::time::Duration) -> Self {
        Self { live_ms: Some(millis(live)), ..self }
    }

    /// Lets the rows of a store with a [`time_to_live`](Self::time_to_live) also expire while all inputs of the task are
    /// silent. After the silence `idle`, the time of these rows is the stream time plus the silence.
    /// [`EmitStrategy::idle_after`](crate::EmitStrategy::idle_after) describes how silence counts, also below a
    /// repartition topic. Without this method, only records let rows expire.
    ///
    /// The next record has its own time again, so no row expires because of a silence that is over. A silence counts from
    /// zero after a restart. What expired in it stays deleted.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::Materialized;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let visits = Materialized::named("visits").time_to_live(Duration::from_mins(30)).idle_after(Duration::from_mins(1));
    /// builder.stream::<u64, String>("views").group_by_key().count(visits).to_stream().to("counts");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("views").pipe(7, "/".into(), 0)?;
    /// driver.advance_wall_clock(Duration::from_mins(30))?;
    /// let counts = driver.output::<u64, Option<i64>>("counts").read()?;
    /// assert_eq!(counts, [(7, Some(1), 0), (7, None, 1_800_000)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn idle_after(self, idle: std::time::Duration) -> Self {
        Self { idle_ms: Some(millis(idle)), ..self }
    }

    /// Keeps the versions of each key (`Materialized.as` with `Stores.persistentVersionedKeyValueStore` in Kafka Streams,
    /// KIP-889 and KIP-914). A version is kept for `history_retention` after a later one replaced it; the latest version
    /// of a key is kept for ever. Time is the highest timestamp of the store's records. It is for tables without
    /// windows: those of [`StreamsBuilder::table`](crate::StreamsBuilder::table) and
    /// [`KStream::to_table`](crate::KStream::to_table), aggregates, and [`KTable::materialized`](crate::KTable::materialized).
    ///
    /// - The value of a key is the one with the highest timestamp, not the one that came last.
    /// - A join with a stream finds the value at the time of the stream's record.
    /// - A record that comes out of order becomes a version of its time. It is still an update of the table, so
    ///   [`to_stream`](crate::KTable::to_stream), filters and functions of values pass it on. A join of tables drops it
    ///   and counts it as `out-of-order`, and [`group_by`](crate::KTable::group_by) leaves it out, because they are about
    ///   what keys have now.
    /// - A record that is older than `history_retention` is dropped and counted as `late`.
    /// - A filter of the table emits a tombstone for each value that it leaves out, also if the key had none before.
    /// - `filter`, `map_values` and `transform_values` of the table are versioned, too, unless a store without versions
    ///   keeps their result. A join of tables is not.
    ///
    /// A versioned table cannot have a cache or a time to live, and cannot be suppressed. A global table cannot be
    /// versioned. [`StreamsBuilder::build`](crate::StreamsBuilder::build) returns an error otherwise.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::Materialized;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let kept = Materialized::named("price-of-item").versioned(Duration::from_hours(1));
    /// let prices = builder.table::<String, i64>("prices", kept);
    /// builder.stream::<String, i64>("ordered").join(&prices, |_, number, cents| number * cents).to("costs");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<String, i64>("prices").pipe_all([("tea".into(), 300, 1_000), ("tea".into(), 350, 9_000)])?;
    /// // The tea was ordered before it became dearer.
    /// driver.input::<String, i64>("ordered").pipe_all([("tea".into(), 2, 8_000), ("tea".into(), 2, 9_000)])?;
    /// assert_eq!(driver.output::<String, i64>("costs").read_values()?, [600, 700]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn versioned(self, history_retention: std::time::Duration) -> Self {
        Self { history_ms: Some(millis(history_retention)), ..self }
    }

    /// What the store of a table holds.
    pub(crate) fn table_kind(&self) -> StoreKind {
        match self.history_ms {
            Some(history_retention_ms) => StoreKind::Versioned { history_retention_ms },
            None => StoreKind::KeyValue,
        }
    }

    /// The types of a store of this kind.
    pub(crate) fn types(&self, kind: StoreKind) -> StoreTypes
    where
        K: 'static,
        V: 'static,
    {
        StoreTypes::new(kind.shape(), &self.key, &self.value)
    }

    /// The time to live and its idle time, as the graph takes them.
    pub(crate) fn lifetime(&self) -> Lifetime {
        Lifetime { live_ms: self.live_ms, idle_after_ms: self.idle_ms }
    }

    /// Keeps windows for `retention`, for queries (`Materialized.withRetention` in Kafka Streams). It is stream time,
    /// counted from a window's start. The default is size plus grace. A shorter retention is an error of the topology.
    /// So is a retention of a store without windows or sessions.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{Materialized, TimeWindows};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// let kept = Materialized::named("views").retention(Duration::from_hours(1));
    /// builder.stream::<u64, String>("page-views").group_by_key().windowed_by(minutes).count(kept);
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("page-views").pipe_all([(7, "/".into(), 0), (7, "/".into(), 120_000)])?;
    /// let counts = driver.window_store::<u64, i64>("views", 0)?.expect("it runs");
    /// assert_eq!(counts.fetch(&7, 0, i64::MAX).read_all()?, [(0, 1), (120_000, 1)]); // The first minute closed long ago.
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn retention(self, retention: std::time::Duration) -> Self {
        Self { retention_ms: Some(millis(retention)), ..self }
    }

    /// Merges the table's updates between commits: later steps get only the last update of each key, with the value from
    /// before the first merged one (`Materialized.withCachingEnabled` in Kafka Streams, where it is the default). A key
    /// that came and went between two commits is not emitted. The store itself always has the last value, and a stream
    /// that is joined with the table sees it.
    ///
    /// **Results then depend on when commits happen**
    /// ([`commit_interval`](crate::StreamsConfig::commit_interval)): which updates are merged, and when they are emitted.
    /// A window with an idle time after the table must wait longer than for the next commit. Without this method, each
    /// update is emitted at once.
    ///
    /// In each task, updates of at most 10 MiB wait ([`cache_max_bytes`](Self::cache_max_bytes)). If there are more, the
    /// one that has waited longest is emitted early. They also count for
    /// [`max_uncommitted_bytes`](crate::StreamsConfig::max_uncommitted_bytes). It has no effect on stores that are no
    /// table's.
    ///
    /// ```
    /// # use tidemill::Materialized;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let counts = Materialized::named("views").with_caching();
    /// builder.stream::<u64, String>("page-views").group_by_key().count(counts).to_stream().to("counts");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let views = driver.input::<u64, String>("page-views");
    /// for at in 0..3 {
    ///     views.enqueue(7, "/".into(), at)?;
    /// }
    /// // The driver processes the records together, and commits.
    /// assert_eq!(driver.output::<u64, i64>("counts").read()?, [(7, 3, 2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_caching(self) -> Self {
        self.cache_max_bytes(CACHE_MAX_BYTES)
    }

    /// As [`with_caching`](Self::with_caching), with another bound, in bytes (`statestore.cache.max.bytes` in Kafka
    /// Streams, where all stores of an instance share it).
    ///
    /// ```
    /// # use tidemill::Materialized;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let counts = Materialized::named("views").cache_max_bytes(0);
    /// builder.stream::<u64, String>("page-views").group_by_key().count(counts).to_stream().to("counts");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let views = driver.input::<u64, String>("page-views");
    /// for at in 0..3 {
    ///     views.enqueue(7, "/".into(), at)?;
    /// }
    /// assert_eq!(driver.output::<u64, i64>("counts").read_values()?, [1, 2, 3]); // Nothing fits into the cache.
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cache_max_bytes(self, cache_max_bytes: usize) -> Self {
        Self { cache_max_bytes: Some(cache_max_bytes), ..self }
    }
}

impl<K: Coded, V: Coded> Materialized<K, V> {
    /// Names the store (`Materialized.as` in Kafka Streams). The codecs are the default codecs of the types. See the
    /// example of [`Materialized::retention`].
    pub fn named(name: impl Into<String>) -> Self {
        Self::with(name, K::Codec::default(), V::Codec::default())
    }
}

impl<K: Coded, V: Coded> From<&str> for Materialized<K, V> {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}
