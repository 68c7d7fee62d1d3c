//! What ranges of typed handles return.

use std::fmt;

use crate::StoreError;

/// Reads the next entry.
type Reader<K, V> = Box<dyn FnMut() -> Option<Result<(K, V), StoreError>>>;

/// Entries of a store, one after the other (`KeyValueIterator` and `WindowStoreIterator` in Kafka Streams).
///
/// The iterator reads as it goes, and keeps its place, not the store. So the store may be written while the iterator
/// runs: it returns what is written ahead of its place, and does not return what is deleted there. It needs no close.
///
/// Each entry is a result. The errors are those of a read: the store cannot be read, or a codec rejects stored bytes.
///
/// ```
/// use std::{cell::RefCell, rc::Rc, sync::Arc};
/// use tidemill_state::{BigEndian, KeyValueStore, MemoryBackend, ByteStore, Utf8};
///
/// let store = Rc::new(RefCell::new(ByteStore::new("points", Box::new(MemoryBackend::new()))));
/// let points = KeyValueStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
/// for (name, number) in [("ann", 3), ("bo", 0), ("cy", 7)] {
///     points.put(&name.into(), &number, 0)?;
/// }
/// for entry in points.all() {
///     let (name, number) = entry?;
///     if number == 0 {
///         points.delete(&name)?;
///     }
/// }
/// assert_eq!(points.all().read_all()?, [("ann".to_owned(), 3), ("cy".to_owned(), 7)]);
/// # Ok::<(), tidemill_state::StoreError>(())
/// ```
#[must_use = "an iterator reads nothing until it is asked"]
pub struct KeyValueIterator<K, V> {
    next: Option<Reader<K, V>>,
}

impl<K, V> KeyValueIterator<K, V> {
    pub(super) fn new(next: impl FnMut() -> Option<Result<(K, V), StoreError>> + 'static) -> Self {
        Self { next: Some(Box::new(next)) }
    }

    /// An iterator that returns this error, or what the other iterator returns.
    pub(super) fn or_error(iterator: Result<Self, StoreError>) -> Self
    where
        K: 'static,
        V: 'static,
    {
        iterator.unwrap_or_else(|error| {
            let mut error = Some(error);
            Self::new(move || error.take().map(Err))
        })
    }

    /// Reads all that is left, or returns the first error. See the example of [`KeyValueIterator`].
    pub fn read_all(self) -> Result<Vec<(K, V)>, StoreError> {
        self.collect()
    }
}

impl<K, V> Iterator for KeyValueIterator<K, V> {
    type Item = Result<(K, V), StoreError>;

    /// The iterator ends with the last entry or the first error.
    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next.as_mut()?();
        if !matches!(next, Some(Ok(_))) {
            self.next = None;
        }
        next
    }
}

impl<K, V> fmt::Debug for KeyValueIterator<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyValueIterator").field("is_over", &self.next.is_none()).finish()
    }
}
