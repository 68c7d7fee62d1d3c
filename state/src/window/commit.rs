//! Commits of a window store, rollback and restore.

use bytes::Bytes;

use super::{ByteWindowStore, by_key, last_start};
use crate::window_key::start_of;
use crate::{Row, SealedWindows, StoreError};

impl ByteWindowStore {
    /// As [`ByteStore::commit`](crate::ByteStore::commit). See the example of [`store`](Self::store).
    pub fn commit(&mut self, checkpoint: Option<i64>) -> Result<(), StoreError> {
        let sealed = self.seal();
        self.commit_sealed(sealed, checkpoint)
    }

    /// As [`ByteStore::seal`](crate::ByteStore::seal); see its example.
    pub fn seal(&mut self) -> SealedWindows {
        self.journal.end();
        let (epoch, kept_from) = self.kept.seal();
        SealedWindows { rows: self.store.seal(), expired_before: self.expired_before, epoch, kept_from }
    }

    /// As [`ByteStore::commit_sealed`](crate::ByteStore::commit_sealed). See the example of
    /// [`ByteStore::seal`](crate::ByteStore::seal).
    pub fn commit_sealed(&mut self, sealed: SealedWindows, checkpoint: Option<i64>) -> Result<(), StoreError> {
        let SealedWindows { rows, expired_before, kept_from, .. } = sealed;
        if self.store.holds(&rows) {
            self.store.commit_sealed(rows, checkpoint)?;
            self.committed_expired_before = expired_before;
            self.kept.commit(kept_from);
        }
        Ok(())
    }

    /// As [`ByteStore::rollback`](crate::ByteStore::rollback). Sequence numbers are read again when they are needed.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore, ByteWindowStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// store.append(0, b"ann", row("hi"))?;
    /// store.commit(None)?;
    /// store.append(0, b"ann", row("rolled back"))?;
    /// store.rollback();
    /// assert_eq!(store.append(0, b"ann", row("bye"))?, 1);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn rollback(&mut self) {
        self.store.rollback();
        self.expired_before = self.committed_expired_before;
        self.kept.roll_back();
        self.journal.end();
        self.sequences.clear();
        // An unknown start is safe: every window without a known sequence number is then looked up.
        self.last_start = last_start(&self.store).unwrap_or(Some(i64::MAX));
    }

    /// As [`ByteStore::restore`](crate::ByteStore::restore), for rows with local keys
    /// ([`WindowKey::encode_local`](crate::WindowKey::encode_local)). See the example of
    /// [`last_start`](Self::last_start).
    pub fn restore(
        &mut self,
        rows: Vec<(Bytes, Option<Row>)>,
        meta: Vec<(String, Bytes)>,
        next_offset: i64,
    ) -> Result<(), StoreError> {
        let restored = rows.iter().filter_map(|(key, _)| start_of(key)).max();
        self.store.restore(rows, meta, next_offset)?;
        self.sequences.clear();
        self.last_start = self.last_start.max(restored);
        Ok(())
    }

    /// As [`ByteStore::clear`](crate::ByteStore::clear). See the example of
    /// [`ByteStore::set_written_by`](crate::ByteStore::set_written_by).
    pub fn clear(&mut self) -> Result<(), StoreError> {
        self.sequences.clear();
        (self.expired_before, self.committed_expired_before) = (0, 0);
        self.kept = by_key::Kept::default();
        self.journal.end();
        self.last_start = None;
        self.store.clear()
    }
}
