//! Whoever turns a closed window into a result: a pure function here, a model elsewhere.

use std::future::Future;
use std::pin::Pin;

/// The future of a result. Boxed, so that analysts can be chosen at run time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, AnalystError>> + Send + 'a>>;

/// Turns one closed window into one result.
///
/// The same window may be analysed twice, after a crash for instance, so an analyst must not keep state between
/// windows: what it needs to know of the past is part of the window.
pub trait Analyst<Window, Outcome>: Send + Sync {
    /// The name that results carry, such as `offline` or a model's name.
    fn name(&self) -> &str;

    /// Analyses one window.
    fn analyze<'a>(&'a self, window: &'a Window) -> Answer<'a, Outcome>;
}

/// Why a window got no result. The variants tell what the caller should do.
#[derive(Debug, thiserror::Error)]
pub enum AnalystError {
    /// Nobody answered; the same window may be tried again later.
    #[error("analyst unavailable: {reason}")]
    Unavailable {
        /// What stood in the way.
        reason: String,
        /// How long to wait at least, where the analyst said so.
        retry_after_ms: Option<u64>,
    },
    /// This window will never be answered: the analyst declined it.
    #[error("analyst refused the window: {reason}")]
    Refused {
        /// What it said.
        reason: String,
    },
    /// There was an answer, but not one that fits the schema.
    #[error("analyst gave an unreadable answer: {reason}")]
    Unreadable {
        /// What did not fit.
        reason: String,
    },
}
