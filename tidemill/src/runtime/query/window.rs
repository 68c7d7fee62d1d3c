//! Queries of window stores.

use std::{marker::PhantomData, ops::Bound, sync::Arc};

use bytes::Bytes;
use tidemill_state::{Codec, Coded, WindowKey};

use super::{
    QueryError, QueryTarget,
    key_value::encode,
    piece::{Kind, Rows},
    target::with_options,
    undecodable,
};

/// Reads a window store of this instance, including uncommitted updates.
///
/// A query reads stores in pieces, between the turns of their threads. The result may or may not contain updates that
/// happen during the query.
pub struct WindowQuery<K, V> {
    target: QueryTarget,
    store: Arc<str>,
    types: PhantomData<fn(K, V)>,
}

with_options!(WindowQuery);

impl<K: Coded, V: Coded> WindowQuery<K, V> {
    /// A key's values with the start of their windows in milliseconds. Includes windows that start from `from_ms`
    /// (inclusive) to `to_ms` (exclusive).
    ///
    /// # Errors
    /// Fails if no task that can answer has the store, if a thread does not answer in time, or if the store cannot be
    /// read.
    pub fn fetch(&self, key: &K, from_ms: i64, to_ms: i64) -> Result<Vec<(i64, V)>, QueryError> {
        let start = |ms: i64| Bytes::copy_from_slice(&ms.max(0).to_be_bytes());
        let (from, to) = (Bound::Included(start(from_ms)), Bound::Excluded(start(to_ms)));
        let key = Some(encode(key)?);
        let rows = Rows { kind: Kind::Window, from, to, limit: usize::MAX, values: true, key };
        let decoded = self.target.walk(&self.store, rows)?.into_iter().map(|(row, value)| {
            let read = |(row, value)| Ok((WindowKey::decode_local(row)?.start, V::Codec::default().decode(value)?));
            read((row, value)).map_err(|error| undecodable(&self.store, error))
        });
        decoded.collect()
    }
}
