//! Generates twenty minutes of a live stream: chat in several languages and speech, with planted events.

use tidemill_schemas::{ChatMessage, TranscriptSegment};

use super::chat_lines::{
    CALM, FADING, HYPE, LAG, LAG_SPEECH, LAUGH, NAMES, SPEECH, SURNAMES, TEMPLE_SPEECH, TROLL, WATER_TEMPLE,
};
use super::random::Random;
use super::truth::{Burst, LiveTruth, MoodDrop, PlantedTopic};
use super::{Recording, START_MS, ndjson, pretty};

/// Id of the recorded stream.
pub const STREAM_ID: &str = "thursday-speedrun";

const MINUTE_MS: i64 = 60_000;
const MINUTES: i64 = 20;
const VIEWERS: usize = 160;
const SILENT_MICROPHONE: [i64; 2] = [8, 9];
const SILENT_CHAT: i64 = 14;
const TOPIC_MINUTES: [i64; 2] = [5, 6];
const TOPIC: &str = "water temple";
const LAG_FROM_MS: i64 = 11 * MINUTE_MS + 20_000;
const LAG_TO_MS: i64 = 12 * MINUTE_MS + 30_000;
const FADING_FROM: i64 = 17;
const TROLLS: [&str; 2] = ["troll_a", "troll_b"];

/// A spoken phrase that is followed by a burst of chat.
struct Moment {
    said_ms: i64,
    phrase: &'static str,
    lines: &'static [&'static str],
    per_second: f64,
}

const MOMENTS: [Moment; 2] = [
    Moment {
        said_ms: 3 * MINUTE_MS + 20_000,
        phrase: "My grandmother beat this level with a chicken on her shoulder.",
        lines: LAUGH,
        per_second: 24.0,
    },
    Moment {
        said_ms: 16 * MINUTE_MS + 31_000,
        phrase: "Yes, that is it, that is the new world record!",
        lines: HYPE,
        per_second: 32.0,
    },
];
/// Time from the phrase to the first reaction in chat.
const REFLEX_MS: i64 = 2_000;
const BURST_MS: i64 = 10_000;

pub(super) fn recordings() -> Vec<Recording> {
    let file = |name: &str, content| Recording { path: format!("live_insight/recordings/{name}"), content };
    vec![
        file("chat.ndjson", ndjson(&chats())),
        file("transcript.ndjson", ndjson(&segments())),
        file("truth.json", pretty(&truth())),
    ]
}

fn truth() -> LiveTruth {
    LiveTruth {
        stream_id: STREAM_ID.into(),
        start_ms: START_MS,
        window_ms: MINUTE_MS,
        windows: MINUTES as usize,
        silent_microphone: SILENT_MICROPHONE.map(|minute| minute as usize).to_vec(),
        silent_chat: vec![SILENT_CHAT as usize],
        topics: TOPIC_MINUTES.map(|minute| PlantedTopic { window: minute as usize, term: TOPIC.into() }).to_vec(),
        mood_drop: MoodDrop {
            window: (LAG_FROM_MS / MINUTE_MS) as usize,
            at_ms: START_MS + LAG_FROM_MS,
            about: "lag".into(),
        },
        bursts: MOMENTS
            .iter()
            .map(|moment| Burst {
                start_ms: START_MS + moment.said_ms + REFLEX_MS,
                end_ms: START_MS + moment.said_ms + REFLEX_MS + BURST_MS,
                phrase: moment.phrase.into(),
            })
            .collect(),
        trolls: TROLLS.map(Into::into).to_vec(),
        engagement_drop: (FADING_FROM..MINUTES).map(|minute| minute as usize).collect(),
        languages: ["en", "es", "de"].map(Into::into).to_vec(),
    }
}

fn chats() -> Vec<ChatMessage> {
    let mut random = Random::seeded(0x0071_de31);
    let mut chats = Vec::new();
    for second in 0..MINUTES * 60 {
        let at_ms = second * 1000;
        if at_ms / MINUTE_MS == SILENT_CHAT {
            continue;
        }
        let (lines, per_second) = going_on(at_ms, &mut random);
        for _ in 0..arrivals(per_second, &mut random) {
            let user = random.below(VIEWERS);
            let text = random.pick(lines);
            chats.push(chat(viewer(user), name(user), text, at_ms + random.below(1000) as i64));
        }
        for troll in TROLLS {
            if random.chance(0.1) {
                let text = random.pick(TROLL);
                chats.push(chat(troll.into(), troll.into(), text, at_ms + random.below(1000) as i64));
            }
        }
    }
    chats.sort_by(|a, b| (a.timestamp, &a.user_id, &a.text).cmp(&(b.timestamp, &b.user_id, &b.text)));
    chats
}

/// The lines that chat writes at a time, and the messages per second.
fn going_on(at_ms: i64, random: &mut Random) -> (&'static [&'static str], f64) {
    for moment in &MOMENTS {
        let since = at_ms - moment.said_ms - REFLEX_MS;
        if (0..BURST_MS).contains(&since) {
            // The rate rises at once and falls during the burst.
            return (moment.lines, moment.per_second * (1.0 - 0.5 * since as f64 / BURST_MS as f64));
        }
    }
    let minute = at_ms / MINUTE_MS;
    if (LAG_FROM_MS..LAG_TO_MS).contains(&at_ms) && random.chance(0.85) {
        (LAG, 6.0)
    } else if TOPIC_MINUTES.contains(&minute) && random.chance(0.45) {
        (WATER_TEMPLE, 5.5)
    } else if minute >= FADING_FROM {
        let lines = if random.chance(0.5) { FADING } else { CALM };
        (lines, 2.4 / (1 + minute - FADING_FROM) as f64)
    } else {
        (CALM, 5.0)
    }
}

/// A random whole number of arrivals around a mean.
fn arrivals(mean: f64, random: &mut Random) -> usize {
    let spread = mean * (0.4 + 1.2 * random.unit());
    spread as usize + usize::from(random.chance(spread - spread.floor()))
}

fn chat(user_id: String, user_name: String, text: &str, at_ms: i64) -> ChatMessage {
    ChatMessage {
        stream_id: STREAM_ID.into(),
        user_id,
        user_name: Some(user_name),
        text: text.into(),
        timestamp: START_MS + at_ms,
        ..ChatMessage::default()
    }
}

fn viewer(user: usize) -> String {
    format!("u{user:03}")
}

fn name(user: usize) -> String {
    format!("{}_{}", NAMES[user % NAMES.len()], SURNAMES[(user / NAMES.len() + user) % SURNAMES.len()])
}

fn segments() -> Vec<TranscriptSegment> {
    let mut random = Random::seeded(0x5eec);
    let mut segments = Vec::new();
    let mut at_ms = 1_000;
    while at_ms < MINUTES * MINUTE_MS - 5_000 {
        let minute = at_ms / MINUTE_MS;
        if SILENT_MICROPHONE.contains(&minute) {
            at_ms = (minute + 1) * MINUTE_MS + 500;
            continue;
        }
        let lines = match at_ms {
            _ if TOPIC_MINUTES.contains(&minute) => TEMPLE_SPEECH,
            LAG_FROM_MS..LAG_TO_MS => LAG_SPEECH,
            _ => SPEECH,
        };
        let mut text = random.pick(lines);
        let mut duration_ms = 60 * text.len() as i64;
        // The streamer pauses before and after the phrase of a moment.
        if let Some(moment) = MOMENTS.iter().find(|moment| (0..9_000).contains(&(moment.said_ms + 500 - at_ms))) {
            at_ms = moment.said_ms;
            text = moment.phrase;
            duration_ms = 2_000;
        }
        // No segment reaches into the minutes in which the microphone is off.
        let end_ms = at_ms + duration_ms;
        if !SILENT_MICROPHONE.contains(&(end_ms / MINUTE_MS)) {
            let (stream_id, timestamp) = (STREAM_ID.into(), START_MS + at_ms);
            segments.push(TranscriptSegment {
                stream_id,
                text: text.into(),
                timestamp,
                duration_ms: Some(duration_ms),
            });
        }
        let pause = if duration_ms == 2_000 { 9_000 } else { 800 + random.below(3_000) as i64 };
        at_ms = end_ms + pause;
    }
    segments
}
