//! A typed handle to a session store.

mod fetch;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use super::{codec_error, encode_key};
use crate::{ByteSessionStore, Codec, CodecError, Row, StoreError};

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

    /// Writes the value of a session (`SessionStore.put` in Kafka Streams). A null deletes the session. A session that
    /// ended before the kept time is left out. See the example of [`SessionStore`].
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
