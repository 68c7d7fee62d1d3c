//! Turns spikes into clip candidates, with their cause and with a reason to watch them.

use std::collections::HashMap;

use tidemill_schemas::{ClipCandidate, PhraseReaction, Spike};

use super::feeling::Feeling;
use super::phrases::REACTION_MS;
use super::reading::{Reading, between};
use super::shown::quoted;
use super::window::ChatWindow;

/// If no phrase is the cause, the clip begins about this long before the reaction.
const LEAD_MS: i64 = 12_000;
const TAIL_MS: i64 = 4_000;
const CLIP_MAX_MS: i64 = 60_000;

/// One clip for every spike that viewers would enjoy. Spikes of complaints about the stream give no clip.
pub(super) fn clips(
    window: &ChatWindow,
    reading: &Reading<'_>,
    spikes: &[Spike],
    phrases: &[PhraseReaction],
) -> Vec<ClipCandidate> {
    spikes
        .iter()
        .filter_map(|spike| {
            let feeling = main_feeling(reading, spike);
            if matches!(feeling, Some(Feeling::Frustrated | Feeling::Bored)) {
                return None;
            }
            let cause = cause(spike, phrases);
            let start_ms = cause.map_or(spike.start_ms - LEAD_MS, |phrase| phrase.start_ms - 2_000);
            let end_ms = (spike.end_ms + TAIL_MS).min(start_ms + CLIP_MAX_MS);
            let strength = 1.0 - (-(spike.ratio - 1.0) / 1.5).exp();
            let score = 100.0 * strength * (0.6 + 0.4 * spike.mood.abs());
            let what = feeling.map_or("reacting", crowd_does);
            let times = spike.ratio;
            let reason = cause.map_or_else(
                || format!("Chat ran {times:.1} times as fast as usual, {what}"),
                |phrase| format!("Chat ran {times:.1} times as fast as usual, {what}, after {}", quoted(&phrase.text)),
            );
            Some(ClipCandidate {
                stream_id: window.stream_id.clone(),
                start_ms,
                end_ms,
                reason,
                score: score.round().clamp(0.0, 100.0) as u8,
            })
        })
        .collect()
}

/// The last phrase that began before the spike. Viewers react to the phrase that they heard last.
fn cause<'a>(spike: &Spike, phrases: &'a [PhraseReaction]) -> Option<&'a PhraseReaction> {
    // A spike's start is known only to five seconds: its first messages may be anywhere in its first bucket.
    let latest = spike.start_ms + 2_500;
    phrases.iter().rev().find(|phrase| phrase.start_ms <= latest && phrase.end_ms + REACTION_MS >= spike.start_ms)
}

fn main_feeling(reading: &Reading<'_>, spike: &Spike) -> Option<Feeling> {
    let mut counts: HashMap<Feeling, usize> = HashMap::new();
    for feeling in between(&reading.chats, spike.start_ms, spike.end_ms).iter().filter_map(|chat| chat.mood.feeling) {
        *counts.entry(feeling).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(feeling, count)| (*count, std::cmp::Reverse(*feeling))).map(|(feeling, _)| feeling)
}

fn crowd_does(feeling: Feeling) -> &'static str {
    match feeling {
        Feeling::Love | Feeling::Joy => "delighted",
        Feeling::Hype => "hyped",
        Feeling::Laugh => "laughing",
        Feeling::Sad => "feeling with you",
        Feeling::Anger => "outraged",
        Feeling::Fear => "on the edge of their seats",
        Feeling::Frustrated => "complaining",
        Feeling::Bored => "yawning",
    }
}
