//! Queries of window stores.

use std::{marker::PhantomData, ops::Bound, sync::Arc};

use bytes::Bytes;
use tidemill_state::{Coded, WindowKey};

use super::{QueryError, QueryTarget, piece::Rows, target::with_options};
use crate::graph::StoreShape;

/// Reads a window store of this instance, including uncommitted updates (`ReadOnlyWindowStore` of interactive queries
/// in Kafka Streams). [`Streams::window_store`](crate::Streams::window_store) returns it.
///
/// A query reads stores in pieces, between the turns of their threads. The result may or may not contain updates that
/// happen during the query.
///
/// ```
/// # use std::time::Duration;
/// # use tidemill::{Materialized, Streams, StreamsBuilder, StreamsConfig, TimeWindows};
/// # use tidemill::transport::embedded::{EmbeddedLog, Entry};
/// # let (log, builder) = (EmbeddedLog::in_memory(), StreamsBuilder::new());
/// # (log.create("chat", 1)?, log.create("counts", 1)?);
/// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
/// let kept = Materialized::named("per-minute").retention(Duration::from_hours(1));
/// let counts = builder.stream::<String, String>("chat").group_by_key().windowed_by(minutes).count(kept);
/// # counts.to_stream().to("counts");
///
/// # let said = [("hi", 0), ("you", 59_999), ("bye", 60_000)];
/// # log.append("chat", 0, said.map(|(text, timestamp)| Entry::new("ann", text, timestamp)))?;
/// let streams = Streams::start(&builder.build()?, StreamsConfig::new("chat-counts"), log.clone())?;
/// # while log.end_offsets("counts")? != [3] {
/// #     std::thread::yield_now();
/// # }
/// let per_minute = streams.window_store::<String, i64>("per-minute");
/// assert_eq!(per_minute.fetch(&"ann".into(), 0, i64::MAX)?, [(0, 2), (60_000, 1)]);
/// assert_eq!(per_minute.fetch(&"ann".into(), 0, 60_000)?, [(0, 2)]);
/// # streams.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct WindowQuery<K, V> {
    target: QueryTarget,
    store: Arc<str>,
    types: PhantomData<fn(K, V)>,
}

with_options!(WindowQuery);

impl<K: Coded, V: Coded> WindowQuery<K, V> {
    /// A key's values with the start of their windows in milliseconds (`ReadOnlyWindowStore.fetch` in Kafka Streams).
    /// Includes windows that start from `from_ms` (inclusive) to `to_ms` (exclusive; in Kafka Streams it is inclusive).
    /// Windows past the store's retention are left out.
    ///
    /// See the example of [`WindowQuery`].
    ///
    /// # Errors
    ///
    /// Fails if the store has other types, if no task that can answer has the store, if a thread does not answer in time,
    /// if the caller is a stream thread of the application, or if the store cannot be read. See [`QueryError`].
    pub fn fetch(&self, key: &K, from_ms: i64, to_ms: i64) -> Result<Vec<(i64, V)>, QueryError> {
        let start = |ms: i64| Bytes::copy_from_slice(&ms.max(0).to_be_bytes());
        let (from, to) = (Bound::Included(start(from_ms)), Bound::Excluded(start(to_ms)));
        let typed = self.target.typed::<K, V>(&self.store, StoreShape::Window)?;
        let key = Some(typed.encode(key)?);
        let rows = Rows { kind: StoreShape::Window, from, to, limit: usize::MAX, values: true, key };
        let decoded = self.target.walk(&self.store, rows)?.into_iter().map(|(row, value)| {
            let at = WindowKey::decode_local(row).map_err(|error| typed.undecodable(error))?;
            Ok((at.start, typed.value(value)?))
        });
        decoded.collect()
    }
}
