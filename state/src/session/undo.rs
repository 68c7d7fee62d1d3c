//! Undo of single writes to sessions, in addition to the rollback of whole commits.

use super::{ByEnd, ByteSessionStore};
use crate::journal::Savepoint;

/// A change beside the rows.
#[derive(Debug)]
pub(super) enum Change {
    /// The order was read from the rows.
    Built,
    Added(ByEnd),
    Removed(ByEnd),
    /// Sessions were expired; before, those that ended earlier than this were.
    Expired(i64),
}

impl ByteSessionStore {
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

    /// As [`ByteStore::undo_to`](crate::ByteStore::undo_to).
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{ByteSessionStore, ByteStore, MemoryBackend, Row};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteSessionStore::new(ByteStore::new("visits", Box::new(MemoryBackend::new())), 3_600_000);
    /// store.put(b"ann", 0, 5_000, row("1"));
    /// store.begin_undo();
    /// let savepoint = store.savepoint();
    /// store.remove(b"ann", 0, 5_000)?;
    /// store.put(b"ann", 0, 6_000, row("refused"));
    /// store.undo_to(savepoint);
    /// store.end_undo();
    /// assert_eq!(store.next_by_end(0, i64::MAX, None)?.map(|session| session.end), Some(5_000));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn undo_to(&mut self, savepoint: Savepoint) {
        self.store.undo_to(savepoint.rows);
        for change in self.journal.take_since(savepoint.journal) {
            match (change, &mut self.by_end) {
                (Change::Added(session), Some(by_end)) => drop(by_end.remove(&session)),
                (Change::Removed(session), Some(by_end)) => drop(by_end.insert(session)),
                // The order may have been read from rows that are undone now.
                (Change::Built, _) => self.by_end = None,
                (Change::Expired(before), _) => self.expired_before = before,
                (Change::Added(_) | Change::Removed(_), None) => {}
            }
        }
    }
}
