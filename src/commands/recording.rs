//! Recorded events: read from JSON lines, told apart by their fields, in the order of their times.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, anyhow};
use serde_json::Value;
use tidemill::server::{App, Input};

/// A recorded event.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) input: Input,
    pub(super) timestamp: i64,
    value: Value,
}

impl Event {
    fn read(line: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(line)?;
        let has = |field: &str| value.get(field).is_some();
        let input = match (has("landmarks"), has("user_id"), has("text")) {
            (true, _, _) => Input::Pose,
            (_, true, true) => Input::Chat,
            (_, false, true) => Input::Transcript,
            _ => return Err(anyhow!("neither chat (user_id, text), transcript (text) nor pose (landmarks)")),
        };
        let timestamp = value["timestamp"].as_i64().context("'timestamp' must be epoch milliseconds")?;
        Ok(Self { input, timestamp, value })
    }

    /// The same at another time of the recording.
    pub(super) fn moved_to(self, timestamp: i64) -> Self {
        Self { timestamp, ..self }
    }

    /// The event as JSON, at another time.
    pub(super) fn at(&self, timestamp: i64) -> String {
        let mut value = self.value.clone();
        value["timestamp"] = timestamp.into();
        value.to_string()
    }

    /// The stream or the athlete that it is about.
    pub(super) fn key(&self) -> &str {
        let field = match self.input.app() {
            App::Live => "stream_id",
            App::Coach => "user_id",
        };
        self.value[field].as_str().unwrap_or_default()
    }
}

/// Reads one recording.
pub(super) fn parse(name: &str, text: &str) -> Result<Vec<Event>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
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
        let kind = |line: &str| Event::read(line).map(|event| event.input).ok();
        assert_eq!(kind(r#"{"stream_id":"s","user_id":"u","text":"hi","timestamp":1}"#), Some(Input::Chat));
        assert_eq!(kind(r#"{"stream_id":"s","text":"hi","timestamp":1}"#), Some(Input::Transcript));
        assert_eq!(kind(r#"{"user_id":"u","landmarks":[],"timestamp":1}"#), Some(Input::Pose));
        assert_eq!(kind(r#"{"user_id":"u","text":"hi","timestamp":"noon"}"#), None);
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = parse("talk.ndjson", "\n{}\n").expect_err("not an event");
        assert_eq!(error.to_string(), "talk.ndjson, line 2");
    }
}
