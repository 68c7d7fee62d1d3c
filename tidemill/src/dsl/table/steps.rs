//! Steps of one table.

use std::{convert::Infallible, rc::Rc, sync::Arc};

use super::{
    super::{KGroupedTable, KStream, Materialized, Repartitioned, builder::SharedCodec, repartitioned::RepartitionBy},
    KTable, TableView, kept,
};
use crate::{
    graph::MAIN_PORT,
    operators::{Assembly, BuildNode, Failure, GroupTable, MappedView, TableMap, ToStream, View},
    record::Data,
    table::{Change, ChangeCodec},
};

impl<K: Data, V: Data> KTable<K, V> {
    /// The table's updates as a stream (`KTable.toStream` in Kafka Streams). A tombstone is `None`: it says that the key
    /// has no value any more. [`KStream::drop_null_values`] leaves tombstones out.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let names = builder.table::<u64, String>("users", "names").to_stream();
    /// names.to("changes");
    /// names.drop_null_values().to("renamed");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let users = driver.input::<u64, Option<String>>("users");
    /// users.pipe_all([(1, Some("Ann".into()), 0), (1, Some("Anna".into()), 1), (1, None, 2)])?;
    /// let changes = driver.output::<u64, Option<String>>("changes").read_values()?;
    /// assert_eq!(changes, [Some("Ann".into()), Some("Anna".into()), None]);
    /// assert_eq!(driver.output::<u64, String>("renamed").read_values()?, ["Ann", "Anna"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_stream(&self) -> KStream<K, Option<V>> {
        let build: BuildNode = Arc::new(move |assembly, id| {
            let operator = ToStream { next: assembly.next(id, MAIN_PORT)? };
            assembly.input::<K, Change<V>>(id, Rc::new(operator));
            Ok(())
        });
        KStream::new(self.graph.clone(), self.add(None, "to-stream", Vec::new(), build))
    }

    /// Keeps the keys whose value makes `predicate` true (`KTable.filter` in Kafka Streams). A key whose value makes it
    /// false has no value: the table emits a tombstone if the key had one before.
    ///
    /// The result has no store of its own: a join computes its values from this table. [`materialized`](Self::materialized)
    /// adds a store.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let stock = builder.table::<String, i64>("stock", "stock");
    /// stock.filter(|_, number| *number > 0).to_stream().to("available");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<String, i64>("stock").pipe_all([("tea".into(), 2, 0), ("tea".into(), 0, 1)])?;
    /// assert_eq!(driver.output::<String, Option<i64>>("available").read_values()?, [Some(2), None]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filter(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> KTable<K, V> {
        self.derived("table-filter", true, move |key, value| {
            Ok::<_, Infallible>(predicate(key, &value).then_some(value))
        })
    }

    /// Keeps the keys whose value makes `predicate` false (`KTable.filterNot` in Kafka Streams). See
    /// [`filter`](Self::filter).
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let stock = builder.table::<String, i64>("stock", "stock");
    /// stock.filter_not(|_, number| *number > 0).to_stream().to("missing");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<String, i64>("stock").pipe_all([("tea".into(), 0, 0), ("tea".into(), 5, 1)])?;
    /// assert_eq!(driver.output::<String, Option<i64>>("missing").read_values()?, [Some(0), None]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filter_not(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> KTable<K, V> {
        self.filter(move |key, value| !predicate(key, value))
    }

    /// Turns each value into another (`KTable.mapValues` in Kafka Streams). Tombstones stay tombstones. The result has
    /// no store of its own, as after [`filter`](Self::filter).
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let euros = builder.table::<String, i64>("cents", "cents").map_values(|cents| cents / 100);
    /// builder.stream::<String, i64>("ordered").join(&euros, |_, number, euros| number * euros).to("costs");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<String, i64>("cents").pipe("tea".into(), 300, 0)?;
    /// driver.input::<String, i64>("ordered").pipe("tea".into(), 2, 1)?;
    /// assert_eq!(driver.output::<String, i64>("costs").read_values()?, [6]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_values<V2: Data>(&self, map: impl Fn(V) -> V2 + Send + Sync + 'static) -> KTable<K, V2> {
        self.derived("table-map-values", false, move |_, value| Ok::<_, Infallible>(Some(map(value))))
    }

    /// As [`map_values`](Self::map_values); the function also sees the key (`KTable.mapValues` with a
    /// `ValueMapperWithKey` in Kafka Streams).
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let users = builder.table::<u64, String>("users", "names");
    /// users.map_values_with_key(|id, name| format!("{name} ({id})")).to_stream().to("labels");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("users").pipe(7, "Ann".into(), 0)?;
    /// assert_eq!(driver.output::<u64, String>("labels").read_values()?, ["Ann (7)"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_values_with_key<V2: Data>(&self, map: impl Fn(&K, V) -> V2 + Send + Sync + 'static) -> KTable<K, V2> {
        self.derived("table-map-values", false, move |key, value| Ok::<_, Infallible>(Some(map(key, value))))
    }

    pub(super) fn derived<V2: Data, E: Into<Box<Failure>> + 'static>(
        &self,
        label: &'static str,
        filters: bool,
        map: impl Fn(&K, V) -> Result<Option<V2>, E> + Send + Sync + 'static,
    ) -> KTable<K, V2> {
        let (map, above) = (Arc::new(map), self.view.clone());
        // A version that came late says nothing of what the key has now, so a versioned table skips nothing.
        let is_versioned = self.view.history_ms.is_some();
        let skips_nothing = filters && !is_versioned && self.graph.borrow().graph.can_send_old_values(self.node);
        let build: BuildNode = Arc::new({
            let map = map.clone();
            move |assembly, id| {
                let (skips_nothing, next) = (assembly.skips_nothing(id), assembly.next(id, MAIN_PORT)?);
                let operator = TableMap { map: map.clone(), skips_nothing, next };
                assembly.input::<K, Change<V>>(id, Rc::new(operator));
                Ok(())
            }
        });
        let node = self.add(None, label, Vec::new(), build);
        let graph = &mut self.graph.borrow_mut().graph;
        graph.takes_old_from.insert(node, vec![self.node]);
        if skips_nothing {
            graph.send_old_values(node);
            graph.skips_nothing.insert(node, true);
        }
        let open = move |assembly: &Assembly<'_>| -> Box<dyn View<K, V2>> {
            Box::new(MappedView { of: above.open(assembly), map: map.clone() })
        };
        let view = TableView::new(self.view.stores.clone(), self.view.key.clone(), open);
        KTable::new(self.graph.clone(), node, None, view.with_history(self.view.history_ms))
    }

    /// Keeps the table's values in a store of its own, so that they can be queried and need not be computed again
    /// (`Materialized.as` of a step in Kafka Streams).
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let stock = builder.table::<String, i64>("stock", "stock");
    /// stock.filter(|_, number| *number > 0).materialized("available");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<String, i64>("stock").pipe_all([("tea".into(), 2, 0), ("rum".into(), 0, 1)])?;
    /// let available = driver.key_value_store::<String, i64>("available", 0)?.expect("it runs");
    /// assert_eq!((available.get(&"tea".into())?, available.get(&"rum".into())?), (Some(2), None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn materialized(&self, materialized: impl Into<Materialized<K, V>>) -> KTable<K, V> {
        kept::<K, V, Change<V>>(&self.graph, "materialized", self.node, materialized.into()).1
    }

    /// Groups the table's values by another key, for a count, reduce or aggregate (`KTable.groupBy` in Kafka Streams).
    /// When a key's value changes, the value before is taken away from its group and the new value is added to its own.
    ///
    /// The groups pass through a repartition topic; `repartitioned` names it and may set codecs. A null key or value that
    /// `map` returns belongs to no group.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let homes = builder.table::<u64, String>("homes", "city-of-user");
    /// homes.group_by("by-city", |user, city| (city, *user)).count("inhabitants").to_stream().to("counts");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let homes = driver.input::<u64, String>("homes");
    /// homes.pipe_all([(1, "Kyiv".into(), 0), (2, "Kyiv".into(), 1), (1, "Lviv".into(), 2)])?;
    /// let counts = driver.output::<String, i64>("counts").read()?;
    /// let kyiv = |count, at| ("Kyiv".to_owned(), count, at);
    /// assert_eq!(counts, [kyiv(1, 0), kyiv(2, 1), kyiv(1, 2), ("Lviv".to_owned(), 1, 2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn group_by<K2: Data, V2: Data>(
        &self,
        repartitioned: impl Into<Repartitioned<K2, V2>>,
        map: impl Fn(&K, V) -> (K2, V2) + Send + Sync + 'static,
    ) -> KGroupedTable<K2, V2> {
        self.grouped("table-group-by", repartitioned.into(), move |key, value| Ok::<_, Infallible>(map(key, value)))
    }

    pub(super) fn grouped<K2: Data, V2: Data, E: Into<Box<Failure>> + 'static>(
        &self,
        label: &'static str,
        repartitioned: Repartitioned<K2, V2>,
        map: impl Fn(&K, V) -> Result<(K2, V2), E> + Send + Sync + 'static,
    ) -> KGroupedTable<K2, V2> {
        let Repartitioned { name, key, value, partitions, partitioner } = repartitioned;
        let map = Arc::new(map);
        let build: BuildNode = Arc::new({
            let (key, value) = (key.clone(), value.clone());
            move |assembly, id| {
                let (map, key, value) = (map.clone(), key.clone(), value.clone());
                let operator = GroupTable { map, key, value, next: assembly.next(id, MAIN_PORT)? };
                assembly.input::<K, Change<V>>(id, Rc::new(operator));
                Ok(())
            }
        });
        let node = self.add(None, label, Vec::new(), build);
        self.graph.borrow_mut().graph.send_old_values(self.node);
        let value = Arc::new(ChangeCodec(SharedCodec(value)));
        let partitioner = partitioner.and_then(|by| match by {
            RepartitionBy::Key(choose) => Some(RepartitionBy::Key(choose)),
            RepartitionBy::Record(_) => {
                self.graph.borrow_mut().graph.problems.push(format!(
                    "repartition topic '{name}' holds groups of a table, so its partitioner must choose by the key alone: \
                     use Repartitioned::partitioned_by_key"
                ));
                None
            }
        });
        let regrouped = Repartitioned { name, key, value, partitions, partitioner };
        KGroupedTable::new(KStream::new(self.graph.clone(), node).repartition(regrouped))
    }
}
