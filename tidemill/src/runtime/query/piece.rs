//! A store's rows in pieces that are small enough not to delay the thread.

use std::ops::Bound;

use bytes::Bytes;
use tidemill_state::{ByteStore, ByteWindowStore, Direction, StoreError, WindowKey};

use crate::{
    graph::StoreShape,
    operators::{StoreHandle, WindowClock},
};

/// The most rows that one request reads, for all of its stores together.
const LOOKED_AT: usize = 4_096;

/// The most bytes that one request returns, for all of its stores together.
const BYTES: usize = 1 << 20;

/// The rows that a request may read from each store, however many stores there are.
const LEAST: usize = 64;

/// A range of a store's rows, in the order of the keys' bytes.
#[derive(Clone)]
pub(super) struct Rows {
    pub(super) kind: StoreShape,
    pub(super) from: Bound<Bytes>,
    pub(super) to: Bound<Bytes>,
    /// The most rows to return.
    pub(super) limit: usize,
    /// Whether to return values.
    pub(super) values: bool,
    /// For window stores: return only this key's rows.
    pub(super) key: Option<Bytes>,
}

/// Keys and values. If more rows follow, also the last key that was read.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub(super) rows: Vec<(Bytes, Bytes)>,
    pub(super) more_after: Option<Bytes>,
}

impl Rows {
    /// Reads a piece; `None` if the store is of another kind.
    pub(super) fn read(&self, handle: &StoreHandle, together: usize) -> Option<Result<Piece, StoreError>> {
        match (handle, self.kind) {
            (StoreHandle::KeyValue(store), StoreShape::KeyValue) => {
                Some(self.read_from(self.from.as_ref().map(|key| &**key), &store.borrow(), together))
            }
            (StoreHandle::Window(store), StoreShape::Window) => Some(self.read_windows(&store.borrow(), together)),
            (StoreHandle::Session(store), StoreShape::Session) => {
                Some(self.read_from(self.from.as_ref().map(|key| &**key), store.borrow().store(), together))
            }
            _ => None,
        }
    }

    /// Leaves out windows past their retention. A restored store may still have such windows.
    fn read_windows(&self, store: &ByteWindowStore, together: usize) -> Result<Piece, StoreError> {
        let kept_from = WindowClock::expired_below_in(store)?.unwrap_or(0).to_be_bytes();
        let from = match &self.from {
            Bound::Included(key) | Bound::Excluded(key) if **key >= kept_from[..] => {
                self.from.as_ref().map(|key| &**key)
            }
            _ => Bound::Included(&kept_from[..]),
        };
        self.read_from(from, store.store(), together)
    }

    fn read_from(&self, from: Bound<&[u8]>, store: &ByteStore, together: usize) -> Result<Piece, StoreError> {
        let share = |whole: usize| whole / together.max(1);
        let (rows_max, bytes_max) = (share(LOOKED_AT).max(LEAST), share(BYTES));
        let (mut piece, mut bytes, mut looked_at, mut last) = (Piece::default(), 0, 0, Bytes::new());
        let mut from = from.map(Bytes::copy_from_slice);
        let to = self.to.as_ref().map(|key| &**key);
        'seek: loop {
            for row in store.scan(from.as_ref().map(|key| &**key), to, Direction::Forward)? {
                if looked_at == rows_max || (looked_at > 0 && bytes >= bytes_max) || piece.rows.len() >= self.limit {
                    piece.more_after = Some(last);
                    return Ok(piece);
                }
                let (key, row) = row?;
                last = key.clone();
                looked_at += 1;
                if let Some(next) = self.passes_over(&key) {
                    from = Bound::Included(next);
                    continue 'seek;
                }
                let value = if self.values { row.value } else { Bytes::new() };
                bytes += key.len() + value.len();
                piece.rows.push((key, value));
            }
            return Ok(piece);
        }
    }

    /// Where to go on if a row of a window is not one of the wanted key.
    fn passes_over(&self, row: &Bytes) -> Option<Bytes> {
        let wanted = self.key.as_ref()?;
        let Ok(at) = WindowKey::decode_local(row.clone()) else {
            return Some([row, &[0][..]].concat().into());
        };
        if at.key == *wanted {
            return None;
        }
        let sought = WindowKey { start: at.start, key: wanted.clone(), seq: 0 }.encode_local();
        let next_window = || Bytes::copy_from_slice(&at.start.saturating_add(1).to_be_bytes());
        Some(if *row < sought { sought } else { next_window() })
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc, time::Duration};

    use tidemill_state::{MemoryBackend, Row};

    use super::*;
    use crate::{EmitStrategy, TimeWindows, clock::Moment, operators::TaskContext};

    fn store(rows: usize, value_bytes: usize) -> StoreHandle {
        let mut store = ByteStore::new("store", Box::new(MemoryBackend::new()));
        let value = Bytes::from(vec![0; value_bytes]);
        for number in 0..rows {
            store.put(Bytes::from(format!("{number:06}")), Row { timestamp: 0, value: value.clone() });
        }
        StoreHandle::KeyValue(Rc::new(RefCell::new(store)))
    }

    fn read(handle: &StoreHandle, limit: usize, together: usize) -> (usize, Option<Bytes>) {
        let (from, to) = (Bound::Unbounded, Bound::Unbounded);
        let rows = Rows { kind: StoreShape::KeyValue, from, to, limit, values: true, key: None };
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

    #[test]
    fn windows_that_time_has_passed_are_left_out_before_the_store_drops_them() {
        let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(1));
        let store = ByteStore::new("store", Box::new(MemoryBackend::new()));
        let store = RefCell::new(ByteWindowStore::new(store, 2_200).expect("opens"));
        let row = || Row { timestamp: 0, value: Bytes::from_static(b"1") };
        (0..6).for_each(|second| store.borrow_mut().put(second * 1_000, b"key", row()));
        let clock = WindowClock::open(windows, EmitStrategy::on_window_update(), &store.borrow()).expect("opens");
        let mut ctx = TaskContext::new(Moment { wall_ms: 0, monotonic_ms: 0 });
        clock.observe(&mut ctx, 5_500);
        clock.close_up_to(&mut ctx, 5_000, None);
        clock.save([&store]);

        let shown = |from: i64| {
            let (from, to) = (Bound::Included(Bytes::copy_from_slice(&from.to_be_bytes())), Bound::Unbounded);
            let rows =
                Rows { kind: StoreShape::Window, from, to, limit: usize::MAX, values: true, key: Some("key".into()) };
            let piece = rows.read_windows(&store.borrow(), 1).expect("reads");
            let start = |(row, _): (Bytes, Bytes)| WindowKey::decode_local(row).expect("is a window").start;
            piece.rows.into_iter().map(start).collect::<Vec<_>>()
        };
        assert_eq!(shown(0), [4_000, 5_000], "the window from 3,000 is older than 2,200");
        assert_eq!(shown(4_500), [5_000]);
        assert_eq!(store.borrow().windows().expect("reads").len(), 6, "the store has all of them");
    }

    #[test]
    fn rows_of_a_key_are_found_without_a_look_at_those_of_others() {
        let store = ByteStore::new("store", Box::new(MemoryBackend::new()));
        let mut store = ByteWindowStore::new(store, i64::MAX).expect("opens");
        let row = || Row { timestamp: 0, value: Bytes::from_static(b"1") };
        for start in 0..10 {
            (0..1_000).for_each(|number| store.put(start, format!("{number:04}").as_bytes(), row()));
            store.append(start, b"0500-mine", row()).expect("appends");
            store.append(start, b"0500-mine", row()).expect("appends");
        }
        let (from, to) = (Bound::Included(Bytes::from_static(&[0; 8])), Bound::Unbounded);
        let rows =
            Rows { kind: StoreShape::Window, from, to, limit: usize::MAX, values: true, key: Some("0500-mine".into()) };
        // A share of the least size.
        let piece = rows.read_windows(&store, LOOKED_AT / LEAST).expect("reads");
        assert_eq!((piece.rows.len(), piece.more_after), (20, None));
    }
}
