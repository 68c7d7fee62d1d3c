//! Shared by all events: field errors, limits for ids and texts, and the check of timestamps.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest text accepted, in bytes.
pub const MAX_TEXT_BYTES: usize = 4096;
/// The longest id or name accepted, in bytes.
pub const MAX_ID_BYTES: usize = 256;

/// An error in one field, with the way to fix it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// Path of the field, such as `timestamp` or `landmarks[3].x`; empty if the error concerns the whole document.
    pub field: String,
    /// What is wrong with the field.
    pub problem: String,
    /// What the sender should do.
    pub fix: String,
}

impl FieldError {
    /// Builds an error from its three parts.
    pub fn new(field: impl Into<String>, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into(), fix: fix.into() }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{} ", self.field)?;
        }
        write!(f, "{}: {}", self.problem, self.fix)
    }
}

impl std::error::Error for FieldError {}

/// Joins errors into one line for logs and dead-letter headers.
pub fn describe_errors(errors: &[FieldError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Turns collected errors into the result of a validation.
pub(crate) fn outcome(errors: Vec<FieldError>) -> Result<(), Vec<FieldError>> {
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// The rule for ids, for a receiver that gets an id outside of an event.
///
/// # Errors
/// An error for the field if the id is empty, too long, holds control characters, or is a step in a path.
///
/// ```
/// use tidemill_schemas::validate_id;
///
/// assert!(validate_id("user_id", "ada").is_ok());
/// assert!(validate_id("user_id", " ").is_err() && validate_id("user_id", "..").is_err());
/// ```
pub fn validate_id(field: &str, id: &str) -> Result<(), Vec<FieldError>> {
    let mut errors = Vec::new();
    check_id(&mut errors, field, id);
    outcome(errors)
}

pub(crate) fn check_id(errors: &mut Vec<FieldError>, field: &str, id: &str) {
    let mut refuse = |problem: &str, fix: &str| errors.push(FieldError::new(field, problem, fix));
    if !is_visible(id) {
        refuse("is empty", "send the id that all events of this source share");
    } else if let Some(control) = id.chars().find(|c| c.is_control()) {
        refuse(&format!("holds the control character {control:?}"), "send an id of visible characters");
    } else if id == "." || id == ".." {
        // Clients would resolve an address with such an id to another address.
        refuse(&format!("is '{id}', which cannot stand in an address"), "send an id with a letter or a digit");
    } else {
        check_length(errors, field, id);
    }
}

/// Checks a short text such as a name, which may be empty.
pub(crate) fn check_length(errors: &mut Vec<FieldError>, field: &str, text: &str) {
    if text.len() > MAX_ID_BYTES {
        let problem = format!("has {} bytes", text.len());
        errors.push(FieldError::new(field, problem, format!("send at most {MAX_ID_BYTES}")));
    }
}

pub(crate) fn check_text(errors: &mut Vec<FieldError>, field: &str, text: &str) {
    if is_visible(text) {
        check_text_length(errors, field, text);
    } else {
        errors.push(FieldError::new(field, "is empty", "leave out events without text"));
    }
}

/// Checks a text that may be empty.
pub(crate) fn check_text_length(errors: &mut Vec<FieldError>, field: &str, text: &str) {
    if text.len() > MAX_TEXT_BYTES {
        let problem = format!("has {} bytes", text.len());
        errors.push(FieldError::new(field, problem, format!("send at most {MAX_TEXT_BYTES}, split longer texts")));
    }
}

/// Whether a reader sees anything of the text. Spaces, control characters and characters of zero width do not count.
pub(crate) fn is_visible(text: &str) -> bool {
    text.chars().any(|c| !c.is_whitespace() && !c.is_control() && !is_ignorable(c))
}

/// Whether a character has no width: Unicode lets a font leave it out (`Default_Ignorable_Code_Point`).
pub fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}
