//! Codecs: they turn values into bytes and back.

mod compound;
mod json;
mod scalar;

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;

pub use compound::{List, Nullable, Pair};
pub use json::Json;
pub use scalar::{BigEndian, Bool, RawBytes, Unit, Utf8};

/// Why bytes do not decode to a value, or a value does not encode.
///
/// ```
/// use tidemill_state::{BigEndian, Codec, CodecError};
///
/// let error = Codec::<i64>::decode(&BigEndian, "123".into()).unwrap_err();
/// assert_eq!(error.to_string(), "not an 8-byte integer: it has 3 bytes");
/// assert_eq!(Codec::<i64>::decode_opt(&BigEndian, None), Err(CodecError::Null));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// A null where the type has no null.
    #[error("a null is not allowed here")]
    Null,
    /// The bytes or the value have an invalid shape.
    #[error("not {expected}: {reason}")]
    Malformed {
        /// The expected value, with its article: "a UTF-8 string".
        expected: &'static str,
        /// How the actual value differs.
        reason: String,
    },
    /// The decoder needs something that has not arrived yet: the same bytes decode later. Do not skip or discard them.
    #[error("it cannot be decoded yet: {reason}")]
    NotYet {
        /// What is missing.
        reason: String,
    },
}

/// Turns values of one type into bytes and back (`Serde` in Kafka).
///
/// Encoding must depend only on the value, because keys are compared, partitioned and looked up by their bytes. Only
/// [`encode_into`](Self::encode_into) and [`decode`](Self::decode) are mandatory. A type for which
/// [`is_null`](Self::is_null) may be true also needs [`decode_null`](Self::decode_null).
///
/// ```
/// use std::borrow::Cow;
/// use bytes::Bytes;
/// use tidemill_state::{Codec, CodecError, Coded};
///
/// /// The color of a pixel, in three bytes.
/// #[derive(Debug, Clone, PartialEq)]
/// struct Color([u8; 3]);
///
/// #[derive(Default)]
/// struct ColorCodec;
///
/// impl Codec<Color> for ColorCodec {
///     fn encode_into(&self, color: &Color, out: &mut Vec<u8>) -> Result<(), CodecError> {
///         out.extend_from_slice(&color.0);
///         Ok(())
///     }
///     fn decode(&self, bytes: Bytes) -> Result<Color, CodecError> {
///         let reason = format!("it has {} bytes", bytes.len());
///         let color = bytes.as_ref().try_into().map(Color);
///         color.map_err(|_| CodecError::Malformed { expected: "a color", reason })
///     }
///     fn name(&self) -> Option<Cow<'static, str>> {
///         Some("color".into())
///     }
/// }
///
/// // With this, the type needs no codec at each step.
/// impl Coded for Color {
///     type Codec = ColorCodec;
/// }
///
/// let bytes = ColorCodec.encode(&Color([1, 2, 3]))?.expect("a color is never null");
/// assert_eq!(ColorCodec.decode(bytes)?, Color([1, 2, 3]));
/// assert_eq!(ColorCodec.decode("?".into()).unwrap_err().to_string(), "not a color: it has 1 bytes");
/// # Ok::<(), tidemill_state::CodecError>(())
/// ```
pub trait Codec<T>: Send + Sync + 'static {
    /// Appends the value's bytes to `out`. A null appends nothing.
    fn encode_into(&self, value: &T, out: &mut Vec<u8>) -> Result<(), CodecError>;

    /// The approximate number of bytes of the encoded value, for one allocation. The default 0 means unknown.
    fn size_hint(&self, _value: &T) -> usize {
        0
    }

    /// Whether the value is a null. A null has no bytes: as a record's value it is a tombstone.
    fn is_null(&self, _value: &T) -> bool {
        false
    }

    /// The value's bytes, or `None` for a null.
    fn encode(&self, value: &T) -> Result<Option<Bytes>, CodecError> {
        if self.is_null(value) {
            return Ok(None);
        }
        let mut out = Vec::with_capacity(self.size_hint(value));
        self.encode_into(value, &mut out)?;
        Ok(Some(Bytes::from(out)))
    }

    /// Decodes a value from `bytes`.
    fn decode(&self, bytes: Bytes) -> Result<T, CodecError>;

    /// The value of a null, if the type has one. The default is [`CodecError::Null`].
    fn decode_null(&self) -> Result<T, CodecError> {
        Err(CodecError::Null)
    }

    /// Decodes a value from bytes or a null.
    fn decode_opt(&self, bytes: Option<Bytes>) -> Result<T, CodecError> {
        match bytes {
            Some(bytes) => self.decode(bytes),
            None => self.decode_null(),
        }
    }

    /// The name of the encoding. Stores keep the name beside their rows. If a store's rows have another codec name, the
    /// store refuses to open, and the error says how to fix this.
    ///
    /// Name the layout of the bytes, not the Rust type: `"utf8"`, `"pose-frame/2"`. Keep the name as long as the codec
    /// reads the bytes that it wrote, even if types and modules are renamed; for this reason the name is not derived
    /// from the type. The default `None` is not compared.
    fn name(&self) -> Option<Cow<'static, str>> {
        None
    }

    /// The part of an encoded key that chooses its partition: what it begins with. Windowed keys leave out their window,
    /// which comes last. A step that erases a key takes out all keys that have it as this part.
    fn partition_bytes<'a>(&self, encoded: &'a [u8]) -> &'a [u8] {
        encoded
    }
}

/// A type with a default codec, used where no codec is given (`default.key.serde` in Kafka Streams, here by type). For
/// serde types, [`json_coded!`](crate::json_coded) implements it. See the example of [`Codec`].
#[diagnostic::on_unimplemented(
    note = "for a type of serde, write `tidemill::state::json_coded!({Self});`, or name a codec, as in `Consumed::with`"
)]
pub trait Coded: Sized + Send + 'static {
    /// The default codec of the type.
    type Codec: Codec<Self> + Default;
}

impl<T, C> Codec<T> for Arc<C>
where
    T: 'static,
    C: Codec<T> + ?Sized,
{
    fn encode_into(&self, value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
        (**self).encode_into(value, out)
    }

    fn size_hint(&self, value: &T) -> usize {
        (**self).size_hint(value)
    }

    fn is_null(&self, value: &T) -> bool {
        (**self).is_null(value)
    }

    fn encode(&self, value: &T) -> Result<Option<Bytes>, CodecError> {
        (**self).encode(value)
    }

    fn decode(&self, bytes: Bytes) -> Result<T, CodecError> {
        (**self).decode(bytes)
    }

    fn decode_null(&self) -> Result<T, CodecError> {
        (**self).decode_null()
    }

    fn name(&self) -> Option<Cow<'static, str>> {
        (**self).name()
    }

    fn partition_bytes<'a>(&self, encoded: &'a [u8]) -> &'a [u8] {
        (**self).partition_bytes(encoded)
    }
}
