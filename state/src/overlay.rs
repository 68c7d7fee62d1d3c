//! Writes that are not committed yet.

use std::collections::{BTreeMap, btree_map::Range};
use std::ops::Bound;

use bytes::Bytes;

use crate::backend::is_empty_range;
use crate::memory::ROW_OVERHEAD_BYTES;
use crate::{Batch, Row};

/// Uncommitted rows, deletions, expiry and named values, with their cost in bytes.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    pub(crate) rows: BTreeMap<Bytes, Option<Row>>,
    pub(crate) meta: BTreeMap<String, Bytes>,
    /// Every lower key of the backend is gone.
    floor: Option<Bytes>,
    bytes: usize,
}

impl Overlay {
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.meta.is_empty() && self.floor.is_none()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Writes a row, or a deletion.
    pub(crate) fn set(&mut self, key: Bytes, row: Option<Row>) {
        let key_len = key.len();
        self.bytes += cost(key_len, row.as_ref());
        if let Some(old) = self.rows.insert(key, row) {
            self.bytes -= cost(key_len, old.as_ref());
        }
    }

    pub(crate) fn set_meta(&mut self, key: &str, value: Bytes) {
        self.bytes += value.len();
        if let Some(old) = self.meta.get_mut(key) {
            self.bytes -= std::mem::replace(old, value).len();
        } else {
            self.bytes += key.len();
            self.meta.insert(key.to_owned(), value);
        }
    }

    /// Drops the overlay's own lower rows now, and hides the backend's.
    pub(crate) fn delete_below(&mut self, key: Bytes) {
        while let Some(first) = self.rows.first_entry().filter(|first| *first.key() < key) {
            let (key, row) = first.remove_entry();
            self.bytes -= cost(key.len(), row.as_ref());
        }
        if self.floor.as_ref().is_none_or(|floor| *floor < key) {
            self.floor = Some(key);
        }
    }

    /// Takes what was written later.
    pub(crate) fn absorb(&mut self, newer: Self) {
        if let Some(floor) = newer.floor {
            self.delete_below(floor);
        }
        newer.rows.into_iter().for_each(|(key, row)| self.set(key, row));
        newer.meta.into_iter().for_each(|(key, value)| self.set_meta(&key, value));
    }

    /// Whether the backend's row of this key, if any, is gone.
    pub(crate) fn hides(&self, key: &[u8]) -> bool {
        self.floor.as_ref().is_some_and(|floor| key < floor)
    }

    /// The lower bound below which the backend has nothing to show.
    pub(crate) fn raise<'a>(&'a self, from: Bound<&'a [u8]>) -> Bound<&'a [u8]> {
        match (&self.floor, from) {
            (None, from) => from,
            (Some(floor), Bound::Included(key) | Bound::Excluded(key)) if key >= &floor[..] => from,
            (Some(floor), _) => Bound::Included(floor),
        }
    }

    /// Rows and deletions between two keys, if there can be any.
    pub(crate) fn range(&self, from: Bound<&[u8]>, to: Bound<&[u8]>) -> Option<Range<'_, Bytes, Option<Row>>> {
        let is_empty = self.rows.is_empty() || is_empty_range(from, to);
        (!is_empty).then(|| self.rows.range::<[u8], _>((from, to)))
    }

    /// All of it, as one commit. Values are shared, not copied.
    pub(crate) fn to_batch(&self, checkpoint: Option<i64>) -> Batch {
        Batch {
            delete_below: self.floor.clone(),
            rows: self.rows.iter().map(|(key, row)| (key.clone(), row.clone())).collect(),
            meta: self.meta.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
            checkpoint,
        }
    }
}

fn cost(key_len: usize, row: Option<&Row>) -> usize {
    key_len + row.map_or(0, |row| row.value.len()) + ROW_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_return_to_zero() {
        let row = |value: &'static str| Some(Row { timestamp: 0, value: Bytes::from(value) });
        let mut overlay = Overlay::default();
        overlay.set("a".into(), row("1234"));
        overlay.set("a".into(), row("12"));
        overlay.set("b".into(), None);
        assert_eq!(overlay.bytes(), 4 + 2 * ROW_OVERHEAD_BYTES);
        overlay.delete_below("c".into());
        assert_eq!(overlay.bytes(), 0);
        overlay.set_meta("time", "12".into());
        overlay.set_meta("time", "1".into());
        assert_eq!(overlay.bytes(), 5);
    }

    #[test]
    fn floor_only_rises() {
        let mut overlay = Overlay::default();
        overlay.delete_below("m".into());
        overlay.delete_below("c".into());
        assert!(overlay.hides(b"l") && !overlay.hides(b"m"));
        assert_eq!(overlay.raise(Bound::Unbounded), Bound::Included(&b"m"[..]));
        assert_eq!(overlay.raise(Bound::Excluded(b"a")), Bound::Included(&b"m"[..]));
        assert_eq!(overlay.raise(Bound::Excluded(b"m")), Bound::Excluded(&b"m"[..]));
    }
}
