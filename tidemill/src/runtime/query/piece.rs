//! A store's rows, as many at a time as a thread may give away without being missed.

use std::ops::Bound;

use bytes::Bytes;
use tidemill_state::{Direction, Store, StoreError, WindowStore};

use crate::operators::{StoreHandle, WindowClock};

/// Rows that are looked at, of all stores that are read in one go.
const LOOKED_AT: usize = 4_096;

/// Bytes that are handed over of them.
const BYTES: usize = 1 << 20;

/// Rows that are looked at of each, however many they are.
const LEAST: usize = 64;

/// Which stores answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    KeyValue,
    Window,
}

/// Which rows of a store: in the order of their keys' bytes.
#[derive(Clone)]
pub(super) struct Rows {
    pub(super) kind: Kind,
    pub(super) from: Bound<Bytes>,
    pub(super) to: Bound<Bytes>,
    /// At most so many.
    pub(super) limit: usize,
    /// Whether their values matter.
    pub(super) values: bool,
    /// Of window stores: the rows of this key alone.
    pub(super) key: Option<Bytes>,
}

/// Keys and values, and the last key that was looked at, if there are more behind it.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub(super) rows: Vec<(Bytes, Bytes)>,
    pub(super) more_after: Option<Bytes>,
}

impl Rows {
    /// Reads some of them; nothing, of a store of another kind.
    pub(super) fn read(&self, handle: &StoreHandle, together: usize) -> Option<Result<Piece, StoreError>> {
        match (handle, self.kind) {
            (StoreHandle::KeyValue(store), Kind::KeyValue) => {
                Some(self.read_from(self.from.as_ref().map(|key| &**key), &store.borrow(), together))
            }
            (StoreHandle::Window(store), Kind::Window) => Some(self.read_windows(&store.borrow(), together)),
            _ => None,
        }
    }

    /// Windows past their retention are not shown, though a store that was restored may still have them.
    fn read_windows(&self, store: &WindowStore, together: usize) -> Result<Piece, StoreError> {
        let kept_from = WindowClock::expired_below_in(store)?.unwrap_or(0).to_be_bytes();
        let from = match &self.from {
            Bound::Included(key) | Bound::Excluded(key) if **key >= kept_from[..] => {
                self.from.as_ref().map(|key| &**key)
            }
            _ => Bound::Included(&kept_from[..]),
        };
        self.read_from(from, store.store(), together)
    }

    fn read_from(&self, from: Bound<&[u8]>, store: &Store, together: usize) -> Result<Piece, StoreError> {
        let share = |whole: usize| whole / together.max(1);
        let (rows_max, bytes_max) = (share(LOOKED_AT).max(LEAST), share(BYTES));
        let (mut piece, mut bytes, mut last) = (Piece::default(), 0, Bytes::new());
        let to = self.to.as_ref().map(|key| &**key);
        for (looked_at, row) in store.scan(from, to, Direction::Forward)?.enumerate() {
            if looked_at == rows_max || (looked_at > 0 && bytes >= bytes_max) || piece.rows.len() >= self.limit {
                piece.more_after = Some(last);
                break;
            }
            let (key, row) = row?;
            last = key.clone();
            if self.key.as_ref().is_none_or(|wanted| of_window(&key).as_ref() == Some(wanted)) {
                let value = if self.values { row.value } else { Bytes::new() };
                bytes += key.len() + value.len();
                piece.rows.push((key, value));
            }
        }
        Ok(piece)
    }
}

/// The record's key in a window's row.
fn of_window(row: &Bytes) -> Option<Bytes> {
    tidemill_state::WindowKey::decode_local(row.clone()).ok().map(|window| window.key)
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use tidemill_state::{MemoryBackend, Row};

    use super::*;

    fn store(rows: usize, value_bytes: usize) -> StoreHandle {
        let mut store = Store::new("store", Box::new(MemoryBackend::new()));
        let value = Bytes::from(vec![0; value_bytes]);
        for number in 0..rows {
            store.put(Bytes::from(format!("{number:06}")), Row { timestamp: 0, value: value.clone() });
        }
        StoreHandle::KeyValue(Rc::new(RefCell::new(store)))
    }

    fn read(handle: &StoreHandle, limit: usize, together: usize) -> (usize, Option<Bytes>) {
        let (from, to) = (Bound::Unbounded, Bound::Unbounded);
        let rows = Rows { kind: Kind::KeyValue, from, to, limit, values: true, key: None };
        let piece = rows.read(handle, together).expect("it is of that kind").expect("reads");
        (piece.rows.len(), piece.more_after)
    }

    #[test]
    fn no_store_keeps_its_thread_for_long_however_large_it_is() {
        let many = store(100_000, 5);
        assert_eq!(read(&many, usize::MAX, 1), (LOOKED_AT, Some("004095".into())));
        assert_eq!(read(&many, usize::MAX, 16), (LOOKED_AT / 16, Some("000255".into())));
        assert_eq!(read(&many, 3, 1), (3, Some("000002".into())));
        assert_eq!(read(&store(100, 1 << 17), usize::MAX, 1).0, 8, "bytes count, too");
        assert_eq!(read(&store(3, 1 << 21), usize::MAX, 1).0, 1, "but one row always goes");
        assert_eq!(read(&store(3, 5), usize::MAX, 1), (3, None));
    }
}
