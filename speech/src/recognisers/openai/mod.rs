//! A server that speaks `OpenAI`'s transcriptions: their own, or one of many that run on own machines.

mod answer;
mod refusal;
mod wav;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use reqwest::multipart::{Form, Part};
use reqwest::{Client, StatusCode, Url};
use tokio::sync::mpsc;

use crate::error::shorten;
use crate::{BoxFuture, Credential, Limits, Recognised, Recogniser, Session, SpeechError};
use refusal::Refusal;

/// Where transcriptions come from.
#[derive(Debug, Clone)]
pub struct OpenAiSettings {
    /// The base of the server's addresses: `https://api.openai.com/v1`, `http://127.0.0.1:8000/v1`.
    pub base: Url,
    /// The model: `whisper-1`.
    pub model: String,
    /// The key. Servers on own machines often need none.
    pub key: Option<Credential>,
    /// How requests are cut. Each piece of speech is one request.
    pub limits: Limits,
}

impl OpenAiSettings {
    /// Requests of up to half a minute, which is what Whisper hears at once, four at the same time.
    pub const LIMITS: Limits = Limits {
        longest_ms: 30_000,
        pause_after_ms: 12_000,
        pause_ms: 320,
        overlap_ms: 3_000,
        sessions: 4,
        message_ms: 960,
        answer_within_ms: 75_000,
    };

    /// A server with this base and model, without a key.
    pub fn new(base: Url, model: impl Into<String>) -> Self {
        Self { base, model: model.into(), key: None, limits: Self::LIMITS }
    }
}

/// Recognition by a server of transcriptions. The audio of a session is sent in one request when the session's audio ends.
#[derive(Debug, Clone)]
pub struct OpenAi(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: OpenAiSettings,
    address: Url,
    client: Client,
    /// The model has no times: only its text is asked for.
    only_text: AtomicBool,
}

/// The longest answer that is read, in bytes.
const ANSWER: usize = 4 << 20;

impl OpenAi {
    /// A recogniser with these settings. An error says what is wrong with them.
    pub fn new(settings: OpenAiSettings) -> Result<Self, SpeechError> {
        if settings.model.is_empty() {
            return Err(SpeechError::refused("no model of transcription is set", "set one, for example whisper-1"));
        }
        if !matches!(settings.base.scheme(), "http" | "https") {
            return Err(SpeechError::refused(
                "the address of transcriptions is not of HTTP",
                "set one like https://api.openai.com/v1",
            ));
        }
        if !settings.base.username().is_empty() || settings.base.password().is_some() || settings.base.query().is_some()
        {
            return Err(SpeechError::refused(
                "the address of transcriptions has a user, a password or a query",
                "leave them out, and give the key by itself",
            ));
        }
        let mut address = settings.base.clone();
        address.set_path(&format!("{}/audio/transcriptions", settings.base.path().trim_end_matches('/')));
        // Another part of the program may have chosen a provider before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(Duration::from_secs(10))
            // Before the transcriber's patience ends, so that the error says what was waited for.
            .timeout(Duration::from_millis(settings.limits.answer_within_ms.saturating_mul(4) / 5))
            // Audio and key are for this address only.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| {
                SpeechError::refused(shorten(&error.to_string()), "check the certificates of this machine")
            })?;
        Ok(Self(Arc::new(Inner { settings, address, client, only_text: AtomicBool::new(false) })))
    }
}

impl Recogniser for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn limits(&self) -> Limits {
        self.0.settings.limits
    }

    fn start<'a>(&'a self, _start_ms: i64, language: &'a str) -> BoxFuture<'a, Result<Session, SpeechError>> {
        Box::pin(async move {
            let (audio, mut heard) = mpsc::channel::<Vec<i16>>(8);
            let (say, results) = mpsc::channel(1);
            let inner = Arc::clone(&self.0);
            let language = language.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
            tokio::spawn(async move {
                let work = async {
                    let mut samples = Vec::new();
                    while let Some(more) = heard.recv().await {
                        samples.extend_from_slice(&more);
                    }
                    inner.transcribe(&samples, &language).await
                };
                // Nobody waits for the answer any more: the request ends, too.
                let result = tokio::select! {
                    result = work => result,
                    () = say.closed() => return,
                };
                let _ = say.send(result).await;
            });
            Ok(Session { audio, results })
        })
    }
}

impl Inner {
    async fn transcribe(&self, samples: &[i16], language: &str) -> Result<Recognised, SpeechError> {
        loop {
            let only_text = self.only_text.load(Relaxed);
            let key = match &self.settings.key {
                Some(key) => Some((key, key.reveal().await?)),
                None => None,
            };
            let used = key.as_ref().map(|(_, used)| used.as_str());
            let (status, retry_after, body) = self.post(samples, language, only_text, used).await?;
            if status == StatusCode::OK {
                if let Some((key, _)) = key {
                    key.proven();
                }
                return answer::read(&body, samples.len());
            }
            let refusal = Refusal::read(status, retry_after, &body);
            if refusal.is_about_format() && !only_text {
                tracing::info!(
                    model = self.settings.model,
                    "the model gives no times: they are taken from the audio's length"
                );
                self.only_text.store(true, Relaxed);
                continue;
            }
            if refusal.is_about_key() && key.as_ref().is_some_and(|(key, used)| key.refused(used)) {
                return Err(SpeechError::transient("the key has expired, and is read again"));
            }
            let place = key.map(|(key, _)| key.to_string());
            return Err(refusal.into_error(&self.settings.model, place.as_deref()));
        }
    }

    /// Posts audio. Gives the status, the pause that the server asks for, and the body.
    async fn post(
        &self,
        samples: &[i16],
        language: &str,
        only_text: bool,
        key: Option<&str>,
    ) -> Result<(StatusCode, Option<Duration>, Vec<u8>), SpeechError> {
        let file = Part::bytes(wav::of(samples)).file_name("speech.wav").mime_str("audio/wav").map_err(away)?;
        let mut form = Form::new()
            .part("file", file)
            .text("model", self.settings.model.clone())
            .text("response_format", if only_text { "json" } else { "verbose_json" })
            .text("temperature", "0");
        if !only_text {
            form = form.text("timestamp_granularities[]", "word").text("timestamp_granularities[]", "segment");
        }
        if !language.is_empty() {
            form = form.text("language", language.to_owned());
        }
        let mut request = self.client.post(self.address.clone()).multipart(form);
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        let mut response = request.send().await.map_err(away)?;
        let retry_after = refusal::retry_after(response.headers());
        let mut body = Vec::new();
        while let Some(more) = response.chunk().await.map_err(away)? {
            if body.len() + more.len() > ANSWER {
                return Err(SpeechError::transient("the server's answer has no end"));
            }
            body.extend_from_slice(&more);
        }
        Ok((response.status(), retry_after, body))
    }
}

/// The server cannot be reached, or not in time. Its address may be secret.
fn away(error: reqwest::Error) -> SpeechError {
    let error = error.without_url();
    let mut causes = vec![error.to_string()];
    let mut cause: &dyn std::error::Error = &error;
    while let Some(next) = cause.source() {
        causes.push(next.to_string());
        cause = next;
    }
    SpeechError::transient(shorten(&format!("the server of transcriptions cannot be reached ({})", causes.join(": "))))
}
