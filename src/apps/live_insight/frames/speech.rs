//! Spoken phrases of several windows and what they caused.

use std::collections::HashSet;

use tidemill_schemas::{Insight, PhraseReaction};

use super::people::{hundredths, mean};
use crate::apps::live_insight::analysis::echo;

/// A frame of several windows shows at most this many phrases: those that moved the chat most.
const PHRASES: usize = 100;
/// A phrase has at most this many samples, and as many names.
const SAMPLES: usize = 3;

/// The phrases of some windows, each with the start of its window, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Speech(Vec<(i64, PhraseReaction)>);

impl Speech {
    pub(super) fn of(insight: &Insight) -> Self {
        Self(insight.phrases.iter().map(|phrase| (insight.window_start_ms, phrase.clone())).collect())
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
        self.0.sort_by_key(|(window, _)| *window);
    }

    /// The phrases in the order of speech, and how many there are with those that are not shown.
    pub(super) fn phrases(&self) -> (Vec<PhraseReaction>, u64) {
        let mut phrases: Vec<PhraseReaction> = Vec::new();
        for (_, phrase) in &self.0 {
            // The reaction to a phrase at the end of a window falls into two windows.
            let begin = || phrases.iter().rposition(|earlier| is_begin(earlier, phrase));
            match phrase.carried_over.then(begin).flatten() {
                Some(begin) => phrases[begin] = together(&phrases[begin], phrase),
                None => phrases.push(phrase.clone()),
            }
        }
        let all = phrases.len() as u64;
        if phrases.len() > PHRASES {
            let moved = |phrase: &PhraseReaction| phrase.reactions as i64 * hundredths(phrase.lift);
            let mut ranked: Vec<usize> = (0..phrases.len()).collect();
            ranked.sort_by_key(|at| std::cmp::Reverse(moved(&phrases[*at])));
            let chosen: HashSet<usize> = ranked.into_iter().take(PHRASES).collect();
            let mut at = 0;
            phrases.retain(|_| {
                at += 1;
                chosen.contains(&(at - 1))
            });
        }
        (phrases, all)
    }
}

/// Whether a phrase that was carried over is the rest of an earlier one. The next window knows only the last segments of
/// a phrase, so its begin may be missing.
fn is_begin(earlier: &PhraseReaction, phrase: &PhraseReaction) -> bool {
    earlier.end_ms == phrase.end_ms && earlier.text.ends_with(&phrase.text)
}

fn together(begin: &PhraseReaction, rest: &PhraseReaction) -> PhraseReaction {
    let parts = [begin, rest];
    let reactions = begin.reactions + rest.reactions;
    // A lift is the number of reactions divided by the number that is usual in that time.
    let usual = |part: &&PhraseReaction| (part.lift > 0.0).then(|| part.reactions as f64 / part.lift);
    let usual: f64 = parts.iter().filter_map(usual).sum();
    let lift = if usual > 0.0 { (reactions as f64 / usual * 100.0).round() / 100.0 } else { 0.0 };
    let mood = parts.iter().map(|part| hundredths(part.mood) * part.reactions as i64).sum();
    let mut known = HashSet::new();
    let samples = begin.samples.iter().chain(&rest.samples).filter(|text| known.insert(echo(text)));
    let mut users: Vec<String> = Vec::new();
    for name in begin.users.iter().chain(&rest.users) {
        if users.len() < SAMPLES && !users.contains(name) {
            users.push(name.clone());
        }
    }
    PhraseReaction {
        reactions,
        lift,
        mood: mean(mood, reactions),
        samples: samples.take(SAMPLES).cloned().collect(),
        users,
        ..begin.clone()
    }
}
