//! Windows over a store: one value per key and window, or a row per collected element.

mod by_key;
mod commit;
mod elements;
mod erase;
mod fetch;
mod undo;

pub use fetch::WindowWalk;

use std::cell::RefCell;
use std::ops::Bound;

use bytes::Bytes;

use crate::journal::Journal;
use crate::sequences::Sequences;
use crate::window_key::{encode_local, put_prefix, start_of, start_prefix};
use crate::{ByteStore, CodecError, Direction, Row, StoreError, WindowKey};

/// A store of windows, ordered by start, key and sequence.
///
/// A window either holds one value ([`put`](Self::put)) or collects elements ([`append`](Self::append)). Methods for
/// elements treat a window without appended elements as empty. Starts are event time in milliseconds since the epoch, 0
/// or later.
///
/// As in [`ByteStore`], writes are uncommitted until a commit.
///
/// ```
/// use bytes::Bytes;
/// use tidemill_state::{MemoryBackend, Row, ByteStore, ByteWindowStore};
///
/// let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
/// // Windows are kept for an hour after their start.
/// let mut store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
/// store.put(0, b"ann", row("1"));
/// store.put(60_000, b"ann", row("2"));
/// assert_eq!(store.get(60_000, b"ann")?, Some(row("2")));
/// assert_eq!(store.fetch(b"ann", 0, 60_000)?, [(0, row("1"))]);
/// store.expire_before(60_000);
/// assert_eq!(store.get(0, b"ann")?, None);
/// # Ok::<(), tidemill_state::StoreError>(())
/// ```
#[derive(Debug)]
pub struct ByteWindowStore {
    store: ByteStore,
    retention_ms: i64,
    sequences: Sequences,
    /// Windows that start later have only the elements that `sequences` knows.
    last_start: Option<i64>,
    /// Windows that start earlier were expired: the current value, and the value at the last commit.
    expired_before: i64,
    committed_expired_before: i64,
    /// Whether windows end key by key. No window then expires by its start.
    by_key: bool,
    /// Whether each row of an expired window leaves a deletion.
    leaves_deletions: bool,
    /// If windows end key by key: the commit from which on rows are needed.
    kept: by_key::Kept,
    journal: Journal<undo::Replaced>,
    /// A buffer for the keys of lookups.
    scratch: RefCell<Vec<u8>>,
}

impl ByteWindowStore {
    /// Creates a window store over the rows of `store`. Each window is kept for at least `retention_ms` after its
    /// start. The caller drops older windows with [`expire_before`](Self::expire_before). See the example of
    /// [`ByteWindowStore`].
    ///
    /// # Errors
    ///
    /// If the backend cannot be read.
    pub fn new(store: ByteStore, retention_ms: i64) -> Result<Self, StoreError> {
        let last_start = last_start(&store)?;
        let sequences = Sequences::default();
        Ok(Self {
            store,
            retention_ms,
            sequences,
            last_start,
            expired_before: 0,
            committed_expired_before: 0,
            by_key: false,
            leaves_deletions: false,
            kept: by_key::Kept::default(),
            journal: Journal::default(),
            scratch: RefCell::default(),
        })
    }

    /// The value of a key's window. See the example of [`ByteWindowStore`].
    pub fn get(&self, start: i64, key: &[u8]) -> Result<Option<Row>, StoreError> {
        let mut local = self.scratch.borrow_mut();
        local.clear();
        put_prefix(start, key, &mut local);
        local.extend_from_slice(&0u32.to_be_bytes());
        self.store.get(&local)
    }

    /// Writes the value of a key's window. See the example of [`ByteWindowStore`].
    pub fn put(&mut self, start: i64, key: &[u8], row: Row) {
        self.store.put(encode_local(start, key, 0), row);
    }

    /// Deletes the value of a key's window.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore, ByteWindowStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// store.put(0, b"ann", row("1"));
    /// store.delete(0, b"ann");
    /// assert_eq!(store.get(0, b"ann")?, None);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn delete(&mut self, start: i64, key: &[u8]) {
        self.store.delete(encode_local(start, key, 0));
    }

    /// The rows of windows that start in `[from_start, to_start)`, by start, key and sequence.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore, ByteWindowStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// store.put(60_000, b"ann", row("2"));
    /// store.put(0, b"bo", row("1"));
    /// let rows = store.scan(0, i64::MAX)?.collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!(rows.iter().map(|(at, _)| at.start).collect::<Vec<_>>(), [0, 60_000]);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn scan(
        &self,
        from_start: i64,
        to_start: i64,
    ) -> Result<impl Iterator<Item = Result<(WindowKey, Row), StoreError>> + use<'_>, StoreError> {
        self.scan_rows(&start_prefix(from_start), &start_prefix(to_start))
    }

    /// The rows of one window, by key and sequence. If `after` is given, only keys after it are included.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore, ByteWindowStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// ["ann", "bo"].into_iter().for_each(|key| store.put(0, key.as_bytes(), row("1")));
    /// let rows = store.scan_window_after(0, Some(b"ann"))?.collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!((rows.len(), &rows[0].0.key[..]), (1, &b"bo"[..]));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn scan_window_after(
        &self,
        start: i64,
        after: Option<&[u8]>,
    ) -> Result<impl Iterator<Item = Result<(WindowKey, Row), StoreError>> + use<'_>, StoreError> {
        let from = match after {
            Some(key) => {
                let mut last = encode_local(start, key, u32::MAX).to_vec();
                last.push(0);
                last
            }
            None => start_prefix(start).to_vec(),
        };
        self.scan_rows(&from, &start_prefix(start + 1))
    }

    fn scan_rows(
        &self,
        from: &[u8],
        to: &[u8],
    ) -> Result<impl Iterator<Item = Result<(WindowKey, Row), StoreError>> + use<'_>, StoreError> {
        let rows = self.store.scan(Bound::Included(from), Bound::Excluded(to), Direction::Forward)?;
        Ok(rows.map(|row| {
            let (local, row) = row?;
            Ok((WindowKey::decode_local(local).map_err(|source| self.codec_error(source))?, row))
        }))
    }

    /// Drops windows with a lower start. A lower `start` than before has no effect. The changelog does not record the
    /// expiry. See the example of [`ByteWindowStore`].
    pub fn expire_before(&mut self, start: i64) {
        if start > self.expired_before {
            self.note_expiry(start);
            self.store.delete_below(Bytes::copy_from_slice(&start_prefix(start)));
        }
    }

    /// How long windows are kept after their start, in milliseconds. See the example of
    /// [`expired_before`](Self::expired_before).
    pub fn retention_ms(&self) -> i64 {
        self.retention_ms
    }

    /// The committed value of [`expire_before`](Self::expire_before) since the store was opened. Rows of windows that
    /// start earlier are never read again. See the example of [`expired_before`](Self::expired_before).
    pub fn committed_expired_before(&self) -> i64 {
        self.committed_expired_before
    }

    /// The last value of [`expire_before`](Self::expire_before), committed or not; 0 before the first.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore, ByteWindowStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// store.expire_before(60_000);
    /// assert_eq!((store.expired_before(), store.committed_expired_before()), (60_000, 0));
    /// store.commit(None)?;
    /// assert_eq!((store.committed_expired_before(), store.retention_ms()), (60_000, 3_600_000));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn expired_before(&self) -> i64 {
        self.expired_before
    }

    /// The start of the last window that existed when the store was opened or last restored.
    ///
    /// ```
    /// # use tidemill_state::WindowKey;
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore, ByteWindowStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// assert_eq!(store.last_start(), None);
    /// let key = WindowKey { start: 60_000, key: "ann".into(), seq: 0 };
    /// store.restore(vec![(key.encode_local(), Some(row("1")))], Vec::new(), 1)?;
    /// assert_eq!(store.last_start(), Some(60_000));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn last_start(&self) -> Option<i64> {
        self.last_start
    }

    /// The underlying store.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore, ByteWindowStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// store.put(0, b"ann", row("1"));
    /// assert_eq!((store.store().name(), store.store().stats().puts), ("views", 1));
    /// store.store_mut().set_meta("stream-time", "7".into());
    /// store.commit(Some(42))?;
    /// assert_eq!(store.store().checkpoint()?, Some(42));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn store(&self) -> &ByteStore {
        &self.store
    }

    /// The underlying store, for metadata, flushes and statistics. Call rollback, restore, clear and append on the
    /// window store, because it keeps sequence numbers. See the example of [`store`](Self::store).
    pub fn store_mut(&mut self) -> &mut ByteStore {
        &mut self.store
    }

    fn codec_error(&self, source: CodecError) -> StoreError {
        StoreError::Codec { store: self.store.name().to_owned(), source }
    }
}

fn last_start(store: &ByteStore) -> Result<Option<i64>, StoreError> {
    let last = store.scan(Bound::Unbounded, Bound::Unbounded, Direction::Reverse)?.next();
    Ok(last.transpose()?.and_then(|(key, _)| start_of(&key)))
}
