//! How requests and responses are encoded: ids and headers.

use bytes::{BufMut, Bytes, BytesMut};

use super::{CallFailure, CallReport, FailureKind, InputOffset};
use crate::transport::Headers;

/// Identifies a request within its task: the bytes of its key, then a number that each task counts up. If a record is
/// processed again after a rollback, its request gets the same id, because the counter rolled back too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestId {
    bytes: Bytes,
}

const NUMBER: usize = 8;

impl RequestId {
    pub(crate) fn new(key: &[u8], number: u64) -> Self {
        let mut bytes = BytesMut::with_capacity(key.len() + NUMBER);
        bytes.put_slice(key);
        bytes.put_u64(number);
        Self { bytes: bytes.freeze() }
    }

    /// The id in a record's key, or `None` if the key is too short for an id.
    pub(crate) fn from_bytes(bytes: Bytes) -> Option<Self> {
        (bytes.len() >= NUMBER).then_some(Self { bytes })
    }

    pub(crate) fn bytes(&self) -> Bytes {
        self.bytes.clone()
    }

    /// The request's key.
    pub(crate) fn key(&self) -> Bytes {
        self.bytes.slice(..self.bytes.len() - NUMBER)
    }

    /// The request's number.
    pub(crate) fn number(&self) -> u64 {
        let mut number = [0; NUMBER];
        number.copy_from_slice(&self.bytes[self.bytes.len() - NUMBER..]);
        u64::from_be_bytes(number)
    }
}

const PREFIX: &str = "tidemill.call.";
const FAILURE: &str = "tidemill.call.failure";
const MESSAGE: &str = "tidemill.call.message";
const ATTEMPTS: &str = "tidemill.call.attempts";
const ASKED: &str = "tidemill.call.asked";
const DEADLINE: &str = "tidemill.call.deadline";
const AGAIN: &str = "tidemill.call.again";
const REPEAT: &str = "tidemill.call.repeat";
const WITHDRAWN: &str = "tidemill.call.withdrawn";
const INPUTS: &str = "tidemill.call.inputs";
const REPORT: &str = "tidemill.call.report";

/// Adds to a request's headers when it was asked, in wall time, and what its task had taken by then.
pub(super) fn with_asked(mut headers: Headers, asked_ms: i64, inputs: &[InputOffset]) -> Headers {
    headers.push(ASKED, asked_ms.to_string());
    if !inputs.is_empty() {
        headers.push(INPUTS, serde_json::to_vec(inputs).unwrap_or_default());
    }
    headers
}

/// When the request was asked, in wall time; `None` for a request without that header.
pub(super) fn asked_ms(headers: &Headers) -> Option<i64> {
    std::str::from_utf8(headers.last(ASKED)?).ok()?.parse().ok()
}

/// Adds to a request's headers how long after its request an answer is still useful, in milliseconds.
pub(super) fn with_deadline(mut headers: Headers, deadline_ms: i64) -> Headers {
    headers.push(DEADLINE, deadline_ms.to_string());
    headers
}

/// How long after its request an answer is still useful, in milliseconds; `None` if there is no deadline. It counts
/// from [`asked_ms`].
pub(super) fn deadline_ms(headers: &Headers) -> Option<i64> {
    std::str::from_utf8(headers.last(DEADLINE)?).ok()?.parse().ok()
}

/// Marks a record for the response topic: it is no response but a request that is asked again.
pub(super) fn with_again(mut headers: Headers) -> Headers {
    headers.push(AGAIN, "1");
    headers
}

/// Whether a record of the response topic is a request that is asked again.
pub(super) fn is_again(headers: &Headers) -> bool {
    headers.last(AGAIN).is_some()
}

/// Marks a request that was asked before and failed.
pub(super) fn with_repeat(mut headers: Headers) -> Headers {
    headers.push(REPEAT, "1");
    headers
}

/// Whether the request was asked before and failed.
pub(super) fn is_repeat(headers: &Headers) -> bool {
    headers.last(REPEAT).is_some()
}

/// Marks a record of the request topic: it is no request but withdraws those of the lane in its key.
pub(super) fn with_withdrawn(mut headers: Headers) -> Headers {
    headers.push(WITHDRAWN, "1");
    headers
}

/// Whether a record of the request topic withdraws the requests before it.
pub(super) fn is_withdrawal(headers: &Headers) -> bool {
    headers.last(WITHDRAWN).is_some()
}

/// The failure of a request that nobody wants to be answered any more.
const DROPPED: &str = "dropped";

/// Marks the response to a request that is dropped: the task forgets the request and emits nothing.
pub(super) fn with_dropped(mut headers: Headers) -> Headers {
    headers.push(FAILURE, DROPPED);
    headers
}

/// Whether a response says that its request is dropped.
pub(super) fn is_dropped(headers: &Headers) -> bool {
    headers.last(FAILURE).is_some_and(|label| label == DROPPED)
}

/// What the request's task had taken when it asked.
pub(super) fn inputs(headers: &Headers) -> Vec<InputOffset> {
    headers.last(INPUTS).and_then(|text| serde_json::from_slice(text).ok()).unwrap_or_default()
}

/// Adds the report to a request's headers, for the response.
pub(super) fn with_report(mut headers: Headers, report: &CallReport) -> Headers {
    headers.push(REPORT, serde_json::to_vec(report).unwrap_or_default());
    headers
}

/// The report in a response's headers. A response of an older executor has none.
pub(super) fn report(headers: &Headers) -> CallReport {
    headers.last(REPORT).and_then(|text| serde_json::from_slice(text).ok()).unwrap_or_default()
}

/// Adds the failure to a request's headers, for the response.
pub(super) fn with_failure(mut headers: Headers, failure: &CallFailure) -> Headers {
    headers.push(FAILURE, failure.kind.label());
    headers.push(MESSAGE, failure.message.clone());
    headers.push(ATTEMPTS, failure.attempts.to_string());
    headers
}

/// The failure in a response's headers, or `None` if the call succeeded.
pub(super) fn failure(headers: &Headers) -> Option<CallFailure> {
    let kind = FailureKind::from_label(headers.last(FAILURE)?);
    let text = |key| headers.last(key).map_or_else(String::new, |raw| String::from_utf8_lossy(raw).into_owned());
    Some(CallFailure { kind, message: text(MESSAGE), attempts: text(ATTEMPTS).parse().unwrap_or(0) })
}

/// The headers of the request, without the headers that this module added.
pub(super) fn without_call(headers: &Headers) -> Headers {
    without(headers, PREFIX)
}

/// Only the headers that this module added.
pub(super) fn only_call(headers: &Headers) -> Headers {
    headers.iter().filter(|header| header.key.starts_with(PREFIX)).cloned().collect()
}

/// The headers whose names do not begin with a prefix.
pub(super) fn without(headers: &Headers, prefix: &str) -> Headers {
    if headers.iter().all(|header| !header.key.starts_with(prefix)) {
        return headers.clone();
    }
    headers.iter().filter(|header| !header.key.starts_with(prefix)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_key_and_a_number() {
        let id = RequestId::new(b"ann", 7);
        assert_eq!((id.key(), id.number()), (Bytes::from("ann"), 7));
        assert_eq!(RequestId::from_bytes(id.bytes()), Some(id));
        assert_eq!(RequestId::from_bytes(Bytes::from("short")), None);
    }

    #[test]
    fn headers_of_a_call_are_told_from_those_of_the_record() {
        let mut own = Headers::new();
        own.push("trace", "one");
        let asked = with_deadline(with_asked(own.clone(), 5, &[]), 300);
        assert_eq!((asked_ms(&asked), deadline_ms(&asked)), (Some(5), Some(300)));
        assert_eq!(without_call(&asked), own);
        assert_eq!(only_call(&asked).iter().count(), 2);
        assert!(is_dropped(&with_dropped(asked.clone())) && !is_dropped(&asked));
        assert!(is_again(&with_again(asked.clone())) && is_repeat(&with_repeat(asked)));
    }
}
