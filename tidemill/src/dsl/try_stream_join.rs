//! Joins of two streams whose functions may fail.

use tidemill_state::BoxError;

use super::{KStream, StreamJoined};
use crate::{
    operators::Failure,
    record::Data,
    windows::{JoinKind, JoinWindows},
};

impl<K: Data, L: Data> KStream<K, L> {
    /// As [`join_stream`](Self::join_stream), with a function that may fail. An error goes to the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler), as with [`try_map`](Self::try_map); its record is the one
    /// that came last. If the handler lets it pass, that record joins nothing and is not kept for later records.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::JoinWindows;
    /// # use tidemill::{RecordHandler, StreamsConfig, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let (prices, rates) = (builder.stream::<u64, i64>("prices"), builder.stream::<u64, i64>("rates"));
    /// let windows = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(10));
    /// let times = |_: &u64, cents: &i64, rate: &i64| cents.checked_mul(*rate).ok_or("too large");
    /// prices.try_join_stream(&rates, windows, "prices-rates", times).to("foreign");
    ///
    /// let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// driver.input::<u64, i64>("prices").pipe(1, 250, 0)?;
    /// driver.input::<u64, i64>("rates").pipe_all([(1, i64::MAX, 1), (1, 3, 2)])?;
    /// assert_eq!(driver.output::<u64, i64>("foreign").read_values()?, [750]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_join_stream<R: Data, V: Data, E: Into<BoxError> + 'static>(
        &self,
        other: &KStream<K, R>,
        windows: JoinWindows,
        joined: impl Into<StreamJoined<K, L, R>>,
        join: impl Fn(&K, &L, &R) -> Result<V, E> + Send + Sync + 'static,
    ) -> KStream<K, V> {
        self.join_streams(other, windows, joined.into(), JoinKind::Inner, move |key, left, right| {
            left.zip(right).map(|(left, right)| join(key, left, right)).transpose().map_err(Failure::of_user)
        })
    }

    /// As [`left_join_stream`](Self::left_join_stream), with a function that may fail. See
    /// [`try_join_stream`](Self::try_join_stream). An error for an unmatched record, when its join window closes, leaves
    /// only that result out.
    pub fn try_left_join_stream<R: Data, V: Data, E: Into<BoxError> + 'static>(
        &self,
        other: &KStream<K, R>,
        windows: JoinWindows,
        joined: impl Into<StreamJoined<K, L, R>>,
        join: impl Fn(&K, &L, Option<&R>) -> Result<V, E> + Send + Sync + 'static,
    ) -> KStream<K, V> {
        self.join_streams(other, windows, joined.into(), JoinKind::Left, move |key, left, right| {
            left.map(|left| join(key, left, right)).transpose().map_err(Failure::of_user)
        })
    }

    /// As [`outer_join_stream`](Self::outer_join_stream), with a function that may fail. See
    /// [`try_left_join_stream`](Self::try_left_join_stream).
    pub fn try_outer_join_stream<R: Data, V: Data, E: Into<BoxError> + 'static>(
        &self,
        other: &KStream<K, R>,
        windows: JoinWindows,
        joined: impl Into<StreamJoined<K, L, R>>,
        join: impl Fn(&K, Option<&L>, Option<&R>) -> Result<V, E> + Send + Sync + 'static,
    ) -> KStream<K, V> {
        self.join_streams(other, windows, joined.into(), JoinKind::Outer, move |key, left, right| {
            join(key, left, right).map(Some).map_err(Failure::of_user)
        })
    }
}
