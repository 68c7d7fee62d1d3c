//! Joins of a stream with a global table.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use super::{
    super::{
        GlobalKTable,
        builder::meets,
        joiners::{inner, left, sure},
    },
    KStream,
};
use crate::{
    graph::MAIN_PORT,
    operators::{BuildNode, Failure, GlobalJoin, StoreView, TableStore},
    record::Data,
};

impl<K: Data, V: Data> KStream<K, V> {
    /// Joins each record with a global table's value of the key that `select` returns (`KStream.join` with a
    /// `GlobalKTable` in Kafka Streams). Records without a match are dropped. A record for which `select` returns `None`
    /// has no match; it is counted as `null-key`.
    ///
    /// The stream need not be partitioned by the table's key, so no repartition topic is needed. The result has key,
    /// timestamp and headers of the stream's record. Only records of the stream produce results. They see the table as
    /// it is when they are processed: see [`StreamsBuilder::global_table`](crate::StreamsBuilder::global_table).
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let names = builder.global_table::<u64, String>("users", "names");
    /// let orders = builder.stream::<String, u64>("orders");
    /// orders.join_global(&names, |_, user| Some(*user), |item, _, name| format!("{item} for {name}")).to("labels");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("users").pipe(7, "Ann".into(), 0)?;
    /// driver.input::<String, u64>("orders").pipe_all([("tea".into(), 7, 1), ("jam".into(), 8, 2)])?;
    /// assert_eq!(driver.output::<String, String>("labels").read_values()?, ["tea for Ann"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_global<GK: Data, T: Data, V2: Data>(
        &self,
        table: &GlobalKTable<GK, T>,
        select: impl Fn(&K, &V) -> Option<GK> + Send + Sync + 'static,
        join: impl Fn(&K, V, T) -> V2 + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        self.join_global_table(table, "global-join", select, inner(sure(join)))
    }

    /// As [`join_global`](Self::join_global), but a record without a match is joined with `None` instead of being
    /// dropped (`KStream.leftJoin` with a `GlobalKTable` in Kafka Streams). So is a record for which `select` returns
    /// `None`.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let names = builder.global_table::<u64, String>("users", "names");
    /// let orders = builder.stream::<String, Option<u64>>("orders");
    /// let label = |item: &String, _, name: Option<String>| format!("{item} for {}", name.unwrap_or("a guest".into()));
    /// orders.left_join_global(&names, |_, user| *user, label).to("labels");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("users").pipe(7, "Ann".into(), 0)?;
    /// driver.input::<String, Option<u64>>("orders").pipe_all([("tea".into(), Some(7), 1), ("jam".into(), None, 2)])?;
    /// assert_eq!(driver.output::<String, String>("labels").read_values()?, ["tea for Ann", "jam for a guest"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join_global<GK: Data, T: Data, V2: Data>(
        &self,
        table: &GlobalKTable<GK, T>,
        select: impl Fn(&K, &V) -> Option<GK> + Send + Sync + 'static,
        join: impl Fn(&K, V, Option<T>) -> V2 + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        self.join_global_table(table, LEFT, select, left(sure(join)))
    }

    pub(super) fn join_global_table<GK: Data, T: Data, V2: Data, E: Into<Box<Failure>> + 'static>(
        &self,
        table: &GlobalKTable<GK, T>,
        label: &'static str,
        select: impl Fn(&K, &V) -> Option<GK> + Send + Sync + 'static,
        join: impl Fn(&K, V, Option<T>) -> Result<Option<V2>, E> + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        if !meets(&self.graph, &table.graph, label) {
            return self.then(self.node, false);
        }
        let (select, join, GlobalKTable { store, key, value, .. }) = (Arc::new(select), Arc::new(join), table.clone());
        let build: BuildNode = Arc::new(move |assembly, id| {
            let (key, value, scratch) = (key.clone(), value.clone(), Vec::new());
            let table =
                Box::new(StoreView { store: TableStore::KeyValue(assembly.global_store(&store)), key, value, scratch });
            let (select, join, next) = (select.clone(), join.clone(), assembly.next(id, MAIN_PORT)?);
            let operator = GlobalJoin { table, select, needs_key: label != LEFT, join, next };
            assembly.input::<K, V>(id, Rc::new(RefCell::new(operator)));
            Ok(())
        });
        self.then(self.add(label, build), false)
    }
}

pub(super) const LEFT: &str = "global-left-join";
