//! Texts in a form that equals their repetitions.

use std::borrow::Cow;

use tidemill_schemas::is_ignorable;

/// The text without characters that have no width, and with a blank for the empty Braille pattern, which has no ink.
/// Viewers add such characters to a message so that a platform does not refuse its repetition.
pub(super) fn without_invisible(text: &str) -> Cow<'_, str> {
    const NO_INK: char = '\u{2800}';
    let is_plain = text.is_ascii() || !text.contains(|c| c == NO_INK || is_ignorable(c));
    if is_plain {
        return text.into();
    }
    text.chars().filter(|c| !is_ignorable(*c)).map(|c| if c == NO_INK { ' ' } else { c }).collect()
}

/// The text as all its echoes have it: lower case, without punctuation, stretched letters and invisible characters.
pub(in crate::apps::live_insight) fn echo(text: &str) -> String {
    let text = without_invisible(text);
    let mut normal = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase).filter(|c| !is_punctuation(*c)) {
        let blank = c.is_whitespace();
        let repeats = normal.ends_with(c) && (blank || normal.chars().rev().nth(1) == Some(c));
        if !(repeats || blank && normal.ends_with(' ')) {
            normal.push(if blank { ' ' } else { c });
        }
    }
    let normal = normal.trim();
    if normal.is_empty() { text.trim().to_owned() } else { normal.to_owned() }
}

fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation()
        || matches!(c, '¡' | '¿' | '·' | '،' | '؛' | '؟' | '।' | '。' | '、' | '・' | '！' | '？' | '～' | '．' | '，')
        || matches!(c, '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_makes_no_other_line() {
        for same in [
            "Water temple",
            "water temple \u{e0000}",
            "water\u{200b} temple\u{200d}\u{2060}",
            "water temple\u{e0061}\u{e007f}",
            "WATER TEMPLE\u{fe0f}",
            "water temple . .",
            "water temple…",
            "water  temple \u{2800}\u{3164}",
        ] {
            assert_eq!(echo(same), "water temple", "{same:?}");
        }
        assert_eq!(echo("❤\u{fe0f}"), echo("❤"));
        assert_eq!(echo(":) \u{e0000}"), ":)");
        assert_ne!(echo("water temple"), echo("fire temple"));
    }
}
