//! Records that flow through a topology.

use crate::transport::Headers;

/// A value that operators can pass on. It is cloned only if a stream has several consumers.
pub trait Data: Clone + 'static {}

impl<T: Clone + 'static> Data for T {}

/// A record on its way through a topology.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<K, V> {
    /// Its key.
    pub key: K,
    /// Its value.
    pub value: V,
    /// Event time, milliseconds since the epoch.
    pub timestamp: i64,
    /// The headers. Operators that keep the record pass them on.
    pub headers: Headers,
}

impl<K, V> Record<K, V> {
    /// A record without headers.
    pub fn new(key: K, value: V, timestamp: i64) -> Self {
        Self { key, value, timestamp, headers: Headers::new() }
    }

    /// The same record with another value.
    #[inline]
    pub fn with_value<V2>(self, value: V2) -> Record<K, V2> {
        Record { key: self.key, value, timestamp: self.timestamp, headers: self.headers }
    }
}
