//! Undo of single versions, in addition to the rollback of whole commits.

use super::ByteVersionedStore;

/// A position for [`ByteVersionedStore::undo_to`]. The default is the position at [`ByteVersionedStore::begin_undo`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VersionSavepoint {
    rows: usize,
    observed_ms: Option<i64>,
}

impl ByteVersionedStore {
    /// As [`ByteStore::begin_undo`](crate::ByteStore::begin_undo). See the example of [`undo_to`](Self::undo_to).
    pub fn begin_undo(&mut self) {
        self.store.begin_undo();
        self.undo_ms = self.observed_ms;
    }

    /// As [`ByteStore::end_undo`](crate::ByteStore::end_undo). See the example of [`undo_to`](Self::undo_to).
    pub fn end_undo(&mut self) {
        self.store.end_undo();
    }

    /// As [`ByteStore::savepoint`](crate::ByteStore::savepoint). See the example of [`undo_to`](Self::undo_to).
    pub fn savepoint(&self) -> VersionSavepoint {
        VersionSavepoint { rows: self.store.savepoint(), observed_ms: Some(self.observed_ms) }
    }

    /// As [`ByteStore::undo_to`](crate::ByteStore::undo_to). The observed time returns, too.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{ByteStore, ByteVersionedStore, MemoryBackend};
    /// # let mut store = ByteVersionedStore::new(ByteStore::new("prices", Box::new(MemoryBackend::new())), 10)?;
    /// store.put(b"tea", Some(Bytes::from("3.00")), 5)?;
    /// store.begin_undo();
    /// let savepoint = store.savepoint();
    /// store.put(b"tea", Some(Bytes::from("refused")), 900)?;
    /// store.undo_to(savepoint);
    /// store.end_undo();
    /// assert_eq!((store.get(b"tea")?.map(|version| version.timestamp), store.kept_from()), (Some(5), 0));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn undo_to(&mut self, savepoint: VersionSavepoint) {
        self.store.undo_to(savepoint.rows);
        self.observed_ms = savepoint.observed_ms.unwrap_or(self.undo_ms);
    }
}
