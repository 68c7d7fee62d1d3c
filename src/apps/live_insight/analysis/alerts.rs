//! The alerts of a window: events that the streamer should know at once.

use tidemill_schemas::{Alert, AlertKind, EngagementTrend, HotTopic, Spike};

use super::crowd::{CrowdMood, vibe_score};
use super::reading::{Reading, between};
use super::window::ChatWindow;

/// A smaller change of mood is not an alert.
const LEAST_CHANGE: f64 = 0.28;
/// A change within this many spreads of the usual mood is not an alert.
const SPREADS: f64 = 2.0;
const LEAST_SPREAD: f64 = 0.1;
/// With fewer expressive authors, the mood is not compared.
const LEAST_USERS: usize = 5;
const STEP_MS: i64 = 5_000;
/// After so many windows without chat, the silence is no news.
const SILENT_MAX: u32 = 10;

/// The data from which alerts are derived.
pub(super) struct Evidence<'a> {
    pub(super) window: &'a ChatWindow,
    pub(super) reading: &'a Reading<'a>,
    pub(super) crowd: &'a CrowdMood,
    pub(super) topics: &'a [HotTopic],
    pub(super) spikes: &'a [Spike],
    pub(super) engagement: EngagementTrend,
}

/// All alerts of a window, the most severe first.
pub(super) fn alerts(evidence: &Evidence<'_>) -> Vec<Alert> {
    let found = [
        silent_microphone(evidence),
        silent_chat(evidence),
        mood_shift(evidence),
        engagement_drop(evidence),
        engagement_spike(evidence),
        trolls(evidence),
    ];
    let mut alerts: Vec<Alert> = found.into_iter().flatten().collect();
    alerts.sort_by(|a, b| b.severity.total_cmp(&a.severity));
    alerts
}

/// Replaces alerts of the window by the alerts that the mood watch already sent for the same shift.
///
/// A shift repeats an earlier shift of the same kind if the earlier shift was reported since the window began, or if it
/// was the last shift reported in the previous window. The usual mood follows slowly, so without this rule the same
/// shift would be reported twice.
pub(super) fn without_repeats(window: &ChatWindow, mut alerts: Vec<Alert>) -> Vec<Alert> {
    let is_shift = |alert: &Alert| matches!(alert.kind, AlertKind::MoodDrop | AlertKind::MoodRise);
    let before = window.told.iter().rfind(|told| told.at_ms < window.start_ms);
    let mut own: Vec<Alert> =
        window.told.iter().filter(|told| (window.start_ms..window.end_ms).contains(&told.at_ms)).cloned().collect();
    alerts.retain(|alert| {
        if !is_shift(alert) {
            return true;
        }
        // The closed window knows the cause of the shift.
        if let Some(told) = own.iter_mut().rfind(|told| told.kind == alert.kind) {
            told.message.clone_from(&alert.message);
            return false;
        }
        let later = window.told.iter().any(|told| told.kind == alert.kind && told.at_ms >= window.end_ms);
        !later && before.is_none_or(|told| told.kind != alert.kind)
    });
    alerts.extend(own.into_iter().map(|told| Alert { ahead: true, ..told }));
    alerts.sort_by(|a, b| b.severity.total_cmp(&a.severity));
    alerts
}

impl Evidence<'_> {
    fn alert(&self, kind: AlertKind, at_ms: i64, severity: f64, message: String) -> Alert {
        let severity = (severity.clamp(0.0, 1.0) * 100.0).round() / 100.0;
        Alert { stream_id: self.window.stream_id.clone(), kind, at_ms, severity, message, ahead: false }
    }
}

fn silent_microphone(on: &Evidence<'_>) -> Option<Alert> {
    let silent = on.window.trend.has_spoken() && on.window.segments.is_empty() && !on.window.chats.is_empty();
    let windows = on.window.trend.silent_microphone() + 1;
    let since = on.window.end_ms - i64::from(windows) * (on.window.end_ms - on.window.start_ms);
    let chats = on.window.chats.len();
    let message = format!("No speech for {}, while {chats} chat messages arrived", minutes(on, windows));
    silent.then(|| on.alert(AlertKind::SilentMicrophone, since, 0.6 + 0.1 * f64::from(windows), message))
}

fn silent_chat(on: &Evidence<'_>) -> Option<Alert> {
    let usual = on.window.trend.usual_rate().is_some_and(|usual| usual > 0.05);
    let silent = on.window.chats.is_empty() && usual && on.window.trend.silent_chat() < SILENT_MAX;
    let windows = on.window.trend.silent_chat() + 1;
    let since = on.window.end_ms - i64::from(windows) * (on.window.end_ms - on.window.start_ms);
    let message = format!("No chat message for {}: people left, or chat is disconnected", minutes(on, windows));
    silent.then(|| on.alert(AlertKind::SilentChat, since, 0.5 + 0.1 * f64::from(windows), message))
}

fn minutes(on: &Evidence<'_>, windows: u32) -> String {
    let seconds = f64::from(windows) * on.window.seconds();
    match (seconds / 60.0).round() as i64 {
        0 => format!("{seconds:.0} seconds"),
        1 => "a minute".into(),
        n => format!("{n} minutes"),
    }
}

/// Compares the whole window and its last third with the usual mood, so that a shift late in the window is found, too.
fn mood_shift(on: &Evidence<'_>) -> Option<Alert> {
    let (usual, spread) = on.window.trend.usual_mood()?;
    let late_from = on.window.end_ms - (on.window.end_ms - on.window.start_ms) / 3;
    let late_chats = between(&on.reading.chats, late_from, i64::MAX);
    let late = CrowdMood::of(late_chats.iter().filter(|chat| !on.crowd.outliers.contains(&chat.user)));
    let moods = [(on.crowd.mood, on.crowd.expressive_users), (late.mood, late.expressive_users)];
    let (mood, _) = moods
        .into_iter()
        .filter(|(_, users)| *users >= LEAST_USERS)
        .max_by(|a, b| (a.0 - usual).abs().total_cmp(&(b.0 - usual).abs()))?;
    let change = mood - usual;
    if change.abs() < LEAST_CHANGE.max(SPREADS * spread.max(LEAST_SPREAD)) {
        return None;
    }
    let (was, is) = (vibe_score(usual), vibe_score(mood));
    let (kind, verb) = if change < 0.0 { (AlertKind::MoodDrop, "fell") } else { (AlertKind::MoodRise, "rose") };
    let about = about(on.topics, change).map_or(String::new(), |topic| format!(", mostly about \"{}\"", topic.term));
    let message = format!("The mood {verb} from {was} to {is}{about}");
    Some(on.alert(kind, shift_at(on), 0.4 + change.abs() * if change < 0.0 { 0.8 } else { 0.3 }, message))
}

/// The topic that explains a change of mood.
pub(super) fn about(topics: &[HotTopic], change: f64) -> Option<&HotTopic> {
    topics.iter().filter(|topic| topic.mood * change > 0.0 && topic.lift > 1.5).max_by(|a, b| {
        let weight = |topic: &HotTopic| topic.mood.abs() * topic.users as f64;
        weight(a).total_cmp(&weight(b))
    })
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

fn engagement_drop(on: &Evidence<'_>) -> Option<Alert> {
    let usual = on.window.trend.usual_rate()?;
    let rate = on.window.chats.len() as f64 / on.window.seconds();
    if on.engagement != EngagementTrend::Dropping || on.window.chats.is_empty() {
        return None;
    }
    let percent = 100.0 * (1.0 - rate / usual);
    let message = format!("Chat runs {percent:.0}% below usual: {rate:.1} messages per second instead of {usual:.1}");
    Some(on.alert(AlertKind::EngagementDrop, on.window.start_ms, 0.3 + 0.5 * (1.0 - rate / usual), message))
}

fn engagement_spike(on: &Evidence<'_>) -> Option<Alert> {
    let spike = on.spikes.iter().max_by(|a, b| a.ratio.total_cmp(&b.ratio)).filter(|spike| spike.ratio >= 3.0)?;
    let message = format!("Chat exploded: {} messages, {:.1} times the usual rate", spike.chats, spike.ratio);
    Some(on.alert(AlertKind::EngagementSpike, spike.start_ms, 0.2 + 0.04 * spike.ratio, message))
}

/// Reports hostile accounts once; later windows still set them aside.
fn trolls(on: &Evidence<'_>) -> Option<Alert> {
    let trolls = &on.crowd.outliers;
    let known = |user: &usize| on.window.trend.is_known_troll(&on.reading.users[*user].user_id);
    if trolls.iter().all(known) {
        return None;
    }
    let hostile = on.reading.chats.iter().filter(|chat| chat.mood.valence < -0.2);
    let all = hostile.clone().count();
    let theirs = hostile.filter(|chat| trolls.contains(&chat.user)).count();
    let accounts = if trolls.len() == 1 { "account writes" } else { "accounts write" };
    let message = format!(
        "{} {accounts} {theirs} of the {all} hostile messages; the mood of all others is {}",
        trolls.len(),
        on.crowd.vibe_score()
    );
    Some(on.alert(AlertKind::Trolls, on.window.start_ms, 0.25, message))
}
