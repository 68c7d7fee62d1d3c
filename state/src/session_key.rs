//! Keys of sessions: one layout for stores and one for changelogs.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::CodecError;
use crate::window_key::{END_OF_KEY, put_escaped, unescape};

const BOUNDS_LEN: usize = 16;

/// One session of one key. Stores and changelogs lay it out differently.
///
/// ```
/// use tidemill_state::SessionKey;
///
/// let session = SessionKey { key: "ann".into(), end: 2, start: 1 };
/// let local = session.encode_local();
/// assert_eq!(&local[..], b"ann\0\0\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x01", "sorted by key first");
/// let changelog = session.encode_changelog();
/// assert_eq!(&changelog[..], b"ann\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x01", "as Kafka Streams writes it");
/// assert_eq!(SessionKey::local_to_changelog(&local)?, changelog);
/// assert_eq!(SessionKey::decode_local(local)?, session);
/// assert_eq!(SessionKey::decode_changelog(changelog)?, session);
/// # Ok::<(), tidemill_state::CodecError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
    /// The record key.
    pub key: Bytes,
    /// The timestamp of the session's last record, in milliseconds since the epoch; never negative.
    pub end: i64,
    /// The timestamp of the session's first record, in milliseconds since the epoch; never negative.
    pub start: i64,
}

impl SessionKey {
    /// The key inside a store: escaped key ‖ 00 00 ‖ end ‖ start, where 00 in the key becomes 00 FF.
    ///
    /// Bytes therefore sort by key, then end, then start, and no other key lies between the sessions of one key. See the
    /// example of [`SessionKey`].
    pub fn encode_local(&self) -> Bytes {
        encode_local(&self.key, self.end, self.start)
    }

    /// Reads a store's key. The record key shares the bytes unless it was escaped. See the example of [`SessionKey`].
    pub fn decode_local(mut bytes: Bytes) -> Result<Self, CodecError> {
        let Some((escaped, end, start)) = split_local(&bytes) else {
            return Err(malformed(&bytes));
        };
        if escaped.contains(&0) {
            let key = unescape(escaped).ok_or_else(|| malformed(&bytes))?;
            return Ok(Self { key, end, start });
        }
        bytes.truncate(escaped.len());
        Ok(Self { key: bytes, end, start })
    }

    /// The key of a changelog record: key ‖ end ‖ start, as Kafka Streams lays it out. See the example of
    /// [`SessionKey`].
    pub fn encode_changelog(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.key.len() + BOUNDS_LEN);
        out.put_slice(&self.key);
        out.put_i64(self.end);
        out.put_i64(self.start);
        out.freeze()
    }

    /// Encodes the changelog key from a store's key: [`decode_local`](Self::decode_local) followed by
    /// [`encode_changelog`](Self::encode_changelog). See the example of [`SessionKey`].
    pub fn local_to_changelog(local: &Bytes) -> Result<Bytes, CodecError> {
        Self::decode_local(local.clone()).map(|session| session.encode_changelog())
    }

    /// Reads a changelog record's key. The record key shares the bytes. See the example of [`SessionKey`].
    pub fn decode_changelog(mut bytes: Bytes) -> Result<Self, CodecError> {
        let Some(key_len) = bytes.len().checked_sub(BOUNDS_LEN) else {
            return Err(malformed(&bytes));
        };
        let mut bounds = bytes.split_off(key_len);
        Ok(Self { key: bytes, end: bounds.get_i64(), start: bounds.get_i64() })
    }
}

/// As [`SessionKey::encode_local`], for borrowed parts.
pub(crate) fn encode_local(key: &[u8], end: i64, start: i64) -> Bytes {
    debug_assert!(start >= 0 && end >= 0, "sessions start at the epoch or later");
    let mut out = Vec::with_capacity(key.len() + END_OF_KEY.len() + BOUNDS_LEN);
    put_escaped(key, &mut out);
    out.extend_from_slice(&END_OF_KEY);
    out.extend_from_slice(&end.to_be_bytes());
    out.extend_from_slice(&start.to_be_bytes());
    Bytes::from(out)
}

fn split_local(bytes: &[u8]) -> Option<(&[u8], i64, i64)> {
    let (rest, start) = bytes.split_last_chunk()?;
    let (rest, end) = rest.split_last_chunk()?;
    Some((rest.strip_suffix(&END_OF_KEY)?, i64::from_be_bytes(*end), i64::from_be_bytes(*start)))
}

fn malformed(bytes: &[u8]) -> CodecError {
    CodecError::Malformed { expected: "the key of a session", reason: format!("it is {bytes:02x?}") }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn session_key() -> impl Strategy<Value = SessionKey> {
        // Few distinct bytes, so that keys are often prefixes of each other and hold zeros.
        let key = vec(prop::sample::select(vec![0u8, 1, 0xfe, 0xff]), 0..6);
        (key, 0..3i64, 0..3i64).prop_map(|(key, end, start)| SessionKey { key: key.into(), end: end * 255, start })
    }

    proptest! {
        #[test]
        fn keys_survive_both_layouts(key in session_key()) {
            prop_assert_eq!(&SessionKey::decode_local(key.encode_local()).unwrap(), &key);
            prop_assert_eq!(&SessionKey::decode_changelog(key.encode_changelog()).unwrap(), &key);
            prop_assert_eq!(SessionKey::local_to_changelog(&key.encode_local()).unwrap(), key.encode_changelog());
        }

        #[test]
        fn bytes_sort_as_key_end_start(left in session_key(), right in session_key()) {
            prop_assert_eq!(left.encode_local().cmp(&right.encode_local()), left.cmp(&right));
        }

        #[test]
        fn any_bytes_decode_or_fail(bytes in vec(any::<u8>(), 0..32)) {
            let _ = SessionKey::decode_local(bytes.clone().into());
            let _ = SessionKey::decode_changelog(bytes.into());
        }
    }
}
