//! Google's Gemini models: the Gemini API with keys, or Vertex AI with tokens.

mod answer;
mod body;
mod refusal;
mod schema;

use std::{sync::Arc, time::SystemTime};

use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde_json::Value;

use self::answer::Answer;
use super::{
    access::{Access, TokenSource},
    error::{ModelError, ModelErrorKind},
    http::{self, Deadline, SetupError},
    provider::{ModelFuture, Provider},
    reply::ModelReply,
    request::ModelRequest,
    secret::Secret,
};
use crate::clock::{Clock, SystemClock};

/// Gemini, over the Gemini API or Vertex AI.
///
/// Several keys take turns: the next one is used when one is refused or its quota is exhausted. Each key rests until
/// its time, a daily quota's until midnight on the Pacific coast.
///
/// ```
/// use tidemill::llm::{FileToken, Gemini};
///
/// let gemini = Gemini::with_keys(["first key", "second key"])?;
/// let vertex = Gemini::vertex("my-project", "global", FileToken::new("/run/secrets/vertex-token"))?;
/// assert!(!format!("{gemini:?}").contains("first key"));
/// # Ok::<(), tidemill::llm::SetupError>(())
/// ```
#[derive(Debug)]
pub struct Gemini {
    client: reqwest::Client,
    access: Access,
    /// The URL without the model's name: `…/models/`.
    models: String,
    address: String,
    vertex: bool,
    clock: Arc<dyn Clock>,
    settings: Settings,
}

/// What differs between models.
#[derive(Debug, Default)]
struct Settings {
    thinking_budget: Option<i32>,
    schema_with_tools: bool,
    json_schema: bool,
}

impl Gemini {
    /// The Gemini API with one key or several. See the example of [`Gemini`].
    ///
    /// # Errors
    /// If this machine's certificates cannot be read.
    pub fn with_keys(keys: impl IntoIterator<Item = impl Into<Secret>>) -> Result<Self, SetupError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Self::new(Access::keys(keys, clock.clone()), "https://generativelanguage.googleapis.com/v1beta", false, clock)
    }

    /// Vertex AI, in a project and a location such as `europe-west4` or `global`. See the example of [`Gemini`].
    ///
    /// # Errors
    /// If this machine's certificates cannot be read.
    pub fn vertex(project: &str, location: &str, tokens: impl TokenSource) -> Result<Self, SetupError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let host = match location {
            "global" => "aiplatform.googleapis.com".to_owned(),
            region => format!("{region}-aiplatform.googleapis.com"),
        };
        let base = format!("https://{host}/v1/projects/{project}/locations/{location}/publishers/google");
        Self::new(Access::tokens(Arc::new(tokens), clock.clone()), &base, true, clock)
    }

    fn new(access: Access, base: &str, vertex: bool, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        let (client, settings) = (http::client()?, Settings::default());
        let (models, address) = (format!("{base}/models/"), http::host(base));
        Ok(Self { client, access, models, address, vertex, clock, settings })
    }

    /// Sends requests to another host, for example a proxy. The path of the service is kept.
    ///
    /// ```
    /// # use tidemill::llm::Gemini;
    /// let gemini = Gemini::with_keys(["key"])?.endpoint("http://127.0.0.1:8080");
    /// # Ok::<(), tidemill::llm::SetupError>(())
    /// ```
    #[must_use]
    pub fn endpoint(self, endpoint: &str) -> Self {
        let path = self.models.splitn(4, '/').nth(3).unwrap_or_default();
        let models = format!("{}/{path}", endpoint.trim_end_matches('/'));
        Self { address: http::host(&models), models, ..self }
    }

    /// The most tokens of thoughts. Thoughts count as output, also against the most tokens of output: a small limit is
    /// used up by thoughts alone. Zero switches thoughts off, where the model allows it. The default is the model's.
    ///
    /// ```
    /// # use tidemill::llm::Gemini;
    /// let quick = Gemini::with_keys(["key"])?.thinking_budget(0);
    /// # Ok::<(), tidemill::llm::SetupError>(())
    /// ```
    #[must_use]
    pub fn thinking_budget(self, tokens: i32) -> Self {
        let settings = Settings { thinking_budget: Some(tokens), ..self.settings };
        Self { settings, ..self }
    }

    /// Sends the schema of the answer also when the model may ask for tools. Models before Gemini 3 refuse that; for
    /// them the schema becomes a part of the instruction, which is the default.
    #[must_use]
    pub fn schema_with_tools(self) -> Self {
        let settings = Settings { schema_with_tools: true, ..self.settings };
        Self { settings, ..self }
    }

    /// Sends schemas as JSON Schema (`responseJsonSchema`), for models that take it. The default is the older form,
    /// which all models take; it drops keywords that it does not know. The answer is checked against the whole schema.
    #[must_use]
    pub fn json_schema(self) -> Self {
        let settings = Settings { json_schema: true, ..self.settings };
        Self { settings, ..self }
    }

    async fn answer(&self, request: &ModelRequest) -> Result<ModelReply, ModelError> {
        if !is_name(&request.model) {
            return Err(ModelErrorKind::Refused { code: "the model's name is no name".into() }.into());
        }
        let deadline = Deadline::after(request.timeout);
        let body = body::body(request, self.name(), &self.settings);
        let mut tries = self.access.tries(&request.model);
        loop {
            let secret = http::within(deadline, &ModelRequest::new(""), tries.next()).await?;
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
        let method = if request.stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
        let mut builder = self.client.post(format!("{}{}:{method}", self.models, request.model));
        if let Some(secret) = secret {
            builder = builder.headers(self.headers(&secret)?);
        }
        let response = http::send(builder, body, request).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        if !status.is_success() {
            let pause = http::retry_after(&headers, self.now());
            let body = http::body(response).await.unwrap_or_default();
            return Err(refusal::error(status, pause, &serde_json::from_slice(&body).unwrap_or_default()));
        }
        let mut answer = Answer::default();
        let streams = http::is_stream(&headers);
        let read = if streams {
            http::events(response, |event| {
                let part = serde_json::from_str(event).map_err(|_| ModelError::malformed("an event is no JSON"))?;
                answer.add(part).map(|()| false)
            })
            .await
            .map(drop)
        } else {
            let whole = http::body(response)
                .await
                .and_then(|body| serde_json::from_slice(&body).map_err(|_| ModelError::malformed("it is no JSON")));
            whole.and_then(|whole| answer.add(whole))
        };
        // What came until the connection broke off is paid. An error in the place of the whole answer is not.
        let paid = |error: ModelError| {
            if !streams && answer.is_refused() && !answer.tells_usage() {
                return error;
            }
            error.with_usage(answer.paid(request))
        };
        read.map_err(paid)?;
        answer.clone().reply(request, self.name()).map_err(paid)
    }

    fn headers(&self, secret: &Secret) -> Result<HeaderMap, ModelError> {
        let bearer = format!("Bearer {}", secret.expose());
        let (name, value) =
            if self.vertex { (AUTHORIZATION.as_str(), bearer.as_str()) } else { ("x-goog-api-key", secret.expose()) };
        http::secret_header(name, value)
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(self.clock.now_ms().max(0) as u64)
    }
}

/// Whether a name can be put into a URL as it is.
fn is_name(model: &str) -> bool {
    let harmless = |letter: char| letter.is_ascii_alphanumeric() || "-_.@".contains(letter);
    (1..=200).contains(&model.len()) && model.chars().all(harmless) && !model.starts_with('.')
}

impl Provider for Gemini {
    fn name(&self) -> &str {
        if self.vertex { "gcp.vertex_ai" } else { "gcp.gemini" }
    }

    fn operation(&self) -> &'static str {
        "generate_content"
    }

    fn address(&self) -> Option<&str> {
        Some(&self.address)
    }

    fn ask<'a>(&'a self, request: &'a ModelRequest) -> ModelFuture<'a> {
        Box::pin(self.answer(request))
    }
}
