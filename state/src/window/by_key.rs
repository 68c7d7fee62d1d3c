//! Windows that end key by key: no time of the store tells which windows are over.

use std::ops::Bound;

use bytes::Bytes;

use super::ByteWindowStore;
use crate::window_key::encode_local;
use crate::{Direction, Row, StoreError, WindowKey};

/// After this many rows of the same window, the scan seeks the next window.
const PASSED: u32 = 8;

/// The oldest commit whose rows are still needed: the current value, and the value at the last commit.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// The number of sealed commits.
    epoch: u64,
    from: Option<u64>,
    committed_from: Option<u64>,
}

impl Kept {
    /// The number of the sealed commit, and the oldest commit whose rows it needs.
    pub(super) fn seal(&mut self) -> (u64, Option<u64>) {
        self.epoch += 1;
        (self.epoch, self.from)
    }

    pub(super) fn commit(&mut self, from: Option<u64>) {
        self.committed_from = from;
    }

    pub(super) fn roll_back(&mut self) {
        self.from = self.committed_from;
    }
}

impl ByteWindowStore {
    /// Sets whether windows end key by key. The writer must then remove each window and call
    /// [`keep_from`](Self::keep_from). The default is that windows expire by start.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore, ByteWindowStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// let mut store = store.with_ends_by_key(true);
    /// assert!(store.ends_by_key());
    /// store.append_first(0, b"ann", row("hi"));
    /// store.append_first(0, b"bo", row("hello"));
    /// store.remove(0, b"ann", true)?; // The window of one key has ended, before its rows were committed.
    /// assert_eq!(store.windows()?, [(0, "bo".into())]);
    /// assert_eq!(store.store().uncommitted().count(), 1, "the changelog never hears of the other window");
    ///
    /// store.commit(None)?;
    /// assert_eq!(store.epoch(), 2, "new writes belong to the second commit");
    /// store.keep_from(2); // Nobody needs rows of the first commit any more.
    /// store.commit(None)?;
    /// assert_eq!(store.committed_kept_from(), Some(2));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn with_ends_by_key(mut self, by_key: bool) -> Self {
        self.by_key = by_key;
        self
    }

    /// Whether windows end key by key. See the example of [`with_ends_by_key`](Self::with_ends_by_key).
    pub fn ends_by_key(&self) -> bool {
        self.by_key
    }

    /// The commit that new writes belong to. 0 stands for rows from before the store was opened; commits count from 1.
    /// See the example of [`with_ends_by_key`](Self::with_ends_by_key).
    pub fn epoch(&self) -> u64 {
        self.kept.epoch + 1
    }

    /// Restarts the count of commits: existing rows belong to commit 0, and the value of [`keep_from`](Self::keep_from)
    /// is forgotten.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore, ByteWindowStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// store.put(0, b"ann", row("1"));
    /// store.commit(None)?;
    /// store.restart_epochs();
    /// assert_eq!((store.epoch(), store.committed_kept_from()), (1, None));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn restart_epochs(&mut self) {
        self.kept = Kept::default();
    }

    /// Declares that this commit or a later one wrote every row that is still needed. It takes effect with the next
    /// commit. See the example of [`with_ends_by_key`](Self::with_ends_by_key).
    pub fn keep_from(&mut self, epoch: u64) {
        self.kept.from = Some(epoch);
    }

    /// The committed value of [`keep_from`](Self::keep_from); `None` if it was never called. See the example of
    /// [`with_ends_by_key`](Self::with_ends_by_key).
    pub fn committed_kept_from(&self) -> Option<u64> {
        self.kept.committed_from
    }

    /// As [`append`](Self::append), for the first element of a window. The caller must know that it is the first. See
    /// the example of [`with_ends_by_key`](Self::with_ends_by_key).
    pub fn append_first(&mut self, start: i64, key: &[u8], row: Row) {
        self.count_from(start, key, 1);
        self.store.put(encode_local(start, key, 0), row);
    }

    /// Removes a key's window: its single value or its elements. If no row of the window was committed (`is_new`), the
    /// rows reach neither the backend nor the changelog. See the example of
    /// [`with_ends_by_key`](Self::with_ends_by_key).
    pub fn remove(&mut self, start: i64, key: &[u8], is_new: bool) -> Result<(), StoreError> {
        let rows = match self.sequences.get(start, key) {
            Some(len) => (0..len).map(|seq| encode_local(start, key, seq)).collect(),
            None => self
                .scan_window(start, key, Direction::Forward)?
                .map(|row| Ok(row?.0))
                .collect::<Result<Vec<_>, StoreError>>()?,
        };
        self.stop_counting(start, key);
        for row in rows {
            if is_new { self.store.forget(&row) } else { self.store.delete(row) }
        }
        Ok(())
    }

    /// As [`remove`](Self::remove), for a window that holds one value.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore, ByteWindowStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// store.put(0, b"ann", row("1"));
    /// store.commit(None)?;
    /// store.remove_value(0, b"ann", false);
    /// assert_eq!(store.store().uncommitted().count(), 1, "the row was committed: its deletion goes to the changelog");
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn remove_value(&mut self, start: i64, key: &[u8], is_new: bool) {
        let row = encode_local(start, key, 0);
        if is_new { self.store.forget(&row) } else { self.store.delete(row) }
    }

    /// Every window of every key, by start, then key. See the example of [`with_ends_by_key`](Self::with_ends_by_key).
    pub fn windows(&self) -> Result<Vec<(i64, Bytes)>, StoreError> {
        let mut windows: Vec<(i64, Bytes)> = Vec::new();
        let mut from: Option<Bytes> = None;
        'seek: loop {
            let bound = from.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let mut passed = 0;
            for row in self.store.scan(bound, Bound::Unbounded, Direction::Forward)? {
                let (local, _) = row?;
                let at = WindowKey::decode_local(local).map_err(|source| self.codec_error(source))?;
                if windows.last().is_some_and(|(start, key)| *start == at.start && *key == at.key) {
                    passed += 1;
                    if passed > PASSED {
                        from = Some(encode_local(at.start, &at.key, u32::MAX));
                        continue 'seek;
                    }
                    continue;
                }
                passed = 0;
                windows.push((at.start, at.key));
            }
            return Ok(windows);
        }
    }
}
