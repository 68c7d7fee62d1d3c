//! A typed handle to a session store.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use super::{codec_error, encode_key};
use crate::session::SessionWalk;
use crate::{ByteSessionStore, Codec, CodecError, Direction, KeyValueIterator, Row, SessionKey, StoreError};

/// The bounds of a session, both inclusive, in milliseconds since the epoch. See the example of [`SessionStore`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Session {
    /// The timestamp of the session's first record.
    pub start: i64,
    /// The timestamp of the session's last record.
    pub end: i64,
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
/// let (first, second) = (Session { start: 0, end: 5_000 }, Session { start: 60_000, end: 61_000 });
/// assert_eq!(visits.fetch(&"ann".into()).read_all()?, [(first, 3), (second, 4)]);
/// assert_eq!(visits.backward_fetch(&"ann".into()).next().transpose()?, Some((second, 4)));
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
    /// assert_eq!(visits.fetch(&"ann".into()).count(), 0);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn remove(&self, key: &K, start: i64, end: i64) -> Result<(), StoreError> {
        let mut store = self.store.borrow_mut();
        check(&store, start, end)?;
        let key = self.key(&store, key)?;
        store.remove(&key, start, end)
    }

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
    /// assert_eq!(visits.all().count(), 0);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn delete_key(&self, key: &K) -> Result<usize, StoreError> {
        let mut store = self.store.borrow_mut();
        let key = self.key(&store, key)?;
        store.delete_key(&key)
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
        let handle = self.clone();
        self.decoded(SessionWalk::of_all(), move |at| {
            let session = Session { start: at.start, end: at.end };
            Ok((handle.keys.decode(at.key)?, session))
        })
    }

    fn of_key(
        &self,
        key: &K,
        earliest_end: i64,
        latest_start: i64,
        direction: Direction,
    ) -> KeyValueIterator<Session, V> {
        let key = self.key(&self.store.borrow(), key);
        let walk = key.map(|key| SessionWalk::of_key(&key, earliest_end, latest_start, direction));
        let session = |at: SessionKey| Ok(Session { start: at.start, end: at.end });
        KeyValueIterator::or_error(walk.map(|walk| self.decoded(walk, session)))
    }

    /// The sessions of a walk, with what is wanted of their keys.
    fn decoded<T: 'static>(
        &self,
        mut walk: SessionWalk,
        of_key: impl Fn(SessionKey) -> Result<T, CodecError> + 'static,
    ) -> KeyValueIterator<T, V> {
        let handle = self.clone();
        KeyValueIterator::new(move || {
            let store = handle.store.borrow();
            let row = walk.next(&store)?;
            Some(row.and_then(|(at, row)| {
                let key = of_key(at).map_err(|source| error(&store, source))?;
                Ok((key, handle.value(&store, row.value)?))
            }))
        })
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
