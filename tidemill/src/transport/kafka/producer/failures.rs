//! Interprets failed deliveries.

use rdkafka::{error::KafkaError, producer::Producer as _, types::RDKafkaErrorCode as Code};

use super::{super::error, sending::Sending};
use crate::transport::{Reason, TransportError};

impl Sending {
    /// Takes the first failure since the last call.
    pub(super) fn take_failure(&self) -> Option<TransportError> {
        let failed = self.client().context().with(|delivered| delivered.failed.take());
        failed.map(|failed| self.failed(failed, "one of the topics written to"))
    }

    /// The error that ended a failed transaction. librdkafka returns it when another transaction is begun.
    fn end_of_transaction(&self) -> Option<TransportError> {
        match self.client().begin_transaction() {
            Err(ended) => Some(error::of(ended)),
            // There was no error, and a new transaction is open now.
            Ok(()) => self.abort().err(),
        }
    }

    /// Converts the error of a record that could not be queued or delivered.
    pub(super) fn failed(&self, failed: KafkaError, topic: &str) -> TransportError {
        match failed.rdkafka_error_code() {
            Some(Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition) => {
                TransportError::UnknownTopic(topic.to_owned())
            }
            // The transaction is already over.
            Some(Code::State | Code::PurgeQueue | Code::PurgeInflight) if self.is_transactional() => self
                .end_of_transaction()
                .unwrap_or_else(|| TransportError::Abort(Reason::new(failed.to_string(), failed))),
            Some(Code::Fatal) => match self.client().client().fatal_error() {
                Some((_, reason)) => TransportError::Fenced(reason.into()),
                None => TransportError::Fenced(Reason::new(failed.to_string(), failed)),
            },
            _ => error::of(failed),
        }
    }
}
