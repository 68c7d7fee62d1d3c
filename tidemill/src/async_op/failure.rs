//! How calls fail: one attempt, or for good.

use std::{fmt, time::Duration};

use thiserror::Error;

/// Why one attempt gave no answer, and whether to try again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct CallError {
    /// In words; it becomes part of the result, so it must hold nothing secret.
    pub message: String,
    /// What to do.
    pub retry: Retry,
}

/// Whether an attempt is worth repeating.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It would fail again.
    Never,
    /// After the policy's pause.
    Backoff,
    /// After the pause that the other side asked for, if the policy's is not longer.
    After(Duration),
}

impl CallError {
    /// An error that would come again: a refused request, a missing permission.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { message: message.into(), retry: Retry::Never }
    }

    /// An error that may pass: an overloaded service, a lost connection.
    pub fn transient(message: impl Into<String>) -> Self {
        Self { message: message.into(), retry: Retry::Backoff }
    }

    /// An error that the other side expects to be over after `pause`.
    pub fn retry_after(message: impl Into<String>, pause: Duration) -> Self {
        Self { message: message.into(), retry: Retry::After(pause) }
    }
}

/// Why a request has no answer: data, as any other result.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no answer after {attempts} attempt(s): {message}")]
pub struct CallFailure {
    /// The last attempt's failure.
    pub kind: FailureKind,
    /// In words.
    pub message: String,
    /// How often it was tried.
    pub attempts: u32,
}

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// It took longer than the policy allows.
    Timeout,
    /// It returned an error.
    Error,
    /// The request, or its answer, could not be decoded.
    Undecodable,
}

impl FailureKind {
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Error => "error",
            Self::Undecodable => "undecodable",
        }
    }

    pub(crate) fn from_label(label: &[u8]) -> Self {
        match label {
            b"timeout" => Self::Timeout,
            b"undecodable" => Self::Undecodable,
            _ => Self::Error,
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}
