//! One backend for several threads: one of them writes, the others read what it has committed.

use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::{Backend, Batch, Direction, Row, Rows, StoreError};

/// The rows that a scan takes at once, so that it does not hold up the other threads.
const PAGE: usize = 512;

/// A backend whose clones share their rows. A scan reads page by page: it may miss changes that happen meanwhile.
///
/// ```
/// use tidemill_state::{Backend, Batch, MemoryBackend, Row, SharedBackend};
///
/// let mut written = SharedBackend::new(Box::new(MemoryBackend::new()));
/// let read = written.clone();
/// let row = Row { timestamp: 7, value: "1".into() };
/// written.write(Batch { rows: vec![("ann".into(), Some(row.clone()))], ..Batch::default() })?;
/// assert_eq!(std::thread::spawn(move || read.get(b"ann")).join().expect("no panic")?, Some(row));
/// # Ok::<(), tidemill_state::StoreError>(())
/// ```
#[derive(Clone)]
pub struct SharedBackend(Arc<Mutex<Box<dyn Backend>>>);

impl SharedBackend {
    /// Shares a backend. See the example of [`SharedBackend`].
    pub fn new(backend: Box<dyn Backend>) -> Self {
        Self(Arc::new(Mutex::new(backend)))
    }

    /// Puts another backend in the place of the present one, for all clones. See [`Backend`] for how to make one.
    ///
    /// ```
    /// use tidemill_state::{Backend, Batch, MemoryBackend, Row, SharedBackend};
    ///
    /// let mut written = SharedBackend::new(Box::new(MemoryBackend::new()));
    /// let row = Row { timestamp: 7, value: "1".into() };
    /// written.write(Batch { rows: vec![("ann".into(), Some(row))], ..Batch::default() })?;
    /// let read = written.clone();
    /// written.replace(Box::new(MemoryBackend::new()));
    /// assert_eq!(read.get(b"ann")?, None);
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn replace(&self, backend: Box<dyn Backend>) {
        *self.lock() = backend;
    }

    fn lock(&self) -> MutexGuard<'_, Box<dyn Backend>> {
        // A backend changes by whole batches only.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for SharedBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedBackend").finish_non_exhaustive()
    }
}

impl Backend for SharedBackend {
    fn get(&self, key: &[u8]) -> Result<Option<Row>, StoreError> {
        self.lock().get(key)
    }

    fn scan(&self, from: Bound<&[u8]>, to: Bound<&[u8]>, direction: Direction) -> Result<Rows<'_>, StoreError> {
        let owned = |bound: Bound<&[u8]>| bound.map(Bytes::copy_from_slice);
        let (from, to, page) = (owned(from), owned(to), VecDeque::new());
        Ok(Box::new(Pages { shared: self, from, to, direction, page, ended: false }))
    }

    fn write(&mut self, batch: Batch) -> Result<(), StoreError> {
        self.lock().write(batch)
    }

    fn meta(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        self.lock().meta(key)
    }

    fn checkpoint(&self) -> Result<Option<i64>, StoreError> {
        self.lock().checkpoint()
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.lock().flush()
    }

    fn begin_flush(&mut self) -> Result<(), StoreError> {
        self.lock().begin_flush()
    }

    fn clear(&mut self) -> Result<(), StoreError> {
        self.lock().clear()
    }

    fn size_bytes(&self) -> u64 {
        self.lock().size_bytes()
    }

    fn approximate_len(&self) -> Result<u64, StoreError> {
        self.lock().approximate_len()
    }
}

/// A scan that takes the backend only for the next page.
struct Pages<'a> {
    shared: &'a SharedBackend,
    from: Bound<Bytes>,
    to: Bound<Bytes>,
    direction: Direction,
    page: VecDeque<(Bytes, Row)>,
    ended: bool,
}

impl Pages<'_> {
    fn turn(&mut self) -> Result<(), StoreError> {
        let bytes = |bound: &Bound<Bytes>| bound.clone();
        let (from, to) = (bytes(&self.from), bytes(&self.to));
        let backend = self.shared.lock();
        let rows = backend.scan(from.as_ref().map(|key| &**key), to.as_ref().map(|key| &**key), self.direction)?;
        self.page = rows.take(PAGE).collect::<Result<_, _>>()?;
        self.ended = self.page.len() < PAGE;
        if let Some((last, _)) = self.page.back() {
            match self.direction {
                Direction::Forward => self.from = Bound::Excluded(last.clone()),
                Direction::Reverse => self.to = Bound::Excluded(last.clone()),
            }
        }
        Ok(())
    }
}

impl Iterator for Pages<'_> {
    type Item = Result<(Bytes, Row), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty()
            && !self.ended
            && let Err(error) = self.turn()
        {
            self.ended = true;
            return Some(Err(error));
        }
        self.page.pop_front().map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryBackend;

    #[test]
    fn a_scan_of_many_pages_gives_every_row_once_in_both_directions() {
        let mut shared = SharedBackend::new(Box::new(MemoryBackend::new()));
        let key = |number: usize| Bytes::from(format!("{number:05}"));
        let row = Row { timestamp: 0, value: Bytes::new() };
        let rows = (0..2 * PAGE + 7).map(|number| (key(number), Some(row.clone()))).collect();
        shared.write(Batch { rows, ..Batch::default() }).unwrap();
        let scan = |direction| {
            let rows = shared.scan(Bound::Excluded(b"00001"), Bound::Unbounded, direction).unwrap();
            rows.map(|row| row.unwrap().0).collect::<Vec<_>>()
        };
        let mut expected: Vec<_> = (2..2 * PAGE + 7).map(key).collect();
        assert_eq!(scan(Direction::Forward), expected);
        expected.reverse();
        assert_eq!(scan(Direction::Reverse), expected);
    }
}
