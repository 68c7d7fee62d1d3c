//! Values to bytes and back.

mod compound;
mod json;
mod scalar;

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;

pub use compound::{List, Nullable, Pair};
pub use json::Json;
pub use scalar::{BigEndian, Bool, RawBytes, Unit, Utf8};

/// Why bytes are not the value expected, or a value has no bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// There is nothing where a value must be.
    #[error("null where a value must be")]
    Null,
    /// The bytes or the value have another shape.
    #[error("not {expected}: {reason}")]
    Malformed {
        /// What should be there, with its article: "a UTF-8 string".
        expected: &'static str,
        /// How it differs.
        reason: String,
    },
    /// What it takes to decode is on its way: the same bytes decode later. Nobody may give them up for it.
    #[error("it cannot be decoded yet: {reason}")]
    NotYet {
        /// What is missing.
        reason: String,
    },
}

/// Turns values of one type into bytes and back.
///
/// Encoding must be a function of the value alone: keys are compared, partitioned and looked
/// up by their bytes.
pub trait Codec<T>: Send + Sync + 'static {
    /// Appends the value's bytes to `out`. A null appends nothing.
    fn encode_into(&self, value: &T, out: &mut Vec<u8>) -> Result<(), CodecError>;

    /// About how many bytes the value will take, so that memory is asked for once. 0 if that is not known.
    fn size_hint(&self, _value: &T) -> usize {
        0
    }

    /// Whether the value is a null, which has no bytes at all: a tombstone as a record's value.
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

    /// The value that `bytes` stand for.
    fn decode(&self, bytes: Bytes) -> Result<T, CodecError>;

    /// The value that a null stands for, if the type has one.
    fn decode_null(&self) -> Result<T, CodecError> {
        Err(CodecError::Null)
    }

    /// The value of bytes or null.
    fn decode_opt(&self, bytes: Option<Bytes>) -> Result<T, CodecError> {
        match bytes {
            Some(bytes) => self.decode(bytes),
            None => self.decode_null(),
        }
    }

    /// What the bytes are called, to be noted beside what is stored with them: a store whose note names another codec
    /// than reads it now is refused, with the remedy, instead of being read as what it is not.
    ///
    /// Name the layout of the bytes, not the Rust type: `"utf8"`, `"pose-frame/2"`. The name stays as it is for as long
    /// as the codec reads what it wrote, also when types and modules are renamed, which is why nothing is made up here
    /// out of the type's name. `None`, the default, is not compared.
    fn name(&self) -> Option<Cow<'static, str>> {
        None
    }

    /// The part of an encoded key that chooses its partition: what it begins with. Windowed keys leave out their window,
    /// which comes last. A step that erases a key takes out all keys that have it as this part.
    fn partition_bytes<'a>(&self, encoded: &'a [u8]) -> &'a [u8] {
        encoded
    }
}

/// A type with a codec of its own, used where none is named.
pub trait Coded: Sized + Send + 'static {
    /// The codec.
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
