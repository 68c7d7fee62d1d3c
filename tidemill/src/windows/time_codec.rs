//! The encoding of a key with its window, as Java writes it.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use tidemill_state::{Codec, CodecError};

use super::{Window, Windowed};
use crate::clock::millis;

/// The encoding of a key with a window of a known size: the inner key's bytes, then the window's start as eight bytes
/// (`TimeWindowedSerializer` and `TimeWindowedDeserializer` in Kafka Streams). Programs on the JVM can read it and write
/// it.
///
/// The end is not written: a reader adds the size to the start. For [`SlidingWindows`](super::SlidingWindows), the size
/// is the time difference, because the end is inclusive. A writer and its readers must be told the same size.
///
/// Records are partitioned by the inner key. Use the codec for the topics of windows, with
/// [`Produced::with`](crate::Produced::with) and [`Consumed::with`](crate::Consumed::with). Without it, a topic has the
/// bytes of [`WindowedCodec`](super::WindowedCodec), with both bounds. For sessions there is
/// [`SessionWindowedCodec`](super::SessionWindowedCodec).
///
/// ```
/// use std::time::Duration;
/// use tidemill::{TimeWindowedCodec, Window, Windowed, state::{Codec, Utf8}};
///
/// let codec = TimeWindowedCodec::new(Utf8, Duration::from_secs(60));
/// let key = Windowed { key: "ann".to_owned(), window: Window { start: 60_000, end: 120_000 } };
/// let bytes = codec.encode(&key)?.expect("a windowed key is never null");
/// assert_eq!(&bytes[..], b"ann\0\0\0\0\0\0\xea\x60");
/// assert_eq!(codec.partition_bytes(&bytes), b"ann");
/// assert_eq!(codec.decode(bytes)?, key);
/// # Ok::<(), tidemill::state::CodecError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct TimeWindowedCodec<C> {
    inner: C,
    size_ms: i64,
}

impl<C> TimeWindowedCodec<C> {
    /// Wraps the inner key's codec, for windows of a size, which is cut to milliseconds. See the example of
    /// [`TimeWindowedCodec`].
    pub fn new(inner: C, size: Duration) -> Self {
        Self { inner, size_ms: millis(size) }
    }
}

/// The bytes of a window's start.
const START: usize = 8;

impl<K, C: Codec<K>> Codec<Windowed<K>> for TimeWindowedCodec<C> {
    fn encode_into(&self, value: &Windowed<K>, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let Window { start, end } = value.window;
        if end != start.saturating_add(self.size_ms) {
            return Err(CodecError::Malformed {
                expected: "a window of the size that the codec was given",
                reason: format!("the window from {start} to {end} is not {} ms long", self.size_ms),
            });
        }
        self.inner.encode_into(&value.key, out)?;
        out.extend_from_slice(&start.to_be_bytes());
        Ok(())
    }

    fn size_hint(&self, value: &Windowed<K>) -> usize {
        self.inner.size_hint(&value.key) + START
    }

    fn decode(&self, bytes: Bytes) -> Result<Windowed<K>, CodecError> {
        let Some((key, start)) = bytes.split_last_chunk::<START>() else {
            return Err(CodecError::Malformed {
                expected: "a windowed key",
                reason: format!("it has {} bytes, but the window's start alone takes {START}", bytes.len()),
            });
        };
        let start = i64::from_be_bytes(*start);
        let window = Window { start, end: start.saturating_add(self.size_ms) };
        Ok(Windowed { key: self.inner.decode(bytes.slice(..key.len()))?, window })
    }

    fn name(&self) -> Option<Cow<'static, str>> {
        Some(format!("time-windowed({},{})", self.inner.name()?, self.size_ms).into())
    }

    fn partition_bytes<'a>(&self, encoded: &'a [u8]) -> &'a [u8] {
        self.inner.partition_bytes(&encoded[..encoded.len().saturating_sub(START)])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tidemill_state::Utf8;

    use super::*;

    fn minutes() -> TimeWindowedCodec<Utf8> {
        TimeWindowedCodec::new(Utf8, Duration::from_secs(60))
    }

    proptest! {
        #[test]
        fn keys_survive_their_bytes(key in ".*", start in 0..i64::MAX) {
            let key = Windowed { key, window: Window { start, end: start.saturating_add(60_000) } };
            let bytes = minutes().encode(&key).expect("encodes").expect("no null");
            prop_assert_eq!(bytes.len(), key.key.len() + 8);
            prop_assert_eq!(minutes().partition_bytes(&bytes), key.key.as_bytes());
            prop_assert_eq!(minutes().decode(bytes).expect("decodes"), key);
        }

        #[test]
        fn any_bytes_decode_or_fail(bytes in prop::collection::vec(any::<u8>(), 0..16)) {
            let _ = minutes().decode(bytes.into());
        }
    }

    #[test]
    fn a_window_of_another_size_is_refused() {
        let key = Windowed { key: "a".to_owned(), window: Window { start: 0, end: 1 } };
        let error = minutes().encode(&key).expect_err("it is refused").to_string();
        assert!(error.contains("is not 60000 ms long"), "{error}");
    }
}
