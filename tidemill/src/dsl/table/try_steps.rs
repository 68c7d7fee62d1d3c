//! Steps of one table whose functions may fail.

use tidemill_state::BoxError;

use super::{
    super::{KGroupedTable, Materialized, Repartitioned, try_fold::try_add},
    KTable,
};
use crate::{operators::Failure, record::Data};

impl<K: Data, V: Data> KTable<K, V> {
    /// As [`filter`](Self::filter), with a predicate that may fail. An error goes to the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler), as with [`KStream::try_map`](crate::KStream::try_map). If the
    /// handler lets it pass, the update is left out, also of the stores above this step: the key keeps the value that it
    /// had.
    ///
    /// A table without a store makes its values again from the table above, for each join and for each value that is
    /// taken away. So the predicate must decide by its arguments alone.
    ///
    /// ```
    /// # use tidemill::{RecordHandler, StreamsConfig, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let parsed = |_: &u64, age: &String| age.parse::<u32>().map(|age| age >= 18);
    /// builder.table::<u64, String>("ages", "ages").try_filter(parsed).to_stream().to("adults");
    ///
    /// let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// let ages = driver.input::<u64, String>("ages");
    /// ages.pipe_all([(1, "20".into(), 0), (1, "x".into(), 1), (2, "9".into(), 2)])?;
    /// assert_eq!(driver.output::<u64, String>("adults").read_values()?, ["20"]);
    /// let ages = driver.key_value_store::<u64, String>("ages", 0)?.expect("it runs");
    /// assert_eq!(ages.get(&1)?, Some("20".into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_filter<E: Into<BoxError> + 'static>(
        &self,
        predicate: impl Fn(&K, &V) -> Result<bool, E> + Send + Sync + 'static,
    ) -> KTable<K, V> {
        self.derived("table-try-filter", true, move |key, value| {
            let passes = predicate(key, &value).map_err(Failure::of_user)?;
            Ok::<_, Box<Failure>>(passes.then_some(value))
        })
    }

    /// As [`filter_not`](Self::filter_not), with a predicate that may fail. See [`try_filter`](Self::try_filter).
    pub fn try_filter_not<E: Into<BoxError> + 'static>(
        &self,
        predicate: impl Fn(&K, &V) -> Result<bool, E> + Send + Sync + 'static,
    ) -> KTable<K, V> {
        self.try_filter(move |key, value| predicate(key, value).map(|passes| !passes))
    }

    /// As [`map_values`](Self::map_values), with a function that may fail. What [`try_filter`](Self::try_filter) says of
    /// errors holds here, too.
    ///
    /// ```
    /// # use tidemill::{RecordHandler, StreamsConfig, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let ages = builder.table::<u64, String>("ages", "ages").try_map_values(|age| age.parse::<i64>());
    /// ages.to_stream().to("numbers");
    ///
    /// let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// let ages = driver.input::<u64, Option<String>>("ages");
    /// ages.pipe_all([(1, Some("20".into()), 0), (1, Some("x".into()), 1), (1, None, 2)])?;
    /// assert_eq!(driver.output::<u64, Option<i64>>("numbers").read_values()?, [Some(20), None]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_map_values<V2: Data, E: Into<BoxError> + 'static>(
        &self,
        map: impl Fn(V) -> Result<V2, E> + Send + Sync + 'static,
    ) -> KTable<K, V2> {
        self.try_map_values_with_key(move |_, value| map(value))
    }

    /// As [`try_map_values`](Self::try_map_values), with the key.
    pub fn try_map_values_with_key<V2: Data, E: Into<BoxError> + 'static>(
        &self,
        map: impl Fn(&K, V) -> Result<V2, E> + Send + Sync + 'static,
    ) -> KTable<K, V2> {
        self.derived("table-try-map-values", false, move |key, value| {
            map(key, value).map(Some).map_err(Failure::of_user)
        })
    }

    /// As [`group_by`](Self::group_by), with a function that may fail. What [`try_filter`](Self::try_filter) says of
    /// errors holds here, too.
    ///
    /// ```
    /// # use tidemill::{RecordHandler, StreamsConfig, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let homes = builder.table::<u64, String>("homes", "homes");
    /// let city = |_: &u64, home: String| match home.split_once(", ") {
    ///     Some((street, city)) => Ok((city.to_owned(), street.to_owned())),
    ///     None => Err("an address has a street and a city"),
    /// };
    /// homes.try_group_by("by-city", city).count("inhabitants").to_stream().to("counts");
    ///
    /// let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// let homes = driver.input::<u64, String>("homes");
    /// homes.pipe_all([(1, "Khreshchatyk 1, Kyiv".into(), 0), (1, "Lviv".into(), 1)])?;
    /// assert_eq!(driver.output::<String, i64>("counts").read()?, [("Kyiv".into(), 1, 0)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_group_by<K2: Data, V2: Data, E: Into<BoxError> + 'static>(
        &self,
        repartitioned: impl Into<Repartitioned<K2, V2>>,
        map: impl Fn(&K, V) -> Result<(K2, V2), E> + Send + Sync + 'static,
    ) -> KGroupedTable<K2, V2> {
        self.grouped("table-try-group-by", repartitioned.into(), move |key, value| {
            map(key, value).map_err(Failure::of_user)
        })
    }
}

impl<K: Data, V: Data> KGroupedTable<K, V> {
    /// As [`reduce`](Self::reduce), with functions that may fail. An error goes to the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler), as with [`KStream::try_map`](crate::KStream::try_map). If the
    /// handler lets it pass, the group stays as it was before the update.
    ///
    /// ```
    /// # use tidemill::{RecordHandler, StreamsConfig, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let sold = builder.table::<u64, (String, i64)>("orders", "orders");
    /// let by_item = sold.group_by("by-item", |_, (item, cents)| (item, cents));
    /// let add = |all: i64, cents| all.checked_add(cents).ok_or("too much");
    /// let subtract = |all: i64, cents| all.checked_sub(cents).ok_or("too little");
    /// by_item.try_reduce("turnover", add, subtract).to_stream().to("turnovers");
    ///
    /// let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// let tea = |cents| ("tea".to_owned(), cents);
    /// let orders = driver.input::<u64, (String, i64)>("orders");
    /// orders.pipe_all([(1, tea(300), 0), (2, tea(i64::MAX), 1), (3, tea(200), 2)])?;
    /// assert_eq!(driver.output::<String, i64>("turnovers").read_values()?, [300, 500]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_reduce<E: Into<BoxError> + 'static>(
        &self,
        materialized: impl Into<Materialized<K, V>>,
        adder: impl Fn(V, V) -> Result<V, E> + Send + Sync + 'static,
        subtractor: impl Fn(V, V) -> Result<V, E> + Send + Sync + 'static,
    ) -> KTable<K, V> {
        let add = move |all, value| adder(all, value).map_err(Failure::of_user);
        let subtract = move |all, value| subtractor(all, value).map_err(Failure::of_user);
        self.reduce_by("table-reduce", materialized.into(), add, subtract)
    }

    /// As [`aggregate`](Self::aggregate), with functions that may fail. See [`try_reduce`](Self::try_reduce): whatever a
    /// function had changed, the aggregate stays as it was before the update.
    pub fn try_aggregate<A: Data, E: Into<BoxError> + 'static>(
        &self,
        materialized: impl Into<Materialized<K, A>>,
        initializer: impl Fn() -> A + Send + Sync + 'static,
        adder: impl Fn(&K, V, &mut A) -> Result<(), E> + Send + Sync + 'static,
        subtractor: impl Fn(&K, V, &mut A) -> Result<(), E> + Send + Sync + 'static,
    ) -> KTable<K, A> {
        let (add, subtract) = (try_add(adder), try_add(subtractor));
        self.aggregate_by("table-aggregate", materialized.into(), initializer, add, subtract)
    }
}
