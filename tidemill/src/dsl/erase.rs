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
    /// Erases the key of each record from the state of other steps, and answers when all of it is deleted. Kafka
    /// Streams has no such step.
    ///
    /// `name` names the step. `from` names steps with state, or stores. A count, a table, a collected window, a join or
    /// an asynchronous step has the name that the topology gave it; a store of a processor has its own name. Everything
    /// that a step keeps is erased together: rows, open windows, both sides of a join with its unmatched records, times
    /// of keys ([`TimeWindows::event_time_by_key`](crate::TimeWindows::event_time_by_key)), and requests without an
    /// answer.
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
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, String>("chat").group_by_key().count("messages").to_stream().to("counts");
    /// let forget = builder.stream::<u64, ()>("forget").erase("forget-user", &["messages"]);
    /// forget.map_values(|erased| erased.rows as i64).to("forgotten");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let (chat, forget) = (driver.input::<u64, String>("chat"), driver.input::<u64, ()>("forget"));
    /// chat.pipe_all([(1, "hi".into(), 0), (1, "you".into(), 1), (2, "hello".into(), 2)])?;
    /// forget.pipe(1, (), 3)?;
    /// chat.pipe(1, "back again".into(), 4)?;
    /// assert_eq!(driver.output::<u64, i64>("forgotten").read_values()?, [1]);
    /// assert_eq!(driver.output::<u64, i64>("counts").read_values()?, [1, 2, 1, 1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Which partitions
    ///
    /// The stream must be partitioned like the steps that it erases from, with the same number of partitions. Rows of
    /// windowed keys belong to their inner key. Below a [`repartition`](Self::repartition), rows have another key, so
    /// the requests must reach them through a repartition, too:
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let orders = builder.stream::<String, String>("orders");
    /// orders.group_by_key().count("orders-of-user");
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
    /// let orders = [("Ann Lee".into(), "tea".into(), 0), ("Bo".into(), "jam".into(), 1)];
    /// driver.input::<String, String>("orders").pipe_all(orders)?;
    /// driver.input::<String, ()>("forget").pipe("Ann Lee".into(), (), 2)?;
    /// assert_eq!(driver.output::<String, i64>("forgotten").read_values()?, [2]);
    /// let mails = driver.key_value_store::<String, i64>("mails", 0)?.expect("it runs");
    /// assert_eq!(mails.all().read_all()?, [("Bo".to_owned(), 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # In which order
    ///
    /// Tasks take the records of their inputs in the order of event time. A record of the key that has a later time
    /// than the request counts as later, wherever it stands in its topic. If a topic of requests feeds only steps like
    /// this one, it moves neither the task's stream time nor the time of any window.
    ///
    /// # What remains
    ///
    /// - Source topics, repartition topics, results and dead letters are not state. When the answer is there, delete
    ///   their records or write tombstones; or wait for their retention.
    /// - Changelogs get a deletion for each row that the store had. The row itself goes when the log compacts, or when
    ///   Tidemill deletes the head of the changelog that no restore needs. Rows of windows that had expired earlier get
    ///   no deletion, because the store no longer has them. They stay in the changelog until the windows beside them
    ///   have expired and that head is deleted. This takes about one retention of stream time, and only while stream
    ///   time advances.
    /// - `RocksDB` keeps the bytes of deleted rows in its files until it merges them.
    /// - Requests that were sent to executors stay on their topic until they are answered, and the call may still be
    ///   made. Responses stay until the task takes them, a moment later.
    /// - The step does not reach the fields of a processor. Keep data that may have to be erased in a store.
    ///
    /// # Errors
    ///
    /// [`StreamsBuilder::build`](crate::StreamsBuilder::build) returns an error if `from` names no step or store with
    /// state, or if the keys have other codecs than the steps.
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
