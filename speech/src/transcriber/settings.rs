//! How a transcriber works.

use crate::GateSettings;

/// How a transcriber works.
#[derive(Debug, Clone)]
pub struct TranscriberSettings {
    /// The language that is spoken, as BCP 47: `en-US`.
    pub language: String,
    /// When the gate opens and closes; without one, silence is sent, too.
    pub gate: Option<GateSettings>,
    /// The audio that is kept at most, in milliseconds. It is raised to what one session of the recogniser needs.
    pub buffer_ms: i64,
    /// After this time without audio, in milliseconds, what was heard is transcribed to its end.
    pub idle_ms: u64,
    /// The shortest pause after a session broke, in milliseconds; it doubles with each break in a row.
    pub pause_ms: u64,
    /// The longest pause after a session broke, in milliseconds.
    pub longest_pause_ms: u64,
    /// Decides by how much pauses differ, so that many streams do not come back at once.
    pub seed: u64,
}

impl Default for TranscriberSettings {
    /// American English, through the gate, two minutes of audio, pauses from half a second to half a minute.
    fn default() -> Self {
        Self {
            language: "en-US".to_owned(),
            gate: Some(GateSettings::default()),
            buffer_ms: 120_000,
            idle_ms: 3_000,
            pause_ms: 500,
            longest_pause_ms: 30_000,
            seed: 0,
        }
    }
}
