//! Maps librdkafka's errors to the reactions of the runtime.

use rdkafka::{
    error::{KafkaError, RDKafkaError},
    types::RDKafkaErrorCode as Code,
};

use crate::transport::{Reason, TopicPartition, TransportError};

/// Converts an error of librdkafka.
pub(super) fn of(error: KafkaError) -> TransportError {
    let text = error.to_string();
    match error {
        KafkaError::Transaction(inner) => of_transaction(inner),
        // The message contains names and descriptions of settings but no values, because a value may be a secret. The
        // error itself contains the value, so it is not kept.
        KafkaError::ClientConfig(_, description, key, _) => {
            TransportError::Invalid(format!("librdkafka refuses the setting '{key}': {description}").into())
        }
        KafkaError::ClientCreation(reason) => {
            TransportError::Invalid(format!("the Kafka client cannot be created: {reason}; check the settings").into())
        }
        KafkaError::AdminOp(code) => of_code(code, Reason::new(text, error)),
        KafkaError::Canceled | KafkaError::NoMessageReceived => TransportError::Retriable(Reason::new(text, error)),
        _ => match error.rdkafka_error_code() {
            Some(code) => of_code(code, Reason::new(text, error)),
            None => TransportError::Invalid(Reason::new(text, error)),
        },
    }
}

/// librdkafka's error code. Errors of administrative calls carry their code elsewhere.
fn code_of(error: &KafkaError) -> Option<Code> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        _ => error.rdkafka_error_code(),
    }
}

/// Whether the error says that a topic or partition does not exist, or not yet.
pub(super) fn is_unknown(error: &KafkaError) -> bool {
    matches!(
        code_of(error),
        Some(Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition | Code::NoEnt)
    )
}

/// An error about one partition.
pub(super) fn of_partition(error: KafkaError, partition: &TopicPartition) -> TransportError {
    match code_of(&error) {
        Some(Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::NoEnt) => {
            TransportError::UnknownTopic(partition.topic.to_string())
        }
        Some(Code::UnknownPartition) => TransportError::UnknownPartition(partition.clone()),
        _ => of(error),
    }
}

/// An error about one topic.
pub(super) fn of_topic(code: Code, topic: &str) -> TransportError {
    match code {
        Code::UnknownTopic | Code::UnknownTopicOrPartition => TransportError::UnknownTopic(topic.to_owned()),
        Code::TopicAlreadyExists => TransportError::TopicExists(topic.to_owned()),
        _ => of_code(code, Reason::new(format!("topic '{topic}': {code}"), code)),
    }
}

/// An error about one group.
pub(super) fn of_group(code: Code, group: &str) -> TransportError {
    of_code(code, Reason::new(format!("group '{group}': {code}"), code))
}

fn of_transaction(error: RDKafkaError) -> TransportError {
    let code = error.code();
    let (aborts, is_retriable, is_fatal) = (error.txn_requires_abort(), error.is_retriable(), error.is_fatal());
    let reason = Reason::new(error.string(), error);
    match code {
        Code::Fenced | Code::ProducerFenced | Code::UnknownMemberId | Code::FencedMemberEpoch => {
            TransportError::Fenced(reason)
        }
        // Processing again would give the same error.
        Code::MessageSizeTooLarge | Code::InvalidRecord => of_code(code, reason),
        _ if is_refusal(code) => of_code(code, reason),
        _ if aborts => TransportError::Abort(reason),
        _ if is_retriable => TransportError::Retriable(reason),
        // A new producer with the same id replaces a producer that failed for good. It also settles the open
        // transaction.
        _ if is_fatal => TransportError::Fenced(reason),
        _ => of_code(code, reason),
    }
}

fn of_code(code: Code, reason: Reason) -> TransportError {
    match code {
        Code::UnknownMemberId
        | Code::IllegalGeneration
        | Code::FencedMemberEpoch
        | Code::StaleMemberEpoch
        | Code::Fenced
        | Code::ProducerFenced
        | Code::InvalidProducerEpoch
        | Code::PollExceeded => TransportError::Fenced(reason),
        _ if is_refusal(code) => TransportError::Invalid(
            reason.rephrase(|text| format!("{text}; grant the rights (ACLs) or correct the credentials")),
        ),
        // If the fenced instance returned, it would fence the other instance in turn.
        Code::FencedInstanceId => TransportError::Invalid(
            reason.rephrase(|text| format!("{text}: another process uses this instance id; give each its own")),
        ),
        Code::MessageSizeTooLarge => TransportError::Invalid(
            reason.rephrase(|text| format!("{text}; raise max.message.bytes of the topic, or send less in a record")),
        ),
        Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition => TransportError::Invalid(reason),
        Code::UnsupportedSASLMechanism
        | Code::InvalidArgument
        | Code::Conflict
        | Code::InvalidConfig
        | Code::InvalidReplicationFactor
        | Code::InvalidPartitions
        | Code::InvalidTopic
        | Code::PolicyViolation
        | Code::UnsupportedVersion
        | Code::UnsupportedFeature
        | Code::InvalidSessionTimeout
        | Code::InconsistentGroupProtocol
        | Code::InvalidGroupId
        | Code::GroupMaxSizeReached
        | Code::InvalidRecord => TransportError::Invalid(reason),
        _ => TransportError::Retriable(reason),
    }
}

fn is_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::DelegationTokenAuthorizationFailed
            | Code::SaslAuthenticationFailed
            | Code::Authentication
            | Code::SSL
    )
}
