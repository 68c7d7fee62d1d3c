//! Taking keys out of all windows. Rows are ordered by window first, so that a key is sought in each window.

use std::ops::Bound;

use bytes::Bytes;

use super::ByteWindowStore;
use crate::window_key::{put_open_prefix, start_of, start_prefix};
use crate::{Direction, StoreError, WindowKey};

/// Rows that are looked for at once.
const PIECE_ROWS: usize = 1_000;

impl ByteWindowStore {
    /// Rows whose key begins with `prefix`, by start, key and sequence: some of them, and where to go on. The walk
    /// begins at `from`, or at the first window. It looks at about `max` rows and windows.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore, ByteWindowStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// store.append(0, b"ann", row("hi"))?;
    /// store.append(0, b"bo", row("hello"))?;
    /// store.append(60_000, b"ann", row("bye"))?;
    /// let (rows, next) = store.rows_by_prefix(b"ann", None, 1_000)?;
    /// assert_eq!((rows.len(), next), (2, None));
    /// rows.iter().for_each(|row| store.delete_row(row));
    /// assert!(store.elements(60_000, b"ann")?.is_empty());
    /// assert_eq!(store.elements(0, b"bo")?, [row("hello")]);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn rows_by_prefix(
        &self,
        prefix: &[u8],
        from: Option<&[u8]>,
        max: usize,
    ) -> Result<(Vec<WindowKey>, Option<Bytes>), StoreError> {
        let (mut found, mut looks) = (Vec::new(), 0);
        let mut from = from.unwrap_or_default().to_vec();
        while let Some(start) = self.first_start(&from)? {
            let mut wanted = Vec::with_capacity(prefix.len() + size_of::<i64>());
            put_open_prefix(start, prefix, &mut wanted);
            let low = Bound::Included(std::cmp::max(&*wanted, &*from));
            for row in self.store.scan(low, Bound::Unbounded, Direction::Forward)? {
                let (local, _) = row?;
                if !local.starts_with(&wanted) {
                    break;
                }
                if looks >= max {
                    return Ok((found, Some(local)));
                }
                looks += 1;
                found.push(WindowKey::decode_local(local).map_err(|source| self.codec_error(source))?);
            }
            let Some(next) = start.checked_add(1) else { break };
            from = start_prefix(next).to_vec();
            looks += 1;
            if looks >= max {
                return Ok((found, Some(from.into())));
            }
        }
        Ok((found, None))
    }

    /// From now on, each row of a window that [expires](Self::expire) leaves a deletion in the changelog. A store from
    /// which keys are erased needs this: an erasure cannot find rows of expired windows, and without deletions they
    /// would stay in the changelog.
    pub fn leave_deletions(&mut self) {
        self.leaves_deletions = true;
    }

    /// Drops windows with a lower start. Leaves a deletion for each of their rows, if the store [leaves
    /// deletions](Self::leave_deletions).
    pub fn expire(&mut self, start: i64) -> Result<(), StoreError> {
        if !self.leaves_deletions || start <= self.expired_before {
            self.expire_before(start);
            return Ok(());
        }
        let end = start_prefix(start);
        let expired = self.store.scan(Bound::Unbounded, Bound::Excluded(&end), Direction::Forward)?;
        let expired: Vec<_> = expired.map(|row| row.map(|(local, _)| local)).collect::<Result<_, _>>()?;
        self.note_expiry(start);
        for local in expired {
            self.store.delete(local);
        }
        // Deletions of earlier commits are in the changelog. Scans need not pass over them any more.
        self.store.delete_below(Bytes::copy_from_slice(&start_prefix(self.committed_expired_before)));
        Ok(())
    }

    /// Deletes a row. Elements of its window count from where the others end, as if it had never been. See the example
    /// of [`rows_by_prefix`](Self::rows_by_prefix).
    pub fn delete_row(&mut self, row: &WindowKey) {
        self.stop_counting(row.start, &row.key);
        self.store.delete(row.encode_local());
    }

    /// Deletes everything of a key, in all windows, and returns how many rows there were. Looks into every window.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore, ByteWindowStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// store.append(0, b"ann", row("hi"))?;
    /// store.append(60_000, b"ann", row("bye"))?;
    /// assert_eq!(store.delete_key(b"ann")?, 2);
    /// assert_eq!(store.delete_key(b"ann")?, 0);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn delete_key(&mut self, key: &[u8]) -> Result<usize, StoreError> {
        let (mut count, mut from) = (0, None::<Bytes>);
        loop {
            let (rows, next) = self.rows_by_prefix(key, from.as_deref(), PIECE_ROWS)?;
            for row in rows.into_iter().filter(|row| row.key == key) {
                self.delete_row(&row);
                count += 1;
            }
            match next {
                None => return Ok(count),
                next => from = next,
            }
        }
    }

    /// The window of the first row that is not before `from`.
    fn first_start(&self, from: &[u8]) -> Result<Option<i64>, StoreError> {
        let first = self.store.scan(Bound::Included(from), Bound::Unbounded, Direction::Forward)?.next();
        Ok(first.transpose()?.and_then(|(local, _)| start_of(&local)))
    }
}
