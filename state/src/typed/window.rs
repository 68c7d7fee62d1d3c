//! A typed handle to a window store.

mod fetch;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use super::{codec_error, encode_key};
use crate::{ByteWindowStore, Codec, CodecError, Row, StoreError};

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

    /// Writes the value of a key's window (`WindowStore.put` in Kafka Streams). A null deletes the value. A window that
    /// starts before the kept time is left out. See the example of [`WindowStore`].
    pub fn put(&self, key: &K, start: i64, value: &V, timestamp: i64) -> Result<(), StoreError> {
        let mut store = self.store.borrow_mut();
        check(&store, start)?;
        if start < store.expired_before() {
            return Ok(());
        }
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
    /// costs one row, whatever the number of elements. An element of a window that starts before the kept time is left
    /// out, and has the number 0.
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
        if start < store.expired_before() {
            return Ok(0);
        }
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
mod tests;
