//! What goes wrong with media, by who must act.

use std::time::Duration;

/// Why media could not be read or made. Messages are plain English and never hold an address beyond its host: addresses
/// of media carry signatures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// The stream or file ended. There will be no more.
    #[error("the stream ended")]
    Ended,
    /// A program is not installed.
    #[error("{program} was not found. {remedy}")]
    Missing {
        /// Its name.
        program: String,
        /// What to do.
        remedy: String,
    },
    /// Trying again changes nothing: somebody has to do something.
    #[error("{reason} {remedy}")]
    Refused {
        /// What happened.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// The stream is not live: not yet, or no more.
    #[error("{reason} {remedy}")]
    NotLive {
        /// What happened.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// The stream carries no captions that hold what is said.
    #[error("{reason} Let its audio be read, or choose a stream with captions.")]
    NoCaptions {
        /// What it carries.
        reason: String,
    },
    /// The address of the media works no longer: resolve the streamer's address again and go on from the last position.
    #[error(
        "{host} has nothing at the address of the stream (status {status}): it has expired, or it is wrong. Check it."
    )]
    Expired {
        /// The host that refused.
        host: String,
        /// Its HTTP status.
        status: u16,
    },
    /// Trouble that may pass; own retries did not help.
    #[error("{reason}")]
    Transient {
        /// What happened.
        reason: String,
        /// How long to wait, where the other side told.
        retry_after: Option<Duration>,
    },
    /// A program failed for a reason that we do not know.
    #[error("{program} failed: {reason}. {remedy}")]
    Failed {
        /// Its name.
        program: String,
        /// How it ended, with the last lines that it wrote.
        reason: String,
        /// What to do.
        remedy: String,
    },
}

impl MediaError {
    /// Whether trying again may help without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Transient { .. } | Self::Failed { .. })
    }

    pub(crate) fn transient(reason: impl Into<String>) -> Self {
        Self::Transient { reason: reason.into(), retry_after: None }
    }

    pub(crate) fn refused(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into(), remedy: remedy.into() }
    }
}
