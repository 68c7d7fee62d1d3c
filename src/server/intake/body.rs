//! Bodies of requests: their types, their records, and the limits within which they are read.

use std::io::Read as _;

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, header},
};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;
use tokio::sync::OwnedSemaphorePermit;

use super::write::Intake;
use crate::server::{access::Visitor, problem::Problem};

/// How a body separates its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Lines,
}

/// How much of a body that is too large is read after all.
const LINGER_MAX_BYTES: usize = 8 << 20;

/// Names of the only charset that JSON has.
const UTF_8: [&str; 2] = ["utf-8", "utf8"];

const RECORDS: &str = "send Content-Type: application/json (one object or an array) or application/x-ndjson";
const OBJECT: &str = "send Content-Type: application/json";

/// The form of a body of records.
pub(super) fn format(headers: &HeaderMap) -> Result<Format, Problem> {
    known_format(headers, RECORDS)
}

/// Accepts only types that a page of another origin cannot send without a preflight request. `fix` names the types that
/// the address takes.
fn known_format(headers: &HeaderMap, fix: &str) -> Result<Format, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.to_ascii_lowercase();
    let mut parts = kind.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let charset = parts.find_map(|parameter| parameter.strip_prefix("charset="));
    if let Some(charset) = charset.map(|charset| charset.trim_matches('"')).filter(|name| !UTF_8.contains(name)) {
        let problem = format!("the charset {charset} is not known");
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, problem, "send UTF-8"));
    }
    match kind {
        "application/json" => Ok(Format::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(Format::Lines),
        _ => Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the content type is not known", fix)),
    }
}

pub(in crate::server) fn check_json(headers: &HeaderMap) -> Result<(), Problem> {
    match known_format(headers, OBJECT)? {
        Format::Json => Ok(()),
        Format::Lines => {
            Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "this address takes one JSON object", OBJECT))
        }
    }
}

/// A body without the mark that some programs write at the start of UTF-8.
pub(in crate::server) fn unmarked(body: &[u8]) -> &[u8] {
    body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body)
}

/// The records of a body, undecoded.
pub(super) fn split(format: Format, body: &[u8]) -> Result<Vec<&[u8]>, Problem> {
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

pub(in crate::server) fn json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        let mut values = serde_json::Deserializer::from_slice(body).into_iter::<IgnoredAny>();
        if matches!((values.next(), values.next()), (Some(Ok(_)), Some(Ok(_)))) {
            let fix = "send Content-Type: application/x-ndjson for one object per line, or put them into an array";
            return Problem::new(StatusCode::BAD_REQUEST, "the body holds more than one JSON value", fix);
        }
        Problem::new(StatusCode::BAD_REQUEST, format!("the body is not JSON: {error}"), "send valid JSON in UTF-8")
    })
}

/// The reserved memory of a body: of the tenant's share, and of all memory for bodies.
pub(in crate::server) struct Reserved {
    _share: Option<OwnedSemaphorePermit>,
    _all: OwnedSemaphorePermit,
}

impl Intake {
    /// Reads a body within all limits. Its memory is reserved until the records are written.
    pub(in crate::server) async fn read_body(
        &self,
        visitor: &Visitor,
        headers: &HeaderMap,
        mut body: Body,
    ) -> Result<(Bytes, Reserved), Problem> {
        let is_packed = is_packed(headers)?;
        let limits = &self.engine.settings().limits;
        let limit = visitor.body_bytes(limits.body_bytes);
        let told = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        let too_large = || {
            let fix = "send fewer records at a time";
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is larger than {limit} bytes"), fix)
        };
        if told.is_some_and(|told| told > limit) {
            let _ = tokio::time::timeout(limits.body_timeout, drain(&mut body)).await;
            return Err(too_large());
        }
        let bytes = told.unwrap_or(limit) + if is_packed { limit } else { 0 };
        let reserved = Reserved { _share: visitor.reserve(bytes)?, _all: self.pressure.reserve(bytes)? };
        let read = async {
            let read = Limited::new(&mut body, limit).collect().await;
            if read.is_err() {
                drain(&mut body).await;
            }
            read
        };
        let read = tokio::time::timeout(limits.body_timeout, read).await.map_err(|_| {
            Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time", "send smaller batches")
        })?;
        let collected = read.map_err(|error| {
            if error.is::<LengthLimitError>() {
                return too_large();
            }
            unreadable()
        })?;
        let bytes = collected.to_bytes();
        if !is_packed {
            return Ok((bytes, reserved));
        }
        // One byte more than the limit shows that there is more.
        let (mut unpacked, most) = (Vec::new(), limit as u64 + 1);
        MultiGzDecoder::new(&*bytes).take(most).read_to_end(&mut unpacked).map_err(|_| unreadable())?;
        if unpacked.len() > limit { Err(too_large()) } else { Ok((unpacked.into(), reserved)) }
    }
}

fn unreadable() -> Problem {
    let fix = "send the whole body, as long and encoded as its headers say";
    Problem::new(StatusCode::BAD_REQUEST, "the body cannot be read to its end", fix)
}

/// Whether the body is compressed by gzip.
fn is_packed(headers: &HeaderMap) -> Result<bool, Problem> {
    let encoding = headers.get(header::CONTENT_ENCODING).map_or(&b"identity"[..], |encoding| encoding.as_bytes());
    let encoding = String::from_utf8_lossy(encoding).trim().to_ascii_lowercase();
    match &*encoding {
        "identity" | "" => Ok(false),
        "gzip" | "x-gzip" => Ok(true),
        _ => {
            let problem = format!("the content encoding {encoding} is not known");
            Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, problem, "send gzip, or an uncompressed body"))
        }
    }
}

/// Reads on and forgets, so that a client that still sends gets to read the answer. A client that sends too much more
/// sees its connection end instead.
async fn drain(body: &mut Body) {
    let mut left = LINGER_MAX_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        let Some(rest) = left.checked_sub(bytes) else { return };
        left = rest;
    }
}
