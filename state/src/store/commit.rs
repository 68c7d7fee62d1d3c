//! Commits of a store: its uncommitted writes, and how they reach the backend.

use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use super::ByteStore;
use crate::overlay::Overlay;
use crate::sealed::Sealed;
use crate::{Batch, Direction, Row, Rows, StoreError};

impl ByteStore {
    /// The writes that the changelog must get before the next commit, in key order. `None` is a deletion. Sealed writes
    /// are not included. See the example of [`delete`](Self::delete).
    pub fn uncommitted(&self) -> impl DoubleEndedIterator<Item = (&Bytes, Option<&Row>)> {
        self.overlay.rows.iter().map(|(key, row)| (key, row.as_ref()))
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
}
