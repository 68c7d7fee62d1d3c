//! Sessions over a store: one value for each session of a key.

mod commit;
mod erase;
mod undo;
mod walk;

use std::collections::BTreeSet;
use std::ops::Bound;

use bytes::Bytes;

pub(crate) use walk::SessionWalk;

use crate::journal::Journal;
use crate::session_key::encode_local;
use crate::{ByteStore, CodecError, Direction, Row, SessionKey, StoreError};

/// A session in the order of ends: end, start and key.
type ByEnd = (i64, i64, Bytes);

/// A store of sessions, ordered by key, end and start.
///
/// Sessions are read by key and time without a look at other keys. The order of ends is kept in memory, and only if
/// somebody asks for it ([`next_by_end`](Self::next_by_end)): it takes about 100 bytes for each session, and one walk
/// through all sessions.
///
/// Times are event time in milliseconds since the epoch, 0 or later. Both ends of a session are inclusive: they are the
/// timestamps of its first and its last record.
///
/// As in [`ByteStore`], writes are uncommitted until a commit.
///
/// ```
/// use bytes::Bytes;
/// use tidemill_state::{ByteSessionStore, ByteStore, Direction, MemoryBackend, Row};
///
/// let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
/// // Sessions are kept for an hour after their end.
/// let mut store = ByteSessionStore::new(ByteStore::new("visits", Box::new(MemoryBackend::new())), 3_600_000);
/// store.put(b"ann", 0, 5_000, row("1"));
/// store.put(b"ann", 60_000, 61_000, row("2"));
/// assert_eq!(store.get(b"ann", 0, 5_000)?, Some(row("1")));
/// let found = store.find_sessions(b"ann", 5_001, i64::MAX, Direction::Forward)?.collect::<Result<Vec<_>, _>>()?;
/// assert_eq!((found.len(), found[0].0.start), (1, 60_000));
/// store.expire_before(60_000)?;
/// store.put(b"ann", 0, 6_000, row("late"));
/// assert_eq!((store.get(b"ann", 0, 5_000)?, store.get(b"ann", 0, 6_000)?), (None, None));
/// # Ok::<(), tidemill_state::StoreError>(())
/// ```
#[derive(Debug)]
pub struct ByteSessionStore {
    store: ByteStore,
    retention_ms: i64,
    /// All sessions in the order of their ends; `None` until somebody asks.
    by_end: Option<BTreeSet<ByEnd>>,
    /// Sessions that end earlier were expired, and are left out if they are written again.
    expired_before: i64,
    journal: Journal<undo::Change>,
}

impl ByteSessionStore {
    /// Creates a session store over the rows of `store`. Each session is kept for at least `retention_ms` after its end.
    /// The caller drops older sessions with [`expire_before`](Self::expire_before). See the example of
    /// [`ByteSessionStore`].
    pub fn new(store: ByteStore, retention_ms: i64) -> Self {
        Self { store, retention_ms, by_end: None, expired_before: i64::MIN, journal: Journal::default() }
    }

    /// The value of a session. See the example of [`ByteSessionStore`].
    ///
    /// # Errors
    ///
    /// If the backend cannot be read. All reads fail so.
    pub fn get(&self, key: &[u8], start: i64, end: i64) -> Result<Option<Row>, StoreError> {
        self.store.get(&encode_local(key, end, start))
    }

    /// Writes the value of a session, unless sessions that end so early were [expired](Self::expire_before). See the
    /// example of [`ByteSessionStore`].
    pub fn put(&mut self, key: &[u8], start: i64, end: i64, row: Row) {
        if end < self.expired_before {
            return;
        }
        self.store.put(encode_local(key, end, start), row);
        if let Some(by_end) = &mut self.by_end {
            let session = (end, start, Bytes::copy_from_slice(key));
            if by_end.insert(session.clone()) {
                self.journal.note(|| undo::Change::Added(session));
            }
        }
    }

    /// Removes a session. A session that was never committed leaves no deletion in the changelog.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{ByteSessionStore, ByteStore, MemoryBackend, Row};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteSessionStore::new(ByteStore::new("visits", Box::new(MemoryBackend::new())), 3_600_000);
    /// store.put(b"ann", 0, 5_000, row("1"));
    /// store.remove(b"ann", 0, 5_000)?;
    /// assert_eq!(store.get(b"ann", 0, 5_000)?, None);
    /// assert_eq!(store.store().uncommitted().count(), 0);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn remove(&mut self, key: &[u8], start: i64, end: i64) -> Result<(), StoreError> {
        self.store.remove(encode_local(key, end, start))?;
        if let Some(by_end) = &mut self.by_end {
            let session = (end, start, Bytes::copy_from_slice(key));
            if by_end.remove(&session) {
                self.journal.note(|| undo::Change::Removed(session));
            }
        }
        Ok(())
    }

    /// The sessions of a key that end at `earliest_end` or later and start at `latest_start` or earlier, by end, then
    /// start. See the example of [`ByteSessionStore`].
    pub fn find_sessions(
        &self,
        key: &[u8],
        earliest_end: i64,
        latest_start: i64,
        direction: Direction,
    ) -> Result<impl Iterator<Item = Result<(SessionKey, Row), StoreError>> + use<'_>, StoreError> {
        let rows = self.find_by_end(key, earliest_end, i64::MAX, direction)?;
        Ok(rows.filter(move |row| row.as_ref().map_or(true, |(session, _)| session.start <= latest_start)))
    }

    /// The sessions of a key that end in a range, both bounds included, by end, then start.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{ByteSessionStore, ByteStore, Direction, MemoryBackend, Row};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteSessionStore::new(ByteStore::new("visits", Box::new(MemoryBackend::new())), 3_600_000);
    /// [0, 10, 20].into_iter().for_each(|start| store.put(b"ann", start, start + 5, row("1")));
    /// let found = store.find_by_end(b"ann", 5, 15, Direction::Reverse)?.collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!(found.iter().map(|(session, _)| session.end).collect::<Vec<_>>(), [15, 5]);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn find_by_end(
        &self,
        key: &[u8],
        from_end: i64,
        to_end: i64,
        direction: Direction,
    ) -> Result<impl Iterator<Item = Result<(SessionKey, Row), StoreError>> + use<'_>, StoreError> {
        let (from, to) = (encode_local(key, from_end.max(0), 0), encode_local(key, to_end.max(0), i64::MAX));
        self.scan_rows(Bound::Included(&from), Bound::Included(&to), direction)
    }

    /// All sessions, by key, end and start.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{ByteSessionStore, ByteStore, MemoryBackend, Row};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteSessionStore::new(ByteStore::new("visits", Box::new(MemoryBackend::new())), 3_600_000);
    /// store.put(b"bo", 0, 5_000, row("1"));
    /// store.put(b"ann", 60_000, 61_000, row("2"));
    /// let all = store.all()?.collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!(all.iter().map(|(session, _)| &*session.key).collect::<Vec<_>>(), [&b"ann"[..], b"bo"]);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn all(&self) -> Result<impl Iterator<Item = Result<(SessionKey, Row), StoreError>> + use<'_>, StoreError> {
        self.scan_rows(Bound::Unbounded, Bound::Unbounded, Direction::Forward)
    }

    fn scan_rows(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        direction: Direction,
    ) -> Result<impl Iterator<Item = Result<(SessionKey, Row), StoreError>> + use<'_>, StoreError> {
        let rows = self.store.scan(from, to, direction)?;
        Ok(rows.map(|row| {
            let (local, row) = row?;
            Ok((SessionKey::decode_local(local).map_err(|source| self.codec_error(source))?, row))
        }))
    }

    /// The first session, by end, start and key, that ends in `[from_end, to_end)` and comes after `after`.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{ByteSessionStore, ByteStore, MemoryBackend, Row};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteSessionStore::new(ByteStore::new("visits", Box::new(MemoryBackend::new())), 3_600_000);
    /// store.put(b"ann", 0, 5_000, row("1"));
    /// store.put(b"bo", 1_000, 4_000, row("2"));
    /// let first = store.next_by_end(0, 5_001, None)?.expect("two have ended");
    /// assert_eq!((&*first.key, first.start, first.end), (&b"bo"[..], 1_000, 4_000));
    /// let second = store.next_by_end(0, 5_001, Some(&first))?.expect("one more has ended");
    /// assert_eq!(&*second.key, b"ann");
    /// assert_eq!(store.next_by_end(0, 5_001, Some(&second))?, None);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn next_by_end(
        &mut self,
        from_end: i64,
        to_end: i64,
        after: Option<&SessionKey>,
    ) -> Result<Option<SessionKey>, StoreError> {
        let by_end = match &self.by_end {
            Some(by_end) => by_end,
            None => {
                let sessions = self.all()?.map(|row| row.map(|(SessionKey { key, end, start }, _)| (end, start, key)));
                let sessions = sessions.collect::<Result<_, _>>()?;
                self.journal.note(|| undo::Change::Built);
                self.by_end.insert(sessions)
            }
        };
        let first = (from_end, i64::MIN, Bytes::new());
        let from =
            after.map(|SessionKey { key, end, start }| (*end, *start, key.clone())).filter(|from| *from >= first);
        let from = from.map_or(Bound::Included(first), Bound::Excluded);
        let next = by_end.range((from, Bound::Unbounded)).next().filter(|(end, ..)| *end < to_end);
        Ok(next.map(|(end, start, key)| SessionKey { key: key.clone(), end: *end, start: *start }))
    }

    /// Removes the sessions that end before `end`, and leaves out those that are written later, until a rollback. Their
    /// deletion goes to the changelog. A lower `end` than before has no effect. See the example of [`ByteSessionStore`].
    pub fn expire_before(&mut self, end: i64) -> Result<(), StoreError> {
        if end <= self.expired_before {
            return Ok(());
        }
        while let Some(session) = self.next_by_end(i64::MIN, end, None)? {
            self.remove(&session.key, session.start, session.end)?;
        }
        let old = std::mem::replace(&mut self.expired_before, end);
        self.journal.note(|| undo::Change::Expired(old));
        Ok(())
    }

    /// How long sessions are kept after their end, in milliseconds. See the example of [`store`](Self::store).
    pub fn retention_ms(&self) -> i64 {
        self.retention_ms
    }

    /// The underlying store.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{ByteSessionStore, ByteStore, MemoryBackend, Row};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteSessionStore::new(ByteStore::new("visits", Box::new(MemoryBackend::new())), 3_600_000);
    /// store.put(b"ann", 0, 5_000, row("1"));
    /// store.store_mut().set_meta("stream-time", "7".into());
    /// store.commit(Some(42))?;
    /// assert_eq!((store.store().checkpoint()?, store.retention_ms()), (Some(42), 3_600_000));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn store(&self) -> &ByteStore {
        &self.store
    }

    /// The underlying store, for metadata, flushes and statistics. Write rows with [`rows_mut`](Self::rows_mut). See the
    /// example of [`store`](Self::store).
    pub fn store_mut(&mut self) -> &mut ByteStore {
        &mut self.store
    }

    /// The underlying store, for writes of rows with local keys ([`SessionKey::encode_local`]). The order of ends is
    /// read again when it is needed.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{ByteSessionStore, ByteStore, MemoryBackend, Row, SessionKey};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteSessionStore::new(ByteStore::new("visits", Box::new(MemoryBackend::new())), 3_600_000);
    /// assert_eq!(store.next_by_end(0, i64::MAX, None)?, None);
    /// let session = SessionKey { key: "ann".into(), end: 5_000, start: 0 };
    /// store.rows_mut().put(session.encode_local(), row("1"));
    /// assert_eq!(store.next_by_end(0, i64::MAX, None)?, Some(session));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn rows_mut(&mut self) -> &mut ByteStore {
        self.by_end = None;
        &mut self.store
    }

    fn codec_error(&self, source: CodecError) -> StoreError {
        StoreError::Codec { store: self.store.name().to_owned(), source }
    }
}
