//! Finds the words of a message that can be topics.

use std::collections::HashSet;

use super::lexicon::lexicon;
use super::words::{Token, tokens};

/// Words that express a feeling and can also be a topic.
const EMOTIVE_TOPICS: [&str; 10] =
    ["lag", "bug", "bugs", "ads", "glitch", "crash", "cheater", "delay", "desync", "buffering"];

/// Endings of Korean nouns that say what the noun does in its sentence, and how many syllables must stand before them:
/// more before an ending with which many nouns end by themselves.
const PARTICLES: [(&str, usize); 21] = [
    ("에서는", 2),
    ("에서", 2),
    ("에게", 2),
    ("한테", 2),
    ("까지", 2),
    ("부터", 2),
    ("이랑", 2),
    ("으로", 2),
    ("하고", 2),
    ("은", 2),
    ("는", 2),
    ("을", 2),
    ("를", 2),
    ("에", 2),
    ("이", 2),
    ("가", 2),
    ("도", 2),
    ("로", 3),
    ("의", 2),
    ("만", 2),
    ("랑", 2),
];
/// Korean nouns that end like a noun with a particle.
const WHOLE: [&str; 8] = ["고양이", "호랑이", "원숭이", "어린이", "떡볶이", "거북이", "쌍둥이", "강아지"];

/// Words that can be topics, and pairs of such words that stand next to each other.
pub(super) fn terms(tokens: &[Token]) -> Vec<String> {
    let mut terms = Vec::new();
    let mut previous: Option<&str> = None;
    for token in tokens {
        let Token::Word { text, stretched, known, .. } = token else {
            previous = None;
            continue;
        };
        if text.chars().any(|c| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}')) {
            japanese_terms(text, &mut terms);
            previous = None;
            continue;
        }
        let (is_stop, is_emotive) = known.map_or((false, false), |known| {
            (known.is_stop, known.is_emotive() && (*stretched || !EMOTIVE_TOPICS.contains(&text.as_str())))
        });
        let term = noun(text);
        if names_something(term) && !is_stop && !is_emotive && !is_mood_of_korean(term) {
            if let Some(before) = previous {
                terms.push(format!("{before} {term}"));
            }
            terms.push(term.to_owned());
            previous = Some(term);
        } else {
            previous = None;
        }
    }
    terms.sort_unstable();
    terms.dedup();
    terms
}

/// The terms of a message.
pub(in crate::apps::live_insight) fn term_set(text: &str) -> HashSet<String> {
    terms(&tokens(text)).into_iter().collect()
}

fn names_something(word: &str) -> bool {
    word.len() >= 3 && word.chars().nth(1).is_some() && !word.chars().all(|c| c.is_ascii_digit())
}

fn is_mood_of_korean(word: &str) -> bool {
    !word.is_ascii()
        && (lexicon().inside.of_word(word).next().is_some() || lexicon().find(word).is_some_and(|known| known.is_stop))
}

/// The noun of a word, without what Korean and Arabic write together with it.
fn noun(word: &str) -> &str {
    match word.chars().next() {
        Some('\u{ac00}'..='\u{d7a3}') => {
            // Laughter and tears are single letters at the end.
            let word = word.trim_end_matches(|c| matches!(c, '\u{3131}'..='\u{318e}'));
            if WHOLE.contains(&word) {
                return word;
            }
            let before = |ending: &str, least: usize| {
                word.strip_suffix(ending).filter(|noun| noun.chars().nth(least - 1).is_some())
            };
            PARTICLES.iter().find_map(|(ending, least)| before(ending, *least)).unwrap_or(word)
        }
        Some('\u{621}'..='\u{64a}') => {
            let noun = ["وال", "فال", "بال", "كال", "ال", "لل"].iter().find_map(|article| word.strip_prefix(article));
            noun.filter(|noun| noun.chars().nth(3).is_some()).unwrap_or(word)
        }
        _ => word,
    }
}

/// Finds terms in Japanese text, which has no spaces. Names are mostly runs of katakana or of kanji.
fn japanese_terms(text: &str, terms: &mut Vec<String>) {
    let kind = |c: char| match c {
        '\u{30a0}'..='\u{30ff}' => 1,
        '\u{4e00}'..='\u{9fff}' => 2,
        _ => 0,
    };
    let chars: Vec<char> = text.chars().collect();
    for run in chars.chunk_by(|a, b| kind(*a) == kind(*b)) {
        let long_enough = match kind(run[0]) {
            1 => run.len() >= 3,
            2 => run.len() >= 2,
            _ => false,
        };
        if long_enough {
            let term: String = run.iter().collect();
            if lexicon().inside.of_word(&term).next().is_none() {
                terms.push(term);
            }
        }
    }
}
