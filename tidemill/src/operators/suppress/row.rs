//! The bytes of an update that is held back: time (8, big-endian) ‖ headers ‖ the new value and the value before.

use bytes::{Buf, BufMut, Bytes};
use tidemill_state::{Codec, CodecError, RawBytes};

use crate::{
    table::{Change, ChangeCodec},
    transport::Headers,
    value_headers::{HeadersCodec, ValueHeaders},
};

const UPDATE: HeadersCodec<ChangeCodec<RawBytes>> = HeadersCodec(ChangeCodec(RawBytes));

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
        let value = Change::latest(self.new.clone(), self.prior.clone());
        let update = ValueHeaders { value, headers: self.headers.clone() };
        let mut out = Vec::with_capacity(size_of::<i64>() + UPDATE.size_hint(&update));
        out.put_i64(self.time_ms);
        UPDATE.encode_into(&update, &mut out)?;
        Ok(out.into())
    }

    pub(super) fn decode(mut bytes: Bytes) -> Result<Self, CodecError> {
        let time_ms = bytes.try_get_i64().map_err(|_| CodecError::Malformed {
            expected: "an update that is held back",
            reason: "its time is cut off".into(),
        })?;
        let ValueHeaders { value: Change { new, old: prior, .. }, headers } = UPDATE.decode(bytes)?;
        Ok(Self { time_ms, prior, new, headers })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::transport::Header;

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
