//! Where committed rows live.

use std::ops::Bound;

use bytes::Bytes;

use crate::{Row, StoreError};

/// Which way a scan walks the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Lowest key first.
    Forward,
    /// Highest key first.
    Reverse,
}

/// The rows of a scan, each read when asked for.
pub type Rows<'a> = Box<dyn Iterator<Item = Result<(Bytes, Row), StoreError>> + 'a>;

/// Everything that one commit changes. Applied in the order of the fields.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Drops every row whose key is lower.
    pub delete_below: Option<Bytes>,
    /// New rows; `None` deletes. Of two entries with one key the later one wins.
    pub rows: Vec<(Bytes, Option<Row>)>,
    /// Named values beside the rows, such as stream time.
    pub meta: Vec<(String, Bytes)>,
    /// The changelog offset to continue from; `None` leaves the last one.
    pub checkpoint: Option<i64>,
}

/// Sorted rows with named values and a checkpoint, changed only batch by batch.
pub trait Backend: Send {
    /// The row of `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Row>, StoreError>;

    /// The rows between two keys, in order. Bounds that cross give nothing.
    fn scan(&self, from: Bound<&[u8]>, to: Bound<&[u8]>, direction: Direction) -> Result<Rows<'_>, StoreError>;

    /// Applies all of `batch` or nothing, checkpoint included.
    fn write(&mut self, batch: Batch) -> Result<(), StoreError>;

    /// A named value.
    fn meta(&self, key: &str) -> Result<Option<Bytes>, StoreError>;

    /// The changelog offset up to which these rows are complete.
    fn checkpoint(&self) -> Result<Option<i64>, StoreError>;

    /// Makes what was written survive a crash.
    fn flush(&mut self) -> Result<(), StoreError>;

    /// Begins to make what was written survive a crash. It may be done later, all of it at once; an error on the way
    /// surfaces in a later call.
    ///
    /// A backend that has nothing to wait for may do it here, as it does by default.
    fn begin_flush(&mut self) -> Result<(), StoreError> {
        self.flush()
    }

    /// Drops rows, named values and checkpoint, before a rebuild.
    fn clear(&mut self) -> Result<(), StoreError>;

    /// Memory and disk in use, roughly.
    fn size_bytes(&self) -> u64;

    /// How many rows there are, roughly. Counts them unless the backend knows better.
    fn approximate_len(&self) -> Result<u64, StoreError> {
        Ok(self.scan(Bound::Unbounded, Bound::Unbounded, Direction::Forward)?.count() as u64)
    }
}

/// Whether no key can lie between the bounds.
pub(crate) fn is_empty_range(from: Bound<&[u8]>, to: Bound<&[u8]>) -> bool {
    match (from, to) {
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Excluded(to))
        | (Bound::Excluded(from), Bound::Included(to)) => from >= to,
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
    }
}
