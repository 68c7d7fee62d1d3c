//! Writes of a store, which are uncommitted until the next commit, and their undo.

use bytes::Bytes;

use super::ByteStore;
use crate::{Row, StoreError};

impl ByteStore {
    /// Writes a row. It is uncommitted until the next commit. See the example of [`ByteStore`].
    pub fn put(&mut self, key: Bytes, row: Row) {
        self.version += 1;
        self.counts.puts.add(1);
        if let Some(expiry) = &mut self.expiry {
            expiry.note(&key, row.timestamp);
        }
        self.overlay.set(key, Some(row));
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
}
