//! Error responses. Each says what is wrong and what to do.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tidemill_schemas::FieldError;

use super::{engine::NotRunning, log::WriteError};

/// Seconds until a client may try again when brokers are unreachable.
const LOG_RETRY_S: u64 = 5;

/// Why a request is refused.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    #[serde(skip)]
    status: StatusCode,
    /// What is wrong.
    error: String,
    /// What to do.
    fix: String,
    /// The records that are not valid, and what is wrong with each. What came alone is the record 0.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    records: Vec<RecordProblem>,
    #[serde(skip)]
    retry_after_s: Option<u64>,
}

/// What is wrong with one record of a batch.
#[derive(Debug, Serialize)]
pub(super) struct RecordProblem {
    /// The record's index in the batch, from 0.
    pub(super) index: usize,
    #[serde(flatten)]
    pub(super) error: FieldError,
}

impl Problem {
    pub(super) fn new(status: StatusCode, error: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { status, error: error.into(), fix: fix.into(), records: Vec::new(), retry_after_s: None }
    }

    /// A question that cannot be read.
    pub(super) fn wrong(error: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, fix)
    }

    pub(super) fn records(records: Vec<RecordProblem>) -> Self {
        let fix = "correct the named fields and send the batch again: no record of it was written";
        Self { records, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "records are not valid", fix) }
    }

    /// One thing that is not a record of a batch, such as a profile.
    pub(super) fn not_valid(what: &str, errors: Vec<FieldError>) -> Self {
        let records = errors.into_iter().map(|error| RecordProblem { index: 0, error }).collect();
        let fix = "correct the named fields and send it again: nothing was written";
        Self { records, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, format!("the {what} is not valid"), fix) }
    }

    pub(super) fn busy(error: impl Into<String>, retry_after_s: u64) -> Self {
        let fix = "send again after the seconds in the header Retry-After";
        let retry_after_s = Some(retry_after_s.max(1));
        Self { retry_after_s, ..Self::new(StatusCode::TOO_MANY_REQUESTS, error, fix) }
    }

    /// The log could not be written to.
    pub(super) fn not_written(error: &WriteError) -> Self {
        if !error.is_temporary() {
            return Self::internal(error);
        }
        tracing::warn!(%error, "records were refused");
        let fix = match error {
            WriteError::Late | WriteError::Closed => "send it again after Retry-After: no record was written",
            WriteError::Failed(_) => {
                "send it again after Retry-After: records that were already written are then there twice"
            }
        };
        Self::log_unavailable(fix)
    }

    /// The log does not answer.
    pub(super) fn log_unavailable(fix: &str) -> Self {
        Self::unavailable("the log does not answer at the moment", fix, LOG_RETRY_S)
    }

    /// No instance can answer at the moment.
    pub(super) fn unavailable(error: impl Into<String>, fix: &str, retry_after_s: u64) -> Self {
        let retry_after_s = Some(retry_after_s.max(1));
        Self { retry_after_s, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, error, fix) }
    }

    /// The details go to the log, because the client cannot fix the cause.
    pub(super) fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed", "try again; the server's log says more")
    }

    /// What is wrong with which fields, what to do, and after how many seconds it may go well.
    pub(super) fn told(&self) -> (String, String, Option<u64>) {
        if self.records.is_empty() {
            return (self.error.clone(), self.fix.clone(), self.retry_after_s);
        }
        let fields = |part: fn(&FieldError) -> &str| {
            let parts = self.records.iter().map(|record| match record.error.field.as_str() {
                "" => part(&record.error).to_owned(),
                field => format!("{field}: {}", part(&record.error)),
            });
            parts.collect::<Vec<_>>().join("; ")
        };
        let error = format!("{}: {}", self.error, fields(|error| &error.problem));
        (error, fields(|error| &error.fix), self.retry_after_s)
    }

    pub(super) fn not_found(what: &str, fix: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no {what}"), fix)
    }
}

impl From<NotRunning> for Problem {
    fn from(NotRunning(app): NotRunning) -> Self {
        let fix = format!("start `tidemill {}` or `tidemill serve`", app.id);
        Self::new(StatusCode::NOT_FOUND, format!("{} does not run here", app.id), fix)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let retry_after_s = self.retry_after_s;
        let mut response = (self.status, Json(self)).into_response();
        if let Some(seconds) = retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
