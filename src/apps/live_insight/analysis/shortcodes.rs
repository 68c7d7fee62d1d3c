//! Emoji that are written as `:name:`, and custom emotes, whose names may say what they express.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::feeling::{Entry, Role};
use super::lexicon::lexicon;

/// The longest name of an emote.
const NAME_MAX: usize = 64;
/// Letters that a streamer's own name has at least, when it stands before the name of an emote.
const PREFIX_MIN: usize = 3;

/// The names of the emoji that express a feeling: Unicode's name and the names that platforms use.
static NAMES: LazyLock<HashMap<String, Entry>> = LazyLock::new(|| {
    let mut names = HashMap::new();
    for (symbol, entry) in &lexicon().symbols {
        let Some(emoji) = emojis::get(symbol).or_else(|| emojis::get(&format!("{symbol}\u{fe0f}"))) else { continue };
        names.insert(standard(emoji.name()), *entry);
        names.extend(emoji.shortcodes().map(|name| (standard(name), *entry)));
    }
    names
});

/// A shortcode in a text: what stands before it, its name, and what stands after it.
pub(super) fn next(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = text.find(':')?;
    loop {
        let until = from + 1 + text[from + 1..].find(':')?;
        let name = &text[from + 1..until];
        let is_free = !text[..from].ends_with(char::is_alphanumeric);
        // Times such as 12:30:45 and lists such as a:b:c have colons, too.
        if is_name(name) && (is_free || name.starts_with('_') || NAMES.contains_key(&standard(name))) {
            return Some((&text[..from], name, &text[until + 1..]));
        }
        from = until;
    }
}

fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    (2..=NAME_MAX).contains(&bytes.len())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-+".contains(byte))
        && (bytes.iter().any(u8::is_ascii_alphabetic) || matches!(name, "+1" | "-1" | "100"))
}

/// What a shortcode expresses. `None` if its name says nothing about it.
pub(super) fn feeling(name: &str) -> Option<Entry> {
    let standard = standard(name);
    let known = NAMES.get(&standard).or_else(|| {
        let plain = standard.strip_suffix("_skin_tone")?;
        plain.match_indices('_').find_map(|(at, _)| NAMES.get(&plain[..at]).filter(|_| is_tone(&plain[at + 1..])))
    });
    known.copied().or_else(|| by_words(name))
}

fn is_tone(words: &str) -> bool {
    words.split('_').all(|word| matches!(word, "light" | "medium" | "dark"))
}

/// A name in the form of shortcodes: `Red heart` and `red-heart` as `red_heart`.
fn standard(name: &str) -> String {
    let mut standard = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            _ if c.is_alphanumeric() || c == '+' => standard.extend(c.to_lowercase()),
            '-' if name == "-1" => standard.push('-'),
            _ if standard.ends_with('_') || standard.is_empty() => {}
            _ => standard.push('_'),
        }
    }
    standard.truncate(standard.trim_end_matches('_').len());
    standard
}

/// What the words in the name of a custom emote express: `_starHype`, `_adaNotLikeThis`. The longest end of the name that
/// is known counts; without one, the last known word.
fn by_words(name: &str) -> Option<Entry> {
    let name = name.trim_matches('_');
    let parts = parts(name);
    let negates =
        |part: &str| lexicon().find(&part.to_ascii_lowercase()).is_some_and(|known| known.role == Some(Role::Negates));
    for (number, (at, part)) in parts.iter().enumerate() {
        if let Some(entry) = lexicon().emote(&name[*at..]) {
            return Some(entry);
        }
        if negates(part) && number + 1 < parts.len() {
            return None;
        }
    }
    parts.iter().rev().find_map(|(_, part)| lexicon().emote(part))
}

/// The parts of a name with their places. They begin at capital letters and after other signs.
fn parts(name: &str) -> Vec<(usize, &str)> {
    let bytes = name.as_bytes();
    let begins = |at: usize| {
        let is_letter = bytes[at].is_ascii_alphabetic();
        let after_small = at > 0 && bytes[at - 1].is_ascii_lowercase();
        let before_small = bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase);
        is_letter
            && (at == 0
                || !bytes[at - 1].is_ascii_alphabetic()
                || bytes[at].is_ascii_uppercase() && (after_small || before_small))
    };
    let starts: Vec<usize> = (0..bytes.len()).filter(|at| begins(*at)).collect();
    let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
    let part = |(at, end): (&usize, usize)| (*at, name[*at..end].trim_end_matches(|c: char| !c.is_ascii_alphabetic()));
    starts.iter().zip(ends).map(part).collect()
}

/// What a streamer's own emote expresses that stands in the text as a word: the streamer's name in small letters, then
/// the emote's, such as `adaHype`.
pub(super) fn of_word(word: &str) -> Option<Entry> {
    let prefix = word.bytes().take_while(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()).count();
    let own = word.get(prefix..).filter(|own| own.starts_with(|c: char| c.is_ascii_uppercase()))?;
    if prefix < PREFIX_MIN || !own.is_ascii() {
        return None;
    }
    lexicon().emote(own)
}
