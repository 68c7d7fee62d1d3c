//! How a join of two streams keeps what waits for a partner.

use std::sync::Arc;

use bytes::Bytes;
use tidemill_state::{Codec, Coded, RawBytes};

use super::Materialized;

/// How a join of two streams keeps what waits for a partner. The name is mandatory: stores and their changelogs are
/// `<name>-left` and `<name>-right`, and, where records without a partner are emitted, `<name>-unmatched`.
pub struct StreamJoined<K, L, R> {
    pub(super) name: String,
    pub(super) key: Arc<dyn Codec<K>>,
    pub(super) left: Arc<dyn Codec<L>>,
    pub(super) right: Arc<dyn Codec<R>>,
    persistent: bool,
    logged: bool,
}

impl<K, L, R> StreamJoined<K, L, R> {
    /// Names the join, with codecs of one's own for the key and both sides' values.
    pub fn with(name: impl Into<String>, key: impl Codec<K>, left: impl Codec<L>, right: impl Codec<R>) -> Self {
        let (key, left, right) = (Arc::new(key), Arc::new(left), Arc::new(right));
        Self { name: name.into(), key, left, right, persistent: true, logged: true }
    }

    /// Keeps the stores in memory. They are rebuilt from their changelogs at every start.
    pub fn in_memory(self) -> Self {
        Self { persistent: false, ..self }
    }

    /// Writes no changelogs: losing the machine loses what waits for a partner.
    pub fn without_logging(self) -> Self {
        Self { logged: false, ..self }
    }

    /// One of its stores. What the rows mean is the operator's.
    pub(super) fn store(&self, suffix: &str) -> Materialized<Bytes, Bytes> {
        let store = Materialized::with(format!("{}-{suffix}", self.name), RawBytes, RawBytes);
        let store = if self.persistent { store } else { store.in_memory() };
        if self.logged { store } else { store.without_logging() }
    }
}

impl<K: Coded, L: Coded, R: Coded> From<&str> for StreamJoined<K, L, R> {
    fn from(name: &str) -> Self {
        Self::with(name, K::Codec::default(), L::Codec::default(), R::Codec::default())
    }
}
