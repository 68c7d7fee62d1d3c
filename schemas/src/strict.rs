//! Strict JSON: first a typed parse; if it fails, a diagnosis field by field.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeOwned, Deserializer as _, IgnoredAny, MapAccess, Visitor};
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

fn missing(object: &Object, field: &str, path: &str) -> FieldError {
    misnamed(path, field, object.keys().find(|key| is_near(key, field)))
        .unwrap_or_else(|| FieldError::new(path, "is missing", "every event needs it"))
}

/// The error for a missing field. If another name stands for the field, the error tells the name instead of `fix`.
pub(crate) fn missing_named(object: &Object, field: &Field, fix: &str) -> FieldError {
    let name = object.keys().find(|name| *name != field.name && field.is_meant_by(name));
    misnamed(field.name, field.name, name).unwrap_or_else(|| FieldError::new(field.name, "is missing", fix))
}

fn misnamed(path: &str, field: &str, name: Option<&String>) -> Option<FieldError> {
    let name = name?;
    Some(FieldError::new(path, format!("is missing, but there is '{name}'"), format!("write it as {field}")))
}

/// A field, and other names that senders give it.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
}

impl Field {
    fn is_meant_by(&self, name: &str) -> bool {
        is_near(name, self.name) || self.aliases.iter().any(|alias| plain(alias) == plain(name))
    }
}

const TIMESTAMP: Field = Field {
    name: "timestamp",
    aliases: &["ts", "time", "time_ms", "timestamp_ms", "date", "datetime", "created_at", "sent_at"],
};

/// The fields whose condition holds.
pub(crate) fn those<const N: usize>(fields: [(&'static Field, bool); N]) -> Vec<&'static Field> {
    fields.into_iter().filter_map(|(field, holds)| holds.then_some(field)).collect()
}

/// Refuses a field that is meant as an optional field but has another name. Its value would be dropped silently.
/// Call it only if the optional fields are missing: reading the names costs a second pass over the event.
pub(crate) fn spelling(bytes: &[u8], missing: &[&Field]) -> Result<(), Vec<FieldError>> {
    if missing.is_empty() {
        return Ok(());
    }
    let mut errors = Vec::new();
    // The event was parsed before, so that it has names.
    let names = serde_json::Deserializer::from_slice(bytes).deserialize_map(Names).unwrap_or_default();
    for name in &names {
        misspelt(name, "", missing, &mut errors);
    }
    crate::common::outcome(errors)
}

/// Adds an error if a name stands for one of these optional fields. `within` is the path before the name.
pub(crate) fn misspelt(name: &str, within: &str, missing: &[&Field], errors: &mut Vec<FieldError>) {
    let meant = missing.iter().find(|field| field.is_meant_by(name));
    if let Some(field) = meant.filter(|field| field.name != name) {
        let fix = format!("write it as {}, or leave it out", field.name);
        errors.push(FieldError::new(format!("{within}{name}"), "is no field of this event", fix));
    }
}

/// Collects the names of an object's fields.
struct Names;

impl<'de> Visitor<'de> for Names {
    type Value = Vec<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut names = Vec::new();
        while let Some(name) = map.next_key()? {
            map.next_value::<IgnoredAny>()?;
            names.push(name);
        }
        Ok(names)
    }
}

/// A name without case and punctuation: `userName` and `User-Name` are `username`.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether a name is another spelling of a field, or a spelling mistake of a letter or two.
fn is_near(name: &str, field: &str) -> bool {
    let (name, field) = (plain(name), plain(field));
    // Short names are near to many words: `test` and `text`.
    let mistakes = if field.len() < 6 { 0 } else { 1 + usize::from(field.len() > 9) };
    name == field || distance(&name, &field) <= mistakes
}

/// The edit distance: how many characters must be changed, added or removed, or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 2 {
        return usize::MAX;
    }
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let change = rows[i][j] + usize::from(a[i] != b[j]);
            let mut least = change.min(row[j] + 1).min(rows[i][j + 1] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// Checks a field that must hold a string.
pub(crate) fn string(object: &Object, field: &str, errors: &mut Vec<FieldError>) {
    match object.get(field) {
        None => errors.push(missing(object, field, field)),
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
        None => errors.push(missing(object, field, path)),
        // What is too large for the event's type was no number at its sender.
        Some(Value::Number(number)) if number.as_f64().is_some_and(|value| (value as f32).is_finite()) => {}
        Some(Value::Number(_)) => {
            errors.push(FieldError::new(path, "is not finite", "skip frames whose coordinates are NaN"));
        }
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

/// Checks a field that may be absent, and otherwise must be true or false.
pub(crate) fn optional_flag(object: &Object, field: &str, errors: &mut Vec<FieldError>) {
    match object.get(field) {
        None | Some(Value::Bool(_)) => {}
        Some(other) => errors.push(FieldError::new(field, format!("is {}", kind(other)), "send true or false")),
    }
}

/// Checks the timestamp, which must be whole epoch milliseconds, as a number.
pub(crate) fn timestamp(object: &Object, errors: &mut Vec<FieldError>) {
    let Some(timestamp) = object.get("timestamp") else {
        errors.push(missing_named(object, &TIMESTAMP, "send epoch milliseconds, such as Date.now()"));
        return;
    };
    let mut refuse = |problem: String, fix: &str| errors.push(FieldError::new("timestamp", problem, fix));
    match timestamp {
        Value::Number(n) if n.is_i64() => {}
        Value::Number(n) if n.as_f64().is_some_and(|number| number.abs() >= 4e18) => {
            refuse(format!("is {n}, which is no date"), "send epoch milliseconds, such as Date.now()");
        }
        Value::Number(n) => match n.as_f64() {
            Some(seconds) if (1e8..1e11).contains(&seconds) => {
                refuse(format!("looks like seconds with a fraction ({n})"), "multiply by 1000 and round");
            }
            _ => refuse(format!("is not a whole number ({n})"), "send whole epoch milliseconds"),
        },
        Value::String(text) if text.trim().parse::<f64>().is_ok() => {
            refuse(format!("is a number in quotes (\"{text}\")"), "send it without quotes");
        }
        Value::String(text) if looks_like_iso(text) => {
            refuse(format!("is an ISO-8601 string (\"{text}\")"), "send epoch milliseconds, such as Date.parse(text)");
        }
        Value::String(text) => refuse(format!("is a string (\"{text}\")"), "send epoch milliseconds"),
        other => refuse(format!("is {}", kind(other)), "send epoch milliseconds, such as Date.now()"),
    }
}

fn looks_like_iso(text: &str) -> bool {
    let bytes = text.trim().as_bytes();
    bytes.len() >= 8 && bytes[..4].iter().all(u8::is_ascii_digit) && (bytes[4] == b'-' || bytes[4].is_ascii_digit())
}
