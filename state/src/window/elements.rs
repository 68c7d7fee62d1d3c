//! Windows that collect elements: one row for each element, by a sequence number.

use std::ops::Bound;

use bytes::Bytes;

use super::{ByteWindowStore, undo};
use crate::window_key::{encode_local, put_prefix};
use crate::{Direction, Row, StoreError, WindowKey};

/// Windows with at most this many elements are read element by element.
const FEW: u32 = 4;

impl ByteWindowStore {
    /// Adds an element to a key's window and returns its sequence, from 0.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore, ByteWindowStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// assert_eq!(store.append(0, b"ann", row("hi"))?, 0);
    /// assert_eq!(store.append(0, b"ann", row("bye"))?, 1);
    /// assert_eq!(store.elements(0, b"ann")?, [row("hi"), row("bye")]);
    /// assert!(store.delete_elements(0, b"ann")?, "there were elements");
    /// assert!(store.elements(0, b"ann")?.is_empty());
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn append(&mut self, start: i64, key: &[u8], row: Row) -> Result<u32, StoreError> {
        let seq = if let Some(next) = self.sequences.get_mut(start, key) {
            let seq = *next;
            *next += 1;
            self.journal.note(|| undo::Replaced::sequence(start, key, Some(seq)));
            seq
        } else {
            let seq = self.find_next_seq(start, key)?;
            self.count_from(start, key, seq + 1);
            seq
        };
        self.store.put(encode_local(start, key, seq), row);
        Ok(seq)
    }

    /// The elements of a key's window, in the order they were appended. See the example of [`append`](Self::append).
    pub fn elements(&self, start: i64, key: &[u8]) -> Result<Vec<Row>, StoreError> {
        match self.known_len(start, key) {
            Some(0) => Ok(Vec::new()),
            // Single reads cost less than a scan.
            Some(few @ ..=FEW) => {
                let rows = (0..few).map(|seq| self.store.get(&encode_local(start, key, seq)));
                rows.filter_map(Result::transpose).collect()
            }
            _ => self.scan_window(start, key, Direction::Forward)?.map(|row| Ok(row?.1)).collect(),
        }
    }

    /// Deletes the elements of a key's window, and returns whether there were any elements. See the example of
    /// [`append`](Self::append).
    pub fn delete_elements(&mut self, start: i64, key: &[u8]) -> Result<bool, StoreError> {
        if self.known_len(start, key) == Some(0) {
            return Ok(false);
        }
        let rows = self.scan_window(start, key, Direction::Forward)?.map(|row| Ok(row?.0));
        let rows = rows.collect::<Result<Vec<_>, StoreError>>()?;
        self.stop_counting(start, key);
        let found = !rows.is_empty();
        for row in rows {
            self.store.delete(row);
        }
        Ok(found)
    }

    /// A lower bound for the start of the first window with elements, known without a read. Without elements, the
    /// largest number.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore, ByteWindowStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteWindowStore::new(ByteStore::new("views", Box::new(MemoryBackend::new())), 3_600_000)?;
    /// assert_eq!(store.first_start_at_least(), i64::MAX);
    /// store.append(60_000, b"ann", row("hi"))?;
    /// assert_eq!(store.first_start_at_least(), 60_000);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn first_start_at_least(&self) -> i64 {
        let unseen = self.last_start.filter(|last| *last >= self.expired_before).map(|_| self.expired_before);
        let seen = self.sequences.first_start();
        unseen.into_iter().chain(seen).min().unwrap_or(i64::MAX)
    }

    /// The largest possible number of elements in a window, if it is known without a read.
    fn known_len(&self, start: i64, key: &[u8]) -> Option<u32> {
        let is_new = self.last_start.is_none_or(|last| start > last);
        self.sequences.get(start, key).or(is_new.then_some(0))
    }

    fn find_next_seq(&self, start: i64, key: &[u8]) -> Result<u32, StoreError> {
        if let Some(known) = self.known_len(start, key) {
            return Ok(known);
        }
        let Some(last) = self.scan_window(start, key, Direction::Reverse)?.next() else {
            return Ok(0);
        };
        let last = WindowKey::decode_local(last?.0).map_err(|source| self.codec_error(source))?;
        Ok(last.seq + 1)
    }

    pub(super) fn scan_window(
        &self,
        start: i64,
        key: &[u8],
        direction: Direction,
    ) -> Result<impl Iterator<Item = Result<(Bytes, Row), StoreError>> + use<'_>, StoreError> {
        let mut from = Vec::new();
        put_prefix(start, key, &mut from);
        let mut to = from.clone();
        to.extend_from_slice(&u32::MAX.to_be_bytes());
        self.store.scan(Bound::Included(&from), Bound::Included(&to), direction)
    }
}
