//! Joins of a stream with a table.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use tidemill_state::Codec;

use super::{
    super::{
        Joined, KTable, Materialized,
        builder::{add_operator, add_store, meets},
        joiners::{inner, left, sure},
    },
    KStream,
};
use crate::{
    error::TaskError,
    graph::{MAIN_PORT, StoreKind, StoreName},
    operators::{BufferedTableJoin, BuildNode, Failure, StreamTableJoin},
    record::Data,
    value_headers::ValueHeaders,
};

impl<K: Data, V: Data> KStream<K, V> {
    /// Joins each record with the table's current value of its key. Records without a match are dropped (`KStream.join`
    /// with a `KTable` in Kafka Streams).
    ///
    /// Only records of the stream produce results; an update of the table does not. The record sees the table as it is
    /// when the task takes the record. The task takes records of both inputs in the order of their timestamps, as far
    /// as it has them ([`max_task_idle`](crate::StreamsConfig::max_task_idle)). If the table is
    /// [versioned](crate::Materialized::versioned), the record sees the value that was valid at its timestamp. The result has timestamp and headers of
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
        self.join_table(table, "join", None, inner(sure(join)))
    }

    /// As [`join`](Self::join), with a name and, perhaps, a grace period for late updates of the table (`KStream.join` with
    /// a `KTable` and `Joined` in Kafka Streams). See the example of [`Joined::grace_period`].
    pub fn join_with<T: Data, V2: Data>(
        &self,
        table: &KTable<K, T>,
        joined: impl Into<Joined<K, V>>,
        join: impl Fn(&K, V, T) -> V2 + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        self.join_table(table, "join", Some(joined.into()), inner(sure(join)))
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
        self.join_table(table, "left-join", None, left(sure(join)))
    }

    /// As [`left_join`](Self::left_join), with a name and, perhaps, a grace period for late updates of the table
    /// (`KStream.leftJoin` with a `KTable` and `Joined` in Kafka Streams). See the example of [`Joined::idle_after`].
    pub fn left_join_with<T: Data, V2: Data>(
        &self,
        table: &KTable<K, T>,
        joined: impl Into<Joined<K, V>>,
        join: impl Fn(&K, V, Option<T>) -> V2 + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        self.join_table(table, "left-join", Some(joined.into()), left(sure(join)))
    }

    pub(super) fn join_table<T: Data, V2: Data, E: Into<Box<Failure>> + 'static>(
        &self,
        table: &KTable<K, T>,
        label: &'static str,
        joined: Option<Joined<K, V>>,
        join: impl Fn(&K, V, Option<T>) -> Result<Option<V2>, E> + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        if !meets(&self.graph, table.graph(), label) {
            return self.then(self.node, false);
        }
        let (join, view) = (Arc::new(join), table.view.clone());
        let mut stores = view.stores.clone();
        let name = joined.as_ref().map(|joined| joined.name.clone());
        let buffer = joined.and_then(|joined| self.join_buffer(table, &joined));
        let idle = buffer.as_ref().map(|buffer| (buffer.idle_ms, buffer.grace_ms));
        stores.extend(buffer.iter().map(|buffer| buffer.store.clone()));
        let build: BuildNode = Arc::new(move |assembly, id| {
            let (table, key, join) = (view.open_latest(assembly), view.key.clone(), join.clone());
            let operator = StreamTableJoin { table, key, join, next: assembly.next(id, MAIN_PORT)? };
            let Some(Buffer { store, key, value, grace_ms, idle_ms }) = &buffer else {
                assembly.input::<K, V>(id, Rc::new(RefCell::new(operator)));
                return Ok(());
            };
            let (rows, key, value) = (assembly.window_store(store), key.clone(), value.clone());
            let operator = BufferedTableJoin::open(operator, rows, *grace_ms, *idle_ms, key, value)
                .map_err(|source| TaskError::of_store(assembly.task, source))?;
            let operator = Rc::new(RefCell::new(operator));
            assembly.input::<K, V>(id, operator.clone());
            assembly.lifecycle(id, operator);
            Ok(())
        });
        let node = add_operator(&self.graph, name.as_deref(), label, &[self.node], stores, build);
        self.require_partitioned_by_key(node);
        let mut draft = self.graph.borrow_mut();
        let graph = &mut draft.graph;
        if let Some((idle_ms, grace_ms)) = idle {
            graph.note_idle(node, idle_ms, grace_ms);
        }
        let name = graph.node(node).name.clone();
        graph.copartitioned.push((name, vec![self.node, table.node]));
        drop(draft);
        self.then(node, false)
    }

    /// Adds the store of the records that wait, if the join has a grace period.
    fn join_buffer<T: Data>(&self, table: &KTable<K, T>, joined: &Joined<K, V>) -> Option<Buffer<K, V>> {
        let grace_ms = joined.grace_ms?;
        let problem = match table.view.history_ms {
            None => Some("its table is not versioned: use Materialized::versioned".to_owned()),
            Some(history_ms) if history_ms < grace_ms => {
                Some(format!("its table keeps its history for {history_ms} ms: keep it for at least {grace_ms} ms"))
            }
            Some(_) => None,
        };
        if let Some(problem) = problem {
            let problem = format!("'{}' has a grace period of {grace_ms} ms, but {problem}", joined.name);
            self.graph.borrow_mut().graph.problems.push(problem);
        }
        let buffer = joined.buffer();
        let store = add_store(&self.graph, &buffer, StoreKind::Window { retention_ms: grace_ms + 1, by_key: false });
        // An inner join may become a left one, and the other way round.
        self.graph.borrow_mut().graph.describe_store(&store, |format| format.set("operator", "table-join-buffer"));
        let Materialized { key, value, .. } = buffer;
        Some(Buffer { store, key, value, grace_ms, idle_ms: joined.idle_ms })
    }
}

/// Where the records wait for late updates of the table, and how long.
struct Buffer<K, V> {
    store: StoreName,
    key: Arc<dyn Codec<K>>,
    value: Arc<dyn Codec<ValueHeaders<V>>>,
    grace_ms: i64,
    idle_ms: Option<i64>,
}
