//! Notices a shift of mood while the window is still open, message by message.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use tidemill_schemas::{Alert, AlertKind, ChatMessage};

use super::crowd::vibe_score;
use super::sentiment::message_mood;

/// What counts as now.
const RECENT_MS: i64 = 20_000;
/// The mood is compared this often at most.
const CHECK_MS: i64 = 1_000;
/// Checks before anything is usual.
const WARM_UP: u32 = 30;
/// The usual mood follows over about so many checks.
const USUAL_CHECKS: f64 = 120.0;
/// Every author has one voice; fewer voices are no crowd.
const LEAST_USERS: usize = 8;
const LEAST_CHANGE: f64 = 0.4;
/// Between two alerts.
const PAUSE_MS: i64 = 60_000;
/// Bounds the memory of one stream.
const RECENT_MAX: usize = 2_000;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Voice {
    at_ms: i64,
    user_id: String,
    valence: f64,
}

/// A stream's last seconds of mood against its usual one. A pure function of the messages so far.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MoodWatch {
    recent: VecDeque<Voice>,
    usual: f64,
    checks: u32,
    checked_ms: i64,
    alerted_ms: i64,
}

impl MoodWatch {
    /// Takes a message into account; gives an alert at the moment the crowd's mood has shifted.
    ///
    /// After an alert the new mood becomes the usual one, so that the recovery is an alert, too.
    pub fn observe(&mut self, message: &ChatMessage) -> Option<Alert> {
        let now_ms = message.timestamp;
        let mood = message_mood(&message.text);
        if mood.expressive {
            let user_id = message.user_id.clone();
            self.recent.push_back(Voice { at_ms: now_ms, user_id, valence: mood.valence });
        }
        while self.recent.len() > RECENT_MAX || self.recent.front().is_some_and(|v| v.at_ms < now_ms - RECENT_MS) {
            self.recent.pop_front();
        }
        if now_ms < self.checked_ms + CHECK_MS {
            return None;
        }
        self.checked_ms = now_ms;
        let mood = self.recent_mood()?;
        if now_ms < self.alerted_ms + RECENT_MS {
            // The last seconds still hold what was written before the shift.
            self.usual = mood;
            return None;
        }
        let (usual, change) = (self.usual, mood - self.usual);
        let shifted = change.abs() >= LEAST_CHANGE && self.checks >= WARM_UP && now_ms >= self.alerted_ms + PAUSE_MS;
        self.checks = self.checks.saturating_add(1);
        if !shifted {
            self.usual += change * (1.0 / f64::from(self.checks)).max(1.0 / USUAL_CHECKS);
            return None;
        }
        (self.usual, self.alerted_ms) = (mood, now_ms);
        let (kind, verb) = if change < 0.0 { (AlertKind::MoodDrop, "fell") } else { (AlertKind::MoodRise, "rose") };
        Some(Alert {
            stream_id: message.stream_id.clone(),
            kind,
            at_ms: now_ms,
            severity: ((0.4 + change.abs()).min(1.0) * 100.0).round() / 100.0,
            message: format!("The mood {verb} from {} to {} within seconds", vibe_score(usual), vibe_score(mood)),
        })
    }

    /// The mean of the authors' means, if there are enough authors.
    fn recent_mood(&self) -> Option<f64> {
        let mut users: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
        for voice in &self.recent {
            let (sum, count) = users.entry(&voice.user_id).or_default();
            *sum += voice.valence;
            *count += 1.0;
        }
        let mood = users.values().map(|(sum, count)| sum / count).sum::<f64>() / users.len().max(1) as f64;
        (users.len() >= LEAST_USERS).then_some(mood)
    }
}
