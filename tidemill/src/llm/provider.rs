//! The one interface of all providers.

use std::{future::Future, pin::Pin};

use super::{error::ModelError, reply::ModelReply, request::ModelRequest};

/// The future of a reply. It is boxed, so that providers can be chosen at run time.
pub type ModelFuture<'a> = Pin<Box<dyn Future<Output = Result<ModelReply, ModelError>> + Send + 'a>>;

/// A service that runs models.
///
/// ```
/// use tidemill::llm::{ModelFuture, ModelReply, ModelRequest, Provider, Turn};
///
/// /// Says what it hears. Good for tests.
/// #[derive(Debug)]
/// struct Echo;
///
/// impl Provider for Echo {
///     fn name(&self) -> &str {
///         "echo"
///     }
///     fn ask<'a>(&'a self, request: &'a ModelRequest) -> ModelFuture<'a> {
///         let text = match request.turns.last() {
///             Some(Turn::User { text }) => text.clone(),
///             _ => String::new(),
///         };
///         Box::pin(async { Ok(ModelReply { text, ..ModelReply::default() }) })
///     }
/// }
/// ```
pub trait Provider: Send + Sync + std::fmt::Debug + 'static {
    /// The provider's name as in OpenTelemetry's `gen_ai.provider.name`, for example `gcp.gemini`.
    fn name(&self) -> &str;

    /// What a request does, as in OpenTelemetry's `gen_ai.operation.name`. The default is `chat`.
    fn operation(&self) -> &'static str {
        "chat"
    }

    /// The host that is asked, for spans. The default is none.
    fn address(&self) -> Option<&str> {
        None
    }

    /// Sends a request. The future ends within [`ModelRequest::timeout`]. Dropping it gives up the request.
    fn ask<'a>(&'a self, request: &'a ModelRequest) -> ModelFuture<'a>;
}
