//! Steps of a stream of records.

use std::{cell::RefCell, fmt, rc::Rc, sync::Arc};

use super::{
    KGroupedStream, KTable, Produced, Repartitioned, SplitStream,
    builder::{SharedGraph, add_operator, add_source, meets},
};
use crate::{
    graph::{Edge, MAIN_PORT, NodeId, NodeKind, NodeName, StoreKind, StoreName, TopicRef},
    operators::processor::Processor,
    operators::{
        BuildNode, DropNullKeys, Filter, FlatMap, Keyless, Map, Merge, Peek, ProcessorNode, Sink, StreamTableJoin,
    },
    record::{Data, Record},
};

/// A stream of records (`KStream` in Kafka Streams). Each record is an event of its own. A clone is cheap; both clones
/// get all records.
///
/// Steps declare what will run; no step runs before the application starts. Two steps on one stream both get each
/// record:
///
/// ```
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// let orders = builder.stream::<u64, i64>("orders");
/// orders.filter(|_, cents| *cents >= 1_000).to("large");
/// orders.map_values(|cents| cents / 100).to("euros");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 0), (2, 4_000, 1)])?;
/// assert_eq!(driver.output::<u64, i64>("large").read_values()?, [4_000]);
/// assert_eq!(driver.output::<u64, i64>("euros").read_values()?, [2, 40]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct KStream<K, V> {
    pub(super) graph: SharedGraph,
    pub(super) node: NodeId,
    /// The step that changed the key since the records were last partitioned by key.
    pub(super) rekeyed_by: Option<NodeName>,
    pub(super) types: std::marker::PhantomData<fn(K, V)>,
}

impl<K, V> Clone for KStream<K, V> {
    fn clone(&self) -> Self {
        let (graph, rekeyed_by) = (self.graph.clone(), self.rekeyed_by.clone());
        Self { graph, node: self.node, rekeyed_by, types: self.types }
    }
}

impl<K, V> fmt::Debug for KStream<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KStream({})", self.graph.borrow().graph.node(self.node).name)
    }
}

impl<K, V> KStream<K, V> {
    pub(super) fn new(graph: SharedGraph, node: NodeId) -> Self {
        Self { graph, node, rekeyed_by: None, types: std::marker::PhantomData }
    }

    pub(super) fn then<K2, V2>(&self, node: NodeId, rekeyed: bool) -> KStream<K2, V2> {
        let rekeyed_by =
            if rekeyed { Some(self.graph.borrow().graph.node(node).name.clone()) } else { self.rekeyed_by.clone() };
        KStream { rekeyed_by, ..KStream::new(self.graph.clone(), node) }
    }

    fn add(&self, label: &'static str, build: BuildNode) -> NodeId {
        add_operator(&self.graph, None, label, &[self.node], Vec::new(), build)
    }

    /// Names the last step, for descriptions, errors and counters (`Named.as` in Kafka Streams). By default a step has
    /// the name of its kind and a number. A step with state has the name of its store and needs no other.
    ///
    /// [`StreamsBuilder::build`](crate::StreamsBuilder::build) returns an error if two steps have the same name.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, i64>("orders").filter(|_, cents| *cents > 0).named("paid").to("paid-orders");
    /// let topology = builder.build()?;
    /// assert!(topology.nodes().iter().any(|node| &*node.name == "paid"));
    /// # Ok::<(), tidemill::TopologyError>(())
    /// ```
    pub fn named(self, name: &str) -> Self {
        let name: NodeName = name.into();
        let old = std::mem::replace(&mut self.graph.borrow_mut().graph.nodes[self.node.index()].name, name.clone());
        let rekeyed_by = self.rekeyed_by.clone().map(|by| if by == old { name } else { by });
        Self { rekeyed_by, ..self }
    }
}

impl<K: Data, V: Data> KStream<Option<K>, V> {
    /// Keeps the records that have a key. The key type is then `K` instead of `Option<K>`. Records without a key are
    /// dropped and counted as `null-key`. The partitions stay the same.
    ///
    /// ```
    /// use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    ///
    /// let builder = StreamsBuilder::new();
    /// builder.stream::<Option<String>, String>("clicks").drop_null_keys().group_by_key().count("counts").to_stream().to("out");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let clicks = driver.input::<Option<String>, String>("clicks");
    /// clicks.pipe_all([(Some("ada".into()), "x".into(), 0), (None, "y".into(), 1), (Some("ada".into()), "z".into(), 2)])?;
    /// assert_eq!(driver.output::<String, i64>("out").read_values()?, [1, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn drop_null_keys(&self) -> KStream<K, V> {
        let build: BuildNode = Arc::new(move |assembly, id| {
            let operator = DropNullKeys { next: assembly.next(id, MAIN_PORT)? };
            assembly.input::<Option<K>, V>(id, Rc::new(operator));
            Ok(())
        });
        self.then(self.add("drop-null-keys", build), false)
    }
}

impl<K: Data, V: Data> KStream<K, V> {
    fn map_records<K2: Data, V2: Data>(
        &self,
        label: &'static str,
        rekeyed: bool,
        map: impl Fn(Record<K, V>) -> Record<K2, V2> + Send + Sync + 'static,
    ) -> KStream<K2, V2> {
        let map = Arc::new(map);
        let build: BuildNode = Arc::new(move |assembly, id| {
            let operator = Map { map: map.clone(), next: assembly.next(id, MAIN_PORT)? };
            assembly.input::<K, V>(id, Rc::new(operator));
            Ok(())
        });
        self.then(self.add(label, build), rekeyed)
    }

    /// Turns each record into another key and value (`KStream.map` in Kafka Streams). Timestamp and headers stay.
    ///
    /// The new key may belong to another partition. Call [`KStream::repartition`] before a step that needs the key,
    /// such as a count or a join. Kafka Streams adds that topic itself; here
    /// [`StreamsBuilder::build`](crate::StreamsBuilder::build) returns an error if it is missing, because its name
    /// belongs to the state.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let orders = builder.stream::<u64, String>("orders");
    /// orders.map(|user, item| (item, user)).to("buyers");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("orders").pipe(7, "tea".into(), 5)?;
    /// assert_eq!(driver.output::<String, u64>("buyers").read()?, [("tea".to_owned(), 7, 5)]);
    ///
    /// orders.map(|user, item| (item, user)).group_by_key().count("sold");
    /// assert!(builder.build().unwrap_err().to_string().contains("put .repartition"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map<K2: Data, V2: Data>(&self, map: impl Fn(K, V) -> (K2, V2) + Send + Sync + 'static) -> KStream<K2, V2> {
        self.map_records("map", true, move |record| {
            let (key, value) = map(record.key, record.value);
            Record { key, value, timestamp: record.timestamp, headers: record.headers }
        })
    }

    /// Turns each value into another (`KStream.mapValues` in Kafka Streams). Key, timestamp and headers stay, so no
    /// [`repartition`](Self::repartition) is needed before a later step with state.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let chat = builder.stream::<u64, String>("chat");
    /// chat.map_values(|text| text.len() as i64).to("lengths");
    /// chat.map_values(|text| text.len() as i64).group_by_key().reduce("typed", |all, len| all + len);
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("chat").pipe_all([(1, "hi".into(), 0), (1, "you".into(), 1)])?;
    /// assert_eq!(driver.output::<u64, i64>("lengths").read()?, [(1, 2, 0), (1, 3, 1)]);
    /// assert_eq!(driver.key_value_store::<u64, i64>("typed", 0)?.expect("it runs").get(&1)?, Some(5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_values<V2: Data>(&self, map: impl Fn(V) -> V2 + Send + Sync + 'static) -> KStream<K, V2> {
        self.map_records("map-values", false, move |record| {
            let Record { key, value, timestamp, headers } = record;
            Record { key, value: map(value), timestamp, headers }
        })
    }

    /// As [`map_values`](Self::map_values); the function also sees the key (`KStream.mapValues` with a
    /// `ValueMapperWithKey` in Kafka Streams).
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, String>("chat").map_values_with_key(|user, text| format!("{user}: {text}")).to("lines");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("chat").pipe(7, "hi".into(), 0)?;
    /// assert_eq!(driver.output::<u64, String>("lines").read_values()?, ["7: hi"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_values_with_key<V2: Data>(&self, map: impl Fn(&K, V) -> V2 + Send + Sync + 'static) -> KStream<K, V2> {
        self.map_records("map-values", false, move |record| {
            let Record { key, value, timestamp, headers } = record;
            let value = map(&key, value);
            Record { key, value, timestamp, headers }
        })
    }

    /// Gives each record another key (`KStream.selectKey` in Kafka Streams). The value stays. As after
    /// [`map`](Self::map), a step that needs the key must come after a [`repartition`](Self::repartition).
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let views = builder.stream::<u64, String>("page-views");
    /// views.select_key(|_, page| page.clone()).repartition("by-page").group_by_key().count("views-of-page");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("page-views").pipe_all([(1, "/home".into(), 0), (2, "/home".into(), 1)])?;
    /// let counts = driver.key_value_store::<String, i64>("views-of-page", 0)?.expect("it runs");
    /// assert_eq!(counts.get(&"/home".into())?, Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn select_key<K2: Data>(&self, key: impl Fn(&K, &V) -> K2 + Send + Sync + 'static) -> KStream<K2, V> {
        self.map_records("select-key", true, move |record| {
            let key = key(&record.key, &record.value);
            Record { key, value: record.value, timestamp: record.timestamp, headers: record.headers }
        })
    }

    /// Keeps the records for which `predicate` is true (`KStream.filter` in Kafka Streams). The others are dropped;
    /// they are not counted as dropped records of the task.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, i64>("orders").filter(|_, cents| *cents >= 1_000).to("large");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 0), (2, 1_000, 1)])?;
    /// assert_eq!(driver.output::<u64, i64>("large").read()?, [(2, 1_000, 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filter(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        let predicate = Arc::new(predicate);
        let build: BuildNode = Arc::new(move |assembly, id| {
            let operator = Filter { predicate: predicate.clone(), next: assembly.next(id, MAIN_PORT)? };
            assembly.input::<K, V>(id, Rc::new(operator));
            Ok(())
        });
        self.then(self.add("filter", build), false)
    }

    /// Keeps the records for which `predicate` is false (`KStream.filterNot` in Kafka Streams).
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, String>("chat").filter_not(|_, text| text.contains("http")).to("clean");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("chat").pipe_all([(1, "http://spam".into(), 0), (2, "hi".into(), 1)])?;
    /// assert_eq!(driver.output::<u64, String>("clean").read_values()?, ["hi"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filter_not(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.filter(move |key, value| !predicate(key, value))
    }

    /// Turns each record into any number of records, each with its own key (`KStream.flatMap` in Kafka Streams). All of
    /// them get the timestamp and the headers of the input. As after [`map`](Self::map), a step that needs the key must
    /// come after a [`repartition`](Self::repartition).
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder
    ///     .stream::<u64, String>("chat")
    ///     .flat_map(|user, text| text.split(' ').map(|word| (word.to_owned(), user)).collect::<Vec<_>>())
    ///     .to("said-by");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("chat").pipe(7, "good day".into(), 5)?;
    /// let said = driver.output::<String, u64>("said-by").read()?;
    /// assert_eq!(said, [("good".to_owned(), 7, 5), ("day".to_owned(), 7, 5)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flat_map<K2: Data, V2: Data, I>(&self, map: impl Fn(K, V) -> I + Send + Sync + 'static) -> KStream<K2, V2>
    where
        I: IntoIterator<Item = (K2, V2)> + 'static,
    {
        self.flat_map_records("flat-map", true, map)
    }

    /// Turns each value into any number of values with the same key (`KStream.flatMapValues` in Kafka Streams). The key
    /// stays, so no [`repartition`](Self::repartition) is needed. An `Option` is a collection, too: `None` drops the
    /// record.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, String>("amounts").flat_map_values(|text| text.parse::<i64>().ok()).to("cents");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("amounts").pipe_all([(1, "250".into(), 0), (1, "free".into(), 1)])?;
    /// assert_eq!(driver.output::<u64, i64>("cents").read_values()?, [250]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flat_map_values<V2: Data, I>(&self, map: impl Fn(V) -> I + Send + Sync + 'static) -> KStream<K, V2>
    where
        I: IntoIterator<Item = V2> + 'static,
    {
        self.flat_map_records("flat-map-values", false, move |key: K, value| {
            map(value).into_iter().map(move |value| (key.clone(), value))
        })
    }

    fn flat_map_records<K2: Data, V2: Data, I>(
        &self,
        label: &'static str,
        rekeyed: bool,
        map: impl Fn(K, V) -> I + Send + Sync + 'static,
    ) -> KStream<K2, V2>
    where
        I: IntoIterator<Item = (K2, V2)>,
    {
        let map = Arc::new(map);
        let build: BuildNode = Arc::new(move |assembly, id| {
            let operator = FlatMap { map: map.clone(), next: assembly.next(id, MAIN_PORT)? };
            assembly.input::<K, V>(id, Rc::new(operator));
            Ok(())
        });
        self.then(self.add(label, build), rekeyed)
    }

    /// Calls `look` for each record and passes the record on (`KStream.peek` in Kafka Streams).
    ///
    /// Use it for logs and counters, not for effects that must happen exactly once: the call is no part of the
    /// transaction, so it is repeated if the record is processed again.
    ///
    /// ```
    /// # use std::sync::{Arc, atomic::{AtomicI64, Ordering}};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let seen = Arc::new(AtomicI64::new(0));
    /// let total = seen.clone();
    /// let sum = move |_: &u64, cents: &i64| drop(total.fetch_add(*cents, Ordering::Relaxed));
    /// builder.stream::<u64, i64>("orders").peek(sum).to("copy");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 0), (2, 50, 1)])?;
    /// assert_eq!(seen.load(Ordering::Relaxed), 300);
    /// assert_eq!(driver.output::<u64, i64>("copy").read_values()?, [250, 50]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn peek(&self, look: impl Fn(&K, &V) + Send + Sync + 'static) -> Self {
        let look = Arc::new(look);
        let build: BuildNode = Arc::new(move |assembly, id| {
            let operator = Peek { look: look.clone(), next: assembly.next(id, MAIN_PORT)? };
            assembly.input::<K, V>(id, Rc::new(operator));
            Ok(())
        });
        self.then(self.add("peek", build), false)
    }

    /// Merges both streams (`KStream.merge` in Kafka Streams). The records come in the order in which the task takes
    /// them: if both inputs have records, the record with the lower timestamp comes first. Records are not paired; for
    /// pairs, see [`join_stream`](Self::join_stream).
    ///
    /// Both streams must come from one builder, otherwise [`StreamsBuilder::build`](crate::StreamsBuilder::build)
    /// returns an error.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let (web, app) = (builder.stream::<u64, String>("web"), builder.stream::<u64, String>("app"));
    /// web.merge(&app).to("all");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("web").enqueue(1, "later".into(), 20)?;
    /// driver.input::<u64, String>("app").enqueue(2, "earlier".into(), 10)?;
    /// assert_eq!(driver.output::<u64, String>("all").read_values()?, ["earlier", "later"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn merge(&self, other: &Self) -> Self {
        let build: BuildNode = Arc::new(move |assembly, id| {
            let operator = Merge { next: assembly.next(id, MAIN_PORT)? };
            assembly.input::<K, V>(id, Rc::new(operator));
            Ok(())
        });
        let parents = [self.node, other.node];
        let known = if meets(&self.graph, &other.graph, "merge") { &parents[..] } else { &parents[..1] };
        let node = add_operator(&self.graph, None, "merge", known, Vec::new(), build);
        let mut merged: Self = self.then(node, false);
        merged.rekeyed_by = merged.rekeyed_by.or_else(|| other.rekeyed_by.clone());
        merged
    }

    /// Splits the stream: each record goes to the first branch whose predicate is true (`KStream.split` in Kafka
    /// Streams, KIP-418). The branches come back in the order in which they were declared; Kafka Streams returns them
    /// by name.
    ///
    /// See the example of [`SplitStream`].
    pub fn split(&self) -> SplitStream<K, V> {
        SplitStream::new(self.clone())
    }

    /// Writes the stream to a topic (`KStream.to` in Kafka Streams). The topic must exist.
    ///
    /// A record with a key goes to the partition of its key: murmur2 of the key's bytes, as with Kafka's Java producer.
    /// Records without a key are spread over all partitions. [`Produced::partitioned_by`] chooses otherwise. A value
    /// that its codec encodes as null becomes a tombstone.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, i64>("balances").map_values(|cents| (cents != 0).then_some(cents)).to("open");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("balances").pipe_all([(1, 250, 0), (1, 0, 1)])?;
    /// // The second record is a tombstone of key 1: on a compacted topic, it deletes the key.
    /// assert_eq!(driver.output::<u64, Option<i64>>("open").read_values()?, [Some(250), None]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to(&self, topic: impl Into<Produced<K, V>>) {
        let Produced { topic, key, value, partitioner } = topic.into();
        let target = TopicRef::External(topic.as_str().into());
        let build: BuildNode = Arc::new(move |assembly, id| {
            let (topic, partitions) = assembly.topic(&target);
            let (key, value, partitioner) = (key.clone(), value.clone(), partitioner.clone());
            let keyless = Keyless::new(assembly.task.partition);
            let sink = Sink { topic, partitions, key, value, partitioner, keyless };
            assembly.input::<K, V>(id, Rc::new(RefCell::new(sink)));
            Ok(())
        });
        let parents = vec![Edge { from: self.node, port: MAIN_PORT }];
        self.graph.borrow_mut().add(None, NodeKind::Sink(topic.into()), parents, Vec::new(), build);
    }

    /// Sends the records through a topic that partitions them by their current key (`KStream.repartition` in Kafka
    /// Streams, KIP-221). The application creates the topic `<application id>-<name>-repartition`. It deletes the
    /// topic's records once they are processed.
    ///
    /// The steps before and after the topic are separate subtopologies, with separate tasks. Timestamps and headers
    /// stay.
    ///
    /// If a later operator has an idle time, the topic also carries idle notes: they say how long the tasks above the
    /// topic have been idle. An idle note is a record without key and value that has the header `tidemill.idle`.
    /// Operators do not see idle notes.
    ///
    /// ```
    /// # use tidemill::testing::DriverOptions;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let by_item = builder.stream::<u64, String>("orders").select_key(|_, item| item.clone()).repartition("by-item");
    /// by_item.group_by_key().count("sold").to_stream().to("sold-so-far");
    ///
    /// // Two partitions: the orders of "tea" come from both and meet in one.
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions::default().partitions(2))?;
    /// driver.input::<u64, String>("orders").pipe_all([(1, "tea".into(), 0), (2, "tea".into(), 1)])?;
    /// assert_eq!(driver.output::<String, i64>("sold-so-far").read_values()?, [1, 2]);
    /// assert_eq!(driver.plan().partitions("test-by-item-repartition"), Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn repartition(&self, repartitioned: impl Into<Repartitioned<K, V>>) -> Self {
        let Repartitioned { name, key, value, partitions } = repartitioned.into();
        let name: Arc<str> = name.into();
        let target = TopicRef::Repartition(name.clone());
        let (sink_key, sink_value) = (key.clone(), value.clone());
        let build: BuildNode = Arc::new(move |assembly, id| {
            let (topic, partitions) = assembly.topic(&target);
            let (key, value) = (sink_key.clone(), sink_value.clone());
            let keyless = Keyless::new(assembly.task.partition);
            let sink = Sink { topic, partitions, key, value, partitioner: None, keyless };
            assembly.input::<K, V>(id, Rc::new(RefCell::new(sink)));
            Ok(())
        });
        let parents = vec![Edge { from: self.node, port: MAIN_PORT }];
        let kind = NodeKind::RepartitionSink { name: name.clone(), partitions };
        self.graph.borrow_mut().add(Some(&format!("{name}-sink")), kind, parents, Vec::new(), build);
        let kind = NodeKind::RepartitionSource(name.clone());
        let source = add_source(&self.graph, Some(&format!("{name}-source")), kind, key, value, None);
        Self::new(self.graph.clone(), source)
    }

    /// Declares that the records are partitioned by their current key although an earlier step changed it
    /// (`markAsPartitioned` of KIP-759).
    ///
    /// Use this if the change of the key does not move records to other partitions, for example from a windowed key to
    /// its inner key. If the declaration is wrong, the state of one key is spread over several tasks. Nothing checks
    /// it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::TimeWindows;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// let views = builder.stream::<u64, String>("views").group_by_key().windowed_by(minutes).count("per-minute");
    /// // The user's windows are in the user's partition.
    /// let by_user = views.to_stream().select_key(|windowed, _| windowed.key).mark_as_partitioned();
    /// by_user.group_by_key().reduce("best-minute", i64::max);
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let views = [(1, "/".into(), 0), (1, "/a".into(), 1), (1, "/b".into(), 60_000)];
    /// driver.input::<u64, String>("views").pipe_all(views)?;
    /// assert_eq!(driver.key_value_store::<u64, i64>("best-minute", 0)?.expect("it runs").get(&1)?, Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn mark_as_partitioned(&self) -> Self {
        Self { rekeyed_by: None, ..self.clone() }
    }

    /// Groups the records by their current key, for counts, aggregates and windows (`KStream.groupByKey` in Kafka
    /// Streams). `groupBy` of Kafka Streams is [`select_key`](Self::select_key), [`repartition`](Self::repartition) and
    /// this.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, String>("chat").group_by_key().count("messages-of-user").to_stream().to("counts");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let chat = driver.input::<u64, String>("chat");
    /// chat.pipe_all([(1, "hi".into(), 0), (2, "hello".into(), 1), (1, "bye".into(), 2)])?;
    /// assert_eq!(driver.output::<u64, i64>("counts").read()?, [(1, 1, 0), (2, 1, 1), (1, 2, 2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn group_by_key(&self) -> KGroupedStream<K, V> {
        KGroupedStream::new(self.clone())
    }

    /// Joins each record with the table's current value of its key. Records without a match are dropped (`KStream.join`
    /// with a `KTable` in Kafka Streams).
    ///
    /// Only records of the stream produce results; an update of the table does not. The record sees the table as it is
    /// when the task takes the record. The task takes records of both inputs in the order of their timestamps, as far
    /// as it has them ([`max_task_idle`](crate::StreamsConfig::max_task_idle)). The result has timestamp and headers of
    /// the stream's record. A record without a key is dropped and counted as `null-key`.
    ///
    /// Stream and table must be partitioned by the same key, with the same number of partitions. The table must not be
    /// windowed. [`StreamsBuilder::build`](crate::StreamsBuilder::build) or the start returns an error otherwise.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let names = builder.table::<u64, String>("users", "names");
    /// let orders = builder.stream::<u64, i64>("orders");
    /// orders.join(&names, |_, cents, name| format!("{name} pays {cents}")).to("bills");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let (users, orders) = (driver.input::<u64, String>("users"), driver.input::<u64, i64>("orders"));
    /// orders.pipe(1, 100, 0)?; // Nobody knows user 1 yet.
    /// users.pipe(1, "Ann".into(), 1)?;
    /// orders.pipe(1, 250, 2)?;
    /// assert_eq!(driver.output::<u64, String>("bills").read()?, [(1, "Ann pays 250".to_owned(), 2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join<T: Data, V2: Data>(
        &self,
        table: &KTable<K, T>,
        join: impl Fn(&K, V, T) -> V2 + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        self.join_table(table, "join", move |key, value, found| found.map(|found| join(key, value, found)))
    }

    /// As [`join`](Self::join), but a record without a match is joined with `None` instead of being dropped
    /// (`KStream.leftJoin` with a `KTable` in Kafka Streams). This includes records without a key (KIP-962).
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let names = builder.table::<u64, String>("users", "names");
    /// let name = |_: &u64, cents, name: Option<String>| format!("{} pays {cents}", name.unwrap_or("guest".into()));
    /// builder.stream::<u64, i64>("orders").left_join(&names, name).to("bills");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let (users, orders) = (driver.input::<u64, Option<String>>("users"), driver.input::<u64, i64>("orders"));
    /// users.pipe(1, Some("Ann".into()), 0)?;
    /// orders.pipe(1, 250, 1)?;
    /// users.pipe(1, None, 2)?; // The tombstone deletes user 1.
    /// orders.pipe(1, 50, 3)?;
    /// assert_eq!(driver.output::<u64, String>("bills").read_values()?, ["Ann pays 250", "guest pays 50"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join<T: Data, V2: Data>(
        &self,
        table: &KTable<K, T>,
        join: impl Fn(&K, V, Option<T>) -> V2 + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        self.join_table(table, "left-join", move |key, value, found| Some(join(key, value, found)))
    }

    fn join_table<T: Data, V2: Data>(
        &self,
        table: &KTable<K, T>,
        label: &'static str,
        join: impl Fn(&K, V, Option<T>) -> Option<V2> + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        if !meets(&self.graph, table.graph(), label) {
            return self.then(self.node, false);
        }
        let join = Arc::new(join);
        let (store, key, value) = (table.store.clone(), table.key.clone(), table.value.clone());
        let name = store.clone();
        let build: BuildNode = Arc::new(move |assembly, id| {
            let (key, value, join) = (key.clone(), value.clone(), join.clone());
            let (store, next) = (assembly.key_value_store(&name), assembly.next(id, MAIN_PORT)?);
            let operator = StreamTableJoin { store, key, value, join, next, scratch: Vec::new() };
            assembly.input::<K, V>(id, Rc::new(RefCell::new(operator)));
            Ok(())
        });
        let node = add_operator(&self.graph, None, label, &[self.node], vec![store], build);
        self.require_partitioned_by_key(node);
        let mut draft = self.graph.borrow_mut();
        let graph = &mut draft.graph;
        let name = graph.node(node).name.clone();
        if graph.stores.get(&table.store).is_none_or(|store| store.kind != StoreKind::KeyValue) {
            let problem = format!("'{name}' joins with '{}', which is windowed: join with a plain table", table.store);
            graph.problems.push(problem);
        }
        graph.copartitioned.push((name, vec![self.node, table.node]));
        drop(draft);
        self.then(node, false)
    }

    /// Runs a custom [`Processor`] (`KStream.process` in Kafka Streams, KIP-820). `name` names the step. `stores` names
    /// the stores that the processor uses. `supplier` makes one instance for each task.
    ///
    /// The results count as having a new key: before a later step that needs the key, call
    /// [`repartition`](Self::repartition) or [`mark_as_partitioned`](Self::mark_as_partitioned). If `stores` is not
    /// empty, the input must be partitioned by its key. [`StreamsBuilder::build`](crate::StreamsBuilder::build) returns
    /// an error if a store does not exist.
    ///
    /// ```
    /// # use tidemill::{processor::{Processor, ProcessorContext, Record}, state::BoxError};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// /// Passes on the first message of each user.
    /// struct FirstMessage;
    ///
    /// impl Processor<u64, String, u64, String> for FirstMessage {
    ///     fn process(
    ///         &mut self,
    ///         ctx: &mut ProcessorContext<'_, u64, String>,
    ///         record: Record<u64, String>,
    ///     ) -> Result<(), BoxError> {
    ///         let seen = ctx.key_value_store::<u64, bool>("seen")?;
    ///         if seen.put_if_absent(&record.key, &true, record.timestamp)?.is_none() {
    ///             ctx.forward(record);
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// builder.add_key_value_store::<u64, bool>("seen");
    /// builder.stream::<u64, String>("chat").process("first-message", &["seen"], || FirstMessage).to("greet");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("chat").pipe_all([(1, "hi".into(), 0), (1, "me again".into(), 1)])?;
    /// assert_eq!(driver.output::<u64, String>("greet").read_values()?, ["hi"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn process<K2: Data, V2: Data, P>(
        &self,
        name: &str,
        stores: &[&str],
        supplier: impl Fn() -> P + Send + Sync + 'static,
    ) -> KStream<K2, V2>
    where
        P: Processor<K, V, K2, V2> + 'static,
    {
        let build: BuildNode = Arc::new(move |assembly, id| {
            let next = assembly.next(id, MAIN_PORT)?;
            let (stores, partitions) = (assembly.stores_of(id), assembly.partitions());
            let windows = assembly.unclocked_windows(id);
            let node = Rc::new(RefCell::new(ProcessorNode::new(supplier(), id, next, stores, windows, partitions)));
            assembly.input::<K, V>(id, node.clone());
            assembly.lifecycle(id, node);
            Ok(())
        });
        let stores: Vec<StoreName> = stores.iter().map(|store| (*store).into()).collect();
        let stateful = !stores.is_empty();
        let node = add_operator(&self.graph, Some(name), "process", &[self.node], stores, build);
        if stateful {
            self.require_partitioned_by_key(node);
        }
        self.then(node, true)
    }

    /// Adds a problem if `node` relies on the key but the records are still partitioned by an earlier key.
    pub(super) fn require_partitioned_by_key(&self, node: NodeId) {
        if let Some(by) = &self.rekeyed_by {
            let graph = &mut self.graph.borrow_mut().graph;
            let name = graph.node(node).name.clone();
            graph.problems.push(format!(
                "'{name}' relies on the key, which '{by}' changed after the records were partitioned: \
                 put .repartition(\"a-name\") between them"
            ));
        }
    }
}
