//! Walks over the windows of a typed store.

use std::ops::RangeInclusive;

use super::{WindowStore, error};
use crate::typed::KeyValueIterator;
use crate::{CodecError, Direction, WindowKey, WindowWalk};

impl<K: 'static, V: 'static> WindowStore<K, V> {
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
}
