//! Count, reduce and aggregate over a grouped stream.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use tidemill_state::Codec;

use super::{
    CogroupedKStream, KStream, KTable, Materialized, Windows,
    builder::{add_operator, add_store},
};
use crate::{
    error::TaskError,
    graph::{MAIN_PORT, NodeId, StoreName},
    operators::{Assembly, BuildNode, Folded, KeyedAggregate, KeyedInput},
    record::Data,
};

/// A stream whose records are grouped by their key (`KGroupedStream` in Kafka Streams). [`KStream::group_by_key`]
/// returns it.
///
/// All aggregates of this type have this in common:
///
/// - Each record emits an update. Kafka Streams may combine the updates of a key between two commits; Tidemill does
///   not.
/// - An update has the highest timestamp of the records in the aggregate (KIP-258), and the headers of the last record.
/// - A record without a key is dropped and counted as `null-key`.
/// - Aggregate and input are committed together. The aggregate is in a store that `materialized` names, and in its
///   changelog.
///
/// ```
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// let orders = builder.stream::<u64, i64>("orders").group_by_key();
/// orders.reduce("spent", |sum, cents| sum + cents).to_stream().to("totals");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// // The second order is late. The update keeps the time of the first.
/// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 90), (1, 50, 40)])?;
/// assert_eq!(driver.output::<u64, i64>("totals").read()?, [(1, 250, 90), (1, 300, 90)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct KGroupedStream<K, V> {
    pub(super) stream: KStream<K, V>,
}

impl<K: Data, V: Data> KGroupedStream<K, V> {
    pub(super) fn new(stream: KStream<K, V>) -> Self {
        Self { stream }
    }

    /// Counts the records of each key (`KGroupedStream.count` in Kafka Streams). `materialized` names the store.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, String>("page-views").group_by_key().count("views").to_stream().to("counts");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("page-views").pipe_all([(7, "/".into(), 0), (7, "/cart".into(), 1)])?;
    /// assert_eq!(driver.output::<u64, i64>("counts").read_values()?, [1, 2]);
    /// assert_eq!(driver.key_value_store::<u64, i64>("views", 0)?.expect("it runs").get(&7)?, Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn count(&self, materialized: impl Into<Materialized<K, i64>>) -> KTable<K, i64> {
        self.fold("count", materialized, |_, _, count| *count = Some(count.unwrap_or(0) + 1))
    }

    /// Combines the values of each key, two values at a time (`KGroupedStream.reduce` in Kafka Streams). The first
    /// value of a key is the first result, without a call of `reduce`. After that, `reduce` gets the result so far and
    /// the new value.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, i64>("bids").group_by_key().reduce("highest-bid", i64::max).to_stream().to("leading");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("bids").pipe_all([(1, 40, 0), (1, 30, 1), (1, 70, 2)])?;
    /// assert_eq!(driver.output::<u64, i64>("leading").read_values()?, [40, 40, 70]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reduce(
        &self,
        materialized: impl Into<Materialized<K, V>>,
        reduce: impl Fn(V, V) -> V + Send + Sync + 'static,
    ) -> KTable<K, V> {
        self.fold("reduce", materialized, reducer(reduce))
    }

    /// Folds the values of each key into an aggregate (`KGroupedStream.aggregate` in Kafka Streams). The aggregate
    /// starts as the result of `initializer`, and `aggregator` changes it in place.
    ///
    /// If the aggregate becomes a value that its codec encodes as null, for example `None`, the key is deleted from the
    /// store and the null is emitted. The next record of the key starts with `initializer` again.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let basket = |_: &u64, item: String, basket: &mut Option<Vec<String>>| match item.as_str() {
    ///     "checkout" => *basket = None,
    ///     _ => basket.get_or_insert_default().push(item),
    /// };
    /// let clicks = builder.stream::<u64, String>("clicks").group_by_key();
    /// clicks.aggregate("baskets", || None, basket).to_stream().to("open");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("clicks").pipe_all([(1, "tea".into(), 0), (1, "checkout".into(), 1)])?;
    /// let open = driver.output::<u64, Option<Vec<String>>>("open").read_values()?;
    /// assert_eq!(open, [Some(vec!["tea".to_owned()]), None]);
    /// let baskets = driver.key_value_store::<u64, Option<Vec<String>>>("baskets", 0)?.expect("it runs");
    /// assert_eq!(baskets.get(&1)?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn aggregate<A: Data>(
        &self,
        materialized: impl Into<Materialized<K, A>>,
        initializer: impl Fn() -> A + Send + Sync + 'static,
        aggregator: impl Fn(&K, V, &mut A) + Send + Sync + 'static,
    ) -> KTable<K, A> {
        self.fold("aggregate", materialized, aggregate(initializer, aggregator))
    }

    /// Divides each group into windows (`KGroupedStream.windowedBy` in Kafka Streams). The windows of a record follow
    /// from its timestamp. A record that comes after its windows have closed is late.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{TimeWindows, Windowed};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// let chat = builder.stream::<u64, String>("chat").group_by_key();
    /// chat.windowed_by(minutes).count("per-minute").to_stream().to("counts");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("chat").pipe_all([(7, "hi".into(), 59_999), (7, "bye".into(), 60_000)])?;
    /// let counts = driver.output::<Windowed<u64>, i64>("counts").read()?;
    /// let starts: Vec<_> = counts.iter().map(|(windowed, count, _)| (windowed.window.start, *count)).collect();
    /// assert_eq!(starts, [(0, 1), (60_000, 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn windowed_by<W: Windows<K, V>>(&self, windows: W) -> W::Stream {
        windows.divide(self.stream.clone())
    }

    /// Aggregates this stream together with other streams (`KGroupedStream.cogroup` in Kafka Streams, KIP-150).
    /// `aggregator` adds a value of this stream to the aggregate that all streams share.
    ///
    /// See the example of [`CogroupedKStream`].
    pub fn cogroup<A: Data>(
        &self,
        aggregator: impl Fn(&K, V, &mut A) + Send + Sync + 'static,
    ) -> CogroupedKStream<K, A> {
        CogroupedKStream::new(self, aggregator)
    }

    pub(super) fn fold<A: Data, R: Folded + 'static>(
        &self,
        label: &'static str,
        materialized: impl Into<Materialized<K, A>>,
        fold: impl Fn(&K, V, &mut Option<A>) -> R + Send + Sync + 'static,
    ) -> KTable<K, A> {
        let materialized = materialized.into();
        let graph = &self.stream.graph;
        let store = add_store(graph, &materialized, materialized.table_kind());
        let (name, key, value) = (store.clone(), materialized.key.clone(), materialized.value.clone());
        let fold = Arc::new(fold);
        let build: BuildNode = Arc::new(move |assembly, id| {
            let core = keyed_aggregate(assembly, id, &name, &key, &value)?;
            assembly.input::<K, V>(id, Rc::new(RefCell::new(KeyedInput::new(core, fold.clone()))));
            Ok(())
        });
        let node = add_operator(graph, Some(&store), label, &[self.stream.node], vec![store.clone()], build);
        self.stream.require_partitioned_by_key(node);
        let Materialized { key, value, cache_max_bytes, .. } = materialized;
        KTable::stored(graph.clone(), node, store, key, value.clone()).cached(value, cache_max_bytes)
    }
}

/// Opens the aggregate of a node.
pub(super) fn keyed_aggregate<K: Data, A: Data>(
    assembly: &mut Assembly<'_>,
    node: NodeId,
    store: &StoreName,
    key: &Arc<dyn Codec<K>>,
    value: &Arc<dyn Codec<A>>,
) -> Result<Rc<RefCell<KeyedAggregate<K, A>>>, TaskError> {
    let (rows, next) = (assembly.table_store(store), assembly.next(node, MAIN_PORT)?);
    let (shared, old) = (assembly.is_shared(store), assembly.sends_old(node));
    let core = Rc::new(RefCell::new(KeyedAggregate::new(rows, shared, key.clone(), value.clone(), old, next)));
    assembly.lifecycle(node, core.clone());
    assembly.expires(node, store, key, value)?;
    Ok(core)
}

/// Turns a reducer into a fold over an aggregate that may not exist yet.
pub(super) fn reducer<K, V>(reduce: impl Fn(V, V) -> V) -> impl Fn(&K, V, &mut Option<V>) {
    move |_, value, slot| {
        *slot = Some(match slot.take() {
            Some(previous) => reduce(previous, value),
            None => value,
        });
    }
}

/// Turns initializer and aggregator into a fold over an aggregate that may not exist yet.
pub(super) fn aggregate<K, V, A, R>(
    initializer: impl Fn() -> A,
    aggregator: impl Fn(&K, V, &mut A) -> R,
) -> impl Fn(&K, V, &mut Option<A>) -> R {
    move |key, value, slot| aggregator(key, value, slot.get_or_insert_with(&initializer))
}
