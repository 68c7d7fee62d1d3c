//! The mood of a single chat message.

use super::language::{self, Language};
use super::lexicon::{Entry, Feeling, lexicon};
use super::words::{Token, is_laughter, tokens, unstretched};

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
/// The factor of a negated word: "not good" is less bad than "bad".
const NEGATED: f64 = -0.6;
const STRETCHED: f64 = 1.3;
const SHOUTED: f64 = 1.25;
const INTENSIFIED: f64 = 1.25;
/// Controls how the sum of valences is mapped into -1..1.
const BEND: f64 = 8.0;

const INTENSIFIERS: [&str; 14] = [
    "so",
    "very",
    "really",
    "super",
    "too",
    "absolutely",
    "literally",
    "fucking",
    "sehr",
    "echt",
    "muy",
    "tan",
    "très",
    "muito",
];
const SARCASM: [&str; 3] = ["kappa", "kappapride", "keepo"];
const LAUGHTER: Entry = Entry { valence: 2.2, feeling: Feeling::Laugh, only_in: None };

/// Scores one message: word lists, emoji, stretched and shouted words, negation, sarcasm marks.
pub fn message_mood(text: &str) -> MessageMood {
    mood_of(&tokens(text))
}

pub(super) fn mood_of(tokens: &[Token]) -> MessageMood {
    let words = tokens.iter().filter_map(|token| match token {
        Token::Word { text, .. } => Some(text.as_str()),
        _ => None,
    });
    let language = language::guess(words);
    let mut sum = 0.0;
    let mut strongest: Option<(f64, Feeling)> = None;
    let mut sarcastic = false;
    let mut add = |valence: f64, feeling: Feeling| {
        sum += valence;
        if strongest.is_none_or(|(best, _)| valence.abs() > best) {
            strongest = Some((valence.abs(), feeling));
        }
    };
    let mut negated_until = 0;
    let mut intensified = false;
    for (i, token) in tokens.iter().enumerate() {
        match token {
            Token::Pause => negated_until = 0,
            Token::Symbol { entry, count } => {
                add(entry.valence * (1.0 + 0.25 * f64::from(count.saturating_sub(1).min(3))), entry.feeling);
            }
            Token::Word { text, shouted } => {
                sarcastic |= SARCASM.contains(&text.as_str());
                let negated = i < negated_until;
                let mut strength = if *shouted { SHOUTED } else { 1.0 };
                let paired = pair(tokens, i);
                if let Some(entry) = paired {
                    add(entry.valence * strength, entry.feeling);
                } else if i > 0 && pair(tokens, i - 1).is_some() {
                    // The word was already counted together with the previous word.
                } else if let Some((entry, stretched)) = lookup(text, language) {
                    strength *= if stretched { STRETCHED } else { 1.0 } * if intensified { INTENSIFIED } else { 1.0 };
                    strength *= if negated { NEGATED } else { 1.0 };
                    // A negated positive word expresses no joy, and "not funny" is not laughter.
                    let feeling = match (negated, entry.valence > 0.0) {
                        (true, true) => Feeling::Frustrated,
                        (true, false) => Feeling::Joy,
                        _ => entry.feeling,
                    };
                    add(entry.valence * strength, feeling);
                } else if !text.is_ascii() {
                    for (part, entry) in &lexicon().inside {
                        if text.contains(part) {
                            add(entry.valence, entry.feeling);
                        }
                    }
                }
                intensified = INTENSIFIERS.contains(&text.as_str())
                    || unstretched(text, |word| INTENSIFIERS.contains(&word)).is_some();
                if paired.is_none() && lexicon().negators.contains(text.as_str()) {
                    negated_until = i + 1 + NEGATION_REACH;
                }
            }
        }
    }
    if sarcastic && sum > 0.0 {
        sum *= -0.4;
    }
    let expressive = strongest.is_some();
    MessageMood { valence: sum / (sum * sum + BEND).sqrt(), expressive, feeling: strongest.map(|(_, f)| f), language }
}

/// The entry of the known pair of words that starts at `at`.
fn pair(tokens: &[Token], at: usize) -> Option<Entry> {
    let [Token::Word { text: first, .. }, Token::Word { text: second, .. }, ..] = &tokens[at..] else { return None };
    let seconds = lexicon().pairs.get(first.as_str())?;
    seconds.iter().find(|(known, _)| known == second).map(|(_, entry)| *entry)
}

/// The word's entry, and whether the word was written with stretched letters.
fn lookup(word: &str, language: Option<Language>) -> Option<(Entry, bool)> {
    let words = &lexicon().words;
    let applies = |entry: &&Entry| entry.only_in.is_none() || entry.only_in == language;
    if let Some(entry) = words.get(word) {
        return applies(&entry).then_some((*entry, false));
    }
    if is_laughter(word) {
        return Some((LAUGHTER, false));
    }
    let plain = unstretched(word, |word| words.contains_key(word))?;
    words.get(plain.as_str()).filter(applies).map(|entry| (*entry, true))
}

/// Whether a word expresses a feeling. Such a word is not a topic.
pub(super) fn is_emotive(word: &str) -> bool {
    lookup(word, None).is_some() || lexicon().words.contains_key(word) || SARCASM.contains(&word)
}
