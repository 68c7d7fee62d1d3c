//! The ids that were told already.

use std::collections::{HashSet, VecDeque};

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD as BASE64};
use serde_json::Value;

/// The latest ids, as hashes, oldest forgotten first.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    order: VecDeque<u64>,
    known: HashSet<u64>,
    capacity: usize,
}

impl Seen {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { order: VecDeque::new(), known: HashSet::new(), capacity: capacity.max(1) }
    }

    /// Remembers an id. Returns false if it was there.
    pub(crate) fn insert(&mut self, id: &str) -> bool {
        self.insert_hash(hash(id))
    }

    fn insert_hash(&mut self, hash: u64) -> bool {
        if !self.known.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }

    /// The latest ids for a position, the newest last. Each write of a chat carries them, so they are packed: base64 of
    /// their hashes, eight bytes each, the lowest byte first.
    pub(crate) fn latest(&self, count: usize) -> Value {
        let skipped = self.order.len().saturating_sub(count);
        let bytes: Vec<u8> = self.order.iter().skip(skipped).flat_map(|hash| hash.to_le_bytes()).collect();
        BASE64.encode(bytes).into()
    }

    /// Remembers the ids of a position.
    pub(crate) fn remember(&mut self, latest: &Value) {
        let bytes = latest.as_str().and_then(|latest| BASE64.decode(latest).ok()).unwrap_or_default();
        for hash in bytes.as_chunks().0 {
            self.insert_hash(u64::from_le_bytes(*hash));
        }
    }
}

/// FNV-1a with a final mix: stable across versions, because positions hold it.
pub(crate) fn hash(text: &str) -> u64 {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 27)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_id_is_forgotten_first() {
        let mut seen = Seen::new(2);
        assert!(seen.insert("a") && seen.insert("b") && !seen.insert("a"));
        assert!(seen.insert("c"));
        assert!(seen.insert("a") && !seen.insert("c"));
    }

    #[test]
    fn a_position_carries_the_latest_ids() {
        let mut seen = Seen::new(10);
        assert!(["a", "b", "c"].into_iter().all(|id| seen.insert(id)));
        let mut later = Seen::new(10);
        later.remember(&Value::Null);
        later.remember(&"no base64".into());
        later.remember(&seen.latest(2));
        assert!(!later.insert("c") && !later.insert("b") && later.insert("a"));
    }
}
