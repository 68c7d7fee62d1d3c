//! Tables that are made of streams.

use std::{rc::Rc, sync::Arc};

use super::{
    super::{KStream, Materialized, builder::add_operator},
    KTable, kept,
};
use crate::{
    graph::MAIN_PORT,
    operators::{BuildNode, DropNullValues, KeepTable, Receive},
    record::Data,
};

impl<K: Data, V: Data> KStream<K, V> {
    /// Turns the stream into a table: each record is an update of its key (`KStream.toTable` in Kafka Streams). A record
    /// without a key is dropped and counted as `null-key`.
    ///
    /// The last value is the one with the highest offset, whatever its timestamp; in a
    /// [versioned](Materialized::versioned) store it is the one with the highest timestamp. After a step that changed the key, a
    /// [`repartition`](Self::repartition) must come first.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, String>("renamed").map_values(|name| name.to_uppercase()).to_table("names");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("renamed").pipe_all([(1, "ann".into(), 0), (1, "anna".into(), 1)])?;
    /// let names = driver.key_value_store::<u64, String>("names", 0)?.expect("it runs");
    /// assert_eq!(names.get(&1)?, Some("ANNA".into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_table(&self, materialized: impl Into<Materialized<K, V>>) -> KTable<K, V> {
        self.keep::<V>(materialized.into())
    }
}

impl<K: Data, V: Data> KStream<K, Option<V>> {
    /// As [`to_table`](Self::to_table), for a stream whose values may be null: a null deletes its key.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, Option<String>>("renamed").to_table_with_tombstones("names").to_stream().to("out");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, Option<String>>("renamed").pipe_all([(1, Some("ann".into()), 0), (1, None, 1)])?;
    /// assert_eq!(driver.output::<u64, Option<String>>("out").read_values()?, [Some("ann".to_owned()), None]);
    /// assert_eq!(driver.key_value_store::<u64, String>("names", 0)?.expect("it runs").get(&1)?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_table_with_tombstones(&self, materialized: impl Into<Materialized<K, V>>) -> KTable<K, V> {
        self.keep::<V>(materialized.into())
    }

    /// Keeps the records that have a value; the value type is then `V` instead of `Option<V>`. The others, such as the
    /// tombstones of [`KTable::to_stream`], are dropped. They are not counted as dropped records of the task.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, Option<i64>>("levels").drop_null_values().map_values(|level| level * 2).to("out");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, Option<i64>>("levels").pipe_all([(1, Some(4), 0), (1, None, 1)])?;
    /// assert_eq!(driver.output::<u64, i64>("out").read_values()?, [8]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn drop_null_values(&self) -> KStream<K, V> {
        let build: BuildNode = Arc::new(move |assembly, id| {
            let operator = DropNullValues { next: assembly.next(id, MAIN_PORT)? };
            assembly.input::<K, Option<V>>(id, Rc::new(operator));
            Ok(())
        });
        self.then(add_operator(&self.graph, None, "drop-null-values", &[self.node], Vec::new(), build), false)
    }
}

impl<K: Data, In: Data> KStream<K, In> {
    fn keep<V: Data>(&self, materialized: Materialized<K, V>) -> KTable<K, V>
    where
        KeepTable<K, V>: Receive<K, In>,
    {
        let (node, table) = kept::<K, V, In>(&self.graph, "to-table", self.node, materialized);
        self.require_partitioned_by_key(node);
        table
    }
}
