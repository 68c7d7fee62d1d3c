//! Asynchronous steps of a stream.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use bytes::Bytes;
use tidemill_state::{Codec, Nullable, RawBytes};

use super::{
    KStream, Materialized,
    builder::{add_operator, add_source, add_store},
};
use crate::{
    async_op::{Answered, Asking, AsyncCall, DeadLetterNode, Memory, RequestNode, ResponseNode, pending_rows},
    graph::{DEAD_LETTER_PORT, Edge, MAIN_PORT, NodeId, NodeKind, StoreKind, TopicRef},
    operators::{Assembly, BuildNode},
    record::Data,
    times::Times,
};

impl<K: Data, V: Data> KStream<K, V> {
    /// Sends each record as a request to an external service, for example a model, and returns the answers. The effect
    /// of each answer happens once, even if a crash makes the call happen twice. Kafka Streams has no such step.
    ///
    /// The request is committed in the transaction of its input record. A [`CallExecutor`](crate::CallExecutor), in
    /// this process or another, makes the call. The response comes back through a topic to the task that sent the
    /// request. Failures are data: see [`Answered::outcome`]. Records never wait for a call. Answers keep the key,
    /// timestamp and headers of their request. Those of a key come in the order of its requests
    /// ([`CallOrder`](crate::CallOrder)): an early answer waits for the ones before it. If a request may never be
    /// answered, set a [deadline](AsyncCall::deadline).
    ///
    /// If a later operator rejects an answer and the processing handler lets errors pass, that answer is left out. Its
    /// request counts as answered.
    ///
    /// A pending answer is not a record yet. It does not keep windows open that close by idle time
    /// ([`EmitStrategy::idle_after`](crate::EmitStrategy::idle_after)), because the answer may never come. If answers
    /// are windowed, choose an idle time that is longer than a call may take.
    ///
    /// ```
    /// # use std::{sync::Arc, time::Duration};
    /// # use tidemill::{AsyncCall, CallExecutor, CallPolicy, CallRequest, Reply, SystemClock};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let call = AsyncCall::<u64, String, i64>::named("grade");
    /// builder.stream::<u64, String>("essays").map_async(&call).map_values(|it| it.outcome.unwrap_or(-1)).to("grades");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("essays").pipe(1, "To be, or not to be".into(), 0)?;
    /// assert!(driver.output::<u64, i64>("grades").read()?.is_empty(), "nobody has made the call yet");
    ///
    /// let log = Arc::new(driver.log().clone());
    /// let mut executor = CallExecutor::open(&call, "test", log, CallPolicy::default(), Arc::new(SystemClock))?;
    /// let mut model = |essay: CallRequest<u64, String>, reply: Reply<i64>| reply.send(Ok(essay.value.len() as i64));
    /// # for _ in 0..10 {
    /// executor.step(&mut model, Duration::ZERO)?;
    /// # }
    /// assert_eq!(driver.output::<u64, i64>("grades").read()?, [(1, 19, 0)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_async<R: Data>(&self, call: &AsyncCall<K, V, R>) -> KStream<K, Answered<V, R>> {
        let name = call.name.clone();
        let pending = Materialized::with(call.pending_store(), RawBytes, RawBytes);
        let store = add_store::<Bytes, Bytes>(&self.graph, &pending, StoreKind::KeyValue);
        self.graph.borrow_mut().graph.set_row_keys(&store, pending_rows(call.key.clone()));
        self.graph.borrow_mut().graph.describe_store(&store, |format| {
            format.set_codec("key", call.key.name());
            format.set_codec("value", call.pending.name());
        });

        let topic = TopicRef::Request(name.clone());
        let (asked, asked_store) = (call.clone(), store.clone());
        let asking = move |assembly: &mut Assembly<'_>| Asking {
            call: asked.clone(),
            pending: assembly.key_value_store(&asked_store),
            memory: assembly.beside::<Memory>(&asked_store),
            topic: assembly.topic(&topic).0,
            partition: assembly.task.partition,
            inputs: assembly.partitions(),
        };
        let asks = asking.clone();
        let build: BuildNode = Arc::new(move |assembly, id| {
            let node = RequestNode(asks(assembly));
            assembly.input::<K, V>(id, Rc::new(RefCell::new(node)));
            Ok(())
        });
        let parents = vec![Edge { from: self.node, port: MAIN_PORT }];
        let kind = NodeKind::RequestSink(name.clone());
        self.graph.borrow_mut().add(Some(&format!("{name}-requests")), kind, parents, vec![store.clone()], build);

        let key: Arc<dyn Codec<Bytes>> = Arc::new(RawBytes);
        let value: Arc<dyn Codec<Option<Bytes>>> = Arc::new(Nullable(RawBytes));
        let kind = NodeKind::ResponseSource(name.clone());
        let source = add_source(&self.graph, Some(&format!("{name}-responses")), kind, key, value, Times::default());

        let build: BuildNode = Arc::new(move |assembly, id| {
            let (next, dead_letters) = (assembly.next(id, MAIN_PORT)?, assembly.next(id, DEAD_LETTER_PORT)?);
            let node = Rc::new(RefCell::new(ResponseNode::new(asking(assembly), next, dead_letters)));
            assembly.lifecycle(id, node.clone());
            assembly.input::<Bytes, Option<Bytes>>(id, node);
            Ok(())
        });
        let node = add_operator(&self.graph, Some(&name), "async", &[source], vec![store], build);
        if call.dead_letters {
            self.keep_dead_letters(&name, node);
        }
        KStream { rekeyed_by: self.rekeyed_by.clone(), ..KStream::new(self.graph.clone(), node) }
    }

    /// Adds the topic of failed requests.
    fn keep_dead_letters(&self, name: &Arc<str>, from: NodeId) {
        let target = TopicRef::DeadLetter(name.clone());
        let build: BuildNode = Arc::new(move |assembly, id| {
            let (topic, partition) = (assembly.topic(&target).0, assembly.task.partition);
            assembly.input::<Bytes, Bytes>(id, Rc::new(RefCell::new(DeadLetterNode { topic, partition })));
            Ok(())
        });
        let parents = vec![Edge { from, port: DEAD_LETTER_PORT }];
        let kind = NodeKind::DeadLetterSink(name.clone());
        self.graph.borrow_mut().add(Some(&format!("{name}-dead-letters")), kind, parents, Vec::new(), build);
    }
}
