//! How a join of two streams keeps records that wait for a partner.

use std::sync::Arc;

use bytes::Bytes;
use tidemill_state::{Codec, Coded, RawBytes};

use super::Materialized;
use crate::graph::TopicConfig;

/// How a join of two streams keeps records that wait for a partner (`StreamJoined` in Kafka Streams). The name is
/// mandatory. The stores and their changelogs are named `<name>-left` and `<name>-right`. Joins that emit unmatched
/// records also have `<name>-unmatched`, and joins with
/// [`JoinWindows::event_time_by_key`](crate::JoinWindows::event_time_by_key) have `<name>-times`.
///
/// A plain `&str` is enough if the types have default codecs. By default the stores are on disk and have changelogs.
///
/// ```
/// # use std::time::Duration;
/// # use tidemill::{JoinWindows, StreamJoined, StreamsBuilder, state::{BigEndian, Utf8}};
/// # let builder = StreamsBuilder::new();
/// # let (views, clicks) = (builder.stream::<u64, String>("views"), builder.stream::<u64, String>("clicks"));
/// let windows = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(10));
/// let joined = StreamJoined::with("ads", BigEndian, Utf8, Utf8).in_memory().without_logging();
/// views.join_stream(&clicks, windows, joined, |_, view, click| format!("{view}: {click}")).to("clicked");
///
/// let topology = builder.build()?;
/// let stores: Vec<_> = topology.stores().map(|store| (&*store.name, store.persistent, store.logged)).collect();
/// assert_eq!(stores, [("ads-left", false, false), ("ads-right", false, false)]);
/// # Ok::<(), tidemill::TopologyError>(())
/// ```
pub struct StreamJoined<K, L, R> {
    pub(super) name: String,
    pub(super) key: Arc<dyn Codec<K>>,
    pub(super) left: Arc<dyn Codec<L>>,
    pub(super) right: Arc<dyn Codec<R>>,
    persistent: bool,
    logged: bool,
    changelog_config: TopicConfig,
}

impl<K, L, R> StreamJoined<K, L, R> {
    /// Names the join and sets the codecs for the key and both sides' values (`StreamJoined.with` and `withName` in
    /// Kafka Streams). See the example of [`StreamJoined`].
    pub fn with(name: impl Into<String>, key: impl Codec<K>, left: impl Codec<L>, right: impl Codec<R>) -> Self {
        let (key, left, right) = (Arc::new(key), Arc::new(left), Arc::new(right));
        let changelog_config = TopicConfig::new();
        Self { name: name.into(), key, left, right, persistent: true, logged: true, changelog_config }
    }

    /// Keeps the stores in memory. They are rebuilt from their changelogs at every start. Kafka Streams takes store
    /// suppliers for this. See the example of [`StreamJoined`].
    pub fn in_memory(self) -> Self {
        Self { persistent: false, ..self }
    }

    /// Writes no changelogs (`StreamJoined.withLoggingDisabled` in Kafka Streams): if the machine is lost, the records
    /// that wait for a partner are lost. See the example of [`StreamJoined`].
    pub fn without_logging(self) -> Self {
        Self { logged: false, ..self }
    }

    /// Creates the changelog topics with these settings (`StreamJoined.withLoggingEnabled` in Kafka Streams). See
    /// [`Materialized::with_logging`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{JoinWindows, StreamJoined, StreamsBuilder, state::{BigEndian, Utf8}};
    /// # let builder = StreamsBuilder::new();
    /// # let (views, clicks) = (builder.stream::<u64, String>("views"), builder.stream::<u64, String>("clicks"));
    /// let windows = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(10));
    /// let joined = StreamJoined::with("ads", BigEndian, Utf8, Utf8).with_logging([("min.insync.replicas", "2")]);
    /// views.join_stream(&clicks, windows, joined, |_, view, click| format!("{view}: {click}")).to("clicked");
    /// assert!(builder.build()?.stores().all(|store| store.changelog_config["min.insync.replicas"] == "2"));
    /// # Ok::<(), tidemill::TopologyError>(())
    /// ```
    pub fn with_logging<S: Into<String>, T: Into<String>>(self, config: impl IntoIterator<Item = (S, T)>) -> Self {
        let config = config.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self { logged: true, changelog_config: config.collect(), ..self }
    }

    /// One of the join's stores. It holds plain bytes; the operator encodes the rows.
    pub(super) fn store(&self, suffix: &str) -> Materialized<Bytes, Bytes> {
        let store = Materialized::with(format!("{}-{suffix}", self.name), RawBytes, RawBytes);
        let store = if self.persistent { store } else { store.in_memory() };
        let store = store.with_logging(self.changelog_config.clone());
        if self.logged { store } else { store.without_logging() }
    }
}

impl<K: Coded, L: Coded, R: Coded> From<&str> for StreamJoined<K, L, R> {
    fn from(name: &str) -> Self {
        Self::with(name, K::Codec::default(), L::Codec::default(), R::Codec::default())
    }
}
