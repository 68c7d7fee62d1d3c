//! What the pending store keeps of a request, and under which key.
//!
//! A row's key is the length of the lane, the lane, and the request's number. So the requests of a lane lie together in
//! the order in which they were asked, also if their keys have different windows, and no lane's rows lie between those
//! of another lane whose bytes begin like its own. Rows of programs that knew no order stay readable: their keys are
//! the request's id, and their values are the request alone. Such a request waits for no other, and no other waits for
//! it.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tidemill_state::{Codec, CodecError, Row};

use crate::{
    async_op::request::RequestId,
    graph::{Content, RowKeys},
    transport::{Header, Headers},
};

/// Each row begins with one of these bytes.
const COUNTER: u8 = 0;
/// A request as programs that knew no order wrote it.
const ALONE: u8 = 1;
const IN_LANE: u8 = 2;
const NUMBER: usize = 8;

/// The row that counts requests.
pub(super) const COUNTER_ROW: [u8; 1] = [COUNTER];
/// The row that is there while answers may wait that nothing holds back any more.
pub(super) const LOOSE_ROW: [u8; 2] = [COUNTER, 1];
/// What the rows of requests begin with.
pub(super) const REQUEST_ROWS: [[u8; 1]; 2] = [[ALONE], [IN_LANE]];

/// Whose the rows of a pending store are, where keys are encoded like that.
pub(crate) fn pending_rows<K: 'static>(key: Arc<dyn Codec<K>>) -> RowKeys {
    RowKeys::of(key).behind(&[&[ALONE]]).before(NUMBER).by_length(IN_LANE).holding(Content::Calls)
}

/// The key of a request's row.
pub(super) fn row_in_lane(lane: &[u8], number: u64) -> Bytes {
    let mut row = RowKeys::length_prefix(IN_LANE, lane);
    row.extend_from_slice(&number.to_be_bytes());
    row.into()
}

/// The key of a request's row as programs that knew no order wrote it.
pub(super) fn row_alone(id: &RequestId) -> Bytes {
    [&[ALONE][..], &id.bytes()].concat().into()
}

/// The lane and the number of a row; `None` for a row without a lane.
pub(super) fn lane_of(row: &Bytes) -> Option<(Bytes, u64)> {
    let from = RowKeys::length_prefix(IN_LANE, &[]).len();
    let to = row.len().checked_sub(NUMBER)?;
    if row.first() != Some(&IN_LANE) || from > to {
        return None;
    }
    let mut number = [0; NUMBER];
    number.copy_from_slice(&row[to..]);
    Some((row.slice(from..to), u64::from_be_bytes(number)))
}

/// A request in the pending store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PendingRequest {
    /// The bytes of its key.
    pub(super) key: Bytes,
    /// The complete request.
    pub(super) request: Bytes,
    pub(super) timestamp: i64,
    /// The headers of the request's record; `None` if they were not kept.
    pub(super) headers: Option<Headers>,
    /// The answer, while it waits for those before it.
    pub(super) answer: Option<Response>,
}

/// What came back for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) value: Option<Bytes>,
    pub(super) headers: Headers,
}

impl PendingRequest {
    pub(super) fn encode(&self) -> Row {
        let mut out = BytesMut::with_capacity(self.key.len() + self.request.len() + 64);
        put_bytes(&mut out, Some(&self.key));
        put_bytes(&mut out, Some(&self.request));
        put_headers(&mut out, self.headers.as_ref().unwrap_or(&Headers::new()));
        if let Some(Response { value, headers }) = &self.answer {
            put_bytes(&mut out, value.as_ref());
            put_headers(&mut out, headers);
        }
        Row { timestamp: self.timestamp, value: out.freeze() }
    }

    pub(super) fn decode(row_key: &Bytes, row: Row) -> Result<Self, CodecError> {
        let Row { timestamp, value } = row;
        if row_key.first() != Some(&IN_LANE) {
            let id = RequestId::from_bytes(row_key.slice(1..)).ok_or_else(malformed)?;
            return Ok(Self { key: id.key(), request: value, timestamp, headers: None, answer: None });
        }
        let mut rest = value;
        let key = take_bytes(&mut rest)?.ok_or_else(malformed)?;
        let request = take_bytes(&mut rest)?.ok_or_else(malformed)?;
        let headers = Some(take_headers(&mut rest)?);
        let answer = if rest.is_empty() {
            None
        } else {
            Some(Response { value: take_bytes(&mut rest)?, headers: take_headers(&mut rest)? })
        };
        Ok(Self { key, request, timestamp, headers, answer })
    }
}

fn malformed() -> CodecError {
    CodecError::Malformed { expected: "a pending request", reason: "the row is cut off".to_owned() }
}

/// The length of a null.
const NULL: u32 = u32::MAX;

fn put_bytes(out: &mut BytesMut, bytes: Option<&Bytes>) {
    out.put_u32(bytes.map_or(NULL, |bytes| bytes.len() as u32));
    if let Some(bytes) = bytes {
        out.put_slice(bytes);
    }
}

fn put_headers(out: &mut BytesMut, headers: &Headers) {
    out.put_u32(headers.iter().count() as u32);
    for Header { key, value } in headers.iter() {
        put_bytes(out, Some(&Bytes::copy_from_slice(key.as_bytes())));
        put_bytes(out, value.as_ref());
    }
}

fn take_bytes(rest: &mut Bytes) -> Result<Option<Bytes>, CodecError> {
    let length = take_length(rest)?;
    if length == NULL {
        return Ok(None);
    }
    let length = length as usize;
    if rest.len() < length { Err(malformed()) } else { Ok(Some(rest.split_to(length))) }
}

fn take_headers(rest: &mut Bytes) -> Result<Headers, CodecError> {
    let count = take_length(rest)?;
    let header = |_| {
        let name = take_bytes(rest)?.ok_or_else(malformed)?;
        let key = String::from_utf8(name.to_vec()).map_err(|_| malformed())?;
        Ok(Header { key, value: take_bytes(rest)? })
    };
    (0..count).map(header).collect()
}

fn take_length(rest: &mut Bytes) -> Result<u32, CodecError> {
    if rest.len() < size_of::<u32>() { Err(malformed()) } else { Ok(rest.get_u32()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(answer: Option<Response>) -> PendingRequest {
        let mut headers = Headers::new();
        headers.push("trace", "one");
        let headers = headers.iter().cloned().chain([Header { key: "empty".into(), value: None }]).collect();
        PendingRequest { key: "ann".into(), request: "why?".into(), timestamp: 7, headers: Some(headers), answer }
    }

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let row = row_in_lane(b"ann", 5);
        for value in [None, Some(Bytes::new()), Some(Bytes::from("42"))] {
            let answered = pending(Some(Response { value, headers: Headers::new() }));
            assert_eq!(PendingRequest::decode(&row, answered.encode()), Ok(answered));
        }
        assert_eq!(PendingRequest::decode(&row, pending(None).encode()), Ok(pending(None)));
        let whole = pending(None).encode();
        for length in 0..whole.value.len() {
            let cut = Row { timestamp: 7, value: whole.value.slice(..length) };
            assert!(PendingRequest::decode(&row, cut).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_row_without_order_is_the_request_alone() {
        let row = row_alone(&RequestId::new(b"ann", 5));
        let read = PendingRequest::decode(&row, Row { timestamp: 7, value: "why?".into() }).expect("decodes");
        assert_eq!((read.key, read.request, read.headers), ("ann".into(), "why?".into(), None));
        assert_eq!(lane_of(&row), None);
    }

    #[test]
    fn rows_of_a_lane_lie_together_in_the_order_of_their_numbers() {
        let zeros: &[u8] = b"a\0\0\0\0\0\0\0";
        let mut rows = [row_in_lane(b"a", 256), row_in_lane(zeros, 1), row_in_lane(b"a", 2), row_in_lane(b"", 3)];
        rows.sort();
        let lanes: Vec<_> = rows.iter().filter_map(lane_of).collect();
        let expected: [(&[u8], u64); 4] = [(b"", 3), (b"a", 2), (b"a", 256), (zeros, 1)];
        assert_eq!(lanes, expected.map(|(lane, number)| (Bytes::copy_from_slice(lane), number)));
        assert!(
            !rows[3].starts_with(&RowKeys::length_prefix(IN_LANE, b"a")),
            "no row of another lane begins like this lane's"
        );
    }
}
