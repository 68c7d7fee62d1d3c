//! The last step of every platform: a message as the applications accept it.

use std::sync::Arc;

use serde_json::Value;
use tidemill_schemas::{AHEAD_MAX_MS, MAX_ID_BYTES};

use super::{Skew, bot, text};
use crate::{ChatEvent, Clock, Message, Source};

/// Turns what a platform says into messages that the applications accept.
#[derive(Debug)]
pub struct Tidy {
    clock: Arc<dyn Clock>,
    skew: Skew,
    bots: Vec<String>,
}

impl Tidy {
    /// The option `bots` of the source names programs that write into this chat.
    pub fn new(source: &Source, clock: Arc<dyn Clock>) -> Self {
        let bots = source.options.get("bots").and_then(Value::as_array).into_iter().flatten();
        let bots = bots.filter_map(Value::as_str).map(str::to_lowercase).collect();
        Self { clock, skew: Skew::default(), bots }
    }

    /// Cleans texts and names, corrects the clock, marks bots. Returns nothing for a message without an author, or
    /// without both a text and support.
    pub fn message(&mut self, message: Message) -> Option<Message> {
        let Message { id, user_id, user_name, text, amount, membership, timestamp_ms, reply_to, is_bot } = message;
        let text = text::plain(&text);
        if !text::is_visible(&text) && amount.is_none() && membership.is_none() {
            return None;
        }
        let user_id = name(&user_id)?;
        let user_name = user_name.as_deref().and_then(name);
        let is_bot = is_bot || bot::is_bot(user_name.as_deref().unwrap_or(&user_id), &self.bots);
        // Of the time as it was told: the corrected one differs after a reconnect.
        let id = name(&id)
            .unwrap_or_else(|| format!("{:016x}", crate::seen::hash(&format!("{user_id}\n{timestamp_ms}\n{text}"))));
        let timestamp_ms = self.timestamp(timestamp_ms);
        Some(Message { id, user_id, user_name, text, amount, membership, timestamp_ms, reply_to, is_bot })
    }

    /// A ban as the applications accept it. Its time stays as it was told, because it tells bans of a viewer apart; a
    /// time that lies too far ahead becomes now.
    pub fn banned(&self, user_id: &str, timestamp_ms: i64, until_ms: Option<i64>) -> Option<ChatEvent> {
        let now_ms = self.clock.now_ms();
        let timestamp_ms = if timestamp_ms > now_ms + AHEAD_MAX_MS { now_ms } else { timestamp_ms };
        Some(ChatEvent::Banned { user_id: name(user_id)?, timestamp_ms, until_ms })
    }

    /// A withdrawal as the applications accept it.
    pub fn deleted(&self, message_id: &str) -> Option<ChatEvent> {
        name(message_id).map(|message_id| ChatEvent::Deleted { message_id })
    }

    /// The event time of something that arrived now.
    pub fn timestamp(&mut self, timestamp_ms: i64) -> i64 {
        let now_ms = self.clock.now_ms();
        self.skew.correct(timestamp_ms, now_ms)
    }

    /// The clock, for pauses.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Now, for what has no time.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }
}

/// An id or a name that the applications accept.
fn name(name: &str) -> Option<String> {
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    let name = text::cut(name.trim(), MAX_ID_BYTES);
    (text::is_visible(name) && name != "." && name != "..").then(|| name.to_owned())
}
