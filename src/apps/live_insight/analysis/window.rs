//! One closed window of a stream: the analysts' input.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use tidemill_schemas::{Alert, ChatMessage, TranscriptSegment};

use super::trend::StreamTrend;

/// Chat and speech of one stream in `[start_ms, end_ms)`; either side may be empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatWindow {
    /// The stream.
    pub stream_id: String,
    /// First millisecond of the window.
    pub start_ms: i64,
    /// First millisecond after the window.
    pub end_ms: i64,
    /// The chat messages, in any order.
    pub chats: Vec<ChatMessage>,
    /// The transcript segments, in any order.
    pub segments: Vec<TranscriptSegment>,
    /// The stream's state after the previous window.
    pub trend: StreamTrend,
    /// Mood shifts that were reported since the window began or in the previous window.
    #[serde(default)]
    pub told: Vec<Alert>,
}

/// The messages, each id once. Platforms and collectors send a message again when they got no answer. Of several
/// messages with an id, the earliest counts. Messages without an id all count.
pub fn each_once(mut chats: Vec<ChatMessage>) -> Vec<ChatMessage> {
    let mut first: HashMap<String, usize> = HashMap::new();
    let mut repeats = BTreeSet::new();
    for (at, chat) in chats.iter().enumerate() {
        let Some(id) = &chat.id else { continue };
        let Some(known) = first.get_mut(id) else {
            first.insert(id.clone(), at);
            continue;
        };
        // The order of arrival never changes a result.
        let order = |chat: &ChatMessage| (chat.timestamp, chat.user_id.clone(), chat.text.clone());
        let later = if order(chat) < order(&chats[*known]) { std::mem::replace(known, at) } else { at };
        repeats.insert(later);
    }
    let mut at = 0;
    chats.retain(|_| {
        at += 1;
        !repeats.contains(&(at - 1))
    });
    chats
}

impl ChatWindow {
    /// Length in seconds, never zero.
    pub(super) fn seconds(&self) -> f64 {
        (self.end_ms - self.start_ms).max(1) as f64 / 1000.0
    }
}
