//! Guesses the language of a message from its script and from common words.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The languages of the word lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Language {
    English,
    Spanish,
    German,
    French,
    Portuguese,
    Hindi,
    Japanese,
}

const ALL: [Language; 7] = [
    Language::English,
    Language::Spanish,
    Language::German,
    Language::French,
    Language::Portuguese,
    Language::Hindi,
    Language::Japanese,
];

impl Language {
    /// ISO 639-1 code.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Spanish => "es",
            Self::German => "de",
            Self::French => "fr",
            Self::Portuguese => "pt",
            Self::Hindi => "hi",
            Self::Japanese => "ja",
        }
    }
}

/// Common words, each with one bit per language in which the word occurs.
static COMMON: LazyLock<HashMap<&'static str, u8>> = LazyLock::new(|| {
    let mut common = HashMap::new();
    for line in include_str!("lexicon/stop.txt").lines().filter(|line| !line.starts_with('#')) {
        let (code, words) = line.split_once(": ").expect("stop word lines have a colon");
        let language = ALL.iter().position(|language| language.code() == code).expect("stop words are of a language");
        for word in words.split_whitespace() {
            *common.entry(word).or_default() |= 1 << language;
        }
    }
    common
});

/// Whether a word is too common to be a topic, in any language.
pub(super) fn is_stop_word(word: &str) -> bool {
    COMMON.contains_key(word)
}

/// The language with the most common words in the message. `None` if two languages are equal or no common word occurs.
pub(super) fn guess<'a>(words: impl Iterator<Item = &'a str>) -> Option<Language> {
    let mut votes = [0_u32; ALL.len()];
    for word in words {
        if let Some(script) = by_script(word) {
            return Some(script);
        }
        let Some(mask) = COMMON.get(word) else { continue };
        // A word of one language weighs more than a word that occurs in three languages.
        let weight = 6 / mask.count_ones();
        (0..ALL.len()).filter(|i| mask & (1 << i) != 0).for_each(|i| votes[i] += weight);
    }
    let best = (0..ALL.len()).max_by_key(|i| votes[*i])?;
    let unique = votes.iter().filter(|vote| **vote == votes[best]).count() == 1;
    (votes[best] > 0 && unique).then_some(ALL[best])
}

fn by_script(word: &str) -> Option<Language> {
    if word.is_ascii() {
        return None;
    }
    word.chars().find_map(|c| match c {
        '\u{3040}'..='\u{30ff}' => Some(Language::Japanese),
        '\u{0900}'..='\u{097f}' => Some(Language::Hindi),
        _ => None,
    })
}
