//! Why a chat cannot be read now. The variant tells who must act.

use std::time::Duration;

use thiserror::Error;
use tidemill_remote::SecretError;

/// An error of a platform. No text of an error holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChatError {
    /// A later attempt can succeed.
    #[error("{reason}")]
    Transient {
        /// What happened, for a person.
        reason: String,
        /// How long the platform asks to wait.
        retry_after: Option<Duration>,
    },
    /// Only a person can help: no attempt is made any more.
    #[error("{reason}: {remedy}")]
    Refused {
        /// What happened, for a person.
        reason: String,
        /// What the person should do.
        remedy: String,
    },
    /// The stream has not begun.
    #[error("{reason}")]
    NotLive {
        /// What is known about the stream.
        reason: String,
        /// When the stream should begin, in epoch milliseconds.
        starts_at_ms: Option<i64>,
    },
}

impl ChatError {
    /// An error that a later attempt can cure.
    pub fn transient(reason: impl Into<String>) -> Self {
        Self::Transient { reason: reason.into(), retry_after: None }
    }

    /// An error that only a person can cure.
    pub fn refused(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into(), remedy: remedy.into() }
    }

    /// A stream that has not begun.
    pub fn not_live(reason: impl Into<String>) -> Self {
        Self::NotLive { reason: reason.into(), starts_at_ms: None }
    }
}

impl From<SecretError> for ChatError {
    fn from(error: SecretError) -> Self {
        if error.passes { Self::transient(error.to_string()) } else { Self::refused(error.reason, error.remedy) }
    }
}
