//! HTTPS for all providers: a client, bounded bodies, and errors that show neither keys nor texts.

mod pause;
mod sse;

use std::time::{Duration, Instant};

use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use serde_json::Value;
use thiserror::Error;

pub(super) use self::pause::{in_seconds, retry_after};
use self::sse::Events;
use super::{
    error::{ModelError, ModelErrorKind},
    fingerprint::{canonical, hex, sha256},
    reply::TokenUsage,
    request::ModelRequest,
};

/// No answer of a model is longer than this.
const MAX_BODY: usize = 16 << 20;

/// Why a client of a provider could not be made.
#[derive(Debug, Error)]
#[error("the HTTPS client cannot be made: {0}")]
pub struct SetupError(#[from] reqwest::Error);

/// Makes a client. It follows no redirects, because they would carry keys to other hosts.
pub(super) fn client() -> Result<Client, SetupError> {
    // One provider is installed per process. A provider that was installed before is just as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let agent = concat!("tidemill/", env!("CARGO_PKG_VERSION"));
    let builder = Client::builder().user_agent(agent).connect_timeout(Duration::from_secs(10));
    Ok(builder.redirect(reqwest::redirect::Policy::none()).build()?)
}

/// The host in a URL, for spans.
pub(super) fn host(url: &str) -> String {
    reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(ToOwned::to_owned)).unwrap_or_default()
}

/// The time that a request has, over all its tries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Deadline(Instant);

impl Deadline {
    pub(super) fn after(timeout: Duration) -> Self {
        let now = Instant::now();
        Self(now.checked_add(timeout).unwrap_or(now + Duration::from_secs(86_400)))
    }

    pub(super) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// Sends a request. What the response says is not looked at.
pub(super) async fn send(
    builder: RequestBuilder,
    body: &Value,
    request: &ModelRequest,
) -> Result<Response, ModelError> {
    let mut builder = builder.json(body);
    if !request.id.is_empty() {
        // A service that knows this key answers the same question once. The second try of a turn is another question.
        let key = sha256(&[request.id.as_bytes(), canonical(body).as_bytes()]);
        builder = builder.header("x-request-id", &request.id).header("idempotency-key", hex(&key[..16]));
    }
    builder.send().await.map_err(|error| {
        if error.is_timeout() {
            ModelErrorKind::Timeout.into()
        } else if error.is_connect() {
            ModelError::unavailable("no connection")
        } else {
            // The request may have arrived, and may be paid.
            ModelError::unavailable("the connection broke off").with_usage(TokenUsage::estimate(request.bytes(), 0))
        }
    })
}

/// Limits a try to the time that is left. A request that was given up may be paid: its input is counted.
pub(super) async fn within<T>(
    deadline: Deadline,
    request: &ModelRequest,
    work: impl Future<Output = Result<T, ModelError>>,
) -> Result<T, ModelError> {
    let timed_out = || ModelError::from(ModelErrorKind::Timeout).with_usage(TokenUsage::estimate(request.bytes(), 0));
    tokio::time::timeout(deadline.left(), work).await.unwrap_or_else(|_| Err(timed_out()))
}

/// Whether the response comes in parts. Some servers ignore the wish for a stream.
pub(super) fn is_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/event-stream"))
}

/// Reads a whole body.
pub(super) async fn body(mut response: Response) -> Result<Vec<u8>, ModelError> {
    let mut body = Vec::new();
    while let Some(chunk) = chunk(&mut response).await? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(ModelError::malformed("it is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Reads a body that comes in events, until `take` says that the last one came. Returns whether it said so.
pub(super) async fn events(
    mut response: Response,
    mut take: impl FnMut(&str) -> Result<bool, ModelError>,
) -> Result<bool, ModelError> {
    let mut events = Events::default();
    let mut received = 0;
    while let Some(chunk) = chunk(&mut response).await? {
        received += chunk.len();
        if received > MAX_BODY {
            return Err(ModelError::malformed("it is too long"));
        }
        for event in events.push(&chunk) {
            if take(&event)? {
                return Ok(true);
            }
        }
    }
    events.end().map_or(Ok(false), |event| take(&event))
}

async fn chunk(response: &mut Response) -> Result<Option<bytes::Bytes>, ModelError> {
    response.chunk().await.map_err(|_| ModelError::unavailable("the connection broke off"))
}

/// The name of a problem, if it looks like one. Other texts may quote the request and are left out.
pub(super) fn code(name: Option<&Value>, status: StatusCode) -> String {
    let name = match name {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let harmless = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.');
    if (1..=60).contains(&name.len()) && name.chars().all(harmless) {
        format!("HTTP {}, {name}", status.as_u16())
    } else {
        format!("HTTP {}", status.as_u16())
    }
}

/// A header with a key. Its value is marked, so that no log of the HTTP library shows it.
pub(super) fn secret_header(name: &str, value: &str) -> Result<HeaderMap, ModelError> {
    let unfit = |code: &str| ModelError::from(ModelErrorKind::Unauthorized { code: code.into() });
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit("the header's name is no name"))?;
    let mut value = HeaderValue::from_str(value).map_err(|_| unfit("the key has letters that no key has"))?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(name, value)]))
}
