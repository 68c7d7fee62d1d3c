//! Commits, rollback and restore of a session store.

use bytes::Bytes;

use super::ByteSessionStore;
use crate::{Row, Sealed, StoreError};

impl ByteSessionStore {
    /// As [`ByteStore::commit`](crate::ByteStore::commit). See the example of [`store`](Self::store).
    pub fn commit(&mut self, checkpoint: Option<i64>) -> Result<(), StoreError> {
        let sealed = self.seal();
        self.commit_sealed(sealed, checkpoint)
    }

    /// As [`ByteStore::seal`](crate::ByteStore::seal); see its example.
    pub fn seal(&mut self) -> Sealed {
        self.journal.end();
        self.store.seal()
    }

    /// As [`ByteStore::commit_sealed`](crate::ByteStore::commit_sealed). See the example of
    /// [`ByteStore::seal`](crate::ByteStore::seal).
    pub fn commit_sealed(&mut self, sealed: Sealed, checkpoint: Option<i64>) -> Result<(), StoreError> {
        self.store.commit_sealed(sealed, checkpoint)
    }

    /// As [`ByteStore::rollback`](crate::ByteStore::rollback). What was [expired](Self::expire_before) may be written
    /// again.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{ByteSessionStore, ByteStore, MemoryBackend, Row};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteSessionStore::new(ByteStore::new("visits", Box::new(MemoryBackend::new())), 3_600_000);
    /// store.put(b"ann", 0, 5_000, row("1"));
    /// store.rollback();
    /// assert_eq!(store.next_by_end(0, i64::MAX, None)?, None);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn rollback(&mut self) {
        (self.by_end, self.expired_before) = (None, i64::MIN);
        self.journal.end();
        self.store.rollback();
    }

    /// As [`ByteStore::restore`](crate::ByteStore::restore), for rows with local keys ([`SessionKey::encode_local`](crate::SessionKey::encode_local)). See its example.
    pub fn restore(
        &mut self,
        rows: Vec<(Bytes, Option<Row>)>,
        meta: Vec<(String, Bytes)>,
        next_offset: i64,
    ) -> Result<(), StoreError> {
        if !rows.is_empty() {
            self.by_end = None;
        }
        self.store.restore(rows, meta, next_offset)
    }

    /// As [`ByteStore::clear`](crate::ByteStore::clear). See the example of [`ByteStore::set_written_by`](crate::ByteStore::set_written_by).
    pub fn clear(&mut self) -> Result<(), StoreError> {
        (self.by_end, self.expired_before) = (None, i64::MIN);
        self.journal.end();
        self.store.clear()
    }
}
