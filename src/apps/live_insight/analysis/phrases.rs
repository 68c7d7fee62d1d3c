//! Finds spoken phrases and the chat's reaction to each phrase.

use std::collections::HashMap;

use tidemill_schemas::{PhraseReaction, TranscriptSegment};

use super::crowd::CrowdMood;
use super::numbers::round2;
use super::reading::{ReadChat, Reading, between};
use super::spikes::Baseline;
use super::window::ChatWindow;

/// Viewers react to a phrase for about this long.
pub(super) const REACTION_MS: i64 = 12_000;
/// A chat message that follows a phrase sooner than this is not a reaction to the phrase.
const REFLEX_MS: i64 = 500;
/// Speech recognisers send single words. Segments with a gap smaller than this belong to one phrase.
const JOIN_GAP_MS: i64 = 700;
/// A longer phrase is cut, so that each reaction has one cause.
const PHRASE_MAX_MS: i64 = 8_000;
const SAMPLES: usize = 3;
/// Samples and names come from this many first reactions. The limit bounds the cost when there are many chats and
/// phrases.
const FIRST: usize = 200;

/// A stretch of speech.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Phrase {
    pub(super) text: String,
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
}

/// Joins segments into phrases. A segment that repeats and extends the previous segment replaces it, because
/// recognisers send intermediate results while the speaker continues the sentence.
pub(super) fn phrases(segments: impl Iterator<Item = TranscriptSegment>) -> Vec<Phrase> {
    let mut ordered: Vec<TranscriptSegment> = segments.collect();
    ordered.sort_by(|a, b| (a.timestamp, a.text.len(), &a.text).cmp(&(b.timestamp, b.text.len(), &b.text)));
    let mut phrases: Vec<Phrase> = Vec::new();
    for segment in ordered {
        let text = segment.text.trim();
        if let Some(last) = phrases.last_mut() {
            let together = segment.timestamp - last.end_ms <= JOIN_GAP_MS;
            let fits = segment.end_ms() - last.start_ms <= PHRASE_MAX_MS;
            if together && fits && text.starts_with(last.text.as_str()) {
                text.clone_into(&mut last.text);
                last.end_ms = last.end_ms.max(segment.end_ms());
                continue;
            }
            if together && fits && !last.text.ends_with(['.', '!', '?', '。', '！', '？', '।']) {
                last.text.push(' ');
                last.text.push_str(text);
                last.end_ms = last.end_ms.max(segment.end_ms());
                continue;
            }
        }
        phrases.push(Phrase { text: text.to_owned(), start_ms: segment.timestamp, end_ms: segment.end_ms() });
    }
    phrases
}

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
            let from = phrase.start_ms + REFLEX_MS;
            let to = phrase.end_ms + REACTION_MS;
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
                samples: samples(first.iter().filter(|chat| !is_troll(chat))),
                users: eager_users(first, reading),
                carried_over,
            }
        })
        .filter(|phrase| !phrase.carried_over || phrase.reactions > 0)
        .collect()
}

/// The most expressive reactions, without repeated texts.
fn samples<'a, 'b: 'a>(followers: impl Iterator<Item = &'a ReadChat<'b>>) -> Vec<String> {
    let mut ranked: Vec<_> = followers.filter(|chat| chat.message.has_text()).collect();
    ranked.sort_by(|a, b| b.mood.valence.abs().total_cmp(&a.mood.valence.abs()));
    let mut samples: Vec<String> = Vec::new();
    for chat in ranked {
        if samples.len() == SAMPLES {
            break;
        }
        if !samples.contains(&chat.message.text) {
            samples.push(chat.message.text.clone());
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
    ranked.into_iter().take(SAMPLES).map(|(user, _)| reading.users[user].author().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(segments: &[(i64, i64, &str)]) -> Vec<(i64, i64, String)> {
        let segment = |(timestamp, duration_ms, text): &(i64, i64, &str)| TranscriptSegment {
            stream_id: "s".into(),
            text: (*text).into(),
            timestamp: *timestamp,
            duration_ms: Some(*duration_ms),
        };
        let phrases = phrases(segments.iter().map(segment));
        phrases.into_iter().map(|phrase| (phrase.start_ms, phrase.end_ms, phrase.text)).collect()
    }

    #[test]
    fn single_words_become_a_phrase_until_a_pause() {
        let words = [(0, 300, "we"), (350, 300, "did"), (700, 400, "it"), (3_000, 500, "next")];
        assert_eq!(joined(&words), [(0, 1_100, "we did it".into()), (3_000, 3_500, "next".into())]);
    }

    #[test]
    fn a_growing_guess_replaces_the_one_before() {
        let guesses = [(0, 400, "hello"), (0, 800, "hello every"), (10, 1_200, "hello everyone")];
        assert_eq!(joined(&guesses), [(0, 1_210, "hello everyone".into())]);
    }

    #[test]
    fn endless_speech_is_cut() {
        let words: Vec<(i64, i64, &str)> = (0..100).map(|i| (i * 300, 250, "word")).collect();
        let phrases = joined(&words);
        assert!(phrases.len() >= 4 && phrases.iter().all(|(start, end, _)| end - start <= PHRASE_MAX_MS));
    }

    #[test]
    fn a_sentence_ends_a_phrase() {
        let sentences = [(0, 500, "Done."), (600, 500, "Next one.")];
        assert_eq!(joined(&sentences).len(), 2);
    }
}
