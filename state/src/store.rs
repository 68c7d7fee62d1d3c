//! Rows of bytes, with uncommitted writes above a backend.

use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use crate::backend::is_empty_range;
use crate::merge::Merge;
use crate::overlay::Overlay;
use crate::stats::Counter;
use crate::{Backend, Batch, Direction, Row, StoreError, StoreStats};

/// Under this name a store keeps when it was current.
const CURRENT_AT: &str = "current-at-ms";

/// A named store.
///
/// Reads see uncommitted writes. Nothing reaches the backend before [`commit`](Self::commit),
/// save what [`restore`](Self::restore) brings, which somebody else has committed.
pub struct Store {
    name: Arc<str>,
    backend: Box<dyn Backend>,
    overlay: Overlay,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    gets: Counter,
    puts: Counter,
    deletes: Counter,
    scans: Counter,
    rows_committed: Counter,
}

impl Store {
    /// A store over what `backend` already holds.
    pub fn new(name: impl Into<Arc<str>>, backend: Box<dyn Backend>) -> Self {
        Self { name: name.into(), backend, overlay: Overlay::default(), counts: Counts::default() }
    }

    /// The store's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The row of `key`.
    pub fn get(&self, key: &[u8]) -> Result<Option<Row>, StoreError> {
        self.counts.gets.add(1);
        match self.overlay.rows.get(key) {
            Some(row) => Ok(row.clone()),
            None if self.overlay.hides(key) => Ok(None),
            None => self.backend.get(key),
        }
    }

    /// Writes a row.
    pub fn put(&mut self, key: Bytes, row: Row) {
        self.counts.puts.add(1);
        self.overlay.set(key, Some(row));
    }

    /// Deletes a row, whether or not it exists.
    pub fn delete(&mut self, key: Bytes) {
        self.counts.deletes.add(1);
        self.overlay.set(key, None);
    }

    /// The rows between two keys, in order. Bounds that cross give nothing.
    pub fn scan(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        direction: Direction,
    ) -> Result<impl Iterator<Item = Result<(Bytes, Row), StoreError>> + use<'_>, StoreError> {
        self.counts.scans.add(1);
        let backend = self.backend.scan(self.overlay.raise(from), to, direction)?;
        let overlay = (!self.overlay.rows.is_empty() && !is_empty_range(from, to))
            .then(|| self.overlay.rows.range::<[u8], _>((from, to)));
        Ok(Merge::new(overlay, backend, direction))
    }

    /// Expires every row whose key is lower than `key`, committed or not.
    ///
    /// Uncommitted ones vanish without reaching backend or changelog; committed ones are hidden
    /// now and dropped with the next commit. Not itself logged: a changelog has a retention.
    pub fn delete_below(&mut self, key: Bytes) {
        self.overlay.delete_below(key);
    }

    /// Sets a named value beside the rows.
    pub fn set_meta(&mut self, key: &str, value: Bytes) {
        self.overlay.set_meta(key, value);
    }

    /// A named value.
    pub fn meta(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        match self.overlay.meta.get(key) {
            Some(value) => Ok(Some(value.clone())),
            None => self.backend.meta(key),
        }
    }

    /// What the changelog must get before the next commit, in key order; `None` is a deletion.
    pub fn uncommitted(&self) -> impl DoubleEndedIterator<Item = (&Bytes, Option<&Row>)> {
        self.overlay.rows.iter().map(|(key, row)| (key, row.as_ref()))
    }

    /// Named values set since the last commit.
    pub fn uncommitted_meta(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.overlay.meta.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Whether a commit would change anything beside the checkpoint.
    pub fn is_dirty(&self) -> bool {
        !self.overlay.is_empty()
    }

    /// Memory that uncommitted writes hold.
    pub fn overlay_bytes(&self) -> usize {
        self.overlay.bytes()
    }

    /// Moves uncommitted writes and the checkpoint into the backend, all or nothing.
    /// After an error they are still uncommitted.
    pub fn commit(&mut self, checkpoint: Option<i64>) -> Result<(), StoreError> {
        if self.overlay.is_empty() && checkpoint.is_none() {
            return Ok(());
        }
        self.backend.write(self.overlay.to_batch(checkpoint))?;
        self.counts.rows_committed.add(self.overlay.rows.len() as u64);
        self.overlay = Overlay::default();
        Ok(())
    }

    /// Forgets uncommitted writes.
    pub fn rollback(&mut self) {
        self.overlay = Overlay::default();
    }

    /// Applies changelog records straight to the backend; `next_offset` is where to continue.
    /// Of two records with one key the later one wins.
    pub fn restore(
        &mut self,
        rows: Vec<(Bytes, Option<Row>)>,
        meta: Vec<(String, Bytes)>,
        next_offset: i64,
    ) -> Result<(), StoreError> {
        self.backend.write(Batch { delete_below: None, rows, meta, checkpoint: Some(next_offset) })
    }

    /// The changelog offset up to which the committed rows are complete.
    pub fn checkpoint(&self) -> Result<Option<i64>, StoreError> {
        self.backend.checkpoint()
    }

    /// Notes that at this wall time the rows were all that the changelog says. Kept beside them, not logged.
    pub fn set_current_at(&mut self, wall_ms: i64) -> Result<(), StoreError> {
        let meta = vec![(CURRENT_AT.to_owned(), Bytes::copy_from_slice(&wall_ms.to_be_bytes()))];
        self.backend.write(Batch { meta, ..Batch::default() })
    }

    /// The wall time of the last [`set_current_at`](Self::set_current_at).
    pub fn current_at(&self) -> Result<Option<i64>, StoreError> {
        let raw = self.backend.meta(CURRENT_AT)?;
        Ok(raw.and_then(|raw| Some(i64::from_be_bytes(raw.as_ref().try_into().ok()?))))
    }

    /// Makes committed rows survive a crash.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        self.backend.flush()
    }

    /// Drops everything, committed or not, before a rebuild.
    pub fn clear(&mut self) -> Result<(), StoreError> {
        self.rollback();
        self.backend.clear()
    }

    /// How many rows there are, roughly: overwrites may count twice.
    pub fn approximate_len(&self) -> Result<u64, StoreError> {
        Ok(self.backend.approximate_len()? + self.overlay.rows.len() as u64)
    }

    /// Counters and sizes.
    pub fn stats(&self) -> StoreStats {
        StoreStats {
            gets: self.counts.gets.get(),
            puts: self.counts.puts.get(),
            deletes: self.counts.deletes.get(),
            scans: self.counts.scans.get(),
            rows_committed: self.counts.rows_committed.get(),
            overlay_bytes: self.overlay.bytes() as u64,
            size_bytes: self.backend.size_bytes(),
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("name", &self.name).field("stats", &self.stats()).finish_non_exhaustive()
    }
}
