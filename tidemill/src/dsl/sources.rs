//! Streams of topics.

use std::collections::BTreeSet;

use super::{
    Consumed, KStream, StreamsBuilder,
    builder::{add_source, note_reset},
};
use crate::{
    graph::{NodeKind, whole_pattern},
    record::Data,
    transport::Topic,
};

impl StreamsBuilder {
    /// Reads a topic as a stream (`StreamsBuilder.stream` in Kafka Streams). The topic must exist when the application
    /// starts. An array of names reads several topics as one stream. A topic may be read several times, also with
    /// different types and as a table: each source gets each record, and one task reads it.
    ///
    /// Each record must have a key and a value. Otherwise the
    /// [`deserialization_handler`](crate::StreamsConfig::deserialization_handler) decides; by default the task fails.
    /// Some producers write no keys, for example the console producer. Read such a topic with
    /// [`StreamsBuilder::stream_values`], or with keys of type `Option<K>` and [`KStream::drop_null_keys`]. Values of
    /// type `Option<V>` accept tombstones. In Kafka Streams, keys and values of every stream may be null.
    ///
    /// A plain `&str` uses the default codecs of the types. [`Consumed`] sets others.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, Option<String>>("profiles").filter(|_, name| name.is_none()).to("deleted-profiles");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let profiles = driver.input::<u64, Option<String>>("profiles");
    /// profiles.pipe_all([(1, Some("Ann".into()), 0), (1, None, 1)])?;
    /// assert_eq!(driver.output::<u64, Option<String>>("deleted-profiles").read()?, [(1, None, 1)]);
    ///
    /// profiles.pipe_raw(0, None, Some(b"no key"), 2).unwrap_err();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Several topics need equal partition counts only if a step with state follows:
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, String>(["web-clicks", "app-clicks"]).to("clicks");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("web-clicks").pipe(1, "a".into(), 0)?;
    /// driver.input::<u64, String>("app-clicks").pipe(2, "b".into(), 1)?;
    /// assert_eq!(driver.output::<u64, String>("clicks").read_values()?, ["a", "b"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stream<K: Data, V: Data>(&self, topic: impl Into<Consumed<K, V>>) -> KStream<K, V> {
        let consumed = topic.into();
        let topics: BTreeSet<_> = consumed.topics.iter().map(|topic| Topic::from(topic.as_str())).collect();
        let mut sources =
            topics.into_iter().map(|topic| self.source(&consumed, &topic.clone(), NodeKind::Source(topic)));
        let Some(first) = sources.next() else {
            let problem = "a stream of several topics has no topic: name at least one".to_owned();
            self.graph.borrow_mut().graph.problems.push(problem);
            return self.source(&consumed, "none", NodeKind::Operator("source"));
        };
        let others: Vec<_> = sources.collect();
        if others.is_empty() { first } else { first.merge_all(&others) }
    }

    /// Reads all topics whose names match a pattern as one stream (`StreamsBuilder.stream` with a `Pattern` in Kafka
    /// Streams). The pattern is a regular expression of the crate `regex` and must match the whole name. With
    /// [`Consumed`], the pattern stands in the place of the topic.
    ///
    /// If no topic matches when the application starts, a warning says so, and the stream waits until one appears. Topics
    /// that are created or deleted later are taken up within [`metadata_max_age`](crate::StreamsConfig::metadata_max_age). Internal topics of the application and of
    /// the log never match. With steps that have state, a new topic needs as many partitions as the others; if it has
    /// another number, a warning says so and it is not read.
    ///
    /// If one of the topics is also read in another way, both streams must meet in a later step, because one task reads
    /// a partition. Otherwise the start returns an error.
    ///
    /// ```
    /// # use tidemill::testing::DriverOptions;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream_pattern::<u64, i64>("orders-.*").group_by_key().count("orders");
    ///
    /// let existing = ["orders-berlin", "orders-kyiv", "returns"].map(|topic| (topic.to_owned(), 1));
    /// let options = DriverOptions { partitions: existing.into(), ..DriverOptions::default() };
    /// let driver = TopologyTestDriver::with(&builder.build()?, options)?;
    /// driver.input::<u64, i64>("orders-berlin").pipe(7, 250, 0)?;
    /// driver.input::<u64, i64>("orders-kyiv").pipe(7, 9_000, 1)?;
    /// assert_eq!(driver.key_value_store::<u64, i64>("orders", 0)?.expect("it runs").get(&7)?, Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stream_pattern<K: Data, V: Data>(&self, pattern: impl Into<Consumed<K, V>>) -> KStream<K, V> {
        let consumed = pattern.into();
        let pattern = match &*consumed.topics {
            [pattern] => pattern.clone(),
            several => several.join("|"),
        };
        if let Err(error) = whole_pattern(&pattern) {
            let error = error.to_string().replace('\n', " ");
            self.graph.borrow_mut().graph.problems.push(format!("'{pattern}' is no pattern of topics: {error}"));
        }
        self.source(&consumed, &pattern, NodeKind::PatternSource(pattern.as_str().into()))
    }

    /// Adds a source with these options.
    fn source<K: Data, V: Data>(&self, consumed: &Consumed<K, V>, name: &str, kind: NodeKind) -> KStream<K, V> {
        consumed.check(&self.graph);
        let (key, value) = (consumed.key.clone(), consumed.value.clone());
        let id = add_source(&self.graph, Some(name), kind, key, value, consumed.times());
        note_reset(&self.graph, id, consumed.reset);
        KStream::new(self.graph.clone(), id)
    }

    /// Reads the values of a topic as a stream. The keys are ignored and may be null. In Kafka Streams, this is a
    /// stream with `Serdes.Void()` as its key serde.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream_values::<String>("lines").map_values(|line| line.to_uppercase()).to("shouted");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<Option<String>, String>("lines").pipe(None, "hi".into(), 0)?;
    /// assert_eq!(driver.output::<(), String>("shouted").read_values()?, ["HI"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stream_values<V: Data>(&self, topic: impl Into<Consumed<(), V>>) -> KStream<(), V> {
        self.stream(topic)
    }
}
