//! Asynchronous steps of a stream.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use bytes::Bytes;
use tidemill_state::{Codec, Nullable, RawBytes};

use super::{
    KStream, Materialized,
    builder::{add_operator, add_source, add_store},
};
use crate::{
    async_op::{Answered, AsyncCall, RequestNode, ResponseNode, pending_rows},
    graph::{Edge, MAIN_PORT, NodeKind, StoreKind, TopicRef},
    operators::BuildNode,
    record::Data,
};

impl<K: Data, V: Data> KStream<K, V> {
    /// Sends each record as a request to an external service, for example a model, and returns the answers. The effect
    /// of each answer happens once, even if a crash makes the call happen twice. Kafka Streams has no such step.
    ///
    /// The request is committed in the transaction of its input record. A [`CallExecutor`](crate::CallExecutor), in
    /// this process or another, makes the call. The response comes back through a topic to the task that sent the
    /// request. Failures are data: see [`Answered::outcome`]. Records never wait for a call. Answers keep the key,
    /// timestamp and headers of their request, and come in any order.
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

        let (request, target, requests_store) = (call.clone(), TopicRef::Request(name.clone()), store.clone());
        let build: BuildNode = Arc::new(move |assembly, id| {
            let (topic, _) = assembly.topic(&target);
            let (call, pending) = (request.clone(), assembly.key_value_store(&requests_store));
            let node = RequestNode { call, pending, topic, partition: assembly.task.partition };
            assembly.input::<K, V>(id, Rc::new(RefCell::new(node)));
            Ok(())
        });
        let parents = vec![Edge { from: self.node, port: MAIN_PORT }];
        let kind = NodeKind::RequestSink(name.clone());
        self.graph.borrow_mut().add(Some(&format!("{name}-requests")), kind, parents, vec![store.clone()], build);

        let key: Arc<dyn Codec<Bytes>> = Arc::new(RawBytes);
        let value: Arc<dyn Codec<Option<Bytes>>> = Arc::new(Nullable(RawBytes));
        let kind = NodeKind::ResponseSource(name.clone());
        let source = add_source(&self.graph, Some(&format!("{name}-responses")), kind, key, value, None);

        let (answer, answers_store) = (call.clone(), store.clone());
        let build: BuildNode = Arc::new(move |assembly, id| {
            let (pending, next) = (assembly.key_value_store(&answers_store), assembly.next(id, MAIN_PORT)?);
            let node = ResponseNode { call: answer.clone(), pending, next };
            assembly.input::<Bytes, Option<Bytes>>(id, Rc::new(RefCell::new(node)));
            Ok(())
        });
        let node = add_operator(&self.graph, Some(&name), "async", &[source], vec![store], build);
        KStream { rekeyed_by: self.rekeyed_by.clone(), ..KStream::new(self.graph.clone(), node) }
    }
}
