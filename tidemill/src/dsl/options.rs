//! The options of each step: names, codecs, partitioning. If the defaults suffice, pass a plain `&str`.

use std::sync::Arc;

use tidemill_state::{Codec, Coded};

use crate::{clock::millis, operators::TimestampExtractor};

/// How to read a topic.
pub struct Consumed<K, V> {
    pub(crate) topic: String,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    pub(crate) extractor: Option<TimestampExtractor<K, V>>,
}

impl<K, V> Consumed<K, V> {
    /// Reads a topic with the given codecs.
    pub fn with(topic: impl Into<String>, key: impl Codec<K>, value: impl Codec<V>) -> Self {
        Self { topic: topic.into(), key: Arc::new(key), value: Arc::new(value), extractor: None }
    }

    /// Takes event time, in milliseconds since the epoch, from key and value instead of the record's timestamp. If the
    /// time is negative or more than half of the largest 64-bit integer, the record is dropped and counted as
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

/// How to write a topic.
pub struct Produced<K, V> {
    pub(crate) topic: String,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    pub(crate) partitioner: Option<Partitioner<K, V>>,
}

/// Chooses a partition from key, value and the number of partitions.
type Partitioner<K, V> = Arc<dyn Fn(&K, &V, i32) -> i32 + Send + Sync>;

impl<K, V> Produced<K, V> {
    /// Writes a topic with the given codecs.
    pub fn with(topic: impl Into<String>, key: impl Codec<K>, value: impl Codec<V>) -> Self {
        Self { topic: topic.into(), key: Arc::new(key), value: Arc::new(value), partitioner: None }
    }

    /// Chooses the partition from key, value and the number of partitions. The default is murmur2 of the key. A result
    /// below 0, or not below the number of partitions, is an error for the processing handler.
    pub fn partitioned_by(self, choose: impl Fn(&K, &V, i32) -> i32 + Send + Sync + 'static) -> Self {
        Self { partitioner: Some(Arc::new(choose)), ..self }
    }
}

impl<K: Coded, V: Coded> From<&str> for Produced<K, V> {
    fn from(topic: &str) -> Self {
        Self::with(topic, K::Codec::default(), V::Codec::default())
    }
}

/// How to write a stream to a repartition topic and read it back.
pub struct Repartitioned<K, V> {
    pub(crate) name: String,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    pub(crate) partitions: Option<i32>,
}

impl<K, V> Repartitioned<K, V> {
    /// Names the topic and sets its codecs. The topic's full name is `<application id>-<name>-repartition`.
    pub fn with(name: impl Into<String>, key: impl Codec<K>, value: impl Codec<V>) -> Self {
        Self { name: name.into(), key: Arc::new(key), value: Arc::new(value), partitions: None }
    }

    /// Sets the number of partitions. The default is the number of partitions of the topics that feed it.
    pub fn partitions(self, partitions: i32) -> Self {
        Self { partitions: Some(partitions), ..self }
    }
}

impl<K: Coded, V: Coded> From<&str> for Repartitioned<K, V> {
    fn from(name: &str) -> Self {
        Self::with(name, K::Codec::default(), V::Codec::default())
    }
}

/// How to keep a store. The name is mandatory: it names the changelog, and state then survives a change of the code.
pub struct Materialized<K, V> {
    pub(crate) name: String,
    pub(crate) key: Arc<dyn Codec<K>>,
    pub(crate) value: Arc<dyn Codec<V>>,
    pub(crate) persistent: bool,
    pub(crate) logged: bool,
    pub(crate) retention_ms: Option<i64>,
}

impl<K, V> Materialized<K, V> {
    /// Names the store and sets its codecs. By default the store is on disk and has a changelog.
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

    /// Writes no changelog: if the machine is lost, the store is lost.
    pub fn without_logging(self) -> Self {
        Self { logged: false, ..self }
    }

    /// Keeps the store where `other` is kept, and logs it if `other` is logged.
    pub(crate) fn kept_as<K2, V2>(self, other: &Materialized<K2, V2>) -> Self {
        Self { persistent: other.persistent, logged: other.logged, ..self }
    }

    /// Keeps windows for `retention`, for queries. The default is size plus grace. A shorter retention is an error.
    pub fn retention(self, retention: std::time::Duration) -> Self {
        Self { retention_ms: Some(millis(retention)), ..self }
    }
}

impl<K: Coded, V: Coded> Materialized<K, V> {
    /// Names the store. The codecs are the default codecs of the types.
    pub fn named(name: impl Into<String>) -> Self {
        Self::with(name, K::Codec::default(), V::Codec::default())
    }
}

impl<K: Coded, V: Coded> From<&str> for Materialized<K, V> {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}
