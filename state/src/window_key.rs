//! Keys of windows: one layout for stores and one for changelogs.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::CodecError;

const START_LEN: usize = 8;
/// Ends the escaped key in a store's key.
pub(crate) const END_OF_KEY: [u8; 2] = [0, 0];
const SEQ_LEN: usize = 4;

/// One row of one key's window. Stores and changelogs lay it out differently.
///
/// ```
/// use tidemill_state::WindowKey;
///
/// let key = WindowKey { start: 1, key: "ann".into(), seq: 2 };
/// let local = key.encode_local();
/// assert_eq!(&local[..], b"\0\0\0\0\0\0\0\x01ann\0\0\0\0\0\x02", "sorted by start first");
/// assert_eq!(&key.encode_changelog()[..], b"ann\0\0\0\0\0\0\0\x01\0\0\0\x02", "as Kafka Streams writes it");
/// assert_eq!(WindowKey::local_to_changelog(&local)?, key.encode_changelog());
/// assert_eq!(WindowKey::decode_local(local)?, key);
/// assert_eq!(WindowKey::decode_changelog(key.encode_changelog())?, key);
/// # Ok::<(), tidemill_state::CodecError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowKey {
    /// When the window starts, in milliseconds since the epoch; never negative.
    pub start: i64,
    /// The record key.
    pub key: Bytes,
    /// 0 for the single value of a window, or the position of an element in a collected window.
    pub seq: u32,
}

impl WindowKey {
    /// The key inside a store: start ‖ escaped key ‖ 00 00 ‖ seq, where 00 in the key becomes 00 FF.
    ///
    /// Bytes therefore sort by start, then key, then seq: expiry drops a prefix of the store, and the rows of one key
    /// in one window are adjacent. See the example of [`WindowKey`].
    pub fn encode_local(&self) -> Bytes {
        encode_local(self.start, &self.key, self.seq)
    }

    /// Reads a store's key. The record key shares the bytes unless it was escaped. See the example of [`WindowKey`].
    pub fn decode_local(mut bytes: Bytes) -> Result<Self, CodecError> {
        let Some((start, escaped, seq)) = split_local(&bytes) else {
            return Err(malformed(&bytes));
        };
        if escaped.contains(&0) {
            let key = unescape(escaped).ok_or_else(|| malformed(&bytes))?;
            return Ok(Self { start, key, seq });
        }
        bytes.truncate(START_LEN + escaped.len());
        bytes.advance(START_LEN);
        Ok(Self { start, key: bytes, seq })
    }

    /// The key of a changelog record: key ‖ start ‖ seq, as Kafka Streams lays it out. See the example of
    /// [`WindowKey`].
    pub fn encode_changelog(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.key.len() + START_LEN + SEQ_LEN);
        out.put_slice(&self.key);
        out.put_i64(self.start);
        out.put_u32(self.seq);
        out.freeze()
    }

    /// Encodes the changelog key directly from a store's key: [`decode_local`](Self::decode_local) followed by
    /// [`encode_changelog`](Self::encode_changelog). See the example of [`WindowKey`].
    pub fn local_to_changelog(local: &Bytes) -> Result<Bytes, CodecError> {
        match split_local(local) {
            Some((start, key, seq)) if !key.contains(&0) => {
                let mut out = Vec::with_capacity(key.len() + START_LEN + SEQ_LEN);
                out.extend_from_slice(key);
                out.extend_from_slice(&start.to_be_bytes());
                out.extend_from_slice(&seq.to_be_bytes());
                Ok(Bytes::from(out))
            }
            _ => Self::decode_local(local.clone()).map(|key| key.encode_changelog()),
        }
    }

    /// Reads a changelog record's key. The record key shares the bytes. See the example of [`WindowKey`].
    pub fn decode_changelog(mut bytes: Bytes) -> Result<Self, CodecError> {
        let Some((key_len, start, seq)) = split_changelog(&bytes) else {
            return Err(malformed(&bytes));
        };
        bytes.truncate(key_len);
        Ok(Self { start, key: bytes, seq })
    }
}

/// As [`WindowKey::encode_local`], for borrowed parts.
pub(crate) fn encode_local(start: i64, key: &[u8], seq: u32) -> Bytes {
    let mut out = Vec::with_capacity(START_LEN + key.len() + END_OF_KEY.len() + SEQ_LEN);
    put_prefix(start, key, &mut out);
    out.extend_from_slice(&seq.to_be_bytes());
    Bytes::from(out)
}

/// Appends the common prefix of all rows of one key in one window.
pub(crate) fn put_prefix(start: i64, key: &[u8], out: &mut Vec<u8>) {
    put_open_prefix(start, key, out);
    out.extend_from_slice(&END_OF_KEY);
}

/// Appends what all rows begin with whose window starts there and whose key begins with `key`.
pub(crate) fn put_open_prefix(start: i64, key: &[u8], out: &mut Vec<u8>) {
    debug_assert!(start >= 0, "windows start at the epoch or later");
    out.extend_from_slice(&start.to_be_bytes());
    put_escaped(key, out);
}

/// Appends a key in which 00 becomes 00 FF: keys then sort as before, and none begins with another and 00 00.
pub(crate) fn put_escaped(key: &[u8], out: &mut Vec<u8>) {
    for (index, part) in key.split(|byte| *byte == 0).enumerate() {
        if index > 0 {
            out.extend_from_slice(&[0, 0xff]);
        }
        out.extend_from_slice(part);
    }
}

/// The lower bound of all rows of windows that start at `start` or later.
pub(crate) fn start_prefix(start: i64) -> [u8; START_LEN] {
    start.max(0).to_be_bytes()
}

/// The start of a local key's window, if the key is valid.
pub(crate) fn start_of(local: &[u8]) -> Option<i64> {
    local.first_chunk().map(|start| i64::from_be_bytes(*start))
}

fn split_local(bytes: &[u8]) -> Option<(i64, &[u8], u32)> {
    let (start, rest) = bytes.split_first_chunk()?;
    let (rest, seq) = rest.split_last_chunk()?;
    let escaped = rest.strip_suffix(&END_OF_KEY)?;
    Some((i64::from_be_bytes(*start), escaped, u32::from_be_bytes(*seq)))
}

fn split_changelog(bytes: &[u8]) -> Option<(usize, i64, u32)> {
    let (rest, seq) = bytes.split_last_chunk()?;
    let (key, start) = rest.split_last_chunk()?;
    Some((key.len(), i64::from_be_bytes(*start), u32::from_be_bytes(*seq)))
}

/// Reads what [`put_escaped`] wrote.
pub(crate) fn unescape(escaped: &[u8]) -> Option<Bytes> {
    let mut key = Vec::with_capacity(escaped.len());
    let mut bytes = escaped.iter();
    while let Some(byte) = bytes.next() {
        if *byte == 0 && bytes.next() != Some(&0xff) {
            return None;
        }
        key.push(*byte);
    }
    Some(Bytes::from(key))
}

fn malformed(bytes: &[u8]) -> CodecError {
    CodecError::Malformed { expected: "a window key", reason: format!("it is {bytes:02x?}") }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn window_key() -> impl Strategy<Value = WindowKey> {
        // Few distinct bytes, so that keys are often prefixes of each other and hold zeros.
        let key = vec(prop::sample::select(vec![0u8, 1, 0xfe, 0xff]), 0..6);
        (0..3i64, key, 0..3u32).prop_map(|(start, key, seq)| WindowKey { start: start * 255, key: key.into(), seq })
    }

    proptest! {
        #[test]
        fn keys_survive_both_layouts(key in window_key()) {
            prop_assert_eq!(&WindowKey::decode_local(key.encode_local()).unwrap(), &key);
            prop_assert_eq!(&WindowKey::decode_changelog(key.encode_changelog()).unwrap(), &key);
            prop_assert_eq!(WindowKey::local_to_changelog(&key.encode_local()).unwrap(), key.encode_changelog());
        }

        #[test]
        fn bytes_sort_as_start_key_seq(left in window_key(), right in window_key()) {
            prop_assert_eq!(left.encode_local().cmp(&right.encode_local()), left.cmp(&right));
        }

        #[test]
        fn any_bytes_decode_or_fail(bytes in vec(any::<u8>(), 0..24)) {
            if let Ok(key) = WindowKey::decode_local(bytes.clone().into()) {
                prop_assert_eq!(key.start, i64::from_be_bytes(bytes[..8].try_into().unwrap()));
            }
            let _ = WindowKey::decode_changelog(bytes.into());
        }
    }

    #[test]
    fn layouts() {
        let key = WindowKey { start: 1, key: Bytes::from_static(b"a\0"), seq: 2 };
        assert_eq!(key.encode_local(), &b"\0\0\0\0\0\0\0\x01a\0\xff\0\0\0\0\0\x02"[..]);
        assert_eq!(key.encode_changelog(), &b"a\0\0\0\0\0\0\0\0\x01\0\0\0\x02"[..]);
    }
}
