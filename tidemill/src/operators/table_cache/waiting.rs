//! The updates that wait for a commit, in the order of their last changes.

use std::collections::BTreeMap;

use bytes::Bytes;
use hashbrown::HashMap;

use super::super::TaskContext;
use crate::{table::Change, transport::Headers};

/// The memory that an update needs besides its key and values, in bytes.
const OVERHEAD_BYTES: usize = 128;

/// The last update of a key, with the value from before the first merged one.
#[derive(Clone)]
pub(crate) struct Held<K, V> {
    pub(super) key: K,
    pub(super) change: Change<V>,
    pub(super) timestamp: i64,
    pub(super) headers: Headers,
    place: u64,
    bytes: usize,
}

/// Updates by encoded key.
pub(crate) struct Waiting<K, V> {
    updates: HashMap<Bytes, Held<K, V>>,
    /// The encoded keys, by the places of their updates.
    order: BTreeMap<u64, Bytes>,
    next_place: u64,
    bytes: usize,
}

impl<K, V> Default for Waiting<K, V> {
    fn default() -> Self {
        Self { updates: HashMap::new(), order: BTreeMap::new(), next_place: 0, bytes: 0 }
    }
}

impl<K: Clone, V: Clone> Waiting<K, V> {
    /// An update with the last place. `weight` is the length of its key and values.
    pub(super) fn held(
        &mut self,
        key: K,
        change: Change<V>,
        timestamp: i64,
        headers: Headers,
        weight: usize,
    ) -> Held<K, V> {
        self.next_place += 1;
        Held { key, change, timestamp, headers, place: self.next_place, bytes: weight + OVERHEAD_BYTES }
    }

    /// Replaces what waits for a key, and returns it.
    pub(super) fn set(&mut self, ctx: &mut TaskContext, key: Bytes, held: Option<Held<K, V>>) -> Option<Held<K, V>> {
        let before = self.updates.remove(&key);
        if let Some(before) = &before {
            self.order.remove(&before.place);
            self.bytes -= before.bytes;
            ctx.cached_bytes -= before.bytes;
        }
        if let Some(held) = held {
            self.order.insert(held.place, key.clone());
            self.bytes += held.bytes;
            ctx.cached_bytes += held.bytes;
            self.updates.insert(key, held);
        }
        before
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&Held<K, V>> {
        self.updates.get(key)
    }

    /// The update that has waited longest.
    pub(super) fn first(&self) -> Option<(Bytes, Held<K, V>)> {
        let key = self.order.values().next()?;
        Some((key.clone(), self.updates.get(key)?.clone()))
    }

    /// The encoded keys that `is_one` selects.
    pub(super) fn keys_of(&self, is_one: impl Fn(&[u8]) -> bool) -> Vec<Bytes> {
        self.order.values().filter(|key| is_one(key)).cloned().collect()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
