//! Rows of bytes, with uncommitted writes above a backend.

use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use crate::merge::Merge;
use crate::overlay::Overlay;
use crate::sealed::Sealed;
use crate::stats::Counter;
use crate::{Backend, Batch, Direction, Row, Rows, StoreError, StoreStats};

/// Under this name a store keeps when it was current.
const CURRENT_AT: &str = "current-at-ms";

/// Under this name a store keeps what wrote it.
const WRITTEN_BY: &str = "rows-written-by";

/// A named store.
///
/// Reads see uncommitted writes. Nothing reaches the backend before it is committed, save what
/// [`restore`](Self::restore) brings, which somebody else has committed.
///
/// A commit takes two steps where it takes time to learn that the log has it: [`seal`](Self::seal) gives what belongs to
/// it, [`commit_sealed`](Self::commit_sealed) brings that into the backend. Writes between the two belong to the next
/// commit.
pub struct Store {
    name: Arc<str>,
    backend: Box<dyn Backend>,
    overlay: Overlay,
    /// What a commit on its way holds.
    sealed: Option<Arc<Overlay>>,
    counts: Counts,
    unflushed: Unflushed,
}

/// Whether the backend has something that nobody told it to flush, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unflushed {
    Nothing,
    /// Nobody has looked since.
    Something,
    /// Seen first at this wall time.
    Since(i64),
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
        let (overlay, counts, unflushed) = (Overlay::default(), Counts::default(), Unflushed::Nothing);
        Self { name: name.into(), backend, overlay, sealed: None, counts, unflushed }
    }

    /// The store's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The row of `key`.
    pub fn get(&self, key: &[u8]) -> Result<Option<Row>, StoreError> {
        self.counts.gets.add(1);
        for overlay in self.overlays() {
            match overlay.rows.get(key) {
                Some(row) => return Ok(row.clone()),
                None if overlay.hides(key) => return Ok(None),
                None => {}
            }
        }
        self.backend.get(key)
    }

    /// What is not in the backend, newest first.
    fn overlays(&self) -> impl Iterator<Item = &Overlay> {
        std::iter::once(&self.overlay).chain(self.sealed.as_deref())
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
        let above_sealed = self.overlay.raise(from);
        let above_backend = self.sealed.as_ref().map_or(above_sealed, |sealed| sealed.raise(above_sealed));
        let committed = self.backend.scan(above_backend, to, direction)?;
        let committed: Rows<'_> = match self.sealed.as_ref().and_then(|sealed| sealed.range(above_sealed, to)) {
            Some(sealed) => Box::new(Merge::new(Some(sealed), committed, direction)),
            None => committed,
        };
        Ok(Merge::new(self.overlay.range(from, to), committed, direction))
    }

    /// Keys of rows that begin with `prefix`, in order: some of them, and where to go on. The walk begins at `from`, or at
    /// the first.
    pub fn keys_by_prefix(
        &self,
        prefix: &[u8],
        from: Option<&[u8]>,
        max: usize,
    ) -> Result<(Vec<Bytes>, Option<Bytes>), StoreError> {
        let mut found = Vec::new();
        let from = Bound::Included(from.unwrap_or(prefix));
        for row in self.scan(from, Bound::Unbounded, Direction::Forward)? {
            let (key, _) = row?;
            if !key.starts_with(prefix) {
                break;
            }
            if found.len() >= max {
                return Ok((found, Some(key)));
            }
            found.push(key);
        }
        Ok((found, None))
    }

    /// Expires every row whose key is lower than `key`, committed or not.
    ///
    /// Uncommitted ones vanish without reaching backend or changelog; committed ones are hidden
    /// now and dropped with the next commit. Not itself logged: a changelog has a retention.
    pub fn delete_below(&mut self, key: Bytes) {
        self.overlay.delete_below(key);
    }

    /// Takes an uncommitted row back as if it had never been written: neither backend nor changelog hear of it. If it
    /// was written over a deletion, that counts again; otherwise what is committed or sealed is seen again.
    pub fn forget(&mut self, key: &[u8]) {
        self.overlay.forget(key);
    }

    /// From now on writes can be undone, until the next commit is sealed. Those before cannot.
    pub fn begin_undo(&mut self) {
        self.overlay.begin_undo();
    }

    /// Writes can be undone no more.
    pub fn end_undo(&mut self) {
        self.overlay.end_undo();
    }

    /// A place to go back to with [`undo_to`](Self::undo_to).
    pub fn savepoint(&self) -> usize {
        self.overlay.savepoint()
    }

    /// Undoes the writes since a savepoint, expiry and named values included.
    pub fn undo_to(&mut self, savepoint: usize) {
        self.overlay.undo_to(savepoint);
    }

    /// Sets a named value beside the rows.
    pub fn set_meta(&mut self, key: &str, value: Bytes) {
        self.overlay.set_meta(key, value);
    }

    /// A named value.
    pub fn meta(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        match self.overlays().find_map(|overlay| overlay.meta.get(key)) {
            Some(value) => Ok(Some(value.clone())),
            None => self.backend.meta(key),
        }
    }

    /// What the changelog must get before the next commit, in key order; `None` is a deletion. Without what is sealed.
    pub fn uncommitted(&self) -> impl DoubleEndedIterator<Item = (&Bytes, Option<&Row>)> {
        self.overlay.rows.iter().map(|(key, row)| (key, row.as_ref()))
    }

    /// Named values set since the last commit, or since it was sealed.
    pub fn uncommitted_meta(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.overlay.meta.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Whether anything was written since the last commit, or since it was sealed.
    pub fn is_dirty(&self) -> bool {
        !self.overlay.is_empty()
    }

    /// Whether a commit is on its way.
    pub fn is_sealed(&self) -> bool {
        self.sealed.is_some()
    }

    /// Memory that uncommitted writes hold.
    pub fn overlay_bytes(&self) -> usize {
        self.overlays().map(Overlay::bytes).sum()
    }

    /// Gives what was written since the last commit, and lets it be read until that is committed or rolled back. What was
    /// sealed before and is not committed belongs to it, too: an earlier value of it commits nothing any more.
    pub fn seal(&mut self) -> Sealed {
        let mut newer = std::mem::take(&mut self.overlay);
        newer.end_undo();
        match &mut self.sealed {
            Some(sealed) => Arc::make_mut(sealed).absorb(newer),
            None if newer.is_empty() => {}
            None => self.sealed = Some(Arc::new(newer)),
        }
        Sealed { overlay: self.sealed.clone() }
    }

    /// Moves what was sealed, and the checkpoint, into the backend, all or nothing. After an error it can be sealed
    /// again.
    pub fn commit_sealed(&mut self, sealed: Sealed, checkpoint: Option<i64>) -> Result<(), StoreError> {
        let nothing = Overlay::default();
        let overlay = sealed.overlay.as_deref().unwrap_or(&nothing);
        if !self.holds(&sealed) || overlay.is_empty() && checkpoint.is_none() {
            return Ok(());
        }
        self.backend.write(overlay.to_batch(checkpoint))?;
        self.unflushed.add();
        self.counts.rows_committed.add(overlay.rows.len() as u64);
        self.sealed = None;
        Ok(())
    }

    /// Whether nothing has overtaken what was sealed: a rollback, a commit, or more that was sealed.
    pub(crate) fn holds(&self, sealed: &Sealed) -> bool {
        match (&self.sealed, &sealed.overlay) {
            (Some(kept), Some(sealed)) => Arc::ptr_eq(kept, sealed),
            (kept, sealed) => kept.is_none() && sealed.is_none(),
        }
    }

    /// Moves uncommitted writes and the checkpoint into the backend, all or nothing.
    /// After an error they are still uncommitted.
    pub fn commit(&mut self, checkpoint: Option<i64>) -> Result<(), StoreError> {
        let sealed = self.seal();
        self.commit_sealed(sealed, checkpoint)
    }

    /// Forgets uncommitted writes, sealed or not.
    pub fn rollback(&mut self) {
        self.overlay = Overlay::default();
        self.sealed = None;
    }

    /// Applies changelog records straight to the backend; `next_offset` is where to continue.
    /// Of two records with one key the later one wins.
    pub fn restore(
        &mut self,
        rows: Vec<(Bytes, Option<Row>)>,
        meta: Vec<(String, Bytes)>,
        next_offset: i64,
    ) -> Result<(), StoreError> {
        self.unflushed.add();
        self.backend.write(Batch { delete_below: None, rows, meta, checkpoint: Some(next_offset) })
    }

    /// The changelog offset up to which the committed rows are complete.
    pub fn checkpoint(&self) -> Result<Option<i64>, StoreError> {
        self.backend.checkpoint()
    }

    /// Notes that since this wall time the rows have missed no deletion of the changelog: they were then all that it
    /// says, or none at all. Kept beside them, not logged, and durable with the next flush.
    pub fn set_current_at(&mut self, wall_ms: i64) -> Result<(), StoreError> {
        let meta = vec![(CURRENT_AT.to_owned(), Bytes::copy_from_slice(&wall_ms.to_be_bytes()))];
        self.backend.write(Batch { meta, ..Batch::default() })
    }

    /// The wall time of the last [`set_current_at`](Self::set_current_at).
    pub fn current_at(&self) -> Result<Option<i64>, StoreError> {
        let raw = self.backend.meta(CURRENT_AT)?;
        Ok(raw.and_then(|raw| Some(i64::from_be_bytes(raw.as_ref().try_into().ok()?))))
    }

    /// Notes what writes the rows, in words of whoever opens the store. Kept beside them, also when they are cleared.
    pub fn set_written_by(&mut self, writer: &str) -> Result<(), StoreError> {
        let meta = vec![(WRITTEN_BY.to_owned(), Bytes::copy_from_slice(writer.as_bytes()))];
        self.backend.write(Batch { meta, ..Batch::default() })
    }

    /// What the last [`set_written_by`](Self::set_written_by) noted.
    pub fn written_by(&self) -> Result<Option<String>, StoreError> {
        let raw = self.backend.meta(WRITTEN_BY)?;
        Ok(raw.map(|raw| String::from_utf8_lossy(&raw).into_owned()))
    }

    /// Makes committed rows survive a crash.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        self.backend.flush()?;
        self.unflushed = Unflushed::Nothing;
        Ok(())
    }

    /// Begins to make committed rows survive a crash, as [`Backend::begin_flush`] does.
    pub fn begin_flush(&mut self) -> Result<(), StoreError> {
        self.backend.begin_flush()?;
        self.unflushed = Unflushed::Nothing;
        Ok(())
    }

    /// Whether committed rows have waited for a flush for so long, by the wall clock of whoever asks now and then.
    pub fn has_waited(&mut self, now_ms: i64, wait_ms: i64) -> bool {
        self.unflushed.is_older(now_ms, wait_ms)
    }

    /// Drops everything, committed or not, before a rebuild.
    pub fn clear(&mut self) -> Result<(), StoreError> {
        self.rollback();
        let writer = self.written_by()?;
        self.backend.clear()?;
        self.unflushed = Unflushed::Nothing;
        writer.map_or(Ok(()), |writer| self.set_written_by(&writer))
    }

    /// How many rows there are, roughly: overwrites may count twice.
    pub fn approximate_len(&self) -> Result<u64, StoreError> {
        Ok(self.backend.approximate_len()? + self.overlays().map(|overlay| overlay.rows.len() as u64).sum::<u64>())
    }

    /// Counters and sizes.
    pub fn stats(&self) -> StoreStats {
        StoreStats {
            gets: self.counts.gets.get(),
            puts: self.counts.puts.get(),
            deletes: self.counts.deletes.get(),
            scans: self.counts.scans.get(),
            rows_committed: self.counts.rows_committed.get(),
            overlay_bytes: self.overlay_bytes() as u64,
            size_bytes: self.backend.size_bytes(),
        }
    }
}

impl Unflushed {
    fn add(&mut self) {
        if *self == Self::Nothing {
            *self = Self::Something;
        }
    }

    fn is_older(&mut self, now_ms: i64, wait_ms: i64) -> bool {
        match *self {
            Self::Nothing => return false,
            // Also where the clock was set back: it would seem to wait for nothing until that has caught up.
            Self::Since(since_ms) if since_ms <= now_ms => {}
            Self::Something | Self::Since(_) => *self = Self::Since(now_ms),
        }
        matches!(*self, Self::Since(since_ms) if now_ms - since_ms >= wait_ms)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("name", &self.name).field("stats", &self.stats()).finish_non_exhaustive()
    }
}
