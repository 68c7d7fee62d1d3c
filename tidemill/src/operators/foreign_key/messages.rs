//! What the two tables' tasks of a foreign-key join send each other.

use bytes::{Buf, Bytes};
use tidemill_state::{Codec, CodecError};

/// What the right table's task does with a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instruction {
    /// Deletes the subscription and does not answer (`DELETE_KEY_NO_PROPAGATE` in Kafka Streams).
    Delete = 0,
    /// Keeps the subscription and answers, also if the foreign key has no value
    /// (`PROPAGATE_NULL_IF_NO_FK_VAL_AVAILABLE`).
    Answer = 2,
    /// Keeps the subscription and answers if the foreign key has a value (`PROPAGATE_ONLY_IF_FK_VAL_AVAILABLE`).
    AnswerIfFound = 3,
}

/// A key of the left table and the value that subscribes. The record's key is the foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) instruction: Instruction,
    /// The hash of the left value.
    pub(crate) hash: u128,
    /// The partition of the left table that has the key.
    pub(crate) partition: i32,
    /// The encoded key of the left table.
    pub(crate) key: Bytes,
}

/// An answer to a subscription. The record's key is the key of the left table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The hash of the left value that subscribed.
    pub(crate) hash: u128,
    pub(crate) partition: i32,
    /// The encoded value of the foreign key, if it has one.
    pub(crate) value: Option<Bytes>,
}

/// Instruction (1) ‖ hash (16) ‖ partition (4) ‖ key of the left table. Numbers are big-endian.
pub(crate) struct SubscriptionCodec;

/// Whether there is a value (1) ‖ hash (16) ‖ partition (4) ‖ value. Numbers are big-endian.
pub(crate) struct AnswerCodec;

const HEAD_BYTES: usize = 1 + size_of::<u128>() + size_of::<i32>();

fn write(first: u8, hash: u128, partition: i32, rest: &[u8], out: &mut Vec<u8>) {
    out.push(first);
    out.extend_from_slice(&hash.to_be_bytes());
    out.extend_from_slice(&partition.to_be_bytes());
    out.extend_from_slice(rest);
}

fn read(bytes: &mut Bytes) -> Result<(u8, u128, i32), CodecError> {
    if bytes.len() < HEAD_BYTES {
        return Err(malformed("it ends early"));
    }
    Ok((bytes.get_u8(), bytes.get_u128(), bytes.get_i32()))
}

fn malformed(reason: &str) -> CodecError {
    CodecError::Malformed { expected: "a message of a foreign-key join", reason: reason.to_owned() }
}

impl Codec<Subscription> for SubscriptionCodec {
    fn encode_into(&self, subscription: &Subscription, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let Subscription { instruction, hash, partition, key } = subscription;
        write(*instruction as u8, *hash, *partition, key, out);
        Ok(())
    }

    fn size_hint(&self, subscription: &Subscription) -> usize {
        HEAD_BYTES + subscription.key.len()
    }

    fn decode(&self, mut key: Bytes) -> Result<Subscription, CodecError> {
        let (instruction, hash, partition) = read(&mut key)?;
        let instruction = match instruction {
            0 => Instruction::Delete,
            2 => Instruction::Answer,
            3 => Instruction::AnswerIfFound,
            _ => return Err(malformed("its instruction is unknown")),
        };
        Ok(Subscription { instruction, hash, partition, key })
    }
}

impl Codec<Answer> for AnswerCodec {
    fn encode_into(&self, answer: &Answer, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let Answer { hash, partition, value } = answer;
        write(value.is_some().into(), *hash, *partition, value.as_deref().unwrap_or_default(), out);
        Ok(())
    }

    fn size_hint(&self, answer: &Answer) -> usize {
        HEAD_BYTES + answer.value.as_ref().map_or(0, Bytes::len)
    }

    fn decode(&self, mut value: Bytes) -> Result<Answer, CodecError> {
        let (has_value, hash, partition) = read(&mut value)?;
        Ok(Answer { hash, partition, value: (has_value != 0).then_some(value) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn messages_survive_their_bytes(hash: u128, partition: i32, bytes: Vec<u8>, has_value: bool) {
            let bytes = Bytes::from(bytes);
            let answer = Answer { hash, partition, value: has_value.then(|| bytes.clone()) };
            let encoded = AnswerCodec.encode(&answer).expect("it is valid").expect("it is valid");
            prop_assert_eq!(AnswerCodec.decode(encoded).expect("it is valid"), answer);
            for instruction in [Instruction::Delete, Instruction::Answer, Instruction::AnswerIfFound] {
                let subscription = Subscription { instruction, hash, partition, key: bytes.clone() };
                let encoded = SubscriptionCodec.encode(&subscription).expect("it is valid").expect("it is valid");
                prop_assert_eq!(SubscriptionCodec.decode(encoded).expect("it is valid"), subscription);
            }
        }

        #[test]
        fn any_bytes_decode_or_fail(bytes in prop::collection::vec(any::<u8>(), 0..32)) {
            let _ = (SubscriptionCodec.decode(bytes.clone().into()), AnswerCodec.decode(bytes.into()));
        }
    }
}
