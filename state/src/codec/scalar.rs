//! Codecs of single values. The bytes are equal to those of Kafka's Java serializers.

use std::borrow::Cow;

use bytes::Bytes;

use crate::{Codec, CodecError, Coded};

/// Strings as UTF-8, as `StringSerializer` of Kafka writes them.
///
/// ```
/// use tidemill_state::{Codec, Utf8};
///
/// assert_eq!(Utf8.encode(&"né".to_owned())?.as_deref(), Some(&b"n\xc3\xa9"[..]));
/// assert!(Utf8.decode(b"\xff".as_slice().into()).is_err());
/// # Ok::<(), tidemill_state::CodecError>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Utf8;

impl Codec<String> for Utf8 {
    fn encode_into(&self, value: &String, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.extend_from_slice(value.as_bytes());
        Ok(())
    }

    fn size_hint(&self, value: &String) -> usize {
        value.len()
    }

    fn encode(&self, value: &String) -> Result<Option<Bytes>, CodecError> {
        Ok(Some(Bytes::copy_from_slice(value.as_bytes())))
    }

    fn decode(&self, bytes: Bytes) -> Result<String, CodecError> {
        match str::from_utf8(&bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(CodecError::Malformed { expected: "a UTF-8 string", reason: error.to_string() }),
        }
    }

    fn name(&self) -> Option<Cow<'static, str>> {
        Some("utf8".into())
    }
}

/// Bytes without a change. Encoding shares them and does not copy. `ByteArraySerializer` of Kafka writes the same.
///
/// ```
/// use tidemill_state::{Codec, RawBytes};
///
/// assert_eq!(RawBytes.encode(&"any".into())?.as_deref(), Some(&b"any"[..]));
/// # Ok::<(), tidemill_state::CodecError>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct RawBytes;

impl Codec<Bytes> for RawBytes {
    fn encode_into(&self, value: &Bytes, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.extend_from_slice(value);
        Ok(())
    }

    fn size_hint(&self, value: &Bytes) -> usize {
        value.len()
    }

    fn encode(&self, value: &Bytes) -> Result<Option<Bytes>, CodecError> {
        Ok(Some(value.clone()))
    }

    fn decode(&self, bytes: Bytes) -> Result<Bytes, CodecError> {
        Ok(bytes)
    }

    fn name(&self) -> Option<Cow<'static, str>> {
        Some("bytes".into())
    }
}

/// Numbers with the most significant byte first, as `LongSerializer`, `IntegerSerializer`, `DoubleSerializer` and
/// `FloatSerializer` of Kafka write them.
///
/// Negative numbers sort after positive numbers, as with Kafka's Java serializers.
///
/// ```
/// use tidemill_state::{BigEndian, Codec};
///
/// let bytes = |number: i64| BigEndian.encode(&number).map(|bytes| bytes.expect("a number is never null"));
/// assert_eq!(&bytes(1)?[..], [0, 0, 0, 0, 0, 0, 0, 1]);
/// assert!(bytes(-1)? > bytes(1)?);
/// # Ok::<(), tidemill_state::CodecError>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct BigEndian;

macro_rules! big_endian {
    ($($type:ty, $expected:literal;)*) => {$(
        impl Codec<$type> for BigEndian {
            fn encode_into(&self, value: &$type, out: &mut Vec<u8>) -> Result<(), CodecError> {
                out.extend_from_slice(&value.to_be_bytes());
                Ok(())
            }

            fn size_hint(&self, _value: &$type) -> usize {
                size_of::<$type>()
            }

            fn encode(&self, value: &$type) -> Result<Option<Bytes>, CodecError> {
                Ok(Some(Bytes::copy_from_slice(&value.to_be_bytes())))
            }

            fn decode(&self, bytes: Bytes) -> Result<$type, CodecError> {
                match bytes.as_ref().try_into() {
                    Ok(array) => Ok(<$type>::from_be_bytes(array)),
                    Err(_) => Err(CodecError::Malformed {
                        expected: $expected,
                        reason: format!("it has {} bytes", bytes.len()),
                    }),
                }
            }

            fn name(&self) -> Option<Cow<'static, str>> {
                Some(stringify!($type).into())
            }
        }

        impl Coded for $type {
            type Codec = BigEndian;
        }
    )*};
}

big_endian! {
    i32, "a 4-byte integer";
    u32, "a 4-byte integer";
    i64, "an 8-byte integer";
    u64, "an 8-byte integer";
    f32, "a 4-byte float";
    f64, "an 8-byte float";
}

/// One byte: 1 is true, 0 is false, as `BooleanSerializer` of Kafka writes it. Other bytes do not decode.
///
/// ```
/// use tidemill_state::{Bool, Codec};
///
/// assert_eq!(Bool.encode(&true)?.as_deref(), Some(&[1][..]));
/// assert!(Bool.decode("?".into()).is_err());
/// # Ok::<(), tidemill_state::CodecError>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Bool;

impl Codec<bool> for Bool {
    fn encode_into(&self, value: &bool, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.push(u8::from(*value));
        Ok(())
    }

    fn decode(&self, bytes: Bytes) -> Result<bool, CodecError> {
        match bytes.as_ref() {
            [0] => Ok(false),
            [1] => Ok(true),
            other => Err(CodecError::Malformed { expected: "a boolean", reason: format!("it is {other:?}") }),
        }
    }

    fn name(&self) -> Option<Cow<'static, str>> {
        Some("bool".into())
    }
}

/// The unit value, encoded as a null as Kafka's `VoidSerializer` does. Records without a key therefore spread over all
/// partitions. A store treats a null value as a deletion: for a set, store `true`, not `()`.
///
/// ```
/// use tidemill_state::{Codec, Unit};
///
/// assert_eq!(Unit.encode(&())?, None);
/// assert_eq!(Unit.decode_opt(Some("any bytes".into()))?, ());
/// # Ok::<(), tidemill_state::CodecError>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Unit;

impl Codec<()> for Unit {
    fn encode_into(&self, _value: &(), _out: &mut Vec<u8>) -> Result<(), CodecError> {
        Ok(())
    }

    fn is_null(&self, _value: &()) -> bool {
        true
    }

    fn decode(&self, _bytes: Bytes) -> Result<(), CodecError> {
        Ok(())
    }

    fn decode_null(&self) -> Result<(), CodecError> {
        Ok(())
    }

    fn name(&self) -> Option<Cow<'static, str>> {
        Some("unit".into())
    }
}

impl Coded for String {
    type Codec = Utf8;
}

impl Coded for Bytes {
    type Codec = RawBytes;
}

impl Coded for bool {
    type Codec = Bool;
}

impl Coded for () {
    type Codec = Unit;
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    fn check<T: Coded + PartialEq + Debug>(value: T, expect: &[u8]) {
        let codec = T::Codec::default();
        let bytes = codec.encode(&value).unwrap().unwrap();
        assert_eq!(bytes, expect);
        let mut appended = Vec::new();
        codec.encode_into(&value, &mut appended).unwrap();
        assert_eq!(appended, expect);
        assert_eq!(codec.decode(bytes), Ok(value));
    }

    #[test]
    fn bytes_are_those_of_java() {
        check("né".to_owned(), b"n\xc3\xa9");
        check(String::new(), b"");
        check(Bytes::from_static(b"\0\xff"), b"\0\xff");
        check(-2i32, b"\xff\xff\xff\xfe");
        check(258u32, b"\0\0\x01\x02");
        check(1i64, b"\0\0\0\0\0\0\0\x01");
        check(u64::MAX, &[0xff; 8]);
        check(1.0f32, b"\x3f\x80\0\0");
        check(-1.0f64, b"\xbf\xf0\0\0\0\0\0\0");
        check(true, b"\x01");
    }

    #[test]
    fn wrong_bytes_are_named() {
        let error = Codec::<i64>::decode(&BigEndian, Bytes::from_static(b"123")).unwrap_err();
        assert_eq!(error.to_string(), "not an 8-byte integer: it has 3 bytes");
        assert!(Utf8.decode(Bytes::from_static(b"\xff")).is_err());
        assert!(Bool.decode(Bytes::from_static(b"\x02")).is_err());
        assert_eq!(Utf8.decode_opt(None), Err(CodecError::Null));
    }

    #[test]
    fn names_are_noted_beside_stores_and_stay() {
        fn name<T: Coded>() -> Option<Cow<'static, str>> {
            T::Codec::default().name()
        }
        assert_eq!(name::<String>().as_deref(), Some("utf8"));
        assert_eq!(name::<i64>().as_deref(), Some("i64"));
        assert_eq!(name::<Bytes>().as_deref(), Some("bytes"));
        assert_eq!(name::<Vec<Option<f64>>>().as_deref(), Some("list(f64)"));
        assert_eq!(name::<(bool, ())>().as_deref(), Some("pair(bool, unit)"));
    }

    #[test]
    fn unit_is_null() {
        assert_eq!(Unit.encode(&()), Ok(None));
        assert_eq!(Unit.decode_opt(None), Ok(()));
    }
}
