//! Why a log failed a request: a sentence, and the library's error behind it.

use std::{error::Error, fmt};

use tidemill_state::BoxError;

/// Why a log refused or failed a request. The text is the whole message. The source, if there is one, is the error of
/// the library that found the fault.
#[derive(Debug)]
pub struct Reason {
    text: String,
    source: Option<BoxError>,
}

impl Reason {
    /// A reason with the error that caused it.
    pub fn new(text: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self { text: text.into(), source: Some(source.into()) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The error that caused it, if a library reported one.
    pub fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }

    /// The same cause in other words.
    #[must_use]
    pub fn rephrase(self, words: impl FnOnce(&str) -> String) -> Self {
        Self { text: words(&self.text), source: self.source }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        Self { text, source: None }
    }
}

impl From<&str> for Reason {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}
