//! Form coach's recordings, and what is true of them.

use std::path::Path;

use tidemill_apps::apps::recordings::{FormTruth, START_MS};
use tidemill_schemas::{PoseFrame, parse_pose};

/// The time at which recordings are read: a day after their beginning.
pub(crate) const NOW_MS: i64 = START_MS + 86_400_000;

/// The text of a file.
pub(crate) fn recorded(file: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/apps/form_coach/recordings");
    std::fs::read_to_string(folder.join(file)).expect("recording exists")
}

pub(crate) fn truth() -> FormTruth {
    serde_json::from_str(&recorded("truth.json")).expect("truth parses")
}

/// The frames of a recording.
pub(crate) fn frames(name: &str) -> Vec<PoseFrame> {
    let lines = recorded(&format!("{name}.ndjson"));
    lines.lines().map(|line| parse_pose(line.as_bytes(), NOW_MS).expect("valid")).collect()
}
