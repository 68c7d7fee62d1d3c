//! Walks over the sessions of a typed store.

use std::ops::{Bound, RangeBounds};

use super::{Session, SessionStore, error};
use crate::session::SessionWalk;
use crate::{CodecError, Direction, KeyValueIterator, SessionKey};

impl<K: 'static, V: 'static> SessionStore<K, V> {
    /// All sessions of a key, earliest end first (`ReadOnlySessionStore.fetch` in Kafka Streams). Other keys are not
    /// read. See the example of [`SessionStore`].
    pub fn fetch(&self, key: &K) -> KeyValueIterator<Session, V> {
        self.find_sessions(key, 0, i64::MAX)
    }

    /// As [`fetch`](Self::fetch), latest end first (`ReadOnlySessionStore.backwardFetch` in Kafka Streams). See the
    /// example of [`SessionStore`].
    pub fn backward_fetch(&self, key: &K) -> KeyValueIterator<Session, V> {
        self.backward_find_sessions(key, 0, i64::MAX)
    }

    /// The sessions of a key that end at `earliest_end` or later and start at `latest_start` or earlier, earliest end
    /// first (`ReadOnlySessionStore.findSessions` in Kafka Streams). Other keys are not read.
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, ByteSessionStore, ByteStore, MemoryBackend, Session, SessionStore, Utf8};
    /// # let store = ByteSessionStore::new(ByteStore::new("visits", Box::new(MemoryBackend::new())), 3_600_000);
    /// # let store = Rc::new(RefCell::new(store));
    /// # let visits = SessionStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// let ann = "ann".to_owned();
    /// for start in [0, 10, 20] {
    ///     visits.put(&ann, start, start + 5, &start)?;
    /// }
    /// let (first, second) = (Session { start: 0, end: 5 }, Session { start: 10, end: 15 });
    /// assert_eq!(visits.find_sessions(&ann, 5, 10).read_all()?, [(first, 0), (second, 10)]);
    /// assert_eq!(visits.find_sessions(&ann, 6, 19).read_all()?, [(second, 10)]);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn find_sessions(&self, key: &K, earliest_end: i64, latest_start: i64) -> KeyValueIterator<Session, V> {
        self.of_key(key, earliest_end, latest_start, Direction::Forward)
    }

    /// As [`find_sessions`](Self::find_sessions), latest end first (`ReadOnlySessionStore.backwardFindSessions` in Kafka
    /// Streams).
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, ByteSessionStore, ByteStore, MemoryBackend, Session, SessionStore, Utf8};
    /// # let store = ByteSessionStore::new(ByteStore::new("visits", Box::new(MemoryBackend::new())), 3_600_000);
    /// # let store = Rc::new(RefCell::new(store));
    /// # let visits = SessionStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// let ann = "ann".to_owned();
    /// visits.put(&ann, 0, 5, &1)?;
    /// visits.put(&ann, 10, 15, &2)?;
    /// let last = visits.backward_find_sessions(&ann, 0, 15).next().transpose()?;
    /// assert_eq!(last, Some((Session { start: 10, end: 15 }, 2)));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn backward_find_sessions(
        &self,
        key: &K,
        earliest_end: i64,
        latest_start: i64,
    ) -> KeyValueIterator<Session, V> {
        self.of_key(key, earliest_end, latest_start, Direction::Reverse)
    }

    /// All sessions of a range of keys, by the bytes of the key, then end, then start (`ReadOnlySessionStore.fetch` with two
    /// keys in Kafka Streams, which may be null since KIP-763). Other keys are not read.
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, ByteSessionStore, ByteStore, MemoryBackend, Session, SessionStore, Utf8};
    /// # let store = ByteSessionStore::new(ByteStore::new("visits", Box::new(MemoryBackend::new())), 3_600_000);
    /// # let store = Rc::new(RefCell::new(store));
    /// # let visits = SessionStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// for name in ["ann", "bo", "cy"] {
    ///     visits.put(&name.into(), 0, 5_000, &3)?;
    /// }
    /// let found = visits.fetch_keys("b".to_owned()..="c".to_owned()).read_all()?;
    /// assert_eq!(found, [(("bo".to_owned(), Session { start: 0, end: 5_000 }), 3)]);
    /// assert_eq!(visits.fetch_keys("b".to_owned()..).count(), 2);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn fetch_keys(&self, keys: impl RangeBounds<K>) -> KeyValueIterator<(K, Session), V> {
        self.find_sessions_of_keys(keys, 0, i64::MAX)
    }

    /// As [`fetch_keys`](Self::fetch_keys), last key and latest end first (`ReadOnlySessionStore.backwardFetch` with two
    /// keys in Kafka Streams).
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, ByteSessionStore, ByteStore, MemoryBackend, Session, SessionStore, Utf8};
    /// # let store = ByteSessionStore::new(ByteStore::new("visits", Box::new(MemoryBackend::new())), 3_600_000);
    /// # let store = Rc::new(RefCell::new(store));
    /// # let visits = SessionStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// for name in ["ann", "bo", "cy"] {
    ///     visits.put(&name.into(), 0, 5_000, &3)?;
    /// }
    /// let last = visits.backward_fetch_keys(.."c".to_owned()).next().transpose()?;
    /// assert_eq!(last, Some((("bo".to_owned(), Session { start: 0, end: 5_000 }), 3)));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn backward_fetch_keys(&self, keys: impl RangeBounds<K>) -> KeyValueIterator<(K, Session), V> {
        self.backward_find_sessions_of_keys(keys, 0, i64::MAX)
    }

    /// As [`find_sessions`](Self::find_sessions), of a range of keys, by the bytes of the key, then end, then start
    /// (`ReadOnlySessionStore.findSessions` with two keys in Kafka Streams).
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, ByteSessionStore, ByteStore, MemoryBackend, SessionStore, Utf8};
    /// # let store = ByteSessionStore::new(ByteStore::new("visits", Box::new(MemoryBackend::new())), 3_600_000);
    /// # let store = Rc::new(RefCell::new(store));
    /// # let visits = SessionStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// for (name, start) in [("ann", 0), ("ann", 10), ("bo", 0), ("cy", 10)] {
    ///     visits.put(&name.into(), start, start + 5, &start)?;
    /// }
    /// let found = visits.find_sessions_of_keys(..="bo".to_owned(), 6, i64::MAX).read_all()?;
    /// assert_eq!(found.iter().map(|((name, _), start)| (&**name, *start)).collect::<Vec<_>>(), [("ann", 10)]);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn find_sessions_of_keys(
        &self,
        keys: impl RangeBounds<K>,
        earliest_end: i64,
        latest_start: i64,
    ) -> KeyValueIterator<(K, Session), V> {
        self.of_keys(&keys, earliest_end, latest_start, Direction::Forward)
    }

    /// As [`find_sessions_of_keys`](Self::find_sessions_of_keys), last key and latest end first
    /// (`ReadOnlySessionStore.backwardFindSessions` with two keys in Kafka Streams).
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, ByteSessionStore, ByteStore, MemoryBackend, SessionStore, Utf8};
    /// # let store = ByteSessionStore::new(ByteStore::new("visits", Box::new(MemoryBackend::new())), 3_600_000);
    /// # let store = Rc::new(RefCell::new(store));
    /// # let visits = SessionStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// for (name, start) in [("ann", 0), ("ann", 10), ("bo", 0), ("cy", 10)] {
    ///     visits.put(&name.into(), start, start + 5, &start)?;
    /// }
    /// let last = visits.backward_find_sessions_of_keys(..="bo".to_owned(), 6, i64::MAX).next();
    /// assert_eq!(last.transpose()?.map(|((name, _), start)| (name, start)), Some(("ann".to_owned(), 10)));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn backward_find_sessions_of_keys(
        &self,
        keys: impl RangeBounds<K>,
        earliest_end: i64,
        latest_start: i64,
    ) -> KeyValueIterator<(K, Session), V> {
        self.of_keys(&keys, earliest_end, latest_start, Direction::Reverse)
    }

    /// The sessions of all keys that end between two times, both inclusive, by end, then start, then the bytes of the key
    /// (`SessionStore.findSessions` with two times in Kafka Streams). Other sessions are not read.
    ///
    /// The order of ends is kept in memory: about 100 bytes for each session. It is read from the store when it is first
    /// needed.
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, ByteSessionStore, ByteStore, MemoryBackend, SessionStore, Utf8};
    /// # let store = ByteSessionStore::new(ByteStore::new("visits", Box::new(MemoryBackend::new())), 3_600_000);
    /// # let store = Rc::new(RefCell::new(store));
    /// # let visits = SessionStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// for (name, start) in [("ann", 10), ("bo", 0), ("cy", 20)] {
    ///     visits.put(&name.into(), start, start + 5, &start)?;
    /// }
    /// let ended = visits.find_sessions_by_end(0, 15).read_all()?;
    /// assert_eq!(ended.iter().map(|((name, _), _)| &**name).collect::<Vec<_>>(), ["bo", "ann"]);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn find_sessions_by_end(&self, earliest_end: i64, latest_end: i64) -> KeyValueIterator<(K, Session), V> {
        let (handle, mut after) = (self.clone(), None::<SessionKey>);
        KeyValueIterator::new(move || {
            let mut next = || {
                let mut store = handle.store.borrow_mut();
                let to_end = latest_end.saturating_add(1);
                while let Some(at) = store.next_by_end(earliest_end, to_end, after.as_ref())? {
                    let row = store.get(&at.key, at.start, at.end)?;
                    after = Some(at.clone());
                    if let Some(row) = row {
                        let session = Session { start: at.start, end: at.end };
                        let key = handle.keys.decode(at.key).map_err(|source| error(&store, source))?;
                        return Ok(Some(((key, session), handle.value(&store, row.value)?)));
                    }
                }
                Ok(None)
            };
            next().transpose()
        })
    }

    /// All sessions with their keys, by the bytes of the key, then end, then start.
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, ByteSessionStore, ByteStore, MemoryBackend, Session, SessionStore, Utf8};
    /// # let store = ByteSessionStore::new(ByteStore::new("visits", Box::new(MemoryBackend::new())), 3_600_000);
    /// # let store = Rc::new(RefCell::new(store));
    /// # let visits = SessionStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// visits.put(&"bo".into(), 0, 5_000, &3)?;
    /// visits.put(&"ann".into(), 60_000, 61_000, &4)?;
    /// let first = visits.all().next().transpose()?;
    /// assert_eq!(first, Some((("ann".to_owned(), Session { start: 60_000, end: 61_000 }), 4)));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn all(&self) -> KeyValueIterator<(K, Session), V> {
        self.fetch_keys(..)
    }

    fn of_key(
        &self,
        key: &K,
        earliest_end: i64,
        latest_start: i64,
        direction: Direction,
    ) -> KeyValueIterator<Session, V> {
        let key = self.key(&self.store.borrow(), key);
        let one = |key: &[u8]| {
            SessionWalk::of_keys((Bound::Included(key), Bound::Included(key)), earliest_end, latest_start, direction)
        };
        let session = |_: &Self, at: SessionKey| Ok(Session { start: at.start, end: at.end });
        KeyValueIterator::or_error(key.map(|key| self.decoded(one(&key), session)))
    }

    fn of_keys(
        &self,
        keys: &impl RangeBounds<K>,
        earliest_end: i64,
        latest_start: i64,
        direction: Direction,
    ) -> KeyValueIterator<(K, Session), V> {
        let walk = || {
            let store = self.store.borrow();
            let bound = |bound: Bound<&K>| {
                Ok(match bound {
                    Bound::Included(key) => Bound::Included(self.key(&store, key)?),
                    Bound::Excluded(key) => Bound::Excluded(self.key(&store, key)?),
                    Bound::Unbounded => Bound::Unbounded,
                })
            };
            let (first, last) = (bound(keys.start_bound())?, bound(keys.end_bound())?);
            let keys = (first.as_ref().map(|key| &**key), last.as_ref().map(|key| &**key));
            Ok(SessionWalk::of_keys(keys, earliest_end, latest_start, direction))
        };
        KeyValueIterator::or_error(walk().map(|walk| self.with_keys(walk)))
    }

    fn with_keys(&self, walk: SessionWalk) -> KeyValueIterator<(K, Session), V> {
        self.decoded(walk, |handle, at| Ok((handle.keys.decode(at.key)?, Session { start: at.start, end: at.end })))
    }

    /// The sessions of a walk, with what is wanted of their keys.
    fn decoded<T: 'static>(
        &self,
        mut walk: SessionWalk,
        of_key: impl Fn(&Self, SessionKey) -> Result<T, CodecError> + 'static,
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
