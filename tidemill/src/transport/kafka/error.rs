//! Maps librdkafka's errors to the reactions of the runtime.

use rdkafka::{
    error::{KafkaError, RDKafkaError},
    types::RDKafkaErrorCode as Code,
};

use crate::transport::{TopicPartition, TransportError};

/// Converts an error of librdkafka.
pub(super) fn of(error: KafkaError) -> TransportError {
    match &error {
        KafkaError::Transaction(inner) => of_transaction(inner),
        // The message contains names and descriptions of settings but no values, because a value may be a secret.
        KafkaError::ClientConfig(_, description, key, _) => {
            TransportError::Invalid(format!("librdkafka refuses the setting '{key}': {description}"))
        }
        KafkaError::ClientCreation(reason) => {
            TransportError::Invalid(format!("the Kafka client cannot be created: {reason}; check the settings"))
        }
        KafkaError::AdminOp(code) => of_code(*code, &error.to_string()),
        KafkaError::Canceled | KafkaError::NoMessageReceived => TransportError::Retriable(error.to_string()),
        _ => match error.rdkafka_error_code() {
            Some(code) => of_code(code, &error.to_string()),
            None => TransportError::Invalid(error.to_string()),
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
        _ => of_code(code, &format!("topic '{topic}': {code}")),
    }
}

/// An error about one group.
pub(super) fn of_group(code: Code, group: &str) -> TransportError {
    of_code(code, &format!("group '{group}': {code}"))
}

fn of_transaction(error: &RDKafkaError) -> TransportError {
    let (code, text) = (error.code(), error.string());
    match code {
        Code::Fenced | Code::ProducerFenced | Code::UnknownMemberId | Code::FencedMemberEpoch => {
            TransportError::Fenced(text)
        }
        // Processing again would give the same error.
        Code::MessageSizeTooLarge | Code::InvalidRecord => of_code(code, &text),
        _ if is_refusal(code) => of_code(code, &text),
        _ if error.txn_requires_abort() => TransportError::Abort(text),
        _ if error.is_retriable() => TransportError::Retriable(text),
        // A new producer with the same id replaces a producer that failed for good. It also settles the open
        // transaction.
        _ if error.is_fatal() => TransportError::Fenced(text),
        _ => of_code(code, &text),
    }
}

fn of_code(code: Code, text: &str) -> TransportError {
    let text = text.to_owned();
    match code {
        Code::UnknownMemberId
        | Code::IllegalGeneration
        | Code::FencedMemberEpoch
        | Code::StaleMemberEpoch
        | Code::Fenced
        | Code::ProducerFenced
        | Code::InvalidProducerEpoch
        | Code::PollExceeded => TransportError::Fenced(text),
        _ if is_refusal(code) => {
            TransportError::Invalid(format!("{text}; grant the rights (ACLs) or correct the credentials"))
        }
        // If the fenced instance returned, it would fence the other instance in turn.
        Code::FencedInstanceId => {
            TransportError::Invalid(format!("{text}: another process uses this instance id; give each its own"))
        }
        Code::MessageSizeTooLarge => {
            TransportError::Invalid(format!("{text}; raise max.message.bytes of the topic, or send less in a record"))
        }
        Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition => TransportError::Invalid(text),
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
        | Code::InvalidRecord => TransportError::Invalid(text),
        _ => TransportError::Retriable(text),
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
