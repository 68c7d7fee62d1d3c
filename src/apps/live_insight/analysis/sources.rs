//! Who wrote what an insight shows, so that it can be removed when it is withdrawn.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tidemill_schemas::{ChatMessage, HotTopic, PhraseReaction};

use super::reading::Reading;
use super::shifts::fingerprint;
use super::shown::name;

/// Only this many messages with a text or term are known. If all of them are withdrawn, the text or term is removed.
const KNOWN: usize = 100;
/// A topic that fewer authors write about is no topic.
const TOPIC_AUTHORS: usize = 2;

/// A message, by the fingerprints of its own id and of its author's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(Option<u64>, u64)", into = "(Option<u64>, u64)")]
pub struct Source {
    /// The message's id; `None` if it has none.
    pub message: Option<u64>,
    /// The author's id.
    pub author: u64,
}

impl Source {
    /// The source that a message is.
    pub fn of(chat: &ChatMessage) -> Self {
        Self { message: chat.id.as_deref().map(fingerprint), author: fingerprint(&chat.user_id) }
    }
}

impl From<(Option<u64>, u64)> for Source {
    fn from((message, author): (Option<u64>, u64)) -> Self {
        Self { message, author }
    }
}

impl From<Source> for (Option<u64>, u64) {
    fn from(Source { message, author }: Source) -> Self {
        (message, author)
    }
}

type Written = BTreeMap<String, Vec<Source>>;

/// The messages behind the texts, terms and names that an insight shows without saying whose they are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sources {
    /// Messages by text, for the samples of reactions.
    texts: Written,
    /// Messages by term, for the hot topics.
    terms: Written,
    /// Authors by name, for the authors of reactions.
    names: Written,
}

/// What nobody is a source of any more.
#[derive(Debug, Default)]
pub struct Gone {
    /// Texts of messages.
    pub texts: BTreeSet<String>,
    /// Terms of hot topics.
    pub terms: BTreeSet<String>,
    /// Names of authors.
    pub names: BTreeSet<String>,
}

impl Sources {
    pub(super) fn of<'a>(
        reading: &Reading<'_>,
        topics: impl Iterator<Item = &'a HotTopic>,
        phrases: &[PhraseReaction],
    ) -> Self {
        let nobody = |shown: &String| (shown.clone(), Vec::new());
        let mut sources = Self {
            texts: phrases.iter().flat_map(|phrase| &phrase.samples).map(nobody).collect(),
            terms: topics.map(|topic| nobody(&topic.term)).collect(),
            names: phrases.iter().flat_map(|phrase| &phrase.users).map(nobody).collect(),
        };
        for chat in &reading.chats {
            note(&mut sources.texts, &chat.message.text, chat.message);
            chat.terms.iter().for_each(|term| note(&mut sources.terms, term, chat.message));
        }
        for author in &reading.users {
            note(&mut sources.names, &name(author), author);
        }
        sources
    }

    /// Removes the withdrawn sources. Returns what has too few sources now.
    pub fn withdraw(&mut self, is_withdrawn: impl Fn(Source) -> bool) -> Gone {
        let several =
            |left: &[Source]| left.iter().map(|source| source.author).collect::<BTreeSet<_>>().len() >= TOPIC_AUTHORS;
        let any = |left: &[Source]| !left.is_empty();
        Gone {
            texts: remove(&mut self.texts, &is_withdrawn, any),
            terms: remove(&mut self.terms, &is_withdrawn, several),
            // A name belongs to an author, not to a message: it goes when the author is withdrawn.
            names: remove(&mut self.names, &|source| is_withdrawn(Source { message: None, ..source }), any),
        }
    }
}

fn note(written: &mut Written, shown: &str, chat: &ChatMessage) {
    if let Some(sources) = written.get_mut(shown).filter(|sources| sources.len() < KNOWN) {
        sources.push(Source::of(chat));
    }
}

fn remove(
    written: &mut Written,
    is_withdrawn: &impl Fn(Source) -> bool,
    stays: impl Fn(&[Source]) -> bool,
) -> BTreeSet<String> {
    let mut gone = BTreeSet::new();
    for (shown, sources) in &mut *written {
        let before = sources.len();
        sources.retain(|source| !is_withdrawn(*source));
        if sources.len() < before && !stays(sources) {
            gone.insert(shown.clone());
        }
    }
    written.retain(|shown, _| !gone.contains(shown));
    gone
}
