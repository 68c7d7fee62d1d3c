//! The functions that cases use. Those of the Java side are the same.

use tidemill::transport::{Header, Headers};

use crate::case::Text;

/// Of a null 1, so that a remainder tells it from many values.
pub(crate) fn hash(text: &Text) -> u64 {
    text.as_ref().map_or(1, |text| text.bytes().fold(7, |hash, byte| (hash * 31 + u64::from(byte)) % 1_000_003))
}

pub(crate) fn is(value: &Text, modulo: u64, rest: u64) -> bool {
    hash(value) % modulo == rest
}

pub(crate) fn add(value: Text, suffix: &str) -> Text {
    value.map(|value| value + suffix)
}

#[expect(clippy::unnecessary_wraps, reason = "keys are texts that may be null")]
pub(crate) fn key(value: &Text, modulo: u64) -> Text {
    Some(format!("k{}", hash(value) % modulo))
}

/// A key of the other table, or none.
pub(crate) fn foreign(value: &Text) -> Text {
    ["a", "b", "c", "k1"].get(usize::try_from(hash(value) % 5).ok()?).map(|key| (*key).to_owned())
}

pub(crate) fn copies(value: &Text, modulo: u64) -> Vec<Text> {
    (0..hash(value) % modulo).map(|copy| add(value.clone(), &format!(".{copy}"))).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "values are texts that may be null")]
pub(crate) fn both(left: &Text, right: &Text) -> Text {
    let text = |side: &Text| side.clone().unwrap_or_else(|| "null".to_owned());
    Some(format!("{}+{}", text(left), text(right)))
}

/// The end of a list of values, or no list if the value deletes it.
pub(crate) fn list(list: Text, mark: &str, value: &Text, delete: u64) -> Text {
    if delete > 0 && hash(value).is_multiple_of(delete) {
        return None;
    }
    let longer = list.unwrap_or_default() + mark + value.as_deref().unwrap_or("null");
    let cut = longer.chars().count().saturating_sub(16);
    Some(longer.chars().skip(cut).collect())
}

/// A null value deletes.
pub(crate) fn reduce(old: Text, value: Text) -> Text {
    value.and_then(|value| list(old, "/", &Some(value), 0))
}

/// What a value leaves of a list that it is taken from.
pub(crate) fn without(all: Text, value: &Text) -> Text {
    list(all, "-", value, 0)
}

/// The headers that a text lists.
pub(crate) fn headers_of(text: &str) -> Headers {
    let header = |text: &str| {
        let (key, value) = text.split_once('=').map_or((text, None), |(key, value)| (key, Some(value)));
        Header { key: key.to_owned(), value: value.map(|value| value.as_bytes().to_vec().into()) }
    };
    text.split(',').filter(|text| !text.is_empty()).map(header).collect()
}

/// Headers as a list.
pub(crate) fn text_of(headers: &Headers) -> String {
    let text = |Header { key, value }: &Header| {
        let value = value.as_deref().map(String::from_utf8_lossy);
        value.map_or_else(|| key.clone(), |value| format!("{key}={value}"))
    };
    headers.iter().map(text).collect::<Vec<_>>().join(",")
}
