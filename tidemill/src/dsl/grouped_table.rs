//! Count, reduce and aggregate over a grouped table.

use std::convert::Infallible;

use super::{KGroupedStream, KStream, KTable, Materialized};
use crate::{
    operators::{Failure, Folded},
    record::Data,
    table::Change,
};

/// A table whose values are grouped by another key (`KGroupedTable` in Kafka Streams). [`KTable::group_by`] returns it.
///
/// Each update of the table takes the value before away from its group and adds the new value. So every aggregate needs
/// two functions: one that adds, one that takes away. A group that was emptied keeps its row, for example a count of 0;
/// with an aggregate of type `Option<A>`, a function that sets `None` deletes the row and emits a tombstone.
///
/// ```
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// let sold = builder.table::<u64, (String, i64)>("orders", "orders");
/// let by_item = sold.group_by("by-item", |_, (item, cents)| (item, cents));
/// by_item.reduce("turnover", |all, cents| all + cents, |all, cents| all - cents).to_stream().to("turnovers");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// let tea = |cents| Some(("tea".to_owned(), cents));
/// let orders = driver.input::<u64, Option<(String, i64)>>("orders");
/// orders.pipe_all([(1, tea(300), 0), (2, tea(200), 1), (2, tea(250), 2), (1, None, 3)])?;
/// assert_eq!(driver.output::<String, i64>("turnovers").read_values()?, [300, 500, 550, 250]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct KGroupedTable<K, V> {
    changes: KStream<K, Change<V>>,
}

impl<K: Data, V: Data> KGroupedTable<K, V> {
    pub(super) fn new(changes: KStream<K, Change<V>>) -> Self {
        Self { changes }
    }

    /// The number of keys in each group (`KGroupedTable.count` in Kafka Streams). See the example of
    /// [`KTable::group_by`].
    pub fn count(&self, materialized: impl Into<Materialized<K, i64>>) -> KTable<K, i64> {
        self.fold("table-count", materialized, |_, change, count| {
            if let (Some(_), Some(count)) = (&change.old, count.as_mut()) {
                *count -= 1;
            }
            if change.new.is_some() {
                *count.get_or_insert(0) += 1;
            }
        })
    }

    /// Combines the values of each group (`KGroupedTable.reduce` in Kafka Streams). `adder` gets the result so far and a
    /// new value, `subtractor` the result so far and a value that left the group. The first value of a group is its
    /// first result. See the example of [`KGroupedTable`].
    pub fn reduce(
        &self,
        materialized: impl Into<Materialized<K, V>>,
        adder: impl Fn(V, V) -> V + Send + Sync + 'static,
        subtractor: impl Fn(V, V) -> V + Send + Sync + 'static,
    ) -> KTable<K, V> {
        let add = move |all, value| Ok::<_, Infallible>(adder(all, value));
        self.reduce_by("table-reduce", materialized.into(), add, move |all, value| Ok(subtractor(all, value)))
    }

    /// Folds the values of each group into an aggregate (`KGroupedTable.aggregate` in Kafka Streams). `adder` adds a new
    /// value, `subtractor` takes away a value that left the group.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let homes = builder.table::<String, String>("homes", "city-of-user");
    /// homes.group_by("by-city", |user, city| (city, user.clone())).aggregate(
    ///     "people",
    ///     Vec::<String>::new,
    ///     |_, user, people| people.push(user),
    ///     |_, user, people| people.retain(|other| *other != user),
    /// );
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let homes = driver.input::<String, String>("homes");
    /// let home = |user: &str, city: &str, at| (user.to_owned(), city.to_owned(), at);
    /// homes.pipe_all([home("ann", "Kyiv", 0), home("bo", "Kyiv", 1), home("ann", "Lviv", 2)])?;
    /// let people = driver.key_value_store::<String, Vec<String>>("people", 0)?.expect("it runs");
    /// assert_eq!(people.get(&"Kyiv".into())?, Some(vec!["bo".to_owned()]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn aggregate<A: Data>(
        &self,
        materialized: impl Into<Materialized<K, A>>,
        initializer: impl Fn() -> A + Send + Sync + 'static,
        adder: impl Fn(&K, V, &mut A) + Send + Sync + 'static,
        subtractor: impl Fn(&K, V, &mut A) + Send + Sync + 'static,
    ) -> KTable<K, A> {
        let add = move |key: &K, value, aggregate: &mut A| {
            adder(key, value, aggregate);
            Ok::<_, Infallible>(())
        };
        let subtract = move |key: &K, value, aggregate: &mut A| {
            subtractor(key, value, aggregate);
            Ok(())
        };
        self.aggregate_by("table-aggregate", materialized.into(), initializer, add, subtract)
    }

    pub(super) fn reduce_by<E: Into<Box<Failure>> + 'static>(
        &self,
        label: &'static str,
        materialized: Materialized<K, V>,
        adder: impl Fn(V, V) -> Result<V, E> + Send + Sync + 'static,
        subtractor: impl Fn(V, V) -> Result<V, E> + Send + Sync + 'static,
    ) -> KTable<K, V> {
        self.fold(label, materialized, move |_, change, slot| -> Result<(), E> {
            if let Some(old) = change.old {
                *slot = slot.take().map(|all| subtractor(all, old)).transpose()?;
            }
            if let Some(new) = change.new {
                *slot = Some(match slot.take() {
                    Some(all) => adder(all, new)?,
                    None => new,
                });
            }
            Ok(())
        })
    }

    pub(super) fn aggregate_by<A: Data, E: Into<Box<Failure>> + 'static>(
        &self,
        label: &'static str,
        materialized: Materialized<K, A>,
        initializer: impl Fn() -> A + Send + Sync + 'static,
        adder: impl Fn(&K, V, &mut A) -> Result<(), E> + Send + Sync + 'static,
        subtractor: impl Fn(&K, V, &mut A) -> Result<(), E> + Send + Sync + 'static,
    ) -> KTable<K, A> {
        self.fold(label, materialized, move |key, change, slot| -> Result<(), E> {
            if let (Some(old), Some(aggregate)) = (change.old, slot.as_mut()) {
                subtractor(key, old, aggregate)?;
            }
            match change.new {
                Some(new) => adder(key, new, slot.get_or_insert_with(&initializer)),
                None => Ok(()),
            }
        })
    }

    fn fold<A: Data, R: Folded + 'static>(
        &self,
        label: &'static str,
        materialized: impl Into<Materialized<K, A>>,
        fold: impl Fn(&K, Change<V>, &mut Option<A>) -> R + Send + Sync + 'static,
    ) -> KTable<K, A> {
        KGroupedStream::new(self.changes.clone()).fold(label, materialized, fold)
    }
}
