//! The flush, which makes committed rows of a store durable.

use super::ByteStore;
use crate::StoreError;

/// Whether the backend has unflushed rows, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unflushed {
    Nothing,
    /// Unflushed rows that [`ByteStore::has_waited`] has not seen yet.
    Something,
    /// Unflushed rows that [`ByteStore::has_waited`] first saw at this wall time, in milliseconds.
    Since(i64),
}

impl ByteStore {
    /// Makes committed rows durable: they survive a crash. See the example of [`has_waited`](Self::has_waited).
    pub fn flush(&mut self) -> Result<(), StoreError> {
        self.backend.flush()?;
        self.unflushed = Unflushed::Nothing;
        Ok(())
    }

    /// Begins to make committed rows durable, as [`Backend::begin_flush`](crate::Backend::begin_flush) does. See the
    /// example of [`has_waited`](Self::has_waited).
    pub fn begin_flush(&mut self) -> Result<(), StoreError> {
        self.backend.begin_flush()?;
        self.unflushed = Unflushed::Nothing;
        Ok(())
    }

    /// Whether committed rows have waited for a flush for `wait_ms`. Both times are milliseconds of one clock. The wait
    /// counts from the first call of this method that saw the rows.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use tidemill_state::{MemoryBackend, Row, ByteStore};
    /// # let row = |value: &'static str| Row { timestamp: 7, value: Bytes::from(value) };
    /// # let mut store = ByteStore::new("counts", Box::new(MemoryBackend::new()));
    /// store.put("ann".into(), row("1"));
    /// store.commit(None)?;
    /// assert!(!store.has_waited(1_000, 20_000));
    /// assert!(store.has_waited(21_000, 20_000));
    /// store.begin_flush()?;
    /// assert!(!store.has_waited(99_000, 20_000));
    /// # Ok::<(), tidemill_state::StoreError>(())
    /// ```
    pub fn has_waited(&mut self, now_ms: i64, wait_ms: i64) -> bool {
        self.unflushed.is_older(now_ms, wait_ms)
    }
}

impl Unflushed {
    pub(super) fn add(&mut self) {
        if *self == Self::Nothing {
            *self = Self::Something;
        }
    }

    fn is_older(&mut self, now_ms: i64, wait_ms: i64) -> bool {
        match *self {
            Self::Nothing => return false,
            // This also covers a clock that was set back. Otherwise the wait would not count until the clock has caught
            // up.
            Self::Since(since_ms) if since_ms <= now_ms => {}
            Self::Something | Self::Since(_) => *self = Self::Since(now_ms),
        }
        matches!(*self, Self::Since(since_ms) if now_ms - since_ms >= wait_ms)
    }
}
