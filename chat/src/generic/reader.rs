//! Turns JSON of any known kind into chat events.

use std::sync::Arc;

use serde_json::Value;

use super::{export, mapping::Mapping, path::find, twitch_export};
use crate::{Batch, ChatError, ChatEvent, Clock, Source, field::Tidy};

/// Where answers and documents have their messages.
const ITEMS: [&str; 6] = ["items", "messages", "comments", "events", "data", "chat"];

/// Reads values of one chat.
#[derive(Debug)]
pub(super) struct Reader {
    mapping: Mapping,
    items: Option<String>,
    tidy: Tidy,
    clock: Arc<dyn Clock>,
    without_id: u64,
}

impl Reader {
    pub(super) fn new(source: &Source, clock: Arc<dyn Clock>) -> Result<Self, ChatError> {
        let mapping = Mapping::of(source)?;
        let items = source.text("items").map(str::to_owned);
        Ok(Self { mapping, items, tidy: Tidy::new(source, Arc::clone(&clock)), clock, without_id: 0 })
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The values in an answer or a document: the elements of its array, or the whole if it has none.
    pub(super) fn items<'a>(&self, document: &'a Value) -> Vec<&'a Value> {
        let array = match &self.items {
            Some(path) => find(document, path).and_then(Value::as_array),
            None => document.as_array().or_else(|| ITEMS.iter().find_map(|path| find(document, path)?.as_array())),
        };
        match (array, &self.items) {
            (Some(items), _) => items.iter().collect(),
            (None, Some(_)) => Vec::new(),
            (None, None) => vec![document],
        }
    }

    /// Adds what a value says to a batch.
    pub(super) fn read(&mut self, value: &Value, batch: &mut Batch) {
        let now_ms = self.clock.now_ms();
        batch.ended |= self.mapping.ends(value);
        let events = if let Some(events) = export::events(value) {
            events
        } else if let Some(message) = twitch_export::message(value) {
            vec![ChatEvent::Message(message)]
        } else {
            self.mapping.event(value, now_ms).into_iter().collect()
        };
        for event in events {
            match event {
                ChatEvent::Message(mut message) => {
                    if message.id.is_empty() && message.timestamp_ms == now_ms {
                        self.without_id += 1;
                        message.id = format!("{now_ms}-{}", self.without_id);
                    }
                    batch.events.extend(self.tidy.message(message).map(ChatEvent::Message));
                }
                ChatEvent::Banned { user_id, timestamp_ms, until_ms } => {
                    batch.events.extend(self.tidy.banned(&user_id, timestamp_ms, until_ms));
                }
                ChatEvent::Deleted { message_id } => batch.events.extend(self.tidy.deleted(&message_id)),
            }
        }
    }

    /// Adds what each line of a text says. A line that is no JSON says nothing.
    pub(super) fn read_lines(&mut self, text: &str, batch: &mut Batch) {
        for line in text.lines() {
            if let Ok(value) = serde_json::from_str::<Value>(line) {
                for item in self.items(&value) {
                    self.read(item, batch);
                }
            }
        }
    }
}
