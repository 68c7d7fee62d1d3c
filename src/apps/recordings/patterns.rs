//! Generates streams that follow a simple pattern, by which forecasts are scored: where there is something to foresee, a
//! forecast has to see it, and where there is nothing, it has to know that.

use tidemill_schemas::{ChatMessage, TranscriptSegment};

use super::START_MS;
use super::chat_lines::{CALM, FADING, NAMES, SPEECH, SURNAMES};
use super::evenings::Evening;
use super::random::Random;

const MINUTE_MS: i64 = 60_000;
/// From the beginning of a stream to that of the next one.
const DAY_MS: i64 = 1_440 * MINUTE_MS;
const VIEWERS: usize = 60;
const STREAM_ID: &str = "pattern";

/// How the chat of a stream goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// As much chat in each minute, but for chance.
    Steady,
    /// Less and less chat after the first minutes.
    Decaying,
    /// Again and again, the chat rises for minutes to several times the usual, and falls.
    Surging,
    /// Most messages are questions. Again and again, the chat is slow for a quarter of an hour.
    Questions,
    /// Four streams, one each day. Each fades in its last minutes, after about the same time.
    SameLength,
}

impl Pattern {
    /// All patterns.
    pub const ALL: [Self; 5] = [Self::Steady, Self::Decaying, Self::Surging, Self::Questions, Self::SameLength];

    /// The length of a stream in minutes, if chance does not change it.
    fn minutes(self) -> i64 {
        if self == Self::SameLength { 50 } else { 150 }
    }

    /// How much chat there is in a minute of a stream of some minutes, as a share of the usual.
    fn share(self, minute: i64, minutes: i64) -> f64 {
        match self {
            Self::Steady => 1.0,
            Self::Decaying => (0..minute - 10).fold(1.0, |share, _| share * 0.98),
            Self::Surging => match minute % 30 {
                part @ 15..20 => 1.0 + 0.5 * (part - 14) as f64,
                part @ 20..30 => 3.5 - 0.25 * (part - 19) as f64,
                _ => 1.0,
            },
            Self::Questions => [1.0, 0.45][usize::from(minute % 35 >= 20)],
            Self::SameLength => (minutes - 12..minute).fold(1.0, |share, _| share * 0.8),
        }
    }

    fn days(self) -> i64 {
        if self == Self::SameLength { 4 } else { 1 }
    }
}

/// A streamer's chat and speech of a pattern. Each seed gives another one.
pub fn pattern(pattern: Pattern, seed: u64) -> Evening {
    let mut random = Random::seeded(seed.wrapping_mul(0x9e6c_63d0_876a_68ee) ^ pattern as u64);
    let mut evening = Evening { chats: Vec::new(), segments: Vec::new() };
    let usual = 15.0 + 20.0 * random.unit();
    for day in 0..pattern.days() {
        let minutes = pattern.minutes() + random.below(5) as i64 - 2;
        for minute in 0..minutes {
            let begin_ms = START_MS + day * DAY_MS + minute * MINUTE_MS;
            let mean = usual * pattern.share(minute, minutes);
            // The spread of messages that come by chance is the root of their number.
            let count = (mean + mean.sqrt() * random.normal()).round().max(0.0) as usize;
            for _ in 0..count {
                evening.chats.push(chat(pattern, begin_ms + random.below(60_000) as i64, &mut random));
            }
            evening.segments.extend((0..4).map(|at| said(random.pick(SPEECH), begin_ms + at * 15_000)));
        }
    }
    evening.chats.sort_by(|a, b| (a.timestamp, &a.user_id, &a.text).cmp(&(b.timestamp, &b.user_id, &b.text)));
    evening
}

fn chat(pattern: Pattern, timestamp: i64, random: &mut Random) -> ChatMessage {
    let viewer = random.below(VIEWERS);
    let lines: Vec<&str> = match pattern {
        Pattern::Questions if random.chance(0.7) => CALM.iter().copied().filter(|line| line.ends_with('?')).collect(),
        Pattern::Decaying if random.chance(0.3) => FADING.to_vec(),
        _ => CALM.to_vec(),
    };
    ChatMessage {
        stream_id: STREAM_ID.into(),
        user_id: format!("v{viewer}"),
        user_name: Some(format!("{}_{}_{viewer}", NAMES[viewer % NAMES.len()], SURNAMES[viewer % SURNAMES.len()])),
        text: random.pick(&lines).into(),
        timestamp,
        ..ChatMessage::default()
    }
}

fn said(text: &str, timestamp: i64) -> TranscriptSegment {
    TranscriptSegment { stream_id: STREAM_ID.into(), text: text.into(), timestamp, duration_ms: Some(3_000) }
}
