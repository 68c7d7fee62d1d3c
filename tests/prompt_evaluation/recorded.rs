//! Recorded calls, made of the built-in recordings by the offline analysis.

use serde_json::{Value, json};
use tidemill::llm::AnswerDetails;
use tidemill_apps::apps::{
    APPLICATIONS, App,
    form_coach::analysis::{Assessment, PoseWindow, SessionProgress},
    live_insight::analysis::{ChatWindow, OfflineAnalyst, StreamTrend},
    recordings::START_MS,
};
use tidemill_schemas::{parse_chat, parse_pose, parse_transcript};

/// The receiver's clock stands a day after the recordings.
const NOW_MS: i64 = START_MS + 86_400_000;

pub(crate) fn app(id: &str) -> App {
    APPLICATIONS.into_iter().find(|app| app.id == id).expect("it is known")
}

fn lines(app: App, file: &str) -> impl Iterator<Item = &'static [u8]> {
    let path = format!("recordings/{file}.ndjson");
    let (_, text) = app.recordings().find(|(name, _)| *name == path).expect("it is built in");
    text.lines().map(str::as_bytes)
}

/// The first windows of the recorded stream, as requests.
pub(crate) fn live(windows: usize) -> Vec<Value> {
    let app = app("live-insight");
    let chats: Vec<_> = lines(app, "chat").map(|line| parse_chat(line, NOW_MS).expect("valid")).collect();
    let said: Vec<_> = lines(app, "transcript").map(|line| parse_transcript(line, NOW_MS).expect("valid")).collect();
    let mut trend = StreamTrend::default();
    let window = |at: usize| {
        let start_ms = START_MS + at as i64 * 60_000;
        let end_ms = start_ms + 60_000;
        let inside = |timestamp: i64| (start_ms..end_ms).contains(&timestamp);
        let window = ChatWindow {
            stream_id: chats[0].stream_id.clone(),
            start_ms,
            end_ms,
            chats: chats.iter().filter(|chat| inside(chat.timestamp)).take(20).cloned().collect(),
            segments: said.iter().filter(|said| inside(said.timestamp)).cloned().collect(),
            trend: trend.clone(),
            told: Vec::new(),
        };
        trend.update(&window);
        let draft = OfflineAnalyst::insight(&window);
        json!({ "window": window, "draft": draft })
    };
    (0..windows).map(window).collect()
}

/// The windows of a recorded session, as requests. Some need no model.
pub(crate) fn coach(file: &str, windows: usize) -> Vec<Value> {
    let frames: Vec<_> = lines(app("form-coach"), file).map(|line| parse_pose(line, NOW_MS).expect("valid")).collect();
    let mut progress = SessionProgress::default();
    let window = |at: usize| {
        let start_ms = START_MS + at as i64 * 3_000;
        let end_ms = start_ms + 3_000;
        let inside = frames.iter().filter(|frame| (start_ms..end_ms).contains(&frame.timestamp));
        let window = PoseWindow {
            user_id: frames[0].user_id.clone(),
            start_ms,
            end_ms,
            frames: inside.cloned().collect(),
            profile: None,
            progress: progress.clone(),
        };
        let outcome = Assessment::of(&window);
        progress = outcome.progress;
        json!({ "profile": null, "draft": outcome.feedback })
    };
    (0..windows).map(window).collect()
}

/// A journal: each request with the answer of a model to live insight. The answers' fields are those of `decided`.
pub(crate) fn journal(requests: &[Value], decided: impl Fn(usize) -> Option<Value>) -> String {
    let details = AnswerDetails { model: "flash-1".into(), prompt: "live-insight".into(), ..AnswerDetails::default() };
    let details = serde_json::to_string(&details).expect("JSON");
    let line = |(at, request): (usize, &Value)| {
        let start_ms = START_MS + at as i64 * 60_000;
        let usage = json!({ "input_tokens": 1_000, "output_tokens": 100, "cost_micros": 550 });
        let report = json!({ "attempts": 1, "usage": usage, "latency_ms": 800 + at, "details": details });
        let key = json!({ "id": "ada", "window_start_ms": start_ms });
        let mut line = json!({ "id": format!("0-{at}"), "key": key, "request": request, "report": report });
        match decided(at) {
            Some(decided) => line["response"] = answer(request, &decided),
            None => line["failure"] = json!({ "kind": "timeout", "message": "too slow", "attempts": 4 }),
        }
        format!("{line}\n")
    };
    requests.iter().enumerate().map(line).collect()
}

/// The insight that a model's answer makes of the draft.
fn answer(request: &Value, decided: &Value) -> Value {
    let mut insight = request["draft"].clone();
    let topic = |term: &Value| json!({ "term": term, "chats": 1, "users": 1, "lift": 1.0, "mood": 0.0 });
    for (name, value) in decided.as_object().into_iter().flatten() {
        insight[name] = match name.as_str() {
            "hot_topics" => value.as_array().into_iter().flatten().map(topic).collect(),
            _ => value.clone(),
        };
    }
    insight
}

/// An answer of a model to live insight.
pub(crate) fn mood(mood: &str, vibe_score: u8) -> Value {
    let instruction = "Ask the chat which boss comes next.";
    json!({ "mood": mood, "vibe_score": vibe_score, "hot_topics": ["boss", "music"], "instruction": instruction })
}
