//! A typed handle to a window store.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use super::{KeyValueIterator, codec_error, encode_key};
use crate::{ByteWindowStore, Codec, CodecError, Direction, Row, StoreError, WindowKey, WindowWalk};

/// Values by key and window (`TimestampedWindowStore` in Kafka Streams). Clones are handles to the same store.
///
/// A window either holds one value ([`put`](Self::put)) or collects elements ([`append`](Self::append)); Kafka Streams
/// has the former only. Starts and times are event time in milliseconds since the epoch. A start below 0 is an error
/// for writes, and has no value for reads.
///
/// ```
/// use std::{cell::RefCell, rc::Rc, sync::Arc};
/// use tidemill_state::{BigEndian, MemoryBackend, ByteStore, Utf8, ByteWindowStore, WindowStore};
///
/// // Windows are kept for an hour of stream time.
/// let store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
/// let views = WindowStore::<String, i64>::new(Rc::new(RefCell::new(store)), Arc::new(Utf8), Arc::new(BigEndian));
/// views.put(&"ann".into(), 60_000, &3, 61_500)?;
/// assert_eq!(views.get(&"ann".into(), 60_000)?, Some(3));
/// assert_eq!(views.get(&"ann".into(), 0)?, None);
/// # Ok::<(), tidemill_state::StoreError>(())
/// ```
pub struct WindowStore<K, V> {
    store: Rc<RefCell<ByteWindowStore>>,
    keys: Arc<dyn Codec<K>>,
    values: Arc<dyn Codec<V>>,
}

impl<K: 'static, V: 'static> WindowStore<K, V> {
    /// Creates a handle to `store` with two codecs. See the example of [`WindowStore`].
    pub fn new(store: Rc<RefCell<ByteWindowStore>>, keys: Arc<dyn Codec<K>>, values: Arc<dyn Codec<V>>) -> Self {
        Self { store, keys, values }
    }

    /// The value of the key's window that starts at `start` (`ReadOnlyWindowStore.fetch` in Kafka Streams). See the
    /// example of [`WindowStore`].
    ///
    /// # Errors
    ///
    /// If the store cannot be read, or if the codec rejects the key or the stored bytes. All methods of this type fail
    /// so.
    pub fn get(&self, key: &K, start: i64) -> Result<Option<V>, StoreError> {
        if start < 0 {
            return Ok(None);
        }
        let store = self.store.borrow();
        let row = store.get(start, &self.key(&store, key)?)?;
        row.map(|row| self.value(&store, row.value)).transpose()
    }

    /// Writes the value of a key's window (`WindowStore.put` in Kafka Streams). A null deletes the value. See the
    /// example of [`WindowStore`].
    pub fn put(&self, key: &K, start: i64, value: &V, timestamp: i64) -> Result<(), StoreError> {
        let mut store = self.store.borrow_mut();
        check(&store, start)?;
        let key = self.key(&store, key)?;
        match self.values.encode(value).map_err(|source| error(&store, source))? {
            Some(value) => store.put(start, &key, Row { timestamp, value }),
            None => store.delete(start, &key),
        }
        Ok(())
    }

    /// Deletes the value of a key's window.
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, MemoryBackend, ByteStore, Utf8, ByteWindowStore, WindowStore};
    /// # let store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// # let store = Rc::new(RefCell::new(store));
    /// # let views = WindowStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// views.put(&"ann".into(), 60_000, &3, 61_500)?;
    /// views.delete(&"ann".into(), 60_000)?;
    /// assert_eq!(views.get(&"ann".into(), 60_000)?, None);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn delete(&self, key: &K, start: i64) -> Result<(), StoreError> {
        let mut store = self.store.borrow_mut();
        check(&store, start)?;
        let key = self.key(&store, key)?;
        store.delete(start, &key);
        Ok(())
    }

    /// Appends an element to a key's window and returns its sequence number, from 0. A null is an error. An element
    /// costs one row, whatever the number of elements.
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, MemoryBackend, ByteStore, Utf8, ByteWindowStore, WindowStore};
    /// # let store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// # let store = Rc::new(RefCell::new(store));
    /// # let views = WindowStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// assert_eq!(views.append(&"ann".into(), 60_000, &7, 61_500)?, 0);
    /// assert_eq!(views.append(&"ann".into(), 60_000, &8, 61_600)?, 1);
    /// assert_eq!(views.elements(&"ann".into(), 60_000)?, [7, 8]);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn append(&self, key: &K, start: i64, value: &V, timestamp: i64) -> Result<u32, StoreError> {
        let mut store = self.store.borrow_mut();
        check(&store, start)?;
        let key = self.key(&store, key)?;
        let value = self.values.encode(value).and_then(|value| value.ok_or(CodecError::Null));
        let value = value.map_err(|source| error(&store, source))?;
        store.append(start, &key, Row { timestamp, value })
    }

    /// The elements of a key's window, in the order they were appended. See the example of [`append`](Self::append).
    pub fn elements(&self, key: &K, start: i64) -> Result<Vec<V>, StoreError> {
        if start < 0 {
            return Ok(Vec::new());
        }
        let store = self.store.borrow();
        let rows = store.elements(start, &self.key(&store, key)?)?;
        rows.into_iter().map(|row| self.value(&store, row.value)).collect()
    }

    /// The values of a key in windows that start in `[from_start, to_start)`, with the windows' starts, earliest first
    /// (`ReadOnlyWindowStore.fetch` in Kafka Streams, where the end is inclusive). Values of other keys are not read.
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, MemoryBackend, ByteStore, Utf8, ByteWindowStore, WindowStore};
    /// # let store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// # let store = Rc::new(RefCell::new(store));
    /// # let views = WindowStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// views.put(&"ann".into(), 0, &1, 0)?;
    /// views.put(&"ann".into(), 60_000, &3, 61_500)?;
    /// views.put(&"bo".into(), 60_000, &9, 61_500)?;
    /// assert_eq!(views.fetch(&"ann".into(), 0, 60_001).read_all()?, [(0, 1), (60_000, 3)]);
    /// assert_eq!(views.fetch(&"ann".into(), 0, 60_000).read_all()?, [(0, 1)]);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn fetch(&self, key: &K, from_start: i64, to_start: i64) -> KeyValueIterator<i64, V> {
        self.of_key(key, from_start, to_start, Direction::Forward)
    }

    /// As [`fetch`](Self::fetch), last window first (`ReadOnlyWindowStore.backwardFetch` in Kafka Streams).
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, MemoryBackend, ByteStore, Utf8, ByteWindowStore, WindowStore};
    /// # let store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// # let store = Rc::new(RefCell::new(store));
    /// # let views = WindowStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// views.put(&"ann".into(), 0, &1, 0)?;
    /// views.put(&"ann".into(), 60_000, &3, 61_500)?;
    /// let last = views.backward_fetch(&"ann".into(), 0, i64::MAX).next().transpose()?;
    /// assert_eq!(last, Some((60_000, 3)));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn backward_fetch(&self, key: &K, from_start: i64, to_start: i64) -> KeyValueIterator<i64, V> {
        self.of_key(key, from_start, to_start, Direction::Reverse)
    }

    /// The values of keys between two keys, both inclusive, in windows that start in `[from_start, to_start)`, by start,
    /// then key (`ReadOnlyWindowStore.fetch` with two keys in Kafka Streams). Values of other keys are not read.
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, MemoryBackend, ByteStore, Utf8, ByteWindowStore, WindowStore};
    /// # let store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// # let store = Rc::new(RefCell::new(store));
    /// # let views = WindowStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// for name in ["ann", "bo", "cy"] {
    ///     views.put(&name.into(), 0, &1, 0)?;
    /// }
    /// let found = views.fetch_keys(&"b".into()..=&"c".into(), 0, 1).read_all()?;
    /// assert_eq!(found, [(("bo".to_owned(), 0), 1)]);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn fetch_keys(
        &self,
        keys: RangeInclusive<&K>,
        from_start: i64,
        to_start: i64,
    ) -> KeyValueIterator<(K, i64), V> {
        self.of_keys(keys, from_start, to_start, Direction::Forward)
    }

    /// As [`fetch_keys`](Self::fetch_keys), last window and key first (`ReadOnlyWindowStore.backwardFetch` with two keys
    /// in Kafka Streams).
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, MemoryBackend, ByteStore, Utf8, ByteWindowStore, WindowStore};
    /// # let store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// # let store = Rc::new(RefCell::new(store));
    /// # let views = WindowStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// for name in ["ann", "bo", "cy"] {
    ///     views.put(&name.into(), 0, &1, 0)?;
    /// }
    /// let last = views.backward_fetch_keys(&"a".into()..=&"c".into(), 0, 1).next().transpose()?;
    /// assert_eq!(last, Some((("bo".to_owned(), 0), 1)));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn backward_fetch_keys(
        &self,
        keys: RangeInclusive<&K>,
        from_start: i64,
        to_start: i64,
    ) -> KeyValueIterator<(K, i64), V> {
        self.of_keys(keys, from_start, to_start, Direction::Reverse)
    }

    /// The values of all keys in windows that start in `[from_start, to_start)`, by start, then key
    /// (`ReadOnlyWindowStore.fetchAll` in Kafka Streams, where the end is inclusive).
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, MemoryBackend, ByteStore, Utf8, ByteWindowStore, WindowStore};
    /// # let store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// # let store = Rc::new(RefCell::new(store));
    /// # let views = WindowStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// views.put(&"ann".into(), 60_000, &3, 61_500)?;
    /// views.put(&"bo".into(), 0, &9, 0)?;
    /// assert_eq!(views.fetch_all(0, 60_000).read_all()?, [(("bo".to_owned(), 0), 9)]);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn fetch_all(&self, from_start: i64, to_start: i64) -> KeyValueIterator<(K, i64), V> {
        self.walk(WindowWalk::of_all(from_start, to_start, Direction::Forward))
    }

    /// As [`fetch_all`](Self::fetch_all), last window and key first (`ReadOnlyWindowStore.backwardFetchAll` in Kafka
    /// Streams).
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, MemoryBackend, ByteStore, Utf8, ByteWindowStore, WindowStore};
    /// # let store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// # let store = Rc::new(RefCell::new(store));
    /// # let views = WindowStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// views.put(&"ann".into(), 0, &3, 0)?;
    /// views.put(&"bo".into(), 0, &9, 0)?;
    /// assert_eq!(views.backward_fetch_all(0, 1).next().transpose()?, Some((("bo".to_owned(), 0), 9)));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn backward_fetch_all(&self, from_start: i64, to_start: i64) -> KeyValueIterator<(K, i64), V> {
        self.walk(WindowWalk::of_all(from_start, to_start, Direction::Reverse))
    }

    /// Deletes all rows of a key, in all windows, and returns the number of rows. This reads the rows of every key.
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, MemoryBackend, ByteStore, Utf8, ByteWindowStore, WindowStore};
    /// # let store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// # let store = Rc::new(RefCell::new(store));
    /// # let views = WindowStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// views.put(&"ann".into(), 0, &1, 0)?;
    /// views.put(&"ann".into(), 60_000, &3, 61_500)?;
    /// assert_eq!(views.delete_key(&"ann".into())?, 2);
    /// assert_eq!(views.all().count(), 0);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn delete_key(&self, key: &K) -> Result<usize, StoreError> {
        let mut store = self.store.borrow_mut();
        let key = self.key(&store, key)?;
        store.delete_key(&key)
    }

    /// All values with their keys and windows' starts, by start, then key (`ReadOnlyWindowStore.all` in Kafka Streams,
    /// which goes by key).
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, MemoryBackend, ByteStore, Utf8, ByteWindowStore, WindowStore};
    /// # let store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// # let store = Rc::new(RefCell::new(store));
    /// # let views = WindowStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// views.put(&"ann".into(), 60_000, &3, 61_500)?;
    /// views.put(&"bo".into(), 0, &9, 0)?;
    /// assert_eq!(views.all().read_all()?, [(("bo".to_owned(), 0), 9), (("ann".to_owned(), 60_000), 3)]);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn all(&self) -> KeyValueIterator<(K, i64), V> {
        self.fetch_all(0, i64::MAX)
    }

    /// As [`all`](Self::all), last window and key first (`ReadOnlyWindowStore.backwardAll` in Kafka Streams).
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, MemoryBackend, ByteStore, Utf8, ByteWindowStore, WindowStore};
    /// # let store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// # let store = Rc::new(RefCell::new(store));
    /// # let views = WindowStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// views.put(&"ann".into(), 60_000, &3, 61_500)?;
    /// views.put(&"bo".into(), 0, &9, 0)?;
    /// assert_eq!(views.backward_all().next().transpose()?, Some((("ann".to_owned(), 60_000), 3)));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn backward_all(&self) -> KeyValueIterator<(K, i64), V> {
        self.backward_fetch_all(0, i64::MAX)
    }

    fn of_key(&self, key: &K, from_start: i64, to_start: i64, direction: Direction) -> KeyValueIterator<i64, V> {
        let key = self.key(&self.store.borrow(), key);
        let walk = key.map(|key| WindowWalk::of_keys(&key..=&key, from_start, to_start, direction));
        KeyValueIterator::or_error(walk.map(|walk| self.decoded(walk, |_, at| Ok(at.start))))
    }

    fn of_keys(
        &self,
        keys: RangeInclusive<&K>,
        from_start: i64,
        to_start: i64,
        direction: Direction,
    ) -> KeyValueIterator<(K, i64), V> {
        let walk = || {
            let store = self.store.borrow();
            let (first, last) = (self.key(&store, keys.start())?, self.key(&store, keys.end())?);
            Ok(WindowWalk::of_keys(first..=last, from_start, to_start, direction))
        };
        KeyValueIterator::or_error(walk().map(|walk| self.walk(walk)))
    }

    fn walk(&self, walk: WindowWalk) -> KeyValueIterator<(K, i64), V> {
        self.decoded(walk, |handle, at| Ok((handle.keys.decode(at.key)?, at.start)))
    }

    /// The rows of a walk, with what is wanted of their keys.
    fn decoded<T: 'static>(
        &self,
        mut walk: WindowWalk,
        of_key: impl Fn(&Self, WindowKey) -> Result<T, CodecError> + 'static,
    ) -> KeyValueIterator<T, V> {
        let handle = self.clone();
        KeyValueIterator::new(move || {
            let store = handle.store.borrow();
            let row = walk.next(&store)?;
            Some(row.and_then(|(at, row)| {
                let key = of_key(&handle, at).map_err(|source| error(&store, source))?;
                Ok((key, handle.value(&store, row.value)?))
            }))
        })
    }

    fn key(&self, store: &ByteWindowStore, key: &K) -> Result<Bytes, StoreError> {
        encode_key(store.store().name(), &*self.keys, key)
    }

    fn value(&self, store: &ByteWindowStore, bytes: Bytes) -> Result<V, StoreError> {
        self.values.decode(bytes).map_err(|source| error(store, source))
    }
}

impl<K, V> Clone for WindowStore<K, V> {
    fn clone(&self) -> Self {
        Self { store: Rc::clone(&self.store), keys: Arc::clone(&self.keys), values: Arc::clone(&self.values) }
    }
}

/// Windows start at 0 or later. A row with a negative start would never be found and would never expire.
fn check(store: &ByteWindowStore, start: i64) -> Result<(), StoreError> {
    let malformed = || CodecError::Malformed { expected: "a window's start, 0 or later", reason: start.to_string() };
    if start < 0 { Err(error(store, malformed())) } else { Ok(()) }
}

fn error(store: &ByteWindowStore, source: CodecError) -> StoreError {
    codec_error(store.store().name(), source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BigEndian, ByteStore, MemoryBackend, Utf8};

    #[test]
    fn windows_by_key_and_start() {
        let store = ByteStore::new("counts", Box::new(MemoryBackend::new()));
        let store = Rc::new(RefCell::new(ByteWindowStore::new(store, 1_000).unwrap()));
        let counts: WindowStore<String, i64> = WindowStore::new(store, Arc::new(Utf8), Arc::new(BigEndian));
        let (a, b) = ("a".to_owned(), "b".to_owned());
        counts.put(&a, 0, &1, 5).unwrap();
        counts.put(&b, 0, &2, 6).unwrap();
        counts.put(&a, 60, &3, 61).unwrap();
        assert_eq!(counts.get(&a, 60).unwrap(), Some(3));
        assert_eq!(counts.fetch(&a, 0, 61).read_all().unwrap(), [(0, 1), (60, 3)]);
        assert_eq!(counts.fetch(&a, 0, 60).read_all().unwrap(), [(0, 1)]);
        counts.delete(&a, 0).unwrap();
        assert_eq!(counts.all().read_all().unwrap(), [((b.clone(), 0), 2), ((a.clone(), 60), 3)]);
        assert_eq!(counts.append(&a, 120, &7, 0).unwrap(), 0);
        assert_eq!(counts.append(&a, 120, &8, 0).unwrap(), 1);
        assert_eq!(counts.elements(&a, 120).unwrap(), [7, 8]);
    }

    #[test]
    fn no_window_starts_before_0() {
        let store = ByteStore::new("counts", Box::new(MemoryBackend::new()));
        let store = Rc::new(RefCell::new(ByteWindowStore::new(store, 1_000).unwrap()));
        let counts: WindowStore<String, i64> = WindowStore::new(store, Arc::new(Utf8), Arc::new(BigEndian));
        let a = "a".to_owned();
        let refused = counts.append(&a, -60, &1, 0).unwrap_err().to_string();
        assert!(refused.contains("counts"), "{refused}");
        assert!(counts.put(&a, -60, &1, 0).is_err() && counts.delete(&a, -60).is_err());
        assert_eq!(counts.get(&a, -60).unwrap(), None);
        assert!(counts.elements(&a, -60).unwrap().is_empty());
    }
}
