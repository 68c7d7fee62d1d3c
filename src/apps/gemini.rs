//! Asks Gemini over HTTPS for an answer that fits a schema.

use std::{fmt, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json};

use super::AnalystError;

/// The settings of the Gemini client.
#[derive(Clone)]
pub struct GeminiSettings {
    /// The URL of the service, without a path.
    pub endpoint: String,
    /// The model's name.
    pub model: String,
    /// The API key.
    pub api_key: String,
    /// The time limit for one HTTP request.
    pub timeout: Duration,
}

/// The service of the Gemini API.
pub const ENDPOINT: &str = "https://generativelanguage.googleapis.com";
/// The default model: it answers within seconds.
pub const MODEL: &str = "gemini-2.5-flash";

impl fmt::Debug for GeminiSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, model, timeout, .. } = self;
        write!(f, "GeminiSettings {{ endpoint: {endpoint}, model: {model}, timeout: {timeout:?}, api_key: … }}")
    }
}

/// A client of the Gemini API. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Gemini {
    settings: GeminiSettings,
    http: reqwest::Client,
}

/// A question to the model.
pub(crate) struct Question {
    /// The model's role and task. Trusted text.
    pub(crate) instruction: &'static str,
    /// The data to analyse. Strangers wrote it, so it is sent as data, not as an instruction.
    pub(crate) data: Value,
    /// The JSON schema of the answer.
    pub(crate) schema: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    #[serde(default)]
    candidates: Vec<Candidate>,
    prompt_feedback: Option<PromptFeedback>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    content: Option<Content>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PromptFeedback {
    block_reason: Option<String>,
}

/// Makes a client for HTTP and HTTPS. A request fails after `timeout`.
///
/// # Errors
/// If this machine's certificates cannot be read.
pub fn http_client(timeout: Duration) -> Result<reqwest::Client, reqwest::Error> {
    // One provider is installed per process. A provider that was installed before is just as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(timeout).build()
}

impl Gemini {
    /// Makes a client for the settings.
    ///
    /// # Errors
    /// If this machine's certificates cannot be read.
    pub fn new(settings: GeminiSettings) -> Result<Self, reqwest::Error> {
        let http = http_client(settings.timeout)?;
        Ok(Self { settings, http })
    }

    /// The model's name.
    pub fn model(&self) -> &str {
        &self.settings.model
    }

    /// Sends a question, and parses the answer.
    pub(crate) async fn ask<T: for<'de> Deserialize<'de>>(&self, question: Question) -> Result<T, AnalystError> {
        let GeminiSettings { endpoint, model, api_key, .. } = &self.settings;
        let url = format!("{}/v1beta/models/{model}:generateContent", endpoint.trim_end_matches('/'));
        let body = json!({
            "systemInstruction": { "parts": [{ "text": question.instruction }] },
            "contents": [{ "role": "user", "parts": [{ "text": question.data.to_string() }] }],
            "generationConfig": {
                "responseMimeType": "application/json",
                "responseSchema": question.schema,
                "temperature": 0.2,
            },
        });
        let response = self.http.post(url).header("x-goog-api-key", api_key).json(&body).send().await;
        let response = response.map_err(|error| unavailable(&error.without_url()))?;
        let status = response.status();
        let pause = retry_after(response.headers());
        let bytes = response.bytes().await.map_err(|error| unavailable(&error.without_url()))?;
        if !status.is_success() {
            return Err(refusal(status, pause, &bytes));
        }
        let reply: Reply = serde_json::from_slice(&bytes).map_err(|error| unreadable(&error))?;
        let text = text(reply)?;
        serde_json::from_str(&text).map_err(|error| unreadable(&error))
    }
}

fn text(reply: Reply) -> Result<String, AnalystError> {
    if let Some(reason) = reply.prompt_feedback.and_then(|feedback| feedback.block_reason) {
        return Err(AnalystError::Refused { reason: format!("the prompt was blocked: {reason}") });
    }
    let candidate = reply.candidates.into_iter().next();
    let Some(candidate) = candidate else { return Err(unreadable(&"the answer has no candidate")) };
    match candidate.finish_reason.as_deref() {
        None | Some("STOP") => {}
        Some(reason @ ("SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII")) => {
            return Err(AnalystError::Refused { reason: format!("the answer was blocked: {reason}") });
        }
        Some(reason) => return Err(unreadable(&format!("the answer ended with {reason}"))),
    }
    let parts = candidate.content.map(|content| content.parts).unwrap_or_default();
    Ok(parts.into_iter().map(|part| part.text).collect())
}

/// Interprets an HTTP status: a busy service is temporary, a wrong key is not.
fn refusal(status: reqwest::StatusCode, pause: Option<u64>, body: &[u8]) -> AnalystError {
    let error: Value = serde_json::from_slice(body).unwrap_or_default();
    // The service's message may quote the request. The status code names the problem without the quote.
    let code = error["error"]["status"].as_str().unwrap_or("no details").to_owned();
    let reason = format!("HTTP {} ({code})", status.as_u16());
    let passes = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
    if passes {
        let delay = error["error"]["details"].as_array().into_iter().flatten().find_map(|detail| {
            let seconds: f64 = detail["retryDelay"].as_str()?.strip_suffix('s')?.parse().ok()?;
            (0.0..86_400.0).contains(&seconds).then_some((seconds * 1000.0) as u64)
        });
        AnalystError::Unavailable { reason, retry_after_ms: pause.or(delay) }
    } else {
        AnalystError::Refused { reason }
    }
}

fn retry_after(headers: &reqwest::header::HeaderMap) -> Option<u64> {
    let seconds: u64 = headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(seconds.min(86_400) * 1000)
}

fn unavailable(error: &reqwest::Error) -> AnalystError {
    let reason = if error.is_timeout() { "the request timed out".to_owned() } else { error.to_string() };
    AnalystError::Unavailable { reason, retry_after_ms: None }
}

fn unreadable(error: &dyn fmt::Display) -> AnalystError {
    AnalystError::Unreadable { reason: error.to_string() }
}

/// Makes a model's text fit for a page: one line of at most `most` characters.
pub(crate) fn line(text: &str, most: usize) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(most).collect()
}
