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

/// A stream of records. Each record is an event of its own. A clone is cheap; both clones get all records.
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

    /// Names the last step, for descriptions and errors. A step with state has the name of its store.
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

    /// Turns each record into another key and value. Before later stateful steps, call [`KStream::repartition`].
    pub fn map<K2: Data, V2: Data>(&self, map: impl Fn(K, V) -> (K2, V2) + Send + Sync + 'static) -> KStream<K2, V2> {
        self.map_records("map", true, move |record| {
            let (key, value) = map(record.key, record.value);
            Record { key, value, timestamp: record.timestamp, headers: record.headers }
        })
    }

    /// Turns each value into another.
    pub fn map_values<V2: Data>(&self, map: impl Fn(V) -> V2 + Send + Sync + 'static) -> KStream<K, V2> {
        self.map_records("map-values", false, move |record| {
            let Record { key, value, timestamp, headers } = record;
            Record { key, value: map(value), timestamp, headers }
        })
    }

    /// Turns each value into another; the function also sees the key.
    pub fn map_values_with_key<V2: Data>(&self, map: impl Fn(&K, V) -> V2 + Send + Sync + 'static) -> KStream<K, V2> {
        self.map_records("map-values", false, move |record| {
            let Record { key, value, timestamp, headers } = record;
            let value = map(&key, value);
            Record { key, value, timestamp, headers }
        })
    }

    /// Gives each record another key. Before later stateful steps, call [`KStream::repartition`].
    pub fn select_key<K2: Data>(&self, key: impl Fn(&K, &V) -> K2 + Send + Sync + 'static) -> KStream<K2, V> {
        self.map_records("select-key", true, move |record| {
            let key = key(&record.key, &record.value);
            Record { key, value: record.value, timestamp: record.timestamp, headers: record.headers }
        })
    }

    /// Keeps the records for which `predicate` is true.
    pub fn filter(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        let predicate = Arc::new(predicate);
        let build: BuildNode = Arc::new(move |assembly, id| {
            let operator = Filter { predicate: predicate.clone(), next: assembly.next(id, MAIN_PORT)? };
            assembly.input::<K, V>(id, Rc::new(operator));
            Ok(())
        });
        self.then(self.add("filter", build), false)
    }

    /// Keeps the records for which `predicate` is false.
    pub fn filter_not(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.filter(move |key, value| !predicate(key, value))
    }

    /// Turns each record into any number of records. Before later stateful steps, call [`KStream::repartition`].
    pub fn flat_map<K2: Data, V2: Data, I>(&self, map: impl Fn(K, V) -> I + Send + Sync + 'static) -> KStream<K2, V2>
    where
        I: IntoIterator<Item = (K2, V2)> + 'static,
    {
        self.flat_map_records("flat-map", true, map)
    }

    /// Turns each value into any number of values with the same key.
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

    /// Calls `look` for each record. Use it for logs and counters, not for effects that must happen exactly once.
    pub fn peek(&self, look: impl Fn(&K, &V) + Send + Sync + 'static) -> Self {
        let look = Arc::new(look);
        let build: BuildNode = Arc::new(move |assembly, id| {
            let operator = Peek { look: look.clone(), next: assembly.next(id, MAIN_PORT)? };
            assembly.input::<K, V>(id, Rc::new(operator));
            Ok(())
        });
        self.then(self.add("peek", build), false)
    }

    /// Merges both streams. The records come in the order in which the task takes them.
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

    /// Splits the stream: each record goes to the first branch whose predicate is true.
    pub fn split(&self) -> SplitStream<K, V> {
        SplitStream::new(self.clone())
    }

    /// Writes the stream to a topic. A record with a key goes to the partition of its key. Records without a key are
    /// spread over all partitions.
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

    /// Sends the records through a topic that partitions them by their current key.
    ///
    /// If a later operator has an idle time, the topic also carries idle notes: they say how long the tasks above the
    /// topic have been idle. An idle note is a record without key and value that has the header `tidemill.idle`.
    /// Operators do not see idle notes.
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

    /// Declares that the records are partitioned by their current key although an earlier step changed it (KIP-759).
    ///
    /// Use this if the change of the key does not move records to other partitions, for example from a windowed key to
    /// its inner key. If the declaration is wrong, the state of one key is spread over several tasks.
    pub fn mark_as_partitioned(&self) -> Self {
        Self { rekeyed_by: None, ..self.clone() }
    }

    /// Groups the records by their current key, for counts, aggregates and windows.
    pub fn group_by_key(&self) -> KGroupedStream<K, V> {
        KGroupedStream::new(self.clone())
    }

    /// Joins each record with the table's current value of its key. Records without a match are dropped.
    pub fn join<T: Data, V2: Data>(
        &self,
        table: &KTable<K, T>,
        join: impl Fn(&K, V, T) -> V2 + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        self.join_table(table, "join", move |key, value, found| found.map(|found| join(key, value, found)))
    }

    /// Joins each record with the table's current value of its key, or with `None` if the table has no value.
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

    /// Runs a custom processor. `supplier` makes one instance for each task. `stores` names the stores that the
    /// processor uses.
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
