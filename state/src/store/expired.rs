//! The rows of a store by time, and the end of those that expire.

use std::ops::Bound;

use bytes::Bytes;

use super::ByteStore;
use crate::expiry::Expiry;
use crate::{Direction, Row, StoreError};

impl ByteStore {
    /// Builds an index of the rows by time, which [`take_expired`](Self::take_expired) needs. It is kept in memory, and
    /// lost by a rollback.
    ///
    /// # Errors
    ///
    /// If the backend cannot be read: the index is built from all rows.
    pub fn index_times(&mut self) -> Result<(), StoreError> {
        let mut expiry = Expiry::default();
        for row in self.scan(Bound::Unbounded, Bound::Unbounded, Direction::Forward)? {
            let (key, row) = row?;
            expiry.note(&key, row.timestamp);
        }
        self.expiry = Some(expiry);
        Ok(())
    }

    /// Deletes rows whose time is at most `until`, and returns them in the order of their times. It looks at no more
    /// than `max` keys; the answer also tells whether that was enough.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{ByteStore, MemoryBackend, Row};
    /// # let mut store = ByteStore::new("seen", Box::new(MemoryBackend::new()));
    /// let row = |timestamp| Row { timestamp, value: Bytes::from("x") };
    /// store.put("ann".into(), row(7));
    /// store.index_times()?;
    /// store.put("bo".into(), row(3));
    /// store.put("cy".into(), row(9));
    /// let (expired, all) = store.take_expired(7, 100)?;
    /// assert_eq!(expired, [("bo".into(), row(3)), ("ann".into(), row(7))]);
    /// assert!(all && store.get(b"ann")?.is_none());
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the backend cannot be read.
    pub fn take_expired(&mut self, until: i64, max: usize) -> Result<(Vec<(Bytes, Row)>, bool), StoreError> {
        let mut expired = Vec::new();
        for _ in 0..max {
            let Some((noted, key)) = self.expiry.as_mut().and_then(|expiry| expiry.take(until)) else {
                return Ok((expired, true));
            };
            match self.get(&key)? {
                Some(row) if row.timestamp <= noted => {
                    self.delete(key.clone());
                    expired.push((key, row));
                }
                // It was written again. Its turn comes with its own time.
                Some(row) => {
                    if let Some(expiry) = &mut self.expiry {
                        expiry.note(&key, row.timestamp);
                    }
                }
                None => {}
            }
        }
        Ok((expired, false))
    }
}
