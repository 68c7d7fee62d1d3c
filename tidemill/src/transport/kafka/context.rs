//! librdkafka's callbacks: rebalances, which are only recorded here, and log lines.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use rdkafka::{
    ClientContext, TopicPartitionList,
    client::OAuthToken,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext, RebalanceProtocol},
    error::KafkaError,
    types::RDKafkaRespErr,
};

use super::{offsets, signal::Signal};
use crate::transport::{Rebalance, TopicPartition};

/// The context of consumers, readers and administrators.
#[derive(Default)]
pub(super) struct Context {
    /// Notified when one of the client's queues has an entry.
    pub(super) signal: Arc<Signal>,
    rebalances: Mutex<Vec<Rebalance>>,
    closing: AtomicBool,
}

impl Context {
    /// The group's rebalances since the last call, in order.
    pub(super) fn take_rebalances(&self) -> Vec<Rebalance> {
        std::mem::take(&mut *self.rebalances.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers all later rebalances immediately, because no member handles them any more. Leaving the group would
    /// otherwise wait for an answer.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        report(&error, reason);
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        Err("no token callback is available; set sasl.oauthbearer.method=oidc".into())
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, list: &mut TopicPartitionList) {
        if self.closing.load(Ordering::SeqCst) {
            if let Err(error) = answer(consumer, list, error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
                tracing::debug!(%error, "could not answer a rebalance while leaving the group");
            }
            return;
        }
        let partitions: Vec<TopicPartition> = offsets::partitions(list);
        let rebalance = match error {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Rebalance::Assigned(partitions),
            _ if consumer.assignment_lost() => Rebalance::Lost(partitions),
            _ => Rebalance::Revoked(partitions),
        };
        self.rebalances.lock().unwrap_or_else(PoisonError::into_inner).push(rebalance);
        self.signal.tell();
    }
}

/// Accepts an assignment, or gives partitions back, as the group's protocol requires.
pub(super) fn answer(
    consumer: &BaseConsumer<Context>,
    list: &TopicPartitionList,
    assign: bool,
) -> Result<(), KafkaError> {
    let eager = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Eager);
    match (assign, eager) {
        (true, true) => consumer.assign(list),
        (true, false) => consumer.incremental_assign(list),
        (false, true) => consumer.unassign(),
        (false, false) => consumer.incremental_unassign(list),
    }
}

/// Forwards librdkafka's log lines as tracing events.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
            tracing::error!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::info!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
    }
}

/// Logs a connection error, which librdkafka repairs itself. The end of a partition is not an error.
pub(super) fn report(error: &KafkaError, reason: &str) {
    use rdkafka::types::RDKafkaErrorCode as Code;
    match error.rdkafka_error_code() {
        Some(Code::PartitionEOF) => {}
        Some(Code::BrokerTransportFailure | Code::AllBrokersDown | Code::Resolve | Code::OperationTimedOut) => {
            tracing::debug!(target: "librdkafka", "{reason}");
        }
        _ => tracing::warn!(target: "librdkafka", "{error}: {reason}"),
    }
}
