//! Rows of bytes, with uncommitted writes above a backend.

use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use crate::expiry::Expiry;
use crate::merge::Merge;
use crate::overlay::Overlay;
use crate::sealed::Sealed;
use crate::stats::Counter;
use crate::{Backend, Batch, Direction, Row, Rows, StoreError, StoreStats};

/// The name under which a store keeps the time when its rows were current.
const CURRENT_AT: &str = "current-at-ms";

/// The name under which a store keeps the description of its writer.
const WRITTEN_BY: &str = "rows-written-by";

/// A named store.
///
/// Reads see uncommitted writes. A write reaches the backend only by a commit. The exception is
/// [`restore`](Self::restore): its rows are already committed in the changelog.
///
/// If the commit of the log takes time, a store commits in two steps: [`seal`](Self::seal) returns the writes of the
/// commit, and [`commit_sealed`](Self::commit_sealed) moves them into the backend. Writes between the two steps belong
/// to the next commit. This is what KIP-892 proposes for Kafka Streams.
///
/// ```
/// use bytes::Bytes;
/// use tidemill_state::{MemoryBackend, Row, ByteStore};
///
/// let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
/// let mut store = ByteStore::new("counts", Box::new(MemoryBackend::new()));
/// store.put("ann".into(), row("1"));
/// store.commit(Some(42))?;
///
/// store.put("ann".into(), row("2"));
/// assert_eq!(store.get(b"ann")?, Some(row("2")));
/// assert_eq!(store.uncommitted().count(), 1);
/// store.rollback();
/// assert_eq!(store.get(b"ann")?, Some(row("1")));
/// assert_eq!(store.checkpoint()?, Some(42));
/// # Ok::<(), tidemill_state::StoreError>(())
/// ```
pub struct ByteStore {
    name: Arc<str>,
    backend: Box<dyn Backend>,
    overlay: Overlay,
    /// The writes of a commit that is in progress.
    sealed: Option<Arc<Overlay>>,
    counts: Counts,
    unflushed: Unflushed,
    /// The number of changes so far.
    version: u64,
    read_only: bool,
    /// The keys by time, if rows expire.
    expiry: Option<Expiry>,
}

/// Whether the backend has unflushed rows, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unflushed {
    Nothing,
    /// Unflushed rows that [`ByteStore::has_waited`] has not seen yet.
    Something,
    /// Unflushed rows that [`ByteStore::has_waited`] first saw at this wall time, in milliseconds.
    Since(i64),
}

#[derive(Default)]
struct Counts {
    gets: Counter,
    puts: Counter,
    deletes: Counter,
    scans: Counter,
    rows_committed: Counter,
}

impl ByteStore {
    /// Creates a store over the rows that `backend` already has. See the example of [`ByteStore`].
    pub fn new(name: impl Into<Arc<str>>, backend: Box<dyn Backend>) -> Self {
        let (overlay, counts, unflushed) = (Overlay::default(), Counts::default(), Unflushed::Nothing);
        let (read_only, expiry) = (false, None);
        Self { name: name.into(), backend, overlay, sealed: None, counts, unflushed, version: 0, read_only, expiry }
    }

    /// A store that typed handles refuse to change: another store writes its rows.
    ///
    /// ```
    /// use std::{cell::RefCell, rc::Rc, sync::Arc};
    /// use tidemill_state::{ByteStore, KeyValueStore, MemoryBackend, StoreError, Utf8};
    ///
    /// let store = ByteStore::read_only("names", Box::new(MemoryBackend::new()));
    /// let names = KeyValueStore::new(Rc::new(RefCell::new(store)), Arc::new(Utf8), Arc::new(Utf8));
    /// assert!(matches!(names.put(&"a".into(), &"b".into(), 0), Err(StoreError::ReadOnly { .. })));
    /// ```
    pub fn read_only(name: impl Into<Arc<str>>, backend: Box<dyn Backend>) -> Self {
        Self { read_only: true, ..Self::new(name, backend) }
    }

    pub(crate) fn check_writable(&self) -> Result<(), StoreError> {
        if self.read_only { Err(StoreError::ReadOnly { store: self.name.to_string() }) } else { Ok(()) }
    }

    /// The store's name. See the example of [`ByteWindowStore::store`](crate::ByteWindowStore::store).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The row of `key`. See the example of [`ByteStore`].
    ///
    /// # Errors
    ///
    /// If the backend cannot be read. All reads fail so.
    pub fn get(&self, key: &[u8]) -> Result<Option<Row>, StoreError> {
        self.counts.gets.add(1);
        for overlay in self.overlays() {
            match overlay.rows.get(key) {
                Some(row) => return Ok(row.clone()),
                None if overlay.hides(key) => return Ok(None),
                None => {}
            }
        }
        self.backend.get(key)
    }

    /// The writes that are not in the backend, newest first.
    fn overlays(&self) -> impl Iterator<Item = &Overlay> {
        std::iter::once(&self.overlay).chain(self.sealed.as_deref())
    }

    /// Writes a row. It is uncommitted until the next commit. See the example of [`ByteStore`].
    pub fn put(&mut self, key: Bytes, row: Row) {
        self.version += 1;
        self.counts.puts.add(1);
        if let Some(expiry) = &mut self.expiry {
            expiry.note(&key, row.timestamp);
        }
        self.overlay.set(key, Some(row));
    }

    /// Builds an index of the rows by time, which [`take_expired`](Self::take_expired) needs. It is kept in memory, and
    /// lost by a rollback.
    ///
    /// # Errors
    ///
    /// If the backend cannot be read: the index is built from all rows.
    pub fn index_times(&mut self) -> Result<(), StoreError> {
        let mut expiry = Expiry::default();
        for row in self.scan(Bound::Unbounded, Bound::Unbounded, Direction::Forward)? {
            let (key, row) = row?;
            expiry.note(&key, row.timestamp);
        }
        self.expiry = Some(expiry);
        Ok(())
    }

    /// Deletes rows whose time is at most `until`, and returns them in the order of their times. It looks at no more
    /// than `max` keys; the answer also tells whether that was enough.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{ByteStore, MemoryBackend, Row};
    /// # let mut store = ByteStore::new("seen", Box::new(MemoryBackend::new()));
    /// let row = |timestamp| Row { timestamp, value: Bytes::from("x") };
    /// store.put("ann".into(), row(7));
    /// store.index_times()?;
    /// store.put("bo".into(), row(3));
    /// store.put("cy".into(), row(9));
    /// let (expired, all) = store.take_expired(7, 100)?;
    /// assert_eq!(expired, [("bo".into(), row(3)), ("ann".into(), row(7))]);
    /// assert!(all && store.get(b"ann")?.is_none());
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the backend cannot be read.
    pub fn take_expired(&mut self, until: i64, max: usize) -> Result<(Vec<(Bytes, Row)>, bool), StoreError> {
        let mut expired = Vec::new();
        for _ in 0..max {
            let Some((noted, key)) = self.expiry.as_mut().and_then(|expiry| expiry.take(until)) else {
                return Ok((expired, true));
            };
            match self.get(&key)? {
                Some(row) if row.timestamp <= noted => {
                    self.delete(key.clone());
                    expired.push((key, row));
                }
                // It was written again. Its turn comes with its own time.
                Some(row) => {
                    if let Some(expiry) = &mut self.expiry {
                        expiry.note(&key, row.timestamp);
                    }
                }
                None => {}
            }
        }
        Ok((expired, false))
    }

    /// Deletes a row if it exists. The deletion is uncommitted until the next commit.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteStore::new("counts", Box::new(MemoryBackend::new()));
    /// store.put("ann".into(), row("1"));
    /// store.commit(None)?;
    /// store.delete("ann".into());
    /// assert_eq!(store.get(b"ann")?, None);
    /// assert_eq!(store.uncommitted().next(), Some((&Bytes::from("ann"), None)), "the changelog gets a tombstone");
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn delete(&mut self, key: Bytes) {
        self.version += 1;
        self.counts.deletes.add(1);
        self.overlay.set(key, None);
    }

    /// The rows between two keys, in order. The result is empty if `from` is above `to`. Rows are read while the
    /// iterator runs.
    ///
    /// ```
    /// use std::ops::Bound;
    /// use tidemill_state::Direction;
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteStore::new("counts", Box::new(MemoryBackend::new()));
    /// ["ann", "bo", "cy"].into_iter().for_each(|key| store.put(key.into(), row("1")));
    /// let rows = store.scan(Bound::Excluded(b"ann"), Bound::Unbounded, Direction::Reverse)?;
    /// let keys = rows.map(|found| Ok(found?.0)).collect::<Result<Vec<_>, tidemill_state::StoreError>>()?;
    /// assert_eq!(keys, ["cy", "bo"]);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn scan(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        direction: Direction,
    ) -> Result<impl Iterator<Item = Result<(Bytes, Row), StoreError>> + use<'_>, StoreError> {
        self.counts.scans.add(1);
        let above_sealed = self.overlay.raise(from);
        let above_backend = self.sealed.as_ref().map_or(above_sealed, |sealed| sealed.raise(above_sealed));
        let committed = self.backend.scan(above_backend, to, direction)?;
        let committed: Rows<'_> = match self.sealed.as_ref().and_then(|sealed| sealed.range(above_sealed, to)) {
            Some(sealed) => Box::new(Merge::new(Some(sealed), committed, direction)),
            None => committed,
        };
        Ok(Merge::new(self.overlay.range(from, to), committed, direction))
    }

    /// A number that differs after each change of the rows.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Keys of rows that begin with `prefix`, in order: at most `max` of them, and where to go on. The walk begins at
    /// `from`, or at the first.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteStore::new("counts", Box::new(MemoryBackend::new()));
    /// ["a-1", "a-2", "a-3", "b-1"].into_iter().for_each(|key| store.put(key.into(), row("1")));
    /// let (keys, next) = store.keys_by_prefix(b"a-", None, 2)?;
    /// assert_eq!(keys, ["a-1", "a-2"]);
    /// let (keys, next) = store.keys_by_prefix(b"a-", next.as_deref(), 2)?;
    /// assert_eq!((keys, next), (vec![Bytes::from("a-3")], None));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn keys_by_prefix(
        &self,
        prefix: &[u8],
        from: Option<&[u8]>,
        max: usize,
    ) -> Result<(Vec<Bytes>, Option<Bytes>), StoreError> {
        let mut found = Vec::new();
        let from = Bound::Included(from.unwrap_or(prefix));
        for row in self.scan(from, Bound::Unbounded, Direction::Forward)? {
            let (key, _) = row?;
            if !key.starts_with(prefix) {
                break;
            }
            if found.len() >= max {
                return Ok((found, Some(key)));
            }
            found.push(key);
        }
        Ok((found, None))
    }

    /// Expires every row whose key is lower than `key`, committed or not.
    ///
    /// Uncommitted rows never reach the backend or the changelog. Committed rows are hidden now and dropped with the
    /// next commit. The changelog does not record the expiry, because it has a retention of its own.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteStore::new("counts", Box::new(MemoryBackend::new()));
    /// ["a", "b"].into_iter().for_each(|key| store.put(key.into(), row("1")));
    /// store.commit(None)?;
    /// store.delete_below("b".into());
    /// assert_eq!((store.get(b"a")?, store.get(b"b")?), (None, Some(row("1"))));
    /// assert_eq!(store.uncommitted().count(), 0);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn delete_below(&mut self, key: Bytes) {
        self.version += 1;
        self.overlay.delete_below(key);
    }

    /// Removes an uncommitted row as if it had never been written: it reaches neither the backend nor the changelog. If
    /// the row replaced a deletion, the deletion takes effect again. Otherwise reads see the sealed or committed row
    /// again. Without an uncommitted row, nothing changes.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteStore::new("counts", Box::new(MemoryBackend::new()));
    /// store.put("ann".into(), row("1"));
    /// store.commit(None)?;
    /// store.put("ann".into(), row("2"));
    /// store.forget(b"ann");
    /// assert_eq!((store.get(b"ann")?, store.is_dirty()), (Some(row("1")), false));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn forget(&mut self, key: &[u8]) {
        self.version += 1;
        self.overlay.forget(key);
    }

    /// Deletes a row if it exists. A row that was never committed is [forgotten](Self::forget): the changelog gets neither
    /// the row nor a deletion. To know this costs a read.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteStore::new("counts", Box::new(MemoryBackend::new()));
    /// store.put("ann".into(), row("1"));
    /// store.commit(None)?;
    /// store.put("bo".into(), row("1"));
    /// store.remove("ann".into())?;
    /// store.remove("bo".into())?;
    /// assert_eq!((store.get(b"ann")?, store.get(b"bo")?), (None, None));
    /// assert_eq!(store.uncommitted().map(|(key, _)| key).collect::<Vec<_>>(), ["ann"]);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn remove(&mut self, key: Bytes) -> Result<(), StoreError> {
        if self.has_below_overlay(&key)? {
            self.delete(key);
        } else {
            self.counts.deletes.add(1);
            self.forget(&key);
        }
        Ok(())
    }

    /// Whether a row is sealed or in the backend.
    fn has_below_overlay(&self, key: &[u8]) -> Result<bool, StoreError> {
        match self.sealed.as_deref().map(|sealed| (sealed.rows.get(key), sealed.hides(key))) {
            Some((Some(row), _)) => Ok(row.is_some()),
            Some((None, true)) => Ok(false),
            Some((None, false)) | None => Ok(self.backend.get(key)?.is_some()),
        }
    }

    /// Allows undo of later writes until the next commit is sealed. Earlier writes cannot be undone. See the example of
    /// [`undo_to`](Self::undo_to).
    pub fn begin_undo(&mut self) {
        self.overlay.begin_undo();
    }

    /// Ends undo: no write can be undone any more. See the example of [`undo_to`](Self::undo_to).
    pub fn end_undo(&mut self) {
        self.overlay.end_undo();
    }

    /// The current position, for [`undo_to`](Self::undo_to). See the example of [`undo_to`](Self::undo_to).
    pub fn savepoint(&self) -> usize {
        self.overlay.savepoint()
    }

    /// Undoes the writes since a savepoint, including expiry and named values.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteStore::new("counts", Box::new(MemoryBackend::new()));
    /// store.begin_undo();
    /// store.put("ann".into(), row("1"));
    /// let savepoint = store.savepoint();
    /// store.put("ann".into(), row("2"));
    /// store.put("bo".into(), row("1"));
    /// store.undo_to(savepoint);
    /// store.end_undo();
    /// assert_eq!((store.get(b"ann")?, store.get(b"bo")?), (Some(row("1")), None));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn undo_to(&mut self, savepoint: usize) {
        self.version += 1;
        self.overlay.undo_to(savepoint);
    }

    /// Sets a named value beside the rows. It is uncommitted until the next commit, like rows.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteStore::new("counts", Box::new(MemoryBackend::new()));
    /// store.set_meta("stream-time", "7".into());
    /// assert_eq!(store.uncommitted_meta().next(), Some(("stream-time", &Bytes::from("7"))));
    /// store.commit(None)?;
    /// assert_eq!(store.meta("stream-time")?, Some("7".into()));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn set_meta(&mut self, key: &str, value: Bytes) {
        self.overlay.set_meta(key, value);
    }

    /// The named value `key`, committed or not. See the example of [`set_meta`](Self::set_meta).
    pub fn meta(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        match self.overlays().find_map(|overlay| overlay.meta.get(key)) {
            Some(value) => Ok(Some(value.clone())),
            None => self.backend.meta(key),
        }
    }

    /// The writes that the changelog must get before the next commit, in key order. `None` is a deletion. Sealed writes
    /// are not included. See the example of [`delete`](Self::delete).
    pub fn uncommitted(&self) -> impl DoubleEndedIterator<Item = (&Bytes, Option<&Row>)> {
        self.overlay.rows.iter().map(|(key, row)| (key, row.as_ref()))
    }

    /// The named values that were set since the last commit or seal. See the example of [`set_meta`](Self::set_meta).
    pub fn uncommitted_meta(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.overlay.meta.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Whether the store has writes since the last commit or seal. See the example of [`seal`](Self::seal).
    pub fn is_dirty(&self) -> bool {
        !self.overlay.is_empty()
    }

    /// Whether a commit is in progress. See the example of [`seal`](Self::seal).
    pub fn is_sealed(&self) -> bool {
        self.sealed.is_some()
    }

    /// The memory that uncommitted writes use, in bytes, sealed or not. See the example of [`seal`](Self::seal).
    pub fn overlay_bytes(&self) -> usize {
        self.overlays().map(Overlay::bytes).sum()
    }

    /// Returns the writes since the last commit. They stay readable until they are committed or rolled back. Writes
    /// that were sealed earlier and are not committed are included. An earlier result of `seal` then commits nothing.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteStore::new("counts", Box::new(MemoryBackend::new()));
    /// store.put("ann".into(), row("1"));
    /// let sealed = store.seal(); // The log is asked to commit.
    /// assert!(store.is_sealed() && !store.is_dirty() && store.overlay_bytes() > 0);
    /// store.put("bo".into(), row("1")); // Belongs to the next commit.
    /// store.commit_sealed(sealed, Some(42))?; // The log has answered.
    /// assert_eq!(store.checkpoint()?, Some(42));
    /// store.rollback();
    /// assert_eq!((store.get(b"ann")?, store.get(b"bo")?), (Some(row("1")), None));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn seal(&mut self) -> Sealed {
        let mut newer = std::mem::take(&mut self.overlay);
        newer.end_undo();
        match &mut self.sealed {
            Some(sealed) => Arc::make_mut(sealed).absorb(newer),
            None if newer.is_empty() => {}
            None => self.sealed = Some(Arc::new(newer)),
        }
        Sealed { overlay: self.sealed.clone() }
    }

    /// Moves the sealed writes and the checkpoint into the backend, all or nothing. `checkpoint` is the changelog
    /// offset where a restore continues; `None` keeps the last one. After an error, the writes can be sealed again. See
    /// the example of [`seal`](Self::seal).
    pub fn commit_sealed(&mut self, sealed: Sealed, checkpoint: Option<i64>) -> Result<(), StoreError> {
        self.commit_sealed_with(sealed, checkpoint, Vec::new())
    }

    /// As [`commit_sealed`](Self::commit_sealed), with named values that only the backend gets.
    pub(crate) fn commit_sealed_with(
        &mut self,
        sealed: Sealed,
        checkpoint: Option<i64>,
        meta: Vec<(String, Bytes)>,
    ) -> Result<(), StoreError> {
        let nothing = Overlay::default();
        let overlay = sealed.overlay.as_deref().unwrap_or(&nothing);
        if !self.holds(&sealed) || overlay.is_empty() && checkpoint.is_none() {
            return Ok(());
        }
        let mut batch = overlay.to_batch(checkpoint);
        batch.meta.extend(meta);
        self.backend.write(batch)?;
        self.unflushed.add();
        self.counts.rows_committed.add(overlay.rows.len() as u64);
        self.sealed = None;
        Ok(())
    }

    /// The committed rows from a key on, in order.
    pub(crate) fn committed_rows(&self, from: Option<&[u8]>) -> Result<Rows<'_>, StoreError> {
        self.backend.scan(from.map_or(Bound::Unbounded, Bound::Included), Bound::Unbounded, Direction::Forward)
    }

    /// Drops committed rows at once. The changelog does not get to know.
    pub(crate) fn drop_committed(&mut self, keys: Vec<Bytes>) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        self.unflushed.add();
        let rows = keys.into_iter().map(|key| (key, None)).collect();
        self.backend.write(Batch { rows, ..Batch::default() })
    }

    /// Whether the sealed writes are still the latest: no rollback, commit or other seal came after them.
    pub(crate) fn holds(&self, sealed: &Sealed) -> bool {
        match (&self.sealed, &sealed.overlay) {
            (Some(kept), Some(sealed)) => Arc::ptr_eq(kept, sealed),
            (kept, sealed) => kept.is_none() && sealed.is_none(),
        }
    }

    /// Moves uncommitted writes and the checkpoint into the backend, all or nothing. After an error the writes are
    /// still uncommitted. See the example of [`ByteStore`].
    pub fn commit(&mut self, checkpoint: Option<i64>) -> Result<(), StoreError> {
        let sealed = self.seal();
        self.commit_sealed(sealed, checkpoint)
    }

    /// Discards uncommitted writes, sealed or not. See the example of [`ByteStore`].
    pub fn rollback(&mut self) {
        self.version += 1;
        self.expiry = None;
        self.overlay = Overlay::default();
        self.sealed = None;
    }

    /// Applies changelog records directly to the backend. `next_offset` is the offset where the restore continues. If
    /// two records have the same key, the later record counts. `None` deletes a row.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteStore::new("counts", Box::new(MemoryBackend::new()));
    /// let rows = [("ann", Some(row("1"))), ("bo", Some(row("1"))), ("bo", None)];
    /// store.restore(rows.map(|(key, row)| (key.into(), row)).into(), Vec::new(), 3)?;
    /// assert_eq!((store.get(b"ann")?, store.get(b"bo")?), (Some(row("1")), None));
    /// assert_eq!((store.checkpoint()?, store.is_dirty()), (Some(3), false));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn restore(
        &mut self,
        rows: Vec<(Bytes, Option<Row>)>,
        meta: Vec<(String, Bytes)>,
        next_offset: i64,
    ) -> Result<(), StoreError> {
        self.version += 1;
        self.unflushed.add();
        self.backend.write(Batch { delete_below: None, rows, meta, checkpoint: Some(next_offset) })
    }

    /// The changelog offset up to which the committed rows are complete; `None` before the first. It is the next offset
    /// to restore. See the example of [`ByteStore`].
    pub fn checkpoint(&self) -> Result<Option<i64>, StoreError> {
        self.backend.checkpoint()
    }

    /// Notes that the rows have missed no deletion of the changelog since this wall time (milliseconds since the
    /// epoch): at that time they were equal to the changelog, or empty. The note is kept beside the rows. It is not
    /// logged, and it is durable with the next flush.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteStore::new("counts", Box::new(MemoryBackend::new()));
    /// store.set_current_at(1_700_000_000_000)?;
    /// assert_eq!(store.current_at()?, Some(1_700_000_000_000));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn set_current_at(&mut self, wall_ms: i64) -> Result<(), StoreError> {
        let meta = vec![(CURRENT_AT.to_owned(), Bytes::copy_from_slice(&wall_ms.to_be_bytes()))];
        self.backend.write(Batch { meta, ..Batch::default() })
    }

    /// The wall time of the last [`set_current_at`](Self::set_current_at), in milliseconds since the epoch. See the
    /// example of [`set_current_at`](Self::set_current_at).
    pub fn current_at(&self) -> Result<Option<i64>, StoreError> {
        let raw = self.backend.meta(CURRENT_AT)?;
        Ok(raw.and_then(|raw| Some(i64::from_be_bytes(raw.as_ref().try_into().ok()?))))
    }

    /// Notes what writes the rows, as text that the caller chooses. The note is kept beside the rows, and
    /// [`clear`](Self::clear) keeps it.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteStore::new("counts", Box::new(MemoryBackend::new()));
    /// store.set_written_by("operator=count")?;
    /// store.clear()?;
    /// assert_eq!(store.written_by()?.as_deref(), Some("operator=count"));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn set_written_by(&mut self, writer: &str) -> Result<(), StoreError> {
        let meta = vec![(WRITTEN_BY.to_owned(), Bytes::copy_from_slice(writer.as_bytes()))];
        self.backend.write(Batch { meta, ..Batch::default() })
    }

    /// The text of the last [`set_written_by`](Self::set_written_by). See the example of
    /// [`set_written_by`](Self::set_written_by).
    pub fn written_by(&self) -> Result<Option<String>, StoreError> {
        let raw = self.backend.meta(WRITTEN_BY)?;
        Ok(raw.map(|raw| String::from_utf8_lossy(&raw).into_owned()))
    }

    /// Makes committed rows durable: they survive a crash. See the example of [`has_waited`](Self::has_waited).
    pub fn flush(&mut self) -> Result<(), StoreError> {
        self.backend.flush()?;
        self.unflushed = Unflushed::Nothing;
        Ok(())
    }

    /// Begins to make committed rows durable, as [`Backend::begin_flush`] does. See the example of
    /// [`has_waited`](Self::has_waited).
    pub fn begin_flush(&mut self) -> Result<(), StoreError> {
        self.backend.begin_flush()?;
        self.unflushed = Unflushed::Nothing;
        Ok(())
    }

    /// Whether committed rows have waited for a flush for `wait_ms`. Both times are milliseconds of one clock. The wait
    /// counts from the first call of this method that saw the rows.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteStore::new("counts", Box::new(MemoryBackend::new()));
    /// store.put("ann".into(), row("1"));
    /// store.commit(None)?;
    /// assert!(!store.has_waited(1_000, 20_000));
    /// assert!(store.has_waited(21_000, 20_000));
    /// store.begin_flush()?;
    /// assert!(!store.has_waited(99_000, 20_000));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn has_waited(&mut self, now_ms: i64, wait_ms: i64) -> bool {
        self.unflushed.is_older(now_ms, wait_ms)
    }

    /// Drops all rows, committed or not, before a rebuild. The note of the writer stays. See the example of
    /// [`set_written_by`](Self::set_written_by).
    pub fn clear(&mut self) -> Result<(), StoreError> {
        self.version += 1;
        self.rollback();
        let writer = self.written_by()?;
        self.backend.clear()?;
        self.unflushed = Unflushed::Nothing;
        writer.map_or(Ok(()), |writer| self.set_written_by(&writer))
    }

    /// The approximate number of rows. An overwritten row may count twice. See the example of [`stats`](Self::stats).
    pub fn approximate_len(&self) -> Result<u64, StoreError> {
        Ok(self.backend.approximate_len()? + self.overlays().map(|overlay| overlay.rows.len() as u64).sum::<u64>())
    }

    /// Counters and sizes, since the store was opened.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteStore::new("counts", Box::new(MemoryBackend::new()));
    /// store.put("ann".into(), row("1"));
    /// store.get(b"ann")?;
    /// store.commit(None)?;
    /// let stats = store.stats();
    /// assert_eq!((stats.gets, stats.puts, stats.rows_committed, store.approximate_len()?), (1, 1, 1, 1));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn stats(&self) -> StoreStats {
        StoreStats {
            gets: self.counts.gets.get(),
            puts: self.counts.puts.get(),
            deletes: self.counts.deletes.get(),
            scans: self.counts.scans.get(),
            rows_committed: self.counts.rows_committed.get(),
            overlay_bytes: self.overlay_bytes() as u64,
            size_bytes: self.backend.size_bytes(),
        }
    }
}

impl Unflushed {
    fn add(&mut self) {
        if *self == Self::Nothing {
            *self = Self::Something;
        }
    }

    fn is_older(&mut self, now_ms: i64, wait_ms: i64) -> bool {
        match *self {
            Self::Nothing => return false,
            // This also covers a clock that was set back. Otherwise the wait would not count until the clock has caught
            // up.
            Self::Since(since_ms) if since_ms <= now_ms => {}
            Self::Something | Self::Since(_) => *self = Self::Since(now_ms),
        }
        matches!(*self, Self::Since(since_ms) if now_ms - since_ms >= wait_ms)
    }
}

impl fmt::Debug for ByteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteStore").field("name", &self.name).field("stats", &self.stats()).finish_non_exhaustive()
    }
}
