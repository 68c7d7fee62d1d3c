//! Texts of senders as sentences show them. Such a text must neither turn the sentence around it nor fill it.

use tidemill_schemas::is_ignorable;

/// Begins a part of a text that has a direction of its own (U+2068, first strong isolate).
const ISOLATE: char = '\u{2068}';
/// Ends such a part (U+2069, pop directional isolate).
const END: char = '\u{2069}';
/// A sentence shows at most this many characters of a name.
const LONGEST: usize = 60;

/// A name for a sentence: short, without controls of the direction, and isolated if it is written from right to left.
/// `None` if nothing is left to see.
pub(super) fn in_sentence(name: &str) -> Option<String> {
    let name: String = name.chars().filter(|c| !is_control(*c)).collect();
    let name = name.trim();
    if name.chars().all(|c| c.is_whitespace() || is_ignorable(c)) {
        return None;
    }
    let mut shown: String = name.chars().take(LONGEST).collect();
    if name.chars().nth(LONGEST).is_some() {
        shown.pop();
        shown.push('…');
    }
    Some(if shown.chars().any(is_right_to_left) { format!("{ISOLATE}{shown}{END}") } else { shown })
}

/// Makes a model's text fit for a page: one line of at most `most` characters, without controls.
pub(super) fn line(text: &str, most: usize) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.chars().filter(|c| !c.is_control() && !is_control(*c)).take(most).collect()
}

/// Whether a text has a link. No prompt asks for one, so a model that writes one may repeat what a viewer wrote.
pub(super) fn has_link(text: &str) -> bool {
    let seen = text.chars().filter(|c| !c.is_control() && !is_control(*c) && !is_ignorable(*c));
    let text = seen.collect::<String>().to_lowercase();
    ["http:", "https:", "www.", "://", "javascript:", "mailto:"].iter().any(|begin| text.contains(begin))
}

/// Whether a character marks, embeds, overrides or isolates a direction.
fn is_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a character belongs to a script that is written from right to left, such as Hebrew and Arabic.
fn is_right_to_left(c: char) -> bool {
    matches!(c,
        '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_text_is_a_line_without_controls() {
        assert_eq!(line("a\u{0}b\u{1b}[31m\u{202e}c\n\t d", 9), "ab[31mc d");
    }

    #[test]
    fn a_link_is_seen_behind_letters_that_nobody_sees() {
        for link in ["HTTP://x.example", "htt\u{200b}ps://x.example", "ht\u{202e}tp:x", "ftp://x", "[x](javascript:y)"]
        {
            assert!(has_link(link), "{link:?}");
        }
        assert!(!has_link("Say: hi / hello! 3:2, and/or wait."));
    }

    #[test]
    fn a_name_cannot_turn_or_fill_its_sentence() {
        let shown = |name: &str| in_sentence(name).unwrap_or_default();
        assert_eq!(shown("biceps curl"), "biceps curl");
        assert_eq!(shown("\u{202e}lruc\u{2069}"), "lruc");
        assert_eq!(shown("\u{202e}قرفصاء"), "\u{2068}قرفصاء\u{2069}");
        assert_eq!(shown(&"ü".repeat(60)), "ü".repeat(60));
        assert_eq!(shown(&"ü".repeat(61)), format!("{}…", "ü".repeat(59)));
        assert_eq!(in_sentence("\u{202e} \u{61c}"), None);
    }
}
