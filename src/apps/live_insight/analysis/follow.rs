//! Adds a window to the stream's trend, and compares a window with the trend.

use tidemill_schemas::{TrendPoint, TrendSummary};

use super::crowd::CrowdMood;
use super::numbers::round2;
use super::phrases::REACTION_MS;
use super::reading::Reading;
use super::spikes::Buckets;
use super::topics::term_shares;
use super::trend::{Seen, SeenMood, StreamTrend};
use super::window::ChatWindow;

/// With fewer expressive authors, the mood of the crowd is unknown.
const MOOD_USERS: usize = 3;

impl StreamTrend {
    /// Adds a closed window to the trend. The caller calls this once per window, in the order of the windows.
    pub fn update(&mut self, window: &ChatWindow) {
        let reading = Reading::of(window);
        let crowd = CrowdMood::of(reading.chats.iter());
        let mood = SeenMood { mood: crowd.mood, variance: crowd.variance, by_chance: crowd.by_chance(crowd.variance) };
        let tail_from = window.end_ms - REACTION_MS;
        self.observe(Seen {
            end_ms: window.end_ms,
            heard: Buckets::of(window, &reading).heard(),
            mood: (crowd.expressive_users >= MOOD_USERS).then_some(mood),
            terms: term_shares(&reading),
            point: point(window, &reading, &crowd),
            tail: window.segments.iter().filter(|segment| segment.end_ms() > tail_from).cloned().collect(),
            spoke: !window.segments.is_empty(),
            wrote: !reading.chats.is_empty(),
            timers: reading.timers.clone(),
            trolls: crowd.outliers.iter().map(|user| reading.users[*user].user_id.clone()).collect(),
        });
    }
}

/// Compares a window with the earlier windows.
pub(super) fn summary(
    window: &ChatWindow,
    reading: &Reading<'_>,
    crowd: &CrowdMood,
    buckets: &Buckets,
) -> TrendSummary {
    window.trend.against(buckets.heard(), point(window, reading, crowd))
}

fn point(window: &ChatWindow, reading: &Reading<'_>, crowd: &CrowdMood) -> TrendPoint {
    TrendPoint {
        start_ms: window.start_ms,
        chats_per_second: round2(reading.chats.len() as f64 / window.seconds()),
        users: reading.users.len() as u64,
        vibe_score: crowd.vibe_score(),
    }
}
