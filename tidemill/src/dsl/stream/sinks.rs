//! Steps that write topics.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use super::{
    super::{Produced, Repartitioned, builder::add_source, repartitioned::RepartitionBy},
    KStream,
};
use crate::{
    graph::{Edge, MAIN_PORT, NodeKind, TopicRef},
    operators::{Assembly, BuildNode, Keyless, Partitioner, Partitioning, Sink, SinkTopic, TopicChoice, TopicChooser},
    record::{Data, Record},
    times::Times,
    transport::Topic,
};

impl<K: Data, V: Data> KStream<K, V> {
    /// Writes the stream to a topic (`KStream.to` in Kafka Streams). The topic must exist.
    ///
    /// A record with a key goes to the partition of its key: murmur2 of the key's bytes, as with Kafka's Java producer.
    /// Records without a key are spread over all partitions. [`Produced::partitioned_by`] chooses otherwise. A value
    /// that its codec encodes as null becomes a tombstone.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, i64>("balances").map_values(|cents| (cents != 0).then_some(cents)).to("open");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("balances").pipe_all([(1, 250, 0), (1, 0, 1)])?;
    /// // The second record is a tombstone of key 1: on a compacted topic, it deletes the key.
    /// assert_eq!(driver.output::<u64, Option<i64>>("open").read_values()?, [Some(250), None]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to(&self, topic: impl Into<Produced<K, V>>) {
        let produced = topic.into();
        let [topic] = &*produced.topics else {
            let problem = "`to` writes one topic: to choose among several by record, use `to_by`".to_owned();
            self.graph.borrow_mut().graph.problems.push(problem);
            return;
        };
        let topic: Topic = topic.as_str().into();
        self.add_sink(NodeKind::Sink(topic.clone()), produced, move |assembly| {
            let (topic, partitions) = assembly.topic(&TopicRef::External(topic.clone()));
            SinkTopic::One(topic, partitions)
        });
    }

    /// Writes each record to the topic that it chooses (`KStream.to` with a `TopicNameExtractor` in Kafka Streams).
    /// `topics` declares the topics to choose from; they must exist when the application starts.
    /// [`Produced::any_topic`] declares none.
    ///
    /// A topic that is not declared, or that does not exist, is an error for the
    /// [`processing_handler`](crate::StreamsConfig::processing_handler), as every error of a step: the task fails, or
    /// the record is left out, or it goes to a dead-letter topic. In Kafka Streams an unknown topic stops the thread
    /// after a timeout.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let orders = builder.stream::<u64, i64>("orders");
    /// orders.to_by(["small", "large"], |order| if order.value < 1_000 { "small" } else { "large" });
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 0), (2, 9_000, 1)])?;
    /// assert_eq!(driver.output::<u64, i64>("small").read()?, [(1, 250, 0)]);
    /// assert_eq!(driver.output::<u64, i64>("large").read()?, [(2, 9_000, 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_by<T: Into<String>>(
        &self,
        topics: impl Into<Produced<K, V>>,
        choose: impl Fn(&Record<K, V>) -> T + Send + Sync + 'static,
    ) {
        let produced = topics.into();
        if produced.topics.is_empty() && !produced.is_any {
            let problem = "`to_by` has no topic to choose from: name the topics, or give it `Produced::any_topic()`";
            self.graph.borrow_mut().graph.problems.push(problem.to_owned());
            return;
        }
        let topics: Arc<[Topic]> = produced.topics.iter().map(|topic| topic.as_str().into()).collect();
        let choose: TopicChooser<K, V> = Arc::new(move |record| choose(record).into());
        self.add_sink(NodeKind::SinkByRecord(topics.clone()), produced, move |assembly| {
            let known = assembly.topics_to_choose(&topics);
            SinkTopic::ByRecord(TopicChoice { choose: choose.clone(), known, declared: !topics.is_empty() })
        });
    }

    fn add_sink(
        &self,
        kind: NodeKind,
        produced: Produced<K, V>,
        topic: impl Fn(&Assembly<'_>) -> SinkTopic<K, V> + Send + Sync + 'static,
    ) {
        let Produced { key, value, partitioning, .. } = produced;
        let build: BuildNode = Arc::new(move |assembly, id| {
            let (topic, keyless) = (topic(assembly), Keyless::new(assembly.task.partition));
            let (key, value, partitioning) = (key.clone(), value.clone(), partitioning.clone());
            let limits = assembly.limits(&topic);
            let sink = Sink { topic, key, value, partitioning, keyless, limits };
            assembly.input::<K, V>(id, Rc::new(RefCell::new(sink)));
            Ok(())
        });
        let parents = vec![Edge { from: self.node, port: MAIN_PORT }];
        self.graph.borrow_mut().add(None, kind, parents, Vec::new(), build);
    }

    /// Sends the records through a topic that partitions them by their current key (`KStream.repartition` in Kafka
    /// Streams, KIP-221). The application creates the topic `<application id>-<name>-repartition`. It deletes the
    /// topic's records once they are processed.
    ///
    /// The steps before and after the topic are separate subtopologies, with separate tasks. Timestamps and headers
    /// stay.
    ///
    /// If a later operator has an idle time, the topic also carries idle notes: they say how long the tasks above the
    /// topic have been idle. An idle note is a record without key and value that has the header `tidemill.idle`.
    /// Operators do not see idle notes.
    ///
    /// ```
    /// # use tidemill::testing::DriverOptions;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let by_item = builder.stream::<u64, String>("orders").select_key(|_, item| item.clone()).repartition("by-item");
    /// by_item.group_by_key().count("sold").to_stream().to("sold-so-far");
    ///
    /// // Two partitions: the orders of "tea" come from both and meet in one.
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions::default().partitions(2))?;
    /// driver.input::<u64, String>("orders").pipe_all([(1, "tea".into(), 0), (2, "tea".into(), 1)])?;
    /// assert_eq!(driver.output::<String, i64>("sold-so-far").read_values()?, [1, 2]);
    /// assert_eq!(driver.plan().partitions("test-by-item-repartition"), Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn repartition(&self, repartitioned: impl Into<Repartitioned<K, V>>) -> Self {
        let Repartitioned { name, key, value, partitions, partitioner } = repartitioned.into();
        let (partitioning, by_key) = match partitioner {
            None => (Partitioning::Key, None),
            Some(RepartitionBy::Key(choose)) => {
                let choose: Partitioner<K, V> = Arc::new(move |key, _, partitions| choose(key, partitions));
                (Partitioning::One(choose), Some(true))
            }
            Some(RepartitionBy::Record(choose)) => (Partitioning::One(choose), Some(false)),
        };
        let name: Arc<str> = name.into();
        let target = TopicRef::Repartition(name.clone());
        let (sink_key, sink_value) = (key.clone(), value.clone());
        let build: BuildNode = Arc::new(move |assembly, id| {
            let (topic, partitions) = assembly.topic(&target);
            let (key, value) = (sink_key.clone(), sink_value.clone());
            let keyless = Keyless::new(assembly.task.partition);
            let topic = SinkTopic::One(topic, partitions);
            let limits = assembly.limits(&topic);
            let sink = Sink { topic, key, value, partitioning: partitioning.clone(), keyless, limits };
            assembly.input::<K, V>(id, Rc::new(RefCell::new(sink)));
            Ok(())
        });
        let parents = vec![Edge { from: self.node, port: MAIN_PORT }];
        let kind = NodeKind::RepartitionSink { name: name.clone(), partitions };
        self.graph.borrow_mut().add(Some(&format!("{name}-sink")), kind, parents, Vec::new(), build);
        let kind = NodeKind::RepartitionSource(name.clone());
        let source = add_source(&self.graph, Some(&format!("{name}-source")), kind, key, value, Times::default());
        if by_key.is_some() {
            self.graph.borrow_mut().graph.own_partitioners.insert(source);
        }
        Self::new(self.graph.clone(), source).then(source, by_key == Some(false))
    }
}
