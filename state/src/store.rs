//! Rows of bytes, with uncommitted writes above a backend.

mod commit;
mod expired;
mod flush;
mod meta;
mod writes;

use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use crate::expiry::Expiry;
use crate::merge::Merge;
use crate::overlay::Overlay;
use crate::stats::Counter;
use crate::{Backend, Direction, Row, Rows, StoreError, StoreStats};
use flush::Unflushed;

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

impl fmt::Debug for ByteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteStore").field("name", &self.name).field("stats", &self.stats()).finish_non_exhaustive()
    }
}
