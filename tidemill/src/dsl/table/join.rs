//! Joins of two tables by their key.

use std::{cell::RefCell, convert::Infallible, rc::Rc, sync::Arc};

use super::{
    super::builder::{add_operator, meets},
    KTable, TableView,
};
use crate::{
    graph::{MAIN_PORT, NodeId},
    operators::{Assembly, BuildNode, Failure, JoinedView, Merge, TableJoin, View},
    record::Data,
    table::Change,
    windows::JoinKind,
};

impl<K: Data, V: Data> KTable<K, V> {
    /// Joins two tables: the result has a value for each key that has a value in both (`KTable.join` in Kafka Streams).
    /// Each update of either table updates the result. Its timestamp is the later one of both values.
    ///
    /// Both tables must be partitioned alike. The result has no store of its own: see
    /// [`materialized`](Self::materialized).
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let (names, cities) = (builder.table::<u64, String>("names", "n"), builder.table::<u64, String>("cities", "c"));
    /// names.join(&cities, |_, name, city| format!("{name} in {city}")).to_stream().to("people");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("names").pipe(1, "Ann".into(), 0)?;
    /// let cities = driver.input::<u64, Option<String>>("cities");
    /// cities.pipe_all([(1, Some("Kyiv".into()), 1), (1, None, 2)])?;
    /// let people = driver.output::<u64, Option<String>>("people").read_values()?;
    /// assert_eq!(people, [Some("Ann in Kyiv".to_owned()), None]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join<T: Data, V2: Data>(
        &self,
        other: &KTable<K, T>,
        join: impl Fn(&K, V, T) -> V2 + Send + Sync + 'static,
    ) -> KTable<K, V2> {
        self.join_with(other, JoinKind::Inner, move |key, left, right| {
            Ok::<_, Infallible>(left.zip(right).map(|(left, right)| join(key, left, right)))
        })
    }

    /// As [`join`](Self::join), but a key without a value in `other` is joined with `None` (`KTable.leftJoin` in Kafka
    /// Streams).
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let (names, cities) = (builder.table::<u64, String>("names", "n"), builder.table::<u64, String>("cities", "c"));
    /// let place = |_: &u64, name, city: Option<String>| format!("{name} in {}", city.unwrap_or("?".into()));
    /// names.left_join(&cities, place).to_stream().to("people");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("names").pipe(1, "Ann".into(), 0)?;
    /// driver.input::<u64, String>("cities").pipe(1, "Kyiv".into(), 1)?;
    /// assert_eq!(driver.output::<u64, String>("people").read_values()?, ["Ann in ?", "Ann in Kyiv"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join<T: Data, V2: Data>(
        &self,
        other: &KTable<K, T>,
        join: impl Fn(&K, V, Option<T>) -> V2 + Send + Sync + 'static,
    ) -> KTable<K, V2> {
        self.join_with(other, JoinKind::Left, move |key, left, right| {
            Ok::<_, Infallible>(left.map(|left| join(key, left, right)))
        })
    }

    /// As [`join`](Self::join), with a value for each key that has a value in at least one table (`KTable.outerJoin` in
    /// Kafka Streams).
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let (now, later) = (builder.table::<u64, i64>("now", "now"), builder.table::<u64, i64>("later", "later"));
    /// now.outer_join(&later, |_, now, later| now.unwrap_or(0) + later.unwrap_or(0)).to_stream().to("sums");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("later").pipe(1, 5, 0)?;
    /// driver.input::<u64, i64>("now").pipe(1, 3, 1)?;
    /// assert_eq!(driver.output::<u64, i64>("sums").read_values()?, [5, 8]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn outer_join<T: Data, V2: Data>(
        &self,
        other: &KTable<K, T>,
        join: impl Fn(&K, Option<V>, Option<T>) -> V2 + Send + Sync + 'static,
    ) -> KTable<K, V2> {
        self.join_with(other, JoinKind::Outer, move |key, left, right| {
            Ok::<_, Infallible>((left.is_some() || right.is_some()).then(|| join(key, left, right)))
        })
    }

    pub(super) fn join_with<T: Data, V2: Data, F, E>(
        &self,
        other: &KTable<K, T>,
        kind: JoinKind,
        join: F,
    ) -> KTable<K, V2>
    where
        E: Into<Box<Failure>> + 'static,
        F: Fn(&K, Option<V>, Option<T>) -> Result<Option<V2>, E> + Send + Sync + 'static,
    {
        let join = Arc::new(join);
        let met = meets(&self.graph, &other.graph, "table join");
        let flipped = {
            let join = join.clone();
            Arc::new(move |key: &K, right: Option<T>, left: Option<V>| join(key, left, right))
        };
        let left = self.join_side(&other.view, kind == JoinKind::Inner, join.clone());
        let right = if met { other.join_side(&self.view, kind != JoinKind::Outer, flipped) } else { left };
        let build: BuildNode = Arc::new(move |assembly, id| {
            let operator = Merge { next: assembly.next(id, MAIN_PORT)? };
            assembly.input::<K, Change<V2>>(id, Rc::new(operator));
            Ok(())
        });
        let sides = [left, right];
        let node = add_operator(&self.graph, None, label(kind), &sides[..if met { 2 } else { 1 }], Vec::new(), build);
        self.note_join(other, kind, node, sides);

        let (left, right) = (self.view.clone(), other.view.clone());
        let stores = left.stores.iter().chain(&right.stores).cloned().collect();
        let open = move |assembly: &Assembly<'_>| -> Box<dyn View<K, V2>> {
            Box::new(JoinedView { left: left.open(assembly), right: right.open(assembly), join: join.clone() })
        };
        KTable::new(self.graph.clone(), node, None, TableView::new(stores, self.view.key.clone(), open))
    }

    /// Adds the step that joins this table's changes with the values of another.
    fn join_side<T: Data, V2: Data, F, E>(&self, other: &TableView<K, T>, needs_other: bool, join: Arc<F>) -> NodeId
    where
        E: Into<Box<Failure>> + 'static,
        F: Fn(&K, Option<V>, Option<T>) -> Result<Option<V2>, E> + Send + Sync + 'static,
    {
        let view = other.clone();
        let build: BuildNode = Arc::new(move |assembly, id| {
            let (other, join, sends_old) = (view.open(assembly), join.clone(), assembly.sends_old(id));
            let operator = TableJoin { other, needs_other, join, sends_old, next: assembly.next(id, MAIN_PORT)? };
            assembly.input::<K, Change<V>>(id, Rc::new(RefCell::new(operator)));
            Ok(())
        });
        self.add(None, "table-join-side", other.stores.clone(), build)
    }

    /// Notes what the join asks of its tables: equal partitions, and old values where a result may end.
    fn note_join<T>(&self, other: &KTable<K, T>, kind: JoinKind, node: NodeId, sides: [NodeId; 2]) {
        let graph = &mut self.graph.borrow_mut().graph;
        graph.copartitioned.push((graph.node(node).name.clone(), vec![self.node, other.node]));
        graph.takes_old_from.insert(node, sides.to_vec());
        graph.takes_old_from.insert(sides[0], vec![self.node]);
        graph.takes_old_from.insert(sides[1], vec![other.node]);
        if kind != JoinKind::Inner {
            graph.send_old_values(self.node);
        }
        if kind == JoinKind::Outer {
            graph.send_old_values(other.node);
        }
    }
}

fn label(kind: JoinKind) -> &'static str {
    match kind {
        JoinKind::Inner => "table-join",
        JoinKind::Left => "table-left-join",
        JoinKind::Outer => "table-outer-join",
    }
}
