//! Notices a shift of mood while the window is still open, message by message.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_schemas::{Alert, ChatMessage};

use super::{Shift, is_shift};
use crate::apps::live_insight::analysis::{
    StreamTrend,
    bots::{self, is_bot},
    sentiment::message_mood,
    support::felt,
};

/// The mood of the last this many milliseconds is compared with the usual mood.
pub const RECENT_MS: i64 = 20_000;
/// Length of a step, in milliseconds. Messages are grouped by step, and the mood is compared once per step.
pub const CHECK_MS: i64 = 1_000;
/// The maximum number of authors that count per step. A few hundred people show a crowd's mood, and the limit bounds
/// the cost of a flood of messages.
const VOICES: usize = 24;
/// Number of checks before the usual mood is known.
const WARM_UP: u32 = 30;
/// The usual mood is a running mean over about this many checks.
const USUAL_CHECKS: f64 = 120.0;
/// With fewer authors, the mood is not compared.
const LEAST_USERS: usize = 8;
const LEAST_CHANGE: f64 = 0.4;
/// A change within this many standard errors of the mean of so many authors may be chance. Moods are skewed, and are
/// compared ten thousand times in three hours.
pub(super) const ERRORS: f64 = 6.0;
/// The shortest time between two alerts.
const PAUSE_MS: i64 = 60_000;
/// The maximum number of remembered alerts.
const TOLD: usize = 32;

/// The moods of the authors of one step, each from the author's first expressive message.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Voices(Vec<(u64, f64)>);

impl Voices {
    /// The start of the step that contains the given time, in milliseconds.
    pub fn step_of(at_ms: i64) -> i64 {
        at_ms - at_ms.rem_euclid(CHECK_MS)
    }

    /// Takes a message. Returns whether this changed the voices. Bots have no voice.
    pub fn hear(&mut self, message: &ChatMessage) -> bool {
        if is_bot(message) {
            return false;
        }
        let author = fingerprint(&message.user_id);
        if self.0.len() == VOICES || self.0.iter().any(|(known, _)| *known == author) {
            return false;
        }
        let mood = felt(message_mood(&message.text), message);
        if mood.expressive {
            self.0.push((author, mood.valence));
        }
        mood.expressive
    }
}

/// A hash (FNV-1a) that distinguishes authors and messages without storing their ids.
pub(in crate::apps::live_insight) fn fingerprint(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Compares a stream's mood of the last seconds with its usual mood. A pure function of the messages so far.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MoodWatch {
    usual: f64,
    /// How much authors usually differ from each other: the variance of their moods.
    #[serde(default)]
    variance: f64,
    checks: u32,
    checked_ms: i64,
    alerted_ms: i64,
    /// Hashes of lines that accounts repeat at regular times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    regular: Vec<u64>,
    /// The reported shifts, from the watch or from a closed window, in the order of time.
    told: Vec<Alert>,
}

impl MoodWatch {
    /// Whether the next comparison is due.
    pub fn is_due(&self, now_ms: i64) -> bool {
        now_ms >= self.checked_ms + CHECK_MS
    }

    /// Whether a time is before the steps that are still compared.
    pub fn is_past(&self, now_ms: i64) -> bool {
        now_ms < Voices::step_of(self.checked_ms) - RECENT_MS
    }

    /// The starts of the steps that the watch does not need after a check at `now_ms`, but did need before it.
    pub fn steps_past(&self, now_ms: i64) -> impl Iterator<Item = i64> + use<> {
        let (last, kept_from) = (Voices::step_of(self.checked_ms), Voices::step_of(now_ms) - RECENT_MS);
        let from = (last - RECENT_MS).max(0);
        (from..kept_from.min(last + 2 * CHECK_MS)).step_by(CHECK_MS as usize)
    }

    /// Compares the voices of the last [`RECENT_MS`] with the usual mood. Returns an alert if the crowd's mood has
    /// shifted.
    ///
    /// After an alert the new mood becomes the usual mood. So the recovery gives an alert, too.
    pub fn check(&mut self, stream_id: &str, now_ms: i64, recent: &[Voices]) -> Option<Alert> {
        self.checked_ms = now_ms;
        let Crowd { mood, variance, authors } = Crowd::of(recent)?;
        if now_ms < self.alerted_ms + RECENT_MS {
            // The last seconds still include messages from before the shift.
            self.usual = mood;
            return None;
        }
        let (usual, change) = (self.usual, mood - self.usual);
        let error = (self.variance / authors).sqrt();
        let is_large = change.abs() >= LEAST_CHANGE.max(ERRORS * error);
        let shifted = is_large && self.checks >= WARM_UP && now_ms >= self.alerted_ms + PAUSE_MS;
        self.checks = self.checks.saturating_add(1);
        if !shifted {
            let weight = (1.0 / f64::from(self.checks)).max(1.0 / USUAL_CHECKS);
            self.usual += weight * change;
            self.variance += weight * (variance - self.variance);
            return None;
        }
        self.usual = mood;
        let shift = Shift { at_ms: now_ms, usual, mood };
        let alert = Alert { ahead: true, ..shift.alert(stream_id, 1.0, " within seconds") };
        self.note(alert.clone(), now_ms);
        Some(alert)
    }

    /// Remembers a reported shift. The next alert must wait for the pause.
    fn note(&mut self, alert: Alert, now_ms: i64) {
        self.alerted_ms = self.alerted_ms.max(now_ms);
        let at = self.told.partition_point(|told| told.at_ms <= alert.at_ms);
        self.told.insert(at, alert);
        if self.told.len() > TOLD {
            self.told.remove(0);
        }
    }

    /// Leaves out the lines that accounts repeat at regular times, as a stream's trend knows them. Returns whether this
    /// changed the watch.
    pub fn leave_out(&mut self, trend: &StreamTrend) -> bool {
        let mut regular: Vec<u64> = trend.timers().regular().collect();
        regular.sort_unstable();
        let changed = regular != self.regular;
        self.regular = regular;
        changed
    }

    /// Whether a message is such a line.
    pub fn leaves_out(&self, message: &ChatMessage) -> bool {
        !self.regular.is_empty() && self.regular.binary_search(&bots::fingerprint(message)).is_ok()
    }

    /// The shifts that were reported in the open window or in the window before it.
    pub fn told(&self) -> &[Alert] {
        &self.told
    }

    /// Takes the alerts of a closed window. Returns whether this changed the watch.
    pub fn closed(&mut self, start_ms: i64, end_ms: i64, alerts: &[Alert]) -> bool {
        let before = self.told.len();
        self.told.retain(|told| told.at_ms >= start_ms);
        let mut changed = self.told.len() < before;
        for alert in alerts.iter().filter(|alert| !alert.ahead) {
            if is_shift(alert) {
                self.note(alert.clone(), end_ms);
                changed = true;
            }
        }
        changed
    }
}

/// The authors of the last seconds.
struct Crowd {
    /// The mean of the authors' means.
    mood: f64,
    /// The variance of the authors' means.
    variance: f64,
    authors: f64,
}

impl Crowd {
    /// `None` if there are not enough authors.
    fn of(recent: &[Voices]) -> Option<Self> {
        let mut sums: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
        for (author, valence) in recent.iter().flat_map(|voices| &voices.0) {
            let (sum, count) = sums.entry(*author).or_default();
            *sum += valence;
            *count += 1.0;
        }
        if sums.len() < LEAST_USERS {
            return None;
        }
        let (authors, means) = (sums.len() as f64, || sums.values().map(|(sum, count)| sum / count));
        let mood = means().sum::<f64>() / authors;
        let variance = means().map(|mean| (mean - mood).powi(2)).sum::<f64>() / (authors - 1.0);
        Some(Self { mood, variance, authors })
    }
}

#[cfg(test)]
mod tests {
    use tidemill_schemas::AlertKind;

    use super::*;

    fn voices(second: i64, text: &str) -> Voices {
        let mut voices = Voices::default();
        for author in 0..40 {
            let (stream_id, user_id, text) = ("s".into(), format!("u{author}"), text.into());
            let timestamp = second * 1_000;
            voices.hear(&ChatMessage { stream_id, user_id, text, timestamp, ..ChatMessage::default() });
        }
        voices
    }

    /// The alerts of a crowd that says the same from one second to another.
    fn say(watch: &mut MoodWatch, seconds: std::ops::Range<i64>, text: &str) -> Vec<(AlertKind, i64)> {
        let alerts = seconds.filter_map(|second| watch.check("s", second * 1_000, &[voices(second, text)]));
        alerts.map(|alert| (alert.kind, alert.at_ms)).collect()
    }

    #[test]
    fn a_step_hears_each_author_once_and_not_all_of_a_flood() {
        let mut heard = voices(0, "love it");
        assert_eq!(heard.0.len(), VOICES);
        assert_eq!(voices(0, "the").0.len(), 0);
        heard.0.truncate(1);
        let message = |user: &str| ChatMessage {
            stream_id: "s".into(),
            user_id: user.into(),
            text: "awful".into(),
            ..ChatMessage::default()
        };
        assert!(!heard.hear(&message("u0")) && heard.hear(&message("u1")));
    }

    #[test]
    fn a_shift_and_its_recovery_are_told_once_each() {
        let mut watch = MoodWatch::default();
        assert_eq!(say(&mut watch, 100..200, "love it"), []);
        assert_eq!(say(&mut watch, 200..300, "awful"), [(AlertKind::MoodDrop, 200_000)]);
        assert_eq!(say(&mut watch, 300..400, "love it"), [(AlertKind::MoodRise, 300_000)]);
        assert_eq!(watch.told().len(), 2);
        watch.closed(240_000, 300_000, &[]);
        assert_eq!(watch.told().len(), 1);
    }

    #[test]
    fn what_a_window_told_the_watch_does_not_tell_again() {
        let mut watch = MoodWatch::default();
        say(&mut watch, 100..180, "love it");
        let (stream_id, message) = ("s".into(), String::new());
        let drop = Alert { stream_id, kind: AlertKind::MoodDrop, at_ms: 178_000, severity: 1.0, message, ahead: false };
        assert!(watch.closed(120_000, 180_000, std::slice::from_ref(&drop)));
        assert_eq!(say(&mut watch, 181..300, "awful"), []);
        assert_eq!(watch.told(), [drop]);
    }
}
