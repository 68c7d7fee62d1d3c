//! What may be said at each step: names, codecs, partitioning. A plain `&str` does where the defaults fit.

use std::sync::Arc;

use tidemill_state::{Codec, Coded};

use crate::{clock::millis, operators::TimestampExtractor};

/// How a topic is read.
pub struct Consumed<K, V> {
    pub(crate) topic: String,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    pub(crate) extractor: Option<TimestampExtractor<K, V>>,
}

impl<K, V> Consumed<K, V> {
    /// Reads a topic with codecs of one's own.
    pub fn with(topic: impl Into<String>, key: impl Codec<K>, value: impl Codec<V>) -> Self {
        Self { topic: topic.into(), key: Arc::new(key), value: Arc::new(value), extractor: None }
    }

    /// Takes event time, in milliseconds since the epoch, from key and value instead of the record's timestamp.
    /// A time that is negative, or more than half of what 64 bits hold, drops the record and counts it as
    /// `invalid-timestamp`.
    pub fn timestamp_from(self, extract: impl Fn(&K, &V) -> i64 + Send + Sync + 'static) -> Self {
        Self { extractor: Some(Arc::new(move |key, value, _, _| extract(key, value))), ..self }
    }
}

impl<K: Coded, V: Coded> From<&str> for Consumed<K, V> {
    fn from(topic: &str) -> Self {
        Self::with(topic, K::Codec::default(), V::Codec::default())
    }
}

/// How a topic is written.
pub struct Produced<K, V> {
    pub(crate) topic: String,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    pub(crate) partitioner: Option<Partitioner<K, V>>,
}

/// Chooses a partition from key, value and the number of partitions.
type Partitioner<K, V> = Arc<dyn Fn(&K, &V, i32) -> i32 + Send + Sync>;

impl<K, V> Produced<K, V> {
    /// Writes a topic with codecs of one's own.
    pub fn with(topic: impl Into<String>, key: impl Codec<K>, value: impl Codec<V>) -> Self {
        Self { topic: topic.into(), key: Arc::new(key), value: Arc::new(value), partitioner: None }
    }

    /// Chooses the partition from key, value and the number of partitions, instead of by murmur2 of the key. An answer
    /// that is not from 0 to one less than that number is an error for the processing handler.
    pub fn partitioned_by(self, choose: impl Fn(&K, &V, i32) -> i32 + Send + Sync + 'static) -> Self {
        Self { partitioner: Some(Arc::new(choose)), ..self }
    }
}

impl<K: Coded, V: Coded> From<&str> for Produced<K, V> {
    fn from(topic: &str) -> Self {
        Self::with(topic, K::Codec::default(), V::Codec::default())
    }
}

/// How a stream is written to, and read back from, a repartition topic.
pub struct Repartitioned<K, V> {
    pub(crate) name: String,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    pub(crate) partitions: Option<i32>,
}

impl<K, V> Repartitioned<K, V> {
    /// Names the topic, which becomes `<application id>-<name>-repartition`, with codecs of one's own.
    pub fn with(name: impl Into<String>, key: impl Codec<K>, value: impl Codec<V>) -> Self {
        Self { name: name.into(), key: Arc::new(key), value: Arc::new(value), partitions: None }
    }

    /// How many partitions it gets. By default as many as the topics that feed it.
    pub fn partitions(self, partitions: i32) -> Self {
        Self { partitions: Some(partitions), ..self }
    }
}

impl<K: Coded, V: Coded> From<&str> for Repartitioned<K, V> {
    fn from(name: &str) -> Self {
        Self::with(name, K::Codec::default(), V::Codec::default())
    }
}

/// How a store is kept. Its name is mandatory: it names the changelog, so that state survives a change of the code.
pub struct Materialized<K, V> {
    pub(crate) name: String,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    pub(crate) persistent: bool,
    pub(crate) logged: bool,
    pub(crate) retention_ms: Option<i64>,
}

impl<K, V> Materialized<K, V> {
    /// Names the store, with codecs of one's own.
    pub fn with(name: impl Into<String>, key: impl Codec<K>, value: impl Codec<V>) -> Self {
        Self {
            name: name.into(),
            key: Arc::new(key),
            value: Arc::new(value),
            persistent: true,
            logged: true,
            retention_ms: None,
        }
    }

    /// Keeps the store in memory. It is rebuilt from its changelog at every start.
    pub fn in_memory(self) -> Self {
        Self { persistent: false, ..self }
    }

    /// Writes no changelog: losing the machine loses the store.
    pub fn without_logging(self) -> Self {
        Self { logged: false, ..self }
    }

    /// Kept where another is, and logged if that is.
    pub(crate) fn kept_as<K2, V2>(self, other: &Materialized<K2, V2>) -> Self {
        Self { persistent: other.persistent, logged: other.logged, ..self }
    }

    /// Keeps windows longer than size and grace, for queries.
    pub fn retention(self, retention: std::time::Duration) -> Self {
        Self { retention_ms: Some(millis(retention)), ..self }
    }
}

impl<K: Coded, V: Coded> Materialized<K, V> {
    /// Names the store, with the types' default codecs.
    pub fn named(name: impl Into<String>) -> Self {
        Self::with(name, K::Codec::default(), V::Codec::default())
    }
}

impl<K: Coded, V: Coded> From<&str> for Materialized<K, V> {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}
