//! Forgets the times of keys that have been silent for long, a few at a time.

use std::ops::Bound;

use bytes::Bytes;
use tidemill_state::{ByteStore, Direction, Row, StoreError};

/// A key's time is kept for at least one day of silence. A record that comes late within that day still counts as late.
const KEPT_AT_LEAST_MS: i64 = 24 * 3_600_000;

/// The interval between two steps, and the number of times that one step checks.
const EVERY_MS: i64 = 1_000;
const AT_ONCE: usize = 500;

/// Iterates over the times of all keys, again and again.
#[derive(Debug)]
pub(super) struct Sweep {
    kept_ms: i64,
    last_ms: Option<i64>,
    after: Option<Bytes>,
}

impl Sweep {
    pub(super) fn new(kept_ms: i64) -> Self {
        Self { kept_ms: kept_ms.max(KEPT_AT_LEAST_MS), last_ms: None, after: None }
    }

    /// Handles the wall clock. Forgets some times of silent keys that are not `used`. `heard_ms` reads from a key's row
    /// the wall time of the key's last record.
    pub(super) fn tick(
        &mut self,
        wall_ms: i64,
        store: &mut ByteStore,
        heard_ms: impl Fn(&Row) -> i64,
        used: impl Fn(&[u8]) -> bool,
    ) -> Result<(), StoreError> {
        if self.last_ms.is_some_and(|last| (last..last + EVERY_MS).contains(&wall_ms)) {
            return Ok(());
        }
        self.last_ms = Some(wall_ms);
        let from = self.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let rows = store.scan(from, Bound::Unbounded, Direction::Forward)?.take(AT_ONCE);
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        self.after = if rows.len() == AT_ONCE { rows.last().map(|(key, _)| key.clone()) } else { None };
        for (key, row) in rows {
            if wall_ms - heard_ms(&row) >= self.kept_ms && !used(&key) {
                store.delete(key);
            }
        }
        Ok(())
    }
}
