//! Opens sources, names steps, and builds the topology.

use std::{borrow::Cow, cell::RefCell, rc::Rc, sync::Arc};

use tidemill_state::{Codec, Nullable};

use super::{Consumed, KStream, KTable, Materialized};
use crate::{
    clock::millis,
    error::TopologyError,
    graph::{Edge, MAIN_PORT, NodeId, NodeKind, RowKeys, StoreFormat, StoreKind, StoreName, StoreSpec},
    operators::{BuildNode, Source, TableSource, TimestampExtractor},
    record::Data,
    topology::{Draft, Topology},
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
    /// An empty topology.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a topic as a stream.
    ///
    /// Each record must have a key and a value. Some producers write no keys, for example the console producer. Read
    /// such a topic with [`StreamsBuilder::stream_values`], or with keys of type `Option<K>` and
    /// [`KStream::drop_null_keys`].
    pub fn stream<K: Data, V: Data>(&self, topic: impl Into<Consumed<K, V>>) -> KStream<K, V> {
        let Consumed { topic, key, value, extractor } = topic.into();
        let kind = NodeKind::Source(topic.as_str().into());
        let id = add_source(&self.graph, Some(&topic), kind, key, value, extractor);
        KStream::new(self.graph.clone(), id)
    }

    /// Reads the values of a topic as a stream. The keys are ignored and may be null.
    ///
    /// ```
    /// use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    ///
    /// let builder = StreamsBuilder::new();
    /// builder.stream_values::<String>("lines").map_values(|line| line.to_uppercase()).to("shouted");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<Option<String>, String>("lines").pipe(None, "hi".into(), 0)?;
    /// assert_eq!(driver.output::<(), String>("shouted").read_values()?, ["HI"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stream_values<V: Data>(&self, topic: impl Into<Consumed<(), V>>) -> KStream<(), V> {
        self.stream(topic)
    }

    /// Reads a topic as a table: the last value of each key. The store that `materialized` names keeps the values. A
    /// record with a null value deletes its key.
    pub fn table<K: Data, V: Data>(
        &self,
        topic: impl Into<String>,
        materialized: impl Into<Materialized<K, V>>,
    ) -> KTable<K, V> {
        let materialized = materialized.into();
        let (key, value) = (materialized.key.clone(), materialized.value.clone());
        self.table_with(Consumed { topic: topic.into(), key, value, extractor: None }, materialized)
    }

    /// Reads a topic as a table, with different codecs for the topic and the store.
    pub fn table_with<K: Data, V: Data>(
        &self,
        consumed: Consumed<K, V>,
        materialized: impl Into<Materialized<K, V>>,
    ) -> KTable<K, V> {
        let Consumed { topic, key, value, extractor } = consumed;
        let materialized = materialized.into();
        let extractor = extractor.map(of_values);
        let kind = NodeKind::Source(topic.as_str().into());
        let nullable: Arc<dyn Codec<Option<V>>> = Arc::new(Nullable(SharedCodec(value)));
        let source = add_source(&self.graph, Some(&topic), kind, key, nullable, extractor);
        let store = add_store(&self.graph, &materialized, StoreKind::KeyValue);
        let name = store.clone();
        let (key, value) = (materialized.key.clone(), materialized.value.clone());
        let build: BuildNode = Arc::new(move |assembly, id| {
            let store = assembly.key_value_store(&name);
            let next = assembly.next(id, MAIN_PORT)?;
            let (key, value) = (key.clone(), value.clone());
            assembly.input::<K, Option<V>>(id, Rc::new(RefCell::new(TableSource { store, key, value, next })));
            Ok(())
        });
        let id = add_operator(&self.graph, Some(&store), "table", &[source], vec![store.clone()], build);
        KTable::new(self.graph.clone(), id, store.clone(), materialized.key, materialized.value)
    }

    /// Declares a key-value store for custom processors. Name the store in [`KStream::process`].
    pub fn add_key_value_store<K: 'static, V: 'static>(
        &self,
        materialized: impl Into<Materialized<K, V>>,
    ) -> StoreName {
        add_store(&self.graph, &materialized.into(), StoreKind::KeyValue)
    }

    /// Declares a window store for custom processors. `retention` is how long windows are kept, in stream time.
    pub fn add_window_store<K: 'static, V: 'static>(
        &self,
        materialized: impl Into<Materialized<K, V>>,
        retention: std::time::Duration,
    ) -> StoreName {
        let retention_ms = millis(retention);
        add_store(&self.graph, &materialized.into(), StoreKind::Window { retention_ms, by_key: false })
    }

    /// Validates the topology and returns it.
    ///
    /// # Errors If the topology has problems. The error lists all of them.
    pub fn build(&self) -> Result<Topology, TopologyError> {
        self.graph.borrow().finish()
    }
}

/// Takes the time from values. A record with a null value keeps its own timestamp.
fn of_values<K: 'static, V: 'static>(extract: TimestampExtractor<K, V>) -> TimestampExtractor<K, Option<V>> {
    Arc::new(move |key, value, timestamp, partition_time_ms| match value {
        Some(value) => extract(key, value, timestamp, partition_time_ms),
        None => timestamp,
    })
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
    extractor: Option<TimestampExtractor<K, V>>,
) -> NodeId {
    let carries_notes = matches!(kind, NodeKind::RepartitionSource(_));
    let build: BuildNode = Arc::new(move |assembly, id| {
        let next = Rc::new(assembly.next::<K, V>(id, MAIN_PORT)?);
        let source = Source::new(key.clone(), value.clone(), extractor.clone(), next, carries_notes);
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
    let name: StoreName = materialized.name.as_str().into();
    let Materialized { persistent, logged, .. } = *materialized;
    let mut format = StoreFormat::default();
    format.set_codec("key", materialized.key.name());
    format.set_codec("value", materialized.value.name());
    let rows = RowKeys::of(materialized.key.clone());
    graph.borrow_mut().graph.add_store(StoreSpec { name: name.clone(), kind, persistent, logged, format }, rows);
    name
}
