//! A text that must not be shown.

use std::{fmt, sync::Arc};

/// A key or a token. It is never shown: not in `Debug`, not in errors, not in logs.
///
/// ```
/// use tidemill::llm::Secret;
///
/// assert_eq!(format!("{:?}", Secret::new("AIza-not-a-key")), "Secret(…)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps a key or a token. Spaces and line ends around it are removed, because files end with one. See the example
    /// of [`Secret`].
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(Arc::from(text.as_ref().trim()))
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<T: AsRef<str>> From<T> for Secret {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}
