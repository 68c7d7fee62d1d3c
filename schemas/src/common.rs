//! Shared by all events: field errors, limits for ids and texts, and the check of timestamps.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest text accepted, in bytes.
pub const MAX_TEXT_BYTES: usize = 4096;
/// The longest id accepted, in bytes.
pub const MAX_ID_BYTES: usize = 256;
/// How far an event may be ahead of the receiver's clock, in milliseconds: one day.
pub const MAX_AHEAD_MS: i64 = 24 * 60 * 60 * 1000;

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

pub(crate) fn check_id(errors: &mut Vec<FieldError>, field: &str, id: &str) {
    if id.trim().is_empty() {
        errors.push(FieldError::new(field, "is empty", "send the id that all events of this source share"));
    } else if id.len() > MAX_ID_BYTES {
        let problem = format!("has {} bytes", id.len());
        errors.push(FieldError::new(field, problem, format!("send at most {MAX_ID_BYTES}")));
    }
}

pub(crate) fn check_text(errors: &mut Vec<FieldError>, field: &str, text: &str) {
    if text.trim().is_empty() {
        errors.push(FieldError::new(field, "is empty", "leave out events without text"));
    } else if text.len() > MAX_TEXT_BYTES {
        let problem = format!("has {} bytes", text.len());
        errors.push(FieldError::new(field, problem, format!("send at most {MAX_TEXT_BYTES}, split longer texts")));
    }
}

/// Checks that event time is epoch milliseconds. For other common units, the error says how to convert them.
///
/// The bounds follow from the units: today is 1.7e9 in seconds, 1.7e12 in milliseconds, 1.7e15 in microseconds.
pub(crate) fn check_timestamp(errors: &mut Vec<FieldError>, timestamp: i64, now_ms: i64) {
    let mut refuse = |problem: String, fix: &str| errors.push(FieldError::new("timestamp", problem, fix));
    match timestamp {
        i64::MIN..0 => refuse(format!("is negative ({timestamp})"), "send epoch milliseconds"),
        0..100_000_000 => {
            refuse(format!("is {timestamp}, which is no date"), "send epoch milliseconds, such as Date.now()");
        }
        100_000_000..100_000_000_000 => refuse(format!("looks like seconds ({timestamp})"), "multiply by 1000"),
        100_000_000_000_000..100_000_000_000_000_000 => {
            refuse(format!("looks like microseconds ({timestamp})"), "divide by 1000");
        }
        100_000_000_000_000_000.. => refuse(format!("looks like nanoseconds ({timestamp})"), "divide by 1000000"),
        _ if timestamp > now_ms.saturating_add(MAX_AHEAD_MS) => {
            let ahead_h = (timestamp - now_ms) / 3_600_000;
            refuse(format!("lies {ahead_h} hours in the future"), "set the sender's clock");
        }
        _ => {}
    }
}
