//! How requests and responses are encoded: ids, rows of the pending store, headers.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use tidemill_state::Codec;

use super::{CallFailure, CallReport, FailureKind, InputOffset};
use crate::{
    graph::{Content, RowKeys},
    transport::{Header, Headers},
};

/// Identifies a request within its task: the bytes of its key, then a number that each task counts up. If a record is
/// processed again after a rollback, its request gets the same id, because the counter rolled back too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestId {
    bytes: Bytes,
}

/// Each row of the pending store begins with one of these bytes. They tell the counter from the requests.
const COUNTER: u8 = 0;
const PENDING: u8 = 1;
const NUMBER: usize = 8;

/// Whose the rows of a pending store are, where keys are encoded like that.
pub(crate) fn pending_rows<K: 'static>(key: Arc<dyn Codec<K>>) -> RowKeys {
    RowKeys::of(key).behind(&[&[PENDING]]).before(NUMBER).holding(Content::Calls)
}

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

    pub(crate) fn from_row(row: &Bytes) -> Option<Self> {
        (row.first() == Some(&PENDING)).then(|| Self::from_bytes(row.slice(1..))).flatten()
    }

    pub(crate) const fn row_prefix() -> [u8; 1] {
        [PENDING]
    }

    /// The row that counts requests.
    pub(crate) const fn counter_row() -> [u8; 1] {
        [COUNTER]
    }

    /// The row that keeps the request while it is pending.
    pub(crate) fn row(&self) -> Bytes {
        let mut row = BytesMut::with_capacity(self.bytes.len() + 1);
        row.put_u8(PENDING);
        row.put_slice(&self.bytes);
        row.freeze()
    }

    pub(crate) fn bytes(&self) -> Bytes {
        self.bytes.clone()
    }

    /// The request's key.
    pub(crate) fn key(&self) -> Bytes {
        self.bytes.slice(..self.bytes.len() - NUMBER)
    }
}

const PREFIX: &str = "tidemill.call.";
const FAILURE: &str = "tidemill.call.failure";
const MESSAGE: &str = "tidemill.call.message";
const ATTEMPTS: &str = "tidemill.call.attempts";
const ASKED: &str = "tidemill.call.asked";
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

const AGAIN: &str = "tidemill.call.again";
const DROPPED: &str = "dropped";

/// Whether the request was answered before, and is asked again.
pub(super) fn is_again(headers: &Headers) -> bool {
    headers.last(AGAIN).is_some()
}

/// Marks a response for whose request nothing is emitted.
pub(super) fn with_dropped(mut headers: Headers) -> Headers {
    headers.push(FAILURE, DROPPED);
    headers
}

/// When the request was asked, in wall time; `None` for a request without that header.
pub(super) fn asked_ms(headers: &Headers) -> Option<i64> {
    std::str::from_utf8(headers.last(ASKED)?).ok()?.parse().ok()
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
    headers
        .iter()
        .filter(|header| !header.key.starts_with(PREFIX))
        .cloned()
        .collect::<Vec<Header>>()
        .into_iter()
        .collect()
}
