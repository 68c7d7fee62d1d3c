//! Reads the records of a step's topics outside the step, for journals and tools.

use bytes::Bytes;

use super::{
    CallFailure, CallReport,
    request::{self, RequestId},
};
use crate::transport::ConsumedRecord;

/// A record of a step's request topic.
///
/// ```
/// use tidemill::{CallRecord, transport::ConsumedRecord};
///
/// /// The key of a request, and when it was asked.
/// fn asked(record: &ConsumedRecord) -> Option<(Vec<u8>, i64)> {
///     let request = CallRecord::of_request(record)?;
///     Some((request.key.to_vec(), request.asked_ms?))
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    /// The request's id within its partition. The response has the same id.
    pub id: Bytes,
    /// The request's encoded key.
    pub key: Bytes,
    /// The request's number. Numbers of a partition grow.
    pub number: u64,
    /// When the request was asked, in wall time.
    pub asked_ms: Option<i64>,
}

/// A record of a step's response topic.
///
/// ```
/// use tidemill::{CallResponse, transport::ConsumedRecord};
///
/// /// How many attempts an answer took.
/// fn attempts(record: &ConsumedRecord) -> Option<u32> {
///     Some(CallResponse::of_response(record)?.report.attempts)
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallResponse {
    /// The request.
    pub request: CallRecord,
    /// The encoded answer, or the reason why there is none.
    pub outcome: Result<Option<Bytes>, CallFailure>,
    /// How the answer came about.
    pub report: CallReport,
}

impl CallRecord {
    /// Reads a record of the request topic. `None` if it is no request: some records withdraw requests. See the example of [`CallRecord`].
    pub fn of_request(record: &ConsumedRecord) -> Option<Self> {
        if request::is_withdrawal(&record.headers) {
            return None;
        }
        let id = RequestId::from_bytes(record.key.clone()?)?;
        let asked_ms = request::asked_ms(&record.headers);
        Some(Self { id: id.bytes(), key: id.key(), number: id.number(), asked_ms })
    }
}

impl CallResponse {
    /// Reads a record of the response topic. `None` if the record is no answer: requests that are asked again, and
    /// requests that were dropped, are not answered. See the example of [`CallResponse`].
    pub fn of_response(record: &ConsumedRecord) -> Option<Self> {
        if request::is_again(&record.headers) || request::is_dropped(&record.headers) {
            return None;
        }
        let outcome = request::failure(&record.headers).map_or_else(|| Ok(record.value.clone()), Err);
        let report = request::report(&record.headers);
        Some(Self { request: CallRecord::of_request(record)?, outcome, report })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FailureKind, transport::Headers};

    fn record(headers: Headers) -> ConsumedRecord {
        let key = Some(RequestId::new(b"ann", 7).bytes());
        ConsumedRecord { offset: 3, timestamp: 5, key, value: Some("A".into()), headers }
    }

    #[test]
    fn answers_and_failures_are_read_and_nothing_else() {
        let asked = request::with_asked(Headers::new(), 42, &[]);
        assert_eq!(CallRecord::of_request(&record(request::with_withdrawn(Headers::new()))), None);
        let request = CallRecord::of_request(&record(asked.clone())).expect("a request");
        assert_eq!((&*request.key, request.number, request.asked_ms), (&b"ann"[..], 7, Some(42)));
        let report = CallReport { attempts: 2, ..CallReport::default() };
        let answer = CallResponse::of_response(&record(request::with_report(asked.clone(), &report)));
        let answer = answer.expect("an answer");
        assert_eq!((answer.request, answer.outcome, answer.report), (request, Ok(Some("A".into())), report));
        let failure = CallFailure { kind: FailureKind::Timeout, message: "late".to_owned(), attempts: 4 };
        let failed = CallResponse::of_response(&record(request::with_failure(asked.clone(), &failure)));
        assert_eq!(failed.expect("a failure").outcome, Err(failure));
        assert_eq!(CallResponse::of_response(&record(request::with_again(asked.clone()))), None);
        assert_eq!(CallResponse::of_response(&record(request::with_dropped(asked))), None);
    }
}
