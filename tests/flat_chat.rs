//! Chat in which nothing happens: messages come by chance, at a constant rate, from a crowd whose mood does not change.

use std::collections::BTreeMap;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tidemill_apps::apps::live_insight::analysis::{
    CHECK_MS, ChatWindow, MoodWatch, OfflineAnalyst, RECENT_MS, StreamTrend, Voices,
};
use tidemill_schemas::{Alert, AlertKind, ChatMessage, Insight, TranscriptSegment};

const HOURS: i64 = 3;
const WINDOW_MS: i64 = 60_000;
const START_MS: i64 = 1_767_225_600_000;

/// What people write when nothing happens: some of it glad, some of it not, most of it neither.
const LINES: [&str; 24] = [
    "hi everyone",
    "hello from brazil",
    "lol",
    "what game is this?",
    "nice",
    "gg",
    "first time here",
    "😂",
    "this song",
    "what rank are you?",
    "that was close",
    "brb",
    "same",
    "boring part",
    "i like this map",
    "when does it end?",
    "ok",
    "good luck",
    "not again",
    "how long is the stream?",
    "back from work",
    "the usual",
    "hm",
    "❤️",
];

/// What people write when nothing happens but they have feelings: glad, angry and neither.
const MIXED: [&str; 30] = [
    "hi everyone",
    "hello from brazil",
    "lol",
    "what game is this?",
    "nice",
    "gg",
    "first time here",
    "😂",
    "i love this song",
    "what rank are you?",
    "that was close",
    "brb",
    "same",
    "boring part",
    "i like this map",
    "when does it end?",
    "ok",
    "good luck",
    "i hate this boss",
    "how long is the stream?",
    "awful",
    "the usual",
    "hm",
    "❤️",
    "great run",
    "so bad",
    "wow",
    "lmao",
    "this is sad",
    "amazing",
];

/// What a stream was told in three hours.
#[derive(Default)]
struct Told {
    clips: Vec<String>,
    alerts: Vec<Alert>,
}

/// Three hours of chat, `per_second` messages a second.
fn chat(random: &mut StdRng, per_second: f64) -> Vec<ChatMessage> {
    lines(random, per_second, &LINES, HOURS)
}

/// Chat that picks its lines evenly.
fn lines(random: &mut StdRng, per_second: f64, lines: &[&str], hours: i64) -> Vec<ChatMessage> {
    let (mut chats, mut at_ms) = (Vec::new(), START_MS as f64);
    loop {
        at_ms += -random.random::<f64>().max(f64::MIN_POSITIVE).ln() * 1000.0 / per_second;
        if at_ms >= (START_MS + hours * 3_600_000) as f64 {
            return chats;
        }
        chats.push(ChatMessage {
            stream_id: "flat".into(),
            user_id: format!("user-{}", random.random_range(0..300)),
            text: lines[random.random_range(0..lines.len())].into(),
            timestamp: at_ms as i64,
            ..ChatMessage::default()
        });
    }
}

fn speech(start_ms: i64) -> Vec<TranscriptSegment> {
    let segment = |step: i64| TranscriptSegment {
        stream_id: "flat".into(),
        text: "let us look at the next room over here".into(),
        timestamp: start_ms + step * 15_000,
        duration_ms: Some(4_000),
    };
    (0..WINDOW_MS / 15_000).map(segment).collect()
}

/// Analyses the chat as the application does: message by message, and window by window.
fn told(chats: &[ChatMessage], speaks: bool) -> (Told, Vec<Insight>) {
    let (mut told, mut insights) = (Told::default(), Vec::new());
    let (mut watch, mut trend) = (MoodWatch::default(), StreamTrend::default());
    let mut voices = BTreeMap::<i64, Voices>::new();
    let before = |at_ms: i64| chats.partition_point(|chat| chat.timestamp < at_ms);
    for start_ms in (START_MS..START_MS + HOURS * 3_600_000).step_by(WINDOW_MS as usize) {
        let end_ms = start_ms + WINDOW_MS;
        let chats = chats[before(start_ms)..before(end_ms)].to_vec();
        for chat in &chats {
            let now_ms = chat.timestamp;
            voices.entry(Voices::step_of(now_ms)).or_default().hear(chat);
            voices.retain(|step, _| *step >= Voices::step_of(now_ms) - RECENT_MS / CHECK_MS * CHECK_MS);
            if watch.is_due(now_ms) {
                let recent: Vec<_> = voices.values().cloned().collect();
                told.alerts.extend(watch.check("flat", now_ms, &recent));
            }
        }
        let segments = if speaks { speech(start_ms) } else { Vec::new() };
        let shifts = watch.told().to_vec();
        let window = ChatWindow {
            stream_id: "flat".into(),
            start_ms,
            end_ms,
            chats,
            segments,
            trend: trend.clone(),
            told: shifts,
        };
        if window.chats.is_empty() && window.segments.is_empty() {
            continue;
        }
        let insight = OfflineAnalyst::insight(&window);
        trend.update(&window);
        watch.closed(start_ms, end_ms, &insight.alerts);
        told.clips.extend(insight.clips.iter().map(|clip| clip.reason.clone()));
        told.alerts.extend(insight.alerts.iter().filter(|alert| !alert.ahead).cloned());
        insights.push(insight);
    }
    (told, insights)
}

#[test]
fn three_hours_of_flat_chat_give_no_clip_and_no_alert() {
    let mut wrong = Vec::new();
    for per_second in [0.5, 1.0, 2.0, 3.0, 4.0] {
        for seed in 0..4 {
            let chats = chat(&mut StdRng::seed_from_u64(seed), per_second);
            let (Told { clips, alerts }, _) = told(&chats, true);
            let alerts: Vec<_> = alerts.iter().map(|alert| (alert.kind, alert.message.as_str())).collect();
            if !clips.is_empty() || !alerts.is_empty() {
                wrong.push(format!("{per_second} a second, seed {seed}: {clips:?} {alerts:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn flat_chat_of_both_moods_gives_no_clip_and_no_alert() {
    let mut wrong = Vec::new();
    for per_second in [0.2, 0.5, 1.0, 3.0, 10.0] {
        for seed in 0..2 {
            let hours = if per_second > 5.0 { 2 } else { HOURS };
            let chats = lines(&mut StdRng::seed_from_u64(seed), per_second, &MIXED, hours);
            let (Told { clips, alerts }, _) = told(&chats, false);
            let alerts: Vec<_> = alerts.iter().map(|alert| (alert.kind, alert.message.as_str())).collect();
            if !clips.is_empty() || !alerts.is_empty() {
                wrong.push(format!("{per_second} a second, seed {seed}: {clips:?} {alerts:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn window(start_ms: i64, chats: Vec<ChatMessage>, trend: &StreamTrend) -> ChatWindow {
    let (stream_id, end_ms, told) = ("flat".into(), start_ms + WINDOW_MS, Vec::new());
    ChatWindow { stream_id, start_ms, end_ms, chats, segments: speech(start_ms), trend: trend.clone(), told }
}

/// Ten minutes of flat chat at two messages a second, of which nothing is heard in the seconds of `gap`.
fn with_gap(gap: &std::ops::Range<i64>) -> Told {
    let chats: Vec<_> = chat(&mut StdRng::seed_from_u64(7), 2.0)
        .into_iter()
        .take_while(|chat| chat.timestamp < START_MS + 600_000)
        .filter(|chat| !gap.contains(&((chat.timestamp - START_MS) / 1_000)))
        .collect();
    told(&chats, true).0
}

#[test]
fn a_streams_begin_its_end_and_gaps_of_its_collector_are_no_explosion() {
    let cases = [
        ("begins in the middle of a window", 0..40),
        ("ends in the middle of a window", 325..600),
        ("a collector is away for seconds", 130..165),
        ("a collector is away for minutes", 130..460),
    ];
    for (case, gap) in cases {
        let Told { clips, alerts } = with_gap(&gap);
        let exploded = alerts.iter().any(|alert| alert.kind == AlertKind::EngagementSpike);
        assert!(clips.is_empty() && !exploded, "{case}: {clips:?} {alerts:?}");
    }
}

#[test]
fn a_burst_of_flat_chat_is_a_clip() {
    let mut trend = StreamTrend::default();
    let mut found = Vec::new();
    for minute in 0..6 {
        let start_ms = START_MS + minute * WINDOW_MS;
        let mut chats = chat(&mut StdRng::seed_from_u64(9), 1.0);
        chats.retain(|chat| (start_ms..start_ms + WINDOW_MS).contains(&chat.timestamp));
        if minute == 4 {
            for (number, at_ms) in (start_ms + 30_000..start_ms + 38_000).step_by(200).enumerate() {
                let (stream_id, user_id, text) = ("flat".into(), format!("fan-{number}"), "WOW".into());
                chats.push(ChatMessage { stream_id, user_id, text, timestamp: at_ms, ..ChatMessage::default() });
            }
        }
        let window = window(start_ms, chats, &trend);
        found.extend(OfflineAnalyst::insight(&window).clips.iter().map(|_| minute));
        trend.update(&window);
    }
    assert_eq!(found, [4]);
}

#[test]
fn a_stream_without_a_speech_source_is_not_told_to_check_its_microphone() {
    let mut chats = chat(&mut StdRng::seed_from_u64(3), 1.0);
    chats.truncate(1_800);
    let (Told { alerts, .. }, insights) = told(&chats, false);
    assert!(!alerts.iter().any(|alert| alert.kind == AlertKind::SilentMicrophone), "{alerts:?}");
    assert!(!insights.iter().any(|insight| insight.silent_microphone || insight.instruction.contains("microphone")));
}

#[test]
fn a_mood_that_fell_is_never_told_beside_a_good_mood() {
    let mut trend = StreamTrend::default();
    let say = |start_ms: i64, text: &str, per_second: i64| -> Vec<ChatMessage> {
        let message = |at: i64| ChatMessage {
            stream_id: "flat".into(),
            user_id: format!("user-{}", at % 40),
            text: text.into(),
            timestamp: start_ms + at * 1_000 / per_second,
            ..ChatMessage::default()
        };
        (0..60 * per_second).map(message).collect()
    };
    for minute in 0..4 {
        trend.update(&window(START_MS + minute * WINDOW_MS, say(START_MS + minute * WINDOW_MS, "love it", 1), &trend));
    }
    // The mood fell while the window was open. Seen as a whole the window is lively and glad.
    let start_ms = START_MS + 4 * WINDOW_MS;
    let mut lively = window(start_ms, say(start_ms, "love it", 4), &trend);
    let (stream_id, message) = ("flat".into(), "The mood fell from 90 to 40 within seconds".into());
    let at_ms = start_ms + 55_000;
    lively.told = vec![Alert { stream_id, kind: AlertKind::MoodDrop, at_ms, severity: 0.8, message, ahead: true }];
    let insight = OfflineAnalyst::insight(&lively);
    assert!(insight.alerts.iter().any(|alert| alert.kind == AlertKind::MoodDrop), "{:?}", insight.alerts);
    assert!(!insight.instruction.contains("good mood"), "{}", insight.instruction);
    assert!(insight.instruction.starts_with("The mood fell"), "as the alert says: {}", insight.instruction);
    lively.told.clear();
    let untold = OfflineAnalyst::insight(&lively);
    assert!(!untold.instruction.contains("The mood"), "{}", untold.instruction);
}
