//! Chat as it comes from platforms: bots, echoes with invisible suffixes, names and texts from right to left.

use tidemill_apps::apps::live_insight::analysis::{ChatWindow, MoodWatch, OfflineAnalyst, StreamTrend, Voices};
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

/// A minute of eight people, of whom each says something once.
fn minute(number: i64) -> Vec<ChatMessage> {
    let said =
        ["hi all", "what a view", "nice one", "when is the race?", "lol", "good run", "first time here", "love it"];
    let at = |one: usize| number * WINDOW_MS + 1_000 + 6_500 * one as i64;
    let says = |one: usize| said[(one + number as usize) % said.len()];
    (0..said.len()).map(|one| chat(&format!("viewer-{one}"), says(one), at(one))).collect()
}

#[test]
fn bots_and_commands_are_no_people() {
    let people = insight(minute(0));
    let mut chats = minute(0);
    let bots = ["Nightbot", "StreamElements", "streamlabs", "moobot", "Fossabot", "WizeBot", "Sery_Bot"];
    for (one, bot) in bots.iter().enumerate() {
        for at in 0..4 {
            let text = "Follow the shop, is the merch great? awesome merch!!!";
            chats.push(chat(bot, text, 500 + at * 11_000 + one as i64 * 300));
        }
    }
    let with_bots = insight(chats.clone());
    assert_eq!(with_bots, people, "bots change nothing");
    chats.push(chat("viewer-9", "!uptime", 30_000));
    chats.push(chat("viewer-0", "!so @viewer-3 great streamer, follow?", 31_000));
    let insight = insight(chats);
    assert_eq!((insight.chats, insight.users), (people.chats + 2, people.users + 1), "commands are written by people");
    assert_eq!((insight.questions, insight.vibe_score), (people.questions, people.vibe_score));
    assert_eq!((&insight.hot_topics, &insight.active_users), (&people.hot_topics, &people.active_users));
    assert!(!insight.top_chats.iter().any(|chat| chat.text.starts_with('!')));
}

#[test]
fn a_minute_of_bots_alone_is_silent() {
    let chats = (0..9).map(|at| chat("Nightbot", "welcome to the stream", at * 6_000)).collect();
    let insight = insight(chats);
    assert!(insight.silent_chat && insight.chats == 0 && insight.active_users.is_empty());
}

#[test]
fn a_line_that_an_account_repeats_at_regular_times_is_left_out() {
    let announcement = "My new album is out now, is it not awesome?";
    let mut trend = StreamTrend::default();
    let mut watch = MoodWatch::default();
    let mut last = None;
    for number in 0..8 {
        let mut chats = minute(number);
        // Every ninety seconds and a bit; the account also says something else, and a fan repeats a cheer now and then.
        let from = number * WINDOW_MS;
        let due = (0..8).map(|time| 20_000 + time * 90_000 + time % 3 * 400);
        chats.extend(due.filter(|at| (from..from + WINDOW_MS).contains(at)).map(|at| chat("shop", announcement, at)));
        chats.push(chat("shop", "good luck", from + 5_000 + number % 2 * 9_000));
        chats.push(chat("fan", "W", from + number % 5 * 7_000 + number % 3 * 3_000));
        let window = window(number, chats, &trend);
        trend.update(&window);
        watch.leave_out(&trend);
        last = Some((OfflineAnalyst::insight(&window), trend.clone()));
    }
    let (insight, trend) = last.expect("windows");
    let said: Vec<_> = insight.top_chats.iter().map(|chat| chat.text.as_str()).collect();
    assert!(!said.contains(&announcement), "{said:?}");
    assert_eq!((insight.chats, insight.questions), (10, 1));
    assert!(watch.leaves_out(&chat("shop", announcement, 0)));
    assert!(!watch.leaves_out(&chat("shop", "good luck", 0)) && !watch.leaves_out(&chat("fan", "W", 0)));
    assert!(!Voices::default().hear(&chat("Nightbot", "awesome", 0)), "a bot has no voice");
    let size = serde_json::to_vec(&trend).expect("serialises").len();
    assert!(size < 20_000, "{size}");
}
