//! Opens sources, names steps, and builds the topology.

use std::{borrow::Cow, cell::RefCell, rc::Rc, sync::Arc};

use tidemill_state::{Codec, Nullable};

use super::{Consumed, KTable, Materialized, StoreBuilder, table::kept};
use crate::{
    clock::millis,
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

    /// Declares a key-value store for custom processors (`StreamsBuilder.addStateStore` in Kafka Streams). Name the
    /// store in [`KStream::process`](crate::KStream::process). Several processors may share it. [`build`](Self::build)
    /// returns an error if no processor uses it.
    ///
    /// ```
    /// # use tidemill::{processor::{Processor, ProcessorContext, Record}, state::BoxError};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// /// Passes on a price if it is lower than the one before.
    /// struct PriceDrops;
    ///
    /// impl Processor<u64, i64, u64, i64> for PriceDrops {
    ///     fn process(
    ///         &mut self,
    ///         ctx: &mut ProcessorContext<'_, u64, i64>,
    ///         record: Record<u64, i64>,
    ///     ) -> Result<(), BoxError> {
    ///         let last = ctx.key_value_store::<u64, i64>("last-price")?;
    ///         let before = last.get(&record.key)?;
    ///         last.put(&record.key, &record.value, record.timestamp)?;
    ///         if before.is_some_and(|before| record.value < before) {
    ///             ctx.forward(record);
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// builder.add_key_value_store::<u64, i64>("last-price");
    /// builder.stream::<u64, i64>("prices").process("price-drops", &["last-price"], || PriceDrops).to("drops");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("prices").pipe_all([(1, 350, 0), (1, 300, 1), (1, 320, 2)])?;
    /// assert_eq!(driver.output::<u64, i64>("drops").read_values()?, [300]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_key_value_store<K: 'static, V: 'static>(
        &self,
        materialized: impl Into<Materialized<K, V>>,
    ) -> StoreName {
        add_store(&self.graph, &materialized.into(), StoreKind::KeyValue)
    }

    /// Declares a window store for custom processors (`StreamsBuilder.addStateStore` with a `WindowStore` in Kafka
    /// Streams). `retention` is how long windows are kept, in stream time, counted from a window's start. Name the
    /// store in [`KStream::process`](crate::KStream::process).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{processor::{Processor, ProcessorContext, Record}, state::BoxError};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// /// Keeps the readings of each hour.
    /// struct ByHour;
    ///
    /// impl Processor<u64, f64, (), ()> for ByHour {
    ///     fn process(
    ///         &mut self,
    ///         ctx: &mut ProcessorContext<'_, (), ()>,
    ///         record: Record<u64, f64>,
    ///     ) -> Result<(), BoxError> {
    ///         let hour = record.timestamp / 3_600_000 * 3_600_000;
    ///         ctx.window_store::<u64, f64>("hours")?.append(&record.key, hour, &record.value, record.timestamp)?;
    ///         Ok(())
    ///     }
    /// }
    ///
    /// builder.add_window_store::<u64, f64>("hours", Duration::from_hours(24));
    /// builder.stream::<u64, f64>("readings").process("by-hour", &["hours"], || ByHour);
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, f64>("readings").pipe_all([(7, 19.5, 0), (7, 20.0, 1), (7, 21.0, 3_600_000)])?;
    /// let hours = driver.window_store::<u64, f64>("hours", 0)?.expect("it runs");
    /// assert_eq!(hours.elements(&7, 0)?, [19.5, 20.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_window_store<K: 'static, V: 'static>(
        &self,
        materialized: impl Into<Materialized<K, V>>,
        retention: std::time::Duration,
    ) -> StoreName {
        let retention_ms = millis(retention);
        add_store(&self.graph, &materialized.into(), StoreKind::Window { retention_ms, by_key: false })
    }

    /// Declares a session store for custom processors (`StreamsBuilder.addStateStore` with a `SessionStore` in Kafka
    /// Streams). `retention` is how long sessions are kept, in stream time, counted from a session's end. Name the store
    /// in [`KStream::process`](crate::KStream::process).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{processor::{Processor, ProcessorContext, Record}, state::BoxError};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// /// Keeps each booking of a room. Forwards bookings that overlap an earlier one.
    /// struct Overlaps;
    ///
    /// impl Processor<u64, i64, u64, i64> for Overlaps {
    ///     fn process(
    ///         &mut self,
    ///         ctx: &mut ProcessorContext<'_, u64, i64>,
    ///         booking: Record<u64, i64>,
    ///     ) -> Result<(), BoxError> {
    ///         let bookings = ctx.session_store::<u64, i64>("bookings")?;
    ///         let (room, start, end) = (booking.key, booking.timestamp, booking.timestamp + booking.value);
    ///         if bookings.find_sessions(&room, start, end).next().transpose()?.is_none() {
    ///             return Ok(bookings.put(&room, start, end, &booking.value)?);
    ///         }
    ///         ctx.forward(booking);
    ///         Ok(())
    ///     }
    /// }
    ///
    /// builder.add_session_store::<u64, i64>("bookings", Duration::from_hours(24));
    /// builder.stream::<u64, i64>("booked").process("overlaps", &["bookings"], || Overlaps).to("refused");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("booked").pipe_all([(7, 60_000, 0), (7, 1_000, 59_000), (8, 1_000, 59_000)])?;
    /// assert_eq!(driver.output::<u64, i64>("refused").read()?, [(7, 1_000, 59_000)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_session_store<K: 'static, V: 'static>(
        &self,
        materialized: impl Into<Materialized<K, V>>,
        retention: std::time::Duration,
    ) -> StoreName {
        add_store(&self.graph, &materialized.into(), StoreKind::Session { retention_ms: millis(retention) })
    }

    /// Declares a versioned store for custom processors (`StreamsBuilder.addStateStore` with a `VersionedKeyValueStore`
    /// in Kafka Streams, KIP-889): it keeps the earlier values of each key, so that a processor can ask which value a key
    /// had at a time. `history_retention` is how long versions are kept after they ended, in stream time of the store. It
    /// is also the grace: a version that is put later than that is left out. The latest version is kept for ever. Name
    /// the store in [`KStream::process`](crate::KStream::process).
    ///
    /// The changelog has the key, the plain value, and the version's time as the record's time, as in Kafka Streams. It
    /// is compacted only behind the history and a day, so that a restore finds the history. Kafka counts this from the
    /// times of records: if it compacts while much older events are processed, a restore may find only the latest
    /// version of a key.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{processor::{FixedKeyProcessor, FixedKeyProcessorContext, FixedKeyRecord}, state::BoxError};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// /// Keeps prices. The price of an order is the one at the time of the order, which is a negative amount here.
    /// struct Prices;
    ///
    /// impl FixedKeyProcessor<String, i64, i64> for Prices {
    ///     fn process(
    ///         &mut self,
    ///         ctx: &mut FixedKeyProcessorContext<'_, String, i64>,
    ///         record: FixedKeyRecord<String, i64>,
    ///     ) -> Result<(), BoxError> {
    ///         let prices = ctx.versioned_store::<String, i64>("prices")?;
    ///         if record.value > 0 {
    ///             prices.put(record.key(), &record.value, record.timestamp)?;
    ///         } else if let Some(price) = prices.get_as_of(record.key(), record.timestamp)? {
    ///             let cost = -record.value * price.value;
    ///             ctx.forward(record.with_value(cost));
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// builder.add_versioned_store::<String, i64>("prices", Duration::from_hours(24));
    /// builder.stream::<String, i64>("in").process_values("costs", &["prices"], || Prices).to("costs");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let input = driver.input::<String, i64>("in");
    /// input.pipe_all([("tea".into(), 300, 1_000), ("tea".into(), 250, 9_000), ("tea".into(), -2, 8_000)])?;
    /// assert_eq!(driver.output::<String, i64>("costs").read_values()?, [600]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_versioned_store<K: 'static, V: 'static>(
        &self,
        materialized: impl Into<Materialized<K, V>>,
        history_retention: std::time::Duration,
    ) -> StoreName {
        let kind = StoreKind::Versioned { history_retention_ms: millis(history_retention) };
        add_store(&self.graph, &materialized.into(), kind)
    }

    /// Adds a store for custom processors (`StreamsBuilder.addStateStore` in Kafka Streams). Name the store in
    /// [`KStream::process`](crate::KStream::process). A store that is equal to one that was added before is that store:
    /// several processors then share it. See the example of [`StoreBuilder`].
    pub fn add_state_store(&self, store: StoreBuilder) -> StoreName {
        let name = store.spec.name.clone();
        store.share(&mut self.graph.borrow_mut().graph);
        name
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
    let cannot = !is_versioned && materialized.history_ms.is_some();
    cannot.then(|| format!("store '{name}' cannot be versioned: only the store of a table without windows can"))
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
