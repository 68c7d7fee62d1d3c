//! The encoding of a key with its session, as Java writes it.

use std::borrow::Cow;

use bytes::Bytes;
use tidemill_state::{Codec, CodecError};

use super::{Window, Windowed, window::split_bounds};

/// The encoding of a key with its session: the inner key's bytes, then end and start as eight bytes each
/// (`SessionWindowedSerializer` in Kafka Streams). Programs on the JVM can read it and write it.
///
/// Records are partitioned by the inner key. Use the codec for the topics of sessions, with
/// [`Produced::with`](crate::Produced::with) and [`Consumed::with`](crate::Consumed::with). Without it, a topic has the
/// bytes of [`WindowedCodec`](super::WindowedCodec), with the start before the end.
///
/// ```
/// use tidemill::{SessionWindowedCodec, Window, Windowed, state::{Codec, Utf8}};
///
/// let codec = SessionWindowedCodec::new(Utf8);
/// let key = Windowed { key: "ann".to_owned(), window: Window { start: 1, end: 2 } };
/// let bytes = codec.encode(&key)?.expect("a windowed key is never null");
/// assert_eq!(&bytes[..], b"ann\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x01");
/// assert_eq!(codec.partition_bytes(&bytes), b"ann");
/// assert_eq!(codec.decode(bytes)?, key);
/// # Ok::<(), tidemill::state::CodecError>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct SessionWindowedCodec<C>(C);

impl<C> SessionWindowedCodec<C> {
    /// Wraps the inner key's codec. See the example of [`SessionWindowedCodec`].
    pub const fn new(inner: C) -> Self {
        Self(inner)
    }
}

impl<K, C: Codec<K>> Codec<Windowed<K>> for SessionWindowedCodec<C> {
    fn encode_into(&self, value: &Windowed<K>, out: &mut Vec<u8>) -> Result<(), CodecError> {
        self.0.encode_into(&value.key, out)?;
        out.extend_from_slice(&value.window.end.to_be_bytes());
        out.extend_from_slice(&value.window.start.to_be_bytes());
        Ok(())
    }

    fn size_hint(&self, value: &Windowed<K>) -> usize {
        self.0.size_hint(&value.key) + super::window::BOUNDS
    }

    fn decode(&self, bytes: Bytes) -> Result<Windowed<K>, CodecError> {
        let (key, [end, start]) = split_bounds(&bytes)?;
        Ok(Windowed { key: self.0.decode(key)?, window: Window { start, end } })
    }

    fn name(&self) -> Option<Cow<'static, str>> {
        Some(format!("session-windowed({})", self.0.name()?).into())
    }

    fn partition_bytes<'a>(&self, encoded: &'a [u8]) -> &'a [u8] {
        self.0.partition_bytes(&encoded[..encoded.len().saturating_sub(super::window::BOUNDS)])
    }
}
