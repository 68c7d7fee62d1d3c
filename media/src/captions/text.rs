//! The text of a cue as plain lines: without tags, with its entities as letters.

use crate::captions::vtt::time;

/// The plain lines of a cue's text; without empty ones.
pub(super) fn lines(text: &str) -> Vec<String> {
    let plain = entities(&untagged(text));
    let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    plain.lines().map(line).filter(|line| !line.is_empty()).collect()
}

/// Text without tags. The reading aids of ruby text go, too: they say again what stands below them.
fn untagged(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut is_aid = false;
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let (before, from) = rest.split_at(at);
        if !is_aid {
            plain.push_str(before);
        }
        match from[1..].split_once('>').filter(|(tag, _)| is_tag(tag)) {
            Some((tag, after)) => {
                match tag {
                    "rt" => is_aid = true,
                    "/rt" | "/ruby" => is_aid = false,
                    _ => {}
                }
                rest = after;
            }
            // A sign of its own, as in 'I <3 you'.
            None => {
                if !is_aid {
                    plain.push('<');
                }
                rest = &from[1..];
            }
        }
    }
    if !is_aid {
        plain.push_str(rest);
    }
    plain
}

/// Whether this stands between the brackets of a tag: a name, the end of one, or a time.
fn is_tag(inside: &str) -> bool {
    let name = inside.strip_prefix('/').unwrap_or(inside);
    let is_name = name.starts_with(|letter: char| letter.is_ascii_alphabetic());
    inside.is_empty() || name.is_empty() || (is_name && !inside.contains('<')) || time(inside).is_some()
}

/// Text with its entities as letters. Marks of direction go: they are not said.
fn entities(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, from) = rest.split_at(at);
        plain.push_str(before);
        match from[1..].split_once(';').and_then(|(name, after)| Some((letter(name)?, after))) {
            Some((letter, after)) => {
                plain.push(letter);
                rest = after;
            }
            None => {
                plain.push('&');
                rest = &from[1..];
            }
        }
    }
    plain.push_str(rest);
    plain.retain(|letter| !matches!(letter, '\u{200e}' | '\u{200f}') && (letter == '\n' || !letter.is_control()));
    plain
}

/// The letter that an entity stands for.
fn letter(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        "lrm" => Some('\u{200e}'),
        "rlm" => Some('\u{200f}'),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn tags_are_no_words_and_signs_stay() {
        assert_eq!(lines("<v Ada><i.loud>What</i> a\n<b>goal</b>!</v>\n<c></c>\n"), ["What a", "goal!"]);
        assert_eq!(lines("<00:00:01.000>one <00:00:02.000>two"), ["one two"]);
        assert_eq!(lines("I <3 you, 2 < 3 > 1 and <b"), ["I <3 you, 2 < 3 > 1 and <b"]);
        assert_eq!(lines("<ruby>漢<rt>kan</rt>字<rt>ji</rt></ruby>!"), ["漢字!"]);
    }

    #[test]
    fn entities_are_letters() {
        assert_eq!(lines("Tom &amp; Jerry&#39;s &lt;b&gt;&nbsp;&lrm;&#x41;"), ["Tom & Jerry's <b> A"]);
        assert_eq!(lines("A&B; &#xFFFFFFFF; &#55296; & &amp"), ["A&B; &#xFFFFFFFF; &#55296; & &amp"]);
    }
}
