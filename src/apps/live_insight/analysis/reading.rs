//! Reads each chat of a window once and gives its mood, author and terms, in order of time.

use std::collections::HashMap;

use tidemill_schemas::ChatMessage;

use super::language::is_stop_word;
use super::sentiment::{MessageMood, is_emotive, mood_of};
use super::support::felt;
use super::words::{Token, tokens, unstretched};

/// Words that express a feeling and can also be a topic.
const EMOTIVE_TOPICS: [&str; 10] =
    ["lag", "bug", "bugs", "ads", "glitch", "crash", "cheater", "delay", "desync", "buffering"];

/// A chat message with the results of reading it.
pub(super) struct ReadChat<'a> {
    pub(super) message: &'a ChatMessage,
    pub(super) mood: MessageMood,
    /// Index of the author in [`Reading::users`].
    pub(super) user: usize,
    /// Distinct one- and two-word terms.
    pub(super) terms: Vec<String>,
    pub(super) question: bool,
}

/// All chats of a window with the results of reading them.
pub(super) struct Reading<'a> {
    pub(super) chats: Vec<ReadChat<'a>>,
    /// One message of each author. It gives the author's id and name.
    pub(super) users: Vec<&'a ChatMessage>,
}

impl<'a> Reading<'a> {
    pub(super) fn of(chats: &'a [ChatMessage]) -> Self {
        let mut ordered: Vec<&ChatMessage> = chats.iter().collect();
        // Chats with equal timestamps are ordered by content, so that the order of arrival never changes a result.
        ordered.sort_by(|a, b| (a.timestamp, &a.user_id, &a.text).cmp(&(b.timestamp, &b.user_id, &b.text)));
        let mut index: HashMap<&str, usize> = HashMap::new();
        let mut users: Vec<&ChatMessage> = Vec::new();
        let chats = ordered
            .into_iter()
            .map(|message| {
                let user = *index.entry(&message.user_id).or_insert_with(|| {
                    users.push(message);
                    users.len() - 1
                });
                let tokens = tokens(&message.text);
                let question = message.text.contains(['?', '？', '¿']);
                ReadChat { message, mood: felt(mood_of(&tokens), message), user, terms: terms(&tokens), question }
            })
            .collect();
        Self { chats, users }
    }

    /// Mean mood of the expressive chats among the given chats.
    pub(super) fn mean_mood<'b>(chats: impl Iterator<Item = &'b ReadChat<'a>>) -> f64
    where
        'a: 'b,
    {
        let (mut sum, mut count) = (0.0, 0.0);
        for chat in chats.filter(|chat| chat.mood.expressive) {
            sum += chat.mood.valence;
            count += 1.0;
        }
        if count > 0.0 { sum / count } else { 0.0 }
    }
}

/// The chats in `[from, to)`. The given chats must be in order of time.
pub(super) fn between<'a, 'b>(chats: &'a [ReadChat<'b>], from: i64, to: i64) -> &'a [ReadChat<'b>] {
    let start = chats.partition_point(|chat| chat.message.timestamp < from);
    let end = chats.partition_point(|chat| chat.message.timestamp < to);
    &chats[start..end.max(start)]
}

/// Words that can be topics, and pairs of such words that stand next to each other.
fn terms(tokens: &[Token]) -> Vec<String> {
    let mut terms = Vec::new();
    let mut previous: Option<&str> = None;
    for token in tokens {
        let Token::Word { text, .. } = token else {
            previous = None;
            continue;
        };
        if text.chars().any(|c| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}')) {
            japanese_terms(text, &mut terms);
            previous = None;
        } else if names_something(text) {
            if let Some(before) = previous {
                terms.push(format!("{before} {text}"));
            }
            terms.push(text.clone());
            previous = Some(text);
        } else {
            previous = None;
        }
    }
    terms.sort_unstable();
    terms.dedup();
    terms
}

fn names_something(word: &str) -> bool {
    word.len() >= 3
        && word.chars().nth(1).is_some()
        && !word.chars().all(|c| c.is_ascii_digit())
        && !is_stop_word(word)
        && unstretched(word, is_stop_word).is_none()
        && (!is_emotive(word) || EMOTIVE_TOPICS.contains(&word))
}

/// Finds terms in Japanese text, which has no spaces. Names are mostly runs of katakana or of kanji.
fn japanese_terms(text: &str, terms: &mut Vec<String>) {
    let kind = |c: char| match c {
        '\u{30a0}'..='\u{30ff}' => 1,
        '\u{4e00}'..='\u{9fff}' => 2,
        _ => 0,
    };
    let chars: Vec<char> = text.chars().collect();
    for run in chars.chunk_by(|a, b| kind(*a) == kind(*b)) {
        let long_enough = match kind(run[0]) {
            1 => run.len() >= 3,
            2 => run.len() >= 2,
            _ => false,
        };
        if long_enough {
            terms.push(run.iter().collect());
        }
    }
}
