//! Steps with a processor of the user.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use super::{super::builder::add_operator, KStream};
use crate::{
    graph::{MAIN_PORT, StoreName},
    operators::{BuildNode, ProcessorNode, processor::Processor},
    record::Data,
};

impl<K: Data, V: Data> KStream<K, V> {
    /// Runs a custom [`Processor`] (`KStream.process` in Kafka Streams, KIP-820). `name` names the step. `stores` names
    /// the stores that the processor uses. `supplier` makes one instance for each task.
    ///
    /// The results count as having a new key: before a later step that needs the key, call
    /// [`repartition`](Self::repartition) or [`mark_as_partitioned`](Self::mark_as_partitioned). If `stores` is not
    /// empty, the input must be partitioned by its key. [`StreamsBuilder::build`](crate::StreamsBuilder::build) returns
    /// an error if a store does not exist.
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
    pub fn process<K2: Data, V2: Data, P>(
        &self,
        name: &str,
        stores: &[&str],
        supplier: impl Fn() -> P + Send + Sync + 'static,
    ) -> KStream<K2, V2>
    where
        P: Processor<K, V, K2, V2> + 'static,
    {
        let build: BuildNode = Arc::new(move |assembly, id| {
            let next = assembly.next(id, MAIN_PORT)?;
            let (stores, partitions) = (assembly.stores_of(id), assembly.partitions());
            let windows = assembly.unclocked_stores(id);
            let node = Rc::new(RefCell::new(ProcessorNode::new(supplier(), id, next, stores, windows, partitions)));
            assembly.input::<K, V>(id, node.clone());
            assembly.lifecycle(id, node);
            Ok(())
        });
        let stores: Vec<StoreName> = stores.iter().map(|store| (*store).into()).collect();
        let stateful = !stores.is_empty();
        let node = add_operator(&self.graph, Some(name), "process", &[self.node], stores, build);
        if stateful {
            self.require_partitioned_by_key(node);
        }
        self.then(node, true)
    }
}
