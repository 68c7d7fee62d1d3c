//! Makes events from the recordings, in the format of pages and connectors. Only the owner and the time are new.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde_json::Value;
use tidemill_apps::apps::APPLICATIONS;

/// The names and the JSON lines of the recordings that are part of the program.
fn recordings() -> impl Iterator<Item = (&'static str, &'static str)> {
    APPLICATIONS.iter().flat_map(|app| app.recordings())
}

/// Recorded frames of each exercise, without user and time.
pub(crate) struct Frames(Vec<Vec<String>>);

impl Frames {
    pub(crate) fn load() -> Result<Self> {
        let mut files = Vec::new();
        for (name, text) in recordings() {
            let lines = text.lines().filter(|line| line.contains("\"landmarks\""));
            let frames = lines.map(|line| rest_of_frame(line).with_context(|| name.to_owned()));
            let frames = frames.collect::<Result<Vec<_>>>()?;
            files.extend((!frames.is_empty()).then_some(frames));
        }
        anyhow::ensure!(!files.is_empty(), "this build contains no recordings of athletes");
        Ok(Self(files))
    }

    /// Writes an athlete's frame number `at`.
    pub(crate) fn write(&self, user: usize, at: usize, timestamp: i64, into: &mut String) {
        let frames = &self.0[user % self.0.len()];
        let rest = &frames[(user / self.0.len() * 7 + at) % frames.len()];
        // Writing to a string cannot fail.
        let _ = write!(into, "{{\"user_id\":\"{}\",\"timestamp\":{timestamp},{rest}", user_id(user));
    }
}

/// A recorded frame without user and time. Landmarks get names as in the page's format; recordings have numbers.
fn rest_of_frame(line: &str) -> Result<String> {
    let mut frame: Value = serde_json::from_str(line)?;
    for point in frame["landmarks"].as_array_mut().context("landmarks are a list")? {
        let part = point["part"].as_u64().context("a part is a number")?;
        point["part"] = tidemill_schemas::LANDMARKS[part as usize].into();
    }
    let object = frame.as_object_mut().context("a frame is an object")?;
    object.remove("user_id");
    object.remove("timestamp");
    Ok(frame.to_string()[1..].to_owned())
}

/// Recorded chat or speech, without stream and time.
pub(crate) struct Lines(Vec<String>);

impl Lines {
    pub(crate) fn load(file: &str) -> Result<Self> {
        let (_, text) = recordings().find(|(name, _)| name.ends_with(file)).with_context(|| format!("no {file}"))?;
        Ok(Self(text.lines().map(rest_of_line).collect::<Result<_>>()?))
    }

    pub(crate) fn write(&self, stream: usize, at: usize, timestamp: i64, into: &mut String) {
        self.write_as(&stream_id(stream), stream * 97 + at, timestamp, into);
    }

    /// Writes line number `at` as an event of this stream.
    pub(crate) fn write_as(&self, stream_id: &str, at: usize, timestamp: i64, into: &mut String) {
        let rest = &self.0[at % self.0.len()];
        // Writing to a string cannot fail.
        let _ = writeln!(into, "{{\"stream_id\":\"{stream_id}\",\"timestamp\":{timestamp},{rest}");
    }
}

fn rest_of_line(line: &str) -> Result<String> {
    let mut event: Value = serde_json::from_str(line)?;
    let object = event.as_object_mut().context("an event is an object")?;
    object.remove("stream_id");
    object.remove("timestamp");
    Ok(event.to_string()[1..].to_owned())
}

pub(crate) fn user_id(user: usize) -> String {
    format!("athlete-{user}")
}

pub(crate) fn stream_id(stream: usize) -> String {
    format!("stream-{stream}")
}
