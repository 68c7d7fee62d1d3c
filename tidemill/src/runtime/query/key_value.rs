//! Queries of key-value stores.

use std::{marker::PhantomData, ops::Bound, sync::Arc};

use bytes::Bytes;
use tidemill_state::{Codec, CodecError, Coded};

use super::{
    QueryError, QueryTarget,
    piece::{Kind, Rows},
    target::with_options,
    undecodable,
};
use crate::operators::StoreHandle;

/// Reads a key-value store of this instance, including uncommitted updates.
///
/// A query reads stores in pieces, between the turns of their threads. The result may or may not contain updates that
/// happen during the query.
pub struct KeyValueQuery<K, V> {
    target: QueryTarget,
    store: Arc<str>,
    types: PhantomData<fn(K, V)>,
}

with_options!(KeyValueQuery);

impl<K: Coded, V: Coded> KeyValueQuery<K, V> {
    /// The value of a key; `None` if the key is missing.
    ///
    /// # Errors
    /// Fails if no task that can answer has the store, if a thread does not answer in time, or if the store cannot be
    /// read.
    pub fn get(&self, key: &K) -> Result<Option<V>, QueryError> {
        let key = encode(key)?;
        let found = self.target.ask(&self.store, move |handle, _| match handle {
            StoreHandle::KeyValue(store) => Some(store.borrow().get(&key)),
            StoreHandle::Window(_) => None,
        })?;
        found.into_iter().flatten().next().map(|row| self.value(row.value)).transpose()
    }

    /// All keys and values on this instance, in the order of the keys' bytes.
    ///
    /// # Errors
    /// As [`KeyValueQuery::get`].
    pub fn all(&self) -> Result<Vec<(K, V)>, QueryError> {
        self.page(None, usize::MAX)
    }

    /// At most `limit` keys with their values, in the order of the keys' bytes: the keys after `after`, or the first
    /// keys. A key that several partitions have counts once.
    ///
    /// # Errors
    /// As [`KeyValueQuery::get`].
    pub fn page(&self, after: Option<&K>, limit: usize) -> Result<Vec<(K, V)>, QueryError> {
        let rows = self.target.walk(&self.store, rows(after, limit, true)?)?;
        rows.into_iter().map(|(key, value)| Ok((self.key(key)?, self.value(value)?))).collect()
    }

    /// All keys on this instance, in the order of their bytes. Values are neither transferred nor decoded.
    ///
    /// # Errors
    /// As [`KeyValueQuery::get`].
    pub fn all_keys(&self) -> Result<Vec<K>, QueryError> {
        self.page_of_keys(None, usize::MAX)
    }

    /// At most `limit` keys, in the order of their bytes: the keys after `after`, or the first keys. A key that several
    /// partitions have counts once.
    ///
    /// # Errors
    /// As [`KeyValueQuery::get`].
    pub fn page_of_keys(&self, after: Option<&K>, limit: usize) -> Result<Vec<K>, QueryError> {
        let rows = self.target.walk(&self.store, rows(after, limit, false)?)?;
        rows.into_iter().map(|(key, _)| self.key(key)).collect()
    }

    fn key(&self, bytes: Bytes) -> Result<K, QueryError> {
        K::Codec::default().decode(bytes).map_err(|error| undecodable(&self.store, error))
    }

    fn value(&self, bytes: Bytes) -> Result<V, QueryError> {
        V::Codec::default().decode(bytes).map_err(|error| undecodable(&self.store, error))
    }
}

/// A key's bytes. Null is not a valid key.
pub(super) fn encode<K: Coded>(key: &K) -> Result<Bytes, CodecError> {
    K::Codec::default().encode(key)?.ok_or(CodecError::Null)
}

fn rows<K: Coded>(after: Option<&K>, limit: usize, values: bool) -> Result<Rows, CodecError> {
    let from = after.map_or(Ok(Bound::Unbounded), |key| encode(key).map(Bound::Excluded))?;
    Ok(Rows { kind: Kind::KeyValue, from, to: Bound::Unbounded, limit, values, key: None })
}
