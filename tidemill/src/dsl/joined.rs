//! How a join of a stream with a table is done.

use std::{sync::Arc, time::Duration};

use tidemill_state::{Codec, Coded};

use super::{Materialized, builder::SharedCodec};
use crate::{
    clock::millis,
    value_headers::{HeadersCodec, ValueHeaders},
};

/// How to join a stream with a table (`Joined` in Kafka Streams). The name is mandatory: it names the step and, with a
/// [`grace_period`](Self::grace_period), the store `<name>-buffer` of the records that wait.
///
/// A plain `&str` is enough if the types of the stream have default codecs.
///
/// ```
/// # use tidemill::Joined;
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// let names = builder.table::<u64, String>("users", "names");
/// let orders = builder.stream::<u64, i64>("orders");
/// orders.join_with(&names, "name-of-buyer", |_, cents, name| format!("{name} pays {cents}")).to("bills");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// driver.input::<u64, String>("users").pipe(1, "Ann".into(), 0)?;
/// driver.input::<u64, i64>("orders").pipe(1, 250, 1)?;
/// assert_eq!(driver.output::<u64, String>("bills").read_values()?, ["Ann pays 250"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Joined<K, V> {
    pub(super) name: String,
    pub(super) key: Arc<dyn Codec<K>>,
    value: Arc<dyn Codec<V>>,
    persistent: bool,
    logged: bool,
    pub(super) grace_ms: Option<i64>,
    pub(super) idle_ms: Option<i64>,
}

impl<K, V> Joined<K, V> {
    /// Names the join and sets the codecs of the stream (`Joined.with` in Kafka Streams). They are used for records that
    /// wait.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{Joined, Materialized, StreamsBuilder, state::{BigEndian, Json}};
    /// # let builder = StreamsBuilder::new();
    /// # let rates = builder.table::<u64, i64>("rates", Materialized::named("rates").versioned(Duration::from_mins(1)));
    /// # let orders = builder.stream::<u64, i64>("orders");
    /// let joined = Joined::with("in-euros", BigEndian, Json::<i64>::default()).grace_period(Duration::from_secs(10));
    /// orders.join_with(&rates, joined, |_, cents, rate| cents * rate).to("bills");
    /// assert!(builder.build()?.stores().any(|store| &*store.name == "in-euros-buffer"));
    /// # Ok::<(), tidemill::TopologyError>(())
    /// ```
    pub fn with(name: impl Into<String>, key: impl Codec<K>, value: impl Codec<V>) -> Self {
        let (key, value) = (Arc::new(key), Arc::new(value));
        Self { name: name.into(), key, value, persistent: true, logged: true, grace_ms: None, idle_ms: None }
    }

    /// Lets each record of the stream wait for late updates of the table (`Joined.withGracePeriod` in Kafka Streams,
    /// KIP-923). A record is joined when the highest timestamp of the stream is `grace` later than its own. Records are
    /// joined in the order of their timestamps, and see the table as it was at their timestamps. A record that comes when
    /// that time has passed is joined at once.
    ///
    /// The table must be [versioned](Materialized::versioned), and keep its history for at least `grace`;
    /// [`StreamsBuilder::build`](crate::StreamsBuilder::build) returns an error otherwise.
    ///
    /// The records that wait are in a store with a changelog, so they survive a crash. Time is kept with them. A record
    /// without a key is not held back. A record without a value is dropped and counted as `null-value`. If the function of
    /// a fallible join refuses a record that has waited, the record is left out and counted, without a dead letter.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{Joined, Materialized};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let kept = Materialized::named("price-of-item").versioned(Duration::from_mins(10));
    /// let prices = builder.table::<String, i64>("prices", kept);
    /// let joined = Joined::named("costs").grace_period(Duration::from_secs(5));
    /// let ordered = builder.stream::<String, i64>("ordered");
    /// ordered.join_with(&prices, joined, |_, number, cents| number * cents).to("costs");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let (prices, ordered) = (driver.input::<String, i64>("prices"), driver.input::<String, i64>("ordered"));
    /// prices.pipe("tea".into(), 300, 0)?;
    /// ordered.pipe("tea".into(), 2, 2_000)?;
    /// prices.pipe("tea".into(), 350, 1_000)?; // It comes after the order that it concerns.
    /// assert!(driver.output::<String, i64>("costs").read()?.is_empty());
    /// ordered.pipe("jam".into(), 1, 7_000)?;
    /// assert_eq!(driver.output::<String, i64>("costs").read()?, [("tea".to_owned(), 700, 2_000)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn grace_period(self, grace: Duration) -> Self {
        Self { grace_ms: Some(millis(grace)), ..self }
    }

    /// Keeps time moving while the stream is silent: the last records that wait are then joined without a further record.
    /// [`EmitStrategy::idle_after`](crate::EmitStrategy::idle_after) describes how idle time counts. Kafka Streams has no
    /// such setting. It has no effect without a [`grace_period`](Self::grace_period).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{Joined, Materialized};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// # let kept = Materialized::named("price-of-item").versioned(Duration::from_mins(10));
    /// # let prices = builder.table::<String, i64>("prices", kept);
    /// let joined = Joined::named("costs").grace_period(Duration::from_secs(5)).idle_after(Duration::from_secs(30));
    /// let ordered = builder.stream::<String, i64>("ordered");
    /// ordered.left_join_with(&prices, joined, |_, number, cents| cents.map_or(-1, |cents| number * cents)).to("costs");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<String, i64>("ordered").pipe("tea".into(), 2, 2_000)?;
    /// driver.advance_wall_clock(Duration::from_secs(30))?;
    /// assert_eq!(driver.output::<String, i64>("costs").read_values()?, [-1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn idle_after(self, idle: Duration) -> Self {
        Self { idle_ms: Some(millis(idle)), ..self }
    }

    /// Keeps the records that wait in memory. They are read from the changelog at every start. Kafka Streams has no such
    /// setting.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{Joined, Materialized, StreamsBuilder};
    /// # let builder = StreamsBuilder::new();
    /// # let kept = Materialized::named("rates").in_memory().versioned(Duration::from_mins(1));
    /// # let rates = builder.table::<u64, i64>("rates", kept);
    /// let joined = Joined::named("in-euros").grace_period(Duration::from_secs(10)).in_memory();
    /// builder.stream::<u64, i64>("orders").join_with(&rates, joined, |_, cents, rate| cents * rate).to("bills");
    /// assert!(builder.build()?.stores().all(|store| !store.persistent && store.logged));
    /// # Ok::<(), tidemill::TopologyError>(())
    /// ```
    pub fn in_memory(self) -> Self {
        Self { persistent: false, ..self }
    }

    /// Writes no changelog: if the machine is lost, the records that wait are lost. Kafka Streams has no such setting.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{Joined, Materialized, StreamsBuilder};
    /// # let builder = StreamsBuilder::new();
    /// # let kept = Materialized::named("rates").without_logging().versioned(Duration::from_mins(1));
    /// # let rates = builder.table::<u64, i64>("rates", kept);
    /// let joined = Joined::named("in-euros").grace_period(Duration::from_secs(10)).without_logging();
    /// builder.stream::<u64, i64>("orders").join_with(&rates, joined, |_, cents, rate| cents * rate).to("bills");
    /// assert!(builder.build()?.stores().all(|store| !store.logged));
    /// # Ok::<(), tidemill::TopologyError>(())
    /// ```
    pub fn without_logging(self) -> Self {
        Self { logged: false, ..self }
    }
}

impl<K: 'static, V: 'static> Joined<K, V> {
    /// The store of the records that wait, with their headers.
    pub(super) fn buffer(&self) -> Materialized<K, ValueHeaders<V>> {
        let (key, value) = (SharedCodec(self.key.clone()), HeadersCodec(SharedCodec(self.value.clone())));
        let store = Materialized::with(format!("{}-buffer", self.name), key, value);
        let store = if self.persistent { store } else { store.in_memory() };
        if self.logged { store } else { store.without_logging() }
    }
}

impl<K: Coded, V: Coded> Joined<K, V> {
    /// Names the join (`Joined.as` in Kafka Streams). The codecs are the default codecs of the types. See the example of
    /// [`grace_period`](Self::grace_period).
    pub fn named(name: impl Into<String>) -> Self {
        Self::with(name, K::Codec::default(), V::Codec::default())
    }
}

impl<K: Coded, V: Coded> From<&str> for Joined<K, V> {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}
