//! Windows that end key by key: no time of the store says what is over.

use std::ops::Bound;

use bytes::Bytes;

use super::WindowStore;
use crate::window_key::encode_local;
use crate::{Direction, Row, StoreError, WindowKey};

/// So many rows of a window are passed over before the next window is sought.
const PASSED: u32 = 8;

/// Since which commit there are rows that are still needed: as of now, and as of the last commit.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Commits sealed so far.
    epoch: u64,
    from: Option<u64>,
    committed_from: Option<u64>,
}

impl Kept {
    /// The commit that was sealed, and what it keeps.
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

impl WindowStore {
    /// Says whether windows end key by key: whoever writes then removes each by itself, and says which rows are needed.
    pub fn with_ends_by_key(mut self, by_key: bool) -> Self {
        self.by_key = by_key;
        self
    }

    /// Whether windows end key by key.
    pub fn ends_by_key(&self) -> bool {
        self.by_key
    }

    /// The commit that what is written now belongs to: 0 for what the store held when it was opened, then 1, 2, 3…
    pub fn epoch(&self) -> u64 {
        self.kept.epoch + 1
    }

    /// Counts commits anew: what is there belongs to commit 0, and nothing is known of what is needed.
    pub fn restart_epochs(&mut self) {
        self.kept = Kept::default();
    }

    /// Tells that every row that is still needed was written by this commit or a later one. Counts with the next
    /// commit.
    pub fn keep_from(&mut self, epoch: u64) {
        self.kept.from = Some(epoch);
    }

    /// The committed part of what [`keep_from`](Self::keep_from) was told; `None` if it never was.
    pub fn committed_kept_from(&self) -> Option<u64> {
        self.kept.committed_from
    }

    /// [`append`](Self::append) of a window's first element, known to be the first.
    pub fn append_first(&mut self, start: i64, key: &[u8], row: Row) {
        self.count_from(start, key, 1);
        self.store.put(encode_local(start, key, 0), row);
    }

    /// Removes a key's window, its one value or its elements. One of which nothing was committed (`is_new`) vanishes
    /// without reaching backend or changelog.
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

    /// The same of a window that holds one value.
    pub fn remove_value(&mut self, start: i64, key: &[u8], is_new: bool) {
        let row = encode_local(start, key, 0);
        if is_new { self.store.forget(&row) } else { self.store.delete(row) }
    }

    /// Every window of every key, by start, then key.
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
