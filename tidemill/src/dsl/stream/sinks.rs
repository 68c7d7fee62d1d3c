//! Steps that write topics.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use super::{
    super::{Produced, Repartitioned, builder::add_source},
    KStream,
};
use crate::{
    graph::{Edge, MAIN_PORT, NodeKind, TopicRef},
    operators::{BuildNode, Keyless, Sink},
    record::Data,
    times::Times,
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
        let Produced { topic, key, value, partitioner } = topic.into();
        let target = TopicRef::External(topic.as_str().into());
        let build: BuildNode = Arc::new(move |assembly, id| {
            let (topic, partitions) = assembly.topic(&target);
            let (key, value, partitioner) = (key.clone(), value.clone(), partitioner.clone());
            let keyless = Keyless::new(assembly.task.partition);
            let sink = Sink { topic, partitions, key, value, partitioner, keyless };
            assembly.input::<K, V>(id, Rc::new(RefCell::new(sink)));
            Ok(())
        });
        let parents = vec![Edge { from: self.node, port: MAIN_PORT }];
        self.graph.borrow_mut().add(None, NodeKind::Sink(topic.into()), parents, Vec::new(), build);
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
        let Repartitioned { name, key, value, partitions } = repartitioned.into();
        let name: Arc<str> = name.into();
        let target = TopicRef::Repartition(name.clone());
        let (sink_key, sink_value) = (key.clone(), value.clone());
        let build: BuildNode = Arc::new(move |assembly, id| {
            let (topic, partitions) = assembly.topic(&target);
            let (key, value) = (sink_key.clone(), sink_value.clone());
            let keyless = Keyless::new(assembly.task.partition);
            let sink = Sink { topic, partitions, key, value, partitioner: None, keyless };
            assembly.input::<K, V>(id, Rc::new(RefCell::new(sink)));
            Ok(())
        });
        let parents = vec![Edge { from: self.node, port: MAIN_PORT }];
        let kind = NodeKind::RepartitionSink { name: name.clone(), partitions };
        self.graph.borrow_mut().add(Some(&format!("{name}-sink")), kind, parents, Vec::new(), build);
        let kind = NodeKind::RepartitionSource(name.clone());
        let source = add_source(&self.graph, Some(&format!("{name}-source")), kind, key, value, Times::default());
        Self::new(self.graph.clone(), source)
    }
}
