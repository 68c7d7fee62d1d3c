//! Spellings of the same word: marks that people leave out, letters that they replace, articles that are written together
//! with the word.

use super::language::Language;

/// A letter of a word as the lists have it; `None` for marks that people write or leave out.
pub(super) fn letter(c: char) -> Option<char> {
    match c {
        '’' => Some('\''),
        'ё' => Some('е'),
        'أ' | 'إ' | 'آ' | 'ٱ' => Some('ا'),
        // Combining accents, among them the dot that a capital İ leaves; points of Hebrew; vowel marks and the stretching
        // line of Arabic; the joiner of Devanagari.
        '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}' => None,
        _ => Some(c),
    }
}

/// Whether a character is a mark inside a word, although it is no letter.
pub(super) fn is_mark(c: char) -> bool {
    matches!(c, '\u{94d}' | '\u{93c}') || letter(c).is_none()
}

/// The forms in which people write a listed word.
pub(super) fn forms(language: Language, word: &str) -> Vec<String> {
    let plain: String = word.chars().filter_map(letter).collect();
    let mut forms = match language {
        Language::Turkish => vec![plain.chars().map(without_accent).collect()],
        Language::Arabic => {
            let ending = |c: char| match c {
                'ة' => 'ه',
                'ى' => 'ي',
                other => other,
            };
            // As an adverb the word ends with an alif.
            vec![plain.chars().map(ending).collect(), format!("{plain}ا")]
        }
        _ => Vec::new(),
    };
    forms.retain(|form| *form != plain);
    forms.insert(0, plain);
    forms
}

/// A Turkish letter as people write it who have another keyboard.
fn without_accent(c: char) -> char {
    match c {
        'ı' => 'i',
        'ş' => 's',
        'ğ' => 'g',
        'ç' => 'c',
        'ö' => 'o',
        'ü' => 'u',
        other => other,
    }
}

/// The word without the article, or the preposition, that Arabic and Hebrew write together with it.
pub(super) fn without_article(word: &str) -> Option<&str> {
    let first = word.chars().next()?;
    let rest = match first {
        'ا' | 'و' | 'ف' | 'ب' | 'ك' | 'ل' => ["وال", "فال", "بال", "كال", "ال", "لل", "و", "ب", "ل", "ف"]
            .iter()
            .find_map(|prefix| word.strip_prefix(prefix)),
        'ה' | 'ו' | 'ש' | 'ב' | 'ל' | 'כ' | 'מ' => Some(&word[first.len_utf8()..]),
        _ => None,
    }?;
    (rest.chars().nth(1).is_some()).then_some(rest)
}
