//! The storage of committed rows.

use std::ops::Bound;

use bytes::Bytes;

use crate::{Row, StoreError};

/// The direction of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Lowest key first.
    Forward,
    /// Highest key first.
    Reverse,
}

/// The rows of a scan. Each row is read when it is asked for.
pub type Rows<'a> = Box<dyn Iterator<Item = Result<(Bytes, Row), StoreError>> + 'a>;

/// All changes of one commit. They are applied in the order of the fields.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Drops every row whose key is lower.
    pub delete_below: Option<Bytes>,
    /// New rows; `None` deletes a row. If two entries have the same key, the later entry counts.
    pub rows: Vec<(Bytes, Option<Row>)>,
    /// Named values beside the rows, such as stream time.
    pub meta: Vec<(String, Bytes)>,
    /// The changelog offset where a restore continues. `None` keeps the last offset.
    pub checkpoint: Option<i64>,
}

/// Sorted rows with named values and a checkpoint. They change only by batches.
///
/// ```
/// use tidemill_state::{Backend, Batch, MemoryBackend, Row};
///
/// let mut backend = MemoryBackend::new();
/// let row = Row { timestamp: 7, value: "1".into() };
/// let rows = vec![("ann".into(), Some(row.clone())), ("bo".into(), None)];
/// backend.write(Batch { rows, checkpoint: Some(42), ..Batch::default() })?;
/// assert_eq!((backend.get(b"ann")?, backend.checkpoint()?), (Some(row), Some(42)));
/// # Ok::<(), tidemill_state::StoreError>(())
/// ```
pub trait Backend: Send {
    /// The row of `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Row>, StoreError>;

    /// The rows between two keys, in order. The result is empty if `from` is above `to`.
    fn scan(&self, from: Bound<&[u8]>, to: Bound<&[u8]>, direction: Direction) -> Result<Rows<'_>, StoreError>;

    /// Applies the whole of `batch` or nothing, including the checkpoint.
    fn write(&mut self, batch: Batch) -> Result<(), StoreError>;

    /// A named value.
    fn meta(&self, key: &str) -> Result<Option<Bytes>, StoreError>;

    /// The changelog offset up to which these rows are complete.
    fn checkpoint(&self) -> Result<Option<i64>, StoreError>;

    /// Makes all written rows durable: they survive a crash.
    fn flush(&mut self) -> Result<(), StoreError>;

    /// Begins to make all written rows durable. The work may finish later, for all rows at once. A later call returns
    /// an error of that work.
    ///
    /// The default implementation flushes before it returns.
    fn begin_flush(&mut self) -> Result<(), StoreError> {
        self.flush()
    }

    /// Drops rows, named values and checkpoint, before a rebuild.
    fn clear(&mut self) -> Result<(), StoreError>;

    /// The memory and disk space in use, approximately, in bytes.
    fn size_bytes(&self) -> u64;

    /// The approximate number of rows. The default implementation counts them.
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
