//! The next sequence number of each window with appended elements.

use std::collections::BTreeMap;

use bytes::Bytes;
use hashbrown::HashMap;

/// Next numbers by start, then key. Expiry drops whole starts, and a lookup of a known window allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct Sequences {
    windows: BTreeMap<i64, HashMap<Bytes, u32>>,
}

/// The numbers of all windows with one start, after they were dropped.
#[derive(Debug)]
pub(crate) struct Expired((i64, HashMap<Bytes, u32>));

impl Sequences {
    /// The number of the window's next element, if it is known.
    pub(crate) fn get(&self, start: i64, key: &[u8]) -> Option<u32> {
        self.windows.get(&start)?.get(key).copied()
    }

    /// As [`get`](Self::get), but mutable.
    pub(crate) fn get_mut(&mut self, start: i64, key: &[u8]) -> Option<&mut u32> {
        self.windows.get_mut(&start)?.get_mut(key)
    }

    pub(crate) fn insert(&mut self, start: i64, key: &[u8], next: u32) {
        self.windows.entry(start).or_default().insert(Bytes::copy_from_slice(key), next);
    }

    /// Forgets a window.
    pub(crate) fn remove(&mut self, start: i64, key: &[u8]) {
        if let Some(keys) = self.windows.get_mut(&start) {
            keys.remove(key);
            if keys.is_empty() {
                self.windows.remove(&start);
            }
        }
    }

    /// The lowest start of a window with appended elements.
    pub(crate) fn first_start(&self) -> Option<i64> {
        self.windows.first_key_value().map(|(start, _)| *start)
    }

    /// Drops the windows with a lower start and returns them, earliest first.
    pub(crate) fn expire_before(&mut self, start: i64) -> impl Iterator<Item = Expired> {
        std::iter::from_fn(move || {
            let first = self.windows.first_entry().filter(|first| *first.key() < start)?;
            Some(Expired(first.remove_entry()))
        })
    }

    /// Adds dropped windows again.
    pub(crate) fn revive(&mut self, Expired((start, keys)): Expired) {
        self.windows.insert(start, keys);
    }

    pub(crate) fn clear(&mut self) {
        self.windows.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiry_drops_lower_starts_only() {
        let mut sequences = Sequences::default();
        sequences.insert(10, b"a", 1);
        sequences.insert(20, b"a", 2);
        let expired: Vec<_> = sequences.expire_before(20).collect();
        assert_eq!(sequences.get_mut(10, b"a"), None);
        assert_eq!(sequences.get_mut(20, b"a"), Some(&mut 2));
        for expired in expired {
            sequences.revive(expired);
        }
        assert_eq!(sequences.get_mut(10, b"a"), Some(&mut 1));
    }
}
