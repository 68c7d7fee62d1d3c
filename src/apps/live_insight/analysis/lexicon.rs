//! Words, emoji and emotes with their feelings. The word lists are read once.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::feeling::{Entry, Feeling, Known, Role};
use super::inside::Inside;
use super::language::Language;
use super::laughter::laughter;
use super::spelling::{forms, without_article};

/// All word lists.
pub(super) struct Lexicon {
    words: HashMap<String, Known>,
    /// Beginnings of words, by their first three letters.
    stems: HashMap<[char; 3], Vec<(String, Known)>>,
    /// Whole tokens and single characters, case-sensitive.
    pub(super) symbols: HashMap<&'static str, Entry>,
    /// Words that are searched inside longer words.
    pub(super) inside: Inside,
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(load);

/// The lexicon. It is loaded at its first use.
pub(super) fn lexicon() -> &'static Lexicon {
    &LEXICON
}

impl Lexicon {
    /// What the lists say about a word in lower case, as it is written.
    pub(super) fn find(&self, word: &str) -> Option<&Known> {
        self.words.get(word)
    }

    /// What is known about a word in lower case, also as laughter, behind an article, or by its beginning.
    pub(super) fn read(&self, word: &str) -> Option<&Known> {
        self.words.get(word).or_else(|| {
            let plain = without_article(word).and_then(|plain| self.words.get(plain).or_else(|| self.stem(plain)));
            laughter(word).or(plain).or_else(|| self.stem(word))
        })
    }

    fn stem(&self, word: &str) -> Option<&Known> {
        let mut letters = word.chars();
        let first = [letters.next()?, letters.next()?, letters.next()?];
        let stems = self.stems.get(&first)?.iter();
        stems
            .filter(|(stem, _)| word.starts_with(stem.as_str()))
            .max_by_key(|(stem, _)| stem.len())
            .map(|(_, known)| known)
    }

    /// What an emote of this name expresses, or a word that is the name of one.
    pub(super) fn emote(&self, name: &str) -> Option<Entry> {
        self.symbols.get(name).copied().or_else(|| self.find(&name.to_ascii_lowercase())?.entry)
    }
}

const LISTS: [(Language, &str); 11] = [
    (Language::English, include_str!("lexicon/en.txt")),
    (Language::Spanish, include_str!("lexicon/es.txt")),
    (Language::German, include_str!("lexicon/de.txt")),
    (Language::French, include_str!("lexicon/fr.txt")),
    (Language::Portuguese, include_str!("lexicon/pt.txt")),
    (Language::Hindi, include_str!("lexicon/hi.txt")),
    (Language::Russian, include_str!("lexicon/ru.txt")),
    (Language::Arabic, include_str!("lexicon/ar.txt")),
    (Language::Hebrew, include_str!("lexicon/he.txt")),
    (Language::Turkish, include_str!("lexicon/tr.txt")),
    (Language::Indonesian, include_str!("lexicon/id.txt")),
];
const INSIDE: [&str; 2] = [include_str!("lexicon/ja.txt"), include_str!("lexicon/ko.txt")];
const EMOTES: &str = include_str!("lexicon/emotes.txt");
const SARCASM: [&str; 3] = ["kappa", "kappapride", "keepo"];

fn load() -> Lexicon {
    let mut words: HashMap<String, Known> = HashMap::new();
    let mut stems: HashMap<[char; 3], Vec<(String, Known)>> = HashMap::new();
    for (language, list) in LISTS {
        // Only these two are written in Latin letters and have few common words in a line of chat. The mood words of
        // the others are too international to show a language.
        let shows = matches!(language, Language::Turkish | Language::Indonesian);
        for (word, entry) in entries(list) {
            let plain = word.trim_end_matches('?');
            for form in forms(language, plain) {
                if let Some(stem) = form.strip_suffix('*') {
                    let languages = if shows { language.bit() } else { 0 };
                    let mut first = stem.chars();
                    let first = [(); 3].map(|()| first.next().expect("stems have three letters"));
                    let known = Known { entry: Some(entry), languages, ..Known::default() };
                    stems.entry(first).or_default().push((stem.to_owned(), known));
                } else if let Some((first, second)) = form.split_once('_') {
                    words.entry(first.to_owned()).or_default().seconds.push((second.to_owned(), entry));
                } else {
                    let known = words.entry(form).or_default();
                    if plain.len() < word.len() {
                        known.own.push((language, entry));
                    } else if known.entry.is_none() {
                        known.languages |= if shows { language.bit() } else { 0 };
                        known.entry = Some(entry);
                    }
                }
            }
        }
    }
    let mut symbols: HashMap<&str, Entry> = entries(include_str!("lexicon/symbols.txt")).collect();
    for (emote, entry) in entries(EMOTES) {
        let name = emote.trim_end_matches('!');
        symbols.insert(name, entry);
        if name.len() == emote.len() {
            words.entry(name.to_ascii_lowercase()).or_default().entry.get_or_insert(entry);
        }
    }
    let mut parts = Vec::new();
    for (part, entry) in INSIDE.into_iter().flat_map(entries) {
        match part.split_once('_') {
            Some((first, second)) => {
                words.entry(first.to_owned()).or_default().seconds.push((second.to_owned(), entry));
            }
            None => parts.push((part, entry)),
        }
    }
    common(&mut words);
    Lexicon { words, stems, symbols, inside: Inside::of(parts) }
}

/// Adds what words do to their neighbours, and which words are common in which language.
fn common(words: &mut HashMap<String, Known>) {
    let listed = |list: &'static str| list.split_whitespace().flat_map(every_form);
    for word in listed(include_str!("lexicon/negators.txt")) {
        words.entry(word).or_default().role = Some(Role::Negates);
    }
    for word in listed(include_str!("lexicon/negators_after.txt")) {
        words.entry(word).or_default().role = Some(Role::NegatesBefore);
    }
    for word in listed(include_str!("lexicon/intensifiers.txt")) {
        words.entry(word).or_default().role = Some(Role::Intensifies);
    }
    for word in SARCASM {
        words.entry(word.to_owned()).or_default().role = Some(Role::Sarcasm);
    }
    for line in include_str!("lexicon/stop.txt").lines().filter(|line| !line.starts_with('#')) {
        let (code, list) = line.split_once(": ").expect("stop word lines have a colon");
        let language = Language::of_code(code).expect("stop words are of a language");
        for word in list.split_whitespace().flat_map(|word| forms(language, word)) {
            let known = words.entry(word).or_default();
            known.languages |= language.bit();
            known.is_stop = true;
        }
    }
}

/// The forms of a word of an unknown language: all of them.
fn every_form(word: &str) -> Vec<String> {
    let language = Language::by_script(word).unwrap_or(Language::Turkish);
    forms(language, word)
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
        words.split_whitespace().map(move |word| (word, Entry { valence, feeling }))
    })
}
