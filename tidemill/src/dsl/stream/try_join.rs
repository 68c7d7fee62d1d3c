//! Joins of a stream with a table, or a global table, whose functions may fail.

use super::{
    super::{
        GlobalKTable, Joined, KTable,
        joiners::{fallible, inner, left},
    },
    KStream,
    global_join::LEFT,
};
use crate::record::Data;
use tidemill_state::BoxError;

impl<K: Data, V: Data> KStream<K, V> {
    /// As [`join`](Self::join), with a function that may fail. An error goes to the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler), as with [`try_map`](Self::try_map).
    ///
    /// ```
    /// # use tidemill::{RecordHandler, StreamsConfig, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let rates = builder.table::<u64, i64>("rates", "rates");
    /// let orders = builder.stream::<u64, i64>("orders");
    /// orders.try_join(&rates, |_, cents, rate| cents.checked_mul(rate).ok_or("too large")).to("bills");
    ///
    /// let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// driver.input::<u64, i64>("rates").pipe(1, 3, 0)?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, i64::MAX, 1), (1, 250, 2)])?;
    /// assert_eq!(driver.output::<u64, i64>("bills").read_values()?, [750]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_join<T: Data, V2: Data, E: Into<BoxError> + 'static>(
        &self,
        table: &KTable<K, T>,
        join: impl Fn(&K, V, T) -> Result<V2, E> + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        self.join_table(table, "try-join", None, inner(fallible(join)))
    }

    /// As [`left_join`](Self::left_join), with a function that may fail. An error goes to the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler), as with [`try_map`](Self::try_map).
    ///
    /// ```
    /// # use tidemill::{RecordHandler, StreamsConfig, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let names = builder.table::<u64, String>("users", "names");
    /// let pays = |_: &u64, cents: i64, name: Option<String>| {
    ///     let name = name.ok_or_else(|| format!("nobody pays {cents}"))?;
    ///     Ok::<_, String>(format!("{name} pays {cents}"))
    /// };
    /// builder.stream::<u64, i64>("orders").try_left_join(&names, pays).to("bills");
    ///
    /// let handler = RecordHandler::DeadLetter("unpaid".into());
    /// let config = StreamsConfig { processing_handler: handler, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// driver.input::<u64, String>("users").pipe(1, "Ann".into(), 0)?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 1), (2, 50, 2)])?;
    /// assert_eq!(driver.output::<u64, String>("bills").read_values()?, ["Ann pays 250"]);
    /// assert_eq!(driver.output::<u64, i64>("unpaid").read()?, [(2, 50, 2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_left_join<T: Data, V2: Data, E: Into<BoxError> + 'static>(
        &self,
        table: &KTable<K, T>,
        join: impl Fn(&K, V, Option<T>) -> Result<V2, E> + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        self.join_table(table, "try-left-join", None, left(fallible(join)))
    }

    /// As [`join_with`](Self::join_with), with a function that may fail, as [`try_join`](Self::try_join).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{Joined, Materialized, RecordHandler, StreamsConfig, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let rates = builder.table::<u64, i64>("rates", Materialized::named("rates").versioned(Duration::from_mins(1)));
    /// let joined = Joined::named("bills").grace_period(Duration::from_secs(1));
    /// let orders = builder.stream::<u64, i64>("orders");
    /// orders.try_join_with(&rates, joined, |_, cents, rate| cents.checked_mul(rate).ok_or("too large")).to("bills");
    ///
    /// let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// driver.input::<u64, i64>("rates").pipe(1, 3, 0)?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, i64::MAX, 1), (1, 250, 2), (1, 1, 1_002)])?;
    /// assert_eq!(driver.output::<u64, i64>("bills").read_values()?, [750]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_join_with<T: Data, V2: Data, E: Into<BoxError> + 'static>(
        &self,
        table: &KTable<K, T>,
        joined: impl Into<Joined<K, V>>,
        join: impl Fn(&K, V, T) -> Result<V2, E> + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        self.join_table(table, "try-join", Some(joined.into()), inner(fallible(join)))
    }

    /// As [`left_join_with`](Self::left_join_with), with a function that may fail, as [`try_left_join`](Self::try_left_join).
    ///
    /// ```
    /// # use tidemill::{RecordHandler, StreamsConfig, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let names = builder.table::<u64, String>("users", "names");
    /// let pays = |_: &u64, cents: i64, name: Option<String>| {
    ///     name.map(|name| format!("{name} pays {cents}")).ok_or("nobody pays")
    /// };
    /// builder.stream::<u64, i64>("orders").try_left_join_with(&names, "buyers", pays).to("bills");
    ///
    /// let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// driver.input::<u64, String>("users").pipe(1, "Ann".into(), 0)?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 1), (2, 50, 2)])?;
    /// assert_eq!(driver.output::<u64, String>("bills").read_values()?, ["Ann pays 250"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_left_join_with<T: Data, V2: Data, E: Into<BoxError> + 'static>(
        &self,
        table: &KTable<K, T>,
        joined: impl Into<Joined<K, V>>,
        join: impl Fn(&K, V, Option<T>) -> Result<V2, E> + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        self.join_table(table, "try-left-join", Some(joined.into()), left(fallible(join)))
    }

    /// As [`join_global`](Self::join_global), with a function that may fail. An error goes to the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler), as with [`try_map`](Self::try_map).
    ///
    /// ```
    /// # use tidemill::{RecordHandler, StreamsConfig, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let rates = builder.global_table::<u64, i64>("rates", "rates");
    /// let orders = builder.stream::<u64, i64>("orders");
    /// let times = |_: &u64, cents: i64, rate| cents.checked_mul(rate).ok_or("too large");
    /// orders.try_join_global(&rates, |user, _| Some(*user), times).to("bills");
    ///
    /// let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// driver.input::<u64, i64>("rates").pipe(1, 3, 0)?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, i64::MAX, 1), (1, 250, 2)])?;
    /// assert_eq!(driver.output::<u64, i64>("bills").read_values()?, [750]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_join_global<GK: Data, T: Data, V2: Data, E: Into<BoxError> + 'static>(
        &self,
        table: &GlobalKTable<GK, T>,
        select: impl Fn(&K, &V) -> Option<GK> + Send + Sync + 'static,
        join: impl Fn(&K, V, T) -> Result<V2, E> + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        self.join_global_table(table, "global-join", select, inner(fallible(join)))
    }

    /// As [`left_join_global`](Self::left_join_global), with a function that may fail. See
    /// [`try_join_global`](Self::try_join_global).
    pub fn try_left_join_global<GK: Data, T: Data, V2: Data, E: Into<BoxError> + 'static>(
        &self,
        table: &GlobalKTable<GK, T>,
        select: impl Fn(&K, &V) -> Option<GK> + Send + Sync + 'static,
        join: impl Fn(&K, V, Option<T>) -> Result<V2, E> + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        self.join_global_table(table, LEFT, select, left(fallible(join)))
    }
}
