//! A server with `OpenAI`'s transcriptions.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{DefaultBodyLimit, Multipart, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::door::Guard;
use crate::draw::Draw;
use crate::{Door, Faults, Hearing, SAMPLES_PER_MS, Script};

/// How the server works.
#[derive(Debug, Clone)]
pub struct OpenAiSettings {
    /// What is heard.
    pub script: Arc<Script>,
    /// What goes wrong.
    pub faults: Faults,
    /// Whose key is let in.
    pub door: Door,
    /// Whether answers have words with times, or only segments.
    pub words: bool,
    /// Answers of the next requests: status and body. The rest is answered as usual. Status 429 asks for a pause of 1 s.
    pub canned: Vec<(u16, Value)>,
}

impl OpenAiSettings {
    /// A server that hears this script, with nothing that goes wrong.
    pub fn new(script: Arc<Script>) -> Self {
        Self { script, faults: Faults::default(), door: Door::Open, words: true, canned: Vec::new() }
    }
}

/// A server with `OpenAI`'s transcriptions. It ends when it is dropped.
#[derive(Debug)]
pub struct OpenAiServer {
    address: SocketAddr,
    desk: Arc<Desk>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct Desk {
    settings: OpenAiSettings,
    guard: Guard,
    canned: Mutex<std::vec::IntoIter<(u16, Value)>>,
    requests: AtomicU64,
    heard_ms: AtomicU64,
}

impl OpenAiServer {
    /// Starts a server on a free port of this machine.
    pub async fn start(settings: OpenAiSettings) -> std::io::Result<Self> {
        Self::listen(settings, TcpListener::bind("127.0.0.1:0").await?)
    }

    /// Starts a server on this listener.
    pub fn listen(settings: OpenAiSettings, listener: TcpListener) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let canned = Mutex::new(settings.canned.clone().into_iter());
        let guard = Guard::new(settings.door.clone())?;
        let desk = Arc::new(Desk { settings, guard, canned, requests: AtomicU64::new(0), heard_ms: AtomicU64::new(0) });
        let routes = Router::new()
            .route("/v1/audio/transcriptions", post(transcribe))
            .layer(DefaultBodyLimit::max(25 << 20))
            .with_state(Arc::clone(&desk));
        let task = tokio::spawn(async move {
            // The server runs until its task is ended.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { address, desk, task })
    }

    /// The base of the server's addresses: `http://127.0.0.1:PORT/v1`.
    pub fn base(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// How many requests came.
    pub fn requests(&self) -> u64 {
        self.desk.requests.load(Relaxed)
    }

    /// How much audio came, in milliseconds.
    pub fn heard_ms(&self) -> u64 {
        self.desk.heard_ms.load(Relaxed)
    }
}

impl Drop for OpenAiServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a request asks for.
#[derive(Default)]
struct Asked {
    wav: Vec<u8>,
    model: String,
    language: String,
    format: String,
    words: bool,
}

async fn transcribe(State(desk): State<Arc<Desk>>, headers: HeaderMap, form: Multipart) -> Response {
    let number = desk.requests.fetch_add(1, Relaxed);
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if !desk.guard.admits(authorization) {
        return refuse(401, "Incorrect API key provided.", "invalid_request_error", "invalid_api_key");
    }
    let canned = desk.canned.lock().unwrap_or_else(PoisonError::into_inner).next();
    if let Some((status, body)) = canned {
        let mut answer = (StatusCode::from_u16(status).unwrap_or_default(), Json(body)).into_response();
        if status == 429 {
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        return answer;
    }
    let asked = match ask(form).await {
        Ok(asked) => asked,
        Err(problem) => return refuse(400, &problem, "invalid_request_error", ""),
    };
    let Some(samples) = pcm(&asked.wav) else {
        return refuse(
            400,
            "The audio file could not be decoded or its format is not supported.",
            "invalid_request_error",
            "",
        );
    };
    if asked.model.is_empty() {
        return refuse(400, "you must provide a model parameter", "invalid_request_error", "");
    }
    if asked.language.len() != 2 {
        let message =
            format!("Invalid language '{}'. Language parameter must be specified in ISO-639-1 format.", asked.language);
        return refuse(400, &message, "invalid_request_error", "invalid_language_format");
    }
    desk.heard_ms.fetch_add((samples.len() / SAMPLES_PER_MS) as u64, Relaxed);
    let faults = desk.settings.faults;
    let mut draw = Draw::of(faults.seed, number);
    if draw.strikes(faults.unavailable) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if draw.strikes(faults.exhausted) {
        let mut answer = refuse(429, "Rate limit reached for requests", "requests", "rate_limit_exceeded");
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        return answer;
    }
    if draw.strikes(faults.cut) {
        return refuse(500, "The server had an error while processing your request.", "server_error", "");
    }
    Json(answer(&desk.settings, &asked, &samples, faults.seed ^ number)).into_response()
}

async fn ask(mut form: Multipart) -> Result<Asked, String> {
    let mut asked = Asked::default();
    while let Some(field) = form.next_field().await.map_err(|error| error.to_string())? {
        let name = field.name().unwrap_or_default().to_owned();
        if name == "file" {
            asked.wav = field.bytes().await.map_err(|error| error.to_string())?.to_vec();
            continue;
        }
        let text = field.text().await.map_err(|error| error.to_string())?;
        match name.as_str() {
            "model" => asked.model = text,
            "language" => asked.language = text,
            "response_format" => asked.format = text,
            "timestamp_granularities[]" => asked.words |= text == "word",
            _ => {}
        }
    }
    Ok(asked)
}

/// The samples of a WAV file of 16 kHz mono PCM.
fn pcm(wav: &[u8]) -> Option<Vec<i16>> {
    let header = wav.get(..44)?;
    let right = header.starts_with(b"RIFF")
        && header[8..16] == *b"WAVEfmt "
        && header[20..24] == [1, 0, 1, 0]
        && header[24..28] == 16_000_u32.to_le_bytes()
        && header[36..40] == *b"data";
    let length = u32::from_le_bytes([header[40], header[41], header[42], header[43]]) as usize;
    let data = wav[44..].get(..length)?;
    right.then(|| data.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
}

fn answer(settings: &OpenAiSettings, asked: &Asked, samples: &[i16], seed: u64) -> Value {
    let mut hearing = Hearing::new(Arc::clone(&settings.script), settings.faults.jitter_ms, seed);
    hearing.feed(samples);
    let heard = hearing.rest();
    let seconds = |ms: i64| ms as f64 / 1_000.0;
    let text = |words: &[crate::Heard]| words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    if asked.format != "verbose_json" {
        return json!({ "text": text(&heard) });
    }
    let segments: Vec<_> = heard.chunks(8).enumerate().map(|(id, words)| {
        json!({
            "id": id, "start": seconds(words[0].start_ms), "end": seconds(words[words.len() - 1].end_ms),
            "text": format!(" {}.", text(words)), "avg_logprob": -0.2, "no_speech_prob": 0.01, "compression_ratio": 1.2,
        })
    }).collect();
    let words = (settings.words && asked.words).then(|| {
        let word = |word: &crate::Heard| json!({ "word": word.text, "start": seconds(word.start_ms), "end": seconds(word.end_ms) });
        heard.iter().map(word).collect::<Vec<_>>()
    });
    json!({
        "task": "transcribe", "language": "english", "duration": seconds(hearing.heard_ms()), "text": text(&heard),
        "segments": segments, "words": words,
    })
}

fn refuse(status: u16, message: &str, kind: &str, code: &str) -> Response {
    let body = json!({ "error": { "message": message, "type": kind, "param": null, "code": code } });
    (StatusCode::from_u16(status).unwrap_or_default(), Json(body)).into_response()
}
