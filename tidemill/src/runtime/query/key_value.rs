//! Queries of key-value stores.

use std::{marker::PhantomData, ops::Bound, sync::Arc};

use tidemill_state::Coded;

use super::{QueryError, QueryTarget, piece::Rows, target::with_options, typed::Typed};
use crate::{graph::StoreShape, operators::StoreHandle};

/// Reads a key-value store of this instance, including uncommitted updates (`ReadOnlyKeyValueStore` of interactive
/// queries in Kafka Streams). [`Streams::key_value_store`](crate::Streams::key_value_store) returns it.
///
/// A query reads stores in pieces, between the turns of their threads. The result may or may not contain updates that
/// happen during the query. The query reads all partitions of the store that this instance owns. The types must be those
/// of the store; a store of JSON can also be read as `String`, and every store as `Bytes`.
///
/// In Kafka Streams the caller's thread reads the store. Here a stream thread reads it, so a query waits for the
/// thread's turn.
///
/// ```
/// # use tidemill::{Streams, StreamsBuilder, StreamsConfig, transport::embedded::{EmbeddedLog, Entry}};
/// # let (log, builder) = (EmbeddedLog::in_memory(), StreamsBuilder::new());
/// # (log.create("chat", 1)?, log.create("counts", 1)?);
/// # builder.stream::<String, String>("chat").group_by_key().count("messages").to_stream().to("counts");
/// # let said = [("ann", "hi"), ("bo", "hello"), ("ann", "bye")];
/// # log.append("chat", 0, said.map(|(user, text)| Entry::new(user, text, 0)))?;
/// # let streams = Streams::start(&builder.build()?, StreamsConfig::new("chat-counts"), log.clone())?;
/// # while log.end_offsets("counts")? != [3] {
/// #     std::thread::yield_now();
/// # }
/// let messages = streams.key_value_store::<String, i64>("messages");
/// assert_eq!(messages.get(&"ann".into())?, Some(2));
/// assert_eq!(messages.all()?, [("ann".to_owned(), 2), ("bo".to_owned(), 1)]);
/// # streams.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct KeyValueQuery<K, V> {
    target: QueryTarget,
    store: Arc<str>,
    types: PhantomData<fn(K, V)>,
}

with_options!(KeyValueQuery);

impl<K: Coded, V: Coded> KeyValueQuery<K, V> {
    /// The value of a key; `None` if the key is missing (`ReadOnlyKeyValueStore.get` in Kafka Streams).
    ///
    /// # Errors
    ///
    /// Fails if the store has other types, if no task that can answer has the store, if a thread does not answer in time,
    /// if the caller is a stream thread of the application, or if the store cannot be read. See [`QueryError`].
    ///
    /// ```
    /// # use tidemill::QueryError;
    /// # use tidemill::{Streams, StreamsBuilder, StreamsConfig, transport::embedded::{EmbeddedLog, Entry}};
    /// # let (log, builder) = (EmbeddedLog::in_memory(), StreamsBuilder::new());
    /// # (log.create("chat", 1)?, log.create("counts", 1)?);
    /// # builder.stream::<String, String>("chat").group_by_key().count("messages").to_stream().to("counts");
    /// # let said = [("ann", "hi"), ("bo", "hello"), ("ann", "bye")];
    /// # log.append("chat", 0, said.map(|(user, text)| Entry::new(user, text, 0)))?;
    /// # let streams = Streams::start(&builder.build()?, StreamsConfig::new("chat-counts"), log.clone())?;
    /// # while log.end_offsets("counts")? != [3] {
    /// #     std::thread::yield_now();
    /// # }
    /// assert_eq!(streams.key_value_store::<String, i64>("messages").get(&"ann".into())?, Some(2));
    /// assert_eq!(streams.key_value_store::<String, i64>("messages").get(&"cy".into())?, None);
    /// let unknown = streams.key_value_store::<String, i64>("no-such-store").get(&"ann".into());
    /// assert!(matches!(unknown, Err(QueryError::UnknownStore(_))));
    /// # streams.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get(&self, key: &K) -> Result<Option<V>, QueryError> {
        let typed = self.typed()?;
        let key = typed.encode(key)?;
        let found = self.target.ask(&self.store, move |handle, _| match handle {
            StoreHandle::KeyValue(store) => Some(store.borrow().get(&key)),
            StoreHandle::Window(_) | StoreHandle::Session(_) | StoreHandle::Versioned(_) => None,
        })?;
        found.into_iter().flatten().next().map(|row| typed.value(row.value)).transpose()
    }

    /// All keys and values on this instance, in the order of the keys' bytes (`ReadOnlyKeyValueStore.all` in Kafka
    /// Streams, which returns an iterator). For large stores, use [`page`](Self::page).
    ///
    /// # Errors
    ///
    /// As [`KeyValueQuery::get`].
    ///
    /// ```
    /// # use tidemill::{Streams, StreamsBuilder, StreamsConfig, transport::embedded::{EmbeddedLog, Entry}};
    /// # let (log, builder) = (EmbeddedLog::in_memory(), StreamsBuilder::new());
    /// # (log.create("chat", 1)?, log.create("counts", 1)?);
    /// # builder.stream::<String, String>("chat").group_by_key().count("messages").to_stream().to("counts");
    /// # let said = [("ann", "hi"), ("bo", "hello"), ("ann", "bye")];
    /// # log.append("chat", 0, said.map(|(user, text)| Entry::new(user, text, 0)))?;
    /// # let streams = Streams::start(&builder.build()?, StreamsConfig::new("chat-counts"), log.clone())?;
    /// # while log.end_offsets("counts")? != [3] {
    /// #     std::thread::yield_now();
    /// # }
    /// let all = streams.key_value_store::<String, i64>("messages").all()?;
    /// assert_eq!(all, [("ann".to_owned(), 2), ("bo".to_owned(), 1)]);
    /// # streams.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn all(&self) -> Result<Vec<(K, V)>, QueryError> {
        self.page(None, usize::MAX)
    }

    /// At most `limit` keys with their values, in the order of the keys' bytes: the keys after `after`, or the first
    /// keys. A key that several partitions have counts once towards `limit`. Kafka Streams has no pages.
    ///
    /// # Errors
    ///
    /// As [`KeyValueQuery::get`].
    ///
    /// ```
    /// # use tidemill::{Streams, StreamsBuilder, StreamsConfig, transport::embedded::{EmbeddedLog, Entry}};
    /// # let (log, builder) = (EmbeddedLog::in_memory(), StreamsBuilder::new());
    /// # (log.create("chat", 1)?, log.create("counts", 1)?);
    /// # builder.stream::<String, String>("chat").group_by_key().count("messages").to_stream().to("counts");
    /// # let said = [("ann", "hi"), ("bo", "hello"), ("ann", "bye")];
    /// # log.append("chat", 0, said.map(|(user, text)| Entry::new(user, text, 0)))?;
    /// # let streams = Streams::start(&builder.build()?, StreamsConfig::new("chat-counts"), log.clone())?;
    /// # while log.end_offsets("counts")? != [3] {
    /// #     std::thread::yield_now();
    /// # }
    /// let messages = streams.key_value_store::<String, i64>("messages");
    /// let first = messages.page(None, 1)?;
    /// assert_eq!(first, [("ann".to_owned(), 2)]);
    /// assert_eq!(messages.page(Some(&first[0].0), 1)?, [("bo".to_owned(), 1)]);
    /// # streams.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn page(&self, after: Option<&K>, limit: usize) -> Result<Vec<(K, V)>, QueryError> {
        let typed = self.typed()?;
        let rows = self.target.walk(&self.store, rows(&typed, after, limit, true)?)?;
        rows.into_iter().map(|(key, value)| Ok((typed.key(key)?, typed.value(value)?))).collect()
    }

    /// All keys on this instance, in the order of their bytes. Values are neither transferred nor decoded. Kafka
    /// Streams has no such query.
    ///
    /// # Errors
    ///
    /// As [`KeyValueQuery::get`].
    ///
    /// ```
    /// # use tidemill::{Streams, StreamsBuilder, StreamsConfig, transport::embedded::{EmbeddedLog, Entry}};
    /// # let (log, builder) = (EmbeddedLog::in_memory(), StreamsBuilder::new());
    /// # (log.create("chat", 1)?, log.create("counts", 1)?);
    /// # builder.stream::<String, String>("chat").group_by_key().count("messages").to_stream().to("counts");
    /// # let said = [("ann", "hi"), ("bo", "hello"), ("ann", "bye")];
    /// # log.append("chat", 0, said.map(|(user, text)| Entry::new(user, text, 0)))?;
    /// # let streams = Streams::start(&builder.build()?, StreamsConfig::new("chat-counts"), log.clone())?;
    /// # while log.end_offsets("counts")? != [3] {
    /// #     std::thread::yield_now();
    /// # }
    /// assert_eq!(streams.key_value_store::<String, i64>("messages").all_keys()?, ["ann", "bo"]);
    /// # streams.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn all_keys(&self) -> Result<Vec<K>, QueryError> {
        self.page_of_keys(None, usize::MAX)
    }

    /// At most `limit` keys, in the order of their bytes: the keys after `after`, or the first keys. A key that several
    /// partitions have counts once towards `limit`.
    ///
    /// # Errors
    ///
    /// As [`KeyValueQuery::get`].
    ///
    /// ```
    /// # use tidemill::{Streams, StreamsBuilder, StreamsConfig, transport::embedded::{EmbeddedLog, Entry}};
    /// # let (log, builder) = (EmbeddedLog::in_memory(), StreamsBuilder::new());
    /// # (log.create("chat", 1)?, log.create("counts", 1)?);
    /// # builder.stream::<String, String>("chat").group_by_key().count("messages").to_stream().to("counts");
    /// # let said = [("ann", "hi"), ("bo", "hello"), ("ann", "bye")];
    /// # log.append("chat", 0, said.map(|(user, text)| Entry::new(user, text, 0)))?;
    /// # let streams = Streams::start(&builder.build()?, StreamsConfig::new("chat-counts"), log.clone())?;
    /// # while log.end_offsets("counts")? != [3] {
    /// #     std::thread::yield_now();
    /// # }
    /// let messages = streams.key_value_store::<String, i64>("messages");
    /// assert_eq!(messages.page_of_keys(Some(&"ann".into()), 10)?, ["bo"]);
    /// # streams.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn page_of_keys(&self, after: Option<&K>, limit: usize) -> Result<Vec<K>, QueryError> {
        let typed = self.typed()?;
        let rows = self.target.walk(&self.store, rows(&typed, after, limit, false)?)?;
        rows.into_iter().map(|(key, _)| typed.key(key)).collect()
    }

    fn typed(&self) -> Result<Typed<K, V>, QueryError> {
        self.target.typed(&self.store, StoreShape::KeyValue)
    }
}

fn rows<K: 'static, V: 'static>(
    typed: &Typed<K, V>,
    after: Option<&K>,
    limit: usize,
    values: bool,
) -> Result<Rows, QueryError> {
    let from = after.map_or(Ok(Bound::Unbounded), |key| typed.encode(key).map(Bound::Excluded))?;
    Ok(Rows { kind: StoreShape::KeyValue, from, to: Bound::Unbounded, limit, values, key: None })
}
