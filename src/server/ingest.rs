//! Records come in: single, as an array, or a line each; checked field by field; all of a request or nothing.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;
use tidemill_schemas::{FieldError, parse_profile};
use tidemill_topology::{Clock as _, SystemClock, transport::Topic};

use super::{
    App,
    access::Visitor,
    http::Server,
    input::{Codecs, Input, Parsed},
    problem::{Problem, RecordProblem},
};
use crate::apps::form_coach;

/// Problems told about at once.
const TOLD: usize = 20;

/// `POST /v1/chat`
pub(super) async fn chat(
    State(server): State<Arc<Server>>,
    visitor: Visitor,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    server.take_in(Input::Chat, visitor, &headers, body).await
}

/// `POST /v1/transcript`
pub(super) async fn transcript(
    State(server): State<Arc<Server>>,
    visitor: Visitor,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    server.take_in(Input::Transcript, visitor, &headers, body).await
}

/// `POST /v1/pose`
pub(super) async fn pose(
    State(server): State<Arc<Server>>,
    visitor: Visitor,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    server.take_in(Input::Pose, visitor, &headers, body).await
}

/// `PUT /v1/users/{id}/profile`
pub(super) async fn profile(
    State(server): State<Arc<Server>>,
    Path(user): Path<String>,
    visitor: Visitor,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    server.running(App::Coach)?;
    visitor.may(App::Coach, &user)?;
    check_json(&headers)?;
    let body = server.read_body(&visitor, &headers, body).await?;
    let single = |errors: Vec<FieldError>| {
        Problem::records(errors.into_iter().map(|error| RecordProblem { index: 0, error }).collect())
    };
    let profile = parse_profile(&body.0).map_err(single)?;
    let record = Parsed::new(&server.codecs.profiles, &user, &profile, SystemClock.now_ms()).map_err(single)?;
    let admitted = server.pressure.admit(App::Coach, 1)?;
    server.write(form_coach::PROFILES, vec![record]).await?;
    admitted.written();
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// How records of a body are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Lines,
}

/// Only types that a page of another origin cannot send without asking first.
fn format(headers: &HeaderMap) -> Result<Format, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    match kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
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
            "this takes one object",
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
        // It is read once, as the record that it should be.
        Format::Json => Ok(vec![body.trim_ascii()]),
    }
}

fn json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, format!("the body is not JSON: {error}"), "send valid JSON in UTF-8")
    })
}

fn parse_all(records: &[&[u8]], input: Input, codecs: &Codecs, now_ms: i64) -> Result<Vec<Parsed>, Problem> {
    let (mut good, mut bad) = (Vec::with_capacity(records.len()), Vec::new());
    for (index, record) in records.iter().enumerate() {
        match input.parse(record, codecs, now_ms) {
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

impl Server {
    async fn take_in(
        &self,
        input: Input,
        visitor: Visitor,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Response, Problem> {
        let (app, topic) = (input.app(), input.topic());
        self.running(app)?;
        let format = format(headers)?;
        let body = self.read_body(&visitor, headers, body).await?;
        let parsed = parse_all(&split(format, &body.0)?, input, &self.codecs, SystemClock.now_ms());
        if parsed.is_err() && format == Format::Json {
            json::<IgnoredAny>(&body.0)?;
        }
        let records = parsed?;
        for record in &records {
            visitor.may(app, &record.key)?;
        }
        self.access.take(&visitor, records.len())?;
        let count = records.len();
        let admitted = self.pressure.admit(app, count)?;
        self.write(topic, records).await?;
        admitted.written();
        self.metrics.accepted.with_label_values(&[topic]).inc_by(count as u64);
        Ok((StatusCode::ACCEPTED, axum::Json(serde_json::json!({ "accepted": count }))).into_response())
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
            Problem::new(StatusCode::REQUEST_TIMEOUT, "the body came too slowly", "send smaller batches")
        })?;
        Ok((bytes.map_err(|_| too_large())?, permit))
    }

    /// Appends records to their topic.
    pub(super) async fn write(&self, topic: &'static str, records: Vec<Parsed>) -> Result<(), Problem> {
        let partitions = self.partitions(topic)?;
        let topic = Topic::from(topic);
        let records = records.into_iter().map(|record| record.to(&topic, partitions)).collect();
        let written = self.engine.log().write(records).await;
        written.map_err(|error| Problem::not_written(&error))
    }
}

/// How long a body may take.
const BODY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);
