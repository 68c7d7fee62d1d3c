//! Joins of tables by a foreign key (KIP-213).
//!
//! A key of the left table subscribes to its foreign key in the right table's task, which answers with the value that it
//! has now and with each later one. An answer names the left value that subscribed by a hash. The left table's task drops
//! answers to a value that the key no longer has.

mod answer;
mod messages;
mod subscribe;
mod subscriptions;

pub(crate) use answer::ForeignKeyJoin;
pub(crate) use messages::{Answer, AnswerCodec, Subscription, SubscriptionCodec};
pub(crate) use subscribe::{SUBSCRIPTION_PORT, Subscribe};
pub(crate) use subscriptions::{ForeignChange, SUBSCRIPTION_ROW, Subscriptions};

use tidemill_state::{Codec, CodecError};

/// A hash of a value's bytes (FNV-1a with 128 bits).
pub(crate) fn hash<V: 'static>(codec: &dyn Codec<V>, value: &V) -> Result<u128, CodecError> {
    const START: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let bytes = codec.encode(value)?.unwrap_or_default();
    Ok(bytes.iter().fold(START, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME)))
}

#[cfg(test)]
mod tests {
    use tidemill_state::Utf8;

    use super::*;

    #[test]
    fn hashes_are_those_of_fnv() {
        let of = |text: &str| hash(&Utf8, &text.to_owned()).expect("it encodes");
        assert_eq!(of(""), 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        assert_eq!(of("a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
    }
}
