//! A typed handle to a store.

use std::cell::RefCell;
use std::ops::{Bound, RangeBounds};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use super::{KeyValueIterator, codec_error, encode_key};
use crate::walk::Walk;
use crate::{ByteStore, Codec, Direction, Row, StoreError};

/// Values by key (`TimestampedKeyValueStore` in Kafka Streams). Clones are handles to the same store. A processor gets
/// one from its context; a test gets one from the driver.
///
/// Reads see uncommitted writes of the same task. Times are event time in milliseconds since the epoch.
///
/// ```
/// use std::{cell::RefCell, rc::Rc, sync::Arc};
/// use tidemill_state::{BigEndian, KeyValueStore, MemoryBackend, ByteStore, Utf8};
///
/// let store = ByteStore::new("points", Box::new(MemoryBackend::new()));
/// let points = KeyValueStore::<String, i64>::new(Rc::new(RefCell::new(store)), Arc::new(Utf8), Arc::new(BigEndian));
/// points.put(&"ann".into(), &3, 1_000)?;
/// assert_eq!(points.clone().get(&"ann".into())?, Some(3));
/// # Ok::<(), tidemill_state::StoreError>(())
/// ```
pub struct KeyValueStore<K, V> {
    store: Rc<RefCell<ByteStore>>,
    keys: Arc<dyn Codec<K>>,
    values: Arc<dyn Codec<V>>,
}

impl<K: 'static, V: 'static> KeyValueStore<K, V> {
    /// Creates a handle to `store` with two codecs. See the example of [`KeyValueStore`].
    pub fn new(store: Rc<RefCell<ByteStore>>, keys: Arc<dyn Codec<K>>, values: Arc<dyn Codec<V>>) -> Self {
        Self { store, keys, values }
    }

    /// The value of `key`, if it has one (`ReadOnlyKeyValueStore.get` in Kafka Streams).
    ///
    /// # Errors
    ///
    /// If the store cannot be read, or if the codec rejects the key or the stored bytes. All methods of this type fail
    /// so.
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, KeyValueStore, MemoryBackend, ByteStore, Utf8};
    /// # let store = Rc::new(RefCell::new(ByteStore::new("points", Box::new(MemoryBackend::new()))));
    /// # let points = KeyValueStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// points.put(&"ann".into(), &3, 1_000)?;
    /// assert_eq!((points.get(&"ann".into())?, points.get(&"bo".into())?), (Some(3), None));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn get(&self, key: &K) -> Result<Option<V>, StoreError> {
        Ok(self.get_with_timestamp(key)?.map(|(value, _)| value))
    }

    /// The value of `key` and its event time in milliseconds since the epoch (`ValueAndTimestamp` in Kafka Streams).
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, KeyValueStore, MemoryBackend, ByteStore, Utf8};
    /// # let store = Rc::new(RefCell::new(ByteStore::new("points", Box::new(MemoryBackend::new()))));
    /// # let points = KeyValueStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// points.put(&"ann".into(), &3, 1_000)?;
    /// assert_eq!(points.get_with_timestamp(&"ann".into())?, Some((3, 1_000)));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn get_with_timestamp(&self, key: &K) -> Result<Option<(V, i64)>, StoreError> {
        let store = self.store.borrow();
        let Some(row) = store.get(&self.key(&store, key)?)? else {
            return Ok(None);
        };
        Ok(Some((self.value(&store, row.value)?, row.timestamp)))
    }

    /// Writes a value with its event time in milliseconds since the epoch (`KeyValueStore.put` in Kafka Streams). A
    /// value that its codec encodes as null deletes the key.
    ///
    /// ```
    /// use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// use tidemill_state::{BigEndian, KeyValueStore, MemoryBackend, Nullable, ByteStore, Utf8};
    ///
    /// let store = Rc::new(RefCell::new(ByteStore::new("points", Box::new(MemoryBackend::new()))));
    /// let points: KeyValueStore<String, Option<i64>> =
    ///     KeyValueStore::new(store, Arc::new(Utf8), Arc::new(Nullable(BigEndian)));
    /// points.put(&"ann".into(), &Some(3), 1_000)?;
    /// points.put(&"ann".into(), &None, 2_000)?;
    /// assert_eq!(points.all().count(), 0);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn put(&self, key: &K, value: &V, timestamp: i64) -> Result<(), StoreError> {
        let mut store = self.store.borrow_mut();
        store.check_writable()?;
        let key = self.key(&store, key)?;
        match self.values.encode(value).map_err(|source| codec_error(store.name(), source))? {
            Some(value) => store.put(key, Row { timestamp, value }),
            None => store.delete(key),
        }
        Ok(())
    }

    /// Deletes the value of `key`, if it has one (`KeyValueStore.delete` in Kafka Streams, which returns the old
    /// value).
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, KeyValueStore, MemoryBackend, ByteStore, Utf8};
    /// # let store = Rc::new(RefCell::new(ByteStore::new("points", Box::new(MemoryBackend::new()))));
    /// # let points = KeyValueStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// points.put(&"ann".into(), &3, 1_000)?;
    /// points.delete(&"ann".into())?;
    /// assert_eq!(points.get(&"ann".into())?, None);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn delete(&self, key: &K) -> Result<(), StoreError> {
        let mut store = self.store.borrow_mut();
        store.check_writable()?;
        let key = self.key(&store, key)?;
        store.delete(key);
        Ok(())
    }

    /// Writes a value if the key has none. Otherwise returns the existing value (`KeyValueStore.putIfAbsent` in Kafka
    /// Streams).
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, KeyValueStore, MemoryBackend, ByteStore, Utf8};
    /// # let store = Rc::new(RefCell::new(ByteStore::new("points", Box::new(MemoryBackend::new()))));
    /// # let points = KeyValueStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// assert_eq!(points.put_if_absent(&"ann".into(), &3, 1_000)?, None);
    /// assert_eq!(points.put_if_absent(&"ann".into(), &9, 2_000)?, Some(3));
    /// assert_eq!(points.get_with_timestamp(&"ann".into())?, Some((3, 1_000)));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn put_if_absent(&self, key: &K, value: &V, timestamp: i64) -> Result<Option<V>, StoreError> {
        let existing = self.get(key)?;
        if existing.is_none() {
            self.put(key, value, timestamp)?;
        }
        Ok(existing)
    }

    /// The entries between two keys, in the order of the keys' bytes (`ReadOnlyKeyValueStore.range` in Kafka Streams).
    /// `..=` includes the upper key, as Kafka Streams does. An end that is left open stands for its null.
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, KeyValueStore, MemoryBackend, ByteStore, Utf8};
    /// # let store = Rc::new(RefCell::new(ByteStore::new("points", Box::new(MemoryBackend::new()))));
    /// # let points = KeyValueStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// for (name, number) in [("ann", 3), ("bo", 5), ("cy", 7)] {
    ///     points.put(&name.into(), &number, 0)?;
    /// }
    /// assert_eq!(points.range("b".to_owned()..="bo".to_owned()).read_all()?, [("bo".to_owned(), 5)]);
    /// assert_eq!(points.range("bo".to_owned()..).count(), 2);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn range(&self, keys: impl RangeBounds<K>) -> KeyValueIterator<K, V> {
        self.between(&keys, Direction::Forward)
    }

    /// As [`range`](Self::range), last key first (`ReadOnlyKeyValueStore.reverseRange` in Kafka Streams).
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, KeyValueStore, MemoryBackend, ByteStore, Utf8};
    /// # let store = Rc::new(RefCell::new(ByteStore::new("points", Box::new(MemoryBackend::new()))));
    /// # let points = KeyValueStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// for (name, number) in [("ann", 3), ("bo", 5), ("cy", 7)] {
    ///     points.put(&name.into(), &number, 0)?;
    /// }
    /// let last_below_cy = points.reverse_range(.."cy".to_owned()).next().transpose()?;
    /// assert_eq!(last_below_cy, Some(("bo".to_owned(), 5)));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn reverse_range(&self, keys: impl RangeBounds<K>) -> KeyValueIterator<K, V> {
        self.between(&keys, Direction::Reverse)
    }

    /// Entries whose keys begin with these bytes, in the order of the keys' bytes (`prefixScan` in Kafka Streams,
    /// KIP-614). The prefix is compared with encoded keys.
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, KeyValueStore, MemoryBackend, ByteStore, Utf8};
    /// # let store = Rc::new(RefCell::new(ByteStore::new("points", Box::new(MemoryBackend::new()))));
    /// # let points = KeyValueStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// for (name, number) in [("room-1/ann", 3), ("room-1/bo", 5), ("room-2/ann", 7)] {
    ///     points.put(&name.into(), &number, 0)?;
    /// }
    /// let in_room_1: Vec<_> = points.prefix_scan(b"room-1/").read_all()?.into_iter().map(|(_, points)| points).collect();
    /// assert_eq!(in_room_1, [3, 5]);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn prefix_scan(&self, prefix: &[u8]) -> KeyValueIterator<K, V> {
        // The upper bound is the prefix with its last byte below 255 increased by one.
        let grows = prefix.iter().rposition(|byte| *byte != u8::MAX);
        let after = grows.map(|last| [&prefix[..last], &[prefix[last] + 1]].concat());
        let to = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.into()));
        self.walk(Walk::new(Bound::Included(Bytes::copy_from_slice(prefix)), to, Direction::Forward))
    }

    /// All entries, in the order of the keys' bytes (`ReadOnlyKeyValueStore.all` in Kafka Streams).
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, KeyValueStore, MemoryBackend, ByteStore, Utf8};
    /// # let store = Rc::new(RefCell::new(ByteStore::new("points", Box::new(MemoryBackend::new()))));
    /// # let points = KeyValueStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// points.put(&"bo".into(), &5, 0)?;
    /// points.put(&"ann".into(), &3, 1)?;
    /// assert_eq!(points.all().read_all()?, [("ann".to_owned(), 3), ("bo".to_owned(), 5)]);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn all(&self) -> KeyValueIterator<K, V> {
        self.walk(Walk::new(Bound::Unbounded, Bound::Unbounded, Direction::Forward))
    }

    /// As [`all`](Self::all), last key first (`ReadOnlyKeyValueStore.reverseAll` in Kafka Streams).
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, KeyValueStore, MemoryBackend, ByteStore, Utf8};
    /// # let store = Rc::new(RefCell::new(ByteStore::new("points", Box::new(MemoryBackend::new()))));
    /// # let points = KeyValueStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// points.put(&"bo".into(), &5, 0)?;
    /// points.put(&"ann".into(), &3, 1)?;
    /// assert_eq!(points.reverse_all().read_all()?, [("bo".to_owned(), 5), ("ann".to_owned(), 3)]);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn reverse_all(&self) -> KeyValueIterator<K, V> {
        self.walk(Walk::new(Bound::Unbounded, Bound::Unbounded, Direction::Reverse))
    }

    /// The approximate number of values (`approximateNumEntries` in Kafka Streams). An overwritten value may count
    /// twice.
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, KeyValueStore, MemoryBackend, ByteStore, Utf8};
    /// # let store = Rc::new(RefCell::new(ByteStore::new("points", Box::new(MemoryBackend::new()))));
    /// # let points = KeyValueStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// points.put(&"ann".into(), &3, 0)?;
    /// assert_eq!(points.approximate_len()?, 1);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn approximate_len(&self) -> Result<u64, StoreError> {
        self.store.borrow().approximate_len()
    }

    fn between(&self, keys: &impl RangeBounds<K>, direction: Direction) -> KeyValueIterator<K, V> {
        let bound = |bound: Bound<&K>| {
            let store = self.store.borrow();
            Ok(match bound {
                Bound::Included(key) => Bound::Included(self.key(&store, key)?),
                Bound::Excluded(key) => Bound::Excluded(self.key(&store, key)?),
                Bound::Unbounded => Bound::Unbounded,
            })
        };
        let walk = || Ok(Walk::new(bound(keys.start_bound())?, bound(keys.end_bound())?, direction));
        KeyValueIterator::or_error(walk().map(|walk| self.walk(walk)))
    }

    fn walk(&self, mut walk: Walk) -> KeyValueIterator<K, V> {
        let handle = self.clone();
        KeyValueIterator::new(move || {
            let store = handle.store.borrow();
            let row = walk.next(&store)?;
            Some(row.and_then(|(key, row)| {
                let key = handle.keys.decode(key).map_err(|source| codec_error(store.name(), source))?;
                Ok((key, handle.value(&store, row.value)?))
            }))
        })
    }

    fn key(&self, store: &ByteStore, key: &K) -> Result<Bytes, StoreError> {
        encode_key(store.name(), &*self.keys, key)
    }

    fn value(&self, store: &ByteStore, bytes: Bytes) -> Result<V, StoreError> {
        self.values.decode(bytes).map_err(|source| codec_error(store.name(), source))
    }
}

impl<K, V> Clone for KeyValueStore<K, V> {
    fn clone(&self) -> Self {
        Self { store: Rc::clone(&self.store), keys: Arc::clone(&self.keys), values: Arc::clone(&self.values) }
    }
}

#[cfg(test)]
mod tests;
