//! An analyst turns a closed window into a result: a pure function in this process, or a model elsewhere.

use std::future::Future;
use std::pin::Pin;

/// The future of a result. The future is boxed, so that analysts can be chosen at run time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, AnalystError>> + Send + 'a>>;

/// Turns one closed window into one result.
///
/// The same window may be analysed twice, for example after a crash. So an analyst must not keep state between windows:
/// the window contains everything that the analyst must know about the past.
pub trait Analyst<Window, Outcome>: Send + Sync {
    /// The name in the results, such as `offline` or a model's name.
    fn name(&self) -> &str;

    /// Analyses one window.
    fn analyze<'a>(&'a self, window: &'a Window) -> Answer<'a, Outcome>;
}

/// Why a window got no result. The variant says what the caller should do.
#[derive(Debug, thiserror::Error)]
pub enum AnalystError {
    /// The analyst did not answer. The same window may be tried again later.
    #[error("analyst unavailable: {reason}")]
    Unavailable {
        /// Why there is no answer.
        reason: String,
        /// The least milliseconds to wait before the next attempt, if the analyst named a time.
        retry_after_ms: Option<u64>,
    },
    /// The analyst declined this window: another attempt is useless.
    #[error("analyst refused the window: {reason}")]
    Refused {
        /// The analyst's reason.
        reason: String,
    },
    /// The analyst's answer does not fit the schema.
    #[error("analyst gave an unreadable answer: {reason}")]
    Unreadable {
        /// Why the answer does not fit.
        reason: String,
    },
}
