//! The alerts of a window: events that the streamer should know at once.

use tidemill_schemas::{Alert, AlertKind, EngagementTrend};

use super::evidence::Evidence;
use super::shifts;

/// After so many windows without chat, the silence is no news.
const SILENT_MAX: u32 = 10;

/// All alerts of a window, the most severe first.
pub(super) fn alerts(evidence: &Evidence<'_>) -> Vec<Alert> {
    let found = [
        silent_microphone(evidence),
        silent_chat(evidence),
        shifts::of_window(evidence),
        engagement_drop(evidence),
        engagement_spike(evidence),
        trolls(evidence),
    ];
    let mut alerts: Vec<Alert> = found.into_iter().flatten().collect();
    alerts.sort_by(|a, b| b.severity.total_cmp(&a.severity));
    alerts
}

fn silent_microphone(on: &Evidence<'_>) -> Option<Alert> {
    let silent = on.window.trend.has_spoken() && on.window.segments.is_empty() && !on.reading.chats.is_empty();
    let windows = on.window.trend.silent_microphone() + 1;
    let since = on.window.end_ms - i64::from(windows) * (on.window.end_ms - on.window.start_ms);
    let chats = on.reading.chats.len();
    let messages = if chats == 1 { "message" } else { "messages" };
    let message = format!("No speech for {}, while {chats} chat {messages} arrived", minutes(on, windows));
    silent.then(|| on.alert(AlertKind::SilentMicrophone, since, 0.6 + 0.1 * f64::from(windows), message))
}

fn silent_chat(on: &Evidence<'_>) -> Option<Alert> {
    let usual = on.window.trend.usual_rate().is_some_and(|usual| usual > 0.05);
    let silent = on.reading.chats.is_empty() && usual && on.window.trend.silent_chat() < SILENT_MAX;
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

fn engagement_drop(on: &Evidence<'_>) -> Option<Alert> {
    let usual = on.window.trend.usual_rate()?;
    let rate = on.reading.chats.len() as f64 / on.window.seconds();
    if on.engagement != EngagementTrend::Dropping || on.reading.chats.is_empty() {
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
    let (theirs, all) = on.crowd.hostile();
    let accounts = if trolls.len() == 1 { "account writes" } else { "accounts write" };
    let message = format!(
        "{} {accounts} {theirs} of the {all} hostile messages; the mood of all others is {}",
        trolls.len(),
        on.crowd.vibe_score()
    );
    Some(on.alert(AlertKind::Trolls, on.window.start_ms, 0.25, message))
}
