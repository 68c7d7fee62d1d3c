//! Aggregates and reductions over sessions and in sliding windows, whose functions may fail.

use std::sync::Arc;

use tidemill_state::BoxError;

use super::{
    KTable, Materialized, SessionWindowedKStream, TimeWindowedKStream,
    grouped::aggregate,
    try_fold::{try_add, try_reducer},
};
use crate::{
    operators::Failure,
    record::Data,
    windows::{SlidingWindows, Windowed},
};

impl<K: Data, V: Data> TimeWindowedKStream<K, V, SlidingWindows> {
    /// As [`reduce`](Self::reduce), with a function that may fail. An error goes to the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler), as with [`KStream::try_map`](crate::KStream::try_map). If the
    /// handler lets it pass, the record changes none of its windows, and opens none.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{RecordHandler, SlidingWindows, StreamsConfig, Windowed, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let minute = SlidingWindows::of_time_difference_with_no_grace(Duration::from_secs(60));
    /// let orders = builder.stream::<u64, i64>("orders").group_by_key().windowed_by(minute);
    /// orders.try_reduce("spent", |sum, cents| sum.checked_add(cents).ok_or("too large")).to_stream().to("totals");
    ///
    /// let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// let orders = driver.input::<u64, i64>("orders");
    /// orders.pipe_all([(1, 250, 90_000), (1, i64::MAX, 100_000), (1, 50, 120_000)])?;
    /// // The first alone; behind it, the last alone; both.
    /// assert_eq!(driver.output::<Windowed<u64>, i64>("totals").read_values()?, [250, 50, 300]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_reduce<E: Into<BoxError> + 'static>(
        self,
        materialized: impl Into<Materialized<K, V>>,
        reduce: impl Fn(V, V) -> Result<V, E> + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, V> {
        self.fold("sliding-reduce", materialized, try_reducer(reduce))
    }

    /// As [`aggregate`](Self::aggregate), with an aggregator that may fail. An error goes to the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler), as with [`KStream::try_map`](crate::KStream::try_map). If the
    /// handler lets it pass, the record changes none of its windows, and opens none.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{RecordHandler, SlidingWindows, StreamsConfig, Windowed, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let minute = SlidingWindows::of_time_difference_with_no_grace(Duration::from_secs(60));
    /// let add = |_: &u64, line: String, sum: &mut i64| line.parse::<i64>().map(|number| *sum += number);
    /// let lines = builder.stream::<u64, String>("lines").group_by_key().windowed_by(minute);
    /// lines.try_aggregate("sums", || 0, add).to_stream().to("sums");
    ///
    /// let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// let lines = driver.input::<u64, String>("lines");
    /// lines.pipe_all([(1, "5".into(), 90_000), (1, "x".into(), 100_000), (1, "7".into(), 120_000)])?;
    /// assert_eq!(driver.output::<Windowed<u64>, i64>("sums").read_values()?, [5, 7, 12]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_aggregate<A: Data, E: Into<BoxError> + 'static>(
        self,
        materialized: impl Into<Materialized<K, A>>,
        initializer: impl Fn() -> A + Send + Sync + 'static,
        aggregator: impl Fn(&K, V, &mut A) -> Result<(), E> + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A> {
        self.fold("sliding-aggregate", materialized, aggregate(initializer, try_add(aggregator)))
    }
}

impl<K: Data, V: Data> SessionWindowedKStream<K, V> {
    /// As [`reduce`](Self::reduce), with a function that may fail. It combines two values, and the results of two
    /// sessions that a record joins. An error goes to the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler), as with [`KStream::try_map`](crate::KStream::try_map). If the
    /// handler lets it pass, all sessions stay as they were before the record.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{RecordHandler, SessionWindows, StreamsConfig, Windowed, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(60));
    /// let orders = builder.stream::<u64, i64>("orders").group_by_key().windowed_by(visits);
    /// let spent = orders.try_reduce("spent", |sum, cents| sum.checked_add(cents).ok_or("too large"));
    /// spent.to_stream().drop_null_values().to("totals");
    ///
    /// let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 0), (1, i64::MAX, 1), (1, 50, 2)])?;
    /// assert_eq!(driver.output::<Windowed<u64>, i64>("totals").read_values()?, [250, 300]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_reduce<E: Into<BoxError> + 'static>(
        self,
        materialized: impl Into<Materialized<K, V>>,
        reduce: impl Fn(V, V) -> Result<V, E> + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, V> {
        let reduce = Arc::new(reduce);
        let merge = reduce.clone();
        let add = try_reducer(move |result, value| reduce(result, value));
        let merge = move |_: &K, one, other| merge(one, other).map_err(Failure::of_user);
        self.fold("session-reduce", materialized, || None, add, merge)
    }

    /// As [`aggregate`](Self::aggregate), with an aggregator and a merger that may fail. An error goes to the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler), as with [`KStream::try_map`](crate::KStream::try_map). If the
    /// handler lets it pass, all sessions stay as they were before the record: a record that would join two sessions
    /// leaves both.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{RecordHandler, SessionWindows, StreamsConfig, Windowed, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let visits = SessionWindows::of_inactivity_gap_and_grace(Duration::from_secs(60), Duration::from_secs(60));
    /// let add = |_: &u64, page: String, pages: &mut Vec<String>| {
    ///     pages.push(page);
    ///     Ok(())
    /// };
    /// let merge = |_: &u64, one: Vec<String>, other: Vec<String>| {
    ///     let all = [one, other].concat();
    ///     if all.len() < 3 { Ok(all) } else { Err("too many pages") }
    /// };
    /// let pages = builder.stream::<u64, String>("pages").group_by_key().windowed_by(visits);
    /// pages.try_aggregate("visits", Vec::new, add, merge).to_stream().drop_null_values().to("visits");
    ///
    /// let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// let pages = driver.input::<u64, String>("pages");
    /// pages.pipe_all([(1, "/a".into(), 0), (1, "/b".into(), 1), (1, "/c".into(), 100_000)])?;
    /// pages.pipe(1, "/d".into(), 50_000)?; // It would join both sessions.
    /// let visits = driver.output::<Windowed<u64>, Vec<String>>("visits").read_values()?;
    /// assert_eq!(visits, [vec!["/a"], vec!["/a", "/b"], vec!["/c"]]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_aggregate<A: Data, E: Into<BoxError> + 'static>(
        self,
        materialized: impl Into<Materialized<K, A>>,
        initializer: impl Fn() -> A + Send + Sync + 'static,
        aggregator: impl Fn(&K, V, &mut A) -> Result<(), E> + Send + Sync + 'static,
        merger: impl Fn(&K, A, A) -> Result<A, E> + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A> {
        let initializer = Arc::new(initializer);
        let first = initializer.clone();
        let add = aggregate(move || initializer(), try_add(aggregator));
        let merge = move |key: &K, one, other| merger(key, one, other).map_err(Failure::of_user);
        self.fold("session-aggregate", materialized, move || Some(first()), add, merge)
    }
}
