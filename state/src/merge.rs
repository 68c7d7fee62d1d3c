//! An overlay's rows merged over a backend's, in key order.

use std::cmp::Ordering;
use std::collections::btree_map;
use std::iter::Peekable;

use bytes::Bytes;

use crate::{Direction, Row, Rows, StoreError};

/// If overlay and backend have the same key, the overlay's row counts; its deletions hide the backend's rows.
pub(crate) struct Merge<'a> {
    overlay: Option<btree_map::Range<'a, Bytes, Option<Row>>>,
    /// The overlay's next entry, already taken from its range.
    next: Option<(&'a Bytes, &'a Option<Row>)>,
    backend: Peekable<Rows<'a>>,
    direction: Direction,
}

impl<'a> Merge<'a> {
    pub(crate) fn new(
        overlay: Option<btree_map::Range<'a, Bytes, Option<Row>>>,
        backend: Rows<'a>,
        direction: Direction,
    ) -> Self {
        let mut merge = Self { overlay, next: None, backend: backend.peekable(), direction };
        merge.advance();
        merge
    }

    fn advance(&mut self) -> Option<(&'a Bytes, &'a Option<Row>)> {
        let following = match (&mut self.overlay, self.direction) {
            (None, _) => None,
            (Some(range), Direction::Forward) => range.next(),
            (Some(range), Direction::Reverse) => range.next_back(),
        };
        std::mem::replace(&mut self.next, following)
    }

    /// Compares the backend's next row with the overlay's `key`. An error comes first.
    fn compare(&mut self, key: &Bytes) -> Ordering {
        match (self.backend.peek(), self.direction) {
            (None, _) => Ordering::Greater,
            (Some(Err(_)), _) => Ordering::Less,
            (Some(Ok((below, _))), Direction::Forward) => below.cmp(key),
            (Some(Ok((below, _))), Direction::Reverse) => key.cmp(below),
        }
    }
}

impl Iterator for Merge<'_> {
    type Item = Result<(Bytes, Row), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some((key, _)) = self.next {
            match self.compare(key) {
                Ordering::Less => return self.backend.next(),
                Ordering::Equal => drop(self.backend.next()),
                Ordering::Greater => {}
            }
            if let Some((key, Some(row))) = self.advance() {
                return Some(Ok((key.clone(), row.clone())));
            }
        }
        self.backend.next()
    }
}
