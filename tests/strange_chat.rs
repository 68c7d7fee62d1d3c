//! No text of a viewer and no name ends the analysis. The analysis runs in the task, so a panic would end it for all
//! streams.

use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng, seq::IndexedRandom as _};
use tidemill_apps::apps::live_insight::analysis::{ChatWindow, OfflineAnalyst, StreamTrend, message_mood};
use tidemill_schemas::{ChatMessage, TranscriptSegment};

/// Marks without letters, letters of all scripts, controls, emoji and their parts, and what chat does with them.
const PARTS: [&str; 56] = [
    "\u{640}",
    "\u{301}",
    "\u{64b}",
    "\u{651}",
    "\u{5b0}",
    "\u{200b}",
    "\u{200d}",
    "\u{202e}",
    "\u{2067}",
    "\u{feff}",
    "\u{fe0f}",
    "\u{20e3}",
    "\u{e0061}",
    "\u{e007f}",
    "\u{1f3fd}",
    "\u{0}",
    "\u{7f}",
    "\u{fffd}",
    "\u{10ffff}",
    "😀",
    "❤️",
    "👨\u{200d}👩\u{200d}👧",
    "🇩🇪",
    "🇩",
    "1️⃣",
    ":",
    "::",
    ":_a:",
    ":red_heart:",
    ":smile",
    "@",
    "!",
    "!up",
    "?",
    "؟",
    "\"",
    "'",
    "’",
    "_",
    "-",
    "...",
    " ",
    "\n",
    "\t",
    "a",
    "AAA",
    "ok",
    "haha",
    "ха",
    "ه",
    "ㅋㅋ",
    "ラ",
    "漢字",
    "ß",
    "İ",
    "ǅ",
];

fn text(random: &mut SmallRng) -> String {
    let parts = random.random_range(0..12);
    let part = |random: &mut SmallRng| {
        let part = PARTS.choose(random).copied().unwrap_or_default();
        // Some are repeated, as in zalgo.
        part.repeat(if random.random_bool(0.05) { 200 } else { 1 })
    };
    (0..parts).map(|_| part(random)).collect()
}

#[test]
fn no_text_ends_the_analysis() {
    let mut random = SmallRng::seed_from_u64(7);
    for part in PARTS {
        message_mood(part);
        message_mood(&format!("hello {part} friends"));
    }
    let mut trend = StreamTrend::default();
    for round in 0..200 {
        let start_ms = round * 60_000;
        let chat = |at: i64, random: &mut SmallRng| ChatMessage {
            stream_id: "s".into(),
            user_id: format!("u{}", random.random_range(0..9)),
            user_name: Some(text(random)),
            text: text(random),
            timestamp: start_ms + at * 700,
            ..ChatMessage::default()
        };
        let said = |at: i64, random: &mut SmallRng| TranscriptSegment {
            stream_id: "s".into(),
            text: text(random),
            timestamp: start_ms + at * 7_000,
            duration_ms: random.random_bool(0.5).then_some(2_000),
        };
        let window = ChatWindow {
            stream_id: "s".into(),
            start_ms,
            end_ms: start_ms + 60_000,
            chats: (0..60).map(|at| chat(at, &mut random)).collect(),
            segments: (0..8).map(|at| said(at, &mut random)).collect(),
            trend: trend.clone(),
            told: Vec::new(),
        };
        let insight = OfflineAnalyst::insight(&window);
        assert!(insight.vibe_score <= 100 && insight.chats <= 60, "{insight:?}");
        assert!(serde_json::to_string(&insight).is_ok_and(|json| !json.contains("null,null")));
        trend.update(&window);
    }
}
