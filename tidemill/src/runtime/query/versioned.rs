//! Queries of versioned stores.

use std::{marker::PhantomData, sync::Arc};

use bytes::Bytes;
use tidemill_state::{ByteVersionedStore, Coded, StoreError, VersionedRecord};

use super::{QueryError, QueryTarget, target::with_options};
use crate::{graph::StoreShape, operators::StoreHandle};

/// Reads a versioned store of this instance, including uncommitted updates (`VersionedKeyQuery` and
/// `MultiVersionedKeyQuery` of interactive queries in Kafka Streams, KIP-960 and KIP-968).
/// [`Streams::versioned_store`](crate::Streams::versioned_store) returns it.
///
/// The types must be those of the store. Times are milliseconds since the epoch.
///
/// ```
/// # use std::time::Duration;
/// # use tidemill::{Materialized, Streams, StreamsBuilder, StreamsConfig};
/// # use tidemill::transport::embedded::{EmbeddedLog, Entry};
/// # let (log, builder) = (EmbeddedLog::in_memory(), StreamsBuilder::new());
/// # (log.create("prices", 1)?, log.create("told", 1)?);
/// let kept = Materialized::named("price-of-item").versioned(Duration::from_hours(1));
/// let prices = builder.table::<String, String>("prices", kept);
/// # prices.to_stream().to("told");
///
/// # let set = [("3.00", 1_000), ("2.50", 9_000), ("2.80", 5_000)];
/// # log.append("prices", 0, set.map(|(price, timestamp)| Entry::new("tea", price, timestamp)))?;
/// let streams = Streams::start(&builder.build()?, StreamsConfig::new("shop"), log.clone())?;
/// # while log.end_offsets("told")? != [3] {
/// #     std::thread::yield_now();
/// # }
/// let (prices, tea) = (streams.versioned_store::<String, String>("price-of-item"), "tea".to_owned());
/// assert_eq!(prices.get(&tea)?.map(|version| version.value), Some("2.50".into()));
/// let then = prices.get_as_of(&tea, 8_999)?.expect("it had a price");
/// assert_eq!((&*then.value, then.timestamp, then.valid_to), ("2.80", 5_000, Some(9_000)));
/// let times: Vec<_> = prices.history(&tea, 2_000, 6_000)?.iter().map(|version| version.timestamp).collect();
/// assert_eq!(times, [1_000, 5_000]);
/// # streams.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct VersionedQuery<K, V> {
    target: QueryTarget,
    store: Arc<str>,
    types: PhantomData<fn(K, V)>,
}

with_options!(VersionedQuery);

impl<K: Coded, V: Coded> VersionedQuery<K, V> {
    /// The latest version of a key; `None` if the key is missing or deleted (`VersionedKeyQuery.withKey` in Kafka
    /// Streams).
    ///
    /// See the example of [`VersionedQuery`].
    ///
    /// # Errors
    ///
    /// Fails if the store has other types, if no task that can answer has the store, if a thread does not answer in time,
    /// if the caller is a stream thread of the application, or if the store cannot be read. See [`QueryError`].
    pub fn get(&self, key: &K) -> Result<Option<VersionedRecord<V>>, QueryError> {
        let found = self.ask(key, |store, key| Ok(store.get(key)?.into_iter().collect()))?;
        Ok(found.into_iter().next())
    }

    /// The version of a key that was valid at a time (`VersionedKeyQuery.asOf` in Kafka Streams). Before the kept history,
    /// only the latest version is found.
    ///
    /// See the example of [`VersionedQuery`].
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn get_as_of(&self, key: &K, as_of: i64) -> Result<Option<VersionedRecord<V>>, QueryError> {
        let found = self.ask(key, move |store, key| Ok(store.get_as_of(key, as_of)?.into_iter().collect()))?;
        Ok(found.into_iter().next())
    }

    /// The versions of a key that were valid at some time between `from` and `to`, both inclusive, oldest first
    /// (`MultiVersionedKeyQuery` in Kafka Streams). Versions that ended before the kept history are left out.
    ///
    /// See the example of [`VersionedQuery`].
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn history(&self, key: &K, from: i64, to: i64) -> Result<Vec<VersionedRecord<V>>, QueryError> {
        self.ask(key, move |store, key| store.history(key, from, to))
    }

    /// What the store of the key's partition answers.
    fn ask(
        &self,
        key: &K,
        read: impl Fn(&ByteVersionedStore, &[u8]) -> Result<Vec<VersionedRecord<Bytes>>, StoreError> + Send + Sync + 'static,
    ) -> Result<Vec<VersionedRecord<V>>, QueryError> {
        let typed = self.target.typed::<K, V>(&self.store, StoreShape::Versioned)?;
        let key = typed.encode(key)?;
        let answers = self.target.ask(&self.store, move |handle, _| match handle {
            StoreHandle::Versioned(store) => Some(read(&store.borrow(), &key)),
            StoreHandle::KeyValue(_) | StoreHandle::Window(_) | StoreHandle::Session(_) => None,
        })?;
        let versions = answers.into_iter().find(|versions| !versions.is_empty()).unwrap_or_default();
        let decode = |VersionedRecord { value, timestamp, valid_to }| {
            Ok(VersionedRecord { value: typed.value(value)?, timestamp, valid_to })
        };
        versions.into_iter().map(decode).collect()
    }
}
