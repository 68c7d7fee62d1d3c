//! Defines an asynchronous step: its name and the codecs of its requests and responses.

use std::{sync::Arc, time::Duration};

use tidemill_state::{Codec, Coded};

use super::{CallFailure, CallOrder, CallReport};
use crate::{
    names::{call_topic, dead_letter_topic, request_topic, response_topic},
    transport::Topic,
};

/// An asynchronous step: requests have keys of type `K` and values of type `V`, responses have type `R`. Kafka Streams
/// has no such step.
///
/// The same value declares the step ([`KStream::map_async`](crate::KStream::map_async)) and starts the executor that
/// makes the calls ([`CallExecutor`](crate::CallExecutor)). See their examples for a call from end to end.
///
/// ```
/// use tidemill::AsyncCall;
///
/// let call = AsyncCall::<u64, String, i64>::named("grade");
/// assert_eq!(call.name(), "grade");
/// assert_eq!(call.pending_store(), "grade-pending");
/// assert_eq!(&*call.request_topic("school"), "school-grade-requests");
/// assert_eq!(&*call.response_topic("school"), "school-grade-responses");
/// assert_eq!(call.executor_group("school"), "school-grade-executor");
/// ```
pub struct AsyncCall<K, V, R> {
    pub(crate) name: Arc<str>,
    pub(crate) key: Arc<dyn Codec<K>>,
    /// The codec of requests in the pending store.
    pub(crate) pending: Arc<dyn Codec<V>>,
    /// The codec of requests on the request topic.
    pub(crate) request: Arc<dyn Codec<V>>,
    pub(crate) response: Arc<dyn Codec<R>>,
    pub(crate) order: CallOrder,
    /// How long after its request an answer is still worth its price.
    pub(crate) deadline: Option<Duration>,
    /// Whether requests without an answer are kept on a topic of their own.
    pub(crate) dead_letters: bool,
}

impl<K, V, R> Clone for AsyncCall<K, V, R> {
    fn clone(&self) -> Self {
        let Self { name, key, pending, request, response, order, deadline, dead_letters } = self;
        Self {
            name: name.clone(),
            key: key.clone(),
            pending: pending.clone(),
            request: request.clone(),
            response: response.clone(),
            order: *order,
            deadline: *deadline,
            dead_letters: *dead_letters,
        }
    }
}

impl<K: Coded, V: Coded, R: Coded> AsyncCall<K, V, R> {
    /// Names the step, with the types' default codecs. The name is mandatory: it names the store of pending requests
    /// and the topics `<application id>-<name>-requests` and `-responses`. See the example of [`AsyncCall`].
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Self::with(name, K::Codec::default(), V::Codec::default(), R::Codec::default())
    }
}

impl<K, V, R> AsyncCall<K, V, R> {
    /// Names the step and sets its codecs.
    ///
    /// ```
    /// # use tidemill::{AsyncCall, state::{BigEndian, Json, Utf8}};
    /// let call = AsyncCall::<u64, String, Vec<String>>::with("tags", BigEndian, Utf8, Json::default());
    /// assert_eq!(call.name(), "tags");
    /// ```
    pub fn with(
        name: impl Into<Arc<str>>,
        key: impl Codec<K>,
        request: impl Codec<V>,
        response: impl Codec<R>,
    ) -> Self {
        let request: Arc<dyn Codec<V>> = Arc::new(request);
        let (name, pending) = (name.into(), request.clone());
        let (key, response) = (Arc::new(key), Arc::new(response));
        let (order, deadline, dead_letters) = (CallOrder::default(), None, false);
        Self { name, key, pending, request, response, order, deadline, dead_letters }
    }

    /// Sets another codec for requests on the request topic. It may leave out data that the caller does not need.
    /// [`Answered::request`] is still complete, because it comes from the store of pending requests.
    ///
    /// ```
    /// # use std::{sync::Arc, time::Duration};
    /// # use tidemill::{AsyncCall, CallExecutor, CallPolicy, CallRequest, Reply, SystemClock};
    /// # use tidemill::state::{Codec, CodecError, Utf8};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// /// Sends the question without the name of the person who asks.
    /// struct QuestionOnly;
    /// impl Codec<String> for QuestionOnly {
    ///     fn encode_into(&self, value: &String, out: &mut Vec<u8>) -> Result<(), CodecError> {
    ///         Utf8.encode_into(&value.split(": ").last().unwrap_or_default().to_owned(), out)
    ///     }
    ///     fn decode(&self, bytes: bytes::Bytes) -> Result<String, CodecError> {
    ///         Utf8.decode(bytes)
    ///     }
    /// }
    ///
    /// let call = AsyncCall::<u64, String, i64>::named("ask").requests_as(QuestionOnly);
    /// let answers = builder.stream::<u64, String>("questions").map_async(&call);
    /// answers.map_values(|it| format!("{} {}", it.request, it.outcome.unwrap_or(-1))).to("answers");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// # driver.input::<u64, String>("questions").pipe(1, "Ann: six times seven?".into(), 0)?;
    /// # let log = Arc::new(driver.log().clone());
    /// # let mut executor = CallExecutor::open(&call, "test", log, CallPolicy::default(), Arc::new(SystemClock))?;
    /// let mut model = |question: CallRequest<u64, String>, reply: Reply<i64>| {
    ///     assert_eq!(question.value, "six times seven?");
    ///     reply.send(Ok(42));
    /// };
    /// # for _ in 0..10 {
    /// #     executor.step(&mut model, Duration::ZERO)?;
    /// # }
    /// assert_eq!(driver.output::<u64, String>("answers").read_values()?, ["Ann: six times seven? 42"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn requests_as(self, request: impl Codec<V>) -> Self {
        Self { request: Arc::new(request), ..self }
    }

    /// Sets the order of the answers. The default is [`CallOrder::PerKey`]. It may be changed at any time: answers that
    /// already wait for older ones come with the next answer of their lane.
    ///
    /// ```
    /// # use tidemill::{AsyncCall, CallOrder};
    /// let call = AsyncCall::<u64, String, i64>::named("grade").ordered(CallOrder::LatestWins);
    /// ```
    #[must_use]
    pub fn ordered(self, order: CallOrder) -> Self {
        Self { order, ..self }
    }

    /// Sets how long after its request, in wall time, an answer is still useful. An attempt that would probably end
    /// later is not made. When the time is over, the step emits
    /// [`FailureKind::Expired`](crate::FailureKind::Expired), even if no executor runs, and ignores a later answer. An
    /// answer in time may wait longer for older ones of its lane. The default is no deadline.
    ///
    /// While the application runs, time is measured with a clock that cannot be set. The time in which it does not run
    /// counts by the wall clock.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::AsyncCall;
    /// let call = AsyncCall::<u64, String, i64>::named("grade").deadline(Duration::from_secs(3));
    /// ```
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// Keeps requests that failed for good, whole and with the reason, on the topic
    /// [`AsyncCall::dead_letter_topic`], in the transaction that emits the failure. They can be asked again later
    /// ([`AsyncCall::ask_again`]). The application creates the topic. Expired and superseded requests are not kept, because an
    /// answer would come too late, unless they were dead letters before.
    ///
    /// A dead letter has the request's key, timestamp and headers, and the complete request, encoded as in the store of
    /// pending requests. The headers `tidemill.dead-letter.kind`, `.message`, `.attempts` and `.report` (JSON) tell why
    /// there is no answer. `__streams.errors.message` tells it in a sentence, as on the dead letters of
    /// [`RecordHandler::DeadLetter`](crate::RecordHandler::DeadLetter). [`KStream::erase`](crate::KStream::erase) does not
    /// reach dead letters.
    ///
    /// ```
    /// # use tidemill::AsyncCall;
    /// let call = AsyncCall::<u64, String, i64>::named("grade").dead_letters();
    /// assert_eq!(&*call.dead_letter_topic("school"), "school-grade-dead-letters");
    /// ```
    #[must_use]
    pub fn dead_letters(self) -> Self {
        Self { dead_letters: true, ..self }
    }

    /// The step's name. See the example of [`AsyncCall`].
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the store that holds requests without an answer. See the example of [`AsyncCall`].
    pub fn pending_store(&self) -> String {
        pending_store(&self.name)
    }

    /// The topic of the requests. The application creates it. See the example of [`AsyncCall`].
    pub fn request_topic(&self, application_id: &str) -> Topic {
        request_topic(application_id, &self.name)
    }

    /// The topic of the responses. The application creates it. See the example of [`AsyncCall`].
    pub fn response_topic(&self, application_id: &str) -> Topic {
        response_topic(application_id, &self.name)
    }

    /// The topic of the requests that failed for good, with as many partitions as the requests' topic. See the example
    /// of [`AsyncCall::dead_letters`].
    pub fn dead_letter_topic(&self, application_id: &str) -> Topic {
        dead_letter_topic(application_id, &self.name)
    }

    /// The topic on which executors share what they spend: compacted, with one partition. An executor with limits
    /// creates it.
    ///
    /// ```
    /// # use tidemill::AsyncCall;
    /// let call = AsyncCall::<u64, String, i64>::named("grade");
    /// assert_eq!(&*call.ledger_topic("school"), "school-grade-ledger");
    /// assert_eq!(&*call.cache_topic("school"), "school-grade-cache");
    /// assert_eq!(&*call.step_topic("school"), "school-grade-steps");
    /// ```
    pub fn ledger_topic(&self, application_id: &str) -> Topic {
        call_topic(application_id, &self.name, "ledger")
    }

    /// The topic on which executors share answers by content. An executor with a cache creates it. See the example of
    /// [`AsyncCall::ledger_topic`].
    pub fn cache_topic(&self, application_id: &str) -> Topic {
        call_topic(application_id, &self.name, "cache")
    }

    /// The topic of finished steps of calls that are not answered yet: compacted, with as many partitions as the
    /// requests' topic. An executor creates it. See the example of [`AsyncCall::ledger_topic`].
    pub fn step_topic(&self, application_id: &str) -> Topic {
        call_topic(application_id, &self.name, "steps")
    }

    /// The consumer group of the executors that make the calls. See the example of [`AsyncCall`].
    pub fn executor_group(&self, application_id: &str) -> String {
        format!("{application_id}-{}-executor", self.name)
    }
}

pub(crate) fn pending_store(name: &str) -> String {
    format!("{name}-pending")
}

/// A request with its outcome. [`KStream::map_async`](crate::KStream::map_async) emits it.
///
/// ```
/// use tidemill::{Answered, CallFailure, CallReport, FailureKind};
///
/// let failure = CallFailure { kind: FailureKind::Timeout, message: "no answer within 30s".into(), attempts: 4 };
/// let report = CallReport { route: "gemini".into(), attempts: 4, ..CallReport::default() };
/// let answered: Answered<&str, i64> = Answered { request: "essay", outcome: Err(failure), report };
/// let text = match answered.outcome {
///     Ok(grade) => format!("grade {grade}"),
///     Err(failure) => format!("no grade: {failure}"),
/// };
/// assert_eq!(text, "no grade: no answer after 4 attempt(s): no answer within 30s");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered<V, R> {
    /// The request.
    pub request: V,
    /// The answer, or the reason why there is no answer.
    pub outcome: Result<R, CallFailure>,
    /// How the answer came about: route, attempts, what it consumed.
    pub report: CallReport,
}
