//! Undo of single writes to windows, in addition to the rollback of whole commits.

use bytes::Bytes;

use super::ByteWindowStore;
use crate::{journal::Savepoint, sequences::Expired};

/// The state beside the rows before a change.
#[derive(Debug)]
pub(super) enum Replaced {
    Sequence(i64, Bytes, Option<u32>),
    Expired(Expired),
    ExpiredBefore(i64),
}

impl Replaced {
    pub(super) fn sequence(start: i64, key: &[u8], next: Option<u32>) -> Self {
        Self::Sequence(start, Bytes::copy_from_slice(key), next)
    }
}

impl ByteWindowStore {
    /// As [`ByteStore::begin_undo`](crate::ByteStore::begin_undo). See the example of [`undo_to`](Self::undo_to).
    pub fn begin_undo(&mut self) {
        self.store.begin_undo();
        self.journal.begin();
    }

    /// As [`ByteStore::end_undo`](crate::ByteStore::end_undo). See the example of [`undo_to`](Self::undo_to).
    pub fn end_undo(&mut self) {
        self.store.end_undo();
        self.journal.end();
    }

    /// As [`ByteStore::savepoint`](crate::ByteStore::savepoint). See the example of [`undo_to`](Self::undo_to).
    pub fn savepoint(&self) -> Savepoint {
        Savepoint { rows: self.store.savepoint(), journal: self.journal.savepoint() }
    }

    /// As [`ByteStore::undo_to`](crate::ByteStore::undo_to). Sequence numbers return, too.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore, ByteWindowStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// store.begin_undo();
    /// store.append(0, b"ann", row("hi"))?;
    /// let savepoint = store.savepoint();
    /// store.append(0, b"ann", row("refused"))?;
    /// store.undo_to(savepoint);
    /// store.end_undo();
    /// assert_eq!(store.append(0, b"ann", row("bye"))?, 1);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn undo_to(&mut self, savepoint: Savepoint) {
        self.store.undo_to(savepoint.rows);
        for replaced in self.journal.take_since(savepoint.journal) {
            match replaced {
                Replaced::Sequence(start, key, Some(next)) => self.sequences.insert(start, &key, next),
                Replaced::Sequence(start, key, None) => self.sequences.remove(start, &key),
                Replaced::Expired(expired) => self.sequences.revive(expired),
                Replaced::ExpiredBefore(start) => self.expired_before = start,
            }
        }
    }

    /// Sets the number of a window's next element.
    pub(super) fn count_from(&mut self, start: i64, key: &[u8], next: u32) {
        let old = self.sequences.get(start, key);
        self.journal.note(|| Replaced::sequence(start, key, old));
        self.sequences.insert(start, key, next);
    }

    pub(super) fn stop_counting(&mut self, start: i64, key: &[u8]) {
        let old = self.sequences.get(start, key);
        if old.is_some() {
            self.journal.note(|| Replaced::sequence(start, key, old));
            self.sequences.remove(start, key);
        }
    }

    pub(super) fn note_expiry(&mut self, start: i64) {
        let old = std::mem::replace(&mut self.expired_before, start);
        self.journal.note(|| Replaced::ExpiredBefore(old));
        for expired in self.sequences.expire_before(start) {
            self.journal.note(|| Replaced::Expired(expired));
        }
    }
}
