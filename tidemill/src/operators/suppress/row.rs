//! The bytes of an update that is held back: time (8, big-endian) ‖ the value before ‖ the new value ‖ headers.

use bytes::{Buf, Bytes};
use tidemill_state::CodecError;

use crate::transport::{Header, Headers};

/// The length of a missing part.
const NONE: u32 = u32::MAX;

/// An update that is held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    /// The time from which it waits.
    pub(super) time_ms: i64,
    /// What later steps know as the key's value.
    pub(super) prior: Option<Bytes>,
    pub(super) new: Option<Bytes>,
    pub(super) headers: Headers,
}

impl Held {
    pub(super) fn encode(&self) -> Result<Bytes, CodecError> {
        let mut out = Vec::with_capacity(32);
        out.extend_from_slice(&self.time_ms.to_be_bytes());
        put(&mut out, self.prior.as_deref())?;
        put(&mut out, self.new.as_deref())?;
        for header in self.headers.iter() {
            put(&mut out, Some(header.key.as_bytes()))?;
            put(&mut out, header.value.as_deref())?;
        }
        Ok(out.into())
    }

    pub(super) fn decode(mut bytes: Bytes) -> Result<Self, CodecError> {
        if bytes.len() < 8 {
            return Err(malformed());
        }
        let time_ms = bytes.get_i64();
        let (prior, new) = (take(&mut bytes)?, take(&mut bytes)?);
        let mut headers = Vec::new();
        while bytes.has_remaining() {
            let key = take(&mut bytes)?.ok_or_else(malformed)?;
            let key = String::from_utf8(key.into()).map_err(|_| malformed())?;
            headers.push(Header { key, value: take(&mut bytes)? });
        }
        Ok(Self { time_ms, prior, new, headers: headers.into_iter().collect() })
    }
}

fn put(out: &mut Vec<u8>, part: Option<&[u8]>) -> Result<(), CodecError> {
    let length = part.map_or(Ok(NONE), |part| u32::try_from(part.len())).map_err(|_| CodecError::Malformed {
        expected: "a value of at most 4 GiB",
        reason: "an update that is held back is larger".into(),
    })?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(part.unwrap_or_default());
    Ok(())
}

fn take(bytes: &mut Bytes) -> Result<Option<Bytes>, CodecError> {
    if bytes.len() < 4 {
        return Err(malformed());
    }
    match bytes.get_u32() {
        NONE => Ok(None),
        length if length as usize <= bytes.len() => Ok(Some(bytes.split_to(length as usize))),
        _ => Err(malformed()),
    }
}

fn malformed() -> CodecError {
    CodecError::Malformed { expected: "an update that is held back", reason: "its parts are cut".into() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn updates_survive_their_bytes(
            time_ms in 0i64..9,
            prior in any::<Option<Vec<u8>>>(),
            new in any::<Option<Vec<u8>>>(),
            header in any::<Option<(String, Option<Vec<u8>>)>>(),
        ) {
            let headers = header.into_iter().map(|(key, value)| Header { key, value: value.map(Bytes::from) }).collect();
            let held = Held { time_ms, prior: prior.map(Bytes::from), new: new.map(Bytes::from), headers };
            prop_assert_eq!(Held::decode(held.encode().expect("encodes")).expect("decodes"), held);
        }

        #[test]
        fn any_bytes_decode_or_fail(bytes in prop::collection::vec(any::<u8>(), 0..32)) {
            let _ = Held::decode(bytes.into());
        }
    }
}
