//! When the rows of a store are due: an index by time, in memory.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;

/// The keys of a store in the order in which to look at them. A key has one entry, with a time that is never later than
/// the time of its row. So a row that is written again and again moves only when its entry is looked at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expiry {
    by_time: BTreeSet<(i64, Bytes)>,
    times: HashMap<Bytes, i64>,
}

impl Expiry {
    /// Notes that a key has a row of this time.
    pub(crate) fn note(&mut self, key: &Bytes, timestamp: i64) {
        match self.times.get(key) {
            Some(noted) if *noted <= timestamp => {}
            noted => {
                if let Some(noted) = noted.copied() {
                    self.by_time.remove(&(noted, key.clone()));
                }
                self.times.insert(key.clone(), timestamp);
                self.by_time.insert((timestamp, key.clone()));
            }
        }
    }

    /// Takes the earliest key, if its time is at most `until`.
    pub(crate) fn take(&mut self, until: i64) -> Option<(i64, Bytes)> {
        if self.by_time.first()?.0 > until {
            return None;
        }
        let (noted, key) = self.by_time.pop_first()?;
        self.times.remove(&key);
        Some((noted, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_entry_with_its_earliest_time() {
        let (mut expiry, key) = (Expiry::default(), Bytes::from("a"));
        expiry.note(&key, 5);
        expiry.note(&key, 9);
        assert_eq!(expiry.take(4), None);
        expiry.note(&key, 3);
        assert_eq!(expiry.take(4), Some((3, key)));
        assert_eq!(expiry.take(100), None);
        assert!(expiry.by_time.is_empty() && expiry.times.is_empty());
    }
}
