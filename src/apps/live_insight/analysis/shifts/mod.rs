//! Shifts of the crowd's mood. The watch finds them message by message while a window is open. The analysis of a closed
//! window finds those of a crowd that is too small for the watch, and the cause. Each shift is reported once.

mod repeats;
mod watch;
mod window;

use tidemill_schemas::{Alert, AlertKind};

use super::crowd::vibe_score;
use super::numbers::round2;

pub(super) use repeats::without_repeats;
pub(in crate::apps::live_insight) use watch::fingerprint;
pub use watch::{CHECK_MS, MoodWatch, RECENT_MS, Voices};
pub(super) use window::of_window;

/// A shift from the usual mood to another.
#[derive(Debug, Clone, Copy)]
struct Shift {
    at_ms: i64,
    usual: f64,
    mood: f64,
}

impl Shift {
    fn change(&self) -> f64 {
        self.mood - self.usual
    }

    /// The alert about the shift. `weight` is how much the change counts for the severity, and `addition` ends the
    /// sentence.
    fn alert(&self, stream_id: &str, weight: f64, addition: &str) -> Alert {
        let (was, is) = (vibe_score(self.usual), vibe_score(self.mood));
        let falls = self.change() < 0.0;
        let (kind, verb) = if falls { (AlertKind::MoodDrop, "fell") } else { (AlertKind::MoodRise, "rose") };
        Alert {
            stream_id: stream_id.to_owned(),
            kind,
            at_ms: self.at_ms,
            severity: round2((0.4 + self.change().abs() * weight).min(1.0)),
            message: format!("The mood {verb} from {was} to {is}{addition}"),
            ahead: false,
        }
    }
}

/// Whether an alert is about a shift of the mood.
fn is_shift(alert: &Alert) -> bool {
    matches!(alert.kind, AlertKind::MoodDrop | AlertKind::MoodRise)
}
