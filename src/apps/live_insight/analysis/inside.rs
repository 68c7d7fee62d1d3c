//! Words of Japanese and Korean, which are searched inside longer words: the one has no spaces, the other has endings.

use std::collections::HashMap;

use super::feeling::Entry;

/// Endings that negate the part before them.
const NEGATED: [&str; 6] = ["じゃない", "ではない", "くない", "じゃなかった", "지않", "지못"];

/// The parts by their first character, the longest first.
pub(super) struct Inside(HashMap<char, Vec<(&'static str, Entry)>>);

/// A part that was found in a word.
pub(super) struct Found {
    pub(super) entry: Entry,
    pub(super) is_negated: bool,
}

impl Inside {
    pub(super) fn of(parts: Vec<(&'static str, Entry)>) -> Self {
        let mut by_first: HashMap<char, Vec<(&'static str, Entry)>> = HashMap::new();
        for (part, entry) in parts {
            by_first.entry(part.chars().next().expect("parts have letters")).or_default().push((part, entry));
        }
        for parts in by_first.values_mut() {
            parts.sort_by_key(|(part, _)| std::cmp::Reverse(part.len()));
        }
        Self(by_first)
    }

    /// The parts of a word, in their order. They do not overlap, and a repeated character counts once.
    pub(super) fn of_word<'a>(&'a self, word: &'a str) -> impl Iterator<Item = Found> + 'a {
        let mut rest = if word.is_ascii() { "" } else { word };
        std::iter::from_fn(move || {
            loop {
                let first = rest.chars().next()?;
                let found = self.0.get(&first).and_then(|parts| parts.iter().find(|(part, _)| rest.starts_with(part)));
                let Some((part, entry)) = found else {
                    rest = &rest[first.len_utf8()..];
                    continue;
                };
                let last = part.chars().next_back().unwrap_or(first);
                rest = rest[part.len()..].trim_start_matches(last);
                return Some(Found { entry: *entry, is_negated: starts_with_any(rest, &NEGATED) });
            }
        })
    }
}

fn starts_with_any(text: &str, beginnings: &[&str]) -> bool {
    beginnings.iter().any(|beginning| text.starts_with(beginning))
}
