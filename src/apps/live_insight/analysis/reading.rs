//! Reads each chat of a window once and gives its mood, author and terms, in order of time.

use std::collections::HashMap;

use tidemill_schemas::ChatMessage;

use super::bots::{Timers, people};
use super::sentiment::{MessageMood, mood_of};
use super::support::felt;
use super::terms::terms;
use super::window::ChatWindow;
use super::words::{is_command, is_question, tokens};

/// A chat message with the results of reading it.
pub(super) struct ReadChat<'a> {
    pub(super) message: &'a ChatMessage,
    pub(super) mood: MessageMood,
    /// Index of the author in [`Reading::users`].
    pub(super) user: usize,
    /// Distinct one- and two-word terms.
    pub(super) terms: Vec<String>,
    pub(super) question: bool,
    /// Whether the message is a command to a bot. It counts as a message, and says nothing.
    pub(super) command: bool,
}

/// The chats of people in a window, with the results of reading them. What programs write is left out.
pub(super) struct Reading<'a> {
    pub(super) chats: Vec<ReadChat<'a>>,
    /// One message of each author. It gives the author's id and name.
    pub(super) users: Vec<&'a ChatMessage>,
    /// Lines that may be those of a program, for the next window.
    pub(super) timers: Timers,
}

impl<'a> Reading<'a> {
    pub(super) fn of(window: &'a ChatWindow) -> Self {
        let (ordered, timers) = people(window);
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
                let command = is_command(&message.text);
                let question = !command && is_question(&message.text);
                let mood = felt(mood_of(&tokens), message);
                ReadChat { message, mood, user, terms: terms(&tokens), question, command }
            })
            .collect();
        Self { chats, users, timers }
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
