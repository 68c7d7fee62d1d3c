//! Names and quotations as results show them. A text from right to left must not turn the sentence around it.

use std::borrow::Cow;

use tidemill_schemas::{ChatMessage, is_ignorable};

/// Begins a part of a text that has a direction of its own (U+2068, first strong isolate).
const ISOLATE: char = '\u{2068}';
/// Ends such a part (U+2069, pop directional isolate).
const END: char = '\u{2069}';

/// The name of an author, without characters that change the direction of the text after it.
pub(super) fn name(message: &ChatMessage) -> String {
    let name = undirected(message.author());
    if name.chars().any(|c| !c.is_whitespace() && !is_ignorable(c)) {
        return name.into_owned();
    }
    undirected(&message.user_id).into_owned()
}

/// A text in quotation marks, for a sentence. If it is written from right to left, it is isolated.
pub(in crate::apps::live_insight) fn quoted(text: &str) -> String {
    let text = undirected(text);
    if text.chars().any(is_right_to_left) { format!("\"{ISOLATE}{text}{END}\"") } else { format!("\"{text}\"") }
}

/// The text without the marks of a direction, and without the controls that embed, override or isolate a direction. Often
/// one of a pair is missing.
fn undirected(text: &str) -> Cow<'_, str> {
    let is_control =
        |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.contains(is_control) { text.replace(is_control, "").into() } else { text.into() }
}

/// Whether a character belongs to a script that is written from right to left, such as Hebrew and Arabic.
fn is_right_to_left(c: char) -> bool {
    matches!(c,
        '\u{590}'..='\u{8ff}' | '\u{200f}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str) -> String {
        let (stream_id, user_id, user_name) = ("s".into(), "u\u{202e}1".into(), Some(name.to_owned()));
        super::name(&ChatMessage { stream_id, user_id, user_name, text: "hi".into(), ..ChatMessage::default() })
    }

    #[test]
    fn a_name_cannot_turn_what_follows_it() {
        assert_eq!(shown("\u{202e}nimda"), "nimda");
        assert_eq!(shown("\u{2067}\u{2066}\u{202a}ada\u{202c}"), "ada");
        assert_eq!(shown("\u{61c}\u{61c}19"), "19");
        assert_eq!(shown("سارة"), "سارة");
        assert_eq!(shown("\u{202e}\u{2069}"), "u1", "the id, if nothing is left of the name");
    }

    #[test]
    fn a_quotation_from_right_to_left_is_isolated() {
        assert_eq!(quoted("lag"), "\"lag\"");
        assert_eq!(quoted("معبد الماء"), "\"\u{2068}معبد الماء\u{2069}\"");
        assert_eq!(quoted("\u{202e}שלום\u{2069}"), "\"\u{2068}שלום\u{2069}\"");
        assert_eq!(quoted("\u{202e}abc"), "\"abc\"");
    }
}
