//! Generates the recordings that demos and tests replay, and the truth: a list of the planted events.
//!
//! They are generated from fixed seeds with exact arithmetic only (no sine, no logarithm), so that every machine
//! writes the same bytes.

mod cases;
mod chat_lines;
mod evenings;
mod insights;
mod live_stream;
mod patterns;
mod pose;
mod random;
mod sessions;
mod truth;
mod world_lines;
mod world_stream;

use std::io;
use std::path::Path;

pub use evenings::{Evening, evening};
pub use insights::insights;
pub use live_stream::STREAM_ID;
pub use patterns::{Pattern, pattern};
pub use truth::{
    Burst, CaseTruth, Counted, Echo, FormTruth, LiveTruth, MoodDrop, PlantedSupport, PlantedTopic, SessionTruth,
    WorldTruth,
};

/// Start of all recordings: midnight, 1 January 2026 UTC, a multiple of every window length in use.
pub const START_MS: i64 = 1_767_225_600_000;

/// One generated file: its path below `src/apps`, and its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// The path, such as `live_insight/recordings/chat.ndjson`.
    pub path: String,
    /// The file's content.
    pub content: String,
}

/// Generates all recordings.
pub fn generate() -> Vec<Recording> {
    let mut files = live_stream::recordings();
    files.extend(world_stream::recordings());
    files.extend(sessions::recordings());
    files
}

/// Writes all recordings into a folder, which is `src/apps` in this repository.
///
/// # Errors
/// If a file or folder cannot be written.
pub fn write_all(dir: &Path) -> io::Result<()> {
    for file in generate() {
        let path = dir.join(file.path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, file.content)?;
    }
    Ok(())
}

/// One JSON value per line.
fn ndjson<T: serde::Serialize>(values: &[T]) -> String {
    let mut lines = String::new();
    for value in values {
        lines.push_str(&serde_json::to_string(value).expect("recorded events serialise"));
        lines.push('\n');
    }
    lines
}

/// Indented JSON of the truth.
fn pretty<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string_pretty(value).expect("truths serialise") + "\n"
}
