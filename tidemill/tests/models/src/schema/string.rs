//! Strings of the right length and format.

use serde_json::Value;

use super::size;
use crate::draw::Draw;

const WORDS: &[&str] = &[
    "steady", "quiet", "river", "tide", "early", "signal", "bright", "harbor", "gentle", "current", "stone", "north",
    "open", "window", "slow", "turn", "clear", "morning", "wide", "field", "warm", "light", "deep", "water",
];

/// Some words.
pub(crate) fn words(draw: &mut Draw, count: u64) -> String {
    let words: Vec<&str> = (0..count).map(|_| *draw.one_of(WORDS)).collect();
    words.join(" ")
}

/// A string that fits. A free one says `echo`, if given.
pub(super) fn string(schema: &Value, draw: &mut Draw, echo: Option<&str>) -> String {
    if let Some(formatted) = schema.get("format").and_then(Value::as_str).and_then(|format| formatted(format, draw)) {
        return formatted;
    }
    let count = draw.between(2, 4);
    let mut text = echo.map_or_else(|| words(draw, count), str::to_owned);
    let least = size(schema, "minLength").unwrap_or(0) as usize;
    while text.chars().count() < least {
        text.push(' ');
        let word: &str = draw.one_of::<&str>(WORDS);
        text.push_str(word);
    }
    let most = size(schema, "maxLength").map_or(usize::MAX, |most| most as usize);
    text.chars().take(most).collect()
}

fn formatted(format: &str, draw: &mut Draw) -> Option<String> {
    let (month, day) = (draw.between(1, 12), draw.between(1, 28));
    let (hour, minute) = (draw.between(0, 23), draw.between(0, 59));
    Some(match format {
        "date" => format!("2026-{month:02}-{day:02}"),
        "time" => format!("{hour:02}:{minute:02}:00Z"),
        "date-time" => format!("2026-{month:02}-{day:02}T{hour:02}:{minute:02}:00Z"),
        "duration" => format!("PT{minute}M"),
        "email" => format!("{}@example.com", draw.one_of(WORDS)),
        "hostname" => format!("{}.example.com", draw.one_of(WORDS)),
        "ipv4" => format!("192.0.2.{}", draw.between(1, 254)),
        "ipv6" => format!("2001:db8::{:x}", draw.between(1, 0xffff)),
        "uri" => format!("https://example.com/{}", draw.one_of(WORDS)),
        "uuid" => {
            let (a, b) = (draw.hex(), draw.hex());
            format!("{}-{}-4{}-8{}-{}", &a[..8], &a[8..12], &a[13..16], &b[1..4], &b[4..])
        }
        _ => return None,
    })
}
