//! The name, the codecs and the partitioner of a foreign-key join.

use std::sync::Arc;

use tidemill_state::{Codec, Coded};

/// Chooses the partition of a foreign key.
pub(crate) type OtherPartitioner<FK> = Arc<dyn Fn(&FK, i32) -> i32 + Send + Sync>;

/// How to join two tables by a foreign key (`TableJoined` in Kafka Streams). The name is mandatory: it names the
/// internal topics and the store. A plain `&str` is enough if the values of both tables have default codecs.
///
/// ```
/// # use tidemill::{TableJoined, state::{Json, Utf8}};
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// let (orders, users) = (builder.table::<u64, String>("orders", "o"), builder.table::<String, i64>("users", "u"));
/// let joined = TableJoined::with("age-of-buyer", Utf8, Json::<i64>::default());
/// orders.join_foreign_key(&users, joined, |_, user| user.clone(), |_, _, age| age).to_stream().to("ages");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// assert_eq!(driver.plan().partitions("test-age-of-buyer-subscription-registration-repartition"), Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TableJoined<V, T, FK> {
    pub(crate) name: String,
    pub(crate) value: Arc<dyn Codec<V>>,
    pub(crate) other: Arc<dyn Codec<T>>,
    pub(crate) other_partitioner: Option<OtherPartitioner<FK>>,
}

impl<V, T, FK> TableJoined<V, T, FK> {
    /// Names the join and sets the codecs of the left and the right table's values (`TableJoined.as` in Kafka Streams).
    /// See the example of [`TableJoined`].
    ///
    /// The codec of the left values tells whether a value is still the present one, so equal values must have equal
    /// bytes. The codec of a map without order does not ensure that.
    pub fn with(name: impl Into<String>, value: impl Codec<V>, other: impl Codec<T>) -> Self {
        Self { name: name.into(), value: Arc::new(value), other: Arc::new(other), other_partitioner: None }
    }

    /// Tells how the right table is partitioned, if not by murmur2 of its keys' bytes
    /// (`TableJoined.withOtherPartitioner` in Kafka Streams, KIP-775). `choose` gets a foreign key and the number of
    /// partitions of the right table, and returns a partition from 0 on. It must be the function that chose the partitions
    /// of the right table: subscriptions go where it says.
    ///
    /// If a repartition topic feeds the right table, both need the same partitioner; the build of the topology checks that
    /// both have one. How the producers of a topic of yours choose partitions cannot be checked. The left table needs no
    /// partitioner, however it is partitioned: an answer goes back to the partition that asked.
    ///
    /// ```
    /// # use tidemill::{Repartitioned, TableJoined, state::{BigEndian, Utf8}, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let place = |user: &u64, partitions: i32| (*user % partitions as u64) as i32;
    /// let by_user = Repartitioned::<u64, String>::from("by-user").partitioned_by_key(place);
    /// let names = builder.stream("users").repartition(by_user).to_table("names");
    /// let orders = builder.table::<String, u64>("orders", "user-of-order");
    /// let joined = TableJoined::with("name-of-order", BigEndian, Utf8).with_other_partitioner(place);
    /// orders.join_foreign_key(&names, joined, |_, user| *user, |_, _, name| name).to_stream().to("labels");
    ///
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions::default().partitions(4))?;
    /// driver.input::<u64, String>("users").pipe_all([(6, "Ann".into(), 0), (9, "Bo".into(), 1)])?;
    /// driver.input::<String, u64>("orders").pipe_all([("tea".into(), 9, 2), ("jam".into(), 6, 3)])?;
    /// let mut labels = driver.output::<String, String>("labels").read()?;
    /// labels.sort();
    /// assert_eq!(labels, [("jam".into(), "Ann".into(), 3), ("tea".into(), "Bo".into(), 2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_other_partitioner(self, choose: impl Fn(&FK, i32) -> i32 + Send + Sync + 'static) -> Self {
        Self { other_partitioner: Some(Arc::new(choose)), ..self }
    }
}

impl<V: Coded, T: Coded, FK> From<&str> for TableJoined<V, T, FK> {
    fn from(name: &str) -> Self {
        Self::with(name, V::Codec::default(), T::Codec::default())
    }
}
