//! Why there is no clip, and what to do.

use tidemill_media::MediaError;
use tidemill_schemas::FieldError;

/// Why there is no clip. Every one says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClipError {
    /// What is asked for cannot be understood.
    #[error("what is asked for is not valid: {0}")]
    NotValid(FieldError),
    /// There is no such thing.
    #[error("there is no {what}: {fix}")]
    Missing {
        /// What is missing, behind the words "there is no".
        what: String,
        /// What to do.
        fix: String,
    },
    /// It does not fit the state of things.
    #[error("{error}: {fix}")]
    Conflict {
        /// What is wrong.
        error: String,
        /// What to do.
        fix: String,
    },
    /// Too many clips wait.
    #[error("{error}: {fix}")]
    Busy {
        /// What is too much.
        error: String,
        /// What to do.
        fix: String,
    },
    /// This server makes no clips at the moment.
    #[error("{error}: {fix}")]
    Unavailable {
        /// Why.
        error: String,
        /// What the operator should do.
        fix: String,
    },
}

impl ClipError {
    /// A field that is wrong.
    pub(super) fn field(name: &str, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::NotValid(FieldError::new(name, problem.into(), fix.into()))
    }

    /// There is no clip of this name.
    pub(super) fn no_clip() -> Self {
        let fix = "GET the stream's clips to list them; old ones are deleted after clips.keep and beyond clips.quota";
        Self::Missing { what: "such clip of this stream on this instance".to_owned(), fix: fix.to_owned() }
    }

    /// Clips cannot be made or kept.
    pub(super) fn of_media(error: MediaError) -> Self {
        match error {
            MediaError::Missing { program, remedy } => {
                Self::Unavailable { error: format!("the program {program} is not installed"), fix: plain(&remedy) }
            }
            MediaError::Refused { reason, remedy } => Self::Conflict { error: plain(&reason), fix: plain(&remedy) },
            other => Self::Unavailable { error: plain(&other.to_string()), fix: "try it again in a moment".to_owned() },
        }
    }
}

/// A sentence as a part of another one.
pub(super) fn plain(sentence: &str) -> String {
    let sentence = sentence.trim().trim_end_matches('.');
    let mut letters = sentence.chars();
    let is_word = sentence.chars().nth(1).is_some_and(char::is_lowercase) || sentence.chars().nth(1) == Some(' ');
    match letters.next().filter(|_| is_word) {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => sentence.to_owned(),
    }
}
