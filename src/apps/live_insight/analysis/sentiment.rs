//! The mood of a single chat message.

use super::feeling::{Entry, Feeling, Role};
use super::guess;
use super::language::Language;
use super::lexicon::lexicon;
use super::words::{Token, tokens};

/// The mood of one message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MessageMood {
    /// From -1 (hostile) to 1 (euphoric).
    pub valence: f64,
    /// Whether the message expresses a feeling. Neutral messages do not count towards a crowd's mood.
    pub expressive: bool,
    pub(super) feeling: Option<Feeling>,
    pub(super) language: Option<Language>,
}

/// How far a negation reaches, in words.
const NEGATION_REACH: usize = 3;
/// How far before a negation the negated word stands, in the languages in which the negation follows.
const NEGATION_BEFORE: usize = 2;
/// The factor of a negated word: "not good" is less bad than "bad".
const NEGATED: f64 = -0.6;
const STRETCHED: f64 = 1.3;
const SHOUTED: f64 = 1.25;
const INTENSIFIED: f64 = 1.25;
/// Controls how the sum of valences is mapped into -1..1.
const BEND: f64 = 8.0;

/// Scores one message: word lists, emoji, stretched and shouted words, negation, sarcasm marks.
pub fn message_mood(text: &str) -> MessageMood {
    mood_of(&tokens(text))
}

pub(super) fn mood_of(tokens: &[Token]) -> MessageMood {
    let language = guess::language(tokens);
    let mut score = Score::default();
    let mut negated_until = 0;
    let mut intensified = false;
    for (i, token) in tokens.iter().enumerate() {
        match token {
            Token::Pause => {
                negated_until = 0;
                score.last = None;
            }
            Token::Symbol { entry, count } => {
                score.add(entry.valence * (1.0 + 0.25 * f64::from(count.saturating_sub(1).min(3))), entry.feeling);
            }
            Token::Word { text, shouted, stretched, known } => {
                let negated = i < negated_until;
                let mut strength = if *shouted { SHOUTED } else { 1.0 };
                let paired = pair(tokens, i);
                if let Some(entry) = paired {
                    score.add(entry.valence * strength, entry.feeling);
                } else if i > 0 && pair(tokens, i - 1).is_some() {
                    // The word was already counted together with the previous word.
                } else if let Some(entry) = known.and_then(|known| known.entry_in(language)) {
                    strength *= if *stretched { STRETCHED } else { 1.0 } * if intensified { INTENSIFIED } else { 1.0 };
                    score.add_word(i, entry, strength, negated);
                } else if !text.is_ascii() {
                    for part in lexicon().inside.of_word(text) {
                        score.add_word(
                            i,
                            part.entry,
                            if intensified { INTENSIFIED } else { 1.0 },
                            part.is_negated != negated,
                        );
                    }
                }
                let Some(known) = known else {
                    intensified = false;
                    continue;
                };
                score.sarcastic |= known.role == Some(Role::Sarcasm);
                intensified = known.role == Some(Role::Intensifies);
                if known.role == Some(Role::NegatesBefore) {
                    score.negate_before(i);
                } else if known.role == Some(Role::Negates) && paired.is_none() {
                    negated_until = i + 1 + NEGATION_REACH;
                }
            }
        }
    }
    score.mood(language)
}

/// The sum of what the parts of a message express.
#[derive(Default)]
struct Score {
    sum: f64,
    strongest: Option<(f64, Feeling)>,
    sarcastic: bool,
    /// The last word that expressed a feeling, and its part of the sum.
    last: Option<(usize, f64)>,
}

impl Score {
    fn add(&mut self, valence: f64, feeling: Feeling) {
        self.sum += valence;
        if self.strongest.is_none_or(|(best, _)| valence.abs() > best) {
            self.strongest = Some((valence.abs(), feeling));
        }
    }

    fn add_word(&mut self, at: usize, entry: Entry, strength: f64, negated: bool) {
        let valence = entry.valence * strength * if negated { NEGATED } else { 1.0 };
        self.add(valence, if negated { negated_feeling(entry.valence) } else { entry.feeling });
        self.last = Some((at, valence));
    }

    /// Negates the word that stands just before the negation at `at`, as in Turkish, Korean and Hindi.
    fn negate_before(&mut self, at: usize) {
        if let Some((_, valence)) = self.last.take().filter(|(word, _)| at - word <= NEGATION_BEFORE) {
            self.sum += valence * (NEGATED - 1.0);
            self.strongest = Some(((valence * NEGATED).abs(), negated_feeling(valence)));
        }
    }

    fn mood(self, language: Option<Language>) -> MessageMood {
        let sum = if self.sarcastic && self.sum > 0.0 { -0.4 * self.sum } else { self.sum };
        let feeling = self.strongest.map(|(_, feeling)| feeling);
        MessageMood { valence: sum / (sum * sum + BEND).sqrt(), expressive: feeling.is_some(), feeling, language }
    }
}

/// A negated positive word expresses no joy, and "not funny" is not laughter.
fn negated_feeling(valence: f64) -> Feeling {
    if valence > 0.0 { Feeling::Frustrated } else { Feeling::Joy }
}

/// The entry of the known pair of words that starts at `at`.
fn pair(tokens: &[Token], at: usize) -> Option<Entry> {
    let [Token::Word { known: Some(first), .. }, Token::Word { text: second, .. }, ..] = &tokens[at..] else {
        return None;
    };
    first.seconds.iter().find(|(known, _)| known == second).map(|(_, entry)| *entry)
}
