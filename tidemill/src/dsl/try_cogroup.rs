//! Several streams in one aggregate, with functions that may fail.

use tidemill_state::BoxError;

use super::{
    CogroupedKStream, KGroupedStream, KTable, Materialized, SessionWindowedCogroupedKStream, try_fold::try_add,
};
use crate::{operators::Failure, record::Data, windows::Windowed};

impl<K: Data, V: Data> KGroupedStream<K, V> {
    /// As [`cogroup`](Self::cogroup), with an aggregator that may fail. See
    /// [`CogroupedKStream::try_cogroup`](CogroupedKStream::try_cogroup).
    pub fn try_cogroup<A: Data, E: Into<BoxError> + 'static>(
        &self,
        aggregator: impl Fn(&K, V, &mut A) -> Result<(), E> + Send + Sync + 'static,
    ) -> CogroupedKStream<K, A> {
        CogroupedKStream::new(self, try_add(aggregator))
    }
}

impl<K: Data, A: Data> CogroupedKStream<K, A> {
    /// As [`cogroup`](Self::cogroup), with an aggregator that may fail. An error goes to the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler), as with [`KStream::try_map`](crate::KStream::try_map); its
    /// operator is the input of the aggregate. If the handler lets it pass, the aggregate, or that of each window, stays
    /// as it was before the record.
    ///
    /// ```
    /// # use tidemill::{RecordHandler, StreamsConfig, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let deposits = builder.stream::<u64, i64>("deposits").group_by_key();
    /// let payments = builder.stream::<u64, i64>("payments").group_by_key();
    /// deposits
    ///     .cogroup(|_, cents, balance: &mut i64| *balance += cents)
    ///     .try_cogroup(&payments, |_, cents, balance| {
    ///         *balance -= cents;
    ///         if *balance < 0 { Err("not enough") } else { Ok(()) }
    ///     })
    ///     .aggregate("balances", || 0)
    ///     .to_stream()
    ///     .to("balances");
    ///
    /// let handler = RecordHandler::DeadLetter("refused".into());
    /// let config = StreamsConfig { processing_handler: handler, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// driver.input::<u64, i64>("deposits").pipe(1, 100, 0)?;
    /// driver.input::<u64, i64>("payments").pipe_all([(1, 70, 1), (1, 50, 2), (1, 20, 3)])?;
    /// assert_eq!(driver.output::<u64, i64>("balances").read_values()?, [100, 30, 10]);
    /// assert_eq!(driver.output::<u64, i64>("refused").read_values()?, [50]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_cogroup<V: Data, E: Into<BoxError> + 'static>(
        self,
        grouped: &KGroupedStream<K, V>,
        aggregator: impl Fn(&K, V, &mut A) -> Result<(), E> + Send + Sync + 'static,
    ) -> Self {
        self.and(grouped, try_add(aggregator))
    }
}

impl<K: Data, A: Data> SessionWindowedCogroupedKStream<K, A> {
    /// As [`aggregate`](Self::aggregate), with a merger that may fail. See
    /// [`SessionWindowedKStream::try_aggregate`](super::SessionWindowedKStream::try_aggregate). Aggregators that may
    /// fail are added with [`CogroupedKStream::try_cogroup`].
    pub fn try_aggregate<E: Into<BoxError> + 'static>(
        self,
        materialized: impl Into<Materialized<K, A>>,
        initializer: impl Fn() -> A + Send + Sync + 'static,
        merger: impl Fn(&K, A, A) -> Result<A, E> + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A> {
        let merger = move |key: &K, one, other| merger(key, one, other).map_err(Failure::of_user);
        self.fold(materialized.into(), initializer, merger)
    }
}
