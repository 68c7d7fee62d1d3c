//! Compares the mood of a closed window with the usual mood of windows.

use tidemill_schemas::Alert;

use super::{Shift, watch::ERRORS};
use crate::apps::live_insight::analysis::{
    crowd::CrowdMood,
    evidence::{Evidence, about},
    reading::{Reading, between},
    shown::quoted,
};

/// A smaller change of mood is not an alert.
const LEAST_CHANGE: f64 = 0.28;
/// A change within this many spreads of the usual mood is not an alert.
const SPREADS: f64 = 2.0;
const LEAST_SPREAD: f64 = 0.1;
/// With fewer expressive authors, the mood is not compared.
const LEAST_USERS: usize = 5;
const STEP_MS: i64 = 5_000;

/// Compares the whole window and its last third with the usual mood, so that a shift late in the window is found, too.
pub(in super::super) fn of_window(on: &Evidence<'_>) -> Option<Alert> {
    let usual = on.window.trend.usual_mood()?;
    let late_from = on.window.end_ms - (on.window.end_ms - on.window.start_ms) / 3;
    let late_chats = between(&on.reading.chats, late_from, i64::MAX);
    let late = CrowdMood::of(late_chats.iter().filter(|chat| !on.crowd.outliers.contains(&chat.user)));
    let is_shift = |crowd: &&CrowdMood| {
        // The usual mood is an observation, too, and has its own chance.
        let error = (crowd.by_chance(usual.variance) + usual.by_chance).sqrt();
        let least = LEAST_CHANGE.max(SPREADS * usual.spread.max(LEAST_SPREAD)).max(ERRORS * error);
        crowd.expressive_users >= LEAST_USERS && (crowd.mood - usual.mood).abs() >= least
    };
    let change = |crowd: &CrowdMood| crowd.mood - usual.mood;
    let crowds = [on.crowd, &late].into_iter().filter(is_shift);
    let crowd = crowds.max_by(|a, b| change(a).abs().total_cmp(&change(b).abs()))?;
    let (mood, change) = (crowd.mood, change(crowd));
    let about =
        about(on.topics, change).map_or(String::new(), |topic| format!(", mostly about {}", quoted(&topic.term)));
    let shift = Shift { at_ms: shift_at(on), usual: usual.mood, mood };
    Some(shift.alert(&on.window.stream_id, if change < 0.0 { 0.8 } else { 0.3 }, &about))
}

/// The moment that divides the window's moods best, or the window's start if no moment divides them.
fn shift_at(on: &Evidence<'_>) -> i64 {
    let chats = || on.reading.chats.iter().filter(|c| c.mood.expressive && !on.crowd.outliers.contains(&c.user));
    let mut best = (0.25, on.window.start_ms);
    let mut at = on.window.start_ms + STEP_MS;
    while at < on.window.end_ms {
        let before = chats().filter(|chat| chat.message.timestamp < at).count() as f64;
        let after = chats().filter(|chat| chat.message.timestamp >= at).count() as f64;
        if before >= 3.0 && after >= 3.0 {
            let mood_before = Reading::mean_mood(chats().filter(|chat| chat.message.timestamp < at));
            let mood_after = Reading::mean_mood(chats().filter(|chat| chat.message.timestamp >= at));
            // A difference between two large parts weighs more than a difference between one message and the rest.
            let strength = (mood_after - mood_before).abs() * 2.0 * (before * after).sqrt() / (before + after);
            if strength > best.0 {
                best = (strength, at);
            }
        }
        at += STEP_MS;
    }
    best.1
}
