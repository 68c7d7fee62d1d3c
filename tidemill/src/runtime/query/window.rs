//! Queries of window stores.

use std::{marker::PhantomData, ops::Bound, sync::Arc, time::Duration};

use bytes::Bytes;
use tidemill_state::{Codec, Coded, WindowKey};

use super::{
    Asked, QueryError,
    key_value::encode,
    piece::{Kind, Rows},
    undecodable,
};

/// Reads a window store of this instance, uncommitted updates included.
///
/// Stores are read a piece at a time, between the turns of the threads that have them: what is written meanwhile may be
/// there or not.
pub struct WindowQuery<K, V> {
    asked: Asked,
    store: Arc<str>,
    types: PhantomData<fn(K, V)>,
}

impl<K, V> WindowQuery<K, V> {
    pub(crate) fn new(asked: Asked, store: &str) -> Self {
        Self { asked, store: store.into(), types: PhantomData }
    }

    /// Asks one partition's task only: a key that is nowhere else is then not missing where it cannot be.
    pub fn with_partition(mut self, partition: i32) -> Self {
        self.asked.partition = Some(partition);
        self
    }

    /// Lets standbys answer, too: what they tell is committed, and may be older than what the task's owner knows.
    pub fn enable_stale_stores(mut self) -> Self {
        self.asked.stale = true;
        self
    }

    /// How long to wait for each answer of a thread, instead of the configuration's `query_timeout`.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.asked.timeout = timeout;
        self
    }
}

impl<K: Coded, V: Coded> WindowQuery<K, V> {
    /// A key's values in windows that start from `from_ms`, up to and without `to_ms`.
    ///
    /// # Errors
    /// If no task that may answer has the store, none answers in time, or it cannot be read.
    pub fn fetch(&self, key: &K, from_ms: i64, to_ms: i64) -> Result<Vec<(i64, V)>, QueryError> {
        let start = |ms: i64| Bytes::copy_from_slice(&ms.max(0).to_be_bytes());
        let (from, to) = (Bound::Included(start(from_ms)), Bound::Excluded(start(to_ms)));
        let key = Some(encode(key)?);
        let rows = Rows { kind: Kind::Window, from, to, limit: usize::MAX, values: true, key };
        let decoded = self.asked.walk(&self.store, rows)?.into_iter().map(|(row, value)| {
            let read = |(row, value)| Ok((WindowKey::decode_local(row)?.start, V::Codec::default().decode(value)?));
            read((row, value)).map_err(|error| undecodable(&self.store, error))
        });
        decoded.collect()
    }
}
