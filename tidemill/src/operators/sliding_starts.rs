//! The windows that each key has, by start, in memory. The rows of a store are ordered by start first, and the windows of
//! a key may start at each millisecond. Without this, each record would ask at every start that any key has.

use std::collections::BTreeSet;

use hashbrown::{HashMap, HashSet};
use tidemill_state::{ByteWindowStore, StoreError};

/// The starts that a key may have. There may be more than the store has rows, and never fewer: so the undo of a record
/// needs nothing from here.
#[derive(Debug, Default)]
pub(crate) struct SlidingStarts {
    by_key: HashMap<Vec<u8>, BTreeSet<i64>>,
    count: usize,
    /// The number of starts after the last sweep.
    swept: usize,
    /// Keys that lost rows before their windows expired.
    thinned: HashSet<Vec<u8>>,
}

/// Starts that may be there before the first sweep.
const SWEPT_MIN: usize = 1_024;

impl SlidingStarts {
    /// The windows of a store.
    pub(crate) fn read(store: &ByteWindowStore) -> Result<Self, StoreError> {
        let mut starts = Self::default();
        for (start, key) in store.windows()? {
            starts.add(&key, start);
        }
        starts.swept = starts.count;
        Ok(starts)
    }

    pub(crate) fn add(&mut self, key: &[u8], start: i64) {
        let is_new = self.by_key.entry_ref(key).or_default().insert(start);
        self.count += usize::from(is_new);
    }

    /// The starts of a key from one to another, both inclusive, last first.
    pub(crate) fn descending(&self, key: &[u8], from: i64, to: i64) -> Vec<i64> {
        let Some(starts) = self.by_key.get(key).filter(|_| from <= to) else { return Vec::new() };
        starts.range(from..=to).rev().copied().collect()
    }

    /// Notes that rows of a key were deleted.
    pub(crate) fn note_deleted(&mut self, key: &[u8]) {
        if self.by_key.contains_key(key) {
            self.thinned.insert(key.to_vec());
        }
    }

    /// Forgets what the store does not have any more. Called when no record can be undone.
    pub(crate) fn sweep(&mut self, store: &ByteWindowStore) -> Result<(), StoreError> {
        for key in std::mem::take(&mut self.thinned) {
            let Some(starts) = self.by_key.remove(&key) else { continue };
            self.count -= starts.len();
            for start in starts {
                if store.get(start, &key)?.is_some() {
                    self.add(&key, start);
                }
            }
        }
        if self.count > 2 * self.swept.max(SWEPT_MIN) {
            let live_from = store.expired_before();
            self.by_key.retain(|_, starts| {
                *starts = starts.split_off(&live_from);
                !starts.is_empty()
            });
            self.count = self.by_key.values().map(BTreeSet::len).sum();
            self.swept = self.count;
        }
        Ok(())
    }
}
