//! How to write topics: names, codecs, partitions.

use std::sync::Arc;

use tidemill_state::{Codec, Coded};

use crate::operators::Partitioning;

/// How to write a topic (`Produced` in Kafka Streams). A plain `&str` is enough if the types have default codecs.
///
/// ```
/// # use tidemill::{Produced, state::{BigEndian, Json}};
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// let prices = Produced::with("prices-as-text", BigEndian, Json::<i64>::default());
/// builder.stream::<u64, i64>("prices").to(prices);
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// driver.input::<u64, i64>("prices").pipe(1, 350, 0)?;
/// assert_eq!(driver.output::<u64, String>("prices-as-text").read_values()?, ["350"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Produced<K, V> {
    /// The topics that may be written; none if every topic may be.
    pub(crate) topics: Vec<String>,
    /// Whether every topic may be written.
    pub(crate) is_any: bool,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    pub(crate) partitioning: Partitioning<K, V>,
}

impl<K, V> Produced<K, V> {
    /// Writes a topic with the given codecs (`Produced.with` in Kafka Streams). See the example of [`Produced`].
    pub fn with(topic: impl Into<String>, key: impl Codec<K>, value: impl Codec<V>) -> Self {
        Self::with_topics([topic], key, value)
    }

    /// Declares the topics from which [`KStream::to_by`](crate::KStream::to_by) chooses, with their codecs. An array of
    /// names is enough if the types have default codecs. A list without a topic is an error of the topology. See the
    /// example of [`KStream::to_by`](crate::KStream::to_by).
    pub fn with_topics(
        topics: impl IntoIterator<Item = impl Into<String>>,
        key: impl Codec<K>,
        value: impl Codec<V>,
    ) -> Self {
        let topics = topics.into_iter().map(Into::into).collect();
        let (key, value) = (Arc::new(key), Arc::new(value));
        Self { topics, is_any: false, key, value, partitioning: Partitioning::Key }
    }

    /// Chooses the partition from key, value and the number of partitions (`Produced.withStreamPartitioner` in Kafka
    /// Streams). The default is murmur2 of the key. A result below 0, or not below the number of partitions, is an
    /// error for the [`processing_handler`](crate::StreamsConfig::processing_handler).
    ///
    /// A topic that is partitioned in another way cannot be joined with topics that are partitioned by key.
    ///
    /// ```
    /// # use tidemill::{Produced, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let large_last = |_: &u64, cents: &i64, partitions| if *cents < 1_000 { 0 } else { partitions - 1 };
    /// builder.stream("orders").to(Produced::from("orders-by-size").partitioned_by(large_last));
    ///
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions::default().partitions(4))?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 0), (2, 9_000, 1), (3, 40, 2)])?;
    /// let written = driver.output::<u64, i64>("orders-by-size").read_records()?;
    /// let places: Vec<_> = written.iter().map(|record| (record.partition, record.value)).collect();
    /// assert_eq!(places, [(0, 250), (0, 40), (3, 9_000)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn partitioned_by(self, choose: impl Fn(&K, &V, i32) -> i32 + Send + Sync + 'static) -> Self {
        Self { partitioning: Partitioning::One(Arc::new(choose)), ..self }
    }

    /// Chooses any number of partitions from key, value and the number of partitions (KIP-837, a `StreamPartitioner`
    /// with `partitions` in Kafka Streams). Each chosen partition gets the record once. `None` leaves the choice to the
    /// key. An empty list drops the record: it is counted as `no-partition`.
    ///
    /// A partition that the topic does not have is an error for the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler); then no partition gets the record.
    ///
    /// ```
    /// # use tidemill::{Produced, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let prices = Produced::<u64, i64>::from("prices-everywhere");
    /// builder.stream("prices").to(prices.partitioned_by_many(|_, cents, partitions| match *cents {
    ///     0 => Some(vec![]),
    ///     _ => Some((0..partitions).collect()),
    /// }));
    ///
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions::default().partitions(3))?;
    /// driver.input::<u64, i64>("prices").pipe_all([(1, 250, 0), (2, 0, 1)])?;
    /// assert_eq!(driver.log().end_offsets("prices-everywhere")?, [1, 1, 1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn partitioned_by_many(self, choose: impl Fn(&K, &V, i32) -> Option<Vec<i32>> + Send + Sync + 'static) -> Self {
        Self { partitioning: Partitioning::Many(Arc::new(choose)), ..self }
    }

    /// Lets [`KStream::to_by`](crate::KStream::to_by) write every existing topic, with the given codecs. See [`any_topic`](Self::any_topic).
    pub fn any_topic_with(key: impl Codec<K>, value: impl Codec<V>) -> Self {
        Self { is_any: true, ..Self::with_topics(std::iter::empty::<String>(), key, value) }
    }
}

impl<K: Coded, V: Coded> Produced<K, V> {
    /// Lets [`KStream::to_by`](crate::KStream::to_by) write every existing topic, except
    /// the application's internal topics and topics of the log itself (their names begin with `__`). Topics that are
    /// created later are known within [`metadata_max_age`](crate::StreamsConfig::metadata_max_age). Declare the topics
    /// where you can: a missing topic is then found at the start.
    ///
    /// ```
    /// # use tidemill::{Produced, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let orders = builder.stream::<String, i64>("orders");
    /// orders.to_by(Produced::any_topic(), |order| format!("orders-{}", order.key));
    ///
    /// let options = DriverOptions { partitions: [("orders-berlin".into(), 1)].into(), ..DriverOptions::default() };
    /// let driver = TopologyTestDriver::with(&builder.build()?, options)?;
    /// let orders = driver.input::<String, i64>("orders");
    /// orders.pipe("berlin".into(), 250, 0)?;
    /// assert_eq!(driver.output::<String, i64>("orders-berlin").read_values()?, [250]);
    /// let error = orders.pipe("atlantis".into(), 250, 1).unwrap_err();
    /// assert!(error.chain().contains("the record chose topic 'orders-atlantis', which does not exist"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn any_topic() -> Self {
        Self::any_topic_with(K::Codec::default(), V::Codec::default())
    }
}

impl<K: Coded, V: Coded> From<&str> for Produced<K, V> {
    fn from(topic: &str) -> Self {
        Self::with(topic, K::Codec::default(), V::Codec::default())
    }
}

impl<K: Coded, V: Coded, const N: usize> From<[&str; N]> for Produced<K, V> {
    fn from(topics: [&str; N]) -> Self {
        Self::with_topics(topics, K::Codec::default(), V::Codec::default())
    }
}
