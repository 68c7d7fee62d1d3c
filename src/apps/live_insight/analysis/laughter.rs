//! Laughter of any length, as people write it in different languages.

use std::sync::LazyLock;

use super::feeling::{Entry, Feeling, Known};
use super::language::Language;

const LAUGHTER: Entry = Entry { valence: 2.2, feeling: Feeling::Laugh };
static ANYWHERE: LazyLock<Known> = LazyLock::new(|| Known { entry: Some(LAUGHTER), ..Known::default() });
static INDONESIAN: LazyLock<Known> =
    LazyLock::new(|| Known { entry: Some(LAUGHTER), languages: Language::Indonesian.bit(), ..Known::default() });

/// What is known about a word that is laughter: `hahaha`, `jajaja`, `kkkk`, `lololol`, `wkwkwk`, `хахаха`, `ههههه`.
pub(super) fn laughter(word: &str) -> Option<&'static Known> {
    if only(word, "wk", 4) {
        return Some(&INDONESIAN);
    }
    is_laughter(word).then(|| &*ANYWHERE)
}

fn is_laughter(word: &str) -> bool {
    if word.is_ascii() {
        return match word.as_bytes().first() {
            Some(b'h' | b'a' | b'j' | b'e' | b'l' | b'o' | b'k' | b'w' | b'r' | b's' | b'd' | b'f' | b'g') => {
                ["ha", "ja", "je", "he"].iter().any(|syllable| only(word, syllable, 4))
                    || only(word, "lo", 3)
                    || only(word, "k", 3)
                    || only(word, "w", 3)
                    || only(word, "rs", 4)
                    || only(word, "sk", 4)
                    || is_keyboard(word)
            }
            _ => false,
        };
    }
    match word.chars().next() {
        Some('х' | 'а' | 'п') => only(word, "ха", 4) || only(word, "ах", 3) || only(word, "пха", 4),
        Some('и' | 'е') => only(word, "ихх", 4) || only(word, "хе", 4),
        Some('ه') => only(word, "ه", 3),
        Some('خ') => only(word, "خ", 3),
        Some('ח') => only(word, "ח", 2),
        _ => false,
    }
}

/// Whether the word has no other letters than these, has all of them, and has enough of them.
fn only(word: &str, letters: &str, at_least: usize) -> bool {
    word.chars().all(|c| letters.contains(c))
        && letters.chars().all(|c| word.contains(c))
        && word.chars().count() >= at_least
}

/// Turkish viewers laugh by hitting keys of the middle row: `asdfasd`, `sjsjsjs`, `skdjskd`.
fn is_keyboard(word: &str) -> bool {
    /// Neighbours that no word made of these letters has.
    const HIT: [&str; 16] =
        ["sd", "df", "fd", "fg", "gf", "hj", "jh", "jk", "kj", "sj", "js", "kd", "dk", "jd", "dj", "fj"];
    word.len() >= 5
        && word.bytes().all(|letter| b"asdfghjkl".contains(&letter))
        && HIT.iter().any(|hit| word.contains(hit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laughter_has_many_languages_and_no_words() {
        for word in [
            "haha",
            "hahahaha",
            "jajajaja",
            "jejeje",
            "kkkk",
            "www",
            "lol",
            "looool",
            "rsrsrs",
            "wkwk",
            "wkwkwkwk",
            "хаха",
            "ахахах",
            "пхаха",
            "ههههه",
            "خخخخ",
            "חחח",
            "asdfasd",
            "sjsjsjs",
            "ksksks",
            "asdasd",
            "skdjskdj",
            "ajsjsj",
        ] {
            assert!(laughter(word).is_some(), "{word}");
        }
        for word in
            ["alaska", "flasks", "dallas", "salads", "alfalfa", "lag", "hall", "halla", "ah", "ask", "хам", "שח"]
        {
            assert!(laughter(word).is_none(), "{word}");
        }
    }
}
