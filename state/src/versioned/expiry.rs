//! Drops versions that nobody can see any more.
//!
//! Only committed rows are dropped, at once and without a trace in the changelog: whoever replays the changelog sees by
//! its times which versions are invisible.

use bytes::Bytes;

use super::ByteVersionedStore;
use crate::version_key::{SUFFIX_BYTES, is_deletion, local_key, time_of};
use crate::{Row, StoreError};

/// The number of rows that a sweep looks at for each written row. More than one, so that sweeps come round faster than
/// rows are added.
const ROWS_PER_WRITE: usize = 4;

/// The rows of a sweep after few writes.
const ROWS_MIN: usize = 32;

impl ByteVersionedStore {
    /// Looks at some committed rows, where the last call ended, and drops the invisible ones. `deletions` tells whether
    /// deletions with nothing before them are among these, because no older version can come.
    pub(super) fn sweep(&mut self, written: usize, deletions: bool) -> Result<(), StoreError> {
        let kept_from = self.kept_from_at(self.committed_ms);
        if written == 0 || kept_from == 0 {
            return Ok(());
        }
        let mut budget = ROWS_MIN.max(written * ROWS_PER_WRITE);
        let (mut invisible, mut key, mut versions) = (Vec::new(), Bytes::new(), Vec::new());
        let mut next = None;
        for row in self.store.committed_rows(self.swept.as_deref())? {
            let (local, row) = row?;
            let of = local.slice(..local.len().saturating_sub(SUFFIX_BYTES));
            if of != key || versions.is_empty() {
                self.find_invisible((&key, &versions), kept_from, deletions, &mut invisible)?;
                versions.clear();
                if budget == 0 {
                    // A key is looked at as a whole.
                    next = Some(local);
                    break;
                }
                key = of;
            }
            budget = budget.saturating_sub(1);
            versions.push(row);
        }
        if next.is_none() {
            self.find_invisible((&key, &versions), kept_from, deletions, &mut invisible)?;
        }
        self.swept = next;
        self.store.drop_committed(invisible)
    }

    /// Adds those of a key's successive versions that nobody can see.
    fn find_invisible(
        &self,
        (key, versions): (&[u8], &[Row]),
        kept_from: i64,
        deletions: bool,
        into: &mut Vec<Bytes>,
    ) -> Result<(), StoreError> {
        let old = versions.iter().take_while(|row| time_of(row) <= kept_from).count();
        let Some(last) = old.checked_sub(1) else { return Ok(()) };
        // Whoever looks at a kept time sees the last of the old versions, and not the ones before it.
        into.extend(versions[..last].iter().map(|row| local_key(key, time_of(row))));
        // Without anything before it, a deletion is as good as nothing. Rows of another key may stand between the
        // versions of a key, so this must be looked up.
        let first_ms = time_of(&versions[0]);
        if deletions && is_deletion(&versions[last]) && (first_ms == 0 || self.version_at(key, first_ms - 1)?.is_none())
        {
            into.push(local_key(key, time_of(&versions[last])));
        }
        Ok(())
    }

    /// The committed rows that somebody can see, in order. Two stores that have the same are equal, whatever they have
    /// dropped so far.
    ///
    /// # Errors
    ///
    /// If the backend cannot be read.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{ByteStore, ByteVersionedStore, MemoryBackend};
    /// # let mut store = ByteVersionedStore::new(ByteStore::new("prices", Box::new(MemoryBackend::new())), 10)?;
    /// for time in [1, 2, 3, 100] {
    ///     store.put(b"tea", Some(Bytes::from("3.00")), time)?;
    /// }
    /// store.commit(None)?;
    /// assert_eq!(store.visible_rows()?.len(), 2, "the latest version, and the one before it");
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn visible_rows(&self) -> Result<Vec<(Bytes, Row)>, StoreError> {
        let kept_from = self.kept_from_at(self.committed_ms);
        let mut by_key = std::collections::BTreeMap::<Bytes, Vec<Row>>::new();
        for row in self.store.committed_rows(None)? {
            let (local, row) = row?;
            by_key.entry(local.slice(..local.len().saturating_sub(SUFFIX_BYTES))).or_default().push(row);
        }
        let mut found = Vec::new();
        for (key, versions) in by_key {
            let old = versions.iter().take_while(|row| time_of(row) <= kept_from).count();
            let from = match old.checked_sub(1) {
                Some(last) if is_deletion(&versions[last]) => old,
                Some(last) => last,
                None => 0,
            };
            found.extend(versions.into_iter().skip(from).map(|row| (local_key(&key, time_of(&row)), row)));
        }
        Ok(found)
    }
}
