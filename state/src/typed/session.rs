//! A typed handle to a session store.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use super::{codec_error, encode_key};
use crate::{ByteSessionStore, Codec, CodecError, Direction, Row, SessionKey, StoreError};

/// A session and its value. Times are event time in milliseconds since the epoch. See the example of [`SessionStore`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session<V> {
    /// The timestamp of the session's first record.
    pub start: i64,
    /// The timestamp of the session's last record.
    pub end: i64,
    /// The value.
    pub value: V,
}

/// Values by key and session (`SessionStore` in Kafka Streams). Clones are handles to the same store.
///
/// Both ends of a session are inclusive. A session that starts below 0, or ends before it starts, is an error for
/// writes, and has no value for reads.
///
/// ```
/// use std::{cell::RefCell, rc::Rc, sync::Arc};
/// use tidemill_state::{BigEndian, ByteSessionStore, ByteStore, MemoryBackend, Session, SessionStore, Utf8};
///
/// // Sessions are kept for an hour of stream time.
/// let store = ByteSessionStore::new(ByteStore::new("visits", Box::new(MemoryBackend::new())), 3_600_000);
/// let visits = SessionStore::<String, i64>::new(Rc::new(RefCell::new(store)), Arc::new(Utf8), Arc::new(BigEndian));
/// visits.put(&"ann".into(), 0, 5_000, &3)?;
/// visits.put(&"ann".into(), 60_000, 61_000, &4)?;
/// assert_eq!(visits.fetch_session(&"ann".into(), 0, 5_000)?, Some(3));
/// let (first, second) = (Session { start: 0, end: 5_000, value: 3 }, Session { start: 60_000, end: 61_000, value: 4 });
/// assert_eq!(visits.fetch(&"ann".into())?, [first.clone(), second.clone()]);
/// assert_eq!(visits.backward_fetch(&"ann".into())?, [second, first]);
/// # Ok::<(), tidemill_state::StoreError>(())
/// ```
pub struct SessionStore<K, V> {
    store: Rc<RefCell<ByteSessionStore>>,
    keys: Arc<dyn Codec<K>>,
    values: Arc<dyn Codec<V>>,
}

impl<K: 'static, V: 'static> SessionStore<K, V> {
    /// Creates a handle to `store` with two codecs. See the example of [`SessionStore`].
    pub fn new(store: Rc<RefCell<ByteSessionStore>>, keys: Arc<dyn Codec<K>>, values: Arc<dyn Codec<V>>) -> Self {
        Self { store, keys, values }
    }

    /// The value of one session (`ReadOnlySessionStore.fetchSession` in Kafka Streams). See the example of
    /// [`SessionStore`].
    ///
    /// # Errors
    ///
    /// If the store cannot be read, or if the codec rejects the key or the stored bytes. All methods of this type fail
    /// so.
    pub fn fetch_session(&self, key: &K, start: i64, end: i64) -> Result<Option<V>, StoreError> {
        if start < 0 || end < start {
            return Ok(None);
        }
        let store = self.store.borrow();
        let row = store.get(&self.key(&store, key)?, start, end)?;
        row.map(|row| self.value(&store, row.value)).transpose()
    }

    /// Writes the value of a session (`SessionStore.put` in Kafka Streams). A null deletes the session. See the example
    /// of [`SessionStore`].
    pub fn put(&self, key: &K, start: i64, end: i64, value: &V) -> Result<(), StoreError> {
        let mut store = self.store.borrow_mut();
        check(&store, start, end)?;
        let key = self.key(&store, key)?;
        match self.values.encode(value).map_err(|source| error(&store, source))? {
            Some(value) => store.put(&key, start, end, Row { timestamp: end, value }),
            None => store.remove(&key, start, end)?,
        }
        Ok(())
    }

    /// Deletes a session (`SessionStore.remove` in Kafka Streams).
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, ByteSessionStore, ByteStore, MemoryBackend, SessionStore, Utf8};
    /// # let store = ByteSessionStore::new(ByteStore::new("visits", Box::new(MemoryBackend::new())), 3_600_000);
    /// # let store = Rc::new(RefCell::new(store));
    /// # let visits = SessionStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// visits.put(&"ann".into(), 0, 5_000, &3)?;
    /// visits.remove(&"ann".into(), 0, 5_000)?;
    /// assert!(visits.fetch(&"ann".into())?.is_empty());
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn remove(&self, key: &K, start: i64, end: i64) -> Result<(), StoreError> {
        let mut store = self.store.borrow_mut();
        check(&store, start, end)?;
        let key = self.key(&store, key)?;
        store.remove(&key, start, end)
    }

    /// All sessions of a key, earliest end first (`ReadOnlySessionStore.fetch` in Kafka Streams). See the example of
    /// [`SessionStore`].
    pub fn fetch(&self, key: &K) -> Result<Vec<Session<V>>, StoreError> {
        self.find_sessions(key, 0, i64::MAX)
    }

    /// As [`fetch`](Self::fetch), latest end first (`ReadOnlySessionStore.backwardFetch` in Kafka Streams).
    pub fn backward_fetch(&self, key: &K) -> Result<Vec<Session<V>>, StoreError> {
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
    /// [(0, 5), (10, 15), (20, 25)].into_iter().try_for_each(|(start, end)| visits.put(&ann, start, end, &7))?;
    /// let starts = |found: Vec<Session<i64>>| found.iter().map(|session| session.start).collect::<Vec<_>>();
    /// assert_eq!(starts(visits.find_sessions(&ann, 5, 10)?), [0, 10]);
    /// assert_eq!(starts(visits.find_sessions(&ann, 6, 19)?), [10]);
    /// assert_eq!(visits.backward_find_sessions(&ann, 6, 20)?[0].start, 20);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn find_sessions(&self, key: &K, earliest_end: i64, latest_start: i64) -> Result<Vec<Session<V>>, StoreError> {
        self.find(key, earliest_end, latest_start, Direction::Forward)
    }

    /// As [`find_sessions`](Self::find_sessions), latest end first (`ReadOnlySessionStore.backwardFindSessions` in Kafka
    /// Streams).
    pub fn backward_find_sessions(
        &self,
        key: &K,
        earliest_end: i64,
        latest_start: i64,
    ) -> Result<Vec<Session<V>>, StoreError> {
        self.find(key, earliest_end, latest_start, Direction::Reverse)
    }

    /// Deletes all sessions of a key, and returns how many there were.
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, ByteSessionStore, ByteStore, MemoryBackend, SessionStore, Utf8};
    /// # let store = ByteSessionStore::new(ByteStore::new("visits", Box::new(MemoryBackend::new())), 3_600_000);
    /// # let store = Rc::new(RefCell::new(store));
    /// # let visits = SessionStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// visits.put(&"ann".into(), 0, 5_000, &3)?;
    /// assert_eq!(visits.delete_key(&"ann".into())?, 1);
    /// assert!(visits.all()?.is_empty());
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn delete_key(&self, key: &K) -> Result<usize, StoreError> {
        let mut store = self.store.borrow_mut();
        let key = self.key(&store, key)?;
        store.delete_key(&key)
    }

    /// All sessions with their keys, by the bytes of the key, then end. All of them are read at once.
    ///
    /// ```
    /// # use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// # use tidemill_state::{BigEndian, ByteSessionStore, ByteStore, MemoryBackend, SessionStore, Utf8};
    /// # let store = ByteSessionStore::new(ByteStore::new("visits", Box::new(MemoryBackend::new())), 3_600_000);
    /// # let store = Rc::new(RefCell::new(store));
    /// # let visits = SessionStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    /// visits.put(&"bo".into(), 0, 5_000, &3)?;
    /// visits.put(&"ann".into(), 60_000, 61_000, &4)?;
    /// let all = visits.all()?;
    /// assert_eq!(all.iter().map(|(key, session)| (&**key, session.value)).collect::<Vec<_>>(), [("ann", 4), ("bo", 3)]);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn all(&self) -> Result<Vec<(K, Session<V>)>, StoreError> {
        let store = self.store.borrow();
        let rows = store.all()?;
        rows.map(|row| {
            let (at, row) = row?;
            let key = self.keys.decode(at.key.clone()).map_err(|source| error(&store, source))?;
            Ok((key, self.session(&store, &at, row)?))
        })
        .collect()
    }

    fn find(
        &self,
        key: &K,
        earliest_end: i64,
        latest_start: i64,
        direction: Direction,
    ) -> Result<Vec<Session<V>>, StoreError> {
        let store = self.store.borrow();
        let rows = store.find_sessions(&self.key(&store, key)?, earliest_end, latest_start, direction)?;
        rows.map(|row| row.and_then(|(at, row)| self.session(&store, &at, row))).collect()
    }

    fn session(&self, store: &ByteSessionStore, at: &SessionKey, row: Row) -> Result<Session<V>, StoreError> {
        Ok(Session { start: at.start, end: at.end, value: self.value(store, row.value)? })
    }

    fn key(&self, store: &ByteSessionStore, key: &K) -> Result<Bytes, StoreError> {
        encode_key(store.store().name(), &*self.keys, key)
    }

    fn value(&self, store: &ByteSessionStore, bytes: Bytes) -> Result<V, StoreError> {
        self.values.decode(bytes).map_err(|source| error(store, source))
    }
}

impl<K, V> Clone for SessionStore<K, V> {
    fn clone(&self) -> Self {
        Self { store: Rc::clone(&self.store), keys: Arc::clone(&self.keys), values: Arc::clone(&self.values) }
    }
}

/// A session with other bounds would never be found, or would sort in front of all others.
fn check(store: &ByteSessionStore, start: i64, end: i64) -> Result<(), StoreError> {
    if 0 <= start && start <= end {
        return Ok(());
    }
    let (expected, reason) =
        ("a session that starts at 0 or later and does not end before", format!("{start} to {end}"));
    Err(error(store, CodecError::Malformed { expected, reason }))
}

fn error(store: &ByteSessionStore, source: CodecError) -> StoreError {
    codec_error(store.store().name(), source)
}
