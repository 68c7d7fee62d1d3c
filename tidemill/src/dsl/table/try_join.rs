//! Joins of two tables whose functions may fail.

use tidemill_state::BoxError;

use super::{
    super::{
        TableJoined,
        joiners::{fallible, inner, left},
    },
    KTable,
};
use crate::{operators::Failure, record::Data, windows::JoinKind};

impl<K: Data, V: Data> KTable<K, V> {
    /// As [`join`](Self::join), with a function that may fail. An error goes to the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler), as with [`KStream::try_map`](crate::KStream::try_map). If the
    /// handler lets it pass, the update is left out, also of the stores above this step: the key keeps the value that it
    /// had, in its table and in the result.
    ///
    /// The function must decide by its arguments alone, because it also makes the values that an update takes away.
    ///
    /// ```
    /// # use tidemill::{RecordHandler, StreamsConfig, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let prices = builder.table::<u64, i64>("prices", "prices");
    /// let rates = builder.table::<u64, i64>("rates", "rates");
    /// prices.try_join(&rates, |_, cents, rate| cents.checked_mul(rate).ok_or("too large")).to_stream().to("foreign");
    ///
    /// let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// driver.input::<u64, i64>("prices").pipe(1, 250, 0)?;
    /// driver.input::<u64, i64>("rates").pipe_all([(1, 3, 1), (1, i64::MAX, 2), (1, 4, 3)])?;
    /// assert_eq!(driver.output::<u64, i64>("foreign").read_values()?, [750, 1_000]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_join<T: Data, V2: Data, E: Into<BoxError> + 'static>(
        &self,
        other: &KTable<K, T>,
        join: impl Fn(&K, V, T) -> Result<V2, E> + Send + Sync + 'static,
    ) -> KTable<K, V2> {
        self.join_with(other, JoinKind::Inner, move |key, left, right| {
            left.zip(right).map(|(left, right)| join(key, left, right)).transpose().map_err(Failure::of_user)
        })
    }

    /// As [`left_join`](Self::left_join), with a function that may fail. See [`try_join`](Self::try_join).
    pub fn try_left_join<T: Data, V2: Data, E: Into<BoxError> + 'static>(
        &self,
        other: &KTable<K, T>,
        join: impl Fn(&K, V, Option<T>) -> Result<V2, E> + Send + Sync + 'static,
    ) -> KTable<K, V2> {
        self.join_with(other, JoinKind::Left, move |key, left, right| {
            left.map(|left| join(key, left, right)).transpose().map_err(Failure::of_user)
        })
    }

    /// As [`outer_join`](Self::outer_join), with a function that may fail. See [`try_join`](Self::try_join).
    pub fn try_outer_join<T: Data, V2: Data, E: Into<BoxError> + 'static>(
        &self,
        other: &KTable<K, T>,
        join: impl Fn(&K, Option<V>, Option<T>) -> Result<V2, E> + Send + Sync + 'static,
    ) -> KTable<K, V2> {
        self.join_with(other, JoinKind::Outer, move |key, left, right| {
            let either = left.is_some() || right.is_some();
            either.then(|| join(key, left, right)).transpose().map_err(Failure::of_user)
        })
    }

    /// As [`join_foreign_key`](Self::join_foreign_key), with a join function that may fail. An error goes to the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler), as with [`KStream::try_map`](crate::KStream::try_map). The
    /// function runs when the answer of the other table arrives. So the position of the error is that of the answer on
    /// its internal topic. If the handler lets it pass, both tables have their new values, and the result keeps the value
    /// that it had.
    ///
    /// ```
    /// # use tidemill::{RecordHandler, StreamsConfig, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let orders = builder.table::<String, u64>("orders", "user-of-order");
    /// let users = builder.table::<u64, String>("users", "names");
    /// let label = |_: &String, _, name: String| if name.is_empty() { Err("no name") } else { Ok(name) };
    /// orders.try_join_foreign_key(&users, "name-of-order", |_, user| *user, label).to_stream().to("labels");
    ///
    /// let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// driver.input::<String, u64>("orders").pipe("tea".into(), 1, 0)?;
    /// driver.input::<u64, String>("users").pipe_all([(1, "".into(), 1), (1, "Ann".into(), 2)])?;
    /// assert_eq!(driver.output::<String, String>("labels").read_values()?, ["Ann"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_join_foreign_key<FK: Data, T: Data, V2: Data, R: Into<Option<FK>>, E: Into<BoxError> + 'static>(
        &self,
        other: &KTable<FK, T>,
        joined: impl Into<TableJoined<V, T, FK>>,
        foreign_key: impl Fn(&K, &V) -> R + Send + Sync + 'static,
        join: impl Fn(&K, V, T) -> Result<V2, E> + Send + Sync + 'static,
    ) -> KTable<K, V2> {
        let foreign_key = move |key: &K, value: &V| foreign_key(key, value).into();
        self.join_by_foreign_key(other, joined.into(), false, foreign_key, inner(fallible(join)))
    }

    /// As [`left_join_foreign_key`](Self::left_join_foreign_key), with a join function that may fail. See
    /// [`try_join_foreign_key`](Self::try_join_foreign_key). For a value without a foreign key, the function runs at once.
    pub fn try_left_join_foreign_key<FK: Data, T: Data, V2: Data, R: Into<Option<FK>>, E: Into<BoxError> + 'static>(
        &self,
        other: &KTable<FK, T>,
        joined: impl Into<TableJoined<V, T, FK>>,
        foreign_key: impl Fn(&K, &V) -> R + Send + Sync + 'static,
        join: impl Fn(&K, V, Option<T>) -> Result<V2, E> + Send + Sync + 'static,
    ) -> KTable<K, V2> {
        let foreign_key = move |key: &K, value: &V| foreign_key(key, value).into();
        self.join_by_foreign_key(other, joined.into(), true, foreign_key, left(fallible(join)))
    }
}
