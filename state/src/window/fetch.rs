//! Reads windows by key: rows are ordered by start first, so that a key is sought in each window.

use std::ops::{Bound, RangeInclusive};

use bytes::Bytes;

use super::ByteWindowStore;
use crate::walk::Walk;
use crate::window_key::{encode_local, start_of, start_prefix};
use crate::{Direction, Row, StoreError, WindowKey};

/// A walk over windows that keeps its place, not the store: the store may change between two rows.
///
/// With keys, only their rows are read, and one row more for each start that exists in the range.
///
/// ```
/// # use bytes::Bytes;
/// # use tidemill_state::{MemoryBackend, Row, ByteStore, ByteWindowStore};
/// use tidemill_state::{Direction, WindowWalk};
/// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
/// # let mut store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
/// for start in [0, 60_000, 120_000] {
///     store.put(start, b"ann", row("1"));
///     store.put(start, b"bo", row("2"));
/// }
/// let mut walk = WindowWalk::of_keys(b"bo"..=b"bo", 0, 120_000, Direction::Reverse);
/// assert_eq!(walk.next(&store).transpose()?.map(|(at, _)| at.start), Some(60_000));
/// store.delete(0, b"bo");
/// assert!(walk.next(&store).is_none());
/// # Ok::<(), tidemill_state::StoreError>(())
/// ```
#[derive(Debug)]
pub struct WindowWalk {
    /// `None` for all keys.
    keys: Option<(Bytes, Bytes)>,
    /// The starts that are left: the first, and the one after the last.
    from_start: i64,
    to_start: i64,
    direction: Direction,
    rows: Option<Walk>,
}

impl WindowWalk {
    /// The rows of windows that start in `[from_start, to_start)`, by start, key and sequence. See the example of
    /// [`WindowWalk`].
    pub fn of_all(from_start: i64, to_start: i64, direction: Direction) -> Self {
        let bound = |start| Bytes::copy_from_slice(&start_prefix(start));
        let rows = Walk::new(Bound::Included(bound(from_start)), Bound::Excluded(bound(to_start)), direction);
        Self { keys: None, from_start, to_start, direction, rows: Some(rows) }
    }

    /// As [`of_all`](Self::of_all), for keys between two keys, both inclusive. See the example of [`WindowWalk`].
    pub fn of_keys<T: AsRef<[u8]>>(
        keys: RangeInclusive<T>,
        from_start: i64,
        to_start: i64,
        direction: Direction,
    ) -> Self {
        let (first, last) =
            (Bytes::copy_from_slice(keys.start().as_ref()), Bytes::copy_from_slice(keys.end().as_ref()));
        Self { keys: Some((first, last)), from_start: from_start.max(0), to_start, direction, rows: None }
    }

    /// The next row.
    pub fn next(&mut self, store: &ByteWindowStore) -> Option<Result<(WindowKey, Row), StoreError>> {
        loop {
            if let Some(row) = self.rows.as_mut().and_then(|rows| rows.next(&store.store)) {
                return Some(row.and_then(|(local, row)| {
                    let at = WindowKey::decode_local(local).map_err(|source| store.codec_error(source))?;
                    Ok((at, row))
                }));
            }
            match self.enter_next(store) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Goes to the next start that exists. Returns whether there is one.
    fn enter_next(&mut self, store: &ByteWindowStore) -> Result<bool, StoreError> {
        let Some((first, last)) = &self.keys else { return Ok(false) };
        if self.from_start >= self.to_start {
            return Ok(false);
        }
        let (from, to) = (start_prefix(self.from_start), start_prefix(self.to_start));
        let mut found = store.store.scan(Bound::Included(&from), Bound::Excluded(&to), self.direction)?;
        let Some(start) = found.next().transpose()?.and_then(|(local, _)| start_of(&local)) else {
            self.from_start = self.to_start;
            return Ok(false);
        };
        match self.direction {
            Direction::Forward => self.from_start = start + 1,
            Direction::Reverse => self.to_start = start,
        }
        let (first, last) = (encode_local(start, first, 0), encode_local(start, last, u32::MAX));
        self.rows = Some(Walk::new(Bound::Included(first), Bound::Included(last), self.direction));
        Ok(true)
    }
}

impl ByteWindowStore {
    /// The rows of a key in windows that start in `[from_start, to_start)`, with the starts. Rows of other keys are not
    /// read, but for one in each start that exists in the range. See the example of [`ByteWindowStore`].
    pub fn fetch(&self, key: &[u8], from_start: i64, to_start: i64) -> Result<Vec<(i64, Row)>, StoreError> {
        let mut walk = WindowWalk::of_keys(key..=key, from_start, to_start, Direction::Forward);
        let rows = std::iter::from_fn(|| walk.next(self));
        rows.map(|row| row.map(|(window, row)| (window.start, row))).collect()
    }
}
