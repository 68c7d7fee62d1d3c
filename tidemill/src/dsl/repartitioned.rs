//! How to write and read a repartition topic.

use std::sync::Arc;

use tidemill_state::{Codec, Coded};

use crate::operators::Partitioner;

/// How to write a stream to a repartition topic and read it back (`Repartitioned` in Kafka Streams). The name is
/// mandatory. A plain `&str` is enough if the types have default codecs.
///
/// ```
/// # use tidemill::{Repartitioned, state::{Json, Utf8}};
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// let by_item = Repartitioned::with("by-item", Utf8, Json::<u32>::default()).partitions(8);
/// let orders = builder.stream::<u64, u32>("orders");
/// orders.map(|item, number| (item.to_string(), number)).repartition(by_item).group_by_key().count("orders-of-item");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// assert_eq!(driver.plan().partitions("test-by-item-repartition"), Some(8));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Repartitioned<K, V> {
    pub(crate) name: String,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    pub(crate) partitions: Option<i32>,
    pub(crate) partitioner: Option<RepartitionBy<K, V>>,
}

/// A partitioner of a repartition topic.
pub(crate) enum RepartitionBy<K, V> {
    /// All records of a key are in one partition.
    Key(KeyPartitioner<K>),
    /// Records of one key may be in several partitions.
    Record(Partitioner<K, V>),
}

/// Chooses a partition from the key and the number of partitions.
pub(crate) type KeyPartitioner<K> = Arc<dyn Fn(&K, i32) -> i32 + Send + Sync>;

impl<K, V> Repartitioned<K, V> {
    /// Names the topic and sets its codecs (`Repartitioned.with` and `withName` in Kafka Streams). The topic's full
    /// name is `<application id>-<name>-repartition`. See the example of [`Repartitioned`].
    pub fn with(name: impl Into<String>, key: impl Codec<K>, value: impl Codec<V>) -> Self {
        Self { name: name.into(), key: Arc::new(key), value: Arc::new(value), partitions: None, partitioner: None }
    }

    /// Sets the number of partitions (`Repartitioned.withNumberOfPartitions` in Kafka Streams), at least 1. The default
    /// is the number of partitions of the topics that feed it. See the example of [`Repartitioned`].
    ///
    /// The number of partitions is also the number of tasks after the topic. It cannot change while the topic exists:
    /// the start returns an error if the existing topic has another number.
    pub fn partitions(self, partitions: i32) -> Self {
        Self { partitions: Some(partitions), ..self }
    }

    /// Chooses the partition from the key and the number of partitions (`Repartitioned.streamPartitioner` in Kafka
    /// Streams). The default is murmur2 of the key's bytes. Because the value has no part in it, the records of a key
    /// stay together, so steps that rely on the key may follow.
    ///
    /// A result below 0, or not below the number of partitions, is an error for the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler). Streams that share state (the inputs of a join,
    /// a stream and what is erased by it) must be partitioned in the same way:
    /// [`StreamsBuilder::build`](crate::StreamsBuilder::build) returns an error if only some of them have a partitioner
    /// of their own. Give all of them the same one. Kafka Streams does not check it.
    ///
    /// [`Streams::query_metadata_for_key`](crate::Streams::query_metadata_for_key) does not know the partitioner.
    ///
    /// ```
    /// # use tidemill::{Repartitioned, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// // Tenant 7 is so large that it has the last partition alone.
    /// let by_tenant = Repartitioned::<u64, String>::from("by-tenant");
    /// let by_tenant = by_tenant.partitioned_by_key(|tenant, partitions| match *tenant {
    ///     7 => partitions - 1,
    ///     other => (other % (partitions - 1) as u64) as i32,
    /// });
    /// builder.stream("orders").repartition(by_tenant).group_by_key().count("orders-of-tenant").to_stream().to("counts");
    ///
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions::default().partitions(4))?;
    /// driver.input::<u64, String>("orders").pipe_all([(7, "tea".into(), 0), (7, "jam".into(), 1)])?;
    /// let last = driver.key_value_store::<u64, i64>("orders-of-tenant", 3)?.expect("it runs");
    /// assert_eq!(last.get(&7)?, Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn partitioned_by_key(self, choose: impl Fn(&K, i32) -> i32 + Send + Sync + 'static) -> Self {
        Self { partitioner: Some(RepartitionBy::Key(Arc::new(choose))), ..self }
    }

    /// Chooses the partition from key, value and the number of partitions, as
    /// [`partitioned_by_key`](Self::partitioned_by_key).
    ///
    /// The value may send the records of one key to several partitions. A step that relies on the key is therefore an
    /// error after it. If the partitioner keeps the records of a key together, say so with
    /// [`KStream::mark_as_partitioned`](crate::KStream::mark_as_partitioned).
    ///
    /// ```
    /// # use tidemill::{Repartitioned, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// // Large orders have a task of their own.
    /// let by_size = Repartitioned::<u64, i64>::from("by-size").partitions(2);
    /// let by_size = by_size.partitioned_by(|_, cents, _| i32::from(*cents >= 1_000));
    /// let orders = builder.stream("orders").repartition(by_size);
    /// orders.to("checked");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 0), (1, 9_000, 1)])?;
    /// assert_eq!(driver.log().end_offsets("test-by-size-repartition")?, [1, 1]);
    ///
    /// orders.group_by_key().count("orders-of-user");
    /// assert!(builder.build().unwrap_err().problems()[0].contains("mark_as_partitioned"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn partitioned_by(self, choose: impl Fn(&K, &V, i32) -> i32 + Send + Sync + 'static) -> Self {
        Self { partitioner: Some(RepartitionBy::Record(Arc::new(choose))), ..self }
    }
}

impl<K: Coded, V: Coded> From<&str> for Repartitioned<K, V> {
    fn from(name: &str) -> Self {
        Self::with(name, K::Codec::default(), V::Codec::default())
    }
}
