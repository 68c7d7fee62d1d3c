//! A table's updates.

use std::borrow::Cow;

use bytes::{Buf, Bytes};
use tidemill_state::{Codec, CodecError};

/// An update of a table: the value that a key has now, and the value that it had before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change<V> {
    /// `None` deletes the key.
    pub(crate) new: Option<V>,
    /// `None` if there was no value, or if no later step needs it.
    pub(crate) old: Option<V>,
    /// Whether `new` is what the key has now. If not, it is an older version, which came late to a versioned table
    /// (KIP-914).
    pub(crate) is_latest: bool,
}

impl<V> Change<V> {
    /// What a key has now, and what it had before.
    pub(crate) fn latest(new: Option<V>, old: Option<V>) -> Self {
        Self { new, old, is_latest: true }
    }

    /// The change with other values. A missing value stays missing.
    pub(crate) fn map<V2, E>(self, mut map: impl FnMut(V) -> Result<Option<V2>, E>) -> Result<Change<V2>, E> {
        let Self { new, old, is_latest } = self;
        let new = new.map(&mut map).transpose()?.flatten();
        Ok(Change { new, old: old.map(&mut map).transpose()?.flatten(), is_latest })
    }
}

const HAS_NEW: u8 = 1;
const HAS_OLD: u8 = 2;

/// Encodes both values of a change, for repartition topics: flags ‖ length of the new value (4, big-endian) ‖ new value
/// ‖ old value. A change has one record even if it takes away and adds, so that a key is never seen half-way (KIP-904).
/// Only the latest changes are sent on.
pub(crate) struct ChangeCodec<C>(pub(crate) C);

impl<V, C: Codec<V>> Codec<Change<V>> for ChangeCodec<C> {
    fn encode_into(&self, change: &Change<V>, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let start = out.len();
        out.extend_from_slice(&[0; 5]);
        let mut flags = 0;
        if let Some(new) = change.new.as_ref().filter(|new| !self.0.is_null(new)) {
            self.0.encode_into(new, out)?;
            flags |= HAS_NEW;
        }
        let length = u32::try_from(out.len() - start - 5).map_err(|_| CodecError::Malformed {
            expected: "a value of at most 4 GiB",
            reason: "the table's value is larger".into(),
        })?;
        if let Some(old) = change.old.as_ref().filter(|old| !self.0.is_null(old)) {
            self.0.encode_into(old, out)?;
            flags |= HAS_OLD;
        }
        out[start] = flags;
        out[start + 1..start + 5].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    fn size_hint(&self, change: &Change<V>) -> usize {
        let hint = |value: &Option<V>| value.as_ref().map_or(0, |value| self.0.size_hint(value));
        5 + hint(&change.new) + hint(&change.old)
    }

    fn decode(&self, mut bytes: Bytes) -> Result<Change<V>, CodecError> {
        let malformed = |reason: &str| CodecError::Malformed { expected: "a table's change", reason: reason.into() };
        if bytes.len() < 5 {
            return Err(malformed("it has fewer than 5 bytes"));
        }
        let flags = bytes.get_u8();
        let length = bytes.get_u32() as usize;
        if length > bytes.len() || flags > HAS_NEW | HAS_OLD {
            return Err(malformed("its flags or its length cannot be right"));
        }
        let new = bytes.split_to(length);
        let value = |has: bool, bytes: Bytes| has.then(|| self.0.decode(bytes)).transpose();
        Ok(Change::latest(value(flags & HAS_NEW != 0, new)?, value(flags & HAS_OLD != 0, bytes)?))
    }

    fn name(&self) -> Option<Cow<'static, str>> {
        Some(format!("change({})", self.0.name()?).into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tidemill_state::Utf8;

    use super::*;

    proptest! {
        #[test]
        fn changes_survive_their_bytes(new in any::<Option<String>>(), old in any::<Option<String>>()) {
            let change = Change::latest(new, old);
            let bytes = ChangeCodec(Utf8).encode(&change).expect("encodes").expect("no null");
            prop_assert_eq!(ChangeCodec(Utf8).decode(bytes).expect("decodes"), change);
        }

        #[test]
        fn any_bytes_decode_or_fail(bytes in prop::collection::vec(any::<u8>(), 0..16)) {
            let _ = ChangeCodec(Utf8).decode(bytes.into());
        }
    }
}
