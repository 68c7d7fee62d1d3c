//! A typed handle to a versioned store.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use super::{codec_error, encode_key};
use crate::{ByteVersionedStore, Codec, StoreError, VersionPut, VersionedRecord};

/// The versions of the values of keys (`VersionedKeyValueStore` in Kafka Streams, KIP-889). Clones are handles to the
/// same store. A processor gets one from its context; a test gets one from the driver.
///
/// Each version is valid from its time until the time of the next one, whatever the order in which they are put. The
/// store keeps versions for its history retention, counted back from the highest time that was put for any key. The
/// latest version of a key is kept for ever. Times are event time in milliseconds since the epoch.
///
/// ```
/// use std::{cell::RefCell, rc::Rc, sync::Arc};
/// use tidemill_state::{BigEndian, ByteStore, ByteVersionedStore, MemoryBackend, Utf8, VersionedRecord, VersionedStore};
///
/// // The history is kept for an hour.
/// let store = ByteVersionedStore::new(ByteStore::new("prices", Box::new(MemoryBackend::new())), 3_600_000)?;
/// let prices = VersionedStore::<String, i64>::new(Rc::new(RefCell::new(store)), Arc::new(Utf8), Arc::new(BigEndian));
/// let tea = "tea".to_owned();
/// prices.put(&tea, &300, 1_000)?;
/// prices.put(&tea, &250, 9_000)?;
/// prices.put(&tea, &280, 5_000)?; // It comes late, and is valid between the other two.
/// assert_eq!(prices.get(&tea)?, Some(VersionedRecord { value: 250, timestamp: 9_000, valid_to: None }));
/// let then = prices.get_as_of(&tea, 8_999)?;
/// assert_eq!(then, Some(VersionedRecord { value: 280, timestamp: 5_000, valid_to: Some(9_000) }));
/// assert_eq!(prices.get_as_of(&tea, 999)?, None);
/// # Ok::<(), tidemill_state::StoreError>(())
/// ```
pub struct VersionedStore<K, V> {
    store: Rc<RefCell<ByteVersionedStore>>,
    keys: Arc<dyn Codec<K>>,
    values: Arc<dyn Codec<V>>,
}

impl<K: 'static, V: 'static> VersionedStore<K, V> {
    /// Creates a handle to `store` with two codecs. See the example of [`VersionedStore`].
    pub fn new(store: Rc<RefCell<ByteVersionedStore>>, keys: Arc<dyn Codec<K>>, values: Arc<dyn Codec<V>>) -> Self {
        Self { store, keys, values }
    }

    /// The latest version of a key (`VersionedKeyValueStore.get` in Kafka Streams); `None` if the key has none, or was
    /// deleted. See the example of [`VersionedStore`].
    ///
    /// # Errors
    ///
    /// If the store cannot be read, or if the codec rejects the key or the stored bytes. All methods of this type fail
    /// so.
    pub fn get(&self, key: &K) -> Result<Option<VersionedRecord<V>>, StoreError> {
        let store = self.store.borrow();
        let found = store.get(&self.key(&store, key)?)?;
        found.map(|version| self.decode(&store, version)).transpose()
    }

    /// The version of a key that was valid at a time (`VersionedKeyValueStore.get` with `asOfTimestamp` in Kafka
    /// Streams); `None` if there was none. If the time is before the kept history, only the latest version of the key is
    /// found, if it was valid then. See the example of [`VersionedStore`].
    pub fn get_as_of(&self, key: &K, as_of: i64) -> Result<Option<VersionedRecord<V>>, StoreError> {
        let store = self.store.borrow();
        let found = store.get_as_of(&self.key(&store, key)?, as_of)?;
        found.map(|version| self.decode(&store, version)).transpose()
    }

    /// The versions of a key that were valid at some time between two times, both inclusive, oldest first
    /// (`MultiVersionedKeyQuery` in Kafka Streams, KIP-968).
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, ByteStore, ByteVersionedStore, MemoryBackend, Utf8, VersionedStore};
    /// # let store = ByteVersionedStore::new(ByteStore::new("prices", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// # let prices =
    /// #     VersionedStore::<String, i64>::new(Rc::new(RefCell::new(store)), Arc::new(Utf8), Arc::new(BigEndian));
    /// let tea = "tea".to_owned();
    /// for (time, cents) in [(1_000, 300), (5_000, 280), (9_000, 250)] {
    ///     prices.put(&tea, &cents, time)?;
    /// }
    /// let cents: Vec<_> = prices.history(&tea, 5_000, 8_000)?.into_iter().map(|version| version.value).collect();
    /// assert_eq!(cents, [280]);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn history(&self, key: &K, from: i64, to: i64) -> Result<Vec<VersionedRecord<V>>, StoreError> {
        let store = self.store.borrow();
        let found = store.history(&self.key(&store, key)?, from, to)?;
        found.into_iter().map(|version| self.decode(&store, version)).collect()
    }

    /// Puts a version (`VersionedKeyValueStore.put` in Kafka Streams). A version of the same time is replaced. A value
    /// that its codec encodes as null deletes the key from that time on. A version that is older than the kept history,
    /// or of a time before 0, is left out.
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, ByteStore, ByteVersionedStore, MemoryBackend, Utf8, VersionPut, VersionedStore};
    /// # let store = ByteVersionedStore::new(ByteStore::new("prices", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// # let prices =
    /// #     VersionedStore::<String, i64>::new(Rc::new(RefCell::new(store)), Arc::new(Utf8), Arc::new(BigEndian));
    /// let tea = "tea".to_owned();
    /// assert_eq!(prices.put(&tea, &300, 9_000_000)?, VersionPut::Latest);
    /// assert_eq!(prices.put(&tea, &280, 8_000_000)?, VersionPut::Until(9_000_000));
    /// assert_eq!(prices.put(&tea, &250, 1_000_000)?, VersionPut::Expired);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn put(&self, key: &K, value: &V, timestamp: i64) -> Result<VersionPut, StoreError> {
        let mut store = self.store.borrow_mut();
        let key = self.key(&store, key)?;
        let value = self.values.encode(value).map_err(|source| codec_error(store.store().name(), source))?;
        store.put(&key, value, timestamp)
    }

    /// Deletes a key from a time on (`VersionedKeyValueStore.delete` in Kafka Streams). Returns the version that was
    /// valid at that time until now. Later versions stay. A deletion that is older than the kept history is left out, and
    /// returns `None`.
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, ByteStore, ByteVersionedStore, MemoryBackend, Utf8, VersionedStore};
    /// # let store = ByteVersionedStore::new(ByteStore::new("prices", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// # let prices =
    /// #     VersionedStore::<String, i64>::new(Rc::new(RefCell::new(store)), Arc::new(Utf8), Arc::new(BigEndian));
    /// let tea = "tea".to_owned();
    /// prices.put(&tea, &300, 1_000)?;
    /// assert_eq!(prices.delete(&tea, 5_000)?.map(|version| version.value), Some(300));
    /// assert_eq!(prices.get(&tea)?, None);
    /// assert_eq!(prices.get_as_of(&tea, 4_999)?.and_then(|version| version.valid_to), Some(5_000));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn delete(&self, key: &K, timestamp: i64) -> Result<Option<VersionedRecord<V>>, StoreError> {
        let mut store = self.store.borrow_mut();
        let key = self.key(&store, key)?;
        if timestamp < store.kept_from() {
            return Ok(None);
        }
        let before = store.get_as_of(&key, timestamp)?;
        store.put(&key, None, timestamp)?;
        before.map(|version| self.decode(&store, version)).transpose()
    }

    fn key(&self, store: &ByteVersionedStore, key: &K) -> Result<Bytes, StoreError> {
        encode_key(store.store().name(), &*self.keys, key)
    }

    fn decode(
        &self,
        store: &ByteVersionedStore,
        version: VersionedRecord<Bytes>,
    ) -> Result<VersionedRecord<V>, StoreError> {
        let VersionedRecord { value, timestamp, valid_to } = version;
        let value = self.values.decode(value).map_err(|source| codec_error(store.store().name(), source))?;
        Ok(VersionedRecord { value, timestamp, valid_to })
    }
}

impl<K, V> Clone for VersionedStore<K, V> {
    fn clone(&self) -> Self {
        Self { store: Rc::clone(&self.store), keys: Arc::clone(&self.keys), values: Arc::clone(&self.values) }
    }
}
