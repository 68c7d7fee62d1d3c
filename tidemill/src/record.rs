//! Records that flow through a topology.

use crate::transport::Headers;

/// A value that operators can pass on. It is cloned only if a stream has several consumers.
pub trait Data: Clone + 'static {}

impl<T: Clone + 'static> Data for T {}

/// A record on its way through a topology (`Record` of `org.apache.kafka.streams.processor.api`).
///
/// ```
/// use tidemill::Record;
///
/// let mut order = Record::new(7_u64, "tea", 1_000);
/// order.headers.push("shop", "berlin");
/// let cents = order.with_value(250_i64);
/// assert_eq!((cents.key, cents.value, cents.timestamp), (7, 250, 1_000));
/// assert_eq!(cents.headers.last("shop").map(|shop| &shop[..]), Some(&b"berlin"[..]));
/// ```
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
    /// A record without headers. `timestamp` is event time in milliseconds since the epoch. See the example of
    /// [`Record`].
    pub fn new(key: K, value: V, timestamp: i64) -> Self {
        Self { key, value, timestamp, headers: Headers::new() }
    }

    /// The same record with another value (`Record.withValue` in Kafka Streams). See the example of [`Record`].
    #[inline]
    pub fn with_value<V2>(self, value: V2) -> Record<K, V2> {
        Record { key: self.key, value, timestamp: self.timestamp, headers: self.headers }
    }
}
