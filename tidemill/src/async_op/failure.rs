//! How calls fail: a single attempt, or the whole request.

use std::{fmt, time::Duration};

use thiserror::Error;

/// Why one attempt gave no answer, and whether to retry it. A [`Caller`](crate::Caller) sends it with
/// [`Reply::send`](crate::Reply::send).
///
/// ```
/// use std::time::Duration;
/// use tidemill::{CallError, Retry};
///
/// /// What to make of the status of an HTTP response.
/// fn error(status: u16, retry_after: Option<Duration>) -> CallError {
///     match (status, retry_after) {
///         (429 | 503, Some(pause)) => CallError::retry_after("the service is busy", pause),
///         (500.., _) => CallError::transient("the service failed"),
///         (401 | 403, _) => CallError::of_route("the service refused the key"),
///         _ => CallError::permanent(format!("the service refused the request with {status}")),
///     }
/// }
/// assert_eq!(error(429, Some(Duration::from_secs(7))).retry, Retry::After(Duration::from_secs(7)));
/// assert_eq!(error(500, None).retry, Retry::Backoff);
/// assert_eq!(error(401, None).retry, Retry::OtherRoute);
/// assert_eq!(error(400, None).retry, Retry::Never);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct CallError {
    /// A readable message. It becomes part of the result, so it must not contain secrets.
    pub message: String,
    /// Whether and when to retry.
    pub retry: Retry,
}

/// Whether an attempt is worth repeating.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Do not retry on this route: the next attempt would fail too. The request itself is the reason, so the failure
    /// says nothing about other requests.
    Never,
    /// Do not retry on this route, which fails for other requests too: a wrong key, an unknown model, a quota of the
    /// day. The failure counts for the route's breaker.
    OtherRoute,
    /// Retry after the policy's pause.
    Backoff,
    /// Retry after the pause that the called service asked for, or after the policy's pause if that is longer.
    After(Duration),
}

impl CallError {
    /// An error that will not go away, such as a refused request or a missing permission. The request fails at once,
    /// whatever [`CallPolicy::max_attempts`](crate::CallPolicy::max_attempts) says. See the example of [`CallError`].
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { message: message.into(), retry: Retry::Never }
    }

    /// An error of the route that will not go away soon, whatever the request: a refused key, an unknown model. The
    /// request goes to the next route. After some of these errors the route's breaker
    /// ([`BreakerPolicy`](crate::BreakerPolicy)) opens, so that later requests do not pay for an attempt. See the example
    /// of [`CallError`].
    pub fn of_route(message: impl Into<String>) -> Self {
        Self { message: message.into(), retry: Retry::OtherRoute }
    }

    /// An error that may go away, such as an overloaded service or a lost connection. The request is retried after a
    /// pause, as [`CallPolicy`](crate::CallPolicy) says. See the example of [`CallError`].
    pub fn transient(message: impl Into<String>) -> Self {
        Self { message: message.into(), retry: Retry::Backoff }
    }

    /// An error that the called service expects to last no longer than `pause`. The next attempt comes after `pause`,
    /// or after the policy's pause if that is longer. See the example of [`CallError`].
    pub fn retry_after(message: impl Into<String>, pause: Duration) -> Self {
        Self { message: message.into(), retry: Retry::After(pause) }
    }
}

/// Why a request has no answer. It is a result, like any answer. See the example of [`Answered`](crate::Answered).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no answer after {attempts} attempt(s): {message}")]
pub struct CallFailure {
    /// How the last attempt failed.
    pub kind: FailureKind,
    /// A readable message.
    pub message: String,
    /// The number of attempts made.
    pub attempts: u32,
}

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The attempt took longer than the policy allows.
    Timeout,
    /// The attempt returned an error.
    Error,
    /// The request or its answer could not be decoded.
    Undecodable,
    /// A newer request took the request's place ([`CallOrder::LatestWins`](crate::CallOrder::LatestWins)).
    Superseded,
    /// The answer would have come after the deadline ([`AsyncCall::deadline`](crate::AsyncCall::deadline)).
    Expired,
    /// A limit or a budget was exhausted ([`WhenExhausted::Fallback`](crate::WhenExhausted::Fallback)).
    Exhausted,
    /// No route takes calls at the moment: their breakers are open.
    Unavailable,
}

impl FailureKind {
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Error => "error",
            Self::Undecodable => "undecodable",
            Self::Superseded => "superseded",
            Self::Expired => "expired",
            Self::Exhausted => "exhausted",
            Self::Unavailable => "unavailable",
        }
    }

    pub(crate) fn from_label(label: &[u8]) -> Self {
        match label {
            b"timeout" => Self::Timeout,
            b"undecodable" => Self::Undecodable,
            b"superseded" => Self::Superseded,
            b"expired" => Self::Expired,
            b"exhausted" => Self::Exhausted,
            b"unavailable" => Self::Unavailable,
            _ => Self::Error,
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}
