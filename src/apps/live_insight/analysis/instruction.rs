//! The instruction for the streamer. Rules are tried in order of urgency, and the first rule that applies decides.

use tidemill_schemas::{Alert, AlertKind, EngagementTrend, MoodLabel, Spike};

use super::evidence::{Evidence, about};
use super::feeling::Feeling;
use super::shown::quoted;

/// A vibe score below this needs a reaction, even if the mood fell long ago.
const LOW_VIBE: u8 = 45;
const HIGH_VIBE: u8 = 60;
/// A topic leads to an instruction only if this share of the viewers writes about it and its lift is high enough.
const TOPIC_SHARE: f64 = 0.12;
const TOPIC_LIFT: f64 = 1.3;
/// Terms by which viewers report that the stream itself is broken.
const TECHNICAL: [&str; 16] = [
    "lag",
    "audio",
    "sound",
    "mic",
    "microphone",
    "video",
    "screen",
    "bitrate",
    "frames",
    "connection",
    "quality",
    "buffering",
    "stutter",
    "sonido",
    "micro",
    "bild",
];

/// What an instruction is about. It leads to the messages behind the instruction.
#[derive(Debug)]
pub(super) enum About<'a> {
    /// Nothing that somebody wrote.
    Nothing,
    /// A hot topic, by its term.
    Topic(&'a str),
    /// An alert.
    Alert(&'a Alert),
    /// A spike.
    Spike(&'a Spike),
    /// Questions that wait for an answer.
    Questions,
    /// A feeling of the viewers.
    Feeling(Feeling),
    /// A good mood (above zero) or a bad mood (below zero).
    Mood(f64),
}

/// The instruction, and what it is about. It is never empty. `found` are the alerts of the window with those that were
/// told before.
pub(super) fn instruction<'a>(on: &'a Evidence<'a>, alerts: &'a [Alert], found: &[Alert]) -> (String, About<'a>) {
    let has = |kind: AlertKind| alerts.iter().find(|alert| alert.kind == kind);
    if let Some(alert) = has(AlertKind::SilentMicrophone) {
        return (format!("{}: check your microphone.", alert.message), About::Alert(alert));
    }
    let vibe = on.crowd.vibe_score();
    let fell = drop_at_last(alerts);
    if fell.is_some() || (vibe < LOW_VIBE && !on.reading.chats.is_empty()) {
        // A mood that fell late in the window is lower than the whole window's, so that the window's score would mislead.
        let fell = fell.or_else(|| drop_at_last(found)).is_some();
        return lift_the_mood(on, &if fell { "The mood fell".to_owned() } else { format!("The mood is at {vibe}") });
    }
    if let Some(alert) = has(AlertKind::SilentChat) {
        let text = format!("{}. Ask your viewers something they can answer in a word.", alert.message);
        return (text, About::Nothing);
    }
    let questions = on.reading.chats.iter().filter(|chat| chat.question).count();
    if on.engagement == EngagementTrend::Dropping {
        return match questions {
            0 | 1 => ("Engagement is dropping: start your Q&A now.".into(), About::Nothing),
            n => {
                let text = format!("Engagement is dropping: start your Q&A now, {n} questions are waiting in chat.");
                (text, About::Questions)
            }
        };
    }
    if let Some(spike) = strongest(on.spikes).filter(|spike| spike.mood > 0.1) {
        let topic = on.topics.first().map_or("this moment".to_owned(), |topic| quoted(&topic.term));
        let text = format!("Chat ran {:.1} times as fast as usual: stay on {topic}, and mark the clip.", spike.ratio);
        return (text, About::Spike(spike));
    }
    if on.engagement == EngagementTrend::Rising && vibe >= HIGH_VIBE {
        let text = "The audience is highly active and in a good mood: do your product promo or a poll now.";
        return (text.into(), About::Mood(1.0));
    }
    if questions >= 5 && questions * 5 >= on.reading.chats.len() {
        let text = format!("{questions} questions are waiting in chat: answer a few of them.");
        return (text, About::Questions);
    }
    let everybody = on.reading.users.len() as f64;
    match on.topics.iter().find(|topic| topic.users as f64 >= TOPIC_SHARE * everybody && topic.lift >= TOPIC_LIFT) {
        Some(topic) if topic.mood >= 0.0 => {
            let text = format!("Keep going; {} viewers write about {}.", topic.users, quoted(&topic.term));
            (text, About::Topic(&topic.term))
        }
        Some(topic) => {
            let text =
                format!("{} viewers are unhappy about {}: say a word about it.", topic.users, quoted(&topic.term));
            (text, About::Topic(&topic.term))
        }
        None => ("Keep going.".into(), About::Nothing),
    }
}

/// The last shift, if the mood fell by it: a mood that fell and rose again needs nothing.
fn drop_at_last(alerts: &[Alert]) -> Option<&Alert> {
    let shifts = alerts.iter().filter(|alert| matches!(alert.kind, AlertKind::MoodDrop | AlertKind::MoodRise));
    shifts.max_by_key(|shift| shift.at_ms).filter(|last| last.kind == AlertKind::MoodDrop)
}

/// `mood` tells how the mood is, as the begin of a sentence.
fn lift_the_mood<'a>(on: &'a Evidence<'a>, mood: &str) -> (String, About<'a>) {
    let topic = about(on.topics, -1.0).map(|topic| topic.term.as_str());
    let technical = on
        .topics
        .iter()
        .map(|topic| topic.term.as_str())
        .find(|term| term.split(' ').any(|word| TECHNICAL.contains(&word)));
    match (on.crowd.label, technical, topic) {
        (MoodLabel::Frustrated, Some(term), _) => {
            let what = quoted(term);
            let text = format!("{mood} because of {what}: check your connection and tell chat that you are on it.");
            (text, About::Topic(term))
        }
        (MoodLabel::Frustrated, None, None) => {
            let text = format!("{mood}, viewers report a problem: check your stream and tell chat that you are on it.");
            (text, About::Feeling(Feeling::Frustrated))
        }
        (MoodLabel::Bored, _, _) => {
            ("Viewers are bored: change the activity now.".to_owned(), About::Feeling(Feeling::Bored))
        }
        (_, _, Some(term)) => {
            let text = format!("{mood} because of {}: address it now, then move on.", quoted(term));
            (text, About::Topic(term))
        }
        _ => (format!("{mood}: acknowledge it in a sentence and change the subject."), About::Mood(-1.0)),
    }
}

fn strongest(spikes: &[Spike]) -> Option<&Spike> {
    spikes.iter().max_by(|a, b| a.ratio.total_cmp(&b.ratio))
}
