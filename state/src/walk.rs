//! Walks over rows that keep their place, not the store: the store may change between two rows.

use std::collections::VecDeque;
use std::ops::Bound;

use bytes::Bytes;

use crate::{ByteStore, Direction, Row, StoreError};

/// The rows that are first read at once, and after a change of the store.
const FEW: usize = 4;
/// The most rows that are read at once.
const MANY: usize = 256;

/// The rows between two keys, one after the other.
///
/// Rows are read in pieces that grow. If the store has changed since a piece was read, the rest of the piece is read
/// again. So each row is as the store has it when it is returned.
#[derive(Debug)]
pub(crate) struct Walk {
    from: Bound<Bytes>,
    to: Bound<Bytes>,
    direction: Direction,
    /// Rows that were read and not returned.
    ahead: VecDeque<(Bytes, Row)>,
    /// The rows of the next piece.
    piece: usize,
    /// The store's version when `ahead` was read.
    version: u64,
    /// Whether there is no row behind `ahead`, if the store has not changed.
    is_last: bool,
}

impl Walk {
    pub(crate) fn new(from: Bound<Bytes>, to: Bound<Bytes>, direction: Direction) -> Self {
        Self { from, to, direction, ahead: VecDeque::new(), piece: FEW, version: 0, is_last: false }
    }

    /// The next row.
    pub(crate) fn next(&mut self, store: &ByteStore) -> Option<Result<(Bytes, Row), StoreError>> {
        if self.version != store.version() {
            self.ahead.clear();
            (self.piece, self.is_last, self.version) = (FEW, false, store.version());
        }
        if self.ahead.is_empty()
            && !self.is_last
            && let Err(error) = self.read(store)
        {
            return Some(Err(error));
        }
        let (key, row) = self.ahead.pop_front()?;
        match self.direction {
            Direction::Forward => self.from = Bound::Excluded(key.clone()),
            Direction::Reverse => self.to = Bound::Excluded(key.clone()),
        }
        Some(Ok((key, row)))
    }

    fn read(&mut self, store: &ByteStore) -> Result<(), StoreError> {
        let (from, to) = (self.from.as_ref().map(|key| &**key), self.to.as_ref().map(|key| &**key));
        for row in store.scan(from, to, self.direction)?.take(self.piece) {
            self.ahead.push_back(row?);
        }
        self.is_last = self.ahead.len() < self.piece;
        self.piece = (self.piece * 2).min(MANY);
        Ok(())
    }
}
