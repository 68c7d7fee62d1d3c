//! What it means that a record was not delivered.

use rdkafka::{error::KafkaError, producer::Producer as _, types::RDKafkaErrorCode as Code};

use super::{super::error, sending::Sending};
use crate::transport::TransportError;

impl Sending {
    /// What failed since this was asked last.
    pub(super) fn take_failure(&self) -> Option<TransportError> {
        let failed = self.client().context().with(|delivered| delivered.failed.take());
        failed.map(|failed| self.failed(failed, "one of those that were written to"))
    }

    /// What ended a transaction that failed: librdkafka tells whoever would begin another.
    fn end_of_transaction(&self) -> Option<TransportError> {
        match self.client().begin_transaction() {
            Err(ended) => Some(error::of(ended)),
            // There was none.
            Ok(()) => self.abort().err(),
        }
    }

    /// What the failure of a record, or of its queueing, means.
    pub(super) fn failed(&self, failed: KafkaError, topic: &str) -> TransportError {
        match failed.rdkafka_error_code() {
            Some(Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition) => {
                TransportError::UnknownTopic(topic.to_owned())
            }
            // In a transaction that is over.
            Some(Code::State | Code::PurgeQueue | Code::PurgeInflight) if self.is_transactional() => {
                self.end_of_transaction().unwrap_or_else(|| TransportError::Abort(failed.to_string()))
            }
            Some(Code::Fatal) => match self.client().client().fatal_error() {
                Some((_, reason)) => TransportError::Fenced(reason),
                None => TransportError::Fenced(failed.to_string()),
            },
            _ => error::of(failed),
        }
    }
}
