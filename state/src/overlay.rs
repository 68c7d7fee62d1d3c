//! Uncommitted writes.

use std::collections::{
    BTreeMap, BTreeSet,
    btree_map::{Entry, Range},
};
use std::ops::Bound;

use bytes::Bytes;

use crate::backend::is_empty_range;
use crate::journal::Journal;
use crate::memory::ROW_OVERHEAD_BYTES;
use crate::{Batch, Row};

/// Uncommitted rows, deletions, expiry and named values, and their size in bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overlay {
    pub(crate) rows: BTreeMap<Bytes, Option<Row>>,
    pub(crate) meta: BTreeMap<String, Bytes>,
    /// All keys of the backend below this key are gone.
    floor: Option<Bytes>,
    bytes: usize,
    /// Keys whose deletion was overwritten. The backend or a sealed commit may have a row for such a key.
    deleted: BTreeSet<Bytes>,
    /// The states before each change, oldest first, while changes can be undone.
    journal: Journal<Replaced>,
}

/// The state in the overlay before a change.
#[derive(Debug, Clone)]
enum Replaced {
    /// The key had no entry.
    Nothing(Bytes),
    /// A row or a deletion.
    Row(Bytes, Option<Row>),
    Meta(String, Option<Bytes>),
    Floor(Option<Bytes>),
}

impl Overlay {
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.meta.is_empty() && self.floor.is_none()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Writes a row or a deletion.
    pub(crate) fn set(&mut self, key: Bytes, row: Option<Row>) {
        let noted = self.journal.is_on().then(|| key.clone());
        let key_len = key.len();
        self.bytes += cost(key_len, row.as_ref());
        // Each write searches the map only once, because a search in a large map is expensive.
        let old = match self.rows.entry(key) {
            Entry::Vacant(place) => {
                place.insert(row);
                None
            }
            Entry::Occupied(mut place) => {
                if row.is_some() && place.get().is_none() {
                    self.deleted.insert(place.key().clone());
                }
                Some(place.insert(row))
            }
        };
        if let Some(old) = &old {
            self.bytes -= cost(key_len, old.as_ref());
        }
        if let Some(key) = noted {
            self.journal
                .note(|| old.map_or_else(|| Replaced::Nothing(key.clone()), |row| Replaced::Row(key.clone(), row)));
        }
    }

    /// Removes an uncommitted row as if it had never been written. If the row replaced a deletion, the deletion takes
    /// effect again. A deletion itself stays.
    pub(crate) fn forget(&mut self, key: &[u8]) {
        match self.rows.get(key) {
            Some(Some(_)) if self.deleted.contains(key) => self.set(Bytes::copy_from_slice(key), None),
            Some(Some(_)) => self.drop_row(key),
            Some(None) | None => {}
        }
    }

    fn drop_row(&mut self, key: &[u8]) {
        if let Some((key, row)) = self.rows.remove_entry(key) {
            self.bytes -= cost(key.len(), row.as_ref());
            self.journal.note(|| Replaced::Row(key, row));
        }
    }

    pub(crate) fn set_meta(&mut self, key: &str, value: Bytes) {
        let old = self.insert_meta(key, value);
        self.journal.note(|| Replaced::Meta(key.to_owned(), old));
    }

    /// Drops the lower rows of the overlay now, and hides those of the backend.
    pub(crate) fn delete_below(&mut self, key: Bytes) {
        while let Some(first) = self.rows.first_entry().filter(|first| *first.key() < key) {
            let (key, row) = first.remove_entry();
            self.bytes -= cost(key.len(), row.as_ref());
            self.journal.note(|| Replaced::Row(key, row));
        }
        if self.floor.as_ref().is_none_or(|floor| *floor < key) {
            let old = self.floor.replace(key);
            self.journal.note(|| Replaced::Floor(old));
        }
    }

    fn insert_meta(&mut self, key: &str, value: Bytes) -> Option<Bytes> {
        self.bytes += value.len();
        if let Some(old) = self.meta.get_mut(key) {
            let old = std::mem::replace(old, value);
            self.bytes -= old.len();
            return Some(old);
        }
        self.bytes += key.len();
        self.meta.insert(key.to_owned(), value)
    }

    /// Allows undo of later changes. Earlier changes can no longer be undone.
    pub(crate) fn begin_undo(&mut self) {
        self.journal.begin();
    }

    /// Ends undo: no change can be undone any more.
    pub(crate) fn end_undo(&mut self) {
        self.journal.end();
    }

    /// The number of changes that can be undone, as a savepoint.
    pub(crate) fn savepoint(&self) -> usize {
        self.journal.savepoint()
    }

    /// Undoes the changes since a savepoint, in reverse order.
    pub(crate) fn undo_to(&mut self, savepoint: usize) {
        let mut journal = std::mem::take(&mut self.journal);
        for replaced in journal.take_since(savepoint) {
            match replaced {
                // The journal was taken, so these changes are not noted.
                Replaced::Row(key, row) => self.set(key, row),
                Replaced::Nothing(key) => self.drop_row(&key),
                Replaced::Meta(key, Some(value)) => drop(self.insert_meta(&key, value)),
                Replaced::Meta(key, None) => {
                    let value = self.meta.remove(&key);
                    self.bytes -= key.len() + value.map_or(0, |value| value.len());
                }
                Replaced::Floor(floor) => self.floor = floor,
            }
        }
        self.journal = journal;
    }

    /// Adds the changes of a newer overlay.
    pub(crate) fn absorb(&mut self, newer: Self) {
        if let Some(floor) = newer.floor {
            self.delete_below(floor);
        }
        newer.rows.into_iter().for_each(|(key, row)| self.set(key, row));
        self.deleted.extend(newer.deleted);
        newer.meta.into_iter().for_each(|(key, value)| self.set_meta(&key, value));
    }

    /// Whether the backend's row of this key is hidden.
    pub(crate) fn hides(&self, key: &[u8]) -> bool {
        self.floor.as_ref().is_some_and(|floor| key < floor)
    }

    /// Raises a lower bound to skip the backend's hidden rows.
    pub(crate) fn raise<'a>(&'a self, from: Bound<&'a [u8]>) -> Bound<&'a [u8]> {
        match (&self.floor, from) {
            (None, from) => from,
            (Some(floor), Bound::Included(key) | Bound::Excluded(key)) if key >= &floor[..] => from,
            (Some(floor), _) => Bound::Included(floor),
        }
    }

    /// The rows and deletions between two keys; `None` if there cannot be any.
    pub(crate) fn range(&self, from: Bound<&[u8]>, to: Bound<&[u8]>) -> Option<Range<'_, Bytes, Option<Row>>> {
        let is_empty = self.rows.is_empty() || is_empty_range(from, to);
        (!is_empty).then(|| self.rows.range::<[u8], _>((from, to)))
    }

    /// All changes as one batch. Values are shared, not copied.
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
    fn changes_since_a_savepoint_are_undone() {
        let row = |value: &'static str| Some(Row { timestamp: 0, value: Bytes::from(value) });
        let mut overlay = Overlay::default();
        overlay.set("a".into(), row("1"));
        overlay.set_meta("time", "1".into());
        overlay.begin_undo();
        overlay.set("b".into(), row("2"));
        let (savepoint, before) = (overlay.savepoint(), format!("{:?} {:?}", overlay.rows, overlay.meta));
        let bytes = overlay.bytes();
        overlay.set("a".into(), None);
        overlay.set("c".into(), row("3"));
        overlay.set_meta("time", "22".into());
        overlay.set_meta("more", "3".into());
        overlay.forget(b"b");
        overlay.delete_below("d".into());
        overlay.undo_to(savepoint);
        assert_eq!(format!("{:?} {:?}", overlay.rows, overlay.meta), before);
        assert_eq!(overlay.bytes(), bytes);
        assert!(!overlay.hides(b"c"));
        overlay.undo_to(0);
        assert_eq!(overlay.rows.len(), 1);
    }

    #[test]
    fn a_row_over_a_deletion_that_is_forgotten_leaves_the_deletion() {
        let row = || Some(Row { timestamp: 0, value: Bytes::from_static(b"1") });
        let mut overlay = Overlay::default();
        overlay.set("a".into(), None);
        overlay.set("a".into(), row());
        overlay.set("b".into(), row());
        overlay.forget(b"a");
        overlay.forget(b"b");
        assert_eq!(overlay.rows.into_iter().collect::<Vec<_>>(), [("a".into(), None)]);
    }

    #[test]
    fn a_deletion_is_not_forgotten() {
        let mut overlay = Overlay::default();
        overlay.set("a".into(), None);
        overlay.forget(b"a");
        assert_eq!(overlay.rows.into_iter().collect::<Vec<_>>(), [("a".into(), None)]);
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
