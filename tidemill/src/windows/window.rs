//! A window, and the encoding of a key with its window.

use std::borrow::Cow;

use bytes::Bytes;
use tidemill_state::{Codec, CodecError, Coded};

/// The bounds of a window in event time, in milliseconds since the epoch (`Window` in Kafka Streams). `start` is
/// inclusive. `end` is exclusive. It is inclusive for [`SlidingWindows`](super::SlidingWindows) and for sessions, where
/// it is the timestamp of the last record. See the example of
/// [`TimeWindows::windows_for`](super::TimeWindows::windows_for).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Window {
    /// First millisecond of the window.
    pub start: i64,
    /// First millisecond after the window; of a sliding window and of a session, its last millisecond.
    pub end: i64,
}

/// A key and the window that its value belongs to (`Windowed` in Kafka Streams). Windowed results have such keys.
///
/// ```
/// # use std::time::Duration;
/// # use tidemill::{TimeWindows, Window, Windowed};
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
/// builder.stream::<u64, String>("chat").group_by_key().windowed_by(minutes).count("counts").to_stream().to("counts");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// driver.input::<u64, String>("chat").pipe(7, "hi".into(), 90_000)?;
/// let (windowed, count, _) = driver.output::<Windowed<u64>, i64>("counts").read()?.remove(0);
/// assert_eq!(windowed, Windowed { key: 7, window: Window { start: 60_000, end: 120_000 } });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Windowed<K> {
    /// The grouping key.
    pub key: K,
    /// The window.
    pub window: Window,
}

/// The encoding of a windowed key: the inner key's bytes, then start and end as eight bytes each.
///
/// Records are partitioned by the inner key. A windowed record therefore stays in the partition of its inner key. Kafka
/// Streams writes only the start, and its readers must be told the size: [`TimeWindowedCodec`](super::TimeWindowedCodec)
/// does that, for topics that programs on the JVM share.
///
/// ```
/// use tidemill::{Window, Windowed, WindowedCodec, state::{Codec, Utf8}};
///
/// let codec = WindowedCodec::new(Utf8);
/// let key = Windowed { key: "ann".to_owned(), window: Window { start: 60_000, end: 120_000 } };
/// let bytes = codec.encode(&key)?.expect("a windowed key is never null");
/// assert_eq!(bytes.len(), 3 + 8 + 8);
/// assert_eq!(codec.partition_bytes(&bytes), b"ann");
/// assert_eq!(codec.decode(bytes)?, key);
/// # Ok::<(), tidemill::state::CodecError>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct WindowedCodec<C>(C);

impl<C> WindowedCodec<C> {
    /// Wraps the inner key's codec. See the example of [`WindowedCodec`].
    pub const fn new(inner: C) -> Self {
        Self(inner)
    }
}

/// The bytes of a window's bounds.
pub(super) const BOUNDS: usize = 16;

/// Splits an encoded windowed key into the inner key and the two bounds after it.
pub(super) fn split_bounds(bytes: &Bytes) -> Result<(Bytes, [i64; 2]), CodecError> {
    let split = bytes.len().checked_sub(BOUNDS).ok_or_else(|| CodecError::Malformed {
        expected: "a windowed key",
        reason: format!("it has {} bytes, but the window's bounds alone take {BOUNDS}", bytes.len()),
    })?;
    let bound = |at: usize| {
        let mut raw = [0; 8];
        raw.copy_from_slice(&bytes[at..at + 8]);
        i64::from_be_bytes(raw)
    };
    Ok((bytes.slice(..split), [bound(split), bound(split + 8)]))
}

impl<K, C: Codec<K>> Codec<Windowed<K>> for WindowedCodec<C> {
    fn encode_into(&self, value: &Windowed<K>, out: &mut Vec<u8>) -> Result<(), CodecError> {
        self.0.encode_into(&value.key, out)?;
        out.extend_from_slice(&value.window.start.to_be_bytes());
        out.extend_from_slice(&value.window.end.to_be_bytes());
        Ok(())
    }

    fn size_hint(&self, value: &Windowed<K>) -> usize {
        self.0.size_hint(&value.key) + BOUNDS
    }

    fn decode(&self, bytes: Bytes) -> Result<Windowed<K>, CodecError> {
        let (key, [start, end]) = split_bounds(&bytes)?;
        Ok(Windowed { key: self.0.decode(key)?, window: Window { start, end } })
    }

    fn name(&self) -> Option<Cow<'static, str>> {
        Some(format!("windowed({})", self.0.name()?).into())
    }

    fn partition_bytes<'a>(&self, encoded: &'a [u8]) -> &'a [u8] {
        self.0.partition_bytes(&encoded[..encoded.len().saturating_sub(BOUNDS)])
    }
}

impl<K: Coded> Coded for Windowed<K> {
    type Codec = WindowedCodec<K::Codec>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windowed_keys_are_partitioned_by_their_inner_key() {
        let codec = <Windowed<String> as Coded>::Codec::default();
        let key = Windowed { key: "stream-1".to_owned(), window: Window { start: 60_000, end: 120_000 } };
        let bytes = codec.encode(&key).expect("encodes").expect("not null");
        assert_eq!(codec.partition_bytes(&bytes), b"stream-1");
        assert_eq!(codec.decode(bytes).expect("decodes"), key);
    }
}
