//! Chat as it comes from platforms: bots, echoes with invisible suffixes, names and texts from right to left.

use tidemill_apps::apps::live_insight::analysis::{ChatWindow, OfflineAnalyst, StreamTrend};
use tidemill_schemas::{AlertKind, ChatMessage, Insight, TranscriptSegment};

const START_MS: i64 = 1_767_225_600_000;
const WINDOW_MS: i64 = 60_000;

fn chat(user: &str, text: &str, at_ms: i64) -> ChatMessage {
    let (stream_id, user_name) = ("s".into(), Some(user.to_owned()));
    let (user_id, text, timestamp) = (format!("id-{user}"), text.into(), START_MS + at_ms);
    ChatMessage { stream_id, user_id, user_name, text, timestamp, ..ChatMessage::default() }
}

/// The window that begins after so many others.
fn window(number: i64, chats: Vec<ChatMessage>, trend: &StreamTrend) -> ChatWindow {
    let start_ms = START_MS + number * WINDOW_MS;
    let (stream_id, end_ms) = ("s".into(), start_ms + WINDOW_MS);
    ChatWindow { stream_id, start_ms, end_ms, chats, segments: Vec::new(), trend: trend.clone(), told: Vec::new() }
}

fn insight(chats: Vec<ChatMessage>) -> Insight {
    OfflineAnalyst::insight(&window(0, chats, &StreamTrend::default()))
}

/// Messages of many people, two seconds apart.
fn crowd(texts: &[&str]) -> Vec<ChatMessage> {
    (0..).zip(texts).map(|(at, text)| chat(&format!("viewer-{at}"), text, at * 2_000)).collect()
}

#[test]
fn invisible_suffixes_make_no_other_line() {
    let suffixes =
        ["", " \u{e0000}", "\u{200b}", "\u{2060}\u{200d}", "\u{fe0f}", "...", " .", "\u{e0061}\u{e007f}", " ⠀"];
    let lines: Vec<String> = suffixes.iter().map(|suffix| format!("water temple now{suffix}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let insight = insight(crowd(&lines));
    assert_eq!(insight.top_chats.len(), 1, "{:?}", insight.top_chats);
    assert_eq!((insight.top_chats[0].text.as_str(), insight.top_chats[0].echoes), ("water temple now", 9));
    assert_eq!(insight.hot_topics[0].term, "water temple");
    assert_eq!(insight.hot_topics[0].chats, 9);
}

#[test]
fn a_name_or_a_topic_from_right_to_left_does_not_turn_a_sentence() {
    let mut chats: Vec<_> =
        (0..30).map(|at| chat(&format!("\u{202e}viewer-{at}"), "معبد الماء سيء جدا", at * 1_500)).collect();
    chats.push(chat("\u{2067}ada", "hello", 100));
    let insight = insight(chats);
    assert!(insight.instruction.contains("\"\u{2068}"), "{}", insight.instruction);
    assert!(insight.instruction.contains("\u{2069}\""), "{}", insight.instruction);
    let turns = |text: &str| text.contains(['\u{202e}', '\u{2067}']);
    let names = insight.active_users.iter().map(|user| &user.user_name);
    let names: Vec<_> = names.chain(insight.top_chats.iter().map(|chat| &chat.user_name)).collect();
    assert!(!names.is_empty() && !names.iter().any(|name| turns(name)), "{names:?}");
}

#[test]
fn a_phrase_from_right_to_left_is_isolated_in_the_reason_of_its_clip() {
    let mut trend = StreamTrend::default();
    for number in 0..4 {
        let quiet = (0..30).map(|at| chat(&format!("viewer-{at}"), "hi", number * WINDOW_MS + at * 2_000)).collect();
        trend.update(&window(number, quiet, &trend));
    }
    let from = 4 * WINDOW_MS;
    let burst = (0..60).map(|at| chat(&format!("viewer-{at}"), "LETS GO", from + 30_000 + at * 100)).collect();
    let mut loud = window(4, burst, &trend);
    let (stream_id, timestamp) = ("s".into(), START_MS + from + 27_000);
    loud.segments.push(TranscriptSegment {
        stream_id,
        text: "هذا رقم قياسي".into(),
        timestamp,
        duration_ms: Some(2_000),
    });
    let insight = OfflineAnalyst::insight(&loud);
    let reason = &insight.clips.first().expect("a clip").reason;
    assert!(reason.ends_with("after \"\u{2068}هذا رقم قياسي\u{2069}\""), "{reason}");
    assert!(insight.alerts.iter().any(|alert| alert.kind == AlertKind::EngagementSpike));
}
