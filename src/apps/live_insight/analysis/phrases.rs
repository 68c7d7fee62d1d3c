//! The chat's reaction to each spoken phrase.

use std::collections::HashMap;

use tidemill_schemas::PhraseReaction;

use super::crowd::CrowdMood;
use super::echo::echo;
use super::numbers::round2;
use super::reading::{ReadChat, Reading, between};
use super::shown::name;
use super::speech::phrases;
use super::spikes::Baseline;
use super::window::ChatWindow;

/// Viewers react to a phrase for about this long.
pub(super) const REACTION_MS: i64 = 12_000;
/// A chat message that follows a phrase sooner than this is not a reaction to the phrase.
const REFLEX_MS: i64 = 500;
const SAMPLES: usize = 3;
/// Samples and names come from this many first reactions. The limit bounds the cost when there are many chats and
/// phrases.
const FIRST: usize = 200;

/// Every phrase with the chats that followed it, in the order of speech. Chats of a few hostile accounts are counted,
/// but they do not affect a reaction's mood and are not shown as samples. Phrases from the end of the previous window
/// are included if chats of this window still answer them.
pub(super) fn reactions(
    window: &ChatWindow,
    reading: &Reading<'_>,
    crowd: &CrowdMood,
    baseline: Baseline,
) -> Vec<PhraseReaction> {
    let is_troll = |chat: &ReadChat<'_>| crowd.outliers.contains(&chat.user);
    let carried = phrases(window.trend.tail().iter().cloned());
    let spoken = phrases(window.segments.iter().cloned());
    let carried = carried.into_iter().map(|phrase| (phrase, true));
    carried
        .chain(spoken.into_iter().map(|phrase| (phrase, false)))
        .map(|(phrase, carried_over)| {
            let (from, to) = followers(phrase.start_ms, phrase.end_ms);
            let followers = between(&reading.chats, from, to);
            let first = &followers[..followers.len().min(FIRST)];
            let observed_ms = to.min(window.end_ms) - from.max(window.start_ms);
            let expected = baseline.per_second.max(0.05) * observed_ms.max(1000) as f64 / 1000.0;
            PhraseReaction {
                start_ms: phrase.start_ms,
                end_ms: phrase.end_ms,
                text: phrase.text,
                reactions: followers.len() as u64,
                lift: round2(followers.len() as f64 / expected),
                mood: round2(Reading::mean_mood(followers.iter().filter(|chat| !is_troll(chat)))),
                samples: samples(first.iter().filter(|chat| !chat.command && !is_troll(chat))),
                users: eager_users(first, reading),
                carried_over,
            }
        })
        .filter(|phrase| !phrase.carried_over || phrase.reactions > 0)
        .collect()
}

/// From when to when a message follows a phrase.
pub(super) fn followers(start_ms: i64, end_ms: i64) -> (i64, i64) {
    (start_ms + REFLEX_MS, end_ms + REACTION_MS)
}

/// The most expressive reactions, without repeated texts.
fn samples<'a, 'b: 'a>(followers: impl Iterator<Item = &'a ReadChat<'b>>) -> Vec<String> {
    let mut ranked: Vec<_> = followers.filter(|chat| chat.message.has_text()).collect();
    ranked.sort_by(|a, b| b.mood.valence.abs().total_cmp(&a.mood.valence.abs()));
    let (mut samples, mut known) = (Vec::new(), Vec::new());
    for chat in ranked {
        if samples.len() == SAMPLES {
            break;
        }
        let echo = echo(&chat.message.text);
        if !known.contains(&echo) {
            samples.push(chat.message.text.clone());
            known.push(echo);
        }
    }
    samples
}

fn eager_users(followers: &[ReadChat<'_>], reading: &Reading<'_>) -> Vec<String> {
    let mut counts: HashMap<usize, usize> = HashMap::new();
    for chat in followers {
        *counts.entry(chat.user).or_default() += 1;
    }
    let mut ranked: Vec<(usize, usize)> = counts.into_iter().collect();
    ranked.sort_by_key(|(user, count)| (std::cmp::Reverse(*count), *user));
    ranked.into_iter().take(SAMPLES).map(|(user, _)| name(reading.users[user])).collect()
}
