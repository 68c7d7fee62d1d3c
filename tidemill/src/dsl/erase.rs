//! Steps that erase keys.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use tidemill_state::{Codec, Coded};

use super::{KStream, builder::add_operator};
use crate::{
    graph::{ERASE, Erasure, MAIN_PORT},
    operators::{BuildNode, Erase, Erased, ErasedStore},
    record::Data,
};

impl<K: Data, V: Data> KStream<K, V> {
    /// Erases the key of each record from the state of other steps, and answers when all of it is deleted.
    ///
    /// `from` names steps with state, or stores. A count, a table, a collected window, a join or an asynchronous step
    /// has the name that the topology gave it; a store of a processor has its own name. Everything that a step keeps is
    /// erased together: rows, open windows, both sides of a join with its unmatched records, times of keys
    /// ([`TimeWindows::event_time_by_key`](crate::TimeWindows::event_time_by_key)), and requests without an answer.
    ///
    /// - **No result of the key follows.** Open windows emit nothing for the key, an unmatched record is not emitted
    ///   alone, and a late answer to a request has no effect. A later record of the key starts as if it were the first.
    /// - **It is part of the task's transaction.** The deletions are in the changelogs, and the answer, [`Erased`], is
    ///   committed with them. A reader with `read_committed` that sees the answer knows that the erasure is done. After
    ///   a crash, the erasure is repeated unless it was committed. With exactly-once there is one answer; with
    ///   at-least-once there may be two.
    /// - **Rows are searched in parts**, over as many turns as needed. Until all rows are deleted, the task takes no
    ///   other record. In a window store, the key is searched in each window. Deletions wait in memory for a commit,
    ///   which may come in between; the answer is committed with the last deletions. If the requests' topic also feeds
    ///   other steps, each request is processed in one turn and one transaction.
    ///
    /// # Which partitions
    ///
    /// The stream must be partitioned like the steps that it erases from, with the same number of partitions. Rows of
    /// windowed keys belong to their inner key. Below a [`repartition`](Self::repartition), rows have another key, so
    /// the requests must reach them through a repartition, too:
    ///
    /// ```
    /// use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    ///
    /// let builder = StreamsBuilder::new();
    /// let orders = builder.stream::<String, String>("orders");
    /// orders.group_by_key().count("orders-of-user").to_stream().to("counts");
    /// // What a user ordered, by the mailbox that the user's name belongs to.
    /// let mailbox = |user: &String| user.replace(' ', ".");
    /// orders.select_key(move |user, _| mailbox(user)).repartition("by-mailbox").group_by_key().count("mails");
    ///
    /// builder
    ///     .stream::<String, ()>("forget")
    ///     .erase("forget-user", &["orders-of-user"])
    ///     .map(move |user, erased| (mailbox(&user), erased.rows as i64))
    ///     .repartition("forget-by-mailbox")
    ///     .erase("forget-mailbox", &["mails"])
    ///     .map_values(|erased| erased.request + erased.rows as i64)
    ///     .to("forgotten");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<String, String>("orders").pipe_all([("Ann Lee".into(), "tea".into(), 0), ("Bo".into(), "jam".into(), 1)])?;
    /// driver.input::<String, ()>("forget").pipe("Ann Lee".into(), (), 2)?;
    /// assert_eq!(driver.output::<String, i64>("forgotten").read_values()?, [2]);
    /// let counts = driver.key_value_store::<String, i64>("orders-of-user", 0)?.expect("it is there");
    /// assert_eq!(counts.all()?, [("Bo".to_owned(), 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # In which order
    ///
    /// Tasks take the records of their inputs in the order of event time. A record of the key with a later time than
    /// the request comes after the erasure, at any offset of its topic. If a topic of requests feeds only steps that
    /// erase, its records move neither the task's stream time nor the time of any window.
    ///
    /// # What remains
    ///
    /// - Source topics, repartition topics, results and dead letters are not state. Delete their records, or write
    ///   tombstones, once the answer is there; or wait for their retention.
    /// - Changelogs have deletions for all rows of the key, also for rows of windows that expired before: a window store
    ///   from which keys are erased leaves a deletion for each row that expires. That costs one changelog record a row.
    ///   The rows themselves go when the log compacts, or when it drops their head because it is dead. Rows that expired
    ///   before the topology had this step have no deletions.
    /// - `RocksDB` keeps the bytes of deleted rows in its files until it merges them.
    /// - Requests that were sent to executors stay on their topic until they are answered, and the call may still be
    ///   made. Responses stay until the task takes them, usually a moment later.
    /// - The fields of a processor are not erased. Keep state that must be erasable in a store.
    pub fn erase(&self, name: &str, from: &[&str]) -> KStream<K, Erased<V>>
    where
        K: Coded,
    {
        self.erase_with(name, K::Codec::default(), from)
    }

    /// As [`erase`](Self::erase), where keys have a codec of their own. It must make the bytes that the steps' codecs
    /// make. If both codecs have a name and the names differ, [`StreamsBuilder::build`](crate::StreamsBuilder::build)
    /// returns an error.
    ///
    /// ```
    /// # use tidemill::{Consumed, Materialized, state::{BigEndian, Json, Unit}};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let key = Json::<u64>::default();
    /// let orders = builder.stream::<u64, i64>(Consumed::with("orders", key, BigEndian));
    /// orders.group_by_key().reduce(Materialized::with("spent", key, BigEndian), |sum, cents| sum + cents);
    /// let forget = builder.stream(Consumed::with("forget", key, Unit)).erase_with("forget-user", key, &["spent"]);
    /// forget.map_values(|erased| erased.rows as i64).to("forgotten");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<String, i64>("orders").pipe("7".into(), 250, 0)?;
    /// driver.input::<String, ()>("forget").pipe("7".into(), (), 1)?;
    /// assert_eq!(driver.output::<u64, i64>("forgotten").read_values()?, [1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn erase_with(&self, name: &str, key: impl Codec<K>, from: &[&str]) -> KStream<K, Erased<V>> {
        let from = from.iter().map(|name| (*name).into()).collect();
        let erasure = Erasure { from, key: key.name() };
        let key: Arc<dyn Codec<K>> = Arc::new(key);
        let build: BuildNode = Arc::new(move |assembly, id| {
            let next = assembly.next(id, MAIN_PORT)?;
            let stores = assembly.erased_stores(id).into_iter().map(ErasedStore::from).collect();
            let operator = Rc::new(RefCell::new(Erase::new(key.clone(), stores, next, assembly.erases_by_pieces(id))));
            assembly.input::<K, V>(id, operator.clone());
            assembly.lifecycle(id, operator);
            Ok(())
        });
        let node = add_operator(&self.graph, Some(name), ERASE, &[self.node], Vec::new(), build);
        self.graph.borrow_mut().graph.erasures.insert(node, erasure);
        self.require_partitioned_by_key(node);
        self.then(node, false)
    }
}
