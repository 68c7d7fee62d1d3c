//! How a join of two streams keeps records that wait for a partner.

use std::sync::Arc;

use bytes::Bytes;
use tidemill_state::{Codec, Coded, RawBytes};

use super::Materialized;

/// How a join of two streams keeps records that wait for a partner. The name is mandatory. The stores and their
/// changelogs are named `<name>-left` and `<name>-right`. Joins that emit unmatched records also have
/// `<name>-unmatched`.
pub struct StreamJoined<K, L, R> {
    pub(super) name: String,
    pub(super) key: Arc<dyn Codec<K>>,
    pub(super) left: Arc<dyn Codec<L>>,
    pub(super) right: Arc<dyn Codec<R>>,
    persistent: bool,
    logged: bool,
}

impl<K, L, R> StreamJoined<K, L, R> {
    /// Names the join and sets the codecs for the key and both sides' values.
    pub fn with(name: impl Into<String>, key: impl Codec<K>, left: impl Codec<L>, right: impl Codec<R>) -> Self {
        let (key, left, right) = (Arc::new(key), Arc::new(left), Arc::new(right));
        Self { name: name.into(), key, left, right, persistent: true, logged: true }
    }

    /// Keeps the stores in memory. They are rebuilt from their changelogs at every start.
    pub fn in_memory(self) -> Self {
        Self { persistent: false, ..self }
    }

    /// Writes no changelogs: if the machine is lost, the records that wait for a partner are lost.
    pub fn without_logging(self) -> Self {
        Self { logged: false, ..self }
    }

    /// One of the join's stores. It holds plain bytes; the operator encodes the rows.
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
