//! Ingests records: one object, an array, or one object per line. All records of a request are valid and written, or
//! none.

use std::{error::Error, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http_body_util::LengthLimitError;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;
use tidemill::{Clock as _, SystemClock, transport::Topic};
use tidemill_schemas::Arrival;

use super::readers::{self, Intake};
use crate::{
    apps::{App, Incoming, Input, Property},
    server::{
        access::Visitor,
        http::Shared,
        problem::{Problem, RecordProblem},
    },
};

/// The most problems that one response lists.
const TOLD: usize = 20;

/// A request to ingest.
pub(in crate::server) struct Request {
    pub(in crate::server) visitor: Visitor,
    pub(in crate::server) headers: HeaderMap,
    pub(in crate::server) body: Body,
}

/// `POST` to the address of a kind of input.
pub(in crate::server) async fn events(
    shared: Arc<Shared>,
    app: App,
    input: &Input,
    Request { visitor, headers, body }: Request,
) -> Result<Response, Problem> {
    shared.running(app)?;
    let format = format(&headers)?;
    let body = shared.read_body(&visitor, &headers, body).await?;
    let parsed = parse_all(&split(format, &body.0)?, input, &shared.intake, shared.arrival());
    if parsed.is_err() && format == Format::Json {
        json::<IgnoredAny>(&body.0)?;
    }
    let records = parsed?;
    for record in &records {
        visitor.may(app, &record.key)?;
    }
    let count = records.len();
    // The rate comes last: records that are refused for another reason do not use it up.
    let admitted = shared.pressure.admit(app, count)?;
    shared.access.take(&visitor, count)?;
    shared.write(input.topic, records).await?;
    admitted.written();
    shared.metrics.accepted.with_label_values(&[input.topic]).inc_by(count as u64);
    Ok((StatusCode::ACCEPTED, axum::Json(serde_json::json!({ "accepted": count }))).into_response())
}

/// `PUT` to the address of an owner's property.
pub(in crate::server) async fn property(
    shared: Arc<Shared>,
    app: App,
    property: &Property,
    owner: String,
    Request { visitor, headers, body }: Request,
) -> Result<Response, Problem> {
    shared.running(app)?;
    visitor.may(app, &owner)?;
    check_json(&headers)?;
    let body = shared.read_body(&visitor, &headers, body).await?;
    let record = shared.intake.property(property, &owner, &body.0, SystemClock.now_ms()).map_err(|errors| {
        Problem::records(errors.into_iter().map(|error| RecordProblem { index: 0, error }).collect())
    })?;
    let admitted = shared.pressure.admit(app, 1)?;
    shared.write(property.topic, vec![record]).await?;
    admitted.written();
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// How a body separates its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Lines,
}

/// Accepts only types that a page of another origin cannot send without a preflight request.
fn format(headers: &HeaderMap) -> Result<Format, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.to_ascii_lowercase();
    let mut parts = kind.split(';').map(str::trim);
    let (kind, mut parameters) = (parts.next().unwrap_or_default(), parts);
    let charset = parameters.find_map(|parameter| parameter.strip_prefix("charset="));
    if let Some(charset) =
        charset.map(|charset| charset.trim_matches('"')).filter(|name| !["utf-8", "utf8"].contains(name))
    {
        let problem = format!("the charset {charset} is not known");
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, problem, "send UTF-8"));
    }
    match kind {
        "application/json" => Ok(Format::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(Format::Lines),
        _ => {
            let fix = "send Content-Type: application/json (one object or an array) or application/x-ndjson";
            Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the content type is not known", fix))
        }
    }
}

fn check_json(headers: &HeaderMap) -> Result<(), Problem> {
    match format(headers)? {
        Format::Json => Ok(()),
        Format::Lines => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "this address takes one JSON object",
            "send Content-Type: application/json",
        )),
    }
}

/// The records of a body, undecoded.
fn split(format: Format, body: &[u8]) -> Result<Vec<&[u8]>, Problem> {
    match format {
        Format::Lines => {
            Ok(body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()).collect())
        }
        Format::Json if body.trim_ascii_start().first() == Some(&b'[') => {
            let items: Vec<&RawValue> = json(body)?;
            Ok(items.into_iter().map(|item| item.get().as_bytes()).collect())
        }
        // The object is parsed only once, later, as the record.
        Format::Json => Ok(vec![body.trim_ascii()]),
    }
}

fn json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        let mut values = serde_json::Deserializer::from_slice(body).into_iter::<IgnoredAny>();
        if matches!((values.next(), values.next()), (Some(Ok(_)), Some(Ok(_)))) {
            let fix = "send Content-Type: application/x-ndjson for one object per line, or put them into an array";
            return Problem::new(StatusCode::BAD_REQUEST, "the body holds more than one JSON value", fix);
        }
        Problem::new(StatusCode::BAD_REQUEST, format!("the body is not JSON: {error}"), "send valid JSON in UTF-8")
    })
}

fn parse_all(records: &[&[u8]], input: &Input, intake: &Intake, arrival: Arrival) -> Result<Vec<Incoming>, Problem> {
    let (mut good, mut bad) = (Vec::with_capacity(records.len()), Vec::new());
    for (index, record) in records.iter().enumerate() {
        match intake.event(input, record, arrival) {
            Ok(record) => good.push(record),
            Err(errors) => bad.extend(errors.into_iter().map(|error| RecordProblem { index, error })),
        }
        if bad.len() >= TOLD {
            bad.truncate(TOLD);
            break;
        }
    }
    if bad.is_empty() { Ok(good) } else { Err(Problem::records(bad)) }
}

impl Shared {
    /// The clock that events of a request are checked against.
    fn arrival(&self) -> Arrival {
        let settings = self.engine.settings();
        let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        let (ahead_max_ms, kept_ms) = (millis(settings.limits.clock_ahead), millis(settings.raw_retention));
        Arrival { now_ms: SystemClock.now_ms(), ahead_max_ms, kept_ms }
    }

    /// Reads a body within all limits. The permit holds its memory until the records are written.
    async fn read_body(
        &self,
        visitor: &Visitor,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<(Bytes, tokio::sync::OwnedSemaphorePermit), Problem> {
        let limit = visitor.body_bytes(self.engine.settings().limits.body_bytes);
        let told = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        let too_large = || {
            let fix = "send fewer records at a time";
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is larger than {limit} bytes"), fix)
        };
        if told.is_some_and(|told| told > limit) {
            return Err(too_large());
        }
        let permit = self.pressure.reserve(told.unwrap_or(limit))?;
        let read = tokio::time::timeout(BODY_TIMEOUT, axum::body::to_bytes(body, limit)).await;
        let bytes = read.map_err(|_| {
            Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time", "send smaller batches")
        })?;
        let bytes = bytes.map_err(|error| {
            if error.source().is_some_and(<dyn Error>::is::<LengthLimitError>) {
                return too_large();
            }
            Problem::new(StatusCode::BAD_REQUEST, "the body ended before its end", "send the whole body")
        })?;
        Ok((bytes, permit))
    }

    /// Appends records to their topic.
    async fn write(&self, topic: &'static str, records: Vec<Incoming>) -> Result<(), Problem> {
        let partitions = self.partitions(topic)?;
        let topic = Topic::from(topic);
        let records = records.into_iter().map(|record| readers::record(record, &topic, partitions)).collect();
        let written = self.engine.log().write(records).await;
        written.map_err(|error| Problem::not_written(&error))
    }
}

/// How long reading a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
