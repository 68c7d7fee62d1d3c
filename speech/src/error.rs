//! What can go wrong, by what has to be done about it.

use std::time::Duration;

/// Why speech is not recognised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpeechError {
    /// The service is away or busy: try again.
    #[error("{reason}")]
    Transient {
        /// What happened.
        reason: String,
        /// How long the service asks to wait.
        retry_after: Option<Duration>,
    },
    /// The session is over, as the service's rules say: a new one goes on at once.
    #[error("{reason}")]
    SessionOver {
        /// What the service said.
        reason: String,
    },
    /// The service cannot use this audio: leave it out.
    #[error("{reason}")]
    Unusable {
        /// What the service said.
        reason: String,
    },
    /// Nothing works before somebody changes something.
    #[error("{reason}: {remedy}")]
    Refused {
        /// What is wrong.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// The transcriber has ended.
    #[error("the transcriber has ended: start another one")]
    Ended,
}

impl SpeechError {
    pub(crate) fn transient(reason: impl Into<String>) -> Self {
        Self::Transient { reason: reason.into(), retry_after: None }
    }

    pub(crate) fn over(reason: impl Into<String>) -> Self {
        Self::SessionOver { reason: reason.into() }
    }

    pub(crate) fn refused(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into(), remedy: remedy.into() }
    }
}

/// What a service says, short enough for a log, on one line.
pub(crate) fn shorten(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= 300 { line } else { line.chars().take(300).chain(['…']).collect() }
}
