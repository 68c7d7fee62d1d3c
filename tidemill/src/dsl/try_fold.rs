//! Aggregates and reductions, with windows and without, whose functions may fail.

use tidemill_state::BoxError;

use super::{KGroupedStream, KTable, Materialized, TimeWindowedKStream, grouped::aggregate};
use crate::{operators::Failure, record::Data, windows::Windowed};

impl<K: Data, V: Data> KGroupedStream<K, V> {
    /// As [`reduce`](Self::reduce), with a function that may fail. An error goes to the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler), as with [`KStream::try_map`](crate::KStream::try_map). If the
    /// handler lets it pass, the result so far stays as it was before the record.
    ///
    /// ```
    /// # use tidemill::{RecordHandler, StreamsConfig, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let orders = builder.stream::<u64, i64>("orders").group_by_key();
    /// orders.try_reduce("spent", |sum, cents| sum.checked_add(cents).ok_or("too large")).to_stream().to("totals");
    ///
    /// let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 0), (1, i64::MAX, 1), (1, 50, 2)])?;
    /// assert_eq!(driver.output::<u64, i64>("totals").read()?, [(1, 250, 0), (1, 300, 2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_reduce<E: Into<BoxError> + 'static>(
        &self,
        materialized: impl Into<Materialized<K, V>>,
        reduce: impl Fn(V, V) -> Result<V, E> + Send + Sync + 'static,
    ) -> KTable<K, V> {
        self.fold("reduce", materialized, try_reducer(reduce))
    }

    /// As [`aggregate`](Self::aggregate), with an aggregator that may fail. An error goes to the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler), as with [`KStream::try_map`](crate::KStream::try_map). If the
    /// handler lets it pass, the aggregate stays as it was before the record, whatever the aggregator had changed.
    ///
    /// ```
    /// # use tidemill::{RecordHandler, StreamsConfig, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let add = |_: &u64, line: String, (lines, sum): &mut (i64, i64)| {
    ///     *lines += 1;
    ///     *sum += line.parse::<i64>()?; // After an error, the line above counts for nothing, either.
    ///     Ok::<_, std::num::ParseIntError>(())
    /// };
    /// let lines = builder.stream::<u64, String>("lines").group_by_key();
    /// lines.try_aggregate("lines-and-sum", || (0, 0), add);
    ///
    /// let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// driver.input::<u64, String>("lines").pipe_all([(1, "5".into(), 0), (1, "x".into(), 1), (1, "7".into(), 2)])?;
    /// let sums = driver.key_value_store::<u64, (i64, i64)>("lines-and-sum", 0)?.expect("it runs");
    /// assert_eq!(sums.get(&1)?, Some((2, 12)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_aggregate<A: Data, E: Into<BoxError> + 'static>(
        &self,
        materialized: impl Into<Materialized<K, A>>,
        initializer: impl Fn() -> A + Send + Sync + 'static,
        aggregator: impl Fn(&K, V, &mut A) -> Result<(), E> + Send + Sync + 'static,
    ) -> KTable<K, A> {
        self.fold("aggregate", materialized, aggregate(initializer, try_add(aggregator)))
    }
}

impl<K: Data, V: Data> TimeWindowedKStream<K, V> {
    /// As [`reduce`](Self::reduce), with a function that may fail. An error goes to the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler), as with [`KStream::try_map`](crate::KStream::try_map). If the
    /// handler lets it pass, the record changes none of its windows.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{RecordHandler, StreamsConfig, TimeWindows, Windowed, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// let orders = builder.stream::<u64, i64>("orders").group_by_key().windowed_by(minutes);
    /// orders.try_reduce("spent", |sum, cents| sum.checked_add(cents).ok_or("too large")).to_stream().to("totals");
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
        self.fold("windowed-reduce", materialized, try_reducer(reduce))
    }

    /// As [`aggregate`](Self::aggregate), with an aggregator that may fail. An error goes to the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler), as with [`KStream::try_map`](crate::KStream::try_map). If the
    /// handler lets it pass, the record changes none of its windows.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{RecordHandler, StreamsConfig, TimeWindows, Windowed, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// let add = |_: &u64, line: String, sum: &mut i64| line.parse::<i64>().map(|number| *sum += number);
    /// let lines = builder.stream::<u64, String>("lines").group_by_key().windowed_by(minutes);
    /// lines.try_aggregate("sums", || 0, add).to_stream().to("sums");
    ///
    /// let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// driver.input::<u64, String>("lines").pipe_all([(1, "5".into(), 0), (1, "x".into(), 1), (1, "7".into(), 2)])?;
    /// assert_eq!(driver.output::<Windowed<u64>, i64>("sums").read_values()?, [5, 12]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_aggregate<A: Data, E: Into<BoxError> + 'static>(
        self,
        materialized: impl Into<Materialized<K, A>>,
        initializer: impl Fn() -> A + Send + Sync + 'static,
        aggregator: impl Fn(&K, V, &mut A) -> Result<(), E> + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A> {
        self.fold("windowed-aggregate", materialized, aggregate(initializer, try_add(aggregator)))
    }
}

/// Turns a reducer into a fold over an aggregate that may not exist yet.
pub(super) fn try_reducer<K, V, E: Into<BoxError>>(
    reduce: impl Fn(V, V) -> Result<V, E>,
) -> impl Fn(&K, V, &mut Option<V>) -> Result<(), Box<Failure>> {
    move |_, value, slot| {
        *slot = Some(match slot.take() {
            Some(previous) => reduce(previous, value).map_err(Failure::of_user)?,
            None => value,
        });
        Ok(())
    }
}

/// Gives the error of an aggregator to the handlers.
pub(super) fn try_add<K, V, A, E: Into<BoxError>>(
    aggregator: impl Fn(&K, V, &mut A) -> Result<(), E>,
) -> impl Fn(&K, V, &mut A) -> Result<(), Box<Failure>> {
    move |key, value, so_far| aggregator(key, value, so_far).map_err(Failure::of_user)
}
