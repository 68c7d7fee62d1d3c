//! Joins of two tables by a foreign key.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use bytes::Bytes;
use tidemill_state::{Codec, RawBytes};

use super::{
    super::{
        Materialized, TableJoined,
        builder::{SharedCodec, SharedGraph, add_operator, add_source, add_store, meets},
        joiners::{inner, left, sure},
    },
    KTable, TableView,
};
use crate::{
    graph::{Edge, MAIN_PORT, NodeId, NodeKind, RowKeys, StoreKind, StoreName, TopicRef},
    operators::{
        Answer, AnswerCodec, BuildNode, Failure, ForeignChange, ForeignKeyJoin, Keyless, Merge, Partitioning,
        SUBSCRIPTION_PORT, SUBSCRIPTION_ROW, Sink, SinkTopic, Subscribe, Subscription, SubscriptionCodec,
        Subscriptions,
    },
    record::Data,
    table::Change,
    times::Times,
};

impl<K: Data, V: Data> KTable<K, V> {
    /// Joins each value with the value that another table has for its foreign key (`KTable.join` with a
    /// `foreignKeyExtractor` in Kafka Streams, KIP-213). Many keys may have the same foreign key.
    ///
    /// `foreign_key` takes the key of `other` from key and value. It may return an `Option`: a value without a foreign
    /// key has no result and counts as `null-foreign-key`. Each update of either table updates the result; an update of
    /// `other` updates the results of all keys that refer to it. The result's timestamp is the later one of both values.
    /// A deletion of the left value is emitted at once, with its own timestamp.
    ///
    /// The tables need not be partitioned alike. The join sends subscriptions to the tasks of `other` through the topic
    /// `<application id>-<name>-subscription-registration-repartition`, keeps them in the store
    /// `<name>-subscription-store`, and gets answers through `<application id>-<name>-subscription-response-repartition`.
    /// An answer to a value that the key no longer has is dropped and counted as `outdated`.
    ///
    /// The result has no store. Before a step that needs its values, such as a join or a group, put
    /// [`materialized`](Self::materialized); [`StreamsBuilder::build`](crate::StreamsBuilder::build) returns an error
    /// otherwise. A key that [`KStream::erase`](crate::KStream::erase) erases from `other` also loses its subscriptions.
    /// To end the subscription of a key of this table, delete the key by a tombstone.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// // The value of an order is the number of the user who ordered.
    /// let orders = builder.table::<String, u64>("orders", "user-of-order");
    /// let users = builder.table::<u64, String>("users", "names");
    /// let names = orders.join_foreign_key(&users, "name-of-order", |_, user| *user, |_, _, name| name);
    /// names.to_stream().to("names-of-orders");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<String, u64>("orders").pipe_all([("tea".into(), 1, 0), ("jam".into(), 1, 1)])?;
    /// driver.input::<u64, String>("users").pipe_all([(1, "Ann".into(), 2), (1, "Anna".into(), 3)])?;
    /// let names = driver.output::<String, String>("names-of-orders").read_values()?;
    /// assert_eq!(names, ["Ann", "Ann", "Anna", "Anna"]); // Of both orders, each time.
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_foreign_key<FK: Data, T: Data, V2: Data, R: Into<Option<FK>>>(
        &self,
        other: &KTable<FK, T>,
        joined: impl Into<TableJoined<V, T, FK>>,
        foreign_key: impl Fn(&K, &V) -> R + Send + Sync + 'static,
        join: impl Fn(&K, V, T) -> V2 + Send + Sync + 'static,
    ) -> KTable<K, V2> {
        let foreign_key = move |key: &K, value: &V| foreign_key(key, value).into();
        self.join_by_foreign_key(other, joined.into(), false, foreign_key, inner(sure(join)))
    }

    /// As [`join_foreign_key`](Self::join_foreign_key), but a value without a foreign key, or whose foreign key has no
    /// value in `other`, is joined with `None` (`KTable.leftJoin` with a `foreignKeyExtractor` in Kafka Streams).
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// // Guests have no number.
    /// let orders = builder.table::<String, String>("orders", "user-of-order");
    /// let users = builder.table::<u64, String>("users", "names");
    /// let number = |_: &String, user: &String| user.parse().ok();
    /// let name = |_: &String, _, name: Option<String>| name.unwrap_or("a guest".into());
    /// orders.left_join_foreign_key(&users, "name-of-order", number, name).to_stream().to("names-of-orders");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("users").pipe(1, "Ann".into(), 0)?;
    /// let orders = driver.input::<String, String>("orders");
    /// orders.pipe_all([("tea".into(), "1".into(), 1), ("tea".into(), "guest".into(), 2)])?;
    /// assert_eq!(driver.output::<String, String>("names-of-orders").read_values()?, ["Ann", "a guest"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join_foreign_key<FK: Data, T: Data, V2: Data, R: Into<Option<FK>>>(
        &self,
        other: &KTable<FK, T>,
        joined: impl Into<TableJoined<V, T, FK>>,
        foreign_key: impl Fn(&K, &V) -> R + Send + Sync + 'static,
        join: impl Fn(&K, V, Option<T>) -> V2 + Send + Sync + 'static,
    ) -> KTable<K, V2> {
        let foreign_key = move |key: &K, value: &V| foreign_key(key, value).into();
        self.join_by_foreign_key(other, joined.into(), true, foreign_key, left(sure(join)))
    }

    pub(super) fn join_by_foreign_key<FK: Data, T: Data, V2: Data, E: Into<Box<Failure>> + 'static>(
        &self,
        other: &KTable<FK, T>,
        joined: TableJoined<V, T, FK>,
        keeps_left: bool,
        foreign_key_of: impl Fn(&K, &V) -> Option<FK> + Send + Sync + 'static,
        join: impl Fn(&K, V, Option<T>) -> Result<Option<V2>, E> + Send + Sync + 'static,
    ) -> KTable<K, V2> {
        let graph = &self.graph;
        let name = joined.name.clone();
        // No store can have this name, so a step that asks for the values is a problem of the topology.
        let no_store: StoreName = format!("{name} (a foreign-key join)").into();
        let view = TableView::new(vec![no_store], self.view.key.clone(), |_| unreachable!("the graph was validated"));
        if !meets(graph, &other.graph, "foreign-key join") {
            return KTable::new(graph.clone(), self.node, None, view);
        }
        let join = Arc::new(join);
        let subscribe = self.add_subscribe(other, &joined, keeps_left, foreign_key_of, join.clone());
        let (registration, response): (Arc<str>, Arc<str>) =
            (format!("{name}-subscription-registration").into(), format!("{name}-subscription-response").into());
        let key = other.view.key.clone();
        let edges = [Edge { from: subscribe, port: SUBSCRIPTION_PORT }];
        let is_own = joined.other_partitioner.is_some();
        let partitioning = joined.other_partitioner.clone().map_or(Partitioning::Key, |choose| {
            Partitioning::One(Arc::new(move |key: &FK, _: &Subscription, partitions| choose(key, partitions)))
        });
        add_sink(graph, &registration, &edges, key.clone(), Arc::new(SubscriptionCodec), partitioning);
        let subscriptions = add_internal_source(graph, &registration, key, Arc::new(SubscriptionCodec));
        let answers = other.add_answers(&joined, subscriptions);
        let edges = answers.map(|from| Edge { from, port: MAIN_PORT });
        // The answer goes back to where the key came from, however the left table is partitioned.
        let partitioning = Partitioning::One(Arc::new(|_: &Bytes, answer: &Answer, _| answer.partition));
        add_sink(graph, &response, &edges, Arc::new(RawBytes), Arc::new(AnswerCodec), partitioning);
        let responses = add_internal_source(graph, &response, self.view.key.clone(), Arc::new(AnswerCodec));

        let table = self.view.clone();
        let build: BuildNode = Arc::new(move |assembly, id| {
            let (table, value, other) = (table.open(assembly), joined.value.clone(), joined.other.clone());
            let (join, next) = (join.clone(), assembly.next(id, MAIN_PORT)?);
            let operator = ForeignKeyJoin { table, value, other, join, next };
            assembly.input::<K, Answer>(id, Rc::new(RefCell::new(operator)));
            Ok(())
        });
        let label = if keeps_left { "foreign-key-left-join" } else { "foreign-key-join" };
        let joined = add_operator(graph, None, label, &[responses], self.view.stores.clone(), build);
        let build: BuildNode = Arc::new(move |assembly, id| {
            let operator = Merge { next: assembly.next(id, MAIN_PORT)? };
            assembly.input::<K, Change<V2>>(id, Rc::new(operator));
            Ok(())
        });
        let result = add_operator(graph, None, "foreign-key-result", &[subscribe, joined], Vec::new(), build);

        let draft = &mut graph.borrow_mut().graph;
        draft.send_old_values(self.node);
        draft.foreign_key_joins.insert(result, name.as_str().into());
        draft.foreign_key_answers.insert(responses);
        draft.foreign_key_subscriptions.insert(subscriptions);
        if is_own {
            draft.own_partitioners.insert(subscriptions);
        }
        let (below, above) = (draft.node(subscriptions).name.clone(), draft.node(responses).name.clone());
        draft.copartitioned.push((below, vec![subscriptions, other.node]));
        draft.copartitioned.push((above, vec![responses, self.node]));
        KTable::new(graph.clone(), result, None, view)
    }

    fn add_subscribe<FK: Data, T: Data, V2: Data, E: Into<Box<Failure>> + 'static>(
        &self,
        other: &KTable<FK, T>,
        joined: &TableJoined<V, T, FK>,
        keeps_left: bool,
        foreign_key_of: impl Fn(&K, &V) -> Option<FK> + Send + Sync + 'static,
        join: Arc<impl Fn(&K, V, Option<T>) -> Result<Option<V2>, E> + Send + Sync + 'static>,
    ) -> NodeId {
        let foreign_key_of = Arc::new(foreign_key_of);
        let (key, foreign_key, value) = (self.view.key.clone(), other.view.key.clone(), joined.value.clone());
        let build: BuildNode = Arc::new(move |assembly, id| {
            let join = join.clone();
            let operator = Subscribe {
                foreign_key_of: foreign_key_of.clone(),
                key: key.clone(),
                value: value.clone(),
                foreign_key: foreign_key.clone(),
                join_alone: Arc::new(move |key: &K, value| join(key, value, None).map_err(E::into)),
                keeps_left,
                partition: assembly.task.partition,
                results: assembly.next(id, MAIN_PORT)?,
                subscriptions: assembly.next(id, SUBSCRIPTION_PORT)?,
            };
            assembly.input::<K, Change<V>>(id, Rc::new(RefCell::new(operator)));
            Ok(())
        });
        self.add(None, "foreign-key-subscribe", Vec::new(), build)
    }

    /// Adds the steps that answer subscriptions to this table: when they come, and when a value changes.
    fn add_answers<L>(&self, joined: &TableJoined<L, V, K>, subscriptions: NodeId) -> [NodeId; 2] {
        let (key, value) = (self.view.key.clone(), joined.other.clone());
        let store = format!("{}-subscription-store", joined.name);
        let store = Materialized::with(store, SharedCodec(key.clone()), SubscriptionCodec);
        let store = add_store(&self.graph, &store, StoreKind::KeyValue);
        let rows = RowKeys::of(key.clone()).behind(&[]).by_length(SUBSCRIPTION_ROW);
        self.graph.borrow_mut().graph.set_row_keys(&store, rows);

        let build: BuildNode = Arc::new({
            let (name, view, key, value) = (store.clone(), self.view.clone(), key.clone(), value.clone());
            move |assembly, id| {
                let (store, table) = (assembly.key_value_store(&name), view.open(assembly));
                let (key, value, next) = (key.clone(), value.clone(), assembly.next(id, MAIN_PORT)?);
                let operator = Subscriptions { store, table, key, value, next };
                assembly.input(id, Rc::new(RefCell::new(operator)));
                Ok(())
            }
        });
        let stores = [store.clone()].into_iter().chain(self.view.stores.iter().cloned()).collect();
        let (graph, label) = (&self.graph, "foreign-key-subscriptions");
        let subscribed = add_operator(graph, None, label, &[subscriptions], stores, build);

        let name = store.clone();
        let build: BuildNode = Arc::new(move |assembly, id| {
            let (store, next) = (assembly.key_value_store(&name), assembly.next(id, MAIN_PORT)?);
            let operator = ForeignChange { store, key: key.clone(), value: value.clone(), next };
            assembly.input::<K, Change<V>>(id, Rc::new(RefCell::new(operator)));
            Ok(())
        });
        [subscribed, self.add(None, "foreign-key-change", vec![store], build)]
    }
}

/// Adds the sink of an internal topic of the join.
fn add_sink<K: Data, V: Data>(
    graph: &SharedGraph,
    name: &Arc<str>,
    edges: &[Edge],
    key: Arc<dyn Codec<K>>,
    value: Arc<dyn Codec<V>>,
    partitioning: Partitioning<K, V>,
) {
    let target = TopicRef::Repartition(name.clone());
    let build: BuildNode = Arc::new(move |assembly, id| {
        let (topic, partitions) = assembly.topic(&target);
        let (topic, keyless) = (SinkTopic::One(topic, partitions), Keyless::new(assembly.task.partition));
        let (key, value, partitioning) = (key.clone(), value.clone(), partitioning.clone());
        let limits = assembly.limits(&topic);
        assembly.input::<K, V>(id, Rc::new(RefCell::new(Sink { topic, key, value, partitioning, keyless, limits })));
        Ok(())
    });
    let kind = NodeKind::RepartitionSink { name: name.clone(), partitions: None };
    graph.borrow_mut().add(Some(&format!("{name}-sink")), kind, edges.to_vec(), Vec::new(), build);
}

/// Adds the source of an internal topic of the join.
fn add_internal_source<K: Data, V: Data>(
    graph: &SharedGraph,
    name: &Arc<str>,
    key: Arc<dyn Codec<K>>,
    value: Arc<dyn Codec<V>>,
) -> NodeId {
    let kind = NodeKind::RepartitionSource(name.clone());
    add_source(graph, Some(&format!("{name}-source")), kind, key, value, Times::default())
}
