//! The languages of the word lists.

/// A language that the analysis knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Language {
    English,
    Spanish,
    German,
    French,
    Portuguese,
    Hindi,
    Japanese,
    Turkish,
    Indonesian,
    Russian,
    Korean,
    Arabic,
    Hebrew,
}

pub(super) const LANGUAGES: [Language; 13] = [
    Language::English,
    Language::Spanish,
    Language::German,
    Language::French,
    Language::Portuguese,
    Language::Hindi,
    Language::Japanese,
    Language::Turkish,
    Language::Indonesian,
    Language::Russian,
    Language::Korean,
    Language::Arabic,
    Language::Hebrew,
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
            Self::Turkish => "tr",
            Self::Indonesian => "id",
            Self::Russian => "ru",
            Self::Korean => "ko",
            Self::Arabic => "ar",
            Self::Hebrew => "he",
        }
    }

    /// The language with this code.
    pub(super) fn of_code(code: &str) -> Option<Self> {
        LANGUAGES.into_iter().find(|language| language.code() == code)
    }

    /// One bit per language.
    pub(super) fn bit(self) -> u16 {
        1 << self as u16
    }

    /// The language that a word's script belongs to.
    pub(super) fn by_script(word: &str) -> Option<Self> {
        if word.is_ascii() {
            return None;
        }
        let found = word.chars().find_map(|c| {
            Some(match c {
                '\u{3040}'..='\u{30ff}' => Self::Japanese,
                '\u{0900}'..='\u{097f}' => Self::Hindi,
                '\u{0400}'..='\u{04ff}' => Self::Russian,
                '\u{ac00}'..='\u{d7a3}' | '\u{3131}'..='\u{318e}' => Self::Korean,
                '\u{0600}'..='\u{06ff}' => Self::Arabic,
                '\u{0590}'..='\u{05ff}' => Self::Hebrew,
                _ => return None,
            })
        });
        // A single katakana is often part of a face, such as ¯\_(ツ)_/¯.
        found.filter(|language| *language != Self::Japanese || word.chars().nth(1).is_some())
    }

    /// Whether a word has letters that only a neighbour with the same script has, such as Persian and Ukrainian.
    pub(super) fn is_of_neighbour(word: &str) -> bool {
        let only_there = ['پ', 'چ', 'ژ', 'ک', 'گ', 'ی', 'і', 'ї', 'є', 'ґ'];
        !word.is_ascii() && word.contains(only_there)
    }
}
