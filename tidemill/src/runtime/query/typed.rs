//! The types of a query: what it asks as bytes, and the answers as values.

use std::sync::Arc;

use bytes::Bytes;
use tidemill_state::{Codec, CodecError, StoreError};

use super::QueryError;
use crate::graph::SharedCodecs;

/// Turns what is asked of a store into bytes, and its answers into values.
pub(super) struct Typed<K, V> {
    store: Arc<str>,
    key: Arc<dyn Codec<K>>,
    value: Arc<dyn Codec<V>>,
}

impl<K: 'static, V: 'static> Typed<K, V> {
    pub(super) fn new(store: &Arc<str>, (key, value): SharedCodecs<K, V>) -> Self {
        Self { store: store.clone(), key, value }
    }

    /// A key's bytes. Null is not a valid key.
    pub(super) fn encode(&self, key: &K) -> Result<Bytes, CodecError> {
        self.key.encode(key)?.ok_or(CodecError::Null)
    }

    pub(super) fn key(&self, bytes: Bytes) -> Result<K, QueryError> {
        self.key.decode(bytes).map_err(|error| self.undecodable(error))
    }

    pub(super) fn value(&self, bytes: Bytes) -> Result<V, QueryError> {
        self.value.decode(bytes).map_err(|error| self.undecodable(error))
    }

    /// The error of bytes that cannot be read.
    pub(super) fn undecodable(&self, source: CodecError) -> QueryError {
        StoreError::Codec { store: self.store.to_string(), source }.into()
    }
}
