//! Servers that speak OpenAI's chat completions: OpenAI, llama.cpp, Ollama, vLLM and many others.

mod answer;
mod body;
mod refusal;
mod stream;

use std::{sync::Arc, time::SystemTime};

use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde_json::Value;

use self::stream::Assembly;
use super::{
    access::Access,
    error::ModelError,
    http::{self, Deadline, SetupError},
    provider::{ModelFuture, Provider},
    reply::{ModelReply, TokenUsage},
    request::ModelRequest,
    secret::Secret,
};
use crate::clock::{Clock, SystemClock};

/// A server that speaks OpenAI's chat completions. Servers differ in what they take, so there are settings.
///
/// ```
/// use tidemill::llm::{OpenAi, StructuredOutput};
///
/// let openai = OpenAi::new("https://api.openai.com/v1")?.keys(["sk-…"]).max_completion_tokens();
/// let ollama = OpenAi::new("http://127.0.0.1:11434/v1")?.structured_output(StructuredOutput::JsonObject);
/// # Ok::<(), tidemill::llm::SetupError>(())
/// ```
#[derive(Debug)]
pub struct OpenAi {
    client: reqwest::Client,
    access: Access,
    url: String,
    address: String,
    name: String,
    key_header: Option<String>,
    clock: Arc<dyn Clock>,
    settings: Settings,
}

#[derive(Debug, Default)]
struct Settings {
    structured: StructuredOutput,
    max_completion_tokens: bool,
    reasoning_back: bool,
    stream_usage: bool,
}

/// How a server is asked for an answer that fits a schema. The answer is checked in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StructuredOutput {
    /// `response_format` of type `json_schema`. The server holds the model to the schema.
    #[default]
    JsonSchema,
    /// As `JsonSchema`, with OpenAI's `strict`. It wants every property required and `additionalProperties: false`.
    StrictJsonSchema,
    /// `response_format` of type `json_object`. The schema is part of the instruction.
    JsonObject,
    /// No `response_format`. The schema is part of the instruction.
    None,
}

impl OpenAi {
    /// A server at this URL, up to `/v1`, without a key. See the example of [`OpenAi`].
    ///
    /// # Errors
    /// If this machine's certificates cannot be read.
    pub fn new(base_url: &str) -> Result<Self, SetupError> {
        let url = format!("{}/chat/completions", base_url.trim_end_matches('/'));
        let (client, access, clock) = (http::client()?, Access::Open, Arc::new(SystemClock));
        let settings = Settings { stream_usage: true, ..Settings::default() };
        let (address, name) = (http::host(&url), "openai".to_owned());
        Ok(Self { client, access, url, address, name, key_header: None, clock, settings })
    }

    /// Sets one key or several. The next one is used when one is refused or its quota is exhausted. See the example of
    /// [`OpenAi`].
    #[must_use]
    pub fn keys(self, keys: impl IntoIterator<Item = impl Into<Secret>>) -> Self {
        Self { access: Access::keys(keys, self.clock.clone()), ..self }
    }

    /// Sends the key in this header instead of `Authorization: Bearer`, for example `api-key`.
    #[must_use]
    pub fn key_header(self, name: impl Into<String>) -> Self {
        Self { key_header: Some(name.into()), ..self }
    }

    /// Names the provider in spans, for example `deepseek`. The default is `openai`.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Sets how the server is asked for an answer that fits a schema. See the example of [`OpenAi`].
    #[must_use]
    pub fn structured_output(self, structured: StructuredOutput) -> Self {
        Self { settings: Settings { structured, ..self.settings }, ..self }
    }

    /// Limits the output with `max_completion_tokens`, which OpenAI's reasoning models want, instead of `max_tokens`,
    /// which all other servers know. See the example of [`OpenAi`].
    #[must_use]
    pub fn max_completion_tokens(self) -> Self {
        Self { settings: Settings { max_completion_tokens: true, ..self.settings }, ..self }
    }

    /// Sends a model's reasoning back to it while it uses tools (`reasoning_content`). Some models want that, others
    /// refuse it.
    #[must_use]
    pub fn reasoning_back(self) -> Self {
        Self { settings: Settings { reasoning_back: true, ..self.settings }, ..self }
    }

    /// Does not ask for the usage at the end of a stream, for servers that refuse `stream_options`. The usage is then
    /// estimated.
    #[must_use]
    pub fn without_stream_usage(self) -> Self {
        Self { settings: Settings { stream_usage: false, ..self.settings }, ..self }
    }

    async fn answer(&self, request: &ModelRequest) -> Result<ModelReply, ModelError> {
        let deadline = Deadline::after(request.timeout);
        let body = body::body(request, &self.name, &self.settings);
        let mut tries = self.access.tries(&request.model);
        loop {
            let secret = tries.next().await?;
            match http::within(deadline, request, self.once(request, &body, secret)).await {
                Ok(reply) => return Ok(reply),
                Err(error) => tries.failed(error)?,
            }
        }
    }

    async fn once(
        &self,
        request: &ModelRequest,
        body: &Value,
        secret: Option<Secret>,
    ) -> Result<ModelReply, ModelError> {
        let mut builder = self.client.post(&self.url);
        if let Some(secret) = secret {
            builder = builder.headers(self.headers(&secret)?);
        }
        let response = http::send(builder, body, request).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(self.clock.now_ms().max(0) as u64);
        let pause = http::retry_after(&headers, now);
        if !status.is_success() {
            let body = http::body(response).await.unwrap_or_default();
            return Err(refusal::error(status, pause, &serde_json::from_slice(&body).unwrap_or_default()));
        }
        if !http::is_stream(&headers) {
            let cut = |error: ModelError| error.with_usage(TokenUsage::estimate(request.bytes(), 0));
            let whole = http::body(response).await.map_err(cut)?;
            let whole = serde_json::from_slice(&whole).map_err(|_| cut(ModelError::malformed("it is no JSON")))?;
            return answer::reply(&whole, request, &self.name, pause);
        }
        let mut assembly = Assembly::default();
        let read = http::events(response, |event| assembly.add(event, pause)).await;
        match read {
            Ok(ended) if ended || assembly.is_complete() => {
                answer::reply(&assembly.whole(), request, &self.name, pause)
            }
            Ok(_) => Err(ModelError::unavailable("the answer broke off").with_usage(assembly.paid(request))),
            Err(error) => Err(error.with_usage(assembly.paid(request))),
        }
    }

    fn headers(&self, secret: &Secret) -> Result<HeaderMap, ModelError> {
        match &self.key_header {
            Some(name) => http::secret_header(name, secret.expose()),
            None => http::secret_header(AUTHORIZATION.as_str(), &format!("Bearer {}", secret.expose())),
        }
    }
}

impl Provider for OpenAi {
    fn name(&self) -> &str {
        &self.name
    }

    fn address(&self) -> Option<&str> {
        Some(&self.address)
    }

    fn ask<'a>(&'a self, request: &'a ModelRequest) -> ModelFuture<'a> {
        Box::pin(self.answer(request))
    }
}
