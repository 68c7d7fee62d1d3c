//! Steps with a processor of the user.

use super::{
    super::{FixedKeyProcessorSupplier, Processing, ProcessingValues, ProcessorSupplier, processing::Step},
    KStream,
};
use crate::{graph::NodeId, record::Data};

impl<K: Data, V: Data> KStream<K, V> {
    /// Runs a custom [`Processor`](crate::processor::Processor) (`KStream.process` in Kafka Streams, KIP-820). `name`
    /// names the step. `stores` names the stores that the processor uses; a [`ProcessorSupplier`] can also bring stores
    /// of its own. `supplier` makes one instance for each task.
    ///
    /// The results count as having a new key ([`process_values`](Self::process_values) keeps it): before a later step
    /// that needs the key, call [`repartition`](Self::repartition) or
    /// [`mark_as_partitioned`](Self::mark_as_partitioned). If `stores` is not empty, the input must be partitioned by
    /// its key. [`StreamsBuilder::build`](crate::StreamsBuilder::build) returns an error if a store does not exist.
    ///
    /// ```
    /// # use tidemill::{processor::{Processor, ProcessorContext, Record}, state::BoxError};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// /// Passes on the first message of each user.
    /// struct FirstMessage;
    ///
    /// impl Processor<u64, String, u64, String> for FirstMessage {
    ///     fn process(
    ///         &mut self,
    ///         ctx: &mut ProcessorContext<'_, u64, String>,
    ///         record: Record<u64, String>,
    ///     ) -> Result<(), BoxError> {
    ///         let seen = ctx.key_value_store::<u64, bool>("seen")?;
    ///         if seen.put_if_absent(&record.key, &true, record.timestamp)?.is_none() {
    ///             ctx.forward(record);
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// builder.add_key_value_store::<u64, bool>("seen");
    /// builder.stream::<u64, String>("chat").process("first-message", &["seen"], || FirstMessage).to("greet");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("chat").pipe_all([(1, "hi".into(), 0), (1, "me again".into(), 1)])?;
    /// assert_eq!(driver.output::<u64, String>("greet").read_values()?, ["hi"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn process<K2: Data, V2: Data, S>(&self, name: &str, stores: &[&str], supplier: S) -> KStream<K2, V2>
    where
        S: ProcessorSupplier<K, V, K2, V2>,
    {
        self.processing(name).stores(stores).process(supplier)
    }

    /// Runs a processor that keeps the key of each record (`KStream.processValues` in Kafka Streams, KIP-820). `name`,
    /// `stores` and `supplier` are as for [`process`](Self::process).
    ///
    /// The type of the processor makes it impossible to change the key, so no repartition is needed after this step. See
    /// the example of [`FixedKeyProcessor`](crate::processor::FixedKeyProcessor).
    pub fn process_values<V2: Data, S>(&self, name: &str, stores: &[&str], supplier: S) -> KStream<K, V2>
    where
        S: FixedKeyProcessorSupplier<K, V, V2>,
    {
        self.processing_values(name).stores(stores).process_values(supplier)
    }

    /// Begins to declare a processor with several outputs. Each output has types of its own. In Kafka Streams, a
    /// processor forwards to a child that it names; the name is a text, and all children get the same types.
    ///
    /// Here a declared output is a value that the processor holds, so a wrong name or type does not compile.
    /// [`StreamsBuilder::build`](crate::StreamsBuilder::build) returns an error if the step never gets its processor.
    ///
    /// ```
    /// # use tidemill::processor::{Output, Processor, ProcessorContext, Record};
    /// # use tidemill::{StreamsBuilder, state::BoxError, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// /// Passes on orders with a valid amount. The others go to an output of their own, with the reason.
    /// struct Check {
    ///     rejected: Output<u64, String>,
    /// }
    ///
    /// impl Processor<u64, i64, u64, i64> for Check {
    ///     fn process(
    ///         &mut self,
    ///         ctx: &mut ProcessorContext<'_, u64, i64>,
    ///         order: Record<u64, i64>,
    ///     ) -> Result<(), BoxError> {
    ///         if order.value > 0 {
    ///             ctx.forward(order);
    ///         } else {
    ///             let reason = format!("{} cents", order.value);
    ///             ctx.forward_to(self.rejected, order.with_value(reason));
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let mut check = builder.stream::<u64, i64>("orders").processing("check");
    /// let (rejected, rejections) = check.output::<u64, String>("rejected");
    /// check.process(move || Check { rejected }).to("accepted");
    /// rejections.to("rejections");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 0), (2, -5, 1)])?;
    /// assert_eq!(driver.output::<u64, i64>("accepted").read()?, [(1, 250, 0)]);
    /// assert_eq!(driver.output::<u64, String>("rejections").read()?, [(2, "-5 cents".to_owned(), 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn processing(&self, name: &str) -> Processing<K, V> {
        Processing { stream: self.clone(), step: Step::new(&self.graph, name, vec![self.node]) }
    }

    /// Begins to declare a processor that keeps keys and has several outputs, as [`processing`](Self::processing). All
    /// outputs keep the key.
    ///
    /// ```
    /// # use tidemill::processor::{FixedKeyProcessor, FixedKeyProcessorContext, FixedKeyRecord, Output};
    /// # use tidemill::{StreamsBuilder, state::BoxError, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// /// Parses numbers. Other texts go to an output of their own.
    /// struct Parse {
    ///     bad: Output<u64, String>,
    /// }
    ///
    /// impl FixedKeyProcessor<u64, String, i64> for Parse {
    ///     fn process(
    ///         &mut self,
    ///         ctx: &mut FixedKeyProcessorContext<'_, u64, i64>,
    ///         text: FixedKeyRecord<u64, String>,
    ///     ) -> Result<(), BoxError> {
    ///         match text.value.parse() {
    ///             Ok(number) => ctx.forward(text.with_value(number)),
    ///             Err(_) => ctx.forward_to(self.bad, text),
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let mut parse = builder.stream::<u64, String>("texts").processing_values("parse");
    /// let (bad, bad_texts) = parse.output("bad");
    /// parse.process_values(move || Parse { bad }).group_by_key().reduce("sums", |sum, number| sum + number);
    /// bad_texts.group_by_key().count("bad-of-key");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("texts").pipe_all([(1, "2".into(), 0), (1, "x".into(), 1), (1, "3".into(), 2)])?;
    /// assert_eq!(driver.key_value_store::<u64, i64>("sums", 0)?.expect("it runs").get(&1)?, Some(5));
    /// assert_eq!(driver.key_value_store::<u64, i64>("bad-of-key", 0)?.expect("it runs").get(&1)?, Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn processing_values(&self, name: &str) -> ProcessingValues<K, V> {
        ProcessingValues { stream: self.clone(), step: Step::new(&self.graph, name, vec![self.node]) }
    }

    /// Adds a problem if a processor has stores but the records are not partitioned by their key.
    pub(in crate::dsl) fn require_key_for_stores(&self, node: NodeId) {
        let stateful = !self.graph.borrow().graph.node(node).stores.is_empty();
        if stateful {
            self.require_partitioned_by_key(node);
        }
    }
}
