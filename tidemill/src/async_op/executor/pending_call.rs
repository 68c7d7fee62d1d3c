//! One request between its read and its answer.

use tidemill_state::CodecError;

use super::CallRequest;
use crate::{
    async_op::{AsyncCall, request::RequestId},
    record::Data,
    transport::{ConsumedRecord, TopicPartition},
};

/// A request that was read and is not answered yet.
pub(super) struct PendingCall {
    pub(super) partition: TopicPartition,
    pub(super) record: ConsumedRecord,
    /// The number of attempts begun.
    pub(super) attempt: u32,
    pub(super) stage: CallStage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallStage {
    /// The request is in the queue.
    Waiting,
    /// An attempt runs. It times out at this moment.
    Calling { deadline_ms: i64 },
    /// The request waits for its next attempt, which starts at this moment.
    Pausing { until_ms: i64 },
}

/// Why a record gives no request.
pub(super) enum NoRequest {
    /// It cannot be decoded yet, because the codec lacks something that is still to come.
    Yet(String),
    /// It can never be decoded.
    Ever(String),
}

impl PendingCall {
    pub(super) fn request<K: Data, V: Data, R>(
        &self,
        call: &AsyncCall<K, V, R>,
    ) -> Result<CallRequest<K, V>, NoRequest> {
        let id = self.record.key.clone().and_then(RequestId::from_bytes);
        let id = id.ok_or_else(|| NoRequest::Ever("the request has no id".to_owned()))?;
        let key = call.key.decode(id.key()).map_err(|error| NoRequest::of("the request's key", error))?;
        let value = call.request.decode_opt(self.record.value.clone());
        let value = value.map_err(|error| NoRequest::of("the request", error))?;
        let (timestamp, attempt, id) = (self.record.timestamp, self.attempt, id.bytes());
        Ok(CallRequest { key, value, timestamp, attempt, id, route: "default".into(), steps: Vec::new() })
    }
}

impl NoRequest {
    fn of(what: &str, error: CodecError) -> Self {
        match error {
            CodecError::NotYet { reason } => Self::Yet(format!("{what}: {reason}")),
            lasting => Self::Ever(format!("{what}: {lasting}")),
        }
    }
}
