//! The state that is kept of a stream from window to window.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_schemas::{EngagementTrend, TranscriptSegment, TrendPoint, TrendSummary};

use super::{
    bots::Timers,
    chance::{Count, NO_CHANCE},
    crowd::vibe_score,
    numbers::round2,
};

/// Weight of the newest window in the running means.
const NEWEST: f64 = 0.25;
const TERMS: usize = 200;
const HISTORY: usize = 30;
/// The maximum number of hostile accounts that are remembered. Further accounts may be reported more than once.
const TROLLS: usize = 100;
/// How many windows the running mean of the rate stands for, once there are so many.
const RATE_WINDOWS: u32 = 7;
/// Seconds of a window whose length was not noted.
const SECONDS: f64 = 60.0;

/// A stream's running means: a pure function of the windows so far. Its size allows one per stream.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StreamTrend {
    /// Windows with chat.
    windows: u32,
    rate: f64,
    /// Running mean of the seconds in which chat was heard in a window.
    #[serde(default)]
    heard_seconds: f64,
    /// Whether there was speech in any window: only then does silence say something about the microphone.
    #[serde(default)]
    spoken: bool,
    mood_windows: u32,
    mood: f64,
    mood_variance: f64,
    /// How much authors usually differ from each other.
    #[serde(default)]
    authors_variance: f64,
    /// The variance that chance gives the usual mood.
    #[serde(default)]
    mood_by_chance: f64,
    terms: BTreeMap<String, f64>,
    history: Vec<TrendPoint>,
    tail: Vec<TranscriptSegment>,
    silent_microphone: u32,
    silent_chat: u32,
    trolls: Vec<String>,
    #[serde(default)]
    timers: Timers,
    end_ms: i64,
}

/// The values that one closed window adds to the trend.
pub(super) struct Seen {
    pub(super) end_ms: i64,
    /// The chat that was heard, without gaps.
    pub(super) heard: Count,
    /// The crowd's mood, if there was a crowd.
    pub(super) mood: Option<SeenMood>,
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
    /// Lines that may be those of a program.
    pub(super) timers: Timers,
}

/// The mood of a window's crowd.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeenMood {
    pub(super) mood: f64,
    /// How much the authors differ from each other.
    pub(super) variance: f64,
    /// The variance that chance gives the mood.
    pub(super) by_chance: f64,
}

/// What is known of a stream's mood from its windows.
#[derive(Debug, Clone, Copy)]
pub(super) struct UsualMood {
    pub(super) mood: f64,
    /// How much the moods of the windows differ.
    pub(super) spread: f64,
    /// How much authors differ from each other.
    pub(super) variance: f64,
    /// The variance that chance gives the usual mood.
    pub(super) by_chance: f64,
}

impl StreamTrend {
    /// Adds a closed window to the trend.
    pub(super) fn observe(&mut self, seen: Seen) {
        // A window without chat does not change what is usual: its collector may have been away.
        if seen.heard.count > 0.0 {
            self.observe_rate(seen.heard);
        }
        self.spoken |= seen.spoke;
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
        self.timers = seen.timers;
        self.end_ms = seen.end_ms;
    }

    fn observe_rate(&mut self, heard: Count) {
        self.windows = self.windows.saturating_add(1);
        let weight = newest(self.windows);
        self.rate += weight * (heard.per_second() - self.rate);
        self.heard_seconds += weight * (heard.seconds - self.heard_seconds);
    }

    fn observe_mood(&mut self, seen: SeenMood) {
        self.mood_windows += 1;
        let weight = newest(self.mood_windows);
        let change = seen.mood - self.mood;
        self.authors_variance += weight * (seen.variance - self.authors_variance);
        self.mood_by_chance = (1.0 - weight).powi(2) * self.mood_by_chance + weight.powi(2) * seen.by_chance;
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

    /// The chat that the usual rate stands for; `None` until enough windows were observed.
    pub(super) fn usual(&self) -> Option<Count> {
        let window = if self.heard_seconds > 0.0 { self.heard_seconds } else { SECONDS };
        let seconds = window * f64::from(self.windows.min(RATE_WINDOWS));
        self.usual_rate().map(|rate| Count { count: rate * seconds, seconds })
    }

    /// Whether there was speech in any window.
    pub(super) fn has_spoken(&self) -> bool {
        self.spoken
    }

    /// The usual mood; `None` until enough windows were observed.
    pub(super) fn usual_mood(&self) -> Option<UsualMood> {
        (self.mood_windows >= 2).then(|| UsualMood {
            mood: self.mood,
            spread: self.mood_variance.sqrt(),
            variance: self.authors_variance,
            by_chance: self.mood_by_chance,
        })
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

    /// Lines that accounts repeat, perhaps at regular times.
    pub(super) fn timers(&self) -> &Timers {
        &self.timers
    }

    /// Whether the account was reported before.
    pub(super) fn is_known_troll(&self, user_id: &str) -> bool {
        self.trolls.iter().any(|known| known == user_id)
    }

    /// Compares a window, in which this chat was heard, with the earlier windows.
    pub(super) fn against(&self, heard: Count, point: TrendPoint) -> TrendSummary {
        let mut history = self.history.clone();
        history.push(point);
        TrendSummary {
            engagement: self.engagement(heard),
            usual_chats_per_second: round2(self.rate),
            usual_vibe_score: vibe_score(self.mood),
            history,
        }
    }

    /// A change counts only if chance does not explain it. A drop counts if it is deep, or lasts for two windows. In a
    /// stream with many messages, a smaller drop already counts as deep.
    fn engagement(&self, heard: Count) -> EngagementTrend {
        let Some(usual) = self.usual() else { return EngagementTrend::Unknown };
        let (rate, usual_rate) = (heard.per_second(), usual.per_second());
        let deep = if usual_rate >= 1.0 { 0.6 } else { 0.4 };
        let before = self.history.last().map_or(usual_rate, |last| last.chats_per_second);
        let both = Count { count: heard.count + before * heard.seconds, seconds: 2.0 * heard.seconds };
        if rate > 1.5 * usual_rate && rate > 0.2 && heard.more_than(usual) < NO_CHANCE {
            EngagementTrend::Rising
        } else if (rate < deep * usual_rate && heard.fewer_than(usual) < NO_CHANCE)
            || (rate < 0.75 * usual_rate && before < 0.9 * usual_rate && both.fewer_than(usual) < NO_CHANCE)
        {
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
