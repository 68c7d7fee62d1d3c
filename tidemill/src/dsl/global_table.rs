//! Tables that every instance keeps whole.

use std::{cell::RefCell, fmt, rc::Rc, sync::Arc};

use tidemill_state::{Codec, Nullable};

use super::{
    Consumed, Materialized, StreamsBuilder,
    builder::{SharedCodec, SharedGraph, add_operator, add_source, store_spec},
};
use crate::{
    graph::{Global, MAIN_PORT, NodeKind, StoreKind, StoreName},
    operators::{BuildNode, KeepTable, ProcessorNode, processor::Processor},
    record::Data,
    times::Times,
};

/// A table that every instance keeps whole, with all partitions of its topic (`GlobalKTable` in Kafka Streams).
///
/// [`StreamsBuilder::global_table`] makes it, and [`KStream::join_global`](crate::KStream::join_global) joins it.
pub struct GlobalKTable<K, V> {
    pub(super) graph: SharedGraph,
    pub(super) store: StoreName,
    pub(super) key: Arc<dyn Codec<K>>,
    pub(super) value: Arc<dyn Codec<V>>,
}

impl<K, V> Clone for GlobalKTable<K, V> {
    fn clone(&self) -> Self {
        let (graph, store) = (self.graph.clone(), self.store.clone());
        Self { graph, store, key: self.key.clone(), value: self.value.clone() }
    }
}

impl<K, V> fmt::Debug for GlobalKTable<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GlobalKTable({})", self.store)
    }
}

impl<K, V> GlobalKTable<K, V> {
    /// The name of the store, for queries and processors (`GlobalKTable.queryableStoreName` in Kafka Streams).
    ///
    /// ```
    /// # use tidemill::StreamsBuilder;
    /// # let builder = StreamsBuilder::new();
    /// assert_eq!(&**builder.global_table::<u64, String>("users", "names").store(), "names");
    /// ```
    pub fn store(&self) -> &StoreName {
        &self.store
    }
}

impl StreamsBuilder {
    /// Reads a topic as a global table: every instance keeps the last value of each key of all partitions
    /// (`StreamsBuilder.globalTable` in Kafka Streams). A record with a null value deletes its key. A record without a
    /// key is dropped and counted as `null-key`, if the key's codec accepts nulls.
    ///
    /// Streams join it by any key that is in their records ([`KStream::join_global`](crate::KStream::join_global)):
    /// neither partitions nor keys have to agree. Processors read its store under its name, without being connected to
    /// it. The topic may also be read as a stream or a table.
    ///
    /// No task works before the table holds what the topic held at the start. From then on, a thread of its own follows
    /// the topic. So what a join finds depends on when an update arrives, not on its timestamp: two runs over the same
    /// records may differ, as in Kafka Streams. In a [`TopologyTestDriver`](crate::testing::TopologyTestDriver), all
    /// waiting updates apply before the next record.
    ///
    /// The topic takes the place of a changelog, so it should be compacted. A store on disk keeps its offsets and
    /// reads only what is new at the next start. A store whose next records the topic has deleted begins again.
    /// [`KStream::erase`](crate::KStream::erase) does not reach it: write a tombstone to its topic.
    ///
    /// A record that does not decode goes to the
    /// [`deserialization_handler`](crate::StreamsConfig::deserialization_handler). All instances read the record, and
    /// one of them writes its dead letter, once. Kafka Streams writes no dead letters for global tables.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::{DriverOptions, TopologyTestDriver}};
    /// # let builder = StreamsBuilder::new();
    /// let names = builder.global_table::<u64, String>("users", "names");
    /// // Orders have ids of their own. Their values are the users.
    /// let orders = builder.stream::<u64, u64>("orders");
    /// orders.join_global(&names, |_, user| Some(*user), |order, _, name| format!("{order} of {name}")).to("labels");
    ///
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions::default().partitions(4))?;
    /// driver.input::<u64, String>("users").pipe_all([(7, "Ann".into(), 0), (8, "Bo".into(), 1)])?;
    /// driver.input::<u64, u64>("orders").pipe_all([(100, 8, 2), (101, 9, 3)])?;
    /// assert_eq!(driver.output::<u64, String>("labels").read()?, [(100, "100 of Bo".to_owned(), 2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn global_table<K: Data, V: Data>(
        &self,
        topic: impl Into<String>,
        materialized: impl Into<Materialized<K, V>>,
    ) -> GlobalKTable<K, V> {
        let materialized = materialized.into();
        let (key, value) = (materialized.key.clone(), materialized.value.clone());
        self.global_table_with(Consumed::of(vec![topic.into()], key, value), materialized)
    }

    /// As [`global_table`](Self::global_table), with different codecs for the topic and the store, or with another time
    /// ([`Consumed::timestamp_from`]).
    ///
    /// ```
    /// # use tidemill::{Consumed, state::{Json, Utf8}};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.global_table_with(Consumed::with("prices", Utf8, Json::<i64>::default()), "price-of-item");
    /// # builder.stream::<u64, u64>("orders").to("copy");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<String, String>("prices").pipe("tea".into(), "350".into(), 0)?;
    /// let prices = driver.key_value_store::<String, i64>("price-of-item", 0)?.expect("it runs");
    /// assert_eq!(prices.get(&"tea".into())?, Some(350));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn global_table_with<K: Data, V: Data>(
        &self,
        consumed: Consumed<K, V>,
        materialized: impl Into<Materialized<K, V>>,
    ) -> GlobalKTable<K, V> {
        consumed.check(&self.graph);
        let times = consumed.times().of_values();
        let topic = consumed.only_topic(&self.graph);
        let Consumed { key, value, .. } = consumed;
        let materialized = materialized.into();
        let nullable: Arc<dyn Codec<Option<V>>> = Arc::new(Nullable(SharedCodec(value)));
        let store: StoreName = materialized.name.as_str().into();
        let (name, keys, values) = (store.clone(), materialized.key.clone(), materialized.value.clone());
        let build: BuildNode = Arc::new(move |assembly, id| {
            let (store, next) = (assembly.table_store(&name), assembly.next(id, MAIN_PORT)?);
            let (key, value) = (keys.clone(), values.clone());
            let operator = KeepTable { store, key, value, sends_old: false, skips_nothing: false, next };
            assembly.input::<K, Option<V>>(id, Rc::new(RefCell::new(operator)));
            Ok(())
        });
        let input = Input { topic, key, value: nullable, times };
        self.add_global(input, &materialized, "global-table", build);
        GlobalKTable { graph: self.graph.clone(), store, key: materialized.key, value: materialized.value }
    }

    /// Adds a global store that a processor fills from a topic (`StreamsBuilder.addGlobalStore` in Kafka Streams). Each
    /// instance keeps the store and runs the processor for the records of all partitions.
    ///
    /// The processor sees each record, also when the store is restored, and only it writes the store. It may do what it
    /// likes with the record: keep a part of it, or leave it out. Its results are used by nobody, and punctuations are
    /// not called. A processor that gives the same rows for the same records makes all instances agree. See
    /// [`global_table`](Self::global_table) for everything else.
    ///
    /// ```
    /// # use tidemill::{processor::{Processor, ProcessorContext, Record}, state::BoxError};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// /// Keeps the length of each name.
    /// struct Lengths;
    ///
    /// impl Processor<u64, String, (), ()> for Lengths {
    ///     fn process(
    ///         &mut self,
    ///         ctx: &mut ProcessorContext<'_, (), ()>,
    ///         record: Record<u64, String>,
    ///     ) -> Result<(), BoxError> {
    ///         let length = record.value.len() as i64;
    ///         Ok(ctx.key_value_store::<u64, i64>("lengths")?.put(&record.key, &length, record.timestamp)?)
    ///     }
    /// }
    ///
    /// builder.add_global_store::<u64, i64, u64, String, _>("lengths", "users", || Lengths);
    /// # builder.stream::<u64, u64>("orders").to("copy");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("users").pipe(7, "Anna".into(), 0)?;
    /// let lengths = driver.key_value_store::<u64, i64>("lengths", 0)?.expect("it runs");
    /// assert_eq!(lengths.get(&7)?, Some(4));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_global_store<SK: Data, SV: Data, K: Data, V: Data, P>(
        &self,
        materialized: impl Into<Materialized<SK, SV>>,
        consumed: impl Into<Consumed<K, V>>,
        supplier: impl Fn() -> P + Send + Sync + 'static,
    ) -> GlobalKTable<SK, SV>
    where
        P: Processor<K, V, (), ()> + 'static,
    {
        let (materialized, consumed) = (materialized.into(), consumed.into());
        consumed.check(&self.graph);
        let (times, topic) = (consumed.times(), consumed.only_topic(&self.graph));
        let Consumed { key, value, .. } = consumed;
        let build: BuildNode = Arc::new(move |assembly, id| {
            let next = assembly.next(id, MAIN_PORT)?;
            let node =
                Rc::new(RefCell::new(ProcessorNode::new(supplier(), assembly.environment(id), next, Vec::new())));
            assembly.input::<K, V>(id, node.clone());
            assembly.lifecycle(id, node);
            Ok(())
        });
        self.add_global(Input { topic, key, value, times }, &materialized, "global-process", build);
        let store = materialized.name.as_str().into();
        GlobalKTable { graph: self.graph.clone(), store, key: materialized.key, value: materialized.value }
    }

    fn add_global<K: Data, V: Data, SK: 'static, SV: 'static>(
        &self,
        input: Input<K, V>,
        materialized: &Materialized<SK, SV>,
        label: &'static str,
        build: BuildNode,
    ) {
        let Input { topic, key, value, times } = input;
        let kind = NodeKind::GlobalSource(topic.as_str().into());
        let source = add_source(&self.graph, Some(&topic), kind, key, value, times);
        if materialized.live_ms.is_some() {
            let problem = format!("global store '{}' cannot have a time to live: its topic decides", materialized.name);
            self.graph.borrow_mut().graph.problems.push(problem);
        }
        if materialized.retention_ms.is_some() {
            let problem = format!("global store '{}' has no windows: take its retention away", materialized.name);
            self.graph.borrow_mut().graph.problems.push(problem);
        }
        if materialized.history_ms.is_some() {
            let problem = format!("global store '{}' cannot be versioned", materialized.name);
            self.graph.borrow_mut().graph.problems.push(problem);
        }
        // Its topic is its changelog.
        let spec = store_spec(materialized, StoreKind::KeyValue);
        let name = spec.name.clone();
        let writer = add_operator(&self.graph, Some(&name), label, &[source], vec![name.clone()], build);
        let graph = &mut self.graph.borrow_mut().graph;
        graph.store_types.insert(spec.name.clone(), materialized.types(StoreKind::KeyValue));
        graph.add_global(Global { spec, topic: topic.into(), source, writer });
    }
}

/// What a global store reads.
struct Input<K, V> {
    topic: String,
    key: Arc<dyn Codec<K>>,
    value: Arc<dyn Codec<V>>,
    times: Times<K, V>,
}
