//! The state that is kept of a stream from window to window.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_schemas::{EngagementTrend, TranscriptSegment, TrendPoint, TrendSummary};

use super::crowd::vibe_score;
use super::numbers::round2;

/// Weight of the newest window in the running means.
const NEWEST: f64 = 0.25;
const TERMS: usize = 200;
const HISTORY: usize = 30;
/// The maximum number of hostile accounts that are remembered. Further accounts may be reported more than once.
const TROLLS: usize = 100;
/// Windows without events do not arrive here. At most this many missing windows count as silence.
const MISSED_MAX: i64 = 5;

/// A stream's running means: a pure function of the windows so far. Its size allows one per stream.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StreamTrend {
    windows: u32,
    rate: f64,
    mood_windows: u32,
    mood: f64,
    mood_variance: f64,
    terms: BTreeMap<String, f64>,
    history: Vec<TrendPoint>,
    tail: Vec<TranscriptSegment>,
    silent_microphone: u32,
    silent_chat: u32,
    trolls: Vec<String>,
    end_ms: i64,
}

/// The values that one closed window adds to the trend.
pub(super) struct Seen {
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    /// Chats per second.
    pub(super) rate: f64,
    /// The crowd's mood, if there was a crowd.
    pub(super) mood: Option<f64>,
    /// The share of authors who used each term.
    pub(super) terms: BTreeMap<String, f64>,
    pub(super) point: TrendPoint,
    /// Speech at the end of the window, to which viewers may still react.
    pub(super) tail: Vec<TranscriptSegment>,
    /// Whether the window has speech.
    pub(super) spoke: bool,
    /// Whether the window has chat.
    pub(super) wrote: bool,
    /// Hostile accounts.
    pub(super) trolls: Vec<String>,
}

impl StreamTrend {
    /// Adds a closed window to the trend.
    pub(super) fn observe(&mut self, seen: Seen) {
        let length_ms = (seen.end_ms - seen.start_ms).max(1);
        if self.windows > 0 {
            let missed = ((seen.start_ms - self.end_ms) / length_ms).clamp(0, MISSED_MAX);
            (0..missed).for_each(|_| self.observe_rate(0.0));
        }
        self.observe_rate(seen.rate);
        if let Some(mood) = seen.mood {
            self.observe_mood(mood);
        }
        self.observe_terms(seen.terms);
        self.history.push(seen.point);
        if self.history.len() > HISTORY {
            self.history.remove(0);
        }
        self.tail = seen.tail;
        self.silent_microphone = if seen.spoke { 0 } else { self.silent_microphone + 1 };
        self.silent_chat = if seen.wrote { 0 } else { self.silent_chat + 1 };
        for troll in seen.trolls {
            if !self.is_known_troll(&troll) && self.trolls.len() < TROLLS {
                self.trolls.push(troll);
            }
        }
        self.end_ms = seen.end_ms;
    }

    fn observe_rate(&mut self, rate: f64) {
        self.windows += 1;
        self.rate += newest(self.windows) * (rate - self.rate);
    }

    fn observe_mood(&mut self, mood: f64) {
        self.mood_windows += 1;
        let weight = newest(self.mood_windows);
        let change = mood - self.mood;
        self.mood += weight * change;
        self.mood_variance = (1.0 - weight) * (self.mood_variance + weight * change * change);
    }

    fn observe_terms(&mut self, shares: BTreeMap<String, f64>) {
        self.terms.values_mut().for_each(|share| *share *= 1.0 - NEWEST);
        for (term, share) in shares {
            *self.terms.entry(term).or_default() += NEWEST * share;
        }
        if self.terms.len() > TERMS {
            let mut shares: Vec<f64> = self.terms.values().copied().collect();
            shares.sort_unstable_by(|a, b| b.total_cmp(a));
            let least = shares[TERMS];
            self.terms.retain(|_, share| *share > least);
        }
    }

    /// Usual chats per second; `None` until enough windows were observed.
    pub(super) fn usual_rate(&self) -> Option<f64> {
        (self.windows >= 2).then_some(self.rate)
    }

    /// Usual mood and its spread; `None` until enough windows were observed.
    pub(super) fn usual_mood(&self) -> Option<(f64, f64)> {
        (self.mood_windows >= 2).then(|| (self.mood, self.mood_variance.sqrt()))
    }

    /// Usual share of authors who use a term.
    pub(super) fn term_share(&self, term: &str) -> f64 {
        self.terms.get(term).copied().unwrap_or(0.0)
    }

    /// Speech at the end of the last window, to which viewers may still react.
    pub(super) fn tail(&self) -> &[TranscriptSegment] {
        &self.tail
    }

    /// Number of consecutive windows without speech, up to the last window.
    pub(super) fn silent_microphone(&self) -> u32 {
        self.silent_microphone
    }

    /// Number of consecutive windows without chat, up to the last window.
    pub(super) fn silent_chat(&self) -> u32 {
        self.silent_chat
    }

    /// Whether the account was reported before.
    pub(super) fn is_known_troll(&self, user_id: &str) -> bool {
        self.trolls.iter().any(|known| known == user_id)
    }

    /// Compares a window, which has `rate` chats per second, with the earlier windows.
    pub(super) fn against(&self, rate: f64, point: TrendPoint) -> TrendSummary {
        let mut history = self.history.clone();
        history.push(point);
        TrendSummary {
            engagement: self.engagement(rate),
            usual_chats_per_second: round2(self.rate),
            usual_vibe_score: vibe_score(self.mood),
            history,
        }
    }

    /// Chat varies a lot by chance, so a drop counts only if it lasts for two windows or is deep. In a stream with many
    /// messages chance matters less, so a smaller drop already counts as deep.
    fn engagement(&self, rate: f64) -> EngagementTrend {
        let Some(usual) = self.usual_rate() else { return EngagementTrend::Unknown };
        let deep = if usual >= 1.0 { 0.6 } else { 0.4 };
        let before = self.history.last().map_or(usual, |last| last.chats_per_second);
        if rate > 1.5 * usual && rate > 0.2 {
            EngagementTrend::Rising
        } else if rate < deep * usual || (rate < 0.75 * usual && before < 0.9 * usual) {
            EngagementTrend::Dropping
        } else {
            EngagementTrend::Steady
        }
    }
}

/// The weight of the newest window: the first windows have equal weights, later the weight is constant.
fn newest(windows: u32) -> f64 {
    NEWEST.max(1.0 / f64::from(windows))
}
