//! The name and the codecs of a foreign-key join.

use std::sync::Arc;

use tidemill_state::{Codec, Coded};

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
pub struct TableJoined<V, T> {
    pub(crate) name: String,
    pub(crate) value: Arc<dyn Codec<V>>,
    pub(crate) other: Arc<dyn Codec<T>>,
}

impl<V, T> TableJoined<V, T> {
    /// Names the join and sets the codecs of the left and the right table's values (`TableJoined.as` in Kafka Streams).
    /// See the example of [`TableJoined`].
    ///
    /// The codec of the left values tells whether a value is still the present one, so equal values must have equal
    /// bytes. The codec of a map without order does not ensure that.
    pub fn with(name: impl Into<String>, value: impl Codec<V>, other: impl Codec<T>) -> Self {
        Self { name: name.into(), value: Arc::new(value), other: Arc::new(other) }
    }
}

impl<V: Coded, T: Coded> From<&str> for TableJoined<V, T> {
    fn from(name: &str) -> Self {
        Self::with(name, V::Codec::default(), T::Codec::default())
    }
}
