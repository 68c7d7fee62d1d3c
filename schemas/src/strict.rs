//! Strict JSON: first a typed parse; if it fails, a diagnosis field by field.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::common::FieldError;

type Object = Map<String, Value>;

/// Parses an event. If that fails, `diagnose` adds an error for each wrong field.
pub(crate) fn parse<T: DeserializeOwned>(
    bytes: &[u8],
    diagnose: impl Fn(&Object, &mut Vec<FieldError>),
) -> Result<T, Vec<FieldError>> {
    let error = match serde_json::from_slice(bytes) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let object = object(bytes)?;
    let mut errors = Vec::new();
    diagnose(&object, &mut errors);
    if errors.is_empty() {
        errors.push(FieldError::new("", error.to_string(), "compare the event with the schema"));
    }
    Err(errors)
}

/// Parses a JSON object.
pub(crate) fn object(bytes: &[u8]) -> Result<Object, Vec<FieldError>> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => {
            let problem = format!("the event is {}", kind(&other));
            Err(vec![FieldError::new("", problem, "send one JSON object per event")])
        }
        Err(syntax) => Err(vec![FieldError::new("", format!("not JSON ({syntax})"), "send one JSON object per event")]),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn missing(field: &str) -> FieldError {
    FieldError::new(field, "is missing", "every event needs it")
}

/// Checks a field that must hold a string.
pub(crate) fn string(object: &Object, field: &str, errors: &mut Vec<FieldError>) {
    match object.get(field) {
        None => errors.push(missing(field)),
        Some(Value::String(_)) => {}
        Some(Value::Number(n)) => {
            errors.push(FieldError::new(field, format!("is the number {n}"), format!("quote it: \"{n}\"")));
        }
        Some(other) => errors.push(FieldError::new(field, format!("is {}", kind(other)), "send a string")),
    }
}

/// Checks a field that may be absent or null, and otherwise must hold a string.
pub(crate) fn optional_string(object: &Object, field: &str, errors: &mut Vec<FieldError>) {
    if !matches!(object.get(field), None | Some(Value::Null)) {
        string(object, field, errors);
    }
}

/// Checks a field that must hold a number. Errors name the field by `path`.
pub(crate) fn number(object: &Object, field: &str, path: &str, errors: &mut Vec<FieldError>) {
    match object.get(field) {
        None => errors.push(missing(path)),
        Some(Value::Number(_)) => {}
        // JavaScript writes NaN and infinity as null.
        Some(Value::Null) => errors.push(FieldError::new(path, "is null", "skip frames whose coordinates are NaN")),
        Some(other) => errors.push(FieldError::new(path, format!("is {}", kind(other)), "send a number")),
    }
}

/// Checks a field that may be absent or null, and otherwise must hold a number.
pub(crate) fn optional_number(object: &Object, field: &str, path: &str, errors: &mut Vec<FieldError>) {
    if !matches!(object.get(field), None | Some(Value::Null)) {
        number(object, field, path, errors);
    }
}

/// Checks the timestamp, which must be whole epoch milliseconds, as a number.
pub(crate) fn timestamp(object: &Object, errors: &mut Vec<FieldError>) {
    let mut refuse = |problem: String, fix: &str| errors.push(FieldError::new("timestamp", problem, fix));
    match object.get("timestamp") {
        None => refuse("is missing".into(), "send epoch milliseconds, such as Date.now()"),
        Some(Value::Number(n)) if n.is_i64() => {}
        Some(Value::Number(n)) => match n.as_f64() {
            Some(seconds) if (1e8..1e11).contains(&seconds) => {
                refuse(format!("looks like seconds with a fraction ({n})"), "multiply by 1000 and round");
            }
            _ => refuse(format!("is not a whole number ({n})"), "send whole epoch milliseconds"),
        },
        Some(Value::String(text)) if text.trim().parse::<f64>().is_ok() => {
            refuse(format!("is a number in quotes (\"{text}\")"), "send it without quotes");
        }
        Some(Value::String(text)) if looks_like_iso(text) => {
            refuse(format!("is an ISO-8601 string (\"{text}\")"), "send epoch milliseconds, such as Date.parse(text)");
        }
        Some(Value::String(text)) => refuse(format!("is a string (\"{text}\")"), "send epoch milliseconds"),
        Some(other) => refuse(format!("is {}", kind(other)), "send epoch milliseconds, such as Date.now()"),
    }
}

fn looks_like_iso(text: &str) -> bool {
    let bytes = text.trim().as_bytes();
    bytes.len() >= 8 && bytes[..4].iter().all(u8::is_ascii_digit) && (bytes[4] == b'-' || bytes[4].is_ascii_digit())
}
