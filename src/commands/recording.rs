//! Recorded events, read from JSON lines and sorted by time. The fields of an event show its kind.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, anyhow};
use serde_json::Value;
use tidemill_apps::apps::{APPLICATIONS, App, Input};

/// The first number that is no time in milliseconds, but one in microseconds.
const TIMES_END: i64 = 100_000_000_000_000;

/// A recorded event.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) app: App,
    pub(super) input: &'static Input,
    pub(super) timestamp: i64,
    value: Value,
}

impl Event {
    fn read(line: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(line)
            .map_err(|error| anyhow!("it is not JSON ({error}): a recording has one JSON object in each line"))?;
        let (app, input) = kind_of(&value).ok_or_else(|| anyhow!("its fields fit no kind of event: {}", kinds()))?;
        let timestamp = value["timestamp"].as_i64().filter(|timestamp| (0..TIMES_END).contains(timestamp));
        let timestamp = timestamp.context("'timestamp' must be epoch milliseconds")?;
        Ok(Self { app, input, timestamp, value })
    }

    /// The same event at another time of the recording.
    pub(super) fn moved_to(self, timestamp: i64) -> Self {
        Self { timestamp, ..self }
    }

    /// The event as JSON, at another time.
    pub(super) fn at(&self, timestamp: i64) -> String {
        let mut value = self.value.clone();
        value["timestamp"] = timestamp.into();
        value.to_string()
    }

    /// The id of the event's owner.
    pub(super) fn key(&self) -> &str {
        self.value[self.app.owner.field].as_str().unwrap_or_default()
    }
}

/// All kinds of events, each with its application.
fn all() -> impl Iterator<Item = (App, &'static Input)> {
    APPLICATIONS.iter().flat_map(|app| app.inputs.iter().map(move |input| (*app, input)))
}

/// The kind whose marks are all fields of the event. If several kinds fit, the kind with the most marks counts.
fn kind_of(event: &Value) -> Option<(App, &'static Input)> {
    let fits = all().filter(|(_, input)| input.marks.iter().all(|mark| event.get(mark).is_some()));
    fits.max_by_key(|(_, input)| input.marks.len())
}

fn kinds() -> String {
    let kinds = all().map(|(_, input)| format!("{} ({})", input.name, input.marks.join(", ")));
    kinds.collect::<Vec<_>>().join(", ")
}

/// Reads one recording.
pub(super) fn parse(name: &str, text: &str) -> Result<Vec<Event>> {
    // Some programs write a mark at the start of UTF-8.
    let lines = text.trim_start_matches('\u{feff}').lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(at, line)| Event::read(line).with_context(|| format!("{name}, line {}", at + 1))).collect()
}

/// Reads recordings and puts them in the order of time.
pub(super) fn load(files: &[impl AsRef<Path>]) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    for file in files {
        let name = file.as_ref().display().to_string();
        let text = fs::read_to_string(file).with_context(|| format!("{name} cannot be read"))?;
        events.extend(parse(&name, &text)?);
    }
    events.sort_by_key(|event| event.timestamp);
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_apart_by_their_fields() {
        let kind = |line: &str| Event::read(line).map(|event| event.input.name).ok();
        assert_eq!(kind(r#"{"stream_id":"s","user_id":"u","text":"hi","timestamp":1}"#), Some("chat"));
        let gift = r#"{"stream_id":"s","user_id":"u","membership":{"kind":"gift"},"timestamp":1}"#;
        assert_eq!(kind(gift), Some("chat"));
        assert_eq!(kind(r#"{"stream_id":"s","text":"hi","timestamp":1}"#), Some("transcript"));
        assert_eq!(kind(r#"{"user_id":"u","landmarks":[],"timestamp":1}"#), Some("pose"));
        assert_eq!(kind(r#"{"user_id":"u","text":"hi","timestamp":"noon"}"#), None);
        assert_eq!(kind(r#"{"user_id":"u","text":"hi","timestamp":9223372036854775807}"#), None);
    }

    #[test]
    fn a_mark_at_the_start_of_a_file_is_skipped() {
        let line = "\u{feff}{\"stream_id\":\"s\",\"text\":\"hi\",\"timestamp\":1}";
        assert_eq!(parse("talk.ndjson", line).expect("an event").len(), 1);
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = parse("talk.ndjson", "\n{}\n").expect_err("not an event");
        assert_eq!(error.to_string(), "talk.ndjson, line 2");
    }
}
