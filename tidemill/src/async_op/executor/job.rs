//! One request on its way to an answer.

use tidemill_state::CodecError;

use super::CallRequest;
use crate::{
    async_op::{AsyncCall, request::RequestId},
    record::Data,
    transport::{ConsumedRecord, TopicPartition},
};

/// A request that was read and not answered.
pub(super) struct Job {
    pub(super) partition: TopicPartition,
    pub(super) record: ConsumedRecord,
    /// Attempts begun.
    pub(super) attempt: u32,
    pub(super) stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// In the queue.
    Waiting,
    /// An attempt runs until then.
    Calling { deadline_ms: i64 },
    /// The next attempt comes then.
    Pausing { until_ms: i64 },
}

/// Why there is nothing to ask.
pub(super) enum NoRequest {
    /// What it takes to decode it is on its way.
    Yet(String),
    /// It is no request.
    Ever(String),
}

impl Job {
    pub(super) fn request<K: Data, V: Data, R>(
        &self,
        call: &AsyncCall<K, V, R>,
    ) -> Result<CallRequest<K, V>, NoRequest> {
        let id = self.record.key.clone().and_then(RequestId::from_bytes);
        let id = id.ok_or_else(|| NoRequest::Ever("the request has no id".to_owned()))?;
        let key = call.key.decode(id.key()).map_err(|error| NoRequest::of("the request's key", error))?;
        let value = call.request.decode_opt(self.record.value.clone());
        let value = value.map_err(|error| NoRequest::of("the request", error))?;
        Ok(CallRequest { key, value, timestamp: self.record.timestamp, attempt: self.attempt, id: id.bytes() })
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
