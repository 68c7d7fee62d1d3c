//! Texts as viewers see them.

use tidemill_schemas::{MAX_TEXT_BYTES, is_ignorable};

/// The longest name of an emoji between colons.
const SHORTCODE_BYTES: usize = 40;

/// A text without control characters and white space around it, with emoji instead of their names, cut at the longest
/// text that the applications take. Names of custom emotes stay, because they have no emoji.
///
/// ```
/// use tidemill_chat::field::plain;
///
/// assert_eq!(plain("nice :tada: :adaHype:\u{1}"), "nice 🎉 :adaHype:");
/// ```
pub fn plain(text: &str) -> String {
    let text: String = text.chars().map(|c| if c == '\n' || c == '\t' { ' ' } else { c }).collect();
    let text: String = with_emoji(&text).chars().filter(|c| !c.is_control()).collect();
    cut(text.trim(), MAX_TEXT_BYTES).to_owned()
}

/// Whether a reader sees anything of a text.
pub(crate) fn is_visible(text: &str) -> bool {
    text.chars().any(|c| !c.is_whitespace() && !c.is_control() && !is_ignorable(c))
}

/// The beginning of a text that has at most this many bytes.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

fn with_emoji(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(':') {
        out.push_str(&rest[..start]);
        let after = &rest[start + 1..];
        let name = after.find(':').filter(|end| (1..=SHORTCODE_BYTES).contains(end)).map(|end| &after[..end]);
        // A time such as 12:30:45 has no emoji's name between its colons, except a number that is none.
        match name.and_then(|name| Some((name, emojis::get_by_shortcode(name)?))) {
            Some((name, emoji)) if name.chars().any(char::is_alphabetic) || name == "+1" || name == "-1" => {
                out.push_str(emoji.as_str());
                rest = &after[name.len() + 1..];
            }
            _ => {
                out.push(':');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_emoji_become_emoji_and_other_colons_stay() {
        for (text, expected) in [
            (":joy::joy:", "😂😂"),
            ("at 12:30:45", "at 12:30:45"),
            (":adaHype: :100:", ":adaHype: :100:"),
            (":+1:", "👍"),
            ("a: b :tada", "a: b :tada"),
            ("::joy:", ":😂"),
            (":::", ":::"),
        ] {
            assert_eq!(plain(text), expected);
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = plain(&"é".repeat(MAX_TEXT_BYTES));
        assert_eq!(text.len(), MAX_TEXT_BYTES);
    }
}
