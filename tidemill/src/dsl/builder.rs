//! Opens sources, names steps, and builds the topology.

mod stores;

use std::{borrow::Cow, cell::RefCell, rc::Rc, sync::Arc};

use tidemill_state::{Codec, Nullable};

use super::{Consumed, KTable, Materialized, table::kept};
use crate::{
    error::TopologyError,
    graph::{Edge, MAIN_PORT, NodeId, NodeKind, RowKeys, StoreFormat, StoreKind, StoreName, StoreSpec},
    operators::{BuildNode, Source},
    record::Data,
    times::Times,
    topology::{Draft, Topology},
    transport::AutoOffsetReset,
};

/// The start of a topology. All streams of one builder share one graph.
///
/// ```
/// use tidemill::StreamsBuilder;
///
/// let builder = StreamsBuilder::new();
/// builder
///     .stream::<String, String>("lines")
///     .flat_map_values(|line| line.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>())
///     .select_key(|_, word| word.clone())
///     .repartition("by-word")
///     .group_by_key()
///     .count("word-counts")
///     .to_stream()
///     .to("counts");
/// let topology = builder.build()?;
/// # Ok::<(), tidemill::TopologyError>(())
/// ```
#[derive(Debug, Default)]
pub struct StreamsBuilder {
    pub(super) graph: SharedGraph,
}

/// The graph, shared by the builder and all its streams.
pub(super) type SharedGraph = Rc<RefCell<Draft>>;

/// Whether both inputs of a step come from the same builder. If they do not, a problem is added to both graphs.
pub(super) fn meets(graph: &SharedGraph, other: &SharedGraph, step: &str) -> bool {
    let same = Rc::ptr_eq(graph, other);
    if !same {
        let problem = format!("the inputs of a {step} belong to two builders: take both inputs from one builder");
        other.borrow_mut().graph.problems.push(problem.clone());
        graph.borrow_mut().graph.problems.push(problem);
    }
    same
}

impl StreamsBuilder {
    /// An empty topology. See the example of [`StreamsBuilder`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a topic as a table: the last value of each key (`StreamsBuilder.table` in Kafka Streams). The store that
    /// `materialized` names keeps the values. A record with a null value deletes its key. A record without a key is
    /// dropped and counted as `null-key`, if the key's codec accepts nulls.
    ///
    /// The last value is the one with the highest offset, whatever its timestamp; in a
    /// [versioned](Materialized::versioned) store it is the one with the highest timestamp. The store has a changelog of
    /// its own, as in Kafka Streams without topology optimization. Every value is emitted, also one that equals the value
    /// before it.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.table::<u64, String>("users", "names");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let users = driver.input::<u64, Option<String>>("users");
    /// users.pipe_all([(1, Some("Ann".into()), 0), (2, Some("Bo".into()), 1)])?;
    /// users.pipe_all([(1, Some("Anna".into()), 2), (2, None, 3)])?;
    /// let names = driver.key_value_store::<u64, String>("names", 0)?.expect("it runs");
    /// assert_eq!(names.all().read_all()?, [(1, "Anna".to_owned())]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn table<K: Data, V: Data>(
        &self,
        topic: impl Into<String>,
        materialized: impl Into<Materialized<K, V>>,
    ) -> KTable<K, V> {
        let materialized = materialized.into();
        let (key, value) = (materialized.key.clone(), materialized.value.clone());
        self.table_with(Consumed::of(vec![topic.into()], key, value), materialized)
    }

    /// As [`table`](Self::table), with different codecs for the topic and the store, or with another time
    /// ([`Consumed::timestamp_from`]).
    ///
    /// A tombstone has no value, so the extractor is not called for it: it keeps its own timestamp.
    ///
    /// ```
    /// # use tidemill::{Consumed, state::{BigEndian, Utf8, Json}};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let topic = Consumed::with("prices", Utf8, Json::<i64>::default());
    /// builder.table_with(topic, "price-of-item"); // The store uses the default codec of i64.
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<String, String>("prices").pipe("tea".into(), "350".into(), 0)?;
    /// let prices = driver.key_value_store::<String, i64>("price-of-item", 0)?.expect("it runs");
    /// assert_eq!(prices.get(&"tea".into())?, Some(350));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn table_with<K: Data, V: Data>(
        &self,
        consumed: Consumed<K, V>,
        materialized: impl Into<Materialized<K, V>>,
    ) -> KTable<K, V> {
        consumed.check(&self.graph);
        let times = consumed.times().of_values();
        let topic = consumed.only_topic(&self.graph);
        let Consumed { key, value, reset, .. } = consumed;
        let kind = NodeKind::Source(topic.as_str().into());
        let nullable: Arc<dyn Codec<Option<V>>> = Arc::new(Nullable(SharedCodec(value)));
        let source = add_source(&self.graph, Some(&topic), kind, key, nullable, times);
        note_reset(&self.graph, source, reset);
        kept::<K, V, Option<V>>(&self.graph, "table", source, materialized.into()).1
    }

    /// Validates the topology and returns it (`StreamsBuilder.build` in Kafka Streams). The builder stays usable: a
    /// later call contains the steps that were added since.
    ///
    /// # Errors
    ///
    /// If the topology has problems. The error lists all of them, each with what to do. Missing topics and wrong
    /// partition counts are found at the start of the application.
    ///
    /// ```
    /// use tidemill::StreamsBuilder;
    ///
    /// let builder = StreamsBuilder::new();
    /// let orders = builder.stream::<u64, String>("orders");
    /// orders.select_key(|_, item| item.clone()).group_by_key().count("sold");
    /// builder.add_key_value_store::<u64, i64>("unused");
    ///
    /// let error = builder.build().unwrap_err();
    /// assert_eq!(error.problems().len(), 2);
    /// assert!(error.problems()[0].contains("put .repartition(\"a-name\") between them"));
    /// assert!(error.problems()[1].contains("store 'unused' is used by no processor"));
    /// ```
    pub fn build(&self) -> Result<Topology, TopologyError> {
        self.graph.borrow().finish()
    }
}

/// Notes where a source begins in partitions that were never read.
pub(super) fn note_reset(graph: &SharedGraph, source: NodeId, reset: Option<AutoOffsetReset>) {
    if let Some(reset) = reset {
        graph.borrow_mut().graph.offset_resets.insert(source, reset);
    }
}

/// Implements [`Codec`] for a shared codec.
pub(super) struct SharedCodec<T>(pub(super) Arc<dyn Codec<T>>);

impl<T: 'static> Codec<T> for SharedCodec<T> {
    fn encode_into(&self, value: &T, out: &mut Vec<u8>) -> Result<(), tidemill_state::CodecError> {
        self.0.encode_into(value, out)
    }

    fn size_hint(&self, value: &T) -> usize {
        self.0.size_hint(value)
    }

    fn is_null(&self, value: &T) -> bool {
        self.0.is_null(value)
    }

    fn encode(&self, value: &T) -> Result<Option<bytes::Bytes>, tidemill_state::CodecError> {
        self.0.encode(value)
    }

    fn decode(&self, bytes: bytes::Bytes) -> Result<T, tidemill_state::CodecError> {
        self.0.decode(bytes)
    }

    fn decode_null(&self) -> Result<T, tidemill_state::CodecError> {
        self.0.decode_null()
    }

    fn name(&self) -> Option<Cow<'static, str>> {
        self.0.name()
    }

    fn partition_bytes<'a>(&self, encoded: &'a [u8]) -> &'a [u8] {
        self.0.partition_bytes(encoded)
    }
}

pub(super) fn add_source<K: Data, V: Data>(
    graph: &SharedGraph,
    name: Option<&str>,
    kind: NodeKind,
    key: Arc<dyn Codec<K>>,
    value: Arc<dyn Codec<V>>,
    times: Times<K, V>,
) -> NodeId {
    let carries_notes = matches!(kind, NodeKind::RepartitionSource(_));
    let build: BuildNode = Arc::new(move |assembly, id| {
        let next = Rc::new(assembly.next::<K, V>(id, MAIN_PORT)?);
        let source = Source::new(key.clone(), value.clone(), times.clone(), next, carries_notes);
        assembly.sources.insert(id, Box::new(source));
        Ok(())
    });
    graph.borrow_mut().add(name, kind, Vec::new(), Vec::new(), build)
}

pub(super) fn add_operator(
    graph: &SharedGraph,
    name: Option<&str>,
    label: &'static str,
    parents: &[NodeId],
    stores: Vec<StoreName>,
    build: BuildNode,
) -> NodeId {
    let parents = parents.iter().map(|from| Edge { from: *from, port: MAIN_PORT }).collect();
    graph.borrow_mut().add(name, NodeKind::Operator(label), parents, stores, build)
}

pub(super) fn add_store<K: 'static, V: 'static>(
    graph: &SharedGraph,
    materialized: &Materialized<K, V>,
    kind: StoreKind,
) -> StoreName {
    let (spec, rows) = spec_of(materialized, kind);
    let name = spec.name.clone();
    let graph = &mut graph.borrow_mut().graph;
    graph.store_types.insert(name.clone(), materialized.types(kind));
    graph.add_store(spec, rows, materialized.lifetime());
    graph.problems.extend(problem_with_options(materialized, kind));
    name
}

/// An option that a store of this kind cannot have.
pub(super) fn problem_with_options<K, V>(materialized: &Materialized<K, V>, kind: StoreKind) -> Option<String> {
    let (name, is_versioned) = (&materialized.name, matches!(kind, StoreKind::Versioned { .. }));
    if is_versioned && materialized.cache_max_bytes.is_some() {
        return Some(format!("store '{name}' keeps versions, so its updates cannot be merged: take its cache away"));
    }
    if !is_versioned && materialized.history_ms.is_some() {
        return Some(format!("store '{name}' cannot be versioned: only the store of a table without windows can"));
    }
    let asked_ms = materialized.retention_ms?;
    match kind {
        StoreKind::KeyValue => Some(format!(
            "store '{name}' has no windows, so its retention has no effect: take it away, or set a time to live"
        )),
        StoreKind::Versioned { .. } => Some(format!(
            "store '{name}' has no windows, so its retention has no effect: take it away, because its history has one"
        )),
        StoreKind::Window { retention_ms, .. } | StoreKind::Session { retention_ms } => (retention_ms != asked_ms)
            .then(|| format!("store '{name}' has two retentions, {retention_ms} ms and {asked_ms} ms: take one away")),
    }
}

/// The bytes of the time behind the key of a version's row.
const VERSION_TIME_BYTES: usize = 8;

/// A store as the graph keeps it, and its row keys.
pub(super) fn spec_of<K: 'static, V: 'static>(
    materialized: &Materialized<K, V>,
    kind: StoreKind,
) -> (StoreSpec, RowKeys) {
    let (mut spec, rows) = (store_spec(materialized, kind), RowKeys::of(materialized.key.clone()));
    if matches!(kind, StoreKind::Versioned { .. }) {
        spec.format.set_versions();
        return (spec, rows.before(VERSION_TIME_BYTES));
    }
    (spec, rows)
}

pub(super) fn store_spec<K: 'static, V: 'static>(materialized: &Materialized<K, V>, kind: StoreKind) -> StoreSpec {
    let Materialized { persistent, logged, .. } = *materialized;
    let mut format = StoreFormat::default();
    format.set_codec("key", materialized.key.name());
    format.set_codec("value", materialized.value.name());
    let (name, changelog_config) = (materialized.name.as_str().into(), materialized.changelog_config.clone());
    StoreSpec { name, kind, persistent, logged, changelog_config, format }
}
