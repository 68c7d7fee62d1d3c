//! Words, emoji and emotes with their feelings. The word lists are read once.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::language::Language;

/// The feeling that a word or symbol expresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Feeling {
    Love,
    Hype,
    Joy,
    Laugh,
    Sad,
    Frustrated,
    Bored,
    Anger,
    Fear,
}

/// The meaning of a word or symbol.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// From -4 to 4.
    pub(super) valence: f64,
    pub(super) feeling: Feeling,
    /// The entry applies only to messages in this language.
    pub(super) only_in: Option<Language>,
}

/// All word lists.
pub(super) struct Lexicon {
    pub(super) words: HashMap<&'static str, Entry>,
    /// Pairs of words with a meaning of their own. The key is the first word.
    pub(super) pairs: HashMap<&'static str, Vec<(&'static str, Entry)>>,
    /// Whole tokens and single characters, case-sensitive.
    pub(super) symbols: HashMap<&'static str, Entry>,
    /// Words of scripts without spaces. They are searched inside longer words.
    pub(super) inside: Vec<(&'static str, Entry)>,
    pub(super) negators: HashSet<&'static str>,
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(load);

/// The lexicon. It is loaded at its first use.
pub(super) fn lexicon() -> &'static Lexicon {
    &LEXICON
}

const LISTS: [(Language, &str); 6] = [
    (Language::English, include_str!("lexicon/en.txt")),
    (Language::Spanish, include_str!("lexicon/es.txt")),
    (Language::German, include_str!("lexicon/de.txt")),
    (Language::French, include_str!("lexicon/fr.txt")),
    (Language::Portuguese, include_str!("lexicon/pt.txt")),
    (Language::Hindi, include_str!("lexicon/hi.txt")),
];

fn load() -> Lexicon {
    let mut words = HashMap::new();
    let mut pairs: HashMap<_, Vec<_>> = HashMap::new();
    for (language, list) in LISTS {
        for (word, mut entry) in entries(list) {
            let plain = word.trim_end_matches('?');
            entry.only_in = (plain.len() < word.len()).then_some(language);
            if let Some((first, second)) = plain.split_once('_') {
                pairs.entry(first).or_default().push((second, entry));
            } else if words.get(plain).is_none_or(|known: &Entry| known.only_in.is_some()) {
                words.insert(plain, entry);
            }
        }
    }
    Lexicon {
        words,
        pairs,
        symbols: entries(include_str!("lexicon/symbols.txt")).collect(),
        inside: entries(include_str!("lexicon/ja.txt")).collect(),
        negators: include_str!("lexicon/negators.txt").split_whitespace().collect(),
    }
}

/// Reads `feeling score: word word` lines. The lists are part of the program, so a bad line is a bug.
fn entries(list: &'static str) -> impl Iterator<Item = (&'static str, Entry)> {
    list.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).flat_map(|line| {
        let (head, words) = line.split_once(": ").expect("lexicon lines have a colon");
        let (feeling, score) = head.split_once(' ').expect("lexicon heads have a score");
        let valence = score.parse().expect("lexicon scores are numbers");
        let feeling = match feeling {
            "love" => Feeling::Love,
            "hype" => Feeling::Hype,
            "joy" => Feeling::Joy,
            "laugh" => Feeling::Laugh,
            "sad" => Feeling::Sad,
            "frustrated" => Feeling::Frustrated,
            "bored" => Feeling::Bored,
            "anger" => Feeling::Anger,
            "fear" => Feeling::Fear,
            other => unreachable!("lexicon names the feeling {other}"),
        };
        words.split_whitespace().map(move |word| (word, Entry { valence, feeling, only_in: None }))
    })
}
