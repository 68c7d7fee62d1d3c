//! Why a model gave no answer.

use std::time::Duration;

use thiserror::Error;

use super::reply::TokenUsage;
use crate::async_op::CallError;

/// Why one request to a model failed, and what it consumed all the same.
///
/// ```
/// use std::time::Duration;
/// use tidemill::{Retry, llm::{ModelError, ModelErrorKind}};
///
/// let pause = Some(Duration::from_secs(36));
/// let busy = ModelErrorKind::RateLimited { retry_after: pause, daily: false, code: "RESOURCE_EXHAUSTED".into() };
/// let error = ModelError::from(busy);
/// assert_eq!(error.to_call_error().retry, Retry::After(Duration::from_secs(36)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind}")]
pub struct ModelError {
    /// What happened.
    pub kind: ModelErrorKind,
    /// What was consumed: an answer that broke off is paid.
    pub usage: TokenUsage,
}

/// What happened to a request. The variant says what to do.
///
/// Texts of the provider are left out, because they may quote the request. `code` is the name that the provider gives
/// to the problem, or the status of the HTTP response.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ModelErrorKind {
    /// Try again later. A daily quota is worth no waiting: use another key or another model.
    #[error("the model's quota is exhausted{} ({code})", if *daily { " for today" } else { "" })]
    RateLimited {
        /// The pause that the provider asks for.
        retry_after: Option<Duration>,
        /// Whether the quota is a day's.
        daily: bool,
        /// The provider's name of the problem.
        code: String,
    },
    /// Try again: the service is down, overloaded or cannot be reached.
    #[error("the model's service is unavailable ({code})")]
    Unavailable {
        /// The pause that the provider asks for.
        retry_after: Option<Duration>,
        /// The provider's name of the problem.
        code: String,
    },
    /// Try again, or with more time.
    #[error("the model did not answer in time")]
    Timeout,
    /// Correct the key or the permission.
    #[error("the model's service refused the key or the token ({code})")]
    Unauthorized {
        /// The provider's name of the problem.
        code: String,
    },
    /// Correct the request: its form, or the model's name.
    #[error("the model's service refused the request ({code})")]
    Refused {
        /// The provider's name of the problem.
        code: String,
    },
    /// Change the content: a filter blocked the prompt.
    #[error("the prompt was blocked: {reason}")]
    Blocked {
        /// The provider's name of the reason.
        reason: String,
    },
    /// Send less, or use a model that takes more.
    #[error("the request is larger than the model takes ({code})")]
    TooLarge {
        /// The provider's name of the problem.
        code: String,
    },
    /// Try again: the response cannot be read.
    #[error("the model's response cannot be read: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
}

impl ModelErrorKind {
    /// A short name, for spans (`error.type`).
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::RateLimited { daily: true, .. } => "daily_quota",
            Self::RateLimited { .. } => "rate_limited",
            Self::Unavailable { .. } => "unavailable",
            Self::Timeout => "timeout",
            Self::Unauthorized { .. } => "unauthorized",
            Self::Refused { .. } => "refused",
            Self::Blocked { .. } => "blocked",
            Self::TooLarge { .. } => "too_large",
            Self::Malformed { .. } => "malformed",
        }
    }
}

impl ModelError {
    /// Adds what was consumed.
    #[must_use]
    pub fn with_usage(self, usage: TokenUsage) -> Self {
        Self { usage, ..self }
    }

    pub(super) fn malformed(reason: impl Into<String>) -> Self {
        ModelErrorKind::Malformed { reason: reason.into() }.into()
    }

    pub(super) fn unavailable(code: impl Into<String>) -> Self {
        ModelErrorKind::Unavailable { retry_after: None, code: code.into() }.into()
    }

    /// Whether a service refuses every request, because it does not know the model.
    pub(super) fn is_unknown_model(&self) -> bool {
        matches!(&self.kind, ModelErrorKind::Refused { code }
            if code.starts_with("HTTP 404") || code.contains("model_not_found"))
    }

    /// What the executor should do: errors that pass are transient, all others leave the request to the next route. A
    /// refused key, an unknown model and a day's quota count for the route's breaker. See the example of [`ModelError`].
    pub fn to_call_error(&self) -> CallError {
        let text = self.to_string();
        match &self.kind {
            ModelErrorKind::RateLimited { daily: true, .. } | ModelErrorKind::Unauthorized { .. } => {
                CallError::of_route(text)
            }
            ModelErrorKind::Refused { .. } if self.is_unknown_model() => CallError::of_route(text),
            ModelErrorKind::RateLimited { retry_after: Some(pause), .. }
            | ModelErrorKind::Unavailable { retry_after: Some(pause), .. } => CallError::retry_after(text, *pause),
            ModelErrorKind::RateLimited { .. }
            | ModelErrorKind::Unavailable { .. }
            | ModelErrorKind::Timeout
            | ModelErrorKind::Malformed { .. } => CallError::transient(text),
            ModelErrorKind::Refused { .. } | ModelErrorKind::Blocked { .. } | ModelErrorKind::TooLarge { .. } => {
                CallError::permanent(text)
            }
        }
    }
}

impl From<ModelErrorKind> for ModelError {
    fn from(kind: ModelErrorKind) -> Self {
        Self { kind, usage: TokenUsage::default() }
    }
}
