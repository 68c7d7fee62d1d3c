//! Requests that failed: how they are kept, and how they are asked again.

use bytes::Bytes;

use super::row::PendingRequest;
use crate::{
    async_op::{AsyncCall, CallFailure, CallReport, FailureKind, request},
    operators::{Outcome, Receive, TaskContext},
    record::Record,
    transport::{ConsumedRecord, Headers, ProducerRecord, Topic},
};

const PREFIX: &str = "tidemill.dead-letter.";
const KIND: &str = "tidemill.dead-letter.kind";
const MESSAGE: &str = "tidemill.dead-letter.message";
const ATTEMPTS: &str = "tidemill.dead-letter.attempts";
const REPORT: &str = "tidemill.dead-letter.report";
/// What dead letters of the processing handler have, too (KIP-1034).
const ERRORS_PREFIX: &str = "__streams.errors.";
const ERRORS_MESSAGE: &str = "__streams.errors.message";

/// Whether a request that failed so is worth asking again. The answer to an expired or superseded one would come too
/// late anyway. One that was asked again is always kept: it was a dead letter, and would be lost.
pub(super) fn is_kept(kind: FailureKind, is_repeat: bool) -> bool {
    is_repeat || !matches!(kind, FailureKind::Expired | FailureKind::Superseded)
}

/// The dead letter of a request: key, request, time and headers as they were, and why there is no answer.
pub(super) fn dead_letter(
    request: &PendingRequest,
    own: &Headers,
    failure: &CallFailure,
    report: &CallReport,
) -> Record<Bytes, Bytes> {
    let mut headers = own.clone();
    headers.push(ERRORS_MESSAGE, failure.to_string());
    headers.push(KIND, failure.kind.label());
    headers.push(MESSAGE, failure.message.clone());
    headers.push(ATTEMPTS, failure.attempts.to_string());
    headers.push(REPORT, serde_json::to_vec(report).unwrap_or_default());
    let PendingRequest { key, request, timestamp, .. } = request.clone();
    Record { key, value: request, timestamp, headers }
}

/// Headers without what made them those of a dead letter.
pub(super) fn without_reason(headers: &Headers) -> Headers {
    request::without(&request::without(headers, PREFIX), ERRORS_PREFIX)
}

/// Writes dead letters to their topic.
pub(crate) struct DeadLetterNode {
    pub(crate) topic: Topic,
    /// The task's own partition. A request that is asked again returns to it.
    pub(crate) partition: i32,
}

impl Receive<Bytes, Bytes> for DeadLetterNode {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<Bytes, Bytes>) -> Outcome {
        let Record { key, value, timestamp, headers } = record;
        let (topic, partition) = (self.topic.clone(), self.partition);
        ctx.send(ProducerRecord { topic, partition, timestamp, key: Some(key), value: Some(value), headers });
        Ok(())
    }
}

impl<K, V, R> AsyncCall<K, V, R> {
    /// The record that asks a dead letter's request again: whoever sends it gets another answer from the step, with the
    /// key, timestamp and headers of the request, and with [`CallReport::repeated`](crate::CallReport::repeated).
    /// `partition` is the dead letter's partition. `None` if the record is no dead letter of a call.
    ///
    /// The dead letter stays where it is, and sending the record twice asks twice. The request is the last of its lane:
    /// its answer comes after those of requests that were asked meanwhile.
    ///
    /// ```
    /// # use std::{sync::Arc, time::Duration};
    /// # use tidemill::{AsyncCall, CallError, CallExecutor, CallPolicy, CallRequest, Reply, SystemClock};
    /// # use tidemill::transport::{ProducerConfig, Transport};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let call = AsyncCall::<u64, String, i64>::named("grade").dead_letters();
    /// builder.stream::<u64, String>("essays").map_async(&call).map_values(|it| it.outcome.unwrap_or(-1)).to("grades");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("essays").pipe(1, "To be".into(), 0)?;
    /// # let log = Arc::new(driver.log().clone());
    /// # let mut executor = CallExecutor::open(&call, "test", log, CallPolicy::default(), Arc::new(SystemClock))?;
    /// # let mut attempts = 0;
    /// # let mut model = move |_: CallRequest<u64, String>, reply: Reply<i64>| {
    /// #     attempts += 1;
    /// #     reply.send(if attempts == 1 { Err(CallError::permanent("no")) } else { Ok(5) });
    /// # };
    /// # for _ in 0..10 {
    /// #     executor.step(&mut model, Duration::ZERO)?;
    /// # }
    /// let grades = driver.output::<u64, i64>("grades");
    /// assert_eq!(grades.read_values()?, [-1], "the model refused the essay");
    ///
    /// let (partition, dead_letter) = driver.log().read_all(&call.dead_letter_topic("test"))?.remove(0);
    /// let again = call.ask_again("test", partition, &dead_letter).expect("it is a dead letter");
    /// let mut producer = driver.log().producer(&ProducerConfig::default())?;
    /// producer.send(again)?;
    /// producer.flush()?;
    /// # assert!(grades.read()?.is_empty());
    /// # for _ in 0..10 {
    /// #     executor.step(&mut model, Duration::ZERO)?;
    /// # }
    /// assert_eq!(grades.read_values()?, [5], "this time it did not");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ask_again(
        &self,
        application_id: &str,
        partition: i32,
        dead_letter: &ConsumedRecord,
    ) -> Option<ProducerRecord> {
        let ConsumedRecord { timestamp, key, value, headers, .. } = dead_letter;
        headers.last(KIND)?;
        Some(ProducerRecord {
            topic: self.response_topic(application_id),
            partition,
            timestamp: *timestamp,
            key: Some(key.clone()?),
            value: Some(value.clone()?),
            headers: request::with_again(without_reason(headers)),
        })
    }
}
