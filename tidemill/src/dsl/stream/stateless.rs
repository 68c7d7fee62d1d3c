//! Steps without state: map, filter, flat map, peek, merge, split.

use std::{convert::Infallible, rc::Rc, sync::Arc};

use super::{
    super::{
        SplitStream,
        builder::{add_operator, meets},
    },
    KStream,
};
use crate::{
    graph::MAIN_PORT,
    operators::{BuildNode, DropNullKeys, Merge},
    record::{Data, Record},
};

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
    /// Turns each record into another key and value (`KStream.map` in Kafka Streams). Timestamp and headers stay.
    ///
    /// The new key may belong to another partition. Call [`KStream::repartition`] before a step that needs the key,
    /// such as a count or a join. Kafka Streams adds that topic itself; here
    /// [`StreamsBuilder::build`](crate::StreamsBuilder::build) returns an error if it is missing, because its name
    /// belongs to the state.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let orders = builder.stream::<u64, String>("orders");
    /// orders.map(|user, item| (item, user)).to("buyers");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("orders").pipe(7, "tea".into(), 5)?;
    /// assert_eq!(driver.output::<String, u64>("buyers").read()?, [("tea".to_owned(), 7, 5)]);
    ///
    /// orders.map(|user, item| (item, user)).group_by_key().count("sold");
    /// assert!(builder.build().unwrap_err().to_string().contains("put .repartition"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map<K2: Data, V2: Data>(&self, map: impl Fn(K, V) -> (K2, V2) + Send + Sync + 'static) -> KStream<K2, V2> {
        self.map_records("map", true, move |record| {
            let (key, value) = map(record.key, record.value);
            Ok::<_, Infallible>(Record { key, value, timestamp: record.timestamp, headers: record.headers })
        })
    }

    /// Turns each value into another (`KStream.mapValues` in Kafka Streams). Key, timestamp and headers stay, so no
    /// [`repartition`](Self::repartition) is needed before a later step with state.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let chat = builder.stream::<u64, String>("chat");
    /// chat.map_values(|text| text.len() as i64).to("lengths");
    /// chat.map_values(|text| text.len() as i64).group_by_key().reduce("typed", |all, len| all + len);
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("chat").pipe_all([(1, "hi".into(), 0), (1, "you".into(), 1)])?;
    /// assert_eq!(driver.output::<u64, i64>("lengths").read()?, [(1, 2, 0), (1, 3, 1)]);
    /// assert_eq!(driver.key_value_store::<u64, i64>("typed", 0)?.expect("it runs").get(&1)?, Some(5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_values<V2: Data>(&self, map: impl Fn(V) -> V2 + Send + Sync + 'static) -> KStream<K, V2> {
        self.map_records("map-values", false, move |record| {
            let Record { key, value, timestamp, headers } = record;
            Ok::<_, Infallible>(Record { key, value: map(value), timestamp, headers })
        })
    }

    /// As [`map_values`](Self::map_values); the function also sees the key (`KStream.mapValues` with a
    /// `ValueMapperWithKey` in Kafka Streams).
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, String>("chat").map_values_with_key(|user, text| format!("{user}: {text}")).to("lines");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("chat").pipe(7, "hi".into(), 0)?;
    /// assert_eq!(driver.output::<u64, String>("lines").read_values()?, ["7: hi"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_values_with_key<V2: Data>(&self, map: impl Fn(&K, V) -> V2 + Send + Sync + 'static) -> KStream<K, V2> {
        self.map_records("map-values", false, move |record| {
            let Record { key, value, timestamp, headers } = record;
            let value = map(&key, value);
            Ok::<_, Infallible>(Record { key, value, timestamp, headers })
        })
    }

    /// Gives each record another key (`KStream.selectKey` in Kafka Streams). The value stays. As after
    /// [`map`](Self::map), a step that needs the key must come after a [`repartition`](Self::repartition).
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let views = builder.stream::<u64, String>("page-views");
    /// views.select_key(|_, page| page.clone()).repartition("by-page").group_by_key().count("views-of-page");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("page-views").pipe_all([(1, "/home".into(), 0), (2, "/home".into(), 1)])?;
    /// let counts = driver.key_value_store::<String, i64>("views-of-page", 0)?.expect("it runs");
    /// assert_eq!(counts.get(&"/home".into())?, Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn select_key<K2: Data>(&self, key: impl Fn(&K, &V) -> K2 + Send + Sync + 'static) -> KStream<K2, V> {
        self.map_records("select-key", true, move |record| {
            let key = key(&record.key, &record.value);
            Ok::<_, Infallible>(Record {
                key,
                value: record.value,
                timestamp: record.timestamp,
                headers: record.headers,
            })
        })
    }

    /// Keeps the records for which `predicate` is true (`KStream.filter` in Kafka Streams). The others are dropped;
    /// they are not counted as dropped records of the task.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, i64>("orders").filter(|_, cents| *cents >= 1_000).to("large");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 0), (2, 1_000, 1)])?;
    /// assert_eq!(driver.output::<u64, i64>("large").read()?, [(2, 1_000, 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filter(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.filter_records("filter", move |key, value| Ok::<_, Infallible>(predicate(key, value)))
    }

    /// Keeps the records for which `predicate` is false (`KStream.filterNot` in Kafka Streams).
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, String>("chat").filter_not(|_, text| text.contains("http")).to("clean");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("chat").pipe_all([(1, "http://spam".into(), 0), (2, "hi".into(), 1)])?;
    /// assert_eq!(driver.output::<u64, String>("clean").read_values()?, ["hi"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filter_not(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.filter(move |key, value| !predicate(key, value))
    }

    /// Turns each record into any number of records, each with its own key (`KStream.flatMap` in Kafka Streams). All of
    /// them get the timestamp and the headers of the input. As after [`map`](Self::map), a step that needs the key must
    /// come after a [`repartition`](Self::repartition).
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder
    ///     .stream::<u64, String>("chat")
    ///     .flat_map(|user, text| text.split(' ').map(|word| (word.to_owned(), user)).collect::<Vec<_>>())
    ///     .to("said-by");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("chat").pipe(7, "good day".into(), 5)?;
    /// let said = driver.output::<String, u64>("said-by").read()?;
    /// assert_eq!(said, [("good".to_owned(), 7, 5), ("day".to_owned(), 7, 5)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flat_map<K2: Data, V2: Data, I>(&self, map: impl Fn(K, V) -> I + Send + Sync + 'static) -> KStream<K2, V2>
    where
        I: IntoIterator<Item = (K2, V2)> + 'static,
    {
        self.flat_map_records("flat-map", true, move |key, value| Ok::<_, Infallible>(map(key, value)))
    }

    /// Turns each value into any number of values with the same key (`KStream.flatMapValues` in Kafka Streams). The key
    /// stays, so no [`repartition`](Self::repartition) is needed. An `Option` is a collection, too: `None` drops the
    /// record.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, String>("amounts").flat_map_values(|text| text.parse::<i64>().ok()).to("cents");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("amounts").pipe_all([(1, "250".into(), 0), (1, "free".into(), 1)])?;
    /// assert_eq!(driver.output::<u64, i64>("cents").read_values()?, [250]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flat_map_values<V2: Data, I>(&self, map: impl Fn(V) -> I + Send + Sync + 'static) -> KStream<K, V2>
    where
        I: IntoIterator<Item = V2> + 'static,
    {
        self.flat_map_records("flat-map-values", false, move |key: K, value| {
            Ok::<_, Infallible>(map(value).into_iter().map(move |value| (key.clone(), value)))
        })
    }

    /// Calls `look` for each record and passes the record on (`KStream.peek` in Kafka Streams).
    ///
    /// Use it for logs and counters, not for effects that must happen exactly once: the call is no part of the
    /// transaction, so it is repeated if the record is processed again.
    ///
    /// ```
    /// # use std::sync::{Arc, atomic::{AtomicI64, Ordering}};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let seen = Arc::new(AtomicI64::new(0));
    /// let total = seen.clone();
    /// let sum = move |_: &u64, cents: &i64| drop(total.fetch_add(*cents, Ordering::Relaxed));
    /// builder.stream::<u64, i64>("orders").peek(sum).to("copy");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 0), (2, 50, 1)])?;
    /// assert_eq!(seen.load(Ordering::Relaxed), 300);
    /// assert_eq!(driver.output::<u64, i64>("copy").read_values()?, [250, 50]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn peek(&self, look: impl Fn(&K, &V) + Send + Sync + 'static) -> Self {
        self.peek_records("peek", move |key, value| {
            look(key, value);
            Ok::<_, Infallible>(())
        })
    }

    /// Merges both streams (`KStream.merge` in Kafka Streams). The records come in the order in which the task takes
    /// them: if both inputs have records, the record with the lower timestamp comes first. Records are not paired; for
    /// pairs, see [`join_stream`](Self::join_stream).
    ///
    /// Both streams must come from one builder, otherwise [`StreamsBuilder::build`](crate::StreamsBuilder::build)
    /// returns an error.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let (web, app) = (builder.stream::<u64, String>("web"), builder.stream::<u64, String>("app"));
    /// web.merge(&app).to("all");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("web").enqueue(1, "later".into(), 20)?;
    /// driver.input::<u64, String>("app").enqueue(2, "earlier".into(), 10)?;
    /// assert_eq!(driver.output::<u64, String>("all").read_values()?, ["earlier", "later"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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

    /// Merges this stream with others that begin as it does.
    pub(in crate::dsl) fn merge_all(&self, others: &[Self]) -> Self {
        let build: BuildNode = Arc::new(move |assembly, id| {
            let operator = Merge { next: assembly.next(id, MAIN_PORT)? };
            assembly.input::<K, V>(id, Rc::new(operator));
            Ok(())
        });
        let parents: Vec<_> = std::iter::once(self).chain(others).map(|stream| stream.node).collect();
        self.then(add_operator(&self.graph, None, "merge", &parents, Vec::new(), build), false)
    }

    /// Splits the stream: each record goes to the first branch whose predicate is true (`KStream.split` in Kafka
    /// Streams, KIP-418). The branches come back in the order in which they were declared; Kafka Streams returns them
    /// by name.
    ///
    /// See the example of [`SplitStream`].
    pub fn split(&self) -> SplitStream<K, V> {
        SplitStream::new(self.clone())
    }
}
