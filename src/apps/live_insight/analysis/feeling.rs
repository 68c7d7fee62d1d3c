//! What words and symbols express.

use super::language::Language;

/// The feeling that a word or symbol expresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Feeling {
    Love,
    Hype,
    Joy,
    Laugh,
    Sad,
    Frustrated,
    Bored,
    Anger,
    Fear,
}

/// The meaning of a word or symbol.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Entry {
    /// From -4 to 4.
    pub(super) valence: f64,
    pub(super) feeling: Feeling,
}

/// All that the lists say about one word.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Its meaning in messages of any language.
    pub(super) entry: Option<Entry>,
    /// Its meaning in messages of one language.
    pub(super) own: Vec<(Language, Entry)>,
    /// Words after it with which it has a meaning of its own.
    pub(super) seconds: Vec<(String, Entry)>,
    /// The languages that the word shows, one bit per language.
    pub(super) languages: u16,
    /// Whether the word is too common to be a topic.
    pub(super) is_stop: bool,
    /// What the word does to other words.
    pub(super) role: Option<Role>,
}

/// What a word does to other words of its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It negates the words after it.
    Negates,
    /// It negates the word before it.
    NegatesBefore,
    /// It makes the word after it stronger.
    Intensifies,
    /// It turns the praise of the whole message.
    Sarcasm,
}

impl Known {
    /// The word's meaning in a message of a language.
    pub(super) fn entry_in(&self, language: Option<Language>) -> Option<Entry> {
        let own = || self.own.iter().find(|(own, _)| Some(*own) == language).map(|(_, entry)| *entry);
        if self.own.is_empty() { self.entry } else { own().or(self.entry) }
    }

    /// Whether the word expresses a feeling in some language. Such a word is not a topic.
    pub(super) fn is_emotive(&self) -> bool {
        self.entry.is_some() || !self.own.is_empty() || self.role == Some(Role::Sarcasm)
    }
}
