//! Generates whole evenings of live streams, by which forecasts are scored.
//!
//! Each seed gives another stream: viewers come and go, and write more or less. Raids, breaks, bursts and a fading end
//! happen at random times. Nothing in an evening is written for a forecast: the analysis sees only chat and speech.

use tidemill_schemas::{ChatMessage, TranscriptSegment};

use super::START_MS;
use super::chat_lines::{CALM, FADING, HYPE, LAUGH, NAMES, SPEECH, SURNAMES};
use super::random::Random;

const MINUTE_MS: i64 = 60_000;

/// The chat and the speech of one evening, both in order of time, from [`START_MS`] on.
#[derive(Debug, Clone, PartialEq)]
pub struct Evening {
    /// The chat.
    pub chats: Vec<ChatMessage>,
    /// The speech.
    pub segments: Vec<TranscriptSegment>,
}

/// What happens in an evening, minute by minute.
struct Plan {
    minutes: i64,
    /// The viewers who would be there if nothing happened.
    audience: f64,
    /// Messages of a usual viewer in a minute.
    eager: f64,
    /// From when to when the streamer is away.
    breaks: Vec<(i64, i64)>,
    /// A minute, and how many viewers come at once.
    raids: Vec<(i64, f64)>,
    /// A minute from which on viewers leave.
    fades: i64,
}

/// A viewer who is there.
struct Viewer {
    id: usize,
    eager: f64,
}

/// The evening of a seed: one to two hours.
pub fn evening(seed: u64) -> Evening {
    let mut random = Random::seeded(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x7eed);
    let plan = Plan::of(&mut random);
    let mut evening = Evening { chats: Vec::new(), segments: Vec::new() };
    let (mut viewers, mut next, mut liveliness) = (Vec::new(), 0, 1.0_f64);
    for minute in 0..plan.minutes {
        let raid = plan.raids.iter().find(|(at, _)| *at == minute).map_or(0.0, |(_, many)| *many);
        come_and_go(&plan, minute, raid, &mut viewers, &mut next, &mut random);
        // What happens on the stream makes the chat livelier for some minutes, or calmer.
        liveliness = (1.0 + 0.8 * (liveliness - 1.0) + 0.13 * random.normal()).clamp(0.4, 2.2);
        let away = plan.breaks.iter().any(|(from, to)| (*from..*to).contains(&minute));
        let burst = (!away && random.chance(0.06)).then(|| random.below(45) as i64 * 1000);
        let lines = if minute >= plan.fades && random.chance(0.4) { FADING } else { CALM };
        for viewer in &viewers {
            let mean = viewer.eager * liveliness * if away { 0.25 } else { 1.0 };
            let count = mean as usize + usize::from(random.chance(mean - mean.floor()));
            for _ in 0..count {
                let at_ms = minute * MINUTE_MS + random.below(60_000) as i64;
                evening.chats.push(chat(seed, viewer.id, random.pick(lines), at_ms));
            }
            if let Some(begin_ms) = burst.filter(|_| random.chance(0.5)) {
                let at_ms = minute * MINUTE_MS + begin_ms + random.below(12_000) as i64;
                let lines = if seed.is_multiple_of(2) { LAUGH } else { HYPE };
                evening.chats.push(chat(seed, viewer.id, random.pick(lines), at_ms));
            }
        }
        if !away {
            evening.segments.extend((0..4).map(|at| said(seed, random.pick(SPEECH), minute * MINUTE_MS + at * 15_000)));
        }
    }
    evening.chats.sort_by(|a, b| (a.timestamp, &a.user_id, &a.text).cmp(&(b.timestamp, &b.user_id, &b.text)));
    evening
}

impl Plan {
    fn of(random: &mut Random) -> Self {
        let minutes = 60 + random.below(60) as i64;
        let some = |random: &mut Random| 10 + random.below(minutes as usize - 20) as i64;
        let breaks = (0..random.below(3)).map(|_| some(random)).collect::<Vec<_>>();
        let breaks = breaks.into_iter().map(|from| (from, from + 3 + random.below(5) as i64)).collect();
        let audience = 25.0 + 120.0 * random.unit();
        let raids = (0..random.below(3)).map(|_| (some(random), audience * (0.4 + random.unit()))).collect();
        let fades = if random.chance(0.7) { minutes - 8 - random.below(25) as i64 } else { minutes };
        Self { minutes, audience, eager: 0.25 + 0.6 * random.unit(), breaks, raids, fades }
    }
}

fn come_and_go(plan: &Plan, minute: i64, raid: f64, viewers: &mut Vec<Viewer>, next: &mut usize, random: &mut Random) {
    let leave = if minute >= plan.fades { 0.11 } else { 0.03 };
    viewers.retain(|_| !random.chance(leave));
    // The stream fills in its first minutes.
    let filling = if minute < 15 { 2.0 } else { 1.0 };
    let arrive = if minute >= plan.fades { 0.01 } else { 0.03 };
    let come =
        plan.audience * arrive * filling * 2.0 * random.unit() + if minute == 0 { plan.audience * 0.3 } else { raid };
    for _ in 0..come.round() as usize {
        // A few viewers write most of the chat.
        let rare = 0.25 + random.unit();
        viewers.push(Viewer { id: *next, eager: plan.eager * 0.6 * rare / (0.2 + random.unit()) });
        *next += 1;
    }
}

fn chat(seed: u64, viewer: usize, text: &str, at_ms: i64) -> ChatMessage {
    let name = format!("{}_{}_{viewer}", NAMES[viewer % NAMES.len()], SURNAMES[viewer % SURNAMES.len()]);
    ChatMessage {
        stream_id: stream_id(seed),
        user_id: format!("v{viewer}"),
        user_name: Some(name),
        text: text.into(),
        timestamp: START_MS + at_ms,
        ..ChatMessage::default()
    }
}

fn said(seed: u64, text: &str, at_ms: i64) -> TranscriptSegment {
    let stream_id = stream_id(seed);
    TranscriptSegment { stream_id, text: text.into(), timestamp: START_MS + at_ms, duration_ms: Some(3_000) }
}

fn stream_id(seed: u64) -> String {
    format!("evening-{seed}")
}
