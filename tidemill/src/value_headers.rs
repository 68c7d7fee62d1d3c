//! Values that keep their record's headers in a store.

use std::borrow::Cow;

use bytes::{Buf, BufMut, Bytes};
use tidemill_state::{Codec, CodecError, Coded};

use crate::transport::{Header, Headers};

/// A value with headers, for stores that keep the headers of records (`ValueTimestampHeaders` in Kafka Streams,
/// KIP-1271; the timestamp is the row's). As the value type of a store, it makes any kind of store one with headers:
/// `TimestampedKeyValueStoreWithHeaders`, `TimestampedWindowStoreWithHeaders`, `SessionStoreWithHeaders`, and a versioned
/// store with headers. Stores without it pay nothing for headers.
///
/// In the changelog, the headers stand before the value, and not in the record's headers as in Kafka Streams.
///
/// ```
/// # use tidemill::processor::{FixedKeyProcessor, FixedKeyProcessorContext, FixedKeyRecord};
/// # use tidemill::{StreamsBuilder, ValueHeaders, state::BoxError, testing::TopologyTestDriver};
/// # use tidemill::transport::embedded::Entry;
/// # let builder = StreamsBuilder::new();
/// /// Emits the value before, with the headers that it came with.
/// struct Before;
///
/// impl FixedKeyProcessor<u64, String, String> for Before {
///     fn process(
///         &mut self,
///         ctx: &mut FixedKeyProcessorContext<'_, u64, String>,
///         mut record: FixedKeyRecord<u64, String>,
///     ) -> Result<(), BoxError> {
///         let last = ctx.key_value_store::<u64, ValueHeaders<String>>("last")?;
///         let before = last.get(record.key())?;
///         let now = ValueHeaders { value: record.value.clone(), headers: record.headers.clone() };
///         last.put(record.key(), &now, record.timestamp)?;
///         if let Some(ValueHeaders { value, headers }) = before {
///             record.headers = headers;
///             ctx.forward(record.with_value(value));
///         }
///         Ok(())
///     }
/// }
///
/// builder.add_key_value_store::<u64, ValueHeaders<String>>("last");
/// builder.stream::<u64, String>("in").process_values("before", &["last"], || Before).to("out");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// let input = driver.input::<u64, String>("in");
/// let mut traced = Entry::new(1_u64.to_be_bytes().to_vec(), "a", 0);
/// traced.headers.push("trace", "abc");
/// driver.log().append("in", 0, [traced])?;
/// driver.crash(); // The store is restored from its changelog.
/// input.pipe(1, "b".into(), 1)?;
/// let out = driver.output::<u64, String>("out").read_records()?.remove(0);
/// assert_eq!((&*out.value, out.headers.last("trace").map(|trace| &trace[..])), ("a", Some(&b"abc"[..])));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueHeaders<V> {
    /// The value.
    pub value: V,
    /// The headers.
    pub headers: Headers,
}

/// The codec of [`ValueHeaders`], around the codec of the value. See the example of [`ValueHeaders`], which uses it as
/// the default codec.
///
/// ```
/// use tidemill::{HeadersCodec, ValueHeaders, state::{Codec, Utf8}};
///
/// let mut headed = ValueHeaders { value: "tea".to_owned(), headers: Default::default() };
/// headed.headers.push("trace", "abc");
/// let codec = HeadersCodec(Utf8);
/// let bytes = codec.encode(&headed)?.expect("it is no null");
/// assert_eq!(codec.decode(bytes)?, headed);
/// # Ok::<(), tidemill::state::CodecError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct HeadersCodec<C>(pub C);

impl<V: 'static, C: Codec<V>> Codec<ValueHeaders<V>> for HeadersCodec<C> {
    fn encode_into(&self, headed: &ValueHeaders<V>, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.put_u32(headed.headers.iter().count() as u32);
        for Header { key, value } in headed.headers.iter() {
            out.put_u32(key.len() as u32);
            out.extend_from_slice(key.as_bytes());
            out.put_i64(value.as_ref().map_or(-1, |value| value.len() as i64));
            out.extend_from_slice(value.as_deref().unwrap_or_default());
        }
        self.0.encode_into(&headed.value, out)
    }

    fn size_hint(&self, headed: &ValueHeaders<V>) -> usize {
        let size = |header: &Header| 12 + header.key.len() + header.value.as_ref().map_or(0, Bytes::len);
        4 + headed.headers.iter().map(size).sum::<usize>() + self.0.size_hint(&headed.value)
    }

    fn is_null(&self, headed: &ValueHeaders<V>) -> bool {
        self.0.is_null(&headed.value)
    }

    fn decode(&self, mut bytes: Bytes) -> Result<ValueHeaders<V>, CodecError> {
        let count = bytes.try_get_u32().map_err(|_| cut())?;
        let headers = (0..count).map(|_| {
            let length = bytes.try_get_u32().map_err(|_| cut())? as usize;
            let key = String::from_utf8(take(&mut bytes, length)?.to_vec());
            let key = key.map_err(|_| CodecError::Malformed {
                expected: "the key of a header",
                reason: "it is no UTF-8".to_owned(),
            })?;
            let length = usize::try_from(bytes.try_get_i64().map_err(|_| cut())?);
            let value = length.ok().map(|length| take(&mut bytes, length)).transpose()?;
            Ok(Header { key, value })
        });
        let headers = headers.collect::<Result<Headers, CodecError>>()?;
        Ok(ValueHeaders { value: self.0.decode(bytes)?, headers })
    }

    fn decode_null(&self) -> Result<ValueHeaders<V>, CodecError> {
        Ok(ValueHeaders { value: self.0.decode_null()?, headers: Headers::new() })
    }

    fn name(&self) -> Option<Cow<'static, str>> {
        self.0.name().map(|name| format!("headers({name})").into())
    }
}

impl<V: Coded> Coded for ValueHeaders<V> {
    type Codec = HeadersCodec<V::Codec>;
}

fn take(bytes: &mut Bytes, length: usize) -> Result<Bytes, CodecError> {
    if length > bytes.len() {
        return Err(cut());
    }
    Ok(bytes.split_to(length))
}

fn cut() -> CodecError {
    CodecError::Malformed { expected: "headers and a value", reason: "the bytes are cut off".to_owned() }
}

#[cfg(test)]
mod tests {
    use tidemill_state::{Nullable, Utf8};

    use super::*;

    #[test]
    fn headers_come_back_and_cut_bytes_are_errors() {
        let headers = [("a", Some("1")), ("", None), ("a", Some(""))];
        let headers = headers.map(|(key, value)| Header { key: key.to_owned(), value: value.map(Bytes::from) });
        let headed = ValueHeaders { value: "value".to_owned(), headers: headers.into_iter().collect() };
        let bytes = HeadersCodec(Utf8).encode(&headed).expect("encodes").expect("is no null");
        assert_eq!(HeadersCodec(Utf8).decode(bytes.clone()).expect("decodes"), headed);
        assert_eq!(bytes.len(), HeadersCodec(Utf8).size_hint(&headed));
        for end in 0..bytes.len() - headed.value.len() {
            HeadersCodec(Utf8).decode(bytes.slice(..end)).expect_err("it is cut");
        }
    }

    #[test]
    fn a_null_stays_a_null_so_that_it_deletes() {
        let mut headed = ValueHeaders { value: None::<String>, headers: Headers::new() };
        headed.headers.push("a", "1");
        assert_eq!(HeadersCodec(Nullable(Utf8)).encode(&headed).expect("encodes"), None);
    }
}
