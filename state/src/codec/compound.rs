//! Codecs made of other codecs.

use std::borrow::Cow;

use bytes::{Buf, Bytes};

use crate::{Codec, CodecError, Coded};

/// The length of a null in a list.
const NULL_LEN: u32 = u32::MAX;

/// Adds a null to a codec: `None` has no bytes, `Some` has the bytes of `C`. As a record's value, `None` is a
/// tombstone. `Option<T>` has this codec by default.
///
/// ```
/// use tidemill_state::{BigEndian, Codec, Nullable};
///
/// let codec = Nullable(BigEndian);
/// assert_eq!(codec.encode(&None::<i64>)?, None);
/// assert_eq!(codec.encode(&Some(1_i64))?, BigEndian.encode(&1_i64)?);
/// assert_eq!(Codec::<Option<i64>>::decode_opt(&codec, None)?, None);
/// # Ok::<(), tidemill_state::CodecError>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Nullable<C>(
    /// The codec of the inner value.
    pub C,
);

impl<T, C: Codec<T>> Codec<Option<T>> for Nullable<C> {
    fn encode_into(&self, value: &Option<T>, out: &mut Vec<u8>) -> Result<(), CodecError> {
        match value {
            Some(value) => self.0.encode_into(value, out),
            None => Ok(()),
        }
    }

    fn size_hint(&self, value: &Option<T>) -> usize {
        value.as_ref().map_or(0, |value| self.0.size_hint(value))
    }

    fn is_null(&self, value: &Option<T>) -> bool {
        value.as_ref().is_none_or(|value| self.0.is_null(value))
    }

    fn encode(&self, value: &Option<T>) -> Result<Option<Bytes>, CodecError> {
        match value {
            Some(value) => self.0.encode(value),
            None => Ok(None),
        }
    }

    fn decode(&self, bytes: Bytes) -> Result<Option<T>, CodecError> {
        self.0.decode(bytes).map(Some)
    }

    fn decode_null(&self) -> Result<Option<T>, CodecError> {
        Ok(None)
    }

    fn name(&self) -> Option<Cow<'static, str>> {
        // The inner value has the same bytes.
        self.0.name()
    }

    fn partition_bytes<'a>(&self, encoded: &'a [u8]) -> &'a [u8] {
        self.0.partition_bytes(encoded)
    }
}

/// A list: its count, then each element after its length; both have four bytes. `Vec<T>` has this codec by default.
///
/// ```
/// use tidemill_state::{Codec, List, Utf8};
///
/// let bytes = List(Utf8).encode(&vec!["a".to_owned(), String::new()])?.expect("a list is never null");
/// assert_eq!(&bytes[..], b"\0\0\0\x02\0\0\0\x01a\0\0\0\0");
/// assert_eq!(List(Utf8).decode(bytes)?, ["a", ""]);
/// # Ok::<(), tidemill_state::CodecError>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct List<C>(
    /// The codec of the elements.
    pub C,
);

impl<T, C: Codec<T>> Codec<Vec<T>> for List<C> {
    fn encode_into(&self, values: &Vec<T>, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let count = u32::try_from(values.len()).map_err(|_| malformed("a list", "it has too many elements"))?;
        out.extend_from_slice(&count.to_be_bytes());
        for value in values {
            let at = out.len();
            out.extend_from_slice(&NULL_LEN.to_be_bytes());
            if !self.0.is_null(value) {
                self.0.encode_into(value, out)?;
                let len = sized_len(out.len() - at - 4, NULL_LEN)?;
                out[at..at + 4].copy_from_slice(&len.to_be_bytes());
            }
        }
        Ok(())
    }

    fn size_hint(&self, values: &Vec<T>) -> usize {
        4 + values.iter().map(|value| 4 + self.0.size_hint(value)).sum::<usize>()
    }

    fn decode(&self, mut bytes: Bytes) -> Result<Vec<T>, CodecError> {
        let count = take_u32(&mut bytes)?;
        // The count may be damaged. The reserved memory must not exceed the number of elements that the bytes can hold.
        let mut values = Vec::with_capacity((count as usize).min(bytes.len() / 4));
        for _ in 0..count {
            let len = take_u32(&mut bytes)?;
            values.push(take_sized(&self.0, &mut bytes, len, NULL_LEN)?);
        }
        if bytes.has_remaining() {
            return Err(malformed("a list", "bytes follow its last element"));
        }
        Ok(values)
    }

    fn name(&self) -> Option<Cow<'static, str>> {
        Some(format!("list({})", self.0.name()?).into())
    }
}

/// The flag in a pair's head for a second value that is null, as in results of left joins.
const SECOND_IS_NULL: u32 = 1 << 31;

/// The length in a pair's head for a first value that is null.
const FIRST_IS_NULL: u32 = SECOND_IS_NULL - 1;

/// Two values: the first after its length in four bytes, then the second. Each may be null. Tuples have this codec by
/// default.
///
/// ```
/// use tidemill_state::{BigEndian, Codec, Pair, Utf8};
///
/// let pair = ("ab".to_owned(), 1_i32);
/// let bytes = Pair(Utf8, BigEndian).encode(&pair)?.expect("a pair is never null");
/// assert_eq!(&bytes[..], b"\0\0\0\x02ab\0\0\0\x01");
/// assert_eq!(Pair(Utf8, BigEndian).decode(bytes)?, pair);
/// # Ok::<(), tidemill_state::CodecError>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Pair<A, B>(
    /// The codec of the first value.
    pub A,
    /// The codec of the second value.
    pub B,
);

impl<T, U, A: Codec<T>, B: Codec<U>> Codec<(T, U)> for Pair<A, B> {
    fn encode_into(&self, (first, second): &(T, U), out: &mut Vec<u8>) -> Result<(), CodecError> {
        let at = out.len();
        let mut head = FIRST_IS_NULL;
        out.extend_from_slice(&head.to_be_bytes());
        if !self.0.is_null(first) {
            self.0.encode_into(first, out)?;
            head = sized_len(out.len() - at - 4, FIRST_IS_NULL)?;
        }
        if self.1.is_null(second) {
            head |= SECOND_IS_NULL;
        } else {
            self.1.encode_into(second, out)?;
        }
        out[at..at + 4].copy_from_slice(&head.to_be_bytes());
        Ok(())
    }

    fn size_hint(&self, (first, second): &(T, U)) -> usize {
        4 + self.0.size_hint(first) + self.1.size_hint(second)
    }

    fn decode(&self, mut bytes: Bytes) -> Result<(T, U), CodecError> {
        let head = take_u32(&mut bytes)?;
        let first = take_sized(&self.0, &mut bytes, head & FIRST_IS_NULL, FIRST_IS_NULL)?;
        if head & SECOND_IS_NULL == 0 {
            return Ok((first, self.1.decode(bytes)?));
        }
        if bytes.has_remaining() {
            return Err(malformed("a pair", "bytes follow its null"));
        }
        Ok((first, self.1.decode_null()?))
    }

    fn name(&self) -> Option<Cow<'static, str>> {
        Some(format!("pair({}, {})", self.0.name()?, self.1.name()?).into())
    }
}

fn sized_len(len: usize, null_len: u32) -> Result<u32, CodecError> {
    let len = u32::try_from(len).ok().filter(|len| *len < null_len);
    len.ok_or_else(|| malformed("an element", "it has gigabytes"))
}

fn take_sized<T>(codec: &impl Codec<T>, bytes: &mut Bytes, len: u32, null_len: u32) -> Result<T, CodecError> {
    if len == null_len {
        return codec.decode_null();
    }
    if len as usize > bytes.len() {
        return Err(malformed("an element with its length", "it ends early"));
    }
    codec.decode(bytes.split_to(len as usize))
}

fn take_u32(bytes: &mut Bytes) -> Result<u32, CodecError> {
    bytes.try_get_u32().map_err(|_| malformed("a length", "it ends early"))
}

fn malformed(expected: &'static str, reason: &str) -> CodecError {
    CodecError::Malformed { expected, reason: reason.to_owned() }
}

impl<T: Coded> Coded for Option<T> {
    type Codec = Nullable<T::Codec>;
}

impl<T: Coded> Coded for Vec<T> {
    type Codec = List<T::Codec>;
}

impl<A: Coded, B: Coded> Coded for (A, B) {
    type Codec = Pair<A::Codec, B::Codec>;
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;
    use crate::Utf8;

    fn check<T: Coded + PartialEq + Debug>(value: T, expect: &[u8]) {
        let codec = T::Codec::default();
        let bytes = codec.encode(&value).unwrap().unwrap();
        assert_eq!(bytes, expect, "{value:?}");
        assert_eq!(codec.decode(bytes), Ok(value));
    }

    #[test]
    fn layouts() {
        check(vec!["a".to_owned(), String::new()], b"\0\0\0\x02\0\0\0\x01a\0\0\0\0");
        check(vec![None, Some(true)], b"\0\0\0\x02\xff\xff\xff\xff\0\0\0\x01\x01");
        check(("ab".to_owned(), 1i32), b"\0\0\0\x02ab\0\0\0\x01");
    }

    #[test]
    fn nulls_inside_pairs_stay_nulls() {
        let text = || Some(String::new());
        check((text(), text()), b"\0\0\0\0");
        check((text(), None::<String>), b"\x80\0\0\0");
        check((None::<String>, text()), b"\x7f\xff\xff\xff");
        check((None::<String>, None::<String>), b"\xff\xff\xff\xff");
        check(((), vec![()]), b"\x7f\xff\xff\xff\0\0\0\x01\xff\xff\xff\xff");
    }

    #[test]
    fn null_is_none() {
        let codec = <Option<String> as Coded>::Codec::default();
        assert_eq!(codec.encode(&None), Ok(None));
        assert_eq!(codec.decode_opt(None), Ok(None));
        let mut out = Vec::new();
        codec.encode_into(&None, &mut out).unwrap();
        assert!(out.is_empty());
    }

    #[test]
    fn damage_is_an_error_not_a_panic() {
        let list = List(Utf8);
        for bytes in [&b""[..], b"\xff\xff\xff\xff", b"\0\0\0\x01\0\0\0\x05abc", b"\0\0\0\0x"] {
            assert!(list.decode(Bytes::from_static(bytes)).is_err(), "{bytes:?}");
        }
        let pair = Pair(Utf8, Utf8);
        for bytes in [&b"\0"[..], b"\0\0\0\x02a", b"\x80\0\0\x01ab"] {
            assert!(pair.decode(Bytes::from_static(bytes)).is_err(), "{bytes:?}");
        }
    }
}
