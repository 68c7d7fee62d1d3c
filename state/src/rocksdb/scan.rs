//! Iterates over the rows between two keys.

use std::ops::Bound;

use bytes::Bytes;
use rocksdb::{DB, DBRawIteratorWithThreadMode, ReadOptions};

use super::errors::StoreLocation;
use crate::{Direction, Row, StoreError};

/// A cursor over the rows of a range.
pub(super) struct Scan<'a> {
    cursor: DBRawIteratorWithThreadMode<'a, DB>,
    direction: Direction,
    location: &'a StoreLocation,
    has_begun: bool,
}

impl<'a> Scan<'a> {
    pub(super) fn new(
        cursor: DBRawIteratorWithThreadMode<'a, DB>,
        direction: Direction,
        location: &'a StoreLocation,
    ) -> Self {
        Self { cursor, direction, location, has_begun: false }
    }

    fn advance(&mut self) {
        match (self.direction, self.has_begun) {
            (Direction::Forward, false) => self.cursor.seek_to_first(),
            (Direction::Forward, true) => self.cursor.next(),
            (Direction::Reverse, false) => self.cursor.seek_to_last(),
            (Direction::Reverse, true) => self.cursor.prev(),
        }
        self.has_begun = true;
    }
}

impl Iterator for Scan<'_> {
    type Item = Result<(Bytes, Row), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_begun && !self.cursor.valid() {
            return None;
        }
        self.advance();
        if let Some((key, stored)) = self.cursor.item() {
            return Some(self.location.row(stored).map(|row| (Bytes::copy_from_slice(key), row)));
        }
        // A cursor becomes invalid at its end, and also when a read fails.
        self.cursor.status().err().map(|error| Err(self.location.error(error)))
    }
}

/// The bounds that `RocksDB` itself applies. Its lower bound is inclusive, its upper bound is exclusive.
pub(super) fn read_options(from: Bound<&[u8]>, to: Bound<&[u8]>) -> ReadOptions {
    let mut options = ReadOptions::default();
    match from {
        Bound::Included(key) => options.set_iterate_lower_bound(key),
        Bound::Excluded(key) => options.set_iterate_lower_bound(successor(key)),
        Bound::Unbounded => {}
    }
    match to {
        Bound::Included(key) => options.set_iterate_upper_bound(successor(key)),
        Bound::Excluded(key) => options.set_iterate_upper_bound(key),
        Bound::Unbounded => {}
    }
    options
}

/// The key right after this key.
pub(super) fn successor(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}
