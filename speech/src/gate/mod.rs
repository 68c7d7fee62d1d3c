//! The gate: only speech is sent, cut into pieces that a recogniser can take.

mod cutter;
mod voice;

pub(crate) use cutter::{Cut, Cutter};
pub(crate) use voice::Voice;

/// When the gate opens and closes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GateSettings {
    /// From which score on a frame is speech, from 0 to 1. A lower one lets more noise pass.
    pub threshold: f32,
    /// The audio before the first speech that is sent, too, in milliseconds, so that no word loses its beginning.
    pub lead_in_ms: i64,
    /// How long the gate stays open after the last speech, in milliseconds, so that no word loses its end.
    pub hang_over_ms: i64,
}

impl Default for GateSettings {
    fn default() -> Self {
        Self { threshold: 0.5, lead_in_ms: 320, hang_over_ms: 800 }
    }
}
