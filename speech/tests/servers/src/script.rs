//! What is said when.

use crate::draw::Draw;

/// A word of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// The word.
    pub text: String,
    /// When it begins, in milliseconds since the script's beginning.
    pub start_ms: i64,
    /// When it ends.
    pub end_ms: i64,
}

/// How somebody talks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Talk {
    /// Sentences with silence of one to six seconds between them.
    Pausing,
    /// Never a pause of more than an eighth of a second.
    Breathless,
}

/// What is said when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The words in order.
    pub words: Vec<Spoken>,
    /// How long the script is, in milliseconds.
    pub length_ms: i64,
}

const WORDS: [&str; 48] = [
    "the", "boss", "has", "one", "more", "phase", "and", "we", "are", "out", "of", "arrows", "so", "look", "at",
    "that", "door", "over", "there", "because", "nobody", "ever", "opens", "it", "no", "yes", "chat", "says", "left",
    "right", "thank", "you", "for", "the", "raid", "welcome", "everyone", "this", "weapon", "is", "really", "broken",
    "again", "three", "hundred", "points", "wait", "what",
];

impl Script {
    /// A script of this length that the seed determines.
    pub fn random(seed: u64, length_ms: i64, talk: Talk) -> Self {
        let mut draw = Draw::of(seed, 1);
        let mut words: Vec<Spoken> = Vec::new();
        let mut at_ms = draw.between(400, 1_500);
        while at_ms < length_ms - 3_000 {
            for _ in 0..draw.between(4, 16) {
                // Now and then somebody repeats a word.
                let text = match words.last() {
                    Some(last) if draw.strikes(0.06) => last.text.clone(),
                    _ => WORDS[draw.between(0, WORDS.len() as i64 - 1) as usize].to_owned(),
                };
                let end_ms = at_ms + draw.between(160, 260) + text.len() as i64 * 20;
                words.push(Spoken { text, start_ms: at_ms, end_ms });
                at_ms = end_ms + draw.between(15, 60);
            }
            at_ms += match talk {
                Talk::Pausing => draw.between(1_000, 6_000),
                Talk::Breathless => draw.between(40, 70),
            };
        }
        words.retain(|word| word.end_ms <= length_ms - 1_000);
        Self { words, length_ms }
    }

    /// The words as one text.
    pub fn text(&self) -> String {
        self.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }
}
